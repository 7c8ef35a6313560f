"""Activities of transfers that are one step: each is one ledger transaction under one request number."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.steps import Step, used_before
from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission, require_may
from escrow.domain.money.accounts import suspense
from escrow.domain.money.funding import FundingLeg, draw
from escrow.domain.money.journal import Change, JournalEntry, Receipt
from escrow.domain.platforms.rules import require_business_model
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI
from escrow.domain.transfers import moves as transfers
from escrow.domain.transfers.moves import TransferKind
from escrow.ledger.balances import account_balance_fen, member_balances
from escrow.ledger.bank_lines import BankLines
from escrow.ledger.books_time import books_now
from escrow.ledger.days import accounting_day
from escrow.ledger.engine import Reader
from escrow.ledger.objects import get_object
from escrow.ledger.posting import LedgerWriter
from escrow.ledger.suspense_credits import collected_for
from escrow.registry.members.members import PLATFORM_ITSELF, Members, same_name
from escrow.registry.platforms.platforms import Platforms

#: How often a transfer looks again when somebody else moved the same money meanwhile.
_ATTEMPTS = 5


class MakeTransfer(BaseModel):
    """One transfer.

    Args:
        started_as: first run of the workflow, which tells a repeated attempt from a second transfer of the same number.
        subject_no: payee of a payment (empty: the platform), suspense credit of an assignment, or assignment of a
            reversal.
        member_no: who pays, is given to, or gives back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step
    kind: TransferKind
    started_as: str
    subject_no: str
    member_no: str
    amount_fen: int


class TransferActivities:
    """Ledger activities of transfers."""

    def __init__(
        self, writer: LedgerWriter, reader: Reader, members: Members, platforms: Platforms, lines: BankLines
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._members = members
        self._platforms = platforms
        self._lines = lines

    @activity.defn
    async def make_transfer(self, request: MakeTransfer) -> None:
        """Move the money of one transfer, all of it or nothing; made before by the same run, it is not made again.

        Raises:
            Refused: `insufficient_balance`, `member_state`, `member_unknown`, `business_model_forbids`, `not_found`,
                `reversal_exceeds_assignment`, `two_operators_required`, `object_exists`, or the consent does not hold.
        """
        make = {
            TransferKind.PAYMENT: self._pay,
            TransferKind.ASSIGNMENT: self._assign,
            TransferKind.REVERSAL: self._reverse,
        }[request.kind]
        _require_consented(request)
        made = await get_object(self._reader, request.step.platform_no, request.kind, request.step.object_no)
        if made is not None and made.body["started_as"] == request.started_as:
            return
        for attempt in range(_ATTEMPTS):
            try:
                await make(request)
            except Refused as refusal:
                moved_meanwhile = refusal.code in ("insufficient_balance", "reversed_meanwhile")
                if moved_meanwhile and "missing_fen" not in refusal.details and attempt < _ATTEMPTS - 1:
                    continue
                raise used_before(refusal, request.step) from refusal
            else:
                return

    @activity.defn
    async def record_refused_transfer(self, step: Step) -> Receipt:
        """Enter a transfer that a rule refused, so that its number is answered so for ever.

        Raises:
            Refused: `basis_missing` for one that claims to be done.
        """
        if not step.is_first or step.status != transfers.TransferStatus.REFUSED:
            raise Refused("basis_missing", f"What moved no money can be entered as a refused {step.object_kind} only.")
        return await self._writer.post(step.posting(content={}))

    async def _pay(self, request: MakeTransfer) -> Receipt:
        platform_no, payee_no = request.step.platform_no, request.subject_no
        config = (await self._platforms.get(platform_no)).config
        require_business_model(config, payee_is_platform=not payee_no, commission_basis_points=0)
        parties = {request.member_no: Permission.PAY, **({payee_no: Permission.RECEIVE} if payee_no else {})}
        await self._require(platform_no, parties)
        next_day = config.unguaranteed_settlement == "T+1"
        legs = await self._draw(request)
        entry = transfers.payment_made(
            platform_no=platform_no,
            payer_no=request.member_no,
            payee_no=payee_no,
            legs=legs,
            pending_day=await accounting_day(self._reader, platform_no) if next_day else None,
        )
        return await self._post(request, entry, {"settlement": config.unguaranteed_settlement.value})

    async def _assign(self, request: MakeTransfer) -> Receipt:
        platform_no = request.step.platform_no
        await self._require(platform_no, {request.member_no: Permission.RECEIVE})
        await self._require_belongs(request)
        entry = transfers.suspense_assigned(
            platform_no=platform_no,
            credit_no=request.subject_no,
            member_no=request.member_no,
            amount_fen=request.amount_fen,
            pending_day=await self._pending_day(request),
        )
        return await self._post(request, entry, {"reversed_fen": 0, "reversals": 0})

    async def _reverse(self, request: MakeTransfer) -> Receipt:
        platform_no = request.step.platform_no
        assignment = await get_object(self._reader, platform_no, TransferKind.ASSIGNMENT, request.subject_no)
        if assignment is None or assignment.status != transfers.TransferStatus.DONE:
            raise Refused("not_found", f"There is no assignment {request.subject_no}.")
        body = assignment.body
        left_fen = body["amount_fen"] - body["reversed_fen"]
        if body["member_no"] != request.member_no or request.amount_fen > left_fen:
            raise Refused(
                "reversal_exceeds_assignment",
                "More would be taken back than was assigned to this member.",
                {"left_fen": left_fen},
            )
        entry = transfers.assignment_reversed(
            platform_no=platform_no,
            credit_no=body["subject_no"],
            member_no=request.member_no,
            legs=await self._draw(request),
        )
        after = {"reversed_fen": body["reversed_fen"] + request.amount_fen, "reversals": body["reversals"] + 1}
        return await self._post(request, entry, {}, of_assignment=after)

    async def _post(
        self,
        request: MakeTransfer,
        entry: JournalEntry,
        document: Mapping[str, Any],
        *,
        of_assignment: Mapping[str, int] | None = None,
    ) -> Receipt:
        content = {
            "started_as": request.started_as,
            "subject_no": request.subject_no,
            "member_no": request.member_no,
            "amount_fen": request.amount_fen,
        }
        # A later reversal goes by what the books say of an assignment: that is said here, not by a workflow.
        posting = request.step.posting(entry=entry, content=content, document={**document, **content})
        if of_assignment is None:
            return await self._writer.post(posting)
        # Numbered by the reversals before it: of two at once, both made from the same state, only one is posted.
        number = derived(request.subject_no, "reversal", of_assignment["reversals"])
        change = Change(
            kind=TransferKind.ASSIGNMENT,
            object_no=request.subject_no,
            event_type="assignment.reversed",
            status=transfers.TransferStatus.DONE,
            body=of_assignment,
        )
        try:
            return await self._writer.post(replace(posting, request_no=number, changes=(*posting.changes, change)))
        except Refused as refusal:
            if refusal.code != "request_no_reused":
                raise
            raise Refused("reversed_meanwhile", "Another reversal came first; ask again.") from refusal

    async def _draw(self, request: MakeTransfer) -> tuple[FundingLeg, ...]:
        balances = await member_balances(self._reader, request.step.platform_no, request.member_no)
        return draw(
            withdrawable_fen=balances.withdrawable_fen,
            pending_fen_by_day=balances.pending_fen_by_day,
            amount_fen=request.amount_fen,
        )

    async def _pending_day(self, request: MakeTransfer) -> date | None:
        """A transfer is credited as configured; a channel's payment may not be settled before tomorrow.

        Tomorrow is counted from the later of the accounting day and the calendar day: after midnight the day before
        may still be open, and what was paid since is settled a day later than that.
        """
        platform_no = request.step.platform_no
        today = await accounting_day(self._reader, platform_no)
        try:
            await self._lines.get(platform_no, request.subject_no)
        except Refused:
            now = await books_now(self._reader, platform_no)
            return max(today, now.astimezone(SHANGHAI).date()) + timedelta(days=1)
        config = (await self._platforms.get(platform_no)).config
        return today if config.top_up_settlement == "T+1" else None

    async def _require_belongs(self, request: MakeTransfer) -> None:
        """What a bank gave back of a payout is its payee's, what a channel collected its member's: nobody else's.

        Raises:
            Refused: `two_operators_required`; they alone pay it out otherwise.
        """
        platform_no = request.step.platform_no
        try:
            line = await self._lines.get(platform_no, request.subject_no)
        except Refused:
            if not await account_balance_fen(self._reader, suspense(platform_no, request.subject_no)):
                return  # nothing is there, and nothing can be given
            if await collected_for(self._reader, platform_no, request.subject_no) != request.member_no:
                raise Refused("two_operators_required", "A channel did not collect this for that member.") from None
            return
        if line.kind == "return":
            member = await self._members.get(platform_no, request.member_no)
            if same_name(line.counterparty_name) != same_name(member.name):
                raise Refused("two_operators_required", "This was paid to somebody of another name and came back.")

    async def _require(self, platform_no: str, permissions: Mapping[str, Permission]) -> None:
        statuses = await self._members.statuses(platform_no, *permissions)
        for member_no, permission in permissions.items():
            require_may(statuses[member_no], permission, member_no=member_no)


def _require_consented(request: MakeTransfer) -> None:
    """A transfer stands on the consent to just this one, by the payer or as the platform's own instruction.

    Raises:
        Refused: `basis_mismatch`.
    """
    step = request.step
    expected = transfers.transfer_operation_hash(
        platform_no=step.platform_no,
        kind=request.kind,
        transfer_no=step.object_no,
        by=request.member_no if request.kind is TransferKind.PAYMENT else PLATFORM_ITSELF,
        terms=transfers.transfer_terms(
            subject_no=request.subject_no, member_no=request.member_no, amount_fen=request.amount_fen
        ),
    )
    if step.object_kind != request.kind or any(basis.operation_hash != expected for basis in step.bases):
        raise Refused("basis_mismatch", f"The consent is not to this {request.kind}.")
