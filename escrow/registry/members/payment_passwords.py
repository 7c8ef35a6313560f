"""Payment passwords: kept as argon2id over a keyed digest, tries counted by the database before they are looked at."""

import asyncio
from datetime import datetime

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus
from escrow.domain.platforms.hosted_pages import PASSWORD_LOCKED_FOR, PASSWORD_TRIES
from escrow.domain.requests import derived
from escrow.ledger.engine import Reader
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.transactions import run, transaction
from escrow.registry.members.changes import change_member, locked_member
from escrow.registry.tables import PaymentPasswordRow

#: One hash takes 64 MiB and some tens of milliseconds; more at once would let guessers exhaust the process.
_HASHES_AT_ONCE = 2

_COUNT_TRY = """
UPDATE payment_password SET
    attempts = CASE WHEN locked_until IS NULL THEN attempts + 1 ELSE 1 END,
    locked_until = CASE WHEN locked_until IS NULL AND attempts + 1 >= :tries
        THEN books_now(:platform_no) + :locked_for END
WHERE platform_no = :platform_no AND member_no = :member_no
    AND (locked_until IS NULL OR locked_until <= books_now(:platform_no))
RETURNING password_hash, attempts, locked_until
"""
_FORGET_TRIES = """
UPDATE payment_password SET attempts = 0, locked_until = NULL
WHERE platform_no = :platform_no AND member_no = :member_no AND password_hash = :password_hash
"""
_STORE = """
INSERT INTO payment_password (platform_no, member_no, password_hash, attempts, set_at)
SELECT p.no, :member_no, :password_hash, 0, books_now(p.no) FROM (SELECT CAST(:platform_no AS text) AS no) p
ON CONFLICT (platform_no, member_no) DO UPDATE
SET password_hash = excluded.password_hash, attempts = 0, locked_until = NULL, set_at = excluded.set_at
"""


class PaymentPasswords:
    """Sets and checks payment passwords.

    Args:
        reader: the ledger's connections.
        box: its index key is mixed into every hash, so that a copy of the database alone cannot be guessed at.
    """

    def __init__(self, reader: Reader, box: PersonalDataBox) -> None:
        self._reader = reader
        self._box = box
        self._hasher = PasswordHash((Argon2Hasher(time_cost=3, memory_cost=65_536, parallelism=1),))
        self._turns = asyncio.Semaphore(_HASHES_AT_ONCE)

    async def is_set(self, platform_no: str, member_no: str) -> bool:
        """Whether the member has a payment password."""
        async with self._reader.session() as session:
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
        async with transaction(self._reader) as session:
            counted = await run(
                session,
                _COUNT_TRY,
                platform_no=platform_no,
                member_no=member_no,
                tries=PASSWORD_TRIES,
                locked_for=PASSWORD_LOCKED_FOR,
            )
        if not counted:
            raise await self._not_counted(platform_no, member_no)
        password_hash, locked_until = counted[0].password_hash, counted[0].locked_until
        keyed = self._keyed(platform_no, member_no, password)
        async with self._turns:
            is_right = await asyncio.to_thread(self._hasher.verify, keyed, password_hash)
        if is_right:
            async with transaction(self._reader) as session:
                await run(
                    session,
                    _FORGET_TRIES,
                    platform_no=platform_no,
                    member_no=member_no,
                    password_hash=password_hash,
                )
            return
        if locked_until is not None:
            await self._tell_locked(platform_no, member_no, locked_until)
            raise _locked(locked_until)
        tries_left = PASSWORD_TRIES - counted[0].attempts
        raise Refused("payment_password_wrong", "The payment password is wrong.", {"tries_left": tries_left})

    def _keyed(self, platform_no: str, member_no: str, password: str) -> str:
        return self._box.blind_index(password, field=f"{platform_no}/payment_password/{member_no}").hex()

    async def _not_counted(self, platform_no: str, member_no: str) -> Refused:
        async with self._reader.session() as session:
            row = await session.get(PaymentPasswordRow, (platform_no, member_no))
        if row is None:
            return Refused("payment_password_not_set", f"Member {member_no} has not set a payment password.")
        return _locked(row.locked_until)

    async def _tell_locked(self, platform_no: str, member_no: str, locked_until: datetime) -> None:
        async with transaction(self._reader) as session:
            member = await locked_member(session, platform_no, member_no)
            until = locked_until.isoformat()
            await change_member(
                session,
                member,
                request_no=derived("", "payment-password", member_no, "locked", until),
                event_type="member.payment_password_locked",
                status=MemberStatus(member.status),
                body={"payment_password": {"state": "locked", "locked_until": until}},
                content={},
                occurred_at=locked_until - PASSWORD_LOCKED_FOR,
            )


def _locked(until: datetime | None) -> Refused:
    return Refused(
        "payment_password_locked",
        "The payment password is locked after too many wrong tries.",
        {"locked_until": until and until.isoformat()},
    )
