"""The order's transition table, walked as a contract is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.errors import Refused
from escrow.domain.orders import states as order_states
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.states import (
    AllowedCommand,
    Effect,
    MilestoneStatus,
    OrderCommand,
    OrderDeadline,
    OrderStatus,
    Party,
    StatesAfter,
    Trigger,
    allowed_commands,
    check_command,
    concerns_milestone,
    next_state,
    who_may,
)
from escrow.domain.state_diagrams import render_markdown
from escrow.domain.withdrawals import states as withdrawal_states

START, ACCEPTANCE, WARRANTY = MilestoneKind.START, MilestoneKind.ACCEPTANCE, MilestoneKind.WARRANTY
FIVE = (START, ACCEPTANCE, ACCEPTANCE, ACCEPTANCE, WARRANTY)
M = MilestoneStatus
PAGE = Path(__file__).parents[2] / "docs" / "order-states.md"


class Order:
    """An order driven by nothing but the table."""

    def __init__(self, kinds: tuple[MilestoneKind, ...] = FIVE) -> None:
        self.kinds = kinds
        self.state = StatesAfter(status=OrderStatus.AWAITING_PAYMENT, milestones=(M.PLANNED,) * len(kinds))

    def does(self, trigger: Trigger, milestone_no: int | None = None, *, both: bool = False) -> "Order":
        self.state = next_state(
            self.state.status, self.state.milestones, self.kinds, trigger, milestone_no, other_side_proposed=both
        )
        return self

    def refuses(self, command: OrderCommand, milestone_no: int | None = None) -> Refused:
        with pytest.raises(Refused) as caught:
            check_command(self.state.status, self.state.milestones, command, milestone_no)
        return caught.value


def started(kinds: tuple[MilestoneKind, ...] = FIVE) -> Order:
    return Order(kinds).does(OrderCommand.PAY).does(OrderCommand.START)


def test_a_contract_goes_from_payment_to_settlement() -> None:
    order = Order().does(OrderCommand.PAY)
    assert (order.state.status, order.state.effect) == (OrderStatus.AWAITING_START, Effect.FREEZE_PRICE)
    order.does(OrderCommand.START)
    assert order.state.milestones == (M.RELEASED, M.IN_WORK, M.PLANNED, M.PLANNED, M.PLANNED)
    order.does(OrderCommand.COMPLETE, 2).does(OrderCommand.RECTIFY, 2)
    assert (order.state.milestones[1], order.state.effect) == (M.IN_RECTIFICATION, Effect.PAUSE_CLOCK)
    order.does(OrderCommand.COMPLETE, 2).does(OrderCommand.ACCEPT, 2)
    assert order.state.milestones == (M.RELEASED, M.RELEASED, M.IN_WORK, M.PLANNED, M.PLANNED)
    silent = order.does(OrderCommand.COMPLETE, 3).does(OrderDeadline.INSPECTION_PASSED, 3)
    assert silent.state.status is OrderStatus.IN_PROGRESS
    finished = order.does(OrderCommand.COMPLETE, 4).does(OrderCommand.ACCEPT, 4)
    assert finished.state.status is OrderStatus.IN_WARRANTY
    assert finished.state.milestones == (M.RELEASED,) * 4 + (M.PLANNED,)
    assert order.does(OrderDeadline.WARRANTY_PASSED, 5).state.status is OrderStatus.SETTLED
    assert set(order.state.milestones) == {M.RELEASED}


def test_without_deposit_and_retention_the_last_acceptance_settles() -> None:
    order = started((ACCEPTANCE,))
    assert order.state.milestones == (M.IN_WORK,)
    order.does(OrderCommand.COMPLETE, 1).does(OrderCommand.ACCEPT, 1)
    assert order.state.status is OrderStatus.SETTLED


def test_an_unpaid_order_closes_and_an_unstarted_one_is_refunded() -> None:
    assert Order().does(OrderDeadline.PAYMENT_DEADLINE_PASSED).state.status is OrderStatus.CLOSED_UNPAID
    waiting = Order().does(OrderCommand.PAY).does(OrderDeadline.START_DEADLINE_PASSED)
    assert (waiting.state.status, waiting.state.effect) == (OrderStatus.CANCELLED, Effect.REFUND_REST)
    assert set(waiting.state.milestones) == {M.REFUNDED}


def test_before_the_start_either_side_cancels_alone_later_both_must_agree() -> None:
    assert Order().does(OrderCommand.PAY).does(OrderCommand.CANCEL).state.status is OrderStatus.CANCELLED
    order = started().does(OrderCommand.CANCEL)
    assert (order.state.status, order.state.effect) == (OrderStatus.IN_PROGRESS, Effect.NOTHING)
    order.does(OrderCommand.CANCEL, both=True)
    assert (order.state.status, order.state.effect) == (OrderStatus.CANCELLED, Effect.REFUND_REST)
    assert order.state.milestones == (M.RELEASED,) + (M.REFUNDED,) * 4


def test_a_refusal_names_the_state_and_what_would_be_possible() -> None:
    refused = started().does(OrderCommand.COMPLETE, 2).refuses(OrderCommand.ACCEPT, 3)
    assert refused.code == "order_state"
    assert refused.message == (
        "The order is in_progress and milestone 3 is planned, so accept is not possible; "
        "possible now: accept milestone 2, rectify milestone 2, cancel."
    )
    assert refused.details["possible"] == ["accept milestone 2", "rectify milestone 2", "cancel"]


def test_out_of_order_and_repeated_commands_are_refused() -> None:
    assert Order().refuses(OrderCommand.START).code == "order_state"
    assert Order().does(OrderCommand.PAY).refuses(OrderCommand.PAY).code == "order_state"
    assert started().refuses(OrderCommand.ACCEPT, 2).code == "order_state"
    assert started().refuses(OrderCommand.COMPLETE, 5).code == "order_state"
    rectifying = started().does(OrderCommand.COMPLETE, 2).does(OrderCommand.RECTIFY, 2)
    assert rectifying.refuses(OrderCommand.ACCEPT, 2).code == "order_state"


def test_an_ended_order_takes_no_command() -> None:
    order = Order().does(OrderDeadline.PAYMENT_DEADLINE_PASSED)
    assert allowed_commands(order.state.status, order.state.milestones) == ()
    for command in OrderCommand:
        number = 1 if concerns_milestone(command) else None
        assert "the order has ended" in order.refuses(command, number).message


def test_a_milestone_that_is_missing_or_not_there_is_named() -> None:
    order = started()
    for command, number in ((OrderCommand.ACCEPT, None), (OrderCommand.ACCEPT, 0), (OrderCommand.ACCEPT, 6)):
        assert order.refuses(command, number).code == "milestone_unknown"
    assert order.refuses(OrderCommand.CANCEL, 2).code == "milestone_unknown"


def test_a_deadline_out_of_place_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="no transition"):
        started().does(OrderDeadline.PAYMENT_DEADLINE_PASSED)


def test_each_command_belongs_to_its_party() -> None:
    assert who_may(OrderCommand.PAY) == who_may(OrderCommand.ACCEPT) == who_may(OrderCommand.RECTIFY) == {Party.OWNER}
    assert who_may(OrderCommand.START) == who_may(OrderCommand.COMPLETE) == {Party.CONTRACTOR}
    assert who_may(OrderCommand.CANCEL) == {Party.OWNER, Party.CONTRACTOR}


def possible_steps(order: Order) -> Iterator[tuple[Trigger, int | None]]:
    """What can come next: every allowed command, and every deadline that the state waits for."""
    for allowed in allowed_commands(order.state.status, order.state.milestones):
        yield allowed.command, allowed.milestone_no
    match order.state.status:
        case OrderStatus.AWAITING_PAYMENT:
            yield OrderDeadline.PAYMENT_DEADLINE_PASSED, None
        case OrderStatus.AWAITING_START:
            yield OrderDeadline.START_DEADLINE_PASSED, None
        case OrderStatus.IN_WARRANTY:
            yield OrderDeadline.WARRANTY_PASSED, len(order.kinds)
        case OrderStatus.IN_PROGRESS if M.IN_INSPECTION in order.state.milestones:
            yield OrderDeadline.INSPECTION_PASSED, order.state.milestones.index(M.IN_INSPECTION) + 1


@given(
    data=st.data(),
    deposit=st.booleans(),
    work=st.integers(min_value=1, max_value=4),
    retention=st.booleans(),
)
def test_every_walk_keeps_the_milestones_in_step_with_the_order(
    data: st.DataObject, deposit: bool, work: int, retention: bool
) -> None:
    order = Order((START,) * deposit + (ACCEPTANCE,) * work + (WARRANTY,) * retention)
    for _ in range(60):
        steps = list(possible_steps(order))
        if not steps:
            break
        before = order.state.milestones
        trigger, number = data.draw(st.sampled_from(steps))
        order.does(trigger, number, both=data.draw(st.booleans()))
        after = order.state.milestones
        assert all(now is was for was, now in zip(before, after, strict=True) if was in (M.RELEASED, M.REFUNDED))
        busy = sum(item in (M.IN_WORK, M.IN_INSPECTION, M.IN_RECTIFICATION) for item in after)
        assert busy == (order.state.status is OrderStatus.IN_PROGRESS)
        done = [item is M.RELEASED for item in after]
        assert done == sorted(done, reverse=True)
    if order.state.status is OrderStatus.SETTLED:
        assert set(order.state.milestones) == {M.RELEASED}
    assert order.state.status.is_final == (not list(possible_steps(order)))


def test_every_state_that_is_not_final_can_be_left() -> None:
    left = {row.status for row in order_states.TRANSITIONS if row.to_status is not row.status}
    assert left == {status for status in OrderStatus if not status.is_final}
    left_withdrawals = {at for (at, _), to in withdrawal_states.TRANSITIONS.items() if at is not to}
    assert left_withdrawals == {status for status in withdrawal_states.WithdrawalStatus if not status.is_final}


def test_an_allowed_command_reads_like_a_sentence() -> None:
    assert str(AllowedCommand(command=OrderCommand.ACCEPT, milestone_no=2)) == "accept milestone 2"
    assert str(AllowedCommand(command=OrderCommand.CANCEL)) == "cancel"


def test_the_page_in_the_docs_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_markdown()
