"""Tries of amounts and codes: counted before the bank is asked, so that many at once get no more of them."""

import hmac
import json
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.verification_rules import TRIES, VerificationMethod, VerificationStatus, require_waiting
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Reader
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.transactions import transaction
from escrow.registry.accounts.verification_rows import AccountVerification, verification_of
from escrow.registry.accounts.verification_sendings import newest_sent
from escrow.registry.accounts.verifications import AccountVerifications
from escrow.registry.tables import VerificationTryRow

#: A code that had expired was no guess: the bank does not count it either.
_COUNTED = ("", CodeCheck.ACCEPTED, CodeCheck.WRONG, CodeCheck.EXHAUSTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedIn:
    """What somebody typed, in the clear: never log or store it elsewhere.

    A micro-deposit has amount (fen) and reference, a UnionPay check has a code. `outcome` is None until the bank
    has answered.
    """

    method: VerificationMethod
    bank_request_no: str
    amount_fen: int
    reference: str
    code: str
    outcome: CodeCheck | None


class VerificationTries:
    """Keeps tries, sealed.

    Args:
        reader: the ledger's connections.
        box: seals and opens what was typed.
        verifications: what the tries are for.
    """

    def __init__(self, reader: Reader, box: PersonalDataBox, verifications: AccountVerifications) -> None:
        self._reader = reader
        self._box = box
        self._verifications = verifications

    async def count(
        self,
        platform_no: str,
        verification_no: str,
        request_no: str,
        *,
        amount_fen: int = 0,
        reference: str = "",
        code: str = "",
    ) -> int:
        """Count a try and keep what was typed; its number. The same request is counted once.

        Raises:
            Refused: `verification_tries_spent`, `verification_state`, `verification_method`, `request_no_reused`
                or `not_found`.
        """
        typed = json.dumps({"amount_fen": amount_fen, "reference": reference, "code": code})
        digest = self._box.blind_index(typed, field=f"{platform_no}/verification_try/{verification_no}")
        async with transaction(self._reader) as session:
            row = await self._verifications.locked(session, platform_no, verification_no)
            tries = await self._tries(session, platform_no, verification_no)
            for known in tries:
                if known.request_no == request_no:
                    if not hmac.compare_digest(known.typed_digest, digest):
                        raise Refused("request_no_reused", f"{request_no} was used to try something else.")
                    return known.number
            if bool(code) != (row.method == VerificationMethod.UNIONPAY):
                raise Refused("verification_method", f"This verification is by {row.method}.", {"method": row.method})
            require_waiting(VerificationStatus(row.status))
            if _left([known.outcome for known in tries]) == 0:
                raise Refused("verification_tries_spent", "All tries of this verification are spent.")
            sent = await newest_sent(session, platform_no, verification_no)
            if sent is None:
                raise Refused("verification_state", "Nothing was sent yet.", {"status": row.status})
            number = len(tries) + 1
            session.add(
                VerificationTryRow(
                    platform_no=platform_no,
                    verification_no=verification_no,
                    number=number,
                    request_no=request_no,
                    bank_request_no=sent.bank_request_no,
                    typed_sealed=self._box.seal(typed, place=_place(platform_no, verification_no, number)),
                    typed_digest=digest,
                    outcome="",
                    tried_at=await books_now_within(session, platform_no),
                )
            )
        return number

    async def typed(self, platform_no: str, verification_no: str, number: int) -> TypedIn:
        """What was typed in one try.

        Raises:
            Refused: `not_found`.
        """
        verification = await self._verifications.get(platform_no, verification_no)
        async with self._reader.session() as session:
            row = await session.get(VerificationTryRow, (platform_no, verification_no, number))
        if row is None:
            raise Refused("not_found", f"There is no try {number} of verification {verification_no}.")
        content = json.loads(self._box.open(row.typed_sealed, place=_place(platform_no, verification_no, number)))
        return TypedIn(
            method=verification.method,
            bank_request_no=row.bank_request_no,
            outcome=CodeCheck(row.outcome) if row.outcome else None,
            **content,
        )

    async def answered(
        self, platform_no: str, verification_no: str, number: int, outcome: CodeCheck, *, occurred_at: datetime
    ) -> AccountVerification:
        """Record how a try compared, once, and what the verification is by it."""
        async with transaction(self._reader) as session:
            row = await self._verifications.locked(session, platform_no, verification_no)
            one = await session.get_one(VerificationTryRow, (platform_no, verification_no, number))
            if not one.outcome:
                one.outcome = outcome.value
                await session.flush()
            outcomes = [known.outcome for known in await self._tries(session, platform_no, verification_no)]
            status, reason = None, ""
            if one.outcome == CodeCheck.ACCEPTED:
                status = VerificationStatus.VERIFIED
            elif one.outcome == CodeCheck.EXHAUSTED or (_left(outcomes) == 0 and "" not in outcomes):
                status, reason = VerificationStatus.FAILED, "too_many_tries"
            if status is not None:
                await self._verifications.end_within(session, row, status, reason=reason, occurred_at=occurred_at)
        return verification_of(row)

    async def uncompared(self, platform_no: str, verification_no: str) -> tuple[int, ...]:
        """Numbers of the tries that were counted and have no answer of the bank yet."""
        async with self._reader.session() as session:
            tries = await self._tries(session, platform_no, verification_no)
        return tuple(known.number for known in tries if not known.outcome)

    async def left(self, platform_no: str, verification_no: str) -> int:
        """How many more tries there are, were the verification to wait for one."""
        async with self._reader.session() as session:
            return _left([known.outcome for known in await self._tries(session, platform_no, verification_no)])

    async def _tries(self, session: AsyncSession, platform_no: str, verification_no: str) -> list[VerificationTryRow]:
        query = (
            select(VerificationTryRow)
            .where(
                VerificationTryRow.platform_no == platform_no,
                VerificationTryRow.verification_no == verification_no,
            )
            .order_by(col(VerificationTryRow.number))
        )
        return list((await session.exec(query)).all())


def _left(outcomes: list[str]) -> int:
    return max(0, TRIES - sum(outcome in _COUNTED for outcome in outcomes))


def _place(platform_no: str, verification_no: str, number: int) -> str:
    return f"{platform_no}/account_verification/{verification_no}/try/{number}"
