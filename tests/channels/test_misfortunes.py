"""What can go wrong with a payout: each misfortune by its magic amount, seen through our client and on the account."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bank_sandbox.scenarios import MAGIC_AMOUNTS, Scenario
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown
from escrow.domain.withdrawals.payouts import PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from tests.channels.conftest import CLOSING_GRACE, TUESDAY_MORNING
from tests.channels.statements import CARD, OPENING_FEN, House
from tests.sandbox import running_sandbox
from tests.waiting import PATIENCE_SECONDS

_AMOUNT_OF = {scenario: 100_000 + last_digits for last_digits, scenario in MAGIC_AMOUNTS.items()}


def test_every_misfortune_has_its_magic_amount() -> None:
    assert set(MAGIC_AMOUNTS.values()) == set(Scenario) - {Scenario.NONE}


@pytest.mark.parametrize("scenario", [Scenario.TIMEOUT_BOOKED, Scenario.BROKEN_ANSWER])
async def test_an_answer_lost_after_booking_leaves_an_unknown_that_the_query_clears(
    house: House, scenario: Scenario
) -> None:
    order = house.order(_AMOUNT_OF[scenario])

    with pytest.raises(OutcomeUnknown, match="bank_no_answer"):
        await house.bank.submit(order)

    assert (await house.ends(order.request_no)).status is PayoutStatus.SUCCEEDED
    assert [line.kind for line in await house.lines()] == ["payout", "charge"]


async def test_a_request_lost_before_booking_is_not_found_and_then_never_can_be(house: House) -> None:
    order = house.order(_AMOUNT_OF[Scenario.TIMEOUT_NOT_BOOKED])
    with pytest.raises(OutcomeUnknown):
        await house.bank.submit(order)

    first = await house.query(order.request_no)
    await house.lets_pass(CLOSING_GRACE)
    later = await house.query(order.request_no)

    assert (first.status, first.final) == (PayoutStatus.NOT_FOUND, False)
    assert (later.status, later.final) == (PayoutStatus.NOT_FOUND, True)
    with pytest.raises(BankDeclined, match="request_no_closed"):
        await house.bank.submit(order)
    assert await house.lines() == []


async def test_a_request_that_arrives_after_the_first_query_is_paid_all_the_same(house: House) -> None:
    order = house.order(_AMOUNT_OF[Scenario.TIMEOUT_BOOKED_LATE])

    not_yet = await house.query(order.request_no)
    with pytest.raises(OutcomeUnknown):
        await house.bank.submit(order)
    ended = await house.ends(order.request_no)

    assert (not_yet.status, not_yet.final) == (PayoutStatus.NOT_FOUND, False)
    assert ended.status is PayoutStatus.SUCCEEDED


async def test_a_number_that_is_not_found_may_be_sent_again_before_it_is_closed(house: House) -> None:
    await house.sandbox.steer.next_suffers("timeout_not_booked")
    order = house.order()
    with pytest.raises(OutcomeUnknown):
        await house.bank.submit(order)
    assert (await house.query(order.request_no)).status is PayoutStatus.NOT_FOUND

    assert (await house.pays(order)).status is PayoutStatus.SUCCEEDED
    assert [line.kind for line in await house.lines()] == ["payout", "charge"]


async def test_a_declined_payout_is_a_definite_no(house: House) -> None:
    order = house.order(_AMOUNT_OF[Scenario.DECLINED])

    with pytest.raises(BankDeclined, match="payee_account_refused"):
        await house.bank.submit(order)

    assert (await house.query(order.request_no)).status is PayoutStatus.FAILED
    assert await house.lines() == []


async def test_an_accepted_payout_can_still_fail_without_a_trace_on_the_account(house: House) -> None:
    answer = await house.pays(house.order(_AMOUNT_OF[Scenario.FAILED_LATER]))

    assert (answer.status, answer.reason, answer.bank_serial_no) == (
        PayoutStatus.FAILED,
        "payee_account_refused",
        None,
    )
    assert await house.lines() == []


async def test_a_slow_answer_is_still_an_answer(house: House) -> None:
    order = house.order(_AMOUNT_OF[Scenario.SLOW])

    assert (await house.bank.submit(order)).request_no == order.request_no
    assert (await house.ends(order.request_no)).status is PayoutStatus.SUCCEEDED


async def test_a_misfortune_ordered_once_strikes_once(house: House) -> None:
    await house.sandbox.steer.next_suffers("declined")

    with pytest.raises(BankDeclined):
        await house.bank.submit(house.order())
    assert (await house.pays(house.order())).status is PayoutStatus.SUCCEEDED


async def test_a_slow_rail_says_so_and_takes_its_time(tmp_path: Path) -> None:
    # The factor makes what usually takes 0.3 s take 30 s.
    async with running_sandbox(tmp_path, "--delay-factor", "100") as sandbox:
        house = await House.open(sandbox, "HOME")
        punctual, slow = house.order(rail=Rail.IBPS), house.order(rail=Rail.IBPS)
        await house.bank.submit(punctual)
        await sandbox.steer.set_rail_health(Rail.IBPS, "SLOW")
        notes = {known.rail: (known.healthy, known.note) for known in (await house.capabilities()).rails}
        await house.bank.submit(slow)
        await house.lets_pass(timedelta(minutes=1))
        statuses = [(await house.query(order.request_no)).status for order in (punctual, slow)]

    assert notes[Rail.IBPS] == (True, "slow")
    assert statuses == [PayoutStatus.SUCCEEDED, PayoutStatus.PROCESSING]


async def test_a_read_without_an_answer_may_simply_be_asked_again(house: House) -> None:
    for scenario in ("timeout_booked", "broken_answer"):
        await house.sandbox.steer.next_suffers(scenario, "read")
        with pytest.raises(BankUnreachable):
            await house.balance_fen()

    assert await house.balance_fen() == 1_000_000_000


async def test_a_bank_that_is_down_leaves_submitting_unknown_and_reading_unreachable(house: House) -> None:
    await house.sandbox.steer.set_bank_health("DOWN")
    try:
        with pytest.raises(OutcomeUnknown):
            await house.bank.submit(house.order())
        with pytest.raises(BankUnreachable):
            await house.balance_fen()
    finally:
        await house.sandbox.steer.reset()

    assert await house.lines() == []


async def test_a_slow_bank_still_answers(house: House) -> None:
    await house.sandbox.steer.set_bank_health("SLOW")
    try:
        assert await house.balance_fen() == OPENING_FEN
    finally:
        await house.sandbox.steer.reset()


async def test_a_slow_bank_answers_late_what_its_client_asks(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--slow-seconds", str(10 * PATIENCE_SECONDS)) as sandbox:
        house = await House.open(sandbox, "HOME")
        await sandbox.steer.set_bank_health("SLOW")
        reading = asyncio.create_task(house.balance_fen())
        for _ in range(10):  # what is steered is answered at once, so a quick bank would have answered by now
            await sandbox.steer.payouts()
        assert not reading.done()
        reading.cancel()


async def test_a_stuck_payout_succeeds_after_ten_minutes(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        order = house.order(_AMOUNT_OF[Scenario.STUCK])
        await house.bank.submit(order)

        await house.lets_pass(timedelta(minutes=9))
        stuck = await house.query(order.request_no)
        await house.lets_pass(timedelta(minutes=1))
        ended = await house.query(order.request_no)

    assert (stuck.status, ended.status) == (PayoutStatus.PROCESSING, PayoutStatus.SUCCEEDED)


async def test_a_returned_payout_comes_back_after_two_days_and_names_its_number_a_day_later(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        order = house.order(_AMOUNT_OF[Scenario.RETURNED])
        await house.pays(order)
        await house.lets_pass(timedelta(days=1, hours=23))
        before = [line.kind for line in await house.lines()]

        await house.lets_pass(timedelta(hours=2))
        came_back = (await house.lines())[-1]
        answer = await house.query(order.request_no)
        balance_fen = await house.balance_fen()
        await house.lets_pass(timedelta(days=1))
        day_after = (await house.lines())[-1]

    assert before == ["payout", "charge"]
    assert (came_back.kind, came_back.amount_fen, came_back.request_no) == ("return", order.amount_fen, "")
    assert came_back.counterparty_account_no == CARD
    assert day_after.request_no == order.request_no
    assert answer.status is PayoutStatus.SUCCEEDED
    assert balance_fen == 1_000_000_000 - 500, "the bank keeps its charge"
