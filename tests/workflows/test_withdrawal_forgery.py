"""A withdrawal that somebody starts by hand in the Temporal UI moves nothing, whatever its input claims."""

import pytest

from escrow.domain.journal import Basis
from escrow.domain.rails import Rail
from tests.story import Story
from workflows.messages import PayoutAttempt, WithdrawalInput, WithdrawalState


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


async def test_invented_money_in_transit_is_not_sent(story: Story) -> None:
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
