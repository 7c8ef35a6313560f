"""Refunds the way the money came: in parts, never above, by numbers of their own."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from escrow.domain.collections.methods import CollectionMethod, RefundStatus
from escrow.domain.errors import BankDeclined, OutcomeUnknown
from tests.channels.collecting import Cashier
from tests.channels.conftest import TUESDAY_MORNING
from tests.channels.receiver import Receiver
from tests.channels.statements import House
from tests.sandbox import running_sandbox


@pytest.fixture
def cashier(house: House) -> Cashier:
    return Cashier(house)


async def test_a_refund_is_accepted_and_then_done(cashier: Cashier, receiver: Receiver) -> None:
    paid = await cashier.collects()
    accepted = await cashier.channel.refund(cashier.refund_order(paid, 100_000))

    told = await receiver.wait_for(3)
    done = await cashier.query_refund(accepted.request_no)

    assert (accepted.status, accepted.refunded_at) == (RefundStatus.PROCESSING, None)
    assert (done.status, done.amount_fen) == (RefundStatus.SUCCEEDED, 100_000)
    assert done.refunded_at is not None
    assert (told[2].kind, told[2].request_no) == ("collection_refund", accepted.request_no)
    assert (await cashier.query(paid.request_no)).refunded_fen == 100_000


async def test_parts_can_be_refunded_up_to_what_was_paid_and_no_fen_more(cashier: Cashier) -> None:
    paid = await cashier.collects(100_000)
    await cashier.refunds(paid, 60_000, 1)

    with pytest.raises(BankDeclined, match="refund_exceeds_payment"):
        await cashier.refunds(paid, 40_001, 2)
    rest = await cashier.refunds(paid, 40_000, 3)

    assert rest.status is RefundStatus.SUCCEEDED
    assert (await cashier.query(paid.request_no)).refunded_fen == 100_000


async def test_refunds_sent_at_once_never_give_back_more_than_came(cashier: Cashier) -> None:
    paid = await cashier.collects(100_000)
    orders = [cashier.refund_order(paid, 30_000, number) for number in range(8)]

    answers = await asyncio.gather(*(cashier.channel.refund(order) for order in orders), return_exceptions=True)

    assert len([answer for answer in answers if not isinstance(answer, BankDeclined)]) == 3
    assert (await cashier.query(paid.request_no)).refunded_fen == 90_000


async def test_a_repeated_refund_is_done_once(cashier: Cashier) -> None:
    paid = await cashier.collects(100_000)
    order = cashier.refund_order(paid, 50_000)

    await asyncio.gather(*(cashier.channel.refund(order) for _ in range(5)))

    assert (await cashier.query(paid.request_no)).refunded_fen == 50_000
    with pytest.raises(OutcomeUnknown, match="request_no_reused"):
        await cashier.channel.refund(cashier.refund_order(paid, 50_001))


async def test_the_second_of_two_payments_can_be_refunded(cashier: Cashier) -> None:
    twice = await cashier.collects(190_015)

    assert (await cashier.refunds(twice, 190_015)).status is RefundStatus.SUCCEEDED
    assert (await cashier.query(twice.request_no)).paid_fen == 380_030


async def test_what_was_not_paid_is_not_refunded(cashier: Cashier) -> None:
    opened = await cashier.opens()

    with pytest.raises(BankDeclined, match="refund_exceeds_payment"):
        await cashier.refunds(opened, 1)


async def test_a_declined_refund_stays_declined_and_takes_nothing(cashier: Cashier) -> None:
    paid = await cashier.collects(100_000)
    await cashier.house.sandbox.steer.next_suffers("declined", "refund")
    order = cashier.refund_order(paid, 100_000)

    with pytest.raises(BankDeclined, match="refund_declined"):
        await cashier.channel.refund(order)
    with pytest.raises(BankDeclined, match="refund_declined"):
        await cashier.channel.refund(order)

    answer = await cashier.query_refund(order.request_no)
    assert (answer.status, answer.reason) == (RefundStatus.FAILED, "refund_declined")
    assert (await cashier.refunds(paid, 100_000, 2)).status is RefundStatus.SUCCEEDED


async def test_an_accepted_refund_can_still_fail(cashier: Cashier) -> None:
    paid = await cashier.collects(1_000_000)

    failed = await cashier.refunds(paid, 190_012)

    assert (failed.status, failed.reason) == (RefundStatus.FAILED, "refund_declined")
    assert (await cashier.query(paid.request_no)).refunded_fen == 0


@pytest.mark.parametrize(("amount_fen", "found"), [(190_001, True), (190_002, False), (190_011, True)])
async def test_a_refund_without_an_answer_is_found_or_not_by_its_number(
    cashier: Cashier, amount_fen: int, found: bool
) -> None:
    paid = await cashier.collects(1_000_000)
    order = cashier.refund_order(paid, amount_fen)

    with pytest.raises(OutcomeUnknown):
        await cashier.channel.refund(order)

    status = (await cashier.query_refund(order.request_no)).status
    assert (status is not RefundStatus.NOT_FOUND) is found


async def test_a_channel_that_is_down_refunds_nothing(cashier: Cashier) -> None:
    paid = await cashier.collects()
    await cashier.house.sandbox.steer.set_method_health(CollectionMethod.QR_WECHAT, "DOWN")
    try:
        with pytest.raises(BankDeclined, match="rail_unavailable"):
            await cashier.refunds(paid, 1)
    finally:
        await cashier.house.sandbox.steer.reset()


async def test_an_unknown_collection_is_not_refunded(cashier: Cashier) -> None:
    opened = await cashier.order()
    answer = await cashier.query(opened.request_no)

    with pytest.raises(BankDeclined, match="collection_unknown"):
        await cashier.refunds(answer, 1)


async def test_a_refund_needs_money_that_is_unsettled_or_on_the_account(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        account_no = await sandbox.steer.open_custody_account(reference="HOME", title="Home")
        house = House(sandbox, "HOME", account_no)
        cashier = Cashier(house)
        unsettled = await cashier.refunds(await cashier.collects(100_000), 100_000)
        paid = await cashier.collects(100_000, CollectionMethod.ACQUIRING)
        await sandbox.steer.settle_now()
        # What was settled is paid out, so nothing is left that a refund could be taken from.
        balance_fen = await house.balance_fen()
        await house.bank.submit(house.order(balance_fen - 500))
        with pytest.raises(BankDeclined, match="custody_funds_insufficient"):
            await cashier.refunds(paid, 100_000)

    assert unsettled.status is RefundStatus.SUCCEEDED


async def test_a_refund_comes_too_late_after_the_methods_period(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        cashier = Cashier(await House.open(sandbox, "HOME"))
        paid = await cashier.collects(100_000, CollectionMethod.QR_ALIPAY)
        await cashier.house.lets_pass(timedelta(days=89))
        in_time = await cashier.channel.refund(cashier.refund_order(paid, 50_000, 1))
        await cashier.house.lets_pass(timedelta(days=2))

        with pytest.raises(BankDeclined, match="refund_period_over"):
            await cashier.channel.refund(cashier.refund_order(paid, 50_000, 2))

    assert in_time.status is RefundStatus.PROCESSING
