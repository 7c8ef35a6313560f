"""A withdrawal that somebody starts by hand in the Temporal UI moves nothing, whatever its input claims."""

from dataclasses import replace

import pytest

from activities.steps import Step
from activities.withdrawal_permits import HoldMoney
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis
from escrow.domain.platforms.config import BusinessModel
from escrow.domain.withdrawals.rails import Rail
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO, TUESDAY_MORNING
from tests.story import TOP_UPS_AT_ONCE, Story
from tests.workflows.conftest import StoryAt
from tests.workflows.test_thief_collections import Accomplice
from workflows.messages import PayoutAttempt, WithdrawalInput, WithdrawalState, withdrawal_workflow_id


def forged(story: Story, basis: Basis, **claims: object) -> WithdrawalInput:
    """A withdrawal of 20,000.00 of the contractor to the bound account."""
    usual = {"platform_no": story.platform_no, "withdrawal_no": "W-666", "member_no": "C-1", "principal_fen": 2_000_000}
    return WithdrawalInput.model_validate({**usual, "basis": basis, **claims})


@pytest.mark.parametrize(
    "basis",
    [
        Basis(kind="none"),
        Basis(kind="consent", reference="R-none"),
        Basis(kind="release", reference="D-1001:M1:release:1"),
        Basis(kind="bank_line", reference="B-1"),
        Basis(kind="deadline", reference="order/D-1001/start"),
    ],
)
async def test_without_a_basis_that_holds_nothing_is_held_or_sent(story: Story, basis: Basis) -> None:
    await story.payee_has("20,000.00")

    await story.start_withdrawal(forged(story, basis, order_no="D-1001"))
    outcome = await story.withdrawal_ends("W-666")

    assert outcome.status == "refused"
    assert await story.balances() == {"C-1/withdrawable": "20,000.00"}
    assert await story.payouts_at_bank() == []


async def test_a_consent_to_one_amount_is_no_basis_for_another(story: Story) -> None:
    await story.payee_has("20,000.00")
    basis = await story.consents_to_withdraw("100.00", withdrawal_no="W-666")

    await story.start_withdrawal(forged(story, basis))

    assert (await story.withdrawal_ends("W-666")).status == "refused"
    assert await story.balances() == {"C-1/withdrawable": "20,000.00"}


async def test_a_release_of_an_order_without_standing_instruction_is_no_basis(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    before = await story.balances()
    basis = Basis(kind="release", reference="D-1001:M1:release:1")

    await story.start_withdrawal(forged(story, basis, order_no="D-1001"))

    assert (await story.withdrawal_ends("W-666")).status == "refused"
    assert await story.balances() == before


async def test_invented_money_in_transit_is_not_sent(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("20,000.00")
        state = WithdrawalState(status="held", held=True, account_id="A-C1")

        await story.start_withdrawal(forged(story, Basis(kind="none"), state=state))

        async def needs_attention() -> bool:
            return bool((await story.withdrawal_state("W-666")).attention)

        await story.until(needs_attention, "the forged withdrawal is shown to an operator")
        assert await story.balances() == {"C-1/withdrawable": "20,000.00"}
        assert await story.payouts_at_bank() == []
        assert [event.event_type for event in await story.events("withdrawal", "W-666")] == []


async def test_the_answer_to_another_payout_settles_nothing_twice(story: Story) -> None:
    await story.payee_has("40,000.00")
    await story.withdraws("20,000.00")
    await story.withdrawal_ends()
    before = await story.balances()
    attempt = PayoutAttempt(number=1, rail=Rail.IBPS, request_no="W-1:payout:1", sent_at=await story.now())
    state = WithdrawalState(status="unknown", held=True, account_id="A-C1", attempts=[attempt])

    await story.start_withdrawal(forged(story, Basis(kind="none"), state=state))

    async def needs_attention() -> bool:
        return bool((await story.withdrawal_state("W-666")).attention)

    await story.until(needs_attention, "the forged withdrawal is shown to an operator")
    await story.bank_lines_are_booked()
    after = await story.balances()
    assert after["C-1/withdrawable"] == before["C-1/withdrawable"] == "20,000.00"
    assert len(await story.payouts_at_bank()) == 1


async def test_a_withdrawal_under_another_workflow_id_than_its_own_moves_nothing(story: Story) -> None:
    await story.payee_has("20,000.00")
    basis = await story.consents_to_withdraw("20,000.00", withdrawal_no="W-666")

    stranger = await story.start_withdrawal(forged(story, basis), workflow_id="withdrawal/somebody/else")
    outcome = await story.ending_of(stranger)

    assert outcome.status == "refused"
    assert await story.balances() == {"C-1/withdrawable": "20,000.00"}


async def test_the_number_of_an_ended_withdrawal_is_never_paid_again(story: Story) -> None:
    await story.payee_has("40,000.00")
    basis = await story.consents_to_withdraw("20,000.00", withdrawal_no="W-666")
    await story.start_withdrawal(forged(story, basis))
    await story.withdrawal_ends("W-666")

    again = await story.start_withdrawal(forged(story, basis), server_has_forgotten=True)
    outcome = await story.ending_of(again)

    assert outcome.status == "refused"
    assert (await story.in_the_books("withdrawal", "W-666")).status == "paid"
    assert len(await story.payouts_at_bank()) == 1


async def test_a_refusal_entered_before_opens_no_way_around_the_rules(story: Story) -> None:
    await story.payee_has("20,000.00")
    basis = await story.consents_to_withdraw("20,000.00", withdrawal_no="W-666", account_id="A-none")
    thief, hold = _worker_of_the_thief(story, basis)
    refused = hold.step.model_copy(
        update={"request_no": "W-666:refuse", "status": "refused", "bases": (), "document": {"account_id": "A-C1"}}
    )
    await thief.runs(thief.activities.payments.record_withdrawal, refused)

    for is_first in (True, False):
        step = hold.step.model_copy(update={"is_first": is_first})
        with pytest.raises(Refused):
            await thief.runs(
                thief.activities.payments.hold_money, hold.model_copy(update={"step": step, "account_id": "A-C1"})
            )

    assert await story.balances() == {"C-1/withdrawable": "20,000.00"}


async def test_a_members_money_is_not_held_as_if_it_came_from_somebody_else(story: Story) -> None:
    await story.payee_has("20,000.00")
    credit_no = await story.transfer_arrives("1.00", "6222020000000000000")
    await story.bank_lines_are_booked()
    basis = await story.consents_to_withdraw("20,000.00", withdrawal_no="W-666")
    thief, hold = _worker_of_the_thief(story, basis)
    forged = hold.step.document | {"credit_no": credit_no, "cnaps_code": "", "payee_is_named": False}
    step = hold.step.model_copy(update={"document": forged})

    await thief.runs(thief.activities.payments.hold_money, hold.model_copy(update={"step": step}))

    assert (await story.in_the_books("withdrawal", "W-666")).body["credit_no"] == ""


async def test_the_platforms_own_money_is_not_held_on_its_key_alone(story: Story) -> None:
    await _own_money(story, "20,000.00")
    basis = await story.consents_to_withdraw(
        "20,000.00", withdrawal_no="W-666", member_no="", account_id="OWN-1", method="platform_key"
    )

    thief, hold = _worker_of_the_thief(story, basis)
    with pytest.raises(Refused, match="authorisation_required"):
        await thief.runs(
            thief.activities.payments.hold_money,
            hold.model_copy(update={"member_no": "", "account_id": "OWN-1"}),
        )
    await story.start_withdrawal(forged(story, basis, member_no="", account_id="OWN-1"))

    assert (await story.withdrawal_ends("W-666")).status == "refused"
    assert (await story.in_the_books("withdrawal", "W-666")).body["refusal"] == "authorisation_required"
    assert await story.balances() == {"own": "20,000.00"}
    assert await story.payouts_at_bank() == []


async def test_a_contact_persons_code_for_one_withdrawal_of_the_platform_takes_no_other_money(story: Story) -> None:
    await _own_money(story, "20,000.00")
    small = await story.consents_to_withdraw("100.00", withdrawal_no="W-666", member_no="")
    other = await story.consents_to_withdraw("20,000.00", withdrawal_no="W-1", member_no="")
    by_key = await story.consents_to_withdraw("20,000.00", withdrawal_no="W-666", member_no="", method="platform_key")
    pretended = replace(small, operation_hash=by_key.operation_hash)

    for basis in (small, other, pretended, Basis(kind="none")):
        thief, hold = _worker_of_the_thief(story, basis)
        with pytest.raises(Refused, match="basis_m"):
            await thief.runs(thief.activities.payments.hold_money, hold.model_copy(update={"member_no": ""}))

    assert await story.balances() == {"own": "20,000.00"}


async def test_a_release_does_not_take_the_platforms_own_money_out(story: Story) -> None:
    config = TOP_UPS_AT_ONCE.model_copy(
        update={"business_model": BusinessModel.SELF_OPERATED, "commission_basis_points": 0}
    )
    platform, _ = await story.stage.registry.platforms.configure(story.platform_no, config)
    terms = {
        "contractor_no": "platform",
        "commission_basis_points": 0,
        "payee_is_platform": True,
        "config_version": platform.config_version,
    }
    await story.paid_order(withdraw_automatically=True, **terms)
    await story.starts()

    assert (await story.withdrawal_ends("D-1001:M1:withdrawal:1")).status == "refused"
    refused = await story.in_the_books("withdrawal", "D-1001:M1:withdrawal:1")
    assert refused.body["refusal"] == "authorisation_required"
    assert await story.payouts_at_bank() == []


async def _own_money(story: Story, amount: str) -> None:
    """The platform has transferred this much of its own to the custody account."""
    await story.transfer_arrives(amount, PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.bank_lines_are_booked()


def _worker_of_the_thief(story: Story, basis: Basis) -> tuple[Accomplice, HoldMoney]:
    """A worker that acts for W-666, and how it asks for 20,000.00 of the contractor to be held."""
    step = Step(
        platform_no=story.platform_no,
        object_kind="withdrawal",
        object_no="W-666",
        request_no="W-666:hold",
        event_type="withdrawal.held",
        status="held",
        document={"attempts": [], "route": [], "opens_at": None, "attention": "", "order_no": ""},
        occurred_at=story.stage.begins_at,
        bases=(basis,),
        is_first=True,
    )
    hold = HoldMoney(
        step=step, started_as="a thief", member_no="C-1", account_id="", principal_fen=2_000_000, fee_fen=0, order_no=""
    )
    return Accomplice(story.stage, withdrawal_workflow_id(story.platform_no, "W-666")), hold
