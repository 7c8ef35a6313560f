"""Activities of a withdrawal: ledger transactions, and calls to the bank that carry one request number each."""

from datetime import date

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.bank_book import BankBook
from activities.guards import require_entered, require_in_transit, require_own_workflow
from activities.heartbeat import heartbeating
from activities.recorded_withdrawal import recorded_withdrawal
from activities.steps import Step, used_before
from activities.telemetry import PAYOUT_ANSWERS
from activities.withdrawal_permits import HoldMoney, WithdrawalPermits
from escrow.channels.protocols import Capabilities, PayoutOrder, Payouts
from escrow.domain.errors import BankDeclined, BankUnreachable, Refused
from escrow.domain.money import recipes
from escrow.domain.money.journal import JournalEntry, Receipt
from escrow.domain.transfers.suspense_returns import suspense_payout_failed, suspense_payout_requested
from escrow.domain.withdrawals.payouts import PayoutAnswer, PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.routing import PayoutAccount, account_facts
from escrow.ledger.engine import Reader
from escrow.ledger.objects import get_object
from escrow.ledger.posting import LedgerWriter
from escrow.registry.accounts.bank_accounts import BankAccounts
from escrow.registry.accounts.rows import BankAccount
from escrow.registry.platforms.platforms import Platforms, custody_account_of
from escrow.registry.transfers.suspense_payouts import SuspensePayee, SuspensePayouts


class PaymentRequest(BaseModel):
    """Base of the inputs below."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HoldReceipt(BaseModel):
    """The bound account that the money goes to, resolved once for the life of the withdrawal."""

    account_id: str


class PayoutTarget(PaymentRequest):
    """Where a payout goes; the account itself is looked up by the activity.

    Args:
        returned_as: number of the return of suspense money, whose payee the books know; empty for a bound account.
    """

    platform_no: str
    member_no: str
    account_id: str
    returned_as: str = ""


class PayoutSurvey(BaseModel):
    """What a route is chosen from: facts of the account, the bank's answer about its rails, and the days on which
    the configuration overrides the working calendar. No personal data.
    """

    account: PayoutAccount
    capabilities: Capabilities
    working_days: dict[date, bool]


class SubmitPayout(PaymentRequest):
    """Send one payment order under one request number."""

    target: PayoutTarget
    withdrawal_no: str
    request_no: str
    rail: Rail
    amount_fen: int
    purpose_text: str


class QueryPayout(PaymentRequest):
    """Ask what became of one payment order; the rail is for the statistics only."""

    platform_no: str
    request_no: str
    rail: Rail


class SettleWithdrawal(PaymentRequest):
    """The bank booked the payout: transit is cleared against custody, the fee is earned."""

    step: Step
    member_no: str
    principal_fen: int
    fee_fen: int
    bank_serial_no: str


class ReturnMoney(PaymentRequest):
    """No rail carried it: principal and fee go back to the sub-account."""

    step: Step
    member_no: str
    principal_fen: int
    fee_fen: int


class PaymentActivities:
    """Ledger and bank activities of withdrawals."""

    def __init__(
        self,
        writer: LedgerWriter,
        reader: Reader,
        accounts: BankAccounts,
        permits: WithdrawalPermits,
        platforms: Platforms,
        bank_book: BankBook,
        payouts: Payouts,
        working_days: dict[date, bool],
        suspense_payouts: SuspensePayouts,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._accounts = accounts
        self._permits = permits
        self._platforms = platforms
        self._bank_book = bank_book
        self._payouts = payouts
        self._working_days = working_days
        self._suspense_payouts = suspense_payouts

    @activity.defn
    async def hold_money(self, request: HoldMoney) -> HoldReceipt:
        """Hold principal and fee; the account must be bound, under the member's own name.

        Money in suspense is held for its return to the account that it came from.

        Raises:
            Refused: `account_not_bound`, `account_not_verified`, `identity_required`, `member_state`,
                `insufficient_balance`, `bank_charges_owed`, `suspense_source_unknown`, `object_exists`, or the basis
                does not hold.
        """
        step = request.step
        if not step.is_first:
            raise Refused("object_exists", f"Money is held with the first step of {step.object_no}, or not at all.")
        held = await get_object(self._reader, step.platform_no, step.object_kind, step.object_no)
        account_id, facts = "", {"credit_no": request.credit_no}
        if held is not None:
            # Asked again after it was done, nothing is checked anew: what held then may have changed since.
            account_id = held.body["account_id"]
        elif request.credit_no:
            facts = await self._permits.suspense_to_return(request)
        else:
            account_id = await self._permits.account_to_pay(request)
        posting = step.posting(
            entry=_held(request),
            content={
                "member_no": request.member_no,
                "principal_fen": request.principal_fen,
                "fee_fen": request.fee_fen,
                "started_as": request.started_as,
            },
            # All that a payment order is held against later is said here, not by a workflow.
            document={
                "member_no": request.member_no,
                "account_id": account_id,
                "principal_fen": request.principal_fen,
                "fee_fen": request.fee_fen,
                **facts,
            },
        )
        try:
            receipt = await self._writer.post(posting)
        except Refused as refusal:
            raise used_before(refusal, step) from refusal
        if receipt.repeated:
            held = await get_object(self._reader, step.platform_no, step.object_kind, step.object_no)
            if held is not None:
                return HoldReceipt(account_id=held.body["account_id"])
        return HoldReceipt(account_id=account_id)

    @activity.defn
    async def record_withdrawal(self, step: Step) -> Receipt:
        """Record a change of the withdrawal that moves no money; the first one enters a refused withdrawal.

        Raises:
            Refused: `not_found` for a withdrawal that was never entered.
        """
        if not step.is_first:
            await require_entered(
                self._reader, platform_no=step.platform_no, object_kind=step.object_kind, object_no=step.object_no
            )
        return await self._writer.post(step.posting(content={}))

    @activity.defn
    async def survey_rails(self, target: PayoutTarget) -> PayoutSurvey:
        """Ask the bank about its rails now, and reduce the payee's account to what routing needs.

        Raises:
            Refused: `account_not_bound` when it was unbound meanwhile.
            BankUnreachable: ask again.
        """
        account = await self._payee(target)
        capabilities = await self._payouts.capabilities(await custody_account_of(self._reader, target.platform_no))
        return PayoutSurvey(
            account=account_facts(
                account_no=account.account_no,
                is_corporate=account.is_corporate,
                cnaps_code=account.cnaps_code,
                custody_bank_code=capabilities.custody_bank_code,
            ),
            capabilities=capabilities,
            working_days=self._working_days,
        )

    @activity.defn
    async def submit_payout(self, request: SubmitPayout) -> PayoutAnswer:
        """Send the payment order. Attempted once: the workflow asks about whatever has no answer.

        Raises:
            Refused: `not_in_transit`, `withdrawal_differs`, `wrong_workflow`, `account_not_bound`; nothing was sent.
            BankDeclined: nothing was or will be paid under this number.
            BankUnreachable: nothing was sent; an earlier payment order may still be paid, or the bank is away.
            OutcomeUnknown: sent, no answer.
        """
        target = request.target
        require_own_workflow(platform_no=target.platform_no, object_kind="withdrawal", object_no=request.withdrawal_no)
        async with heartbeating():
            withdrawal = await recorded_withdrawal(self._reader, target.platform_no, request.withdrawal_no)
            withdrawal.require(
                member_no=target.member_no, account_id=target.account_id, principal_fen=request.amount_fen
            )
            withdrawal.require_payee(returned_as=target.returned_as)
            withdrawal.require_attempt(request.request_no)
            await require_in_transit(
                self._reader,
                platform_no=target.platform_no,
                member_no=target.member_no,
                withdrawal_no=request.withdrawal_no,
                amount_fen=request.amount_fen,
            )
            await self._require_unpaid(target.platform_no, withdrawal.payout_nos - {request.request_no})
            account = await self._payee(target)
            platform = await self._platforms.get(target.platform_no)
            order = PayoutOrder(
                request_no=bank_request_no(target.platform_no, request.request_no),
                custody_account_no=platform.custody_account_no,
                rail=request.rail,
                amount_fen=request.amount_fen,
                account_no=account.account_no,
                account_name=account.account_name,
                is_corporate=account.is_corporate,
                cnaps_code=account.cnaps_code,
                purpose_text=request.purpose_text,
            )
            try:
                answer = await self._payouts.submit(order)
            except BankDeclined:
                PAYOUT_ANSWERS.labels(request.rail, "declined").inc()
                raise
        _count_definite(request.rail, answer)
        return answer

    @activity.defn
    async def query_payout(self, request: QueryPayout) -> PayoutAnswer:
        """Ask the bank what became of a request number."""
        async with heartbeating():
            answer = await self._asked(request.platform_no, request.request_no)
        _count_definite(request.rail, answer)
        return answer

    @activity.defn
    async def settle_withdrawal(self, request: SettleWithdrawal) -> Receipt:
        """Clear the transit account against the bank line of the payout, once per line.

        Raises:
            Refused: `withdrawal_differs`, `bank_line_differs`.
            BankUnreachable: the bank's list does not show the line yet.
        """
        step = request.step
        withdrawal = await recorded_withdrawal(self._reader, step.platform_no, step.object_no)
        withdrawal.require(member_no=request.member_no, principal_fen=request.principal_fen, fee_fen=request.fee_fen)
        line = await self._bank_book.line(step.platform_no, request.bank_serial_no)
        ours = {bank_request_no(step.platform_no, number) for number in withdrawal.payout_nos}
        if line.kind != "payout" or line.request_no not in ours:
            raise Refused("bank_line_differs", f"Bank line {request.bank_serial_no} is no payout of this withdrawal.")
        return await self._writer.post(
            step.posting(
                entry=recipes.withdrawal_paid(
                    platform_no=step.platform_no,
                    member_no=request.member_no,
                    withdrawal_no=step.object_no,
                    principal_fen=request.principal_fen,
                    fee_fen=request.fee_fen,
                    bank_serial_no=request.bank_serial_no,
                    effective_date=line.value_date,
                ),
                content={"bank_serial_no": request.bank_serial_no, "principal_fen": request.principal_fen},
            )
        )

    @activity.defn
    async def return_money(self, request: ReturnMoney) -> Receipt:
        """Give principal and fee back to the sub-account they were taken from, or money of a return to suspense.

        Raises:
            Refused: `withdrawal_differs`.
            BankUnreachable: a payment order of it may still be paid, or the bank is away; nothing was given back.
        """
        step = request.step
        withdrawal = await recorded_withdrawal(self._reader, step.platform_no, step.object_no)
        withdrawal.require(member_no=request.member_no, principal_fen=request.principal_fen, fee_fen=request.fee_fen)
        async with heartbeating():
            await self._require_unpaid(step.platform_no, withdrawal.payout_nos)
        return await self._writer.post(
            step.posting(
                entry=_given_back(request, credit_no=withdrawal.credit_no),
                content={"principal_fen": request.principal_fen, "fee_fen": request.fee_fen},
            )
        )

    async def _payee(self, target: PayoutTarget) -> BankAccount | SuspensePayee:
        if not target.returned_as:
            return await self._accounts.to_pay(target.platform_no, target.member_no, target.account_id)
        held = (await recorded_withdrawal(self._reader, target.platform_no, target.returned_as)).held
        return await self._suspense_payouts.payee(
            target.platform_no,
            target.returned_as,
            credit_no=held["credit_no"],
            cnaps_code=held["cnaps_code"],
            payee_is_named=held["payee_is_named"],
        )

    async def _asked(self, platform_no: str, request_no: str) -> PayoutAnswer:
        return await self._payouts.query(
            bank_request_no(platform_no, request_no),
            custody_account_no=await custody_account_of(self._reader, platform_no),
        )

    async def _require_unpaid(self, platform_no: str, request_nos: frozenset[str]) -> None:
        """The bank itself says of each payment order that it was not and will not be paid."""
        for request_no in sorted(request_nos):
            answer = await self._asked(platform_no, request_no)
            ruled_out = answer.status is PayoutStatus.NOT_FOUND and answer.final
            if answer.status is not PayoutStatus.FAILED and not ruled_out:
                raise BankUnreachable(
                    "earlier_payout_open", f"The bank does not rule out that it pays {request_no}; ask again later."
                )


def _held(request: HoldMoney) -> JournalEntry:
    platform_no, withdrawal_no = request.step.platform_no, request.step.object_no
    if request.credit_no:
        return suspense_payout_requested(
            platform_no=platform_no,
            credit_no=request.credit_no,
            return_no=withdrawal_no,
            amount_fen=request.principal_fen,
        )
    return recipes.withdrawal_requested(
        platform_no=platform_no,
        member_no=request.member_no,
        withdrawal_no=withdrawal_no,
        amount_fen=request.principal_fen + request.fee_fen,
    )


def _given_back(request: ReturnMoney, *, credit_no: str) -> JournalEntry:
    platform_no, withdrawal_no = request.step.platform_no, request.step.object_no
    if credit_no:
        return suspense_payout_failed(
            platform_no=platform_no, credit_no=credit_no, return_no=withdrawal_no, amount_fen=request.principal_fen
        )
    return recipes.withdrawal_returned_to_member(
        platform_no=platform_no,
        member_no=request.member_no,
        withdrawal_no=withdrawal_no,
        amount_fen=request.principal_fen + request.fee_fen,
    )


def _count_definite(rail: Rail, answer: PayoutAnswer) -> None:
    if answer.final or answer.status in (PayoutStatus.SUCCEEDED, PayoutStatus.FAILED):
        PAYOUT_ANSWERS.labels(rail, answer.status).inc()


def bank_request_no(platform_no: str, request_no: str) -> str:
    """Our request number as the bank sees it: request numbers are unique per platform, the bank has one space."""
    return f"{platform_no}/{request_no}"
