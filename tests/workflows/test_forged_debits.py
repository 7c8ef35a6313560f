"""Whoever writes to Temporal debits nobody beyond what stands in the books, and credits no one else."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from escrow.domain.collections.terms import opening_consent_no
from escrow.domain.members.states import MemberEvent
from escrow.ledger.consents import void_consent
from escrow.registry.members.members import MemberKind
from tests.identities import asked, subject_of
from tests.story import Story
from tests.story_debits import DEBIT, MANDATE, MOBILE, QUICK, Debtors, card
from tests.story_ground import OWNER
from tests.terminating import terminated_at_rest
from tests.thieves import Thief, thief_in
from tests.workflows.test_collection import members_money
from tests.workflows.test_thief_collections import looking_after

_OTHER = "O-2"


@pytest.fixture
async def thief(story: Story) -> AsyncIterator[Thief]:
    async with thief_in(story) as thief:
        yield thief


async def two_debtors(story: Story) -> Debtors:
    """Two members with a mandate each."""
    members = Debtors(story)
    await members.open()
    await story.member_opens(_OTHER, MemberKind.PERSON, card("A-O2", "621700"), mobile=MOBILE)
    await members.signs(per_debit_fen=10_000_000)
    await members.signs("M-2", _OTHER, account_id="A-O2")
    return members


async def nothing_at_bank(story: Story, members: Debtors, *numbers: str) -> None:
    """No debit of any number ever left."""
    for number in numbers:
        answer = await story.stage.sandbox.bank.collections.query(
            members.at_bank(number), custody_account_no=story.stage.custody_account_no
        )
        assert answer.status == "not_found"


async def test_a_debit_that_was_never_consented_to_is_not_made(story: Story) -> None:
    members = await two_debtors(story)
    await members.consents_to("T-2", "1.00", mandate_no=MANDATE)
    await void_consent(story.stage.recorder, story.platform_no, opening_consent_no("T-2"))

    for number in ("T-1", "T-2"):
        handle = await members.begins(number)
        assert (await story.ending_of(handle)).status is None

    await nothing_at_bank(story, members, "T-1", "T-2")
    assert await story.balances() == {}


async def test_what_is_debited_is_what_was_consented_to_and_no_more(story: Story, thief: Thief) -> None:
    members = await two_debtors(story)
    await members.consents_to("T-1", "1.00", mandate_no=MANDATE)

    await thief.has_done(looking_after(story, amount_fen=100_000, mandate_no="M-2", member_no=_OTHER, number=7))

    channel_says = await members.channel_says()
    assert (channel_says.method, channel_says.amount_fen) == (DEBIT, 100)
    debits = await story.stage.registry.mandate_debits.open_numbers(story.platform_no, "T-1")
    assert debits == ["T-1:collect:1"]


async def test_a_consent_that_was_voided_after_all_debits_nobody_more(story: Story, thief: Thief) -> None:
    members = await two_debtors(story)
    await story.stage.sandbox.steer.next_suffers("declined", "collection")
    await story.stage.sandbox.steer.next_suffers("failed_later", "collection")
    handle = await members.is_debited("1.00", mandate_no=MANDATE)
    await members.stands("T-1", "processing")
    await void_consent(story.stage.recorder, story.platform_no, opening_consent_no("T-1"))

    assert (await story.ending_of(handle)).status == "failed"
    assert (await story.in_the_books("pay_in", "T-1")).body["reason_code"] in ("", "basis_void")
    assert await story.balances() == {}


@pytest.mark.parametrize(
    ("how", "amount", "code"),
    [
        ({"mandate_no": "M-2"}, "1.00", "mandate_unknown"),
        ({"mandate_no": "M-9"}, "1.00", "not_found"),
        ({"mandate_no": MANDATE}, "100,000.01", "mandate_cap_exceeded"),
        ({"account_id": "A-O2"}, "1.00", "account_not_bound"),
    ],
)
async def test_a_consent_alone_does_not_make_what_was_not_signed(
    story: Story, how: dict[str, str], amount: str, code: str
) -> None:
    members = await two_debtors(story)
    await members.is_debited(amount, **how)
    await members.stands("T-1", "failed")
    assert await members.reason_code() == code
    await nothing_at_bank(story, members, "T-1")
    assert await story.balances() == {}


async def test_a_revoked_mandate_is_not_debited_though_the_bank_was_not_told(story: Story) -> None:
    members = await two_debtors(story)
    await terminated_at_rest(members.mandate_process(), "a thief")
    await members.revokes()
    at_bank = await story.stage.sandbox.bank.collections.query_mandate(f"{story.platform_no}/{MANDATE}:mandate")
    assert at_bank.status == "active"
    await members.is_debited("1.00", mandate_no=MANDATE)
    await members.stands("T-1", "failed")
    assert await members.reason_code() == "mandate_not_in_force"


async def test_a_member_whom_the_register_no_longer_knows_is_debited_no_more(story: Story) -> None:
    members = await two_debtors(story)
    registry = story.stage.registry
    check_no = await asked(registry, story.platform_no, OWNER, subject_of(MemberKind.PERSON))
    await registry.identity_checks.answered(
        story.platform_no,
        check_no,
        event=MemberEvent.IDENTITY_NOT_MATCHED,
        outcome={"result": "mismatch", "source": "test", "as_of": "2026-03-03"},
    )
    await members.is_debited("1.00", mandate_no=MANDATE)
    await members.stands("T-1", "failed")
    assert await members.reason_code() == "identity_required"
    await nothing_at_bank(story, members, "T-1")


async def test_the_same_money_is_not_debited_twice_whoever_asks_for_it(story: Story, thief: Thief) -> None:
    members = await two_debtors(story)
    await members.consents_to("T-1", "1,000.00", mandate_no=MANDATE)
    more = {"number": 8, "request_no": "T-1:collect:8", "channel": "NETS_DEBIT", "member_no": _OTHER}

    await thief.has_done(*itertools.repeat(looking_after(story, **more), 8), at_once=True)
    await members.bank_ends()
    await thief.has_done(*itertools.repeat(looking_after(story, **more), 8), at_once=True)
    await thief.has_done(*itertools.repeat(looking_after(story, **more), 3), workflow_id=members.handle().id)

    held = members_money(await story.balances())
    assert list(held.values()) == ["1,000.00"]
    assert next(iter(held)).startswith(OWNER)
    for attempt in (2, 8):
        answer = await story.stage.sandbox.bank.collections.query(
            members.at_bank("T-1", attempt), custody_account_no=story.stage.custody_account_no
        )
        assert answer.status == "not_found"


@pytest.mark.parametrize("method", [DEBIT, QUICK])
async def test_no_member_is_debited_for_a_payment_to_be_scanned(story: Story, thief: Thief, method: Any) -> None:
    members = await two_debtors(story)
    await members.asks("1.00")
    how = {"method": method.value, "mandate_no": MANDATE, "account_id": "A-O1"}

    await thief.has_done(looking_after(story, **how))

    assert (await members.channel_says()).method == "qr_wechat"
    assert await story.stage.registry.mandate_debits.open_numbers(story.platform_no, "T-1") == []
    assert await story.texts() == []
