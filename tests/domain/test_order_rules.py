"""What an order decides, rule by rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from escrow.domain.decisions import MemberFact, NotDue, Spendable
from escrow.domain.errors import Refused
from escrow.domain.orders.commands import DeadlinePassed, OwnerReminded, PaidDirectly
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.state import REMINDER_MAY_TAKE, Reminder
from escrow.domain.orders.states import OrderCommand, OrderStatus
from escrow.domain.platforms.config import PlatformConfig
from tests.domain.order_stories import (
    ACCEPTANCE,
    CONFIG,
    CONTRACTOR,
    CONTRACTS,
    DAY,
    ORDER_NO,
    OWNER,
    Story,
    payment,
    said,
    words_of_parties,
)

_TICK, _HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS.keys())
def test_an_order_that_has_ended_has_let_everything_go_once(contract: OrderContract) -> None:
    ends = settled(contract)
    assert ends.order.state.status is OrderStatus.SETTLED
    assert ends.gross_fen == contract.total_fen
    assert {f"order/D-1/M{line.number}/released" for line in contract.milestones} < ends.claims
    for command in words_of_parties(contract):
        with pytest.raises(Refused):
            ends.take(command.model_copy(update={"request_no": "late"}), at=ends.at + _HOUR)


def settled(contract: OrderContract) -> Story:
    """Paid, started, every stage accepted, and the warranty over."""
    story = started(contract)
    for line in contract.of_kind(ACCEPTANCE):
        story = story.take(said(OrderCommand.COMPLETE, CONTRACTOR, line.number), at=story.at + _HOUR)
        story = story.take(said(OrderCommand.ACCEPT, OWNER, line.number), at=story.at + _HOUR)
    if "warranty" in story.clocks:
        story = story.take(DeadlinePassed(deadline="warranty"), at=story.clocks["warranty"])
    return story


def started(contract: OrderContract) -> Story:
    story = Story.signed(contract)
    story = story.take(said(OrderCommand.PAY, OWNER), at=story.at + _HOUR)
    return story.take(said(OrderCommand.START, CONTRACTOR), at=story.at + _HOUR)


def inspected(contract: OrderContract) -> Story:
    story = started(contract)
    number = contract.of_kind(ACCEPTANCE)[0].number
    return story.take(said(OrderCommand.COMPLETE, CONTRACTOR, number), at=story.at + _HOUR)


_ONE, _PEOPLE = CONTRACTS["one stage, all of it commission"], CONTRACTS["as people sign it"]


def test_a_word_without_its_consent_is_refused() -> None:
    for story, command in (
        (Story.signed(_ONE), said(OrderCommand.PAY, OWNER)),
        (Story.signed(_ONE), said(OrderCommand.CANCEL, CONTRACTOR)),
        (inspected(_ONE), said(OrderCommand.ACCEPT, OWNER, 1)),
        (inspected(_ONE), said(OrderCommand.CANCEL, OWNER)),
    ):
        facts = replace(story.facts(command, at=story.at), consent=None)
        with pytest.raises(Refused) as refused:
            story.order.decide(command, at=story.at + _HOUR, facts=facts)
        assert refused.value.code == "basis_missing"


def test_silence_waits_for_a_word_that_was_said_in_time() -> None:
    story = inspected(_ONE)
    story = story.take(OwnerReminded(milestone=1, round=1), at=story.clocks["M1:reminder:1"])
    due_at = story.clocks["M1:inspection:1"]
    silence = DeadlinePassed(deadline="M1:inspection:1")
    for recorded_at, waits in ((due_at - _HOUR, True), (due_at, True), (due_at + _TICK, False)):
        word = story.consent_to(said(OrderCommand.RECTIFY, OWNER, 1), recorded_at)
        facts = story.facts(silence, at=due_at + _HOUR, asked=[word])
        if not waits:
            after, decision = story.order.decide(silence, at=due_at + _HOUR, facts=facts)
            assert after.state.status is OrderStatus.SETTLED
            assert decision.entry is not None
            continue
        with pytest.raises(NotDue) as early:
            story.order.decide(silence, at=due_at + _HOUR, facts=facts)
        assert early.value.remaining == timedelta(0)


def test_a_late_reminder_leaves_the_owner_the_time_of_one_in_time() -> None:
    story = inspected(_PEOPLE)
    late = story.clocks["M2:inspection:1"] + timedelta(days=3)
    story = story.take(OwnerReminded(milestone=2, round=1), at=late)
    assert story.clocks["M2:inspection:1"] == late + timedelta(hours=24)


def test_a_text_that_took_its_usual_minutes_moves_no_deadline() -> None:
    story = inspected(_PEOPLE)
    due_at, told_at = story.clocks["M2:inspection:1"], story.clocks["M2:reminder:1"] + REMINDER_MAY_TAKE
    story = story.take(OwnerReminded(milestone=2, round=1), at=told_at)
    assert story.clocks["M2:inspection:1"] == due_at


def test_who_repeats_a_late_reminder_says_the_same_until_another_quarter_has_begun() -> None:
    story = inspected(_PEOPLE)
    due_at, counts_at = story.clocks["M2:reminder:1"], story.clocks["M2:inspection:1"]
    for late, quarters in (
        (timedelta(0), 0),
        (REMINDER_MAY_TAKE, 0),
        (REMINDER_MAY_TAKE + _TICK, 2),
        (2 * REMINDER_MAY_TAKE, 2),
        (2 * REMINDER_MAY_TAKE + _TICK, 3),
        (timedelta(days=3, minutes=1), 3 * 96 + 1),
    ):
        reminder = story.order.reminder(OwnerReminded(milestone=2, round=1), at=due_at + late)
        assert reminder == Reminder(
            name=f"M2:reminder:1:{quarters}" if quarters else "M2:reminder:1",
            due_at=due_at,
            counts_at=counts_at + quarters * timedelta(minutes=15),
        )


def test_a_pause_leaves_what_was_left_when_the_owner_spoke_and_never_more_than_the_round_had() -> None:
    story = inspected(_ONE)
    since, period = story.at, _ONE.periods.inspection_period
    for spoken_at, left in (
        (since + timedelta(days=2), period - timedelta(days=2)),
        (since + timedelta(days=9), timedelta(0)),
        (since - timedelta(days=5), period),
    ):
        word = said(OrderCommand.RECTIFY, OWNER, 1)
        paused = story.take(word, at=since + timedelta(days=9), recorded_at=spoken_at)
        assert paused.order.state.milestone(1).inspection_left == left
        again = paused.take(said(OrderCommand.COMPLETE, CONTRACTOR, 1, "again"), at=paused.at + _HOUR)
        assert again.clocks["M1:inspection:2"] == again.at + left


def test_after_the_start_the_order_ends_when_the_other_side_agrees_in_time() -> None:
    story = inspected(_PEOPLE)
    held_fen = story.escrow_fen
    wish = said(OrderCommand.CANCEL, CONTRACTOR)
    story = story.take(wish, at=story.at + _HOUR)
    assert story.escrow_fen == held_fen
    repeated = story.take(said(OrderCommand.CANCEL, CONTRACTOR, number="again"), at=story.at + _HOUR)
    assert repeated.order.state.proposal == story.order.state.proposal
    lapses_at = story.at + _PEOPLE.periods.cancel_proposal_validity
    agreed = said(OrderCommand.CANCEL, OWNER)
    in_time = story.take(agreed, at=lapses_at + _HOUR, recorded_at=lapses_at - _TICK)
    assert (in_time.order.state.status, in_time.order.state.refunded_fen) == (OrderStatus.CANCELLED, held_fen)
    too_late = story.take(agreed, at=lapses_at + _HOUR)
    assert too_late.order.state.proposal is not None
    assert (too_late.order.state.proposal.by, too_late.escrow_fen) == (OWNER, held_fen)


def test_an_overdue_stage_is_shown_to_an_operator_until_the_next_step() -> None:
    story = started(_PEOPLE)
    late = story.take(DeadlinePassed(deadline="M2:work:0"), at=story.clocks["M2:work:0"])
    assert (late.clocks, bool(late.order.state.attention)) == ({}, True)
    assert late.order.state.status is OrderStatus.IN_PROGRESS
    done = late.take(said(OrderCommand.COMPLETE, CONTRACTOR, 2), at=late.at + _HOUR)
    assert done.order.state.attention is None


def test_what_pays_an_order_is_drawn_from_pending_money_first_and_goes_back_there() -> None:
    story = Story.signed(_ONE)
    paid = story.take(said(OrderCommand.PAY, OWNER), at=story.at + _HOUR)
    assert [(leg.source, leg.amount_fen) for leg in paid.order.state.funding] == [
        (f"pending:{DAY}", 500),
        ("withdrawable", _ONE.total_fen - 500),
    ]
    cancelled = paid.take(said(OrderCommand.CANCEL, OWNER), at=paid.at + _HOUR)
    assert all(leg.refunded_fen == leg.amount_fen for leg in cancelled.order.state.funding)


def test_an_order_is_paid_in_full_or_not_at_all() -> None:
    story, pay = Story.signed(_ONE), said(OrderCommand.PAY, OWNER)
    facts = story.facts(pay, at=story.at)
    poor = replace(facts, spendable=Spendable(withdrawable_fen=_ONE.total_fen - 1, pending_fen_by_day={}))
    with pytest.raises(Refused) as refused:
        story.order.decide(pay, at=story.at, facts=poor)
    assert (refused.value.code, refused.value.details["missing_fen"]) == ("insufficient_balance", 1)


@pytest.mark.parametrize("closing", [OWNER, CONTRACTOR])
def test_who_is_closing_neither_pays_nor_is_paid(closing: str) -> None:
    story = Story.signed(_ONE)
    for command in (said(OrderCommand.PAY, OWNER), PaidDirectly(payment=payment(_ONE))):
        facts = story.facts(command, at=story.at)
        members = {**facts.members, closing: MemberFact(status="closing", version=4)}
        with pytest.raises(Refused) as refused:
            story.order.decide(command, at=story.at, facts=replace(facts, members=members))
        assert refused.value.code == "member_state"
        del members[closing]
        with pytest.raises(Refused) as refused:
            story.order.decide(command, at=story.at, facts=replace(facts, members=members))
        assert refused.value.code == "member_unknown"


def test_paying_stands_on_the_members_that_were_read_and_counts_for_the_day_in_shanghai() -> None:
    limits = CONFIG.limits.model_copy(update={"payments_per_day_fen": 5_000})
    limited: PlatformConfig = CONFIG.model_copy(update={"limits": limits})
    story, pay = Story.signed(_ONE), said(OrderCommand.PAY, OWNER)
    evening = datetime(2026, 3, 2, 16, 30, tzinfo=UTC)
    facts = replace(story.facts(pay, at=evening), config=limited)
    _, decision = story.order.decide(pay, at=evening, facts=facts)
    assert {(item.kind, item.object_no, item.version) for item in decision.has_read} == {
        ("member", OWNER, 3),
        ("member", CONTRACTOR, 3),
    }
    (use,) = decision.counters
    assert (use.name, use.add_fen, use.maximum_fen) == ("order/O-1/2026-03-03", _ONE.total_fen, 5_000)


def test_what_a_channel_took_above_the_price_waits_in_suspense_and_what_it_took_goes_back_through_it() -> None:
    story = Story.signed(_PEOPLE)
    more = PaidDirectly(payment=payment(_PEOPLE, paid_fen=_PEOPLE.total_fen + 5))
    _, decision = story.order.decide(more, at=story.at, facts=story.facts(more, at=story.at))
    (credit,) = decision.follows
    assert (credit.kind, credit.object_no, credit.body["amount_fen"]) == ("bank_credit", "P-1", 5)
    paid = story.take(more, at=story.at + _HOUR)
    cancel = said(OrderCommand.CANCEL, CONTRACTOR)
    _, decision = paid.order.decide(cancel, at=paid.at, facts=paid.facts(cancel, at=paid.at))
    (refund,) = decision.follows
    assert (refund.kind, refund.object_no, refund.body["amount_fen"]) == ("refund", ORDER_NO, _PEOPLE.total_fen)


def test_a_release_is_withdrawn_by_itself_where_the_contract_says_so_and_the_fee_leaves_something() -> None:
    follows = {}
    for name, contract in CONTRACTS.items():
        story = Story.signed(contract).take(said(OrderCommand.PAY, OWNER), at=Story.signed(contract).at + _HOUR)
        start = said(OrderCommand.START, CONTRACTOR)
        _, decision = story.order.decide(start, at=story.at, facts=story.facts(start, at=story.at))
        follows[name] = [(change.object_no, change.body["principal_fen"]) for change in decision.follows]
    net_fen = 1_008 - 33
    assert follows.pop("as people sign it") == [("D-1:M1:withdrawal:1", net_fen)]
    assert not any(follows.values())  # one contract's fee is more than its deposit brings
