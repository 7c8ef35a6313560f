"""Our books of the channels against what they say: every difference is named by its payment, refund or settlement."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from escrow.domain.collections.channel_comparison import (
    BookedPayment,
    BookedRefund,
    BookedSettlement,
    ChannelBooks,
    due_differences,
    payment_differences,
    refund_differences,
    settlement_differences,
)
from escrow.domain.collections.methods import (
    ChannelPayment,
    CollectionMethod,
    RefundAnswer,
    RefundStatus,
    Settlement,
    SettlementItem,
)

QR = CollectionMethod.QR_WECHAT
TODAY, TOMORROW = date(2026, 3, 3), date(2026, 3, 4)

PAID = BookedPayment(
    payment_no="P-1",
    method="qr_wechat",
    paid_fen=500,
    collection_no="",
    pay_in_no="T-1",
    withdrawable_fen=0,
    pending_day=TOMORROW,
    order_waits_until=None,
)
SAID = ChannelPayment(
    payment_no="P-1", amount_fen=500, fee_fen=2, paid_at=datetime(2026, 3, 3, tzinfo=UTC), settles_on=TOMORROW
)
BACK = BookedRefund(refund_no="T-1:return:1", payment_no="P-1", method="qr_wechat", amount_fen=100)
BOOKS = ChannelBooks(
    payments={"P-1": PAID},
    refunds={"T-1:return:1": BACK},
    settlements={"S-1": BookedSettlement(settlement_no="S-1", cleared_fen=400, fee_fen=2)},
    due_fen={"qr_wechat": 400},
    open_day=TODAY,
)
SETTLED = Settlement(
    settlement_no="S-1",
    method=QR,
    day=TODAY,
    paid_fen=500,
    refunded_fen=100,
    fee_fen=2,
    net_of_fees=True,
    bank_serial_no="B-1",
    items=(
        SettlementItem(kind="payment", request_no="HOME/T-1:collect:1", amount_fen=500, fee_fen=2, payment_no="P-1"),
        SettlementItem(kind="refund", request_no="HOME/T-1:return:1", amount_fen=100, fee_fen=0),
    ),
)
GIVEN_BACK = RefundAnswer(request_no="HOME/T-1:return:1", status=RefundStatus.SUCCEEDED, amount_fen=100)


def test_equal_books_have_no_difference() -> None:
    assert settlement_differences(SETTLED, BOOKS, platform_no="HOME") == []
    assert payment_differences(PAID, SAID, TODAY) == []
    assert refund_differences(BACK, GIVEN_BACK) == []
    assert due_differences(BOOKS, set()) == []
    assert due_differences(replace(BOOKS, due_fen={"qr_wechat": 0}), {"P-1", "T-1:return:1"}) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (replace(SETTLED, paid_fen=600), "its items do not make its sums"),
        (replace(SETTLED, paid_fen=600), "cleared 4.00 in our books, the channel says 5.00"),
        (replace(SETTLED, fee_fen=3), "0.02 is booked as its fee, it is 0.03"),
        (replace(SETTLED, method=CollectionMethod.QR_QQ), "payment P-1 of 5.00 by qr_qq is 5.00 by qr_wechat in our"),
    ],
)
def test_a_settlement_that_is_not_what_we_booked_is_named(said: Settlement, told: str) -> None:
    found = settlement_differences(said, BOOKS, platform_no="HOME")
    assert any(sentence.startswith("settlement S-1") and told in sentence for sentence in found), found


def test_what_a_settlement_brings_and_nobody_booked_is_named() -> None:
    nothing = replace(BOOKS, payments={}, refunds={})
    assert settlement_differences(SETTLED, nothing, platform_no="HOME") == [
        "settlement S-1: payment P-1 of 5.00 by qr_wechat is not in our books",
        "settlement S-1: refund T-1:return:1 of 1.00 by qr_wechat is not in our books",
    ]


def test_a_fee_that_is_charged_beside_is_no_part_of_the_settlement() -> None:
    beside = replace(SETTLED, net_of_fees=False)
    [told] = settlement_differences(beside, BOOKS, platform_no="HOME")
    assert "0.02 is booked as its fee" in told


@pytest.mark.parametrize(
    ("ours", "said", "told"),
    [
        (PAID, None, "is unknown to its channel"),
        (PAID, replace(SAID, amount_fen=499), "is 4.99 at its channel"),
        (PAID, replace(SAID, settlement_no="S-9"), "was settled by S-9, which our books do not have"),
        (replace(PAID, withdrawable_fen=500, pending_day=None), SAID, "5.00 of it were credited withdrawable"),
        (replace(PAID, pending_day=TODAY), SAID, "is settled on 2026-03-04, and waits only until 2026-03-03"),
        (replace(PAID, pending_day=None, order_waits_until=TODAY), SAID, "waits only until 2026-03-03"),
    ],
)
def test_a_payment_that_is_not_what_its_channel_says_or_not_safe_is_named(
    ours: BookedPayment, said: ChannelPayment | None, told: str
) -> None:
    [sentence] = payment_differences(ours, said, TODAY)
    assert sentence.startswith("payment P-1 of 5.00 by qr_wechat")
    assert told in sentence


def test_a_payment_that_is_overdue_when_its_day_is_closed_is_named() -> None:
    [sentence] = payment_differences(PAID, SAID, date(2026, 3, 5))
    assert "was to be settled on 2026-03-04" in sentence


@pytest.mark.parametrize(
    "said", [replace(GIVEN_BACK, amount_fen=99), replace(GIVEN_BACK, status=RefundStatus.FAILED)], ids=["other", "none"]
)
def test_a_refund_that_the_channel_did_not_make_so_is_named(said: RefundAnswer) -> None:
    [sentence] = refund_differences(BACK, said)
    assert sentence.startswith("refund T-1:return:1 of 1.00 is ")


def test_a_channel_that_owes_what_nothing_explains_is_named() -> None:
    assert due_differences(BOOKS, {"P-1"}) == [
        "qr_wechat owes 4.00 by our books; what it took and has not settled is 0.00, what it gave back since 1.00"
    ]
