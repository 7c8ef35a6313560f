"""What an order decides, in every state that it can come to, on every command, before, at and after every deadline."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from escrow.domain.decisions import NotDue
from escrow.domain.errors import Refused
from escrow.domain.orders.commands import (
    CallOperator,
    DeadlinePassed,
    Open,
    OperatorCame,
    OwnerReminded,
    PaidDirectly,
    PartyCommand,
)
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.state import MilestoneState, OrderState
from escrow.domain.orders.states import MilestoneStatus, OrderStatus
from tests.domain.order_stories import (
    CONTRACTS,
    ORDER_NO,
    WARRANTY,
    Command,
    Story,
    payment,
    words_of_parties,
)

_TICK, _HOUR = timedelta(seconds=1), timedelta(hours=1)
#: A round more is like the one before it.
_MOST_ROUNDS = 2
_OVER = (MilestoneStatus.RELEASED, MilestoneStatus.REFUNDED)


def words_of_time(contract: OrderContract) -> Iterator[Command]:
    """Every name that a deadline can have, and some that none has."""
    for name in ("payment", "start", "warranty", "", "M1", "M9:work:0", "payment:1", "M1:release:1", "Mx:inspection:1"):
        yield DeadlinePassed(deadline=name)
    for milestone in range(1, len(contract.milestones) + 1):
        for what in ("work", "inspection", "reminder"):
            for round_no in range(_MOST_ROUNDS + 1):
                yield DeadlinePassed(deadline=f"M{milestone}:{what}:{round_no}")


def words_of_others(contract: OrderContract, version: int) -> Iterator[Command]:
    """What activities bring."""
    for milestone in range(-1, len(contract.milestones) + 2):
        for round_no in range(_MOST_ROUNDS + 1):
            yield OwnerReminded(milestone=milestone, round=round_no)
    yield PaidDirectly(payment=payment(contract))
    yield PaidDirectly(payment=payment(contract, paid_fen=contract.total_fen + 5))
    yield PaidDirectly(payment=payment(contract, paid_fen=contract.total_fen - 1))
    yield PaidDirectly(payment=payment(contract, collection="D-2:pay:1"))
    yield CallOperator(reason="look", seen_version=version)
    yield OperatorCame(seen_version=version)
    yield Open(order_no=ORDER_NO)


def is_allowed(story: Story, command: Command, at: datetime) -> bool | None:
    """Whether it must be carried out, by the table and the clocks; None where other rules have a say."""
    match command:
        case CallOperator():
            return True
        case OperatorCame():
            return story.order.state.attention is not None
        case Open():
            return False
        case OwnerReminded():
            reminder = f"M{command.milestone}:reminder:{command.round}"
            return reminder in story.clocks and story.clocks[reminder] <= at
        case PaidDirectly():
            fits = command.payment.paid_fen >= story.contract.total_fen and command.payment.pay_in_no.startswith("D-1:")
            return story.order.state.status is OrderStatus.AWAITING_PAYMENT and fits
        case DeadlinePassed():
            passed = command.deadline in story.clocks and story.clocks[command.deadline] <= at
            what, is_silence = command.deadline, ":inspection:" in command.deadline
            reminded = what.replace("inspection", "reminder") not in story.clocks
            return passed and ":reminder:" not in what and (reminded or not is_silence)
        case _:
            return story.is_in_the_table(command)


def moments(story: Story) -> Iterator[datetime]:
    """Soon, and just before, at and just after every deadline and the end of a proposal."""
    yield story.at + _HOUR
    proposal = story.order.state.proposal
    ends = {*story.clocks.values()} | ({proposal.lapses_at} if proposal is not None else set())
    for end in sorted(ends):
        yield from (moment for moment in (end - _TICK, end, end + _TICK) if moment > story.at)


def what_is(left: timedelta | None) -> str:
    """Whether the owner has all of the inspection before him, some of it, or nothing."""
    return "all" if left is None else "some" if left else "nothing"


#: Fields by which `kind_of` tells states of an order and of a milestone apart, and those that tell nothing more.
_TOLD_APART = (
    {"status", "milestones", "step_due_at", "direct", "proposal"},
    {"status", "round", "reminded_at", "inspection_left"},
)
_TELLING_NOTHING = (
    {"funding", "batch_no", "paid_fen", "released_fen", "commission_fen", "refunded_fen", "attention"}
    | {"cancelled_because"},
    {"number", "name", "kind", "amount_fen", "inspection_due_at", "inspected_for", "accepted_by", "commission_fen"},
)


def kind_of(story: Story) -> tuple[object, ...]:
    """What tells states apart, whenever they are reached."""
    state = story.order.state
    proposal = state.proposal
    return (
        state.status,
        tuple(
            (m.status,) if m.status in _OVER else (m.status, m.round, m.reminded_at is None, what_is(m.inspection_left))
            for m in state.milestones
        ),
        state.step_due_at is not None,
        state.direct is not None,
        None if proposal is None else (proposal.by, proposal.lapses_at <= story.at),
    )


def reachable(contract: OrderContract) -> Iterator[tuple[Story, datetime, Command, Story | None]]:
    """Every state that the order comes to, with every command soon, and what it accepts at every other moment too."""
    waiting, known = deque([Story.signed(contract)]), set()
    timeless = (*words_of_parties(contract), *words_of_time(contract))
    while waiting:
        story = waiting.popleft()
        if kind_of(story) in known or any(m.round > _MOST_ROUNDS for m in story.order.state.milestones):
            continue
        known.add(kind_of(story))
        soon, *later = moments(story)
        every = [*timeless, *words_of_others(contract, story.order.version)]
        some = [item for item in every if is_allowed(story, item, soon) or is_named(story, item)]
        for at, command in [(soon, item) for item in every] + [(at, item) for at in later for item in some]:
            after = outcome(story, fresh(command, story), at)
            yield story, at, command, after
            if after is not None:
                waiting.append(after)


def is_named(story: Story, command: Command) -> bool:
    """Whether it is about a deadline that runs."""
    return isinstance(command, DeadlinePassed) and command.deadline in story.clocks


def fresh(command: Command, story: Story) -> Command:
    """The command under a number that this order has not heard."""
    if not isinstance(command, PartyCommand):
        return command
    return command.model_copy(update={"request_no": f"{command.request_no}/{story.order.version}"})


def outcome(story: Story, command: Command, at: datetime) -> Story | None:
    """The story after a command, None where it is refused or not due."""
    try:
        return story.take(command, at=at)
    except NotDue as told:
        early = told
    except Refused as refusal:
        if refusal.code not in _REFUSALS[type(command)]:
            raise
        return None
    assert isinstance(command, (DeadlinePassed, OwnerReminded))
    passes = (
        command.deadline if isinstance(command, DeadlinePassed) else f"M{command.milestone}:reminder:{command.round}"
    )
    assert early.remaining == max(story.clocks[passes] - at, timedelta(0))
    return None


_REFUSALS = {
    PartyCommand: {"order_state", "not_the_party", "milestone_unknown"},
    DeadlinePassed: {"order_state"},
    OwnerReminded: {"order_state"},
    PaidDirectly: {"order_state", "payment_differs"},
    CallOperator: {"order_state"},
    OperatorCame: {"order_state"},
    Open: {"object_exists"},
}


def test_every_field_of_a_state_tells_states_apart_or_is_known_to_tell_nothing() -> None:
    """A field that is in neither set would leave states out of the search for all of them."""
    models: tuple[type[BaseModel], ...] = (OrderState, MilestoneState)
    for model, told, nothing in zip(models, _TOLD_APART, _TELLING_NOTHING, strict=True):
        assert set(model.model_fields) == told | nothing


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS.keys())
def test_in_every_state_every_command_does_what_the_table_says_or_is_refused(contract: OrderContract) -> None:
    states = set()
    for story, at, command, after in reachable(contract):
        assert (after is not None) == is_allowed(story, command, at), (command, story.order.state)
        states.add(story.order.state.status)
    in_warranty = set() if WARRANTY in contract.kinds else {OrderStatus.IN_WARRANTY}
    assert states == set(OrderStatus) - in_warranty


_steps = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from([0, 1, 60, 1_440, 4_000, 20_000]), st.integers(0, 20_000)),
    max_size=40,
)


@given(name=st.sampled_from(list(CONTRACTS)), steps=_steps)
def test_whatever_is_said_in_whatever_order_money_is_conserved_and_whose_word_it_needs_was_asked(
    name: str, steps: list[tuple[int, int, int]]
) -> None:
    contract = CONTRACTS[name]
    story = Story.signed(contract)
    for choice, minutes, ago in steps:
        at = story.at + timedelta(minutes=minutes)
        words = [*words_of_parties(contract), *words_of_time(contract)]
        words += words_of_others(contract, story.order.version)
        if choice % 5:  # most words are in time
            words = [word for word in words if is_allowed(story, word, at)]
        command = fresh(words[choice % len(words)], story)
        try:
            story = story.take(command, at=at, recorded_at=at - timedelta(minutes=ago))
        except (Refused, NotDue):
            assert not is_allowed(story, command, at)
