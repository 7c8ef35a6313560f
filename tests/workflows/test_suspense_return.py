"""Money in suspense goes back to the account it came from, or where two operators say, and is never used twice."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from temporalio.client import WorkflowHandle

from escrow.domain.errors import Refused
from escrow.domain.money.amounts import yuan
from escrow.domain.transfers.moves import TransferKind
from escrow.domain.transfers.suspense_returns import RETURN_SUSPENSE, suspense_return_terms
from escrow.ledger.bank_lines import BankLines
from escrow.ledger.consents import NewConsent, record_consent
from escrow.ledger.personal_data import PersonalDataBox
from tests.stage import DATA_KEY, INDEX_KEY, TUESDAY_MORNING
from tests.story import Story
from tests.story_ground import CONTRACTORS_ACCOUNT, OWNER, REQUESTS
from tests.story_transfers import asked_for, start_transfer, transfer_process
from tests.workflows.conftest import StoryAt

STRANGERS_CARD, STRANGERS_ACCOUNT = "6217001234567890122", "11050137360000000111"
CNAPS = "105100000017"


async def stranger_sends(story: Story, amount: str, account_no: str = STRANGERS_CARD) -> str:
    """Money from an account that nobody bound waits in suspense; its number there."""
    credit_no = await story.transfer_arrives(amount, account_no)
    await story.bank_lines_are_booked()
    return credit_no


async def consents(
    story: Story, credit_no: str, amount: str, *, return_no: str = "SR-1", by: str = "platform", **changes: Any
) -> None:
    """Somebody's consent to a return, recorded."""
    terms = suspense_return_terms(credit_no=credit_no, principal_fen=yuan(amount), cnaps_code="")
    consent = NewConsent(
        platform_no=story.platform_no,
        consent_no=f"R-{next(REQUESTS)}",
        object_kind="withdrawal",
        object_no=return_no,
        operation=RETURN_SUSPENSE,
        given_by=by,
        terms={**terms, **changes},
        valid_for=timedelta(days=1),
        asked=True,
    )
    await record_consent(story.stage.recorder, consent)


async def sends_back(
    story: Story, credit_no: str, amount: str, *, return_no: str = "SR-1", **changes: Any
) -> WorkflowHandle[Any, Any]:
    """Somebody consents to the return of money in suspense, and it is started."""
    await consents(story, credit_no, amount, return_no=return_no, **changes)
    return await story.start_withdrawal(return_no)


async def paid_to(story: Story, bank_serial_no: str) -> str:
    """The account that a payout went to, by the bank's own line."""
    box = PersonalDataBox.from_hex(data_key=DATA_KEY, index_key=INDEX_KEY)
    return (await BankLines(story.stage.recorder, box).get(story.platform_no, bank_serial_no)).counterparty_account_no


async def test_a_part_goes_back_to_the_card_it_came_from(story: Story) -> None:
    credit_no = await stranger_sends(story, "10,000.00")
    await sends_back(story, credit_no, "4,000.00")

    outcome = await story.withdrawal_ends("SR-1")

    assert outcome.status == "paid"
    assert await paid_to(story, str(outcome.bank_serial_no)) == STRANGERS_CARD
    assert (await story.balances())[f"suspense:{credit_no}"] == "6,000.00"
    await story.bank_lines_are_booked()
    await story.books_are_equal()


async def test_a_corporate_account_is_reached_when_its_branch_is_told(story: Story) -> None:
    credit_no = await stranger_sends(story, "10,000.00", STRANGERS_ACCOUNT)
    await sends_back(story, credit_no, "10,000.00", cnaps_code=CNAPS)

    outcome = await story.withdrawal_ends("SR-1")

    assert outcome.status == "paid"
    assert await paid_to(story, str(outcome.bank_serial_no)) == STRANGERS_ACCOUNT


@pytest.mark.parametrize(
    ("amount", "account_no"),
    [("1,900.12", STRANGERS_CARD), ("2,000.00", STRANGERS_ACCOUNT)],
    ids=["the bank fails it later", "no rail reaches the account"],
)
async def test_what_cannot_go_back_waits_in_suspense_again(story: Story, amount: str, account_no: str) -> None:
    credit_no = await stranger_sends(story, amount, account_no)
    await sends_back(story, credit_no, amount)

    outcome = await story.withdrawal_ends("SR-1")

    assert outcome.status == "returned"
    assert await story.balances() == {f"suspense:{credit_no}": amount}


async def test_an_unknown_return_is_asked_about_and_arrives_once(story: Story) -> None:
    credit_no = await stranger_sends(story, "1,900.01")
    await sends_back(story, credit_no, "1,900.01")

    outcome = await story.withdrawal_ends("SR-1")

    assert outcome.status == "paid"
    assert [payout[1] for payout in await story.payouts_at_bank()] == ["1900.01"]
    assert f"suspense:{credit_no}" not in await story.balances()


async def test_assignments_and_returns_at_once_never_use_the_same_money_twice(story: Story) -> None:
    await story.members_open()
    credit_no = await stranger_sends(story, "10,000.00")
    returns = [f"SR-{number}" for number in range(3)]
    assignments = [f"AS-{number}" for number in range(3)]
    for number in assignments:
        await asked_for(
            story, TransferKind.ASSIGNMENT, number, subject_no=credit_no, member_no=OWNER, amount="4,000.00"
        )
    await asyncio.gather(
        *(sends_back(story, credit_no, "4,000.00", return_no=number) for number in returns),
        *(start_transfer(story, TransferKind.ASSIGNMENT, number) for number in assignments),
    )
    ended = [(await story.withdrawal_ends(number)).status for number in returns]
    given = [await story.ending_of(transfer_process(story, TransferKind.ASSIGNMENT, no)) for no in assignments]
    assert ended.count("paid") + given.count("done") == 2
    assert (await story.balances())[f"suspense:{credit_no}"] == "2,000.00"


async def test_what_goes_back_is_what_was_consented_to_and_nothing_without_that(story: Story) -> None:
    credit_no, other_no = await stranger_sends(story, "10,000.00"), await stranger_sends(story, "500.00")
    await consents(story, other_no, "10,000.00", return_no="SR-2")
    await consents(story, "none", "10,000.00", return_no="SR-3")
    await story.consents_to_withdraw("10,000.00", withdrawal_no="SR-4", member_no="")
    for return_no in ("SR-1", "SR-2", "SR-3", "SR-4"):
        await story.start_withdrawal(return_no)
        assert (await story.withdrawal_ends(return_no)).status == "refused", return_no
    assert await story.payouts_at_bank() == []
    assert await story.balances() == {f"suspense:{credit_no}": "10,000.00", f"suspense:{other_no}": "500.00"}


async def test_a_platform_does_not_send_back_where_only_operators_may(story: Story) -> None:
    await story.platform_has(suspense_returned_by_platform=False)
    credit_no = await stranger_sends(story, "10,000.00")

    await sends_back(story, credit_no, "10,000.00")

    assert (await story.withdrawal_ends("SR-1")).status == "refused"
    assert await story.refusal_of_withdrawal("SR-1") == "two_operators_required"


async def test_a_consent_to_a_return_pays_nobody_else(story: Story) -> None:
    await story.payee_has("20,000.00")
    credit_no = await stranger_sends(story, "10,000.00")

    await sends_back(story, credit_no, "10,000.00", return_no="W-1")

    outcome = await story.withdrawal_ends("W-1")
    assert await paid_to(story, str(outcome.bank_serial_no)) == STRANGERS_CARD
    assert (await story.balances())["C-1/withdrawable"] == "20,000.00"


async def returned_remittance(story: Story) -> str:
    """The contractor's payout comes back two days later; its number in suspense."""
    await story.payee_has("20,000.00")
    await story.withdraws("1,900.05")
    assert (await story.withdrawal_ends()).status == "paid"
    await story.days_pass(3)
    await story.bank_lines_are_booked()
    (suspended,) = [account for account in await story.balances() if account.startswith("suspense:")]
    return suspended.removeprefix("suspense:")


async def test_what_a_bank_gave_back_is_paid_out_by_two_operators_to_an_account_of_the_same_name(
    story_at: StoryAt,
) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await two_operators_pay_out(story)


async def two_operators_pay_out(story: Story) -> None:
    """One proposes, another confirms, and nobody decides alone."""
    credit_no = await returned_remittance(story)
    payouts = story.stage.registry.suspense_payouts
    proposing: dict[str, Any] = {"credit_no": credit_no, "amount_fen": yuan("1,900.00"), "account_no": STRANGERS_CARD}
    await payouts.propose(story.platform_no, "SR-1", **proposing, operator_no="zhang")
    with pytest.raises(Refused, match="two_operators_required"):
        await payouts.confirm(story.platform_no, "SR-1", operator_no="zhang")
    with pytest.raises(Refused, match="request_no_reused"):
        await payouts.propose(story.platform_no, "SR-1", **{**proposing, "amount_fen": 1}, operator_no="zhang")
    proposal, consent = await payouts.confirm(story.platform_no, "SR-1", operator_no="li")
    assert (proposal.proposed_by, proposal.decided_by, consent.given_by) == ("zhang", "li", "operators")
    with pytest.raises(Refused, match="request_no_reused"):
        await payouts.confirm(story.platform_no, "SR-1", operator_no="wang")

    await story.start_withdrawal("SR-1")
    outcome = await story.withdrawal_ends("SR-1")

    assert outcome.status == "paid"
    assert await paid_to(story, str(outcome.bank_serial_no)) == STRANGERS_CARD
    assert (await story.balances())[f"suspense:{credit_no}"] == "0.05"
    line = await payouts.source(story.platform_no, credit_no)
    assert (line.kind, line.counterparty_name) == ("return", CONTRACTORS_ACCOUNT.account_name)


async def test_money_that_somebody_sent_is_paid_to_no_named_account(story: Story) -> None:
    credit_no = await stranger_sends(story, "500.00")
    with pytest.raises(Refused, match="suspense_payee_fixed"):
        await story.stage.registry.suspense_payouts.propose(
            story.platform_no,
            "SR-1",
            credit_no=credit_no,
            amount_fen=100,
            operator_no="zhang",
            account_no=CONTRACTORS_ACCOUNT.account_no,
        )


async def test_the_database_itself_takes_no_decision_of_who_proposed(story: Story) -> None:
    credit_no = await stranger_sends(story, "500.00")
    await story.stage.registry.suspense_payouts.propose(
        story.platform_no, "SR-1", credit_no=credit_no, amount_fen=100, operator_no="zhang"
    )
    connection = await asyncpg.connect(story.stage.database.dsn)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("UPDATE suspense_payout SET decided_by = 'zhang', decided_at = now()")
    finally:
        await connection.close()
