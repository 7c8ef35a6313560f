"""A thief with a worker of its own, and transfers: each stands on the consent to just it, and says what it moved."""

from datetime import timedelta
from typing import Any

import pytest

from activities.steps import Step
from activities.transfers import MakeTransfer
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis
from escrow.domain.transfers.moves import TransferKind, transfer_terms
from escrow.ledger.consents import NewConsent, record_consent
from escrow.registry.members.members import MemberKind
from tests.accomplice import Accomplice
from tests.stage import TUESDAY_MORNING
from tests.story import Story
from tests.story_ground import CONTRACTOR, OWNER, OWNERS_CARD
from tests.workflows.conftest import StoryAt
from tests.workflows.test_suspense_return import returned_remittance
from workflows.transfer_messages import transfer_workflow_id


def transfer(
    story: Story, kind: TransferKind, basis: Basis, *, subject_no: str, fen: int, member_no: str = OWNER, **told: Any
) -> MakeTransfer:
    """A transfer as a worker might ask for it; `told` is what it wants the books to say of it."""
    step = Step(
        platform_no=story.platform_no,
        object_kind=kind.value,
        object_no="X-1",
        request_no=f":{kind}:X-1:make",
        event_type=f"{kind}.done",
        status="done",
        document={"subject_no": subject_no, "member_no": member_no, "amount_fen": fen} | told,
        occurred_at=story.stage.begins_at,
        bases=(basis,),
        is_first=True,
    )
    return MakeTransfer(
        step=step, kind=kind, started_as="a thief", subject_no=subject_no, member_no=member_no, amount_fen=fen
    )


def thief_of(story: Story, kind: TransferKind) -> Accomplice:
    """A worker that acts for the workflow of the transfer."""
    return Accomplice(story.stage, transfer_workflow_id(story.platform_no, kind, "X-1"))


async def instructed(story: Story, kind: TransferKind, *, subject_no: str, fen: int, member_no: str = OWNER) -> Basis:
    """The platform instructs exactly this."""
    consent = NewConsent(
        platform_no=story.platform_no,
        consent_no=f"{kind}-{member_no}",
        object_kind=kind.value,
        object_no="X-1",
        operation=kind.value,
        given_by="platform",
        terms=transfer_terms(subject_no=subject_no, member_no=member_no, amount_fen=fen),
        valid_for=timedelta(hours=1),
    )
    await record_consent(story.stage.reader, consent)
    return Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)


async def test_a_payment_stands_on_no_consent_to_something_else(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("100.00")
    basis = await story.consents_to_withdraw("1.00", withdrawal_no="W-9", member_no=OWNER)
    thief, before = thief_of(story, TransferKind.PAYMENT), await story.balances()

    with pytest.raises(Refused) as refusal:
        await thief.runs(
            thief.activities.transfers.make_transfer,
            transfer(story, TransferKind.PAYMENT, basis, subject_no=CONTRACTOR, fen=10_000),
        )

    assert refusal.value.code == "basis_mismatch"
    assert await story.balances() == before


async def test_a_reversal_is_not_entered_as_an_assignment(story: Story) -> None:
    await story.members_open()
    basis = await instructed(story, TransferKind.ASSIGNMENT, subject_no="B-1", fen=100)
    thief = thief_of(story, TransferKind.REVERSAL)
    request = transfer(story, TransferKind.REVERSAL, basis, subject_no="B-1", fen=100)

    with pytest.raises(Refused) as refusal:
        await thief.runs(
            thief.activities.transfers.make_transfer, request.model_copy(update={"kind": TransferKind.ASSIGNMENT})
        )

    assert refusal.value.code == "basis_mismatch"


async def test_no_more_can_be_taken_back_than_was_assigned(story: Story) -> None:
    await story.members_open()
    credit_no = await story.transfer_arrives("1.00", "6222020000000000000")
    await story.owner_transfers("100.00")
    basis = await instructed(story, TransferKind.ASSIGNMENT, subject_no=credit_no, fen=100)
    thief = thief_of(story, TransferKind.ASSIGNMENT)
    forged = transfer(
        story, TransferKind.ASSIGNMENT, basis, subject_no=credit_no, fen=100, amount_fen=10_000, reversed_fen=-1
    )

    await thief.runs(thief.activities.transfers.make_transfer, forged)

    told = (await story.in_the_books("assignment", "X-1")).body
    assert (told["amount_fen"], told["member_no"], told["reversed_fen"]) == (100, OWNER, 0)


@pytest.mark.parametrize("changes", [{"status": "done"}, {"is_first": False}])
async def test_what_moved_nothing_is_entered_as_refused_and_only_once(story: Story, changes: dict[str, Any]) -> None:
    thief = thief_of(story, TransferKind.ASSIGNMENT)
    invented = transfer(story, TransferKind.ASSIGNMENT, Basis(kind="none"), subject_no="B-1", fen=10_000).step
    invented = invented.model_copy(update={"status": "refused"} | changes)

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.transfers.record_refused_transfer, invented)

    assert refusal.value.code == "basis_missing"
    assert not await story.is_entered("assignment", "X-1")


async def test_what_a_bank_gave_back_of_a_payout_is_assigned_to_its_payee_and_to_nobody_else(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        credit_no = await returned_remittance(story)
        await story.member_opens(OWNER, MemberKind.PERSON, OWNERS_CARD)
        thief, fen = thief_of(story, TransferKind.ASSIGNMENT), 190_005
        asked = {}
        for member_no in (OWNER, CONTRACTOR):
            basis = await instructed(story, TransferKind.ASSIGNMENT, subject_no=credit_no, fen=fen, member_no=member_no)
            asked[member_no] = transfer(
                story, TransferKind.ASSIGNMENT, basis, subject_no=credit_no, fen=fen, member_no=member_no
            )

        with pytest.raises(Refused) as refusal:
            await thief.runs(thief.activities.transfers.make_transfer, asked[OWNER])
        assert refusal.value.code == "two_operators_required"
        assert (await story.balances())[f"suspense:{credit_no}"] == "1,900.05"

        await thief.runs(thief.activities.transfers.make_transfer, asked[CONTRACTOR])
        assert (await story.balances())["C-1/withdrawable"] == "20,000.00"
