"""Payouts on the six rails: paid, charged, refused by the bank's own rules, and never twice."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from escrow.domain.errors import BankDeclined, OutcomeUnknown
from escrow.domain.withdrawals.payouts import PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from tests.channels.conftest import TUESDAY_MORNING
from tests.channels.statements import CARD, CNAPS_ICBC, OPENING_FEN, House
from tests.sandbox import Sandbox


@pytest.fixture
async def house(shared_bank: Sandbox, house: House) -> House:
    """A house at a moment at which every rail is open."""
    return await House.open(shared_bank, f"{house.platform_no}-tuesday", start_at=TUESDAY_MORNING)


@pytest.mark.parametrize(
    ("rail", "amount_fen", "charge_fen"),
    [
        (Rail.IN_BANK, 300_000_000, 0),
        (Rail.UNIONPAY, 5_000_000, 200),
        (Rail.IBPS, 1_000_000, 500),
        (Rail.IBPS, 1_000_001, 1_000),
        (Rail.BEPS, 10_000_001, 1_500),
        (Rail.BEPS, 100_000_000, 2_000),
        (Rail.HVPS, 150_000_000, 3_000),
        (Rail.HVPS, 999_000_000, 19_980),
        (Rail.SHENZHEN_LOCAL, 5_000_000, 80),
    ],
)
async def test_a_rail_pays_and_the_bank_charges_its_tariff_after_it(
    house: House, rail: Rail, amount_fen: int, charge_fen: int
) -> None:
    order = house.order(amount_fen, rail)

    answer = await house.pays(order)

    payout, *charges = await house.lines()
    assert answer.status is PayoutStatus.SUCCEEDED
    assert (payout.kind, payout.amount_fen, payout.request_no) == ("payout", -amount_fen, order.request_no)
    assert payout.bank_serial_no == answer.bank_serial_no
    assert answer.booked_at == payout.booked_at
    assert [(line.kind, line.amount_fen, line.request_no) for line in charges] == (
        [("charge", -charge_fen, order.request_no)] if charge_fen else []
    )
    assert await house.balance_fen() == OPENING_FEN - amount_fen - charge_fen


async def test_a_payment_inside_the_bank_has_ended_when_it_is_answered(house: House) -> None:
    assert (await house.bank.submit(house.order(rail=Rail.IN_BANK))).status is PayoutStatus.SUCCEEDED


async def test_a_payment_to_another_bank_is_only_accepted_at_first(house: House) -> None:
    assert (await house.bank.submit(house.order(rail=Rail.BEPS))).status is PayoutStatus.PROCESSING


async def test_what_is_only_accepted_has_not_left_the_account(house: House) -> None:
    stuck = house.order(190_004, Rail.BEPS)
    assert (await house.bank.submit(stuck)).status is PayoutStatus.PROCESSING
    assert await house.balance_fen() == OPENING_FEN


@pytest.mark.parametrize(
    ("rail", "changes", "code"),
    [
        (Rail.UNIONPAY, {"amount_fen": 5_000_001}, "rail_cap_exceeded"),
        (Rail.IBPS, {"amount_fen": 100_000_001}, "rail_cap_exceeded"),
        (Rail.BEPS, {"amount_fen": 100_000_001}, "rail_cap_exceeded"),
        (Rail.SHENZHEN_LOCAL, {"amount_fen": 5_000_001}, "rail_cap_exceeded"),
        (Rail.UNIONPAY, {"is_corporate": True}, "payee_not_on_rail"),
        (Rail.UNIONPAY, {"account_no": "40000001234567"}, "payee_not_on_rail"),
        (Rail.IN_BANK, {"cnaps_code": CNAPS_ICBC}, "payee_not_on_rail"),
        (Rail.IN_BANK, {"cnaps_code": ""}, "payee_not_on_rail"),
        (Rail.SHENZHEN_LOCAL, {"cnaps_code": CNAPS_ICBC}, "payee_not_on_rail"),
        (Rail.HVPS, {"cnaps_code": ""}, "cnaps_code_invalid"),
        (Rail.HVPS, {"cnaps_code": "102100099997"}, "cnaps_code_invalid"),
        (Rail.IBPS, {"account_no": CARD[:-1] + "9"}, "account_no_invalid"),
        (Rail.IBPS, {"account_no": "12345678"}, "account_no_invalid"),
        (Rail.IBPS, {"account_no": "4000000123456A"}, "account_no_invalid"),
        (Rail.IBPS, {"account_name": " "}, "account_name_missing"),
        (Rail.HVPS, {"amount_fen": OPENING_FEN + 1}, "custody_funds_insufficient"),
        (Rail.HVPS, {"custody_account_no": "15009999999999"}, "custody_account_unknown"),
    ],
)
async def test_the_bank_refuses_what_breaks_its_rules_and_moves_nothing(
    house: House, rail: Rail, changes: dict[str, Any], code: str
) -> None:
    order = replace(house.order(rail=rail), **changes)

    with pytest.raises(BankDeclined) as declined:
        await house.bank.submit(order)

    assert declined.value.code == code
    assert order.account_no not in str(declined.value)
    assert await house.lines() == []


async def test_a_corporate_account_is_paid_over_ibps_without_a_check_digit(house: House) -> None:
    answer = await house.pays(house.order(account_no="40000001234567", is_corporate=True))

    assert answer.status is PayoutStatus.SUCCEEDED


async def test_a_refused_number_stays_refused_when_the_reason_is_gone(house: House) -> None:
    order = house.order(OPENING_FEN + 1, Rail.HVPS)
    with pytest.raises(BankDeclined):
        await house.bank.submit(order)
    await house.receives(OPENING_FEN)

    with pytest.raises(BankDeclined, match="custody_funds_insufficient"):
        await house.bank.submit(order)

    answer = await house.query(order.request_no)
    assert (answer.status, answer.reason) == (PayoutStatus.FAILED, "custody_funds_insufficient")


async def test_payouts_under_way_count_against_the_funds(house: House) -> None:
    await house.bank.submit(house.order(600_000_000, Rail.HVPS))

    with pytest.raises(BankDeclined, match="custody_funds_insufficient"):
        await house.bank.submit(house.order(600_000_000, Rail.HVPS))


async def test_a_repeated_number_is_answered_with_its_state_and_paid_once(house: House) -> None:
    order = house.order()
    ended = await house.pays(order)

    assert await house.bank.submit(order) == ended
    assert [line.kind for line in await house.lines()] == ["payout", "charge"]


async def test_a_number_sent_ten_times_at_once_is_paid_once(house: House) -> None:
    order = house.order(rail=Rail.IN_BANK)

    answers = await asyncio.gather(*(house.bank.submit(order) for _ in range(10)))

    assert {answer.bank_serial_no for answer in answers} == {line.bank_serial_no for line in await house.lines()}
    assert await house.balance_fen() == OPENING_FEN - order.amount_fen


@pytest.mark.parametrize(
    "changes",
    [{"amount_fen": 100_001}, {"account_no": "40000001234567"}, {"rail": Rail.BEPS}, {"account_name": "别人"}],
)
async def test_a_number_used_for_something_else_leaves_the_outcome_to_a_query(
    house: House, changes: dict[str, Any]
) -> None:
    order = house.order()
    await house.pays(order)

    with pytest.raises(OutcomeUnknown, match="request_no_reused"):
        await house.bank.submit(replace(order, **changes))

    assert [line.amount_fen for line in await house.lines()] == [-100_000, -500]


async def test_a_rail_that_is_down_refuses_at_once_and_says_so(house: House) -> None:
    await house.sandbox.steer.set_rail_health(Rail.BEPS, "DOWN")
    try:
        healthy = {rail.rail: rail.healthy for rail in (await house.capabilities()).rails}
        with pytest.raises(BankDeclined, match="rail_unavailable"):
            await house.bank.submit(house.order(rail=Rail.BEPS))
    finally:
        await house.sandbox.steer.reset()

    assert [rail for rail, well in healthy.items() if not well] == [Rail.BEPS]
    assert (await house.pays(house.order(rail=Rail.BEPS))).status is PayoutStatus.SUCCEEDED


async def test_the_bank_tells_its_rails_with_caps_and_its_own_code(house: House) -> None:
    capabilities = await house.capabilities()

    assert capabilities.custody_bank_code == "307"
    assert {rail.rail: rail.cap_fen for rail in capabilities.rails} == {
        Rail.IN_BANK: None,
        Rail.UNIONPAY: 5_000_000,
        Rail.IBPS: 100_000_000,
        Rail.HVPS: None,
        Rail.BEPS: 100_000_000,
        Rail.SHENZHEN_LOCAL: 5_000_000,
    }
    assert all(rail.open_now and rail.healthy for rail in capabilities.rails)


async def test_accounts_of_two_platforms_do_not_mix(house: House) -> None:
    other = await House.open(house.sandbox, f"{house.platform_no}-other")
    await house.pays(house.order())

    assert await other.lines() == []
    assert await other.balance_fen() == OPENING_FEN


async def test_opening_an_account_again_gives_the_same_account(house: House) -> None:
    again = await house.sandbox.steer.open_custody_account(reference=house.platform_no, title="whatever")

    assert again == house.account_no
