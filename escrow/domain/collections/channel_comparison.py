"""Comparing what our books say of collection channels with what the channels say themselves.

What must hold: a channel owes just the payments that it took and has not settled, less what it gave back since; each
settlement consists of payments and refunds that are booked; and nobody can withdraw what is not settled. Amounts are
fen, days are Asia/Shanghai.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from escrow.domain.collections.methods import ChannelPayment, RefundAnswer, RefundStatus, Settlement
from escrow.domain.money.amounts import format_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedPayment:
    """A payment as we booked it.

    Args:
        collection_no: our number of its collection without the platform, empty when the books do not name it.
        pay_in_no: what had it collected, empty when nothing did that we know of.
        withdrawable_fen: what of it was credited as withdrawable at once.
        pending_day: day whose closing makes the rest withdrawable; None when nothing of it is pending.
        order_waits_until: day on which an order that it paid takes it for settled.
    """

    payment_no: str
    method: str
    paid_fen: int
    collection_no: str
    pay_in_no: str
    withdrawable_fen: int
    pending_day: date | None
    order_waits_until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedRefund:
    """What a channel gave back of a payment, as we booked it under our number of the refund."""

    refund_no: str
    payment_no: str
    method: str
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedSettlement:
    """A settlement line that an entry has posted: what it cleared of what the channel owed, and the fee in it."""

    settlement_no: str
    cleared_fen: int
    fee_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelBooks:
    """Our side: everything by its number, what each channel owes by the books, and the open accounting day."""

    payments: Mapping[str, BookedPayment]
    refunds: Mapping[str, BookedRefund]
    settlements: Mapping[str, BookedSettlement]
    due_fen: Mapping[str, int]
    open_day: date


def settlement_differences(said: Settlement, ours: ChannelBooks, *, platform_no: str) -> list[str]:
    """One sentence for each way in which a settlement that we posted is not what its channel says."""
    name = f"settlement {said.settlement_no}"
    booked = ours.settlements[said.settlement_no]
    paid_fen = sum(item.amount_fen for item in said.items if item.kind == "payment")
    refunded_fen = sum(item.amount_fen for item in said.items if item.kind == "refund")
    fee_fen = sum(item.fee_fen for item in said.items)
    found: list[str] = []
    if (paid_fen, refunded_fen, fee_fen) != (said.paid_fen, said.refunded_fen, said.fee_fen):
        found.append(f"{name}: its items do not make its sums")
    if booked.cleared_fen != said.paid_fen - said.refunded_fen:
        found.append(
            f"{name} cleared {format_fen(booked.cleared_fen)} in our books, the channel says "
            f"{format_fen(said.paid_fen - said.refunded_fen)}"
        )
    if booked.fee_fen != (said.fee_fen if said.net_of_fees else 0):
        found.append(f"{name}: {format_fen(booked.fee_fen)} is booked as its fee, it is {format_fen(said.fee_fen)}")
    for item in said.items:
        if item.kind == "payment":
            payment = ours.payments.get(item.payment_no)
            kept = None if payment is None else (payment.method, payment.paid_fen)
            number = item.payment_no
        else:
            number = item.request_no.removeprefix(f"{platform_no}/")
            refund = ours.refunds.get(number)
            kept = None if refund is None else (refund.method, refund.amount_fen)
        if kept != (said.method.value, item.amount_fen):
            found.append(
                f"{name}: {item.kind} {number} of {format_fen(item.amount_fen)} by {said.method} is "
                + ("not in our books" if kept is None else f"{format_fen(kept[1])} by {kept[0]} in our books")
            )
    return found


def payment_differences(ours: BookedPayment, said: ChannelPayment | None, open_day: date) -> list[str]:
    """One sentence for each way in which a payment that is not settled is not what its channel says, or not safe."""
    name = f"payment {ours.payment_no} of {format_fen(ours.paid_fen)} by {ours.method}"
    if said is None:
        return [f"{name} is unknown to its channel"]
    found: list[str] = []
    if said.amount_fen != ours.paid_fen:
        found.append(f"{name} is {format_fen(said.amount_fen)} at its channel")
    if said.settlement_no:
        return [*found, f"{name} was settled by {said.settlement_no}, which our books do not have"]
    if ours.withdrawable_fen:
        found.append(f"{name} is not settled, and {format_fen(ours.withdrawable_fen)} of it were credited withdrawable")
    for day in (ours.pending_day, ours.order_waits_until):
        if day is not None and day < said.settles_on:
            found.append(f"{name} is settled on {said.settles_on}, and waits only until {day}")
    if said.settles_on < open_day:
        found.append(f"{name} was to be settled on {said.settles_on}; that day is closed, so it waits no more")
    return found


def refund_differences(ours: BookedRefund, said: RefundAnswer) -> list[str]:
    """One sentence when a refund that no settlement took yet is not what its channel says."""
    if (said.status, said.amount_fen) == (RefundStatus.SUCCEEDED, ours.amount_fen):
        return []
    return [
        f"refund {ours.refund_no} of {format_fen(ours.amount_fen)} is {said.status} with "
        f"{format_fen(said.amount_fen)} at its channel"
    ]


def due_differences(ours: ChannelBooks, settled: Collection[str]) -> list[str]:
    """One sentence for each channel that owes something else than its payments and refunds that are not settled.

    Args:
        settled: numbers of payments and refunds that settlements have brought.
    """
    found: list[str] = []
    for method, due_fen in sorted(ours.due_fen.items()):
        taken_fen = sum(
            item.paid_fen for item in ours.payments.values() if item.method == method and item.payment_no not in settled
        )
        given_fen = sum(
            item.amount_fen for item in ours.refunds.values() if item.method == method and item.refund_no not in settled
        )
        if due_fen != taken_fen - given_fen:
            found.append(
                f"{method} owes {format_fen(due_fen)} by our books; what it took and has not settled is "
                f"{format_fen(taken_fen)}, what it gave back since {format_fen(given_fen)}"
            )
    return found
