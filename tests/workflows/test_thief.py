"""A thief with full access to Temporal: ends an order or a withdrawal and starts it again with what was never agreed.

The thief has a terminal, not the database. Whatever is invented, money moves only as the books and the bank allow.
"""

import asyncio
from typing import Any

import pytest

from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.withdrawals.payouts import PayoutAnswer, PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from escrow.registry.accounts.rows import NewBankAccount
from tests.stage import TUESDAY_MORNING
from tests.story import Story
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT, OWNER
from tests.workflows.conftest import STUCK, StoryAt, StoryUnder
from workflows.messages import (
    ORDERS_TASK_QUEUE,
    PayoutAttempt,
    WithdrawalInput,
    WithdrawalState,
    order_workflow_id,
)

ANOTHER_OF_THE_CONTRACTOR = NewBankAccount(
    account_id="A-C2", account_no="11050137360000000999", account_name="精工装饰工程有限公司", is_corporate=True,
    cnaps_code="105100000017",
)  # fmt: skip


# ---- orders ----


INVENTED: dict[str, Any] = {
    "contract": {
        "contractor_no": OWNER,
        "owner_no": CONTRACTOR,
        "total_fen": 1,
        "commission_basis_points": 0,
        "milestones": [{"number": 1, "name": "x", "kind": "start", "amount_fen": 18_600_000}],
        "periods": {"inspection_period": "PT1S", "retention_period": "PT1S"},
    },
    "state": {
        "status": "awaiting_start",
        "paid_fen": 0,
        "released_fen": 0,
        "commission_fen": 0,
        "funding": [{"source": "withdrawable", "amount_fen": 18_600_000}],
        "milestones": [{"number": number, "status": "in_inspection", "round": 1} for number in range(1, 6)],
        "proposal": {"by": CONTRACTOR, "request_no": "R-0", "lapses_at": "2099-01-01T00:00:00Z"},
        "step_due_at": "2020-01-01T00:00:00Z",
    },
}


async def begun_again(story: Story) -> None:
    """The order's process is ended and begins again with what was never agreed."""
    await story.order.terminate("a thief")
    await story.stage.client.start_workflow(
        "DecorationOrder",
        {"platform_no": story.platform_no, "order_no": story.signed.order_no, **INVENTED},
        id=order_workflow_id(story.platform_no, story.signed.order_no),
        task_queue=ORDERS_TASK_QUEUE,
    )


async def test_an_order_goes_on_as_signed_whatever_it_is_begun_again_with(story: Story) -> None:
    await story.paid_order()
    await begun_again(story)
    await story.starts()
    assert (await story.balances())["C-1/withdrawable"] == "53,010.00", "the deposit alone, less the signed commission"
    await story.completes(2)
    await begun_again(story)
    assert (await story.cancels(OWNER)).order_status == "in_progress", "one side alone cancels nothing that has begun"
    for other in (1, 3, 4, 5):
        with pytest.raises(Refused):
            await story.accepts(other)
    await story.days_pass(6.9)
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00", "silence counts after the signed period"
    await story.accepts(2)
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"
    await begun_again(story)
    await story.completes(3)
    await story.accepts(3)
    await story.completes(4)
    await story.accepts(4)
    await begun_again(story)
    await story.days_pass(89)
    assert (await story.in_the_books("order", "D-1001")).status == "in_warranty", "the signed retention period"
    await story.days_pass(1.1)

    assert await story.balances() == {"C-1/withdrawable": "176,700.00", "fees": "9,300.00"}


async def test_a_rectification_leaves_what_was_left_of_the_signed_period(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.days_pass(3)
    await story.rectifies(2)
    await begun_again(story)
    await story.completes(2)
    await begun_again(story)

    await story.days_pass(3.9)
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"
    await story.days_pass(0.2)
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"


async def test_money_of_tomorrow_cannot_be_made_money_of_today_by_a_refund(story_under: StoryUnder) -> None:
    async with story_under(PlatformConfig(top_up_settlement=Settlement.T_PLUS_1)) as story:
        await story.members_open()
        await story.owner_transfers("186,000.00")
        before = await story.balances()
        await story.order_opens()
        await story.pays()

        await begun_again(story)
        await story.cancels(OWNER)

        assert await story.balances() == before


async def test_a_standing_order_withdraws_releases_and_no_refunds(story: Story) -> None:
    await story.paid_order(withdraw_automatically=True)
    await story.cancels(OWNER)
    before = await story.balances()

    handle = await story.start_withdrawal(
        WithdrawalInput(
            platform_no=story.platform_no,
            withdrawal_no="W-thief",
            member_no=OWNER,
            principal_fen=100_000,
            basis=Basis(kind="release", reference="D-1001:refund"),
            order_no="D-1001",
        )
    )
    outcome = await story.ending_of(handle)

    assert outcome.status == "refused"
    assert await story.balances() == before


# ---- withdrawals ----


def invented(story: Story, *attempts: PayoutAttempt, **changes: Any) -> WithdrawalInput:
    """A withdrawal of 20,000.00 yuan that claims to be under way already."""
    state = WithdrawalState(status="held", held=True, account_id="A-C1", attempts=list(attempts), sms="not_needed")
    return WithdrawalInput(
        platform_no=story.platform_no,
        member_no=CONTRACTOR,
        basis=Basis(kind="consent", reference="R-0"),
        **({"withdrawal_no": "W-1", "principal_fen": 2_000_000, "state": state} | changes),
    )


async def with_a_payout_under_way(story: Story) -> list[PayoutAttempt]:
    """The contractor withdraws; the bank has the payment order and is not done with it. Answers the attempts."""
    await story.payee_has("60,000.00")
    await story.stage.sandbox.steer.next_suffers("stuck")
    await story.withdraws("20,000.00")
    await story.withdrawal_is("submitted")
    attempts = (await story.withdrawal_state()).attempts
    await story.withdrawal().terminate("a thief")
    return [attempt.model_copy(update={"outcome": "failed", "reason": "the thief says so"}) for attempt in attempts]


async def test_a_payout_under_way_is_never_followed_by_another(story: Story) -> None:
    attempts = await with_a_payout_under_way(story)

    await story.start_withdrawal(invented(story, *attempts), server_has_forgotten=True)
    for _ in range(10):
        await story.hours_pass(1)
        await asyncio.sleep(0.2)

    assert await story.payouts_at_bank() == [("SUPER_ONLINE", "20000.00", "PROCESSING")]


async def test_money_of_a_payout_under_way_is_not_given_back(story: Story) -> None:
    [attempt] = await with_a_payout_under_way(story)
    everywhere = [attempt.model_copy(update={"number": n, "rail": rail}) for n, rail in enumerate(Rail, start=1)]
    before = await story.balances()

    await story.start_withdrawal(invented(story, *everywhere), server_has_forgotten=True)
    for _ in range(4):
        await story.hours_pass(1)
        await asyncio.sleep(0.2)

    assert await story.balances() == before
    assert (await story.withdrawal_state()).attention


async def test_a_payout_without_a_record_of_it_is_not_sent(story: Story) -> None:
    attempts = await with_a_payout_under_way(story)
    skipped = [attempt.model_copy(update={"number": number}) for number in range(1, 7) for attempt in attempts]

    await story.start_withdrawal(invented(story, *skipped), server_has_forgotten=True)
    for _ in range(4):
        await story.hours_pass(1)
        await asyncio.sleep(0.2)

    assert len(await story.payouts_at_bank()) == 1


@pytest.mark.parametrize("changes", [{"account": "A-C2"}, {"principal_fen": 2_000_100}, {"principal_fen": 1_000_000}])
async def test_a_payout_is_what_was_asked_for(story_under: StoryUnder, changes: dict[str, Any]) -> None:
    async with story_under(PlatformConfig(top_up_settlement=Settlement.T_PLUS_0, withdrawal_fee_fen=100)) as story:
        await story.payee_has("60,000.00", CONTRACTORS_ACCOUNT)
        await story.stage.registry.bank_accounts.bind(story.platform_no, CONTRACTOR, ANOTHER_OF_THE_CONTRACTOR)
        await story.stage.sandbox.steer.set_bank_health("DOWN")
        await story.withdraws("20,000.00", fee_fen=100)
        await story.withdrawal_is("held")
        await story.withdrawal().terminate("a thief")
        await story.stage.sandbox.steer.set_bank_health("UP")
        forged = invented(story, fee_fen=0 if "principal_fen" in changes else 100)
        assert forged.state is not None
        forged.state.account_id = changes.get("account", "A-C1")
        forged = forged.model_copy(update={"principal_fen": changes.get("principal_fen", 2_000_000)})

        await story.start_withdrawal(forged, server_has_forgotten=True)
        for _ in range(3):
            await story.hours_pass(1)
            await asyncio.sleep(0.2)

        assert await story.payouts_at_bank() == []


async def test_a_payout_is_settled_by_its_own_bank_line_only(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("60,000.00")
        for number in ("W-1", "W-2"):
            await story.stage.sandbox.steer.next_suffers("stuck")
            await story.withdraws("20,000.00", withdrawal_no=number)
            await story.withdrawal_is("submitted", number)
        await story.withdrawal("W-1").terminate("a thief")
        await story.stage.sandbox.steer.next_suffers("timeout_booked", "read")
        await story.withdrawal("W-2").signal("bank_notice", {"notice_id": "1", "kind": "payout"})
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)
        serials = {payout["reqSeq"]: payout["serialNo"] for payout in await story.stage.sandbox.steer.payouts()}

        async def the_bank_is_asked() -> bool:
            return bool((await story.withdrawal("W-2").describe()).raw_description.pending_activities)

        await story.until(the_bank_is_asked, "the withdrawal asks the bank")
        pending = (await story.withdrawal("W-2").describe()).raw_description.pending_activities
        forged = PayoutAnswer(
            request_no="W-2:payout:1",
            status=PayoutStatus.SUCCEEDED,
            final=True,
            bank_serial_no=serials[f"{story.platform_no}/W-1:payout:1"],
            booked_at=await story.now(),
        )
        asked = story.stage.client.get_async_activity_handle(
            workflow_id=story.withdrawal("W-2").id, run_id=None, activity_id=pending[0].activity_id
        )
        await asked.complete(forged)

        async def is_shown() -> bool:
            return bool((await story.withdrawal_state("W-2")).attention)

        await story.until(is_shown, "an operator is asked for")
        assert (await story.balances())["C-1/payout:W-2"] == "20,000.00"
        for number in ("W-1", "W-2"):
            state = await story.withdrawal_state(number)
            state.attempts = [state.attempts[0].model_copy(update={"outcome": "sent", "bank_serial_no": ""})]
            state.status, state.attention = "submitted", ""
            if number == "W-2":
                await story.withdrawal(number).terminate("an operator")
            honest = invented(story, withdrawal_no=number, state=state)
            await story.start_withdrawal(honest, server_has_forgotten=True)
            assert (await story.withdrawal_ends(number)).status == "paid"
