"""Choosing a rail: each wins somewhere, none is taken that may not be, and each is told why."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.contrib.pydantic import pydantic_data_converter

from escrow.channels.protocols import RailCapability
from escrow.domain.platforms.config import RoutingObjective
from escrow.domain.time.calendars import SHANGHAI, WorkingCalendar
from escrow.domain.withdrawals.rails import Need, Rail, RailRule, rail_rules_on
from escrow.domain.withdrawals.routing import (
    BALANCED_DELAY_SECONDS,
    PayoutAccount,
    RouteDecision,
    RouteReason,
    account_facts,
    choose_route,
    explain,
)
from escrow.domain.withdrawals.tariff import Tariff, tariff_on

CHEAPEST, FASTEST, BALANCED = RoutingObjective.CHEAPEST, RoutingObjective.FASTEST, RoutingObjective.BALANCED
RULES = rail_rules_on(date(2026, 1, 1))
TARIFF = tariff_on(date(2026, 1, 1))
TUESDAY_NOON = datetime(2026, 6, 9, 12, 0, tzinfo=SHANGHAI)
SATURDAY_NOON = datetime(2026, 6, 6, 12, 0, tzinfo=SHANGHAI)
CARD = "6216261000000000018"


def capability(
    rail: Rail, cap_fen: int | None = None, *, open_now: bool = True, healthy: bool = True
) -> RailCapability:
    return RailCapability(rail=rail, cap_fen=cap_fen, open_now=open_now, healthy=healthy)


ALL_WELL = tuple(capability(rail) for rail in Rail)


def account(*, account_no: str = CARD, is_corporate: bool = False, cnaps_code: str = "102100099996") -> PayoutAccount:
    return account_facts(
        account_no=account_no, is_corporate=is_corporate, cnaps_code=cnaps_code, custody_bank_code="307"
    )


CARD_ACCOUNT = account()
COMPANY = account(account_no="020000010920012345", is_corporate=True)
COMPANY_OF_A_CITY_BANK = account(account_no="020000010920012345", is_corporate=True, cnaps_code="313100000013")
SHENZHEN_COMPANY = account(account_no="020000010920012345", is_corporate=True, cnaps_code="308584000013")
AT_CUSTODY_BANK = account(account_no="020000010920012345", is_corporate=True, cnaps_code="307584007998")


def route(
    payee: PayoutAccount,
    amount_fen: int,
    *,
    objective: RoutingObjective = CHEAPEST,
    now: datetime = TUESDAY_NOON,
    capabilities: Sequence[RailCapability] | None = ALL_WELL,
    excluded: Collection[Rail] = (),
) -> RouteDecision:
    return choose_route(
        rules=RULES,
        calendar=WorkingCalendar(),
        tariff=TARIFF,
        amount_fen=amount_fen,
        account=payee,
        capabilities=capabilities,
        objective=objective,
        now=now,
        excluded=excluded,
    )


def reason(decision: RouteDecision, rail: Rail) -> RouteReason:
    return next(item.reason for item in decision.candidates if item.rail is rail)


@pytest.mark.parametrize(
    ("rail", "payee", "amount_fen", "now"),
    [
        (Rail.IN_BANK, AT_CUSTODY_BANK, 10**12, SATURDAY_NOON),
        (Rail.UNIONPAY, CARD_ACCOUNT, 5_000_000, TUESDAY_NOON),
        (Rail.IBPS, COMPANY, 100_000_000, TUESDAY_NOON),
        (Rail.HVPS, COMPANY, 100_000_001, TUESDAY_NOON),
        (Rail.BEPS, COMPANY_OF_A_CITY_BANK, 100_000_000, SATURDAY_NOON),
        (Rail.SHENZHEN_LOCAL, SHENZHEN_COMPANY, 5_000_000, TUESDAY_NOON),
    ],
)
def test_each_rail_wins_where_it_should(rail: Rail, payee: PayoutAccount, amount_fen: int, now: datetime) -> None:
    for objective in (CHEAPEST, BALANCED):
        decision = route(payee, amount_fen, now=now, objective=objective)
        assert decision.chosen is rail
        assert reason(decision, rail) is RouteReason.CHOSEN
        assert decision.opens_at is None


def test_the_objective_decides_between_charge_and_speed() -> None:
    assert route(SHENZHEN_COMPANY, 1_000_000, objective=CHEAPEST).chosen is Rail.SHENZHEN_LOCAL
    fastest = route(SHENZHEN_COMPANY, 1_000_000, objective=FASTEST)
    assert fastest.chosen is Rail.IBPS
    assert reason(fastest, Rail.SHENZHEN_LOCAL) is RouteReason.SLOWER
    cheapest = route(CARD_ACCOUNT, 1_000_000)
    assert reason(cheapest, Rail.IBPS) is RouteReason.DEARER
    assert reason(route(COMPANY, 1_000_000), Rail.HVPS) is RouteReason.SLOWER


def test_balanced_does_not_wait_two_hours_for_a_smaller_charge() -> None:
    tariff = tariff_on(date(2026, 1, 1))
    cheap_batches = Tariff(
        valid_from=tariff.valid_from,
        source="a bank that gives batches away",
        flat_fen={**tariff.flat_fen, Rail.BEPS: 0},
        steps=tariff.steps,
        above_parts_per_million=tariff.above_parts_per_million,
        above_at_most_fen=tariff.above_at_most_fen,
    )
    chosen = {
        objective: choose_route(
            rules=RULES, calendar=WorkingCalendar(), tariff=cheap_batches, amount_fen=1_000_000, account=COMPANY,
            capabilities=None, objective=objective, now=TUESDAY_NOON,
        ).chosen
        for objective in RoutingObjective
    }  # fmt: skip
    assert chosen == {CHEAPEST: Rail.BEPS, FASTEST: Rail.IBPS, BALANCED: Rail.IBPS}


def test_a_large_payout_on_friday_evening_is_told_when_it_can_go() -> None:
    friday_evening = datetime(2026, 6, 5, 20, 30, tzinfo=SHANGHAI)
    decision = route(COMPANY, 100_000_001, now=friday_evening)
    assert decision.chosen is None
    assert decision.opens_at == datetime(2026, 6, 7, 20, 30, tzinfo=SHANGHAI)
    assert reason(decision, Rail.HVPS) is RouteReason.CLOSED
    assert explain(decision) == [
        "1,000,000.01 yuan cannot go now; to be tried again from 2026-06-07 20:30:00 (Asia/Shanghai).",
        "in_bank: the account is not at the custody bank.",
        "unionpay: it does not pay to corporate accounts.",
        "ibps: it takes at most 1,000,000.00 yuan a payment.",
        "hvps: closed until 2026-06-07 20:30:00.",
        "beps: it takes at most 1,000,000.00 yuan a payment.",
        "shenzhen_local: the account's CNAPS code is not of city 5840.",
    ]


def test_every_reason_against_a_rail_is_given() -> None:
    bare = account(account_no="12345678901234567", cnaps_code="")
    decision = route(bare, 1_000_000)
    assert [item.reason for item in decision.candidates] == [
        RouteReason.NOT_CUSTODY_BANK,
        RouteReason.NO_CARD,
        RouteReason.NO_IBPS_NUMBER,
        RouteReason.NO_CNAPS,
        RouteReason.NO_CNAPS,
        RouteReason.NO_CNAPS,
    ]
    assert (decision.chosen, decision.opens_at) == (None, None)
    assert explain(decision)[0] == "10,000.00 yuan cannot go to this account by any rail."
    assert reason(route(CARD_ACCOUNT, 1, excluded={Rail.UNIONPAY}), Rail.UNIONPAY) is RouteReason.ALREADY_FAILED
    assert reason(route(CARD_ACCOUNT, 1, capabilities=ALL_WELL[:1]), Rail.IBPS) is RouteReason.UNSUPPORTED


def test_after_a_definite_failure_the_next_best_rail_is_taken() -> None:
    taken: list[Rail] = []
    while (chosen := route(CARD_ACCOUNT, 1_000_000, excluded=taken).chosen) is not None:
        taken.append(chosen)
    assert taken == [Rail.UNIONPAY, Rail.IBPS, Rail.HVPS, Rail.BEPS]
    assert route(CARD_ACCOUNT, 1_000_000, excluded=taken).opens_at is None


def test_the_banks_own_cap_hours_and_health_are_obeyed() -> None:
    def with_unionpay(state: RailCapability) -> RouteDecision:
        others = (capability(Rail.IN_BANK), capability(Rail.SHENZHEN_LOCAL))
        return route(CARD_ACCOUNT, 1_000_000, capabilities=(state, *others))

    capped = with_unionpay(capability(Rail.UNIONPAY, 999_999))
    assert reason(capped, Rail.UNIONPAY) is RouteReason.OVER_CAP
    assert capped.opens_at is None
    for state, expected in (
        (capability(Rail.UNIONPAY, open_now=False), RouteReason.CLOSED),
        (capability(Rail.UNIONPAY, healthy=False), RouteReason.UNHEALTHY),
    ):
        decision = with_unionpay(state)
        assert decision.chosen is None
        assert reason(decision, Rail.UNIONPAY) is expected
        assert decision.opens_at == TUESDAY_NOON + timedelta(minutes=5)


def test_in_a_year_that_nobody_knows_only_rails_without_working_days_are_taken() -> None:
    in_2030 = datetime(2030, 6, 5, 12, 0, tzinfo=SHANGHAI)
    assert route(COMPANY, 1_000_000, now=in_2030).chosen is Rail.IBPS
    stuck = route(COMPANY, 100_000_001, now=in_2030)
    assert reason(stuck, Rail.HVPS) is RouteReason.CALENDAR_UNKNOWN
    assert (stuck.chosen, stuck.opens_at) == (None, None)
    assert "2030" in explain(stuck)[4]


def test_the_facts_of_an_account_follow_from_its_numbers() -> None:
    assert AT_CUSTODY_BANK.at_custody_bank
    assert not COMPANY.at_custody_bank
    assert CARD_ACCOUNT.has_unionpay_card
    assert not COMPANY.has_unionpay_card
    assert COMPANY.ibps_participant
    assert not COMPANY_OF_A_CITY_BANK.ibps_participant
    unnamed = account_facts(account_no=CARD, is_corporate=False, cnaps_code="", custody_bank_code="")
    assert not unnamed.at_custody_bank
    mistyped = account(cnaps_code="307584007999")
    assert not mistyped.at_custody_bank
    assert reason(route(mistyped, 1), Rail.HVPS) is RouteReason.NO_CNAPS


ACCOUNTS = st.builds(
    PayoutAccount,
    is_corporate=st.booleans(),
    at_custody_bank=st.booleans(),
    has_unionpay_card=st.booleans(),
    cnaps_code=st.sampled_from(["", "102100099996", "307584007998", "308584000013", "308584000014"]),
    ibps_participant=st.booleans(),
)
STATES = st.lists(
    st.builds(
        RailCapability,
        rail=st.sampled_from(Rail),
        cap_fen=st.none() | st.integers(1, 10**10),
        open_now=st.booleans(),
        healthy=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda state: state.rail,
)
AMOUNTS = st.integers(1, 2 * 10**8) | st.integers(1, 2**63 - 1)
TIMES = st.integers(0, 4 * 365 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
OBJECTIVES = st.sampled_from(RoutingObjective)


@given(payee=ACCOUNTS, states=STATES | st.none(), amount_fen=AMOUNTS, now=TIMES, objective=OBJECTIVES, data=st.data())
def test_no_rail_is_taken_that_may_not_be_and_the_best_of_the_rest_is(
    payee: PayoutAccount,
    states: list[RailCapability] | None,
    amount_fen: int,
    now: datetime,
    objective: RoutingObjective,
    data: st.DataObject,
) -> None:
    excluded = data.draw(st.sets(st.sampled_from(Rail), max_size=3))
    decision = route(payee, amount_fen, objective=objective, now=now, capabilities=states, excluded=excluded)
    assert [item.rail for item in decision.candidates] == list(Rail)
    assert all(item.sentence for item in decision.candidates)
    eligible = [item for item in decision.candidates if item.eligible]
    for item in eligible:
        rule = next(rule for rule in RULES if rule.rail is item.rail)
        assert item.rail not in excluded
        assert rule.cap_fen is None or amount_fen <= rule.cap_fen
        assert rule.accepts_corporate if payee.is_corporate else rule.accepts_personal
        assert payee.at_custody_bank or Need.CUSTODY_BANK not in rule.needs
        assert payee.has_unionpay_card or Need.UNIONPAY_CARD not in rule.needs
        assert payee.ibps_participant or Need.IBPS_NUMBER not in rule.needs
        assert payee.cnaps_code not in ("", "308584000014") or Need.CNAPS_CODE not in rule.needs
        if states is not None:
            state = next(state for state in states if state.rail is item.rail)
            assert state.open_now
            assert state.healthy
            assert state.cap_fen is None or amount_fen <= state.cap_fen
    if decision.chosen is None:
        assert not eligible
        return
    winner = next(item for item in eligible if item.rail is decision.chosen)
    assert winner.arrives_at is not None
    arrivals = [item.arrives_at for item in eligible if item.arrives_at is not None]
    if objective is CHEAPEST:
        assert winner.fee_fen == min(item.fee_fen for item in eligible)
    if objective is FASTEST:
        assert winner.arrives_at == min(arrivals)
    if objective is BALANCED:
        limit = min(arrivals) + timedelta(seconds=BALANCED_DELAY_SECONDS)
        assert winner.arrives_at <= limit
        assert winner.fee_fen == min(item.fee_fen for item in eligible if item.arrives_at and item.arrives_at <= limit)


@given(payee=ACCOUNTS, amount_fen=AMOUNTS, now=TIMES)
def test_when_it_is_told_to_open_something_really_opens(payee: PayoutAccount, amount_fen: int, now: datetime) -> None:
    decision = route(payee, amount_fen, now=now, capabilities=None)
    if decision.chosen is None and decision.opens_at is not None:
        assert route(payee, amount_fen, now=decision.opens_at, capabilities=None).chosen is not None
        just_before = decision.opens_at - timedelta(seconds=1)
        if just_before > now:
            assert route(payee, amount_fen, now=just_before, capabilities=None).chosen is None


async def test_a_decision_and_its_inputs_survive_temporals_converter() -> None:
    values = [route(COMPANY, 100_000_001), RULES, TARIFF, COMPANY, WorkingCalendar(overrides={date(2030, 1, 2): True})]
    types: list[Any] = [RouteDecision, tuple[RailRule, ...], Tariff, PayoutAccount, WorkingCalendar]
    payloads = await pydantic_data_converter.encode(values)
    assert await pydantic_data_converter.decode(payloads, types) == values


def test_a_naive_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="timezone-aware"):
        route(COMPANY, 1, now=TUESDAY_NOON.replace(tzinfo=None))
