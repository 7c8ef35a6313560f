"""Tries of amounts and codes: counted before the bank is asked, so that many at once get no more of them."""

import json
from dataclasses import dataclass
from functools import partial

from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.verification_rules import TRIES, VerificationMethod, VerificationStatus, require_waiting
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import transaction
from escrow.registry.accounts.verification_sendings import newest_sent
from escrow.registry.accounts.verifications import AccountVerifications
from escrow.registry.tables import AccountVerificationRow, VerificationTryRow
from escrow.registry.tries import TypedTries


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
        recorder: the ledger's connections.
        box: seals and opens what was typed.
        verifications: what the tries are for.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox, verifications: AccountVerifications) -> None:
        self._recorder = recorder
        self._verifications = verifications
        spent = ("verification_tries_spent", "All tries of this verification are spent.")
        self._tries = TypedTries(
            recorder, box, VerificationTryRow, kind="account_verification", at_most=TRIES, spent=spent
        )

    async def count(
        self,
        platform_no: str,
        verification_no: str,
        request_no: str,
        *,
        amount_fen: int | None = None,
        reference: str | None = None,
        code: str | None = None,
    ) -> int:
        """Count a try and keep what was typed; its number. The same request is counted once.

        Raises:
            Refused: `verification_tries_spent`, `verification_state`, `verification_method`, `request_no_reused`
                or `not_found`.
        """
        # A repeat is known by this text, as it has been written from the first.
        typed = json.dumps({"amount_fen": amount_fen or 0, "reference": reference or "", "code": code or ""})
        async with transaction(self._recorder) as session:
            row = await self._verifications.locked(session, platform_no, verification_no)
            sent = await newest_sent(session, platform_no, verification_no)
            awaited = partial(_require_awaited, row, by_code=code is not None)
            also = {"bank_request_no": "" if sent is None else sent.bank_request_no}
            return await self._tries.count(session, platform_no, verification_no, request_no, typed, awaited, **also)

    async def typed(self, platform_no: str, verification_no: str, number: int) -> TypedIn:
        """What was typed in one try.

        Raises:
            Refused: `not_found`.
        """
        verification = await self._verifications.get(platform_no, verification_no)
        typed = await self._tries.typed(platform_no, verification_no, number)
        return TypedIn(
            method=verification.method,
            bank_request_no=typed.row.bank_request_no,
            outcome=typed.outcome,
            **json.loads(typed.text),
        )

    async def answered(self, platform_no: str, verification_no: str, number: int, outcome: CodeCheck) -> None:
        """Record how a try compared, once; what the verification is by it, the books decide."""
        async with transaction(self._recorder) as session:
            await self._tries.answered(session, platform_no, verification_no, number, outcome)

    async def uncompared(self, platform_no: str, verification_no: str) -> tuple[int, ...]:
        """Numbers of the tries that were counted and have no answer of the bank yet."""
        async with self._recorder.session() as session:
            rows, _ = await self._tries.so_far(session, platform_no, verification_no)
        return tuple(row.number for row in rows if not row.outcome)

    async def left(self, platform_no: str, verification_no: str) -> int:
        """How many more tries there are, were the verification to wait for one."""
        return await self._tries.left(platform_no, verification_no)


def _require_awaited(row: AccountVerificationRow, *, by_code: bool) -> None:
    if by_code != (row.method == VerificationMethod.UNIONPAY):
        raise Refused("verification_method", f"This verification is by {row.method}.", {"method": row.method})
    require_waiting(VerificationStatus(row.status))
