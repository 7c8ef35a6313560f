"""What an order takes and what it refuses: out of turn, twice, late, from strangers, unreadable, without a consent."""

import asyncio

import asyncpg
import pytest
from temporalio.client import WorkflowUpdateFailedError

from escrow.domain.errors import Refused
from escrow.domain.orders.states import OrderCommand as Operation
from tests.postgres import is_waited_for
from tests.story import Story
from tests.story_ground import CONTRACTOR, OWNER
from workflows.messages import PartyMessage


@pytest.mark.parametrize(
    ("operation", "by", "milestone", "says"),
    [
        (Operation.START, CONTRACTOR, None, "The order is awaiting_payment, so start is not possible"),
        (Operation.COMPLETE, CONTRACTOR, 2, "The order is awaiting_payment and milestone 2 is planned"),
        (Operation.ACCEPT, OWNER, 2, "possible now: pay, cancel"),
        (Operation.RECTIFY, OWNER, 2, "The order is awaiting_payment"),
    ],
)
async def test_what_comes_before_its_turn_is_refused_with_the_state_named(
    story: Story, operation: Operation, by: str, milestone: int | None, says: str
) -> None:
    await story.members_open()
    await story.order_opens()

    with pytest.raises(Refused) as refused:
        await story.says(operation, by, milestone=milestone)

    assert refused.value.code == "order_state"
    assert says in refused.value.message


async def test_stages_are_taken_in_the_order_of_the_contract(story: Story) -> None:
    await story.paid_order()
    await story.starts()

    with pytest.raises(Refused, match="milestone 3 is planned, so complete is not possible"):
        await story.completes(3)
    with pytest.raises(Refused, match="milestone 2 is in_work, so accept is not possible"):
        await story.accepts(2)
    with pytest.raises(Refused, match="milestone 5 is planned"):
        await story.accepts(5)
    with pytest.raises(Refused, match="The order has milestones 1 to 5"):
        await story.completes(6)
    with pytest.raises(Refused, match="needs the number of a milestone"):
        await story.says(Operation.ACCEPT, OWNER)

    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"


async def test_who_has_read_a_later_version_than_the_process_is_answered_by_the_books(story: Story) -> None:
    await story.paid_order()
    version = (await story.in_the_books("order", "D-1001")).sequence_no
    for read, is_heard in ((None, False), (version, False), (version + 1, True)):
        message = PartyMessage(request_no=f"read-{read}", by="C-404", seen_version=read)
        with pytest.raises(WorkflowUpdateFailedError):
            await story.order.execute_update("start", message)
        accepted = [
            event
            for event in (await story.order.fetch_history()).events
            if event.HasField("workflow_execution_update_accepted_event_attributes")
            and f'"read-{read}"'.encode() in event.SerializeToString()
        ]
        assert bool(accepted) is is_heard
    assert (await story.in_the_books("order", "D-1001")).status == "awaiting_start"


async def test_a_second_payment_or_start_is_refused(story: Story) -> None:
    await story.paid_order()
    await story.owner_transfers("186,000.00")

    with pytest.raises(Refused, match="The order is awaiting_start, so pay is not possible"):
        await story.pays()
    await story.starts()
    with pytest.raises(Refused, match="The order is in_progress, so start is not possible"):
        await story.starts()

    assert (await story.balances())["O-1/withdrawable"] == "186,000.00"


@pytest.mark.parametrize(("by", "takes_effect"), [(CONTRACTOR, True), (OWNER, False)])
async def test_what_comes_while_a_step_is_under_way_is_judged_when_it_is_done(
    story: Story, by: str, takes_effect: bool
) -> None:
    """The books may say already that the order is paid, and who reads there has a right to go on at once."""
    await story.members_open()
    await story.owner_transfers("186,000.00")
    await story.order_opens()
    next_operation = Operation.START if takes_effect else Operation.PAY
    locker = await asyncpg.connect(story.stage.database.superuser_dsn)
    try:
        async with locker.transaction():
            await locker.execute("SELECT 1 FROM account WHERE platform_no = $1 FOR UPDATE", story.platform_no)
            paying = asyncio.create_task(story.pays())
            await story.until(lambda: is_waited_for(locker), "the price is being frozen")
            saying = asyncio.create_task(story.says(next_operation, by))

            async def answered_or_taken() -> bool:
                events = [event async for event in story.order.fetch_history_events()]
                taken = [event.HasField("workflow_execution_update_accepted_event_attributes") for event in events]
                return saying.done() or sum(taken) == 2

            await story.until(answered_or_taken, "the order has the second command")
            assert not saying.done()
    finally:
        await locker.close()

    assert (await paying).order_status == "awaiting_start"
    if takes_effect:
        assert (await saying).order_status == "in_progress"
    else:
        with pytest.raises(Refused, match="The order is awaiting_start, so pay is not possible"):
            await saying


async def test_an_acceptance_after_silence_has_accepted_is_refused(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.days_pass(7.1)

    with pytest.raises(Refused, match="milestone 2 is released, so accept is not possible"):
        await story.accepts(2)

    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"


@pytest.mark.parametrize(
    ("operation", "by", "milestone"),
    [(Operation.ACCEPT, CONTRACTOR, 2), (Operation.RECTIFY, CONTRACTOR, 2), (Operation.ACCEPT, "O-2", 2)],
)
async def test_only_a_party_of_the_order_may_speak_and_only_for_itself(
    story: Story, operation: Operation, by: str, milestone: int
) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)

    with pytest.raises(Refused) as refused:
        await story.says(operation, by, milestone=milestone)

    assert refused.value.code == "not_the_party"
    assert (await story.order_view()).milestones[1].status == "in_inspection"


async def test_a_repeated_request_number_has_one_effect_and_one_answer(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)

    first, second = await asyncio.gather(
        story.accepts(2, request_no="R-accept"), story.accepts(2, request_no="R-accept")
    )
    later = await story.accepts(2, request_no="R-accept")

    assert first == second == later
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"


async def test_a_request_number_cannot_be_used_for_something_else(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    accepted = await story.accepts(2, request_no="R-accept")
    await story.completes(3)

    with pytest.raises(Refused) as refused:
        await story.accepts(3, request_no="R-accept")
    with pytest.raises(WorkflowUpdateFailedError) as by_hand:
        await story.order.execute_update("accept", PartyMessage(request_no="R-accept", by=OWNER, milestone=3))
    assert "is not about this" in str(by_hand.value.cause)

    assert refused.value.code == "request_no_reused"
    assert await story.accepts(2, request_no="R-accept") == accepted
    assert (await story.order_view()).milestones[2].status == "in_inspection"


async def test_two_requests_for_one_acceptance_release_its_money_once(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)

    answers = await asyncio.gather(story.accepts(2), story.accepts(2), return_exceptions=True)

    assert sorted(type(answer).__name__ for answer in answers) == ["CommandResult", "Refused"]
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"


async def test_a_good_signal_is_as_good_as_an_update(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)

    await story.signals("accept", await story.consents(Operation.ACCEPT, OWNER, milestone=2))

    async def released() -> bool:
        return (await story.order_view()).milestones[1].status == "released"

    await story.until(released, "the stage is released")
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"
    assert (await story.order_state()).noted == ()


@pytest.mark.parametrize(
    ("name", "payload", "noted"),
    [
        ("accept", [{"request_no": "R-none", "by": "O-1", "milestone": 2}], "no basis that holds"),
        ("accept", ["release it all, please"], "malformed"),
        ("accept", [{"request_no": "R-none", "by": "O-1", "milestone": "two"}], "malformed: milestone"),
        ("accept", [{"request_no": "R-none", "by": "O-1", "milestone": 2, "amount_fen": 1}], "no basis that holds"),
        ("accept", [], "expected one payload, got 0"),
        ("accept", [1, 2], "expected one payload, got 2"),
        ("accept", [{"request_no": "R-none", "by": "O-1", "milestone": 3}], "milestone 3 is planned"),
        ("accept", [{"request_no": "R-none", "by": "C-1", "milestone": 2}], "Only the owner"),
        ("pay", [{"request_no": "R-none", "by": "O-1"}], "The order is in_progress"),
        ("release_everything", [{}], "no such command"),
    ],
)
async def test_a_bad_signal_moves_nothing_and_is_shown_to_the_operator(
    story: Story, name: str, payload: list[object], noted: str
) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    before = await story.balances()

    await story.signals(name, *payload)

    async def is_noted() -> bool:
        return bool((await story.order_state()).noted)

    await story.until(is_noted, "the signal is noted")
    [note] = (await story.order_state()).noted
    assert note.name == name
    assert noted in note.reason
    assert note.reason in await story.details()
    assert await story.balances() == before
    await story.accepts(2)
    assert (await story.order_view()).milestones[1].status == "released"


@pytest.mark.parametrize("name", ["complete", "cancel", "rectify"])
async def test_a_baseless_signal_that_would_move_no_money_is_noted_and_changes_nothing(story: Story, name: str) -> None:
    await story.paid_order()
    await story.starts()
    if name == "rectify":
        await story.completes(2)
    before = (await story.order_view()).milestones
    by, milestone = {"complete": (CONTRACTOR, 2), "rectify": (OWNER, 2), "cancel": (OWNER, None)}[name]

    await story.signals(name, {"request_no": "R-none", "by": by, "milestone": milestone})

    async def is_noted() -> bool:
        return bool((await story.order_state()).noted)

    await story.until(is_noted, "the signal is noted")
    assert "no basis that holds" in (await story.order_state()).noted[0].reason
    order = await story.order_view()
    assert (order.milestones, order.proposal) == (before, None)


async def test_a_consent_to_one_thing_is_no_basis_for_another(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    rectify = await story.consents(Operation.RECTIFY, OWNER, milestone=2)

    await story.signals("accept", rectify)

    async def is_noted() -> bool:
        return bool((await story.order_state()).noted)

    await story.until(is_noted, "the signal is noted")
    assert (await story.order_view()).milestones[1].status == "in_inspection"
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"
