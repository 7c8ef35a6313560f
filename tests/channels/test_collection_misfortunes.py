"""What can go wrong with money in: paid late, twice, short, over; notices lost and doubled; answers lost."""

from datetime import timedelta
from pathlib import Path

import pytest

from bank_sandbox.scenarios import MAGIC_AMOUNTS, POSSIBLE, Scenario, Target
from escrow.domain.collections.methods import CollectionAnswer, CollectionMethod, RefundStatus, StatusAtChannel
from escrow.domain.errors import BankDeclined, OutcomeUnknown
from escrow.domain.members.code_checks import CodeCheck
from tests.channels.collecting import Cashier
from tests.channels.conftest import CLOSING_GRACE, TUESDAY_MORNING
from tests.channels.receiver import Receiver
from tests.channels.statements import House
from tests.sandbox import running_sandbox
from tests.waiting import until

_AMOUNT_OF = {scenario: 100_000 + last_digits for last_digits, scenario in MAGIC_AMOUNTS.items()}


@pytest.fixture
def cashier(house: House) -> Cashier:
    return Cashier(house)


async def test_every_misfortune_of_a_payer_can_befall_collections_and_nothing_else() -> None:
    of_payers = {Scenario.PAID_LATE, Scenario.PAID_TWICE, Scenario.PAID_SHORT, Scenario.PAID_OVER}

    assert [target for target, possible in POSSIBLE.items() if possible & of_payers] == [Target.COLLECTION]


async def test_a_magic_amount_of_a_payer_means_nothing_to_a_payout(house: House) -> None:
    await house.pays(house.order(_AMOUNT_OF[Scenario.PAID_TWICE]))

    assert [line.kind for line in await house.lines()] == ["payout", "charge"]


@pytest.mark.parametrize(
    ("scenario", "payments"),
    [
        (Scenario.PAID_TWICE, [190_015, 190_015]),
        (Scenario.PAID_SHORT, [190_016 - 100]),
        (Scenario.PAID_OVER, [190_017 + 100]),
    ],
)
async def test_what_came_is_told_as_it_came(cashier: Cashier, scenario: Scenario, payments: list[int]) -> None:
    answer = await cashier.collects(_AMOUNT_OF[scenario])

    assert answer.status is StatusAtChannel.PAID
    assert [payment.amount_fen for payment in answer.payments] == payments
    assert answer.paid_fen == sum(payments)
    assert len({payment.payment_no for payment in answer.payments}) == len(payments)


async def test_a_closed_collection_can_still_be_paid_and_says_so(cashier: Cashier, receiver: Receiver) -> None:
    opened = await cashier.opens(_AMOUNT_OF[Scenario.PAID_LATE])
    closed = await cashier.close(opened.request_no)

    told = await receiver.wait_for(2)
    late = await cashier.query(opened.request_no)

    assert (closed.status, closed.payments) == (StatusAtChannel.CLOSED, ())
    assert (late.status, late.paid_fen) == (StatusAtChannel.CLOSED, _AMOUNT_OF[Scenario.PAID_LATE])
    assert (told[1].kind, told[1].request_no) == ("collection", opened.request_no)
    assert (await cashier.refunds(late, late.paid_fen)).status is RefundStatus.SUCCEEDED


async def test_the_payer_can_be_made_to_pay_any_amount_in_any_state(cashier: Cashier) -> None:
    opened = await cashier.opens()
    await cashier.close(opened.request_no)

    late = await cashier.house.sandbox.steer.pay(opened.request_no, amount_fen=7)

    assert (late.status, late.paid_fen) == (StatusAtChannel.CLOSED, 7)


@pytest.mark.parametrize("scenario", [Scenario.TIMEOUT_BOOKED, Scenario.BROKEN_ANSWER, Scenario.TIMEOUT_BOOKED_LATE])
async def test_a_collection_whose_answer_is_lost_is_found_by_its_number(cashier: Cashier, scenario: Scenario) -> None:
    order = await cashier.order(_AMOUNT_OF[scenario])

    with pytest.raises(OutcomeUnknown):
        await cashier.channel.create(order)

    async def arrived() -> CollectionAnswer | None:
        answer = await cashier.query(order.request_no)
        return answer if answer.status is not StatusAtChannel.NOT_FOUND else None

    found = await until(arrived, f"the bank knows {order.request_no}")
    assert (found.status, found.interaction is not None) == (StatusAtChannel.AWAITING_PAYER, True)
    assert await cashier.channel.create(order) == found


async def test_a_collection_lost_on_its_way_is_not_found_and_then_never_can_be(cashier: Cashier) -> None:
    order = await cashier.order(_AMOUNT_OF[Scenario.TIMEOUT_NOT_BOOKED])
    with pytest.raises(OutcomeUnknown):
        await cashier.channel.create(order)

    first = await cashier.query(order.request_no)
    await cashier.house.lets_pass(CLOSING_GRACE)
    later = await cashier.query(order.request_no)

    assert (first.status, first.final, later.final) == (StatusAtChannel.NOT_FOUND, False, True)
    with pytest.raises(BankDeclined, match="request_no_closed"):
        await cashier.channel.create(order)


async def test_a_declined_collection_is_a_definite_no(cashier: Cashier) -> None:
    order = await cashier.order(_AMOUNT_OF[Scenario.DECLINED])

    with pytest.raises(BankDeclined, match="payer_declined"):
        await cashier.channel.create(order)

    answer = await cashier.query(order.request_no)
    assert (answer.status, answer.reason) == (StatusAtChannel.FAILED, "payer_declined")


@pytest.mark.parametrize("method", [CollectionMethod.QR_ALIPAY, CollectionMethod.DIRECT_DEBIT])
async def test_a_payment_that_the_payers_bank_rejects_brings_nothing(
    cashier: Cashier, method: CollectionMethod
) -> None:
    amount_fen = _AMOUNT_OF[Scenario.FAILED_LATER]
    if method is CollectionMethod.DIRECT_DEBIT:
        answer = await cashier.debits(await cashier.has_mandate(), amount_fen)
    else:
        answer = await cashier.collects(amount_fen, method)

    assert (answer.status, answer.reason, answer.payments) == (StatusAtChannel.FAILED, "payer_declined", ())


@pytest.mark.parametrize(
    ("scenario", "told"),
    [(Scenario.NOTICE_TWICE, ["first", "first", "second"]), (Scenario.NOTICE_DROPPED, ["second"])],
)
async def test_notices_of_payments_are_doubled_and_lost(
    cashier: Cashier, receiver: Receiver, scenario: Scenario, told: list[str]
) -> None:
    first = await cashier.collects(_AMOUNT_OF[scenario])
    second = await cashier.collects()

    notices = await receiver.wait_for(1 + len(told))

    names = {first.request_no: "first", second.request_no: "second"}
    assert [names[notice.request_no] for notice in notices[1:]] == told
    assert first.status is StatusAtChannel.PAID


async def test_a_late_notice_is_overtaken_by_a_later_payment(cashier: Cashier, receiver: Receiver) -> None:
    overtaken = await cashier.collects(_AMOUNT_OF[Scenario.NOTICE_LATE])
    later = await cashier.collects()

    notices = await receiver.wait_for(3)

    assert [notice.request_no for notice in notices[1:]] == [later.request_no, overtaken.request_no]


async def test_a_misfortune_ordered_once_strikes_the_next_collection(cashier: Cashier) -> None:
    await cashier.house.sandbox.steer.next_suffers("paid_twice", "collection")

    assert len((await cashier.collects()).payments) == 2
    assert len((await cashier.collects()).payments) == 1


async def test_time_ends_collections_and_codes_and_stuck_payments(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        cashier = Cashier(await House.open(sandbox, "HOME"))
        left = await cashier.opens()
        left_and_late = await cashier.opens(_AMOUNT_OF[Scenario.PAID_LATE])
        stuck = await cashier.collects(_AMOUNT_OF[Scenario.STUCK])
        quick = await cashier.opens(method=CollectionMethod.QUICK)
        code = await cashier.code_of(quick.request_no)
        with pytest.raises(BankDeclined, match="collection_under_way"):
            await cashier.close(stuck.request_no)

        await cashier.house.lets_pass(timedelta(seconds=120))
        too_late = await cashier.channel.confirm(quick.request_no, code)
        await cashier.house.lets_pass(timedelta(minutes=8))
        freed = await cashier.query(stuck.request_no)
        await cashier.house.lets_pass(timedelta(minutes=51))
        expired = await cashier.query(left.request_no)
        paid_late = await cashier.query(left_and_late.request_no)

    assert (too_late.status, too_late.code_check) == (StatusAtChannel.AWAITING_PAYER, CodeCheck.EXPIRED)
    assert (stuck.status, freed.status) == (StatusAtChannel.PROCESSING, StatusAtChannel.PAID)
    assert (expired.status, expired.payments) == (StatusAtChannel.CLOSED, ())
    assert (paid_late.status, paid_late.paid_fen) == (StatusAtChannel.CLOSED, _AMOUNT_OF[Scenario.PAID_LATE])
