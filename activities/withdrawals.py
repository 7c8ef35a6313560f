"""Activities of a withdrawal: hold its money, send a payment order, ask what became of one, tell of a large one.

An input names the withdrawal, no more. Payee, account, amount and rail come from the books and the bank; who asks the
bank decides and posts what it says. A payment order is recorded before it is sent; whatever was recorded is asked about
and never sent again, so every activity here may be repeated at any point.
"""

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.bank_book import BankBook
from activities.heartbeat import heartbeating
from activities.notices import Texts, local_time
from activities.payout_routes import Payee, PayoutRoutes
from activities.telemetry import PAYOUT_ANSWERS
from escrow.channels.protocols import PayoutOrder, Payouts
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.money.amounts import format_fen
from escrow.domain.platforms.config import SmsContact
from escrow.domain.platforms.sms_texts import NOT_SENT_IN_TIME, SmsText
from escrow.domain.requests import PLATFORM_ITSELF, derived
from escrow.domain.withdrawals.commands import (
    WITHDRAW,
    Announced,
    BankSaid,
    BeginAttempt,
    CallOperator,
    EndAttempt,
    GiveBack,
    Hold,
    Overdue,
    Paid,
    Queue,
    WithdrawalCommand,
)
from escrow.domain.withdrawals.holding import WITHDRAWALS
from escrow.domain.withdrawals.payouts import PayoutAnswer, PayoutStatus
from escrow.domain.withdrawals.routing import RouteDecision, RouteReason, explain
from escrow.domain.withdrawals.state import Attempt, bank_request_no
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.domain.withdrawals.view import WithdrawalView
from escrow.domain.withdrawals.withdrawal import Withdrawal
from escrow.ledger.books import Books, Taken, see
from escrow.ledger.charges import cover_bank_charges
from escrow.ledger.consents import asked_for
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter
from escrow.registry.platforms.platforms import custody_account_of

_CALENDAR_UNKNOWN = "nobody knows the working days ahead: complete the calendar"


class _Message(BaseModel):
    """Base of what passes through Temporal: a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)


class WithdrawalNo(_Message):
    """Names one withdrawal."""

    platform_no: str
    withdrawal_no: str


class TakeWithdrawal(WithdrawalNo):
    """Have its money held, and see where it stands; or call an operator to what is overdue.

    Args:
        overdue_at: version of the withdrawal at which something was found to be overdue.
    """

    overdue_at: int | None = None


class WithdrawalTaken(_Message):
    """Where a withdrawal stands; `view` is None where its money was not held, which `refusal` says."""

    view: WithdrawalView | None = None
    refusal: str | None = None


class WithdrawalActivities:
    """Ledger, bank and SMS activities of withdrawals."""

    def __init__(
        self,
        writer: LedgerWriter,
        recorder: Recorder,
        *,
        routes: PayoutRoutes,
        bank_book: BankBook,
        payouts: Payouts,
        texts: Texts,
    ) -> None:
        self._writer = writer
        self._recorder = recorder
        self._books = Books(writer, recorder)
        self._routes = routes
        self._bank_book = bank_book
        self._payouts = payouts
        self._texts = texts

    @activity.defn
    async def take_withdrawal(self, request: TakeWithdrawal) -> WithdrawalTaken:
        """Have its money held as it was asked for, or call an operator; and see where it stands.

        Raises:
            LedgerBusy, LedgerUnavailable: repeat.
        """
        command = await self._hold(request) if request.overdue_at is None else Overdue(seen_version=request.overdue_at)
        taken = await self._take(request, command)
        if taken.object is None:
            assert taken.refusal is not None  # noqa: S101 - what is not refused stands in the books
            return WithdrawalTaken(refusal=taken.refusal.message)
        return WithdrawalTaken(view=WithdrawalView.of(taken.object, version=taken.version, at=taken.at))

    @activity.defn
    async def send_payout(self, ref: WithdrawalNo) -> WithdrawalView:
        """Send one payment order over the best rail that is open; queue it, or give the money back, where none is.

        What was sent before is asked about instead.

        Raises:
            BankUnreachable: nothing was sent; the bank does not say which rails are open, or whether it pays what it
                was sent before.
        """
        async with heartbeating():
            seen = await self._seen(ref)
            if seen.object.state.status.is_final:
                return seen.view
            if seen.object.state.open_attempt is not None:
                return await self._asked_about(ref, seen)
            try:
                payee = await self._routes.payee(seen.object)
            except Refused as gone:
                return await self._given_back(ref, seen.object, reason=gone.message, route=(gone.message,))
            route = await self._routes.choose(seen.object, payee)
            if route.chosen is not None:
                return await self._sent(ref, seen.object, payee, route)
            if route.opens_at is not None:
                return await self._viewed(
                    ref,
                    Queue(
                        attempts=len(seen.object.state.attempts),
                        opens_at=route.opens_at,
                        wait=route.opens_at - route.decided_at,
                        route=tuple(explain(route)),
                    ),
                )
            if any(item.reason is RouteReason.CALENDAR_UNKNOWN for item in route.candidates):
                return await self._flagged(ref, seen, _CALENDAR_UNKNOWN)
            sentences = tuple(explain(route))
            attempts = seen.object.state.attempts
            reason = attempts[-1].reason if attempts else " ".join(sentences)
            return await self._given_back(ref, seen.object, reason=reason, route=sentences)

    @activity.defn
    async def ask_about_payout(self, ref: WithdrawalNo) -> WithdrawalView:
        """Ask the bank what became of the payment order that is under way, and book what it says.

        Raises:
            BankUnreachable, OutcomeUnknown: ask again.
        """
        async with heartbeating():
            seen = await self._seen(ref)
            return seen.view if seen.object.state.open_attempt is None else await self._asked_about(ref, seen)

    @activity.defn
    async def announce_withdrawal(self, ref: WithdrawalNo) -> WithdrawalView:
        """Announce a large withdrawal by SMS, once: by its number at the bank, and by the books.

        That nobody can be told of it, or that a day was not enough to do so, is written down too.

        Raises:
            BankDeclined, BankUnreachable, OutcomeUnknown: send it again, within the day.
        """
        seen = await self._seen(ref)
        state = seen.object.state
        if state.sms != "due":
            return seen.view
        if state.announced_until is not None and seen.at >= state.announced_until:
            return await self._viewed(ref, Announced(failure=NOT_SENT_IN_TIME))
        config = await self._texts.config(ref.platform_no, state.config_version or 0)
        text = config.sms_texts.render(
            SmsText.LARGE_WITHDRAWAL,
            amount=format_fen(state.principal_fen),
            withdrawal_no=ref.withdrawal_no,
            requested_at=local_time(state.held_at or seen.at),
        )
        member_no = "" if config.sms_contact is SmsContact.PLATFORM else state.source.owner_no
        try:
            await self._texts.send(ref.platform_no, member_no, derived(ref.withdrawal_no, "sms"), text)
        except Refused as refusal:
            return await self._viewed(ref, Announced(failure=refusal.message))
        return await self._viewed(ref, Announced())

    # ---- before anything is sent ----

    async def _hold(self, ref: WithdrawalNo) -> Hold:
        """What is asked for, as the books have it."""
        consent = await asked_for(self._recorder, ref.platform_no, "withdrawal", ref.withdrawal_no)
        if consent is None:
            return Hold()
        if consent.operation != WITHDRAW:
            return Hold(said_as=consent.consent_no, payee_is_known=await self._routes.knows_payee(consent))
        if consent.given_by == PLATFORM_ITSELF:
            # The platform's own money pays the bank's charges before it leaves.
            await cover_bank_charges(self._recorder, self._writer, ref.platform_no)
        return Hold(said_as=consent.consent_no)

    async def _given_back(
        self, ref: WithdrawalNo, withdrawal: Withdrawal, *, reason: str | None, route: tuple[str, ...]
    ) -> WithdrawalView:
        """Give the money back once the bank itself says of each payment order that it was not and will not be paid.

        Raises:
            BankUnreachable: it does not rule one out; nothing was given back.
        """
        for attempt in withdrawal.state.attempts:
            answer = await self._answer_about(ref, attempt)
            ruled_out = answer.status is PayoutStatus.NOT_FOUND and answer.final
            if answer.status is not PayoutStatus.FAILED and not ruled_out:
                raise BankUnreachable(
                    "earlier_payout_open",
                    f"The bank does not rule out that it pays {attempt.request_no}; ask again later.",
                )
        return await self._viewed(ref, GiveBack(reason=reason, route=route))

    # ---- payment orders ----

    async def _sent(
        self, ref: WithdrawalNo, withdrawal: Withdrawal, payee: Payee, route: RouteDecision
    ) -> WithdrawalView:
        """Record a payment order, then send it, once: whoever finds it recorded does not send it."""
        assert route.chosen is not None  # noqa: S101 - a rail was chosen
        number = len(withdrawal.state.attempts) + 1
        begun = await self._take(ref, BeginAttempt(number=number, rail=route.chosen, route=tuple(explain(route))))
        if begun.object is None or begun.is_repeat or begun.refusal is not None:
            return (await self._seen(ref)).view
        seen = _Seen(begun)
        [*_, attempt] = seen.object.state.attempts
        order = PayoutOrder(
            request_no=bank_request_no(ref.platform_no, attempt.request_no),
            custody_account_no=await custody_account_of(self._recorder, ref.platform_no),
            rail=attempt.rail,
            amount_fen=seen.object.state.principal_fen,
            account_no=payee.account_no,
            account_name=payee.account_name,
            is_corporate=payee.is_corporate,
            cnaps_code=payee.cnaps_code,
            purpose_text=seen.object.state.order_no or ref.withdrawal_no,
        )
        try:
            return await self._heard(ref, seen, attempt, await self._payouts.submit(order))
        except BankDeclined as declined:
            PAYOUT_ANSWERS.labels(attempt.rail, "declined").inc()
            return await self._viewed(ref, EndAttempt(number=number, outcome="failed", reason=declined.message))
        except (BankUnreachable, OutcomeUnknown):
            return seen.view  # it may have been sent: from now on the bank is asked

    async def _asked_about(self, ref: WithdrawalNo, seen: "_Seen") -> WithdrawalView:
        attempt = seen.object.state.open_attempt
        assert attempt is not None  # noqa: S101 - the caller has seen it
        return await self._heard(ref, seen, attempt, await self._answer_about(ref, attempt))

    async def _answer_about(self, ref: WithdrawalNo, attempt: Attempt) -> PayoutAnswer:
        return await self._payouts.query(
            bank_request_no(ref.platform_no, attempt.request_no),
            custody_account_no=await custody_account_of(self._recorder, ref.platform_no),
        )

    async def _heard(self, ref: WithdrawalNo, seen: "_Seen", attempt: Attempt, answer: PayoutAnswer) -> WithdrawalView:
        """Book what the bank says of the payment order that is under way."""
        if answer.final or answer.status in (PayoutStatus.SUCCEEDED, PayoutStatus.FAILED):
            PAYOUT_ANSWERS.labels(attempt.rail, answer.status).inc()
        number = attempt.number
        match answer.status:
            case PayoutStatus.SUCCEEDED if answer.bank_serial_no is not None:
                return await self._settled(ref, answer.bank_serial_no)
            case PayoutStatus.FAILED:
                return await self._viewed(ref, EndAttempt(number=number, outcome="failed", reason=answer.reason))
            case PayoutStatus.NOT_FOUND if answer.final:
                reason = "the bank never received it and never will"
                return await self._viewed(ref, EndAttempt(number=number, outcome="never_arrived", reason=reason))
        is_processing = answer.status is PayoutStatus.PROCESSING
        shown = WithdrawalStatus.SUBMITTED if is_processing else WithdrawalStatus.UNKNOWN
        if seen.object.state.status in (shown, WithdrawalStatus.NEEDS_ATTENTION):
            return seen.view
        return await self._viewed(ref, BankSaid(number=number, is_processing=is_processing, seen_version=seen.version))

    async def _settled(self, ref: WithdrawalNo, bank_serial_no: str) -> WithdrawalView:
        """Clear transit against the bank's own line; a line that says otherwise is an operator's.

        Raises:
            BankUnreachable: the bank's list does not show the line yet.
        """
        await self._bank_book.line(ref.platform_no, bank_serial_no)
        taken = await self._take(ref, Paid(bank_serial_no=bank_serial_no))
        seen = _Seen(taken) if taken.object is not None else await self._seen(ref)
        if taken.refusal is not None and not seen.object.state.status.is_final:
            return await self._flagged(ref, seen, f"clear transit against the bank's line: {taken.refusal.message}")
        return seen.view

    # ---- the books ----

    async def _take(self, ref: WithdrawalNo, command: WithdrawalCommand) -> Taken[Withdrawal]:
        return await self._books.take(WITHDRAWALS, ref.platform_no, ref.withdrawal_no, command)

    async def _viewed(self, ref: WithdrawalNo, command: WithdrawalCommand) -> WithdrawalView:
        """Where the withdrawal stands after a command; one that came too late changes nothing."""
        taken = await self._take(ref, command)
        return _Seen(taken).view if taken.object is not None else (await self._seen(ref)).view

    async def _flagged(self, ref: WithdrawalNo, seen: "_Seen", reason: str) -> WithdrawalView:
        """Call an operator, unless one was called for just that."""
        if seen.object.state.attention == reason:
            return seen.view
        return await self._viewed(ref, CallOperator(reason=reason, seen_version=seen.version))

    async def _seen(self, ref: WithdrawalNo) -> "_Seen":
        """The withdrawal as it stands.

        Raises:
            Refused: `not_found`, no money was held for it.
        """
        found = await see(self._recorder, WITHDRAWALS, ref.platform_no, ref.withdrawal_no)
        if found.object is None:
            raise Refused("not_found", f"No money is held for a withdrawal {ref.withdrawal_no}.")
        return _Seen(Taken(object=found.object, version=found.version, at=found.at))


class _Seen:
    """A withdrawal that stands in the books, at one moment of theirs."""

    def __init__(self, taken: Taken[Withdrawal]) -> None:
        assert taken.object is not None  # noqa: S101 - it stands in the books
        self.object, self.version, self.at = taken.object, taken.version, taken.at

    @property
    def view(self) -> WithdrawalView:
        """What its process is told."""
        return WithdrawalView.of(self.object, version=self.version, at=self.at)
