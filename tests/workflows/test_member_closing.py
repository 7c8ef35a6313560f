"""Closing a member: what stands in its way, how long it waits, what ends it, and that nothing is left open."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus
from escrow.domain.money.journal import Basis, Change, Posting
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.order import Order
from escrow.domain.orders.state import OrderState
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.time.calendars import WorkingCalendar
from escrow.ledger.consents import NewConsent, record_consent
from escrow.registry.closing import Closing
from escrow.registry.members.members import MemberKind
from tests.identities import verify
from tests.stage import TUESDAY_MORNING
from tests.story import Story
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT, OWNER, OWNERS_CARD
from tests.workflows.conftest import StoryAt
from tests.workflows.test_direct_payment import paid_order, refund_ends
from workflows.member_closing import MemberClosing
from workflows.messages import PAYMENTS_TASK_QUEUE, MemberClosingInput, OrderInput, member_closing_workflow_id


async def begins_to_close(story: Story, member_no: str, request_no: str = "CL-1") -> Closing:
    """Record the consent and begin, as the API does.

    Raises:
        Refused: something stands in the way.
    """
    consent = NewConsent(
        platform_no=story.platform_no,
        consent_no=request_no,
        object_kind="member",
        object_no=member_no,
        operation="close",
        given_by=member_no,
        terms={},
        valid_for=timedelta(days=1),
    )
    await record_consent(story.stage.recorder, consent)
    closing, _ = await story.stage.registry.closings.begin(
        story.platform_no,
        member_no,
        request_no,
        consent=Basis(kind="consent", reference=request_no, operation_hash=consent.operation_hash),
        calendar=WorkingCalendar(),
    )
    return closing


async def waits_to_close(story: Story, closing: Closing) -> Any:
    """The workflow that completes a closing."""
    return await story.stage.client.start_workflow(
        MemberClosing.run,
        MemberClosingInput(
            platform_no=story.platform_no,
            member_no=closing.member_no,
            request_no=closing.request_no,
        ),
        id=member_closing_workflow_id(story.platform_no, closing.member_no, closing.request_no),
        task_queue=PAYMENTS_TASK_QUEUE,
    )


async def status_of(story: Story, member_no: str) -> MemberStatus:
    return (await story.stage.registry.members.get(story.platform_no, member_no)).status


async def obstacles(story: Story, member_no: str, request_no: str) -> list[dict[str, Any]]:
    with pytest.raises(Refused) as refused:
        await begins_to_close(story, member_no, request_no)
    assert refused.value.code == "member_not_closable"
    found: list[dict[str, Any]] = refused.value.details["obstacles"]
    return found


async def test_a_member_without_anything_closes_and_its_account_is_free_for_another(story: Story) -> None:
    await story.members_open()
    closing = await begins_to_close(story, OWNER)
    assert closing.status is MemberStatus.CLOSING
    assert closing.closes_at - closing.asked_at == timedelta(seconds=10)
    assert await story.ending_of(await waits_to_close(story, closing)) == "closed"

    registry = story.stage.registry
    assert await status_of(story, OWNER) is MemberStatus.CLOSED
    assert [account.is_bound for account in await registry.bank_accounts.of_member(story.platform_no, OWNER)] == [False]
    await story.member_opens("O-2", MemberKind.PERSON, replace(OWNERS_CARD, account_id="A-O2"))
    assert [event.event_type for event in await story.events("member", OWNER)][-2:] == [
        "member.closing_began",
        "member.closed",
    ]


async def test_balances_open_orders_and_payouts_under_way_stand_in_the_way(story: Story) -> None:
    await story.paid_order()
    assert await obstacles(story, OWNER, "CL-1") == [
        {"what": "balance", "account": "escrow:D-1001", "balance_fen": 18_600_000},
        {"what": "order", "order_no": "D-1001"},
    ]
    assert await obstacles(story, CONTRACTOR, "CL-2") == [{"what": "order", "order_no": "D-1001"}]
    await story.starts()
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await story.withdraws("53,010.00")
    await story.until(lambda: story.is_entered("withdrawal", "W-1"), "the withdrawal is entered")
    found = await obstacles(story, CONTRACTOR, "CL-3")
    assert {"what": "withdrawal", "withdrawal_no": "W-1"} in found
    assert {"what": "balance", "account": "payout:W-1", "balance_fen": 5_301_000} in found
    assert await status_of(story, CONTRACTOR) is MemberStatus.VERIFIED
    await story.stage.sandbox.steer.set_bank_health("UP")
    await story.withdrawal_ends()


async def test_a_refund_that_its_channel_may_not_give_back_stands_in_the_way(story: Story) -> None:
    await paid_order(story)
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await story.cancels(CONTRACTOR)
    assert await obstacles(story, OWNER, "CL-1") == [{"what": "refund", "order_no": "D-1001", "amount_fen": 18_600_000}]
    await story.stage.sandbox.steer.set_bank_health("UP")
    await refund_ends(story)


async def test_a_member_closes_only_when_its_last_payout_can_no_longer_come_back(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.members_open()
        await story.owner_transfers("100.00")
        await story.withdraws("100.00", member_no=OWNER)
        assert (await story.withdrawal_ends()).status == "paid"
        closing = await begins_to_close(story, OWNER)
        # Seven working days after a Tuesday in March: the Thursday after next.
        assert closing.closes_at == datetime.fromisoformat("2026-03-13T00:00:00+08:00")


async def test_a_closing_is_not_completed_before_its_day(story: Story) -> None:
    await story.members_open()
    closing = await begins_to_close(story, OWNER)
    await story.hours_pass((closing.closes_at - await story.now() - timedelta(seconds=2)) / timedelta(hours=1))
    with pytest.raises(Refused, match="too_early"):
        await story.stage.registry.closings.complete(story.platform_no, OWNER, "CL-1")
    assert await status_of(story, OWNER) is MemberStatus.CLOSING


@pytest.mark.parametrize("member_no", [OWNER, CONTRACTOR])
async def test_no_order_is_opened_with_a_member_who_closes(story: Story, member_no: str) -> None:
    await story.members_open()
    closing = await begins_to_close(story, member_no)

    refusal = await story.order_is_refused()

    assert (refusal.code, refusal.details["member_no"]) == ("member_state", member_no)
    assert not await story.is_entered("order", "D-1001")
    assert await story.ending_of(await waits_to_close(story, closing)) == "closed"


async def order_slips_in(story: Story, signed: OrderContract) -> None:
    """A worker of the first release opens an order: it looked at its members before one of them began to close."""
    contract = signed.model_copy(update={"order_no": "D-1001"})
    due_at = await story.now() + contract.periods.payment_deadline
    state = OrderState.at_signing(contract).model_copy(update={"step_due_at": due_at})
    order = Order(contract=contract, state=state, version=1)
    change = Change(
        kind="order",
        object_no=contract.order_no,
        event_type="order.opened",
        status=order.status,
        body=order.document(),
        must_be_new=True,
    )
    await story.stage.writer.post(
        Posting(
            platform_no=story.platform_no,
            request_no=f"{contract.order_no}:open",
            content={},
            changes=(change,),
            deadlines=order.clocks_from(None),
            bases=(Basis(kind="none"),),
        )
    )
    await story.start_order(OrderInput(platform_no=story.platform_no, order_no=contract.order_no))
    story.contract = contract


async def cancelled_order(story: Story) -> OrderContract:
    """An order that was cancelled before it was paid, and so stands in nobody's way."""
    signed = await story.order_opens(order_no="D-1000")
    await story.cancels(OWNER)
    return signed


async def test_an_order_that_slipped_in_breaks_the_closing_off_and_cannot_be_paid_meanwhile(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("186,000.00")
    signed = await cancelled_order(story)
    closing = await begins_to_close(story, CONTRACTOR)
    await order_slips_in(story, signed)
    with pytest.raises(Refused, match="member_state"):
        await story.says(OrderCommand.PAY, OWNER)
    assert await story.ending_of(await waits_to_close(story, closing)) == "verified"

    member = await story.stage.registry.members.get(story.platform_no, CONTRACTOR)
    assert member.facts["closing"]["broken_off_because"] == [{"what": "order", "order_no": "D-1001"}]
    await story.pays()
    assert (await story.balances())["O-1/escrow:D-1001"] == "186,000.00"


async def test_a_closing_that_was_broken_off_can_be_asked_for_again(story: Story) -> None:
    await story.members_open()
    signed = await cancelled_order(story)
    closing = await begins_to_close(story, CONTRACTOR)
    await order_slips_in(story, signed)
    await story.ending_of(await waits_to_close(story, closing))
    await story.cancels(OWNER)
    assert (await begins_to_close(story, CONTRACTOR)).status is MemberStatus.VERIFIED
    again = await begins_to_close(story, CONTRACTOR, "CL-2")
    assert await story.ending_of(await waits_to_close(story, again)) == "closed"


async def test_asking_again_while_it_closes_answers_the_closing_that_runs(story: Story) -> None:
    await story.members_open()
    first = await begins_to_close(story, OWNER)
    assert await begins_to_close(story, OWNER) == first
    assert await begins_to_close(story, OWNER, "CL-2") == first


async def test_money_that_comes_after_closing_waits_in_suspense(story: Story) -> None:
    await story.members_open()
    closing = await begins_to_close(story, OWNER)
    first = await story.transfer_arrives("10.00", OWNERS_CARD.account_no)
    await story.bank_lines_are_booked()
    assert await story.balances() == {f"suspense:{first}": "10.00"}
    assert await story.ending_of(await waits_to_close(story, closing)) == "closed"
    second = await story.transfer_arrives("20.00", OWNERS_CARD.account_no)
    await story.bank_lines_are_booked()
    assert await story.balances() == {f"suspense:{first}": "10.00", f"suspense:{second}": "20.00"}


async def test_a_closed_member_refuses_everything(story: Story) -> None:
    await story.members_open()
    registry = story.stage.registry
    await story.ending_of(await waits_to_close(story, await begins_to_close(story, CONTRACTOR)))
    for operation in (
        registry.bank_accounts.bind(story.platform_no, CONTRACTOR, replace(CONTRACTORS_ACCOUNT, account_id="A-2")),
        registry.bank_accounts.unbind(story.platform_no, CONTRACTOR, CONTRACTORS_ACCOUNT.account_id),
        verify(registry, story.platform_no, CONTRACTOR),
        begins_to_close(story, CONTRACTOR, "CL-9"),
    ):
        with pytest.raises(Refused, match="member_state"):
            await operation
    await story.withdraws("1.00")
    assert (await story.withdrawal_ends()).status == "refused"
    await story.owner_transfers("186,000.00")
    assert (await story.order_is_refused()).code == "member_state"


async def test_a_closing_goes_on_when_somebody_cancels_its_workflow(story: Story) -> None:
    await story.members_open()
    handle = await waits_to_close(story, await begins_to_close(story, OWNER))
    await handle.cancel()
    assert await story.ending_of(handle) == "closed"
    assert [note.name for note in await handle.query(MemberClosing.noted)] == ["temporal cancel"]


@pytest.mark.parametrize("config", [PlatformConfig.model_validate({"functions": {"offline_transfer": False}})])
async def test_where_transfers_are_switched_off_they_wait_in_suspense(story_under: Any, config: PlatformConfig) -> None:
    async with story_under(config) as story:
        await story.members_open()
        serial_no = await story.transfer_arrives("10.00", OWNERS_CARD.account_no)
        await story.bank_lines_are_booked()
        assert await story.balances() == {f"suspense:{serial_no}": "10.00"}
