"""Commands to collections, withdrawals and transfers, each in a state in which it is carried out."""

from datetime import timedelta
from typing import Any

from escrow.domain.collections.commands import (
    BeginAsking,
    BookedElsewhere,
    BookPayment,
    CallOperator,
    ChannelShows,
    CodeSent,
    End,
    EndReturn,
    HoldReturn,
    Open,
    OperatorCame,
    PayerHasActed,
    TakenByPaid,
)
from escrow.domain.collections.methods import ChannelPayment, CollectionMethod
from escrow.domain.collections.opening import COLLECTIONS
from escrow.domain.collections.terms import (
    COLLECT,
    TOP_UP,
    collect_consent_no,
    collecting_terms,
    collection_terms,
    opening_consent_no,
)
from escrow.domain.decisions import Command
from escrow.domain.requests import PLATFORM_ITSELF, derived
from escrow.domain.transfers.commands import Assign, Pay, Reverse
from escrow.domain.transfers.making import ASSIGNMENTS, PAYMENTS, REVERSALS
from escrow.domain.transfers.moves import TransferKind, transfer_consent_no, transfer_terms
from escrow.domain.withdrawals import commands as of_withdrawals
from escrow.domain.withdrawals.commands import (
    WITHDRAW,
    Announced,
    BankSaid,
    BeginAttempt,
    EndAttempt,
    GiveBack,
    Hold,
    Overdue,
    Paid,
    Queue,
)
from escrow.domain.withdrawals.holding import WITHDRAWALS
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.state import bank_request_no, payout_no
from escrow.ledger.books_time import books_now
from tests.ledger.books import DAY, HOME, NOON, booked_by_bank
from tests.ledger.orders import CONTRACTOR, OWNER, PRICE_FEN
from tests.ledger.said import ACCOUNT, LARGE_FEN, MEMBER, Ground, Row, Said, to_the_books

_QR, _QUICK = CollectionMethod.QR_WECHAT, CollectionMethod.QUICK
_TOP_UP, _ASKED_FEN = "T-1", 300
_COLLECTED_AS = derived(_TOP_UP, "collect", 1)
_SHOWS_A_CODE: dict[str, Any] = {
    "kind": "sms_code",
    "url": "",
    "qr_content": "",
    "app_parameters": {},
    "code_expires_at": None,
}


# ---- collections ----


def _to_collection(command: Command, pay_in_no: str = _TOP_UP) -> Said:
    return to_the_books(COLLECTIONS, pay_in_no, command)


async def _top_up_asked_for(ground: Ground, method: CollectionMethod = _QR, **named: Any) -> Said:
    how = collection_terms(method=method, amount_fen=_ASKED_FEN, **named)
    terms = collecting_terms(how, subject="top-up", expires_in_minutes=60)
    consent = await ground.consents("pay_in", _TOP_UP, TOP_UP, terms, by=OWNER, number=opening_consent_no(_TOP_UP))
    return _to_collection(Open(said_as=consent.consent_no))


async def _opened(ground: Ground, *commands: Command, **how: Any) -> None:
    """A top-up is opened, and then this happens to it."""
    await (await _top_up_asked_for(ground, **how)).take(ground.worker)
    await ground.done(COLLECTIONS, _TOP_UP, *commands)


def _payment(number: int = 1, amount_fen: int = _ASKED_FEN) -> ChannelPayment:
    return ChannelPayment(payment_no=f"P-{number}", amount_fen=amount_fen, fee_fen=1, paid_at=NOON, settles_on=DAY)


def _booked(number: int = 1) -> BookPayment:
    return BookPayment(collection_no=_COLLECTED_AS, payment=_payment(number))


_SHOWN = ChannelShows(number=1, interaction={**_SHOWS_A_CODE, "kind": "qr"})
_HELD = HoldReturn(number=1, payment_no="P-2")


async def _asking_again(ground: Ground) -> Said:
    await _opened(ground)
    return _to_collection(BeginAsking(number=2, last_was="lost", reason="the channel lost it"))


async def _showing(ground: Ground) -> Said:
    await _opened(ground)
    return _to_collection(_SHOWN)


async def _acting(ground: Ground) -> Said:
    await _opened(ground, _SHOWN)
    return _to_collection(PayerHasActed())


async def _another_code(ground: Ground) -> Said:
    shown = ChannelShows(number=1, interaction=_SHOWS_A_CODE)
    await _opened(ground, shown, method=_QUICK, account_id=ACCOUNT)
    until = await books_now(ground.worker.recorder, HOME) + timedelta(minutes=2)
    return _to_collection(CodeSent(request_no="SC-1", expires_at=until))


async def _crediting(ground: Ground) -> Said:
    await _opened(ground, _SHOWN)
    return _to_collection(_booked())


async def _second_payment(ground: Ground) -> Said:
    await _opened(ground, _SHOWN, _booked())
    return _to_collection(_booked(2))


async def _taken_by_the_order(ground: Ground) -> Said:
    """The order that it pays has frozen the payment."""
    order = ground.order()
    await order.opened()
    paying = await order.paid_by_channel("P-1", paid_fen=PRICE_FEN)
    number, how = paying.payment.pay_in_no, collection_terms(method=_QR, amount_fen=PRICE_FEN)
    named = {"order_no": "D-1", "pays_by": paying.payment.consent_no}
    terms = collecting_terms(how, subject="order", expires_in_minutes=60, **named)
    consent_no = collect_consent_no(number)
    await ground.consents("pay_in", number, COLLECT, terms, by=OWNER, number=consent_no)
    await ground.done(COLLECTIONS, number, Open(said_as=consent_no), _SHOWN)
    await order.done(paying)
    taken = TakenByPaid(collection_no=paying.payment.collection_no, payment=_payment(amount_fen=PRICE_FEN), left_fen=0)
    return _to_collection(taken, number)


async def _elsewhere(ground: Ground) -> Said:
    await _opened(ground, _SHOWN)
    return _to_collection(BookedElsewhere(collection_no=_COLLECTED_AS, payment=_payment()))


async def _closing(ground: Ground) -> Said:
    await _opened(ground, _SHOWN)
    return _to_collection(End(how="closed", reason="nobody paid"))


async def _holding_back(ground: Ground) -> Said:
    await _opened(ground, _SHOWN, _booked(), _booked(2))
    return _to_collection(_HELD)


async def _given_back(ground: Ground) -> Said:
    await _opened(ground, _SHOWN, _booked(), _booked(2), _HELD)
    return _to_collection(EndReturn(number=1, refunded_fen=_ASKED_FEN))


async def _call(ground: Ground) -> Said:
    await _opened(ground, _SHOWN)
    version = await ground.version(COLLECTIONS, _TOP_UP)
    return _to_collection(CallOperator(reason="ask the channel", seen_version=version))


async def _coming(ground: Ground) -> Said:
    await (await _call(ground)).take(ground.worker)
    return _to_collection(OperatorCame(seen_version=await ground.version(COLLECTIONS, _TOP_UP)))


# ---- withdrawals ----

_PRINCIPAL_FEN = LARGE_FEN + 1
_BEGUN = BeginAttempt(number=1, rail=Rail.BEPS, route=("cheapest",))
_FAILED = EndAttempt(number=1, outcome="failed", reason="account closed")


def _to_withdrawal(command: Command) -> Said:
    return to_the_books(WITHDRAWALS, "W-1", command)


async def _holding(ground: Ground) -> Said:
    terms = withdrawal_terms(account_id=ACCOUNT, principal_fen=_PRINCIPAL_FEN, fee_fen=0)
    consent = await ground.consents("withdrawal", "W-1", WITHDRAW, terms, by=MEMBER)
    return _to_withdrawal(Hold(said_as=consent.consent_no))


async def _held(ground: Ground, *commands: Command) -> int:
    """Its money is held, and then this happens to it; its version."""
    await (await _holding(ground)).take(ground.worker)
    await ground.done(WITHDRAWALS, "W-1", *commands)
    return await ground.version(WITHDRAWALS, "W-1")


async def _attempt(ground: Ground) -> Said:
    await _held(ground)
    return _to_withdrawal(_BEGUN)


async def _bank_has_it(ground: Ground) -> Said:
    version = await _held(ground, _BEGUN)
    return _to_withdrawal(BankSaid(number=1, is_processing=True, seen_version=version))


async def _failing(ground: Ground) -> Said:
    await _held(ground, _BEGUN)
    return _to_withdrawal(_FAILED)


async def _queueing(ground: Ground) -> Said:
    await _held(ground)
    opens_at = await books_now(ground.worker.recorder, HOME) + timedelta(hours=1)
    return _to_withdrawal(Queue(attempts=0, opens_at=opens_at, wait=timedelta(hours=1), route=("all are closed",)))


async def _paying_out(ground: Ground) -> Said:
    await _held(ground, _BEGUN)
    number = bank_request_no(HOME, payout_no("W-1", 1))
    serial_no = await booked_by_bank(ground.owner, -_PRINCIPAL_FEN, kind="payout", request_no=number)
    return _to_withdrawal(Paid(bank_serial_no=serial_no))


async def _giving_back(ground: Ground) -> Said:
    await _held(ground, _BEGUN, _FAILED)
    return _to_withdrawal(GiveBack(reason="account closed", route=()))


async def _announcing(ground: Ground) -> Said:
    await _held(ground)
    return _to_withdrawal(Announced())


async def _overdue(ground: Ground) -> Said:
    version = await _held(ground, _BEGUN)
    await ground.passes("withdrawal", "W-1", "due")
    return _to_withdrawal(Overdue(seen_version=version))


async def _withdrawal_call(ground: Ground) -> Said:
    version = await _held(ground, _BEGUN)
    return _to_withdrawal(of_withdrawals.CallOperator(reason="ask the bank", seen_version=version))


# ---- transfers ----


async def _asked(ground: Ground, kind: TransferKind, number: str, subject_no: str, member_no: str, by: str) -> None:
    terms = transfer_terms(subject_no=subject_no, member_no=member_no, amount_fen=40)
    await ground.consents(kind, number, kind, terms, by=by, number=transfer_consent_no(kind, number))


async def _member_pays(ground: Ground) -> Said:
    await _asked(ground, TransferKind.PAYMENT, "PM-1", CONTRACTOR, MEMBER, MEMBER)
    return to_the_books(PAYMENTS, "PM-1", Pay(transfer_no="PM-1"))


async def _assigning(ground: Ground) -> Said:
    credit_no = await ground.suspended(100)
    await _asked(ground, TransferKind.ASSIGNMENT, "AS-1", credit_no, MEMBER, PLATFORM_ITSELF)
    return to_the_books(ASSIGNMENTS, "AS-1", Assign(transfer_no="AS-1", was_paid_to_member=False))


async def _reversing(ground: Ground) -> Said:
    await (await _assigning(ground)).take(ground.worker)
    await _asked(ground, TransferKind.REVERSAL, "RV-1", "AS-1", MEMBER, PLATFORM_ITSELF)
    return to_the_books(REVERSALS, "RV-1", Reverse(transfer_no="RV-1"))


ROWS = [
    Row(command=Open, posts="pay_in.opened", prepared=_top_up_asked_for),
    Row(command=BeginAsking, posts="pay_in.asked", prepared=_asking_again),
    Row(command=ChannelShows, posts="pay_in.awaiting_payer", prepared=_showing),
    Row(command=PayerHasActed, posts="pay_in.processing", prepared=_acting),
    Row(command=CodeSent, posts="pay_in.code_sent", prepared=_another_code),
    Row(command=BookPayment, posts="pay_in.paid", prepared=_crediting),
    Row(
        command=BookPayment,
        posts="pay_in.payment_suspended",
        prepared=_second_payment,
        follows=(("bank_credit", "P-2"),),
    ),
    Row(command=TakenByPaid, posts="pay_in.paid", prepared=_taken_by_the_order),
    Row(command=BookedElsewhere, posts="pay_in.needs_attention", prepared=_elsewhere),
    Row(command=End, posts="pay_in.closed", prepared=_closing),
    Row(command=HoldReturn, posts="pay_in.return_held", prepared=_holding_back),
    Row(command=EndReturn, posts="pay_in.return_ended", prepared=_given_back),
    Row(command=CallOperator, posts="pay_in.needs_attention", prepared=_call),
    Row(command=OperatorCame, posts="pay_in.attended", prepared=_coming),
    Row(command=Hold, posts="withdrawal.held", prepared=_holding),
    Row(command=BeginAttempt, posts="withdrawal.payout_attempted", prepared=_attempt),
    Row(command=BankSaid, posts="withdrawal.submitted", prepared=_bank_has_it),
    Row(command=EndAttempt, posts="withdrawal.payout_failed", prepared=_failing),
    Row(command=Queue, posts="withdrawal.queued", prepared=_queueing),
    Row(command=Paid, posts="withdrawal.paid", prepared=_paying_out),
    Row(command=GiveBack, posts="withdrawal.failed", prepared=_giving_back),
    Row(command=Announced, posts="withdrawal.announced", prepared=_announcing),
    Row(command=Overdue, posts="withdrawal.needs_attention", prepared=_overdue),
    Row(command=of_withdrawals.CallOperator, posts="withdrawal.needs_attention", prepared=_withdrawal_call),
    Row(command=Pay, posts="payment.done", prepared=_member_pays),
    Row(command=Assign, posts="assignment.done", prepared=_assigning),
    Row(command=Reverse, posts="reversal.done", prepared=_reversing, follows=(("assignment", "AS-1"),)),
]
