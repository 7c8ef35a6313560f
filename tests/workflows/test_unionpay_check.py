"""Cards verified by UnionPay checks: the fourteen banks, the others, codes that expire, and whose card it may be."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from bank_sandbox.cards import CHECKED_BANKS, PREFIXES
from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.verification_rules import VerificationMethod
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.members.identity_checks import IdentitySubject
from escrow.registry.members.members import MemberKind
from tests.channels.numbers import card_of
from tests.story import Story
from tests.story_ground import CONTRACTORS_ACCOUNT
from tests.workflows.conftest import StoryAt
from tests.workflows.test_identity_check import checked, open_member, right_id
from tests.workflows.verifying import begun, newest_code, sent_again, standing, tried

NAME, MOBILE = "郑持卡", "13800003333"
TUESDAY_MORNING = "2026-03-03T10:00:00+08:00"


async def holder_opens(story: Story, member_no: str = "O-9", name: str = NAME, sequence: str = "301") -> None:
    """A member whose identity the register knows."""
    await open_member(story, member_no, MemberKind.PERSON, name)
    member = await checked(
        story, member_no, IdentitySubject(id_no=right_id(f"11010119800101{sequence}")), f"IC-{member_no}"
    )
    assert member.status == "verified"


async def binds(story: Story, card_no: str, account_id: str, member_no: str = "O-9", name: str = NAME) -> None:
    account = NewBankAccount(account_id=account_id, account_no=card_no, account_name=name, is_corporate=False)
    await story.stage.registry.bank_accounts.bind(story.platform_no, member_no, account)


async def check_begins(
    story: Story, account_id: str, number: str = "V-1", member_no: str = "O-9"
) -> WorkflowHandle[Any, Any]:
    return await begun(story, member_no, account_id, number, VerificationMethod.UNIONPAY, MOBILE)


async def test_cards_of_the_fourteen_banks_are_verified_and_those_of_a_fifteenth_refused(story: Story) -> None:
    await holder_opens(story)
    assert len(CHECKED_BANKS) == 14
    for bank in CHECKED_BANKS:
        await binds(story, card_of(PREFIXES[bank][0], "42"), f"A-{bank}")
        handle = await check_begins(story, f"A-{bank}", f"V-{bank}")
        assert await tried(story, handle, f"V-{bank}", code=await newest_code(story, f"V-{bank}")) is CodeCheck.ACCEPTED
        account = await story.stage.registry.bank_accounts.get(story.platform_no, "O-9", f"A-{bank}")
        assert account.verification == "unionpay", bank
    await binds(story, card_of("621626", "42"), "A-PAB")
    assert await story.ending_of(await check_begins(story, "A-PAB", "V-PAB")) == "failed"
    assert (await standing(story, "V-PAB")).reason == "card_bank_not_supported"


async def test_fifty_codes_at_once_get_three_tries(story: Story) -> None:
    await holder_opens(story)
    await binds(story, card_of("622588", "77"), "A-1")
    handle = await check_begins(story, "A-1")
    right = int(await newest_code(story))
    guesses = [f"{(right + number) % 1_000_000:06}" for number in range(1, 51)]
    outcomes = await asyncio.gather(*(tried(story, handle, code=code) for code in guesses), return_exceptions=True)
    assert sorted(outcome for outcome in outcomes if isinstance(outcome, CodeCheck)) == ["exhausted", "wrong", "wrong"]
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 47
    assert await story.ending_of(handle) == "failed"


async def test_a_code_that_expired_is_no_try_and_a_new_one_is_sent_after_two_minutes(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await holder_opens(story)
        await binds(story, card_of("622588", "78"), "A-1")
        handle = await check_begins(story, "A-1")
        old = await newest_code(story)
        with pytest.raises(Refused, match="two minutes"):
            await sent_again(story, handle, "S-1")
        await story.time_passes(timedelta(seconds=121))
        for _ in range(4):
            assert await tried(story, handle, code=old) is CodeCheck.EXPIRED
        await sent_again(story, handle, "S-1")
        assert await tried(story, handle, code=await newest_code(story)) is CodeCheck.ACCEPTED
        assert await story.ending_of(handle) == "verified"


async def test_why_the_bank_sends_no_other_code_is_told_from_the_books(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await holder_opens(story)
        await binds(story, card_of("622588", "80"), "A-1")
        handle = await check_begins(story, "A-1")
        for _ in range(4):  # whoever had these sent, it was not through our books
            await story.stage.sandbox.bank.verification.send_card_code_again(f"{story.platform_no}/V-1:unionpay:1")
        await story.time_passes(timedelta(seconds=121))

        with pytest.raises(Refused, match="verification_not_sent"):
            await sent_again(story, handle, "S-1")

        with pytest.raises(Refused) as refused:
            await story.stage.registry.verification_sendings.require_sent(story.platform_no, "V-1", "S-1")
        assert (refused.value.code, refused.value.details) == ("verification_not_sent", {"reason": "codes_exhausted"})


async def test_a_check_that_nobody_confirms_expires(story: Story) -> None:
    await holder_opens(story)
    await binds(story, card_of("622588", "79"), "A-1")
    handle = await check_begins(story, "A-1")
    assert await story.ending_of(handle) == "expired"


async def test_a_card_of_somebody_else_is_not_verified(story: Story) -> None:
    await holder_opens(story)
    await binds(story, card_of("622588", "80"), "A-1")
    handle = await check_begins(story, "A-1")
    assert await tried(story, handle, code=await newest_code(story)) is CodeCheck.ACCEPTED
    await story.stage.registry.bank_accounts.unbind(story.platform_no, "O-9", "A-1")
    await holder_opens(story, "O-8", "李雷", "302")
    await binds(story, card_of("622588", "80"), "A-8", "O-8", "李雷")
    await story.hours_pass(0.05)
    assert await story.ending_of(await check_begins(story, "A-8", "V-8", "O-8")) == "failed"
    assert (await standing(story, "V-8")).reason == "card_data_mismatch"


async def test_only_verified_persons_and_sole_traders_are_checked(story: Story) -> None:
    await open_member(story, "O-9", MemberKind.PERSON, NAME)
    await binds(story, card_of("622588", "81"), "A-1")
    with pytest.raises(Refused) as unverified:
        await check_begins(story, "A-1")
    assert unverified.value.code == "identity_required"
    await story.members_open()
    with pytest.raises(Refused) as company:
        await check_begins(story, CONTRACTORS_ACCOUNT.account_id, "V-2", "C-1")
    assert company.value.code == "unionpay_persons_only"
    shop = "沙箱区老王水电装修店"
    await open_member(story, "C-9", MemberKind.SOLE_TRADER, shop)
    operator = IdentitySubject(
        id_no="92000000MA3DEF124L",
        legal_representative_name="王小明",
        legal_representative_id="110101199001012029",
    )
    assert (await checked(story, "C-9", operator)).status == "verified"
    await binds(story, card_of("622588", "82"), "A-9", "C-9", shop)
    handle = await check_begins(story, "A-9", "V-9", "C-9")
    assert await tried(story, handle, "V-9", code=await newest_code(story, "V-9")) is CodeCheck.ACCEPTED
