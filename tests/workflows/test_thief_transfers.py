"""A thief with a worker of its own, and transfers: it can have made what was consented to, once, and nothing else."""

import asyncio
from datetime import timedelta

import pytest

from activities.transfers import TransferRef
from escrow.domain.transfers.moves import TransferKind, TransferStatus
from escrow.domain.transfers.transfer import Assignment
from escrow.ledger.consents import NewConsent, record_consent
from escrow.registry.members.members import MemberKind
from tests.accomplice import Accomplice
from tests.stage import TUESDAY_MORNING
from tests.story import Story
from tests.story_ground import CONTRACTOR, OWNER, OWNERS_CARD
from tests.story_transfers import asked_for, ending_of_transfer, refusal_of_transfer, start_transfer, transferred
from tests.workflows.conftest import StoryAt
from tests.workflows.test_suspense_return import returned_remittance

PAYMENT, ASSIGNMENT, REVERSAL = TransferKind.PAYMENT, TransferKind.ASSIGNMENT, TransferKind.REVERSAL


class Thief:
    """Has our worker make a transfer, from a workflow of any id."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._worker = Accomplice(story.stage, "a workflow of its own")

    async def makes(self, kind: TransferKind, number: str) -> TransferStatus:
        ref = TransferRef(platform_no=self._story.platform_no, kind=kind, transfer_no=number)
        status: TransferStatus = await self._worker.runs(self._worker.activities.transfers.make_transfer, ref)
        return status


async def says(story: Story, consent_no: str, kind: TransferKind, number: str, by: str, **terms: object) -> None:
    """Somebody consents to something under a number that a transfer would look for."""
    consent = NewConsent(
        platform_no=story.platform_no,
        consent_no=consent_no,
        object_kind=kind.value,
        object_no=number,
        operation=kind.value,
        given_by=by,
        terms=terms,
        valid_for=timedelta(hours=1),
        asked=True,
    )
    await record_consent(story.stage.recorder, consent)


async def test_nothing_is_made_that_nobody_asked_for(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("100.00")
    before = await story.balances()

    for kind in TransferKind:
        assert await Thief(story).makes(kind, "X-1") is TransferStatus.REFUSED
        assert not await story.is_entered(kind, "X-1")

    assert await story.balances() == before


@pytest.mark.parametrize("by", [CONTRACTOR, "platform"])
async def test_a_payment_stands_on_its_own_payers_consent_alone(story: Story, by: str) -> None:
    await story.members_open()
    await story.owner_transfers("100.00")
    await says(
        story, ":payment:X-1:consent", PAYMENT, "X-1", by, subject_no=CONTRACTOR, member_no=OWNER, amount_fen=100
    )

    assert await Thief(story).makes(PAYMENT, "X-1") is TransferStatus.REFUSED
    assert (await story.balances())["O-1/withdrawable"] == "100.00"


async def test_a_payment_is_made_once_however_often_and_from_wherever_it_is_asked(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("100.00")
    await asked_for(story, PAYMENT, "P-1", subject_no=CONTRACTOR, member_no=OWNER, amount="10.00")

    made = await asyncio.gather(*(Thief(story).makes(PAYMENT, "P-1") for _ in range(8)))
    handle = await start_transfer(story, PAYMENT, "P-1")

    assert await ending_of_transfer(story, handle) == "done"
    assert set(made) == {TransferStatus.DONE}
    assert (await story.balances())["C-1/withdrawable"] == "10.00"


async def test_limits_and_functions_bind_whoever_has_it_made(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("100.00")
    await story.platform_has(limits={"payment_fen": 5_000, "payments_per_day_fen": 8_000})
    thief, paid = Thief(story), {"subject_no": CONTRACTOR, "member_no": OWNER}
    await asked_for(story, PAYMENT, "P-1", **paid, amount="50.01")
    await asked_for(story, PAYMENT, "P-2", **paid, amount="50.00")
    await asked_for(story, PAYMENT, "P-3", **paid, amount="50.00")

    made = await asyncio.gather(*(thief.makes(PAYMENT, f"P-{number}") for number in (1, 2, 3)))

    assert sorted(made) == [TransferStatus.DONE, TransferStatus.REFUSED, TransferStatus.REFUSED]
    refusal = await refusal_of_transfer(story, PAYMENT, "P-1")
    assert (refusal.code, refusal.details["limit"]) == ("limit_exceeded", "limits.payment_fen")
    await story.platform_has(functions={"unguaranteed_payment": False})
    await asked_for(story, PAYMENT, "P-4", **paid, amount="1.00")
    assert await thief.makes(PAYMENT, "P-4") is TransferStatus.REFUSED
    assert (await refusal_of_transfer(story, PAYMENT, "P-4")).code == "function_off"


async def test_nobody_pays_itself(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("100.00")

    assert await transferred(story, PAYMENT, "P-1", OWNER, OWNER, "1.00") == "refused"
    assert (await refusal_of_transfer(story, PAYMENT, "P-1")).code == "member_unknown"


async def assigned(story: Story) -> str:
    """The owner has 100.00 of its own, and 1.00 was assigned to it of a stranger's 4.00."""
    await story.members_open()
    await story.owner_transfers("100.00")
    credit_no = await story.transfer_arrives("4.00", "6222020000000000000")
    await story.bank_lines_are_booked()
    assert await transferred(story, ASSIGNMENT, "AS-1", credit_no, OWNER, "1.00") == "done"
    return credit_no


async def test_no_more_is_taken_back_than_was_assigned_however_many_ask_at_once(story: Story) -> None:
    credit_no = await assigned(story)
    numbers = [f"RV-{number}" for number in range(6)]
    for number in numbers:
        await asked_for(story, REVERSAL, number, subject_no="AS-1", member_no=OWNER, amount="0.40")

    made = await asyncio.gather(*(Thief(story).makes(REVERSAL, number) for number in numbers))

    assert made.count(TransferStatus.DONE) == 2
    stands = Assignment.of_document("AS-1", (await story.in_the_books("assignment", "AS-1")).body)
    assert (stands.amount_fen, stands.reversed_fen, stands.reversals) == (100, 80, 2)
    assert (await story.balances())[f"suspense:{credit_no}"] == "3.80"


async def test_a_reversal_takes_back_from_whom_it_was_assigned_to_and_of_what_was_assigned(story: Story) -> None:
    await assigned(story)
    await asked_for(story, PAYMENT, "P-1", subject_no=CONTRACTOR, member_no=OWNER, amount="50.00")
    assert await Thief(story).makes(PAYMENT, "P-1") is TransferStatus.DONE
    before = await story.balances()

    for number, subject_no, member_no, why in (
        ("RV-1", "AS-1", CONTRACTOR, "reversal_exceeds_assignment"),
        ("RV-2", "P-1", OWNER, "not_found"),
        ("RV-3", "AS-9", OWNER, "not_found"),
    ):
        assert await transferred(story, REVERSAL, number, subject_no, member_no, "0.50") == "refused"
        assert (await refusal_of_transfer(story, REVERSAL, number)).code == why

    assert await story.balances() == before


async def test_what_a_bank_gave_back_of_a_payout_is_assigned_to_its_payee_and_to_nobody_else(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        credit_no = await returned_remittance(story)
        await story.member_opens(OWNER, MemberKind.PERSON, OWNERS_CARD)

        assert await transferred(story, ASSIGNMENT, "AS-1", credit_no, OWNER, "1,900.05") == "refused"
        assert (await refusal_of_transfer(story, ASSIGNMENT, "AS-1")).code == "two_operators_required"
        assert (await story.balances())[f"suspense:{credit_no}"] == "1,900.05"

        assert await transferred(story, ASSIGNMENT, "AS-2", credit_no, CONTRACTOR, "1,900.05") == "done"
        assert (await story.balances())["C-1/withdrawable"] == "20,000.00"


async def test_a_refused_number_is_free_and_judged_anew(story: Story) -> None:
    await story.members_open()
    assert await transferred(story, PAYMENT, "P-1", CONTRACTOR, OWNER, "10.00") == "refused"
    assert not await story.is_entered(PAYMENT, "P-1")

    await story.owner_transfers("100.00")

    assert await transferred(story, PAYMENT, "P-1", CONTRACTOR, OWNER, "10.00") == "done"


async def test_a_transfer_whose_process_was_ended_is_made_by_the_next_one(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("100.00")
    await asked_for(story, PAYMENT, "P-1", subject_no=CONTRACTOR, member_no=OWNER, amount="10.00")
    handle = await start_transfer(story, PAYMENT, "P-1", task_queue="where nobody works")
    await handle.terminate("an accident")

    for _ in range(2):
        assert await ending_of_transfer(story, await start_transfer(story, PAYMENT, "P-1")) == "done"

    assert (await story.balances())["C-1/withdrawable"] == "10.00"
