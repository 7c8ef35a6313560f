"""Payment passwords: kept as argon2id over a keyed digest, tries counted by the database before they are looked at."""

import asyncio
from datetime import datetime

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus
from escrow.domain.members.tries import Tries, Verdict
from escrow.domain.platforms.hosted_pages import PASSWORD_LOCKED_FOR, PASSWORD_TRIES
from escrow.domain.requests import derived
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import run, transaction
from escrow.registry.members.changes import change_member, locked_member
from escrow.registry.tables import PaymentPasswordRow

#: One hash takes 64 MiB and some tens of milliseconds; more at once would let guessers exhaust the process.
_HASHES_AT_ONCE = 2

_STORE = """
INSERT INTO payment_password (platform_no, member_no, password_hash, attempts, set_at)
SELECT p.no, :member_no, :password_hash, 0, books_now(p.no) FROM (SELECT CAST(:platform_no AS text) AS no) p
ON CONFLICT (platform_no, member_no) DO UPDATE
SET password_hash = excluded.password_hash, attempts = 0, locked_until = NULL, set_at = excluded.set_at
"""


class PaymentPasswords:
    """Sets and checks payment passwords.

    Args:
        recorder: the ledger's connections.
        box: its index key is mixed into every hash, so that a copy of the database alone cannot be guessed at.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox) -> None:
        self._recorder = recorder
        self._box = box
        self._hasher = PasswordHash((Argon2Hasher(time_cost=3, memory_cost=65_536, parallelism=1),))
        self._turns = asyncio.Semaphore(_HASHES_AT_ONCE)

    async def is_set(self, platform_no: str, member_no: str) -> bool:
        """Whether the member has a payment password."""
        async with self._recorder.session() as session:
            return await session.get(PaymentPasswordRow, (platform_no, member_no)) is not None

    async def hashed(self, platform_no: str, member_no: str, password: str) -> str:
        """The password as it is kept, to be given to `store`."""
        keyed = self._keyed(platform_no, member_no, password)
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, keyed)

    async def store(self, session: AsyncSession, platform_no: str, member_no: str, password_hash: str) -> None:
        """Keep a hashed password in the caller's transaction; tries and locks of the one before are forgotten."""
        await run(session, _STORE, platform_no=platform_no, member_no=member_no, password_hash=password_hash)

    async def verify(self, platform_no: str, member_no: str, password: str) -> None:
        """Return when the password is right. Every try counts until it is found right, however many come at once.

        Raises:
            Refused: `payment_password_wrong` with `tries_left`, `payment_password_locked` with `locked_until`, or
                `payment_password_not_set`.
        """
        whose = (platform_no, member_no)
        async with transaction(self._recorder) as session:
            row = await session.get(PaymentPasswordRow, whose, with_for_update=True)
            if row is None:
                raise Refused("payment_password_not_set", f"Member {member_no} has not set a payment password.")
            before = Tries(
                at_most=PASSWORD_TRIES, made=row.attempts, locked_for=PASSWORD_LOCKED_FOR, locked_until=row.locked_until
            )
            at, password_hash = await books_now_within(session, platform_no), row.password_hash
            verdict, after = before.decide(at=at)
            row.attempts, row.locked_until = after.made, after.locked_until
        keyed, is_right = self._keyed(platform_no, member_no, password), False
        if verdict is Verdict.WRONG:  # until it is found right
            async with self._turns:
                is_right = await asyncio.to_thread(self._hasher.verify, keyed, password_hash)
        if is_right:
            _, after = before.decide(at=at, is_right=True)
            async with transaction(self._recorder) as session:
                row = await session.get(PaymentPasswordRow, whose, with_for_update=True)
                if row is not None and row.password_hash == password_hash:
                    row.attempts, row.locked_until = after.made, after.locked_until
            return
        if after.locked_until is None:
            raise Refused("payment_password_wrong", "The payment password is wrong.", {"tries_left": after.left})
        locked_until = after.locked_until.isoformat()
        if verdict is Verdict.WRONG:
            await self._tell_locked(platform_no, member_no, at, locked_until)
        raise Refused(
            "payment_password_locked",
            "The payment password is locked after too many wrong tries.",
            {"locked_until": locked_until},
        )

    def _keyed(self, platform_no: str, member_no: str, password: str) -> str:
        return self._box.blind_index(password, field=f"{platform_no}/payment_password/{member_no}").hex()

    async def _tell_locked(self, platform_no: str, member_no: str, at: datetime, until: str) -> None:
        async with transaction(self._recorder) as session:
            member = await locked_member(session, platform_no, member_no)
            await change_member(
                session,
                member,
                request_no=derived("", "payment-password", member_no, "locked", until),
                event_type="member.payment_password_locked",
                status=MemberStatus(member.status),
                body={"payment_password": {"state": "locked", "locked_until": until}},
                content={},
                occurred_at=at,
            )
