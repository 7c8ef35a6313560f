"""Payouts of suspense money that two operators decide: one proposes, another confirms.

The money goes to the account that it came from. What a bank gave back of a payout has no account to go back to: then
the operators name one, and it must bear the name that the bank told with the line. What a channel collected came from
no account either: the one that they name bears the name of the member that it was collected for, or, where the books
know none, the name that they name too.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.collections.methods import payment_booking_no
from escrow.domain.errors import Refused
from escrow.domain.members.identity_numbers import is_corporate_account_no, is_unionpay_card, require_cnaps_code
from escrow.domain.requests import derived
from escrow.domain.transfers.suspense import COLLECTED_FOR, CREDIT
from escrow.domain.transfers.suspense_returns import OPERATORS, RETURN_SUSPENSE, suspense_return_terms
from escrow.ledger.bank_lines import BankLines, StoredBankLine
from escrow.ledger.books_time import books_now, books_now_within
from escrow.ledger.consents import Consent, NewConsent, record_within
from escrow.ledger.engine import Reader, Recorder
from escrow.ledger.objects import recorded_steps
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import transaction
from escrow.registry.members.members import Members, same_name
from escrow.registry.platforms.operator_tables import SuspensePayoutRow

_CONSENT_VALIDITY = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspensePayee:
    """Where suspense money goes, in the clear: never log or store one elsewhere."""

    account_no: str
    account_name: str
    is_corporate: bool
    cnaps_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A payout that an operator proposed; `decided_by` is empty until another one confirmed it."""

    platform_no: str
    return_no: str
    credit_no: str
    amount_fen: int
    proposed_by: str
    decided_by: str


class SuspensePayouts:
    """Proposes, decides and finds payouts of suspense money.

    Args:
        recorder: the ledger's connections.
        box: seals the accounts that operators name.
        lines: the bank's lines, which say where money came from.
        members: whose names accounts bear that money goes to which was collected for them.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox, lines: BankLines, members: Members) -> None:
        self._recorder = recorder
        self._box = box
        self._lines = lines
        self._members = members

    async def source(self, platform_no: str, credit_no: str) -> StoredBankLine:
        """The bank's line that brought money into suspense, with the account that it came from.

        Raises:
            Refused: `suspense_source_unknown`, a channel collected it, the bank did not say from where, or there is
                none.
        """
        unknown = Refused(
            "suspense_source_unknown", f"No account is known that the money under {credit_no} came from by transfer."
        )
        try:
            line = await self._lines.get(platform_no, credit_no)
        except Refused as refusal:
            raise unknown from refusal
        if line.kind not in ("inbound", "return") or not (line.counterparty_account_no and line.counterparty_name):
            raise unknown
        return line

    async def propose(
        self,
        platform_no: str,
        return_no: str,
        *,
        credit_no: str,
        amount_fen: int,
        operator_no: str,
        account_no: str | None = None,
        account_name: str | None = None,
        cnaps_code: str = "",
    ) -> Proposal:
        """Propose a payout; the same again changes nothing.

        Args:
            account_no: where money goes now that a bank gave back or a channel collected; None for the account that
                money came from.
            account_name: whose account that is, where neither the bank nor the books know; else None.
            cnaps_code: of the payee's branch, empty when unknown.

        Raises:
            Refused: `suspense_source_unknown`, `suspense_payee_fixed`, `account_no_invalid`, `cnaps_code_invalid`, or
                `request_no_reused`.
        """
        name = await self._payees_name(platform_no, credit_no, account_no=account_no, account_name=account_name)
        if account_no and not (is_unionpay_card(account_no) or is_corporate_account_no(account_no)):
            raise Refused("account_no_invalid", "The account number is mistyped.")
        require_cnaps_code(cnaps_code)
        row = SuspensePayoutRow(
            platform_no=platform_no,
            return_no=return_no,
            credit_no=credit_no,
            amount_fen=amount_fen,
            cnaps_code=cnaps_code,
            account_no_sealed=self._sealed(account_no, _place(platform_no, return_no, "account_no")),
            account_name_sealed=self._sealed(name, _place(platform_no, return_no, "account_name")),
            payee_digest=self._digest(platform_no, " ".join(filter(None, (account_no, name)))),
            proposed_by=operator_no,
            proposed_at=await books_now(self._recorder, platform_no),
        )
        async with transaction(self._recorder) as session:
            values = row.model_dump()
            await session.exec(insert(SuspensePayoutRow).values(values).on_conflict_do_nothing())
            stored = await session.get_one(SuspensePayoutRow, (platform_no, return_no))
            asked = ("credit_no", "amount_fen", "cnaps_code", "payee_digest", "proposed_by")
            if any(getattr(stored, name) != values[name] for name in asked):
                raise Refused("request_no_reused", f"Another payout was proposed as {return_no}; use a new number.")
        return _proposal(stored)

    async def confirm(self, platform_no: str, return_no: str, *, operator_no: str) -> tuple[Proposal, Consent]:
        """Decide a payout that another operator proposed: from then on it has its consent. Repeatable.

        Raises:
            Refused: `not_found`, `two_operators_required`, or `request_no_reused` when a third operator decided.
        """
        async with transaction(self._recorder) as session:
            row = await self._locked(session, platform_no, return_no)
            if row.proposed_by == operator_no:
                raise Refused(
                    "two_operators_required", "Who proposed a payout does not decide it; ask another operator."
                )
            if row.decided_by not in ("", operator_no):
                raise Refused("request_no_reused", f"{row.decided_by} has decided this payout.")
            if not row.decided_by:
                row.decided_by, row.decided_at = operator_no, await books_now_within(session, platform_no)
                session.add(row)
                await session.flush()
            consent, _ = await record_within(session, _consent(row))
            return _proposal(row), consent

    async def payee(
        self, platform_no: str, return_no: str, *, credit_no: str, cnaps_code: str, payee_is_named: bool
    ) -> SuspensePayee:
        """The account that a return goes to.

        Args:
            payee_is_named: by two operators, under `return_no`; else it is the account that the money came from.

        Raises:
            Refused: `suspense_source_unknown`, or `not_found`.
        """
        account_no, account_name = "", ""
        if payee_is_named:
            async with self._recorder.session() as session:
                row = await session.get(SuspensePayoutRow, (platform_no, return_no))
            if row is None or not row.decided_by or not row.account_no_sealed:
                raise Refused("not_found", f"No account was named for {return_no}.")
            account_no = self._box.open(row.account_no_sealed, place=_place(platform_no, return_no, "account_no"))
            if row.account_name_sealed:
                place = _place(platform_no, return_no, "account_name")
                account_name = self._box.open(row.account_name_sealed, place=place)
        if not account_name:
            line = await self.source(platform_no, credit_no)
            account_no, account_name = account_no or line.counterparty_account_no, line.counterparty_name
        return SuspensePayee(
            account_no=account_no,
            account_name=account_name,
            is_corporate=not is_unionpay_card(account_no),
            cnaps_code=cnaps_code,
        )

    async def _payees_name(
        self, platform_no: str, credit_no: str, *, account_no: str | None, account_name: str | None
    ) -> str | None:
        """Whose the named account must be, where the bank's line does not say it; else None.

        Raises:
            Refused: `suspense_source_unknown` or `suspense_payee_fixed`.
        """
        try:
            line = await self.source(platform_no, credit_no)
        except Refused:
            if not account_no:
                raise
            member_no = await _collected_for(self._recorder, platform_no, credit_no)
            name = (await self._members.get(platform_no, member_no)).name if member_no else account_name
            if not name:
                raise
        else:
            name = None
            if account_no and line.kind != "return":
                raise Refused("suspense_payee_fixed", "This money goes back to the account it came from, to no other.")
        if account_name and (name is None or same_name(account_name) != same_name(name)):
            raise Refused("suspense_payee_fixed", "The bank or the books say whose money this is: name no other.")
        return name

    def _digest(self, platform_no: str, payee: str) -> str:
        return self._box.blind_index(payee, field=f"{platform_no}/suspense_payee").hex() if payee else ""

    def _sealed(self, text: str | None, place: str) -> bytes:
        return self._box.seal(text, place=place) if text else b""

    async def _locked(self, session: AsyncSession, platform_no: str, return_no: str) -> SuspensePayoutRow:
        row = await session.get(SuspensePayoutRow, (platform_no, return_no), with_for_update=True)
        if row is None:
            raise Refused("not_found", f"Nobody proposed a payout {return_no}.")
        return row


def _consent(row: SuspensePayoutRow) -> NewConsent:
    return NewConsent(
        platform_no=row.platform_no,
        consent_no=derived("", "suspense_payout", row.return_no, "decided"),
        object_kind="withdrawal",
        object_no=row.return_no,
        operation=RETURN_SUSPENSE,
        given_by=OPERATORS,
        terms=suspense_return_terms(
            credit_no=row.credit_no,
            principal_fen=row.amount_fen,
            cnaps_code=row.cnaps_code,
            payee_digest=row.payee_digest,
        ),
        valid_for=_CONSENT_VALIDITY,
        method="two_operators",
        asked=True,
    )


def _proposal(row: SuspensePayoutRow) -> Proposal:
    return Proposal(
        platform_no=row.platform_no,
        return_no=row.return_no,
        credit_no=row.credit_no,
        amount_fen=row.amount_fen,
        proposed_by=row.proposed_by,
        decided_by=row.decided_by,
    )


def _place(platform_no: str, return_no: str, field: str) -> str:
    return f"{platform_no}/suspense_payout/{return_no}/{field}"


async def _collected_for(reader: Reader, platform_no: str, credit_no: str) -> str:
    """Member that a payment in suspense was collected for, as its own booking says; empty where that says nothing.

    What is said of the credit under any other number is not believed: a workflow may have said it.
    """
    steps = await recorded_steps(reader, platform_no, CREDIT, credit_no, facts=(COLLECTED_FOR,))
    booked_as = payment_booking_no(credit_no)
    return next(
        (step.facts[COLLECTED_FOR] or "" for step in steps if step.request_no == booked_as and step.moved_money), ""
    )
