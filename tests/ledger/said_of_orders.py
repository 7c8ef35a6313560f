"""Commands to orders, batches and refunds through channels, each in a state in which it is carried out."""

from escrow.domain.collections.batch import BATCHES
from escrow.domain.collections.batch_commands import CloseBatch, OpenBatch, PaidByChannel, PayFromBalance
from escrow.domain.collections.batch_payments import (
    BATCH_PAYMENT,
    PaidBy,
    Share,
    batch_consent_no,
    batch_pay_in_no,
    batch_terms,
)
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.refund import REFUNDS, BeginRefund, CallOperatorToRefund, EndRefund, OwnerTold
from escrow.domain.decisions import Command
from escrow.domain.orders.commands import (
    CallOperator,
    DeadlinePassed,
    Open,
    OperatorCame,
    OwnerReminded,
    PaidDirectly,
    PartyCommand,
)
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.states import OrderCommand
from escrow.domain.requests import derived
from tests.ledger.books import DAY
from tests.ledger.orders import CONTRACTOR, OWNER, PRICE_FEN
from tests.ledger.said import Ground, Row, Said, to_the_books

_QR, _EXCESS_FEN = CollectionMethod.QR_WECHAT, 7
_BATCH = "B-1"


def _to_order(command: Command) -> Said:
    return to_the_books(ORDERS, "D-1", command)


async def _opening(ground: Ground) -> Said:
    return _to_order(await ground.order().opening())


async def _acceptance(ground: Ground) -> Said:
    order = ground.order()
    await order.in_inspection(2)
    return _to_order(await order.says(OrderCommand.ACCEPT, OWNER, 2))


async def _cancelling_what_a_channel_collected(ground: Ground) -> Said:
    order = ground.order()
    await order.opened()
    await order.done(await order.paid_by_channel("P-1", paid_fen=PRICE_FEN))
    return _to_order(await order.says(OrderCommand.CANCEL, OWNER))


async def _silence(ground: Ground) -> Said:
    order = ground.order()
    await order.in_inspection(2)
    return _to_order(await order.silence(2))


async def _reminder(ground: Ground) -> Said:
    order = ground.order()
    await order.in_inspection(2)
    await order.passes("M2:reminder:1")
    return _to_order(OwnerReminded(milestone=2, round=1))


async def _call(ground: Ground) -> Said:
    await ground.order().in_work()
    return _to_order(CallOperator(reason="look at this", seen_version=await ground.version(ORDERS, "D-1")))


async def _coming(ground: Ground) -> Said:
    said = await _call(ground)
    await said.take(ground.worker)
    return _to_order(OperatorCame(seen_version=await ground.version(ORDERS, "D-1")))


async def _direct_payment(ground: Ground) -> Said:
    order = ground.order()
    await order.opened()
    return _to_order(await order.paid_by_channel("P-1", paid_fen=PRICE_FEN + _EXCESS_FEN))


# ---- batches ----


async def _consented(ground: Ground, paid_by: PaidBy) -> None:
    """The owner consents to pay two orders together."""
    shares = []
    for order_no in ("D-1", "D-2"):
        await ground.order(order_no).opened()
        shares.append(Share(order_no=order_no, payee_no=CONTRACTOR, amount_fen=PRICE_FEN, inspection_days=7))
    terms = batch_terms(shares, paid_by=paid_by)
    number = batch_consent_no(_BATCH)
    await ground.consents(BATCH_PAYMENT, _BATCH, BATCH_PAYMENT, terms, by=OWNER, number=number)


async def _batch_from_balance(ground: Ground) -> Said:
    await _consented(ground, "balance")
    return to_the_books(BATCHES, _BATCH, PayFromBalance(batch_no=_BATCH))


async def _batch_for_a_channel(ground: Ground) -> Said:
    await _consented(ground, _QR)
    return to_the_books(BATCHES, _BATCH, OpenBatch(batch_no=_BATCH))


async def _batch_that_a_channel_pays(ground: Ground) -> Said:
    await (await _batch_for_a_channel(ground)).take(ground.worker)
    payment = DirectPaid(
        consent_no=batch_consent_no(_BATCH),
        pay_in_no=batch_pay_in_no(_BATCH),
        collection_no=derived(batch_pay_in_no(_BATCH), "collect", 1),
        method=_QR,
        payment_no="P-1",
        paid_fen=2 * PRICE_FEN + _EXCESS_FEN,
        settles_on=DAY,
    )
    return to_the_books(BATCHES, _BATCH, PaidByChannel(batch_no=_BATCH, payment=payment))


async def _batch_that_nobody_pays(ground: Ground) -> Said:
    await (await _batch_for_a_channel(ground)).take(ground.worker)
    return to_the_books(BATCHES, _BATCH, CloseBatch(reason="nobody paid"))


# ---- refunds ----


async def _refund(ground: Ground) -> Said:
    await (await _cancelling_what_a_channel_collected(ground)).take(ground.worker)
    return to_the_books(REFUNDS, "D-1", BeginRefund())


async def _refund_end(ground: Ground) -> Said:
    await (await _refund(ground)).take(ground.worker)
    return to_the_books(REFUNDS, "D-1", EndRefund(refunded_fen=PRICE_FEN))


async def _refund_to_the_balance(ground: Ground) -> Said:
    await (await _refund(ground)).take(ground.worker)
    return to_the_books(REFUNDS, "D-1", EndRefund(refunded_fen=None, reason="too old"))


async def _refund_that_never_arrived(ground: Ground) -> Said:
    await (await _refund(ground)).take(ground.worker)
    return to_the_books(REFUNDS, "D-1", EndRefund(refunded_fen=None, is_lost=True))


async def _owner_told(ground: Ground) -> Said:
    await (await _refund_to_the_balance(ground)).take(ground.worker)
    return to_the_books(REFUNDS, "D-1", OwnerTold())


async def _refund_call(ground: Ground) -> Said:
    await (await _refund(ground)).take(ground.worker)
    call = CallOperatorToRefund(reason="ask the channel", seen_version=await ground.version(REFUNDS, "D-1"))
    return to_the_books(REFUNDS, "D-1", call)


_BOTH_ORDERS = (("order", "D-1"), ("order", "D-2"))
_LEFT = (("bank_credit", "P-1"),)

ROWS = [
    Row(command=Open, posts="order.opened", prepared=_opening),
    Row(command=PartyCommand, posts="order.milestone_released", prepared=_acceptance),
    Row(
        command=PartyCommand,
        posts="order.cancelled",
        prepared=_cancelling_what_a_channel_collected,
        follows=(("refund", "D-1"),),
    ),
    Row(command=DeadlinePassed, posts="order.milestone_released", prepared=_silence),
    Row(command=OwnerReminded, posts="order.owner_reminded", prepared=_reminder),
    Row(command=CallOperator, posts="order.needs_attention", prepared=_call),
    Row(command=OperatorCame, posts="order.attended", prepared=_coming),
    Row(command=PaidDirectly, posts="order.paid", prepared=_direct_payment, follows=_LEFT),
    Row(command=PayFromBalance, posts="batch_payment.paid", prepared=_batch_from_balance, follows=_BOTH_ORDERS),
    Row(command=OpenBatch, posts="batch_payment.opened", prepared=_batch_for_a_channel),
    Row(
        command=PaidByChannel,
        posts="batch_payment.paid",
        prepared=_batch_that_a_channel_pays,
        follows=(*_LEFT, *_BOTH_ORDERS),
    ),
    Row(command=CloseBatch, posts="batch_payment.closed", prepared=_batch_that_nobody_pays),
    Row(command=BeginRefund, posts="refund.asked", prepared=_refund),
    Row(command=EndRefund, posts="refund.refunded", prepared=_refund_end),
    Row(command=EndRefund, posts="refund.credited", prepared=_refund_to_the_balance),
    Row(command=EndRefund, posts="refund.lost", prepared=_refund_that_never_arrived),
    Row(command=OwnerTold, posts="refund.owner_told", prepared=_owner_told),
    Row(command=CallOperatorToRefund, posts="refund.needs_attention", prepared=_refund_call),
]
