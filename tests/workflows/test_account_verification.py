"""Accounts verified by micro-deposits: amounts, tries, time, money of the platform, deposits that come back."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.time.calendars import SHANGHAI
from escrow.registry.members.identity_checks import IdentitySubject
from escrow.registry.members.members import MemberKind
from tests.identities import CITIZEN_ID
from tests.story import Story
from tests.story_ground import CONTRACTORS_ACCOUNT, OWNERS_CARD
from tests.workflows.conftest import StoryUnder
from tests.workflows.test_identity_check import TEST_NAME, checked, open_member, right_id
from tests.workflows.verifying import (
    begun,
    platform_has_own_money,
    sent_again,
    standing,
    tried,
    what_the_holder_sees,
)


async def verification_of(story: Story, member_no: str = "O-1", account_id: str = "A-O1") -> str:
    account = await story.stage.registry.bank_accounts.get(story.platform_no, member_no, account_id)
    return account.verification


async def test_the_right_amount_and_reference_verify_the_account(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story, "1.00")
    handle = await begun(story, "O-1", "A-O1")
    seen = await what_the_holder_sees(story)
    assert await tried(story, handle, **seen) is CodeCheck.ACCEPTED
    assert await story.ending_of(handle) == "verified"
    assert await verification_of(story) == "micro_deposit"
    await story.bank_lines_are_booked()
    left_fen = 100 - seen["amount_fen"]
    assert (await story.balances()) == {"own": f"0.{left_fen:02d}"}
    assert [event.event_type for event in await story.events("account_verification", "V-1")] == [
        "account_verification.asked",
        "account_verification.sent",
        "account_verification.verified",
    ]
    assert (await story.in_the_books("bank_account", "A-O1")).body["verification"] == "micro_deposit"


async def test_three_wrong_tries_end_it_and_the_right_one_comes_too_late(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    handle = await begun(story, "O-1", "A-O1")
    seen = await what_the_holder_sees(story)
    wrong = seen | {"amount_fen": seen["amount_fen"] % 50 + 1}
    assert await tried(story, handle, **wrong) is CodeCheck.WRONG
    assert await tried(story, handle, **(seen | {"reference": "AAAAA"})) is CodeCheck.WRONG
    assert await tried(story, handle, **wrong) is CodeCheck.EXHAUSTED
    assert await story.ending_of(handle) == "failed"
    with pytest.raises(Refused) as refused:
        await tried(story, handle, **seen)
    assert refused.value.code == "verification_state"
    assert await verification_of(story) == "none"


async def test_fifty_guesses_at_once_get_three_tries(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    handle = await begun(story, "O-1", "A-O1")
    seen = await what_the_holder_sees(story)
    guesses = [seen | {"reference": "AAAAA", "amount_fen": amount} for amount in range(1, 51)]
    outcomes = await asyncio.gather(*(tried(story, handle, **guess) for guess in guesses), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    compared = sorted(outcome for outcome in outcomes if isinstance(outcome, CodeCheck))
    assert compared == ["exhausted", "wrong", "wrong"]
    assert len(refused) == 47
    assert {refusal.code for refusal in refused} <= {"verification_tries_spent", "verification_state"}
    assert await story.ending_of(handle) == "failed"


async def test_it_expires_after_forty_eight_hours(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    handle = await begun(story, "O-1", "A-O1")
    seen = await what_the_holder_sees(story)
    await story.hours_pass(47.9)
    assert (await standing(story)).status == "sent"
    assert await story.ending_of(handle) == "expired"
    with pytest.raises(Refused, match="expired"):
        await tried(story, handle, **seen)
    assert await verification_of(story) == "none"


async def test_another_is_sent_after_two_minutes_and_only_the_newest_counts(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    handle = await begun(story, "O-1", "A-O1")
    with pytest.raises(Refused) as too_soon:
        await sent_again(story, handle, "S-1")
    assert too_soon.value.code == "verification_too_soon"
    await story.hours_pass(121 / 3600)
    await sent_again(story, handle, "S-1")
    await sent_again(story, handle, "S-1")  # the same request again sends nothing more
    first, second = [await what_the_holder_sees(story, sending=number) for number in (1, 2)]
    assert await tried(story, handle, **first) is CodeCheck.WRONG
    assert await tried(story, handle, **second) is CodeCheck.ACCEPTED
    assert await story.ending_of(handle) == "verified"
    await story.bank_lines_are_booked()
    left_fen = 10_000 - first["amount_fen"] - second["amount_fen"]
    assert (await story.balances()) == {"own": f"{left_fen // 100}.{left_fen % 100:02d}"}


async def test_five_a_day_are_sent_to_one_account_in_all_its_verifications(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    await story.hours_pass((25 - (await story.now()).astimezone(SHANGHAI).hour) % 24)  # midnight is far away
    handle = await begun(story, "O-1", "A-O1", "V-1")
    for number in range(2):
        await story.hours_pass(0.05)
        await sent_again(story, handle, f"S-{number}")
    await story.hours_pass(0.05)
    other = await begun(story, "O-1", "A-O1", "V-2")
    await story.hours_pass(0.05)
    await sent_again(story, other, "S-9", "V-2")
    await story.hours_pass(0.05)
    for one, verification_no in ((handle, "V-1"), (other, "V-2")):
        with pytest.raises(Refused) as refused:
            await sent_again(story, one, "S-10", verification_no)
        assert refused.value.code == "verification_day_limit"
    third = await begun(story, "O-1", "A-O1", "V-3")
    assert await story.ending_of(third) == "refused"
    assert (await standing(story, "V-3")).reason == "verification_day_limit"
    await story.hours_pass(24)
    await sent_again(story, other, "S-11", "V-2")


async def test_a_platform_without_own_money_sends_none(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("100.00")  # custody holds members' money: it is not the platform's to send
    handle = await begun(story, "O-1", "A-O1")
    assert await story.ending_of(handle) == "refused"
    assert (await standing(story)).reason == "insufficient_balance"
    assert not [line for line in await story.texts() if "鉴权" in line]


async def test_own_money_for_one_deposit_is_not_sent_twice_at_once(story: Story) -> None:
    await story.members_open()
    await story.stage.registry.bank_accounts.bind(
        story.platform_no, "O-1", replace(OWNERS_CARD, account_id="A-O2", account_no="6222021001112223331")
    )
    await platform_has_own_money(story, "0.50")
    await asyncio.gather(begun(story, "O-1", "A-O1", "V-1"), begun(story, "O-1", "A-O2", "V-2"))
    found = sorted([(await standing(story, number)).status.value for number in ("V-1", "V-2")])
    assert found == ["refused", "sent"]


async def test_a_deposit_that_comes_back_is_booked_back_and_ends_the_verification(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story, "1.00")
    handle = await begun(story, "O-1", "A-O1")
    seen = await what_the_holder_sees(story)
    await story.bank_lines_are_booked()
    await story.stage.sandbox.steer.return_micro_deposit(f"{story.platform_no}/V-1:micro_deposit:1")
    await story.bank_lines_are_booked()
    assert (await story.balances()) == {"own": "1.00"}
    with pytest.raises(Refused, match="returned"):
        await tried(story, handle, **seen)
    assert await story.ending_of(handle, step=timedelta(hours=1)) == "returned"
    assert await verification_of(story) == "none"


async def test_a_company_is_sent_one_after_its_identity_was_verified_with_its_agents_mobile(story: Story) -> None:
    await platform_has_own_money(story)
    registry, name = story.stage.registry, "沙箱装饰工程有限公司"
    await open_member(story, "C-9", MemberKind.COMPANY, name)
    await registry.bank_accounts.bind(story.platform_no, "C-9", replace(CONTRACTORS_ACCOUNT, account_name=name))
    with pytest.raises(Refused) as unverified:
        await begun(story, "C-9", "A-C1", "V-0")
    assert unverified.value.code == "identity_required"
    subject = IdentitySubject(
        id_no="91000000MA1TAX1067", legal_representative_name=TEST_NAME, legal_representative_id=CITIZEN_ID
    )
    assert (await checked(story, "C-9", subject, "IC-A")).status == "verified"
    with pytest.raises(Refused) as nobody:
        await begun(story, "C-9", "A-C1", "V-1")
    assert nobody.value.code == "no_mobile"
    agent = {
        "agent_name": "韩梅梅",
        "agent_id": right_id("11010119900307321"),
        "agent_mobile": "13800000009",
    }
    assert (await checked(story, "C-9", replace(subject, **agent), "IC-B")).status == "verified"
    handle = await begun(story, "C-9", "A-C1", "V-2")
    sent = await story.stage.sandbox.steer.sms_outbox()
    assert [text.mobile for text in sent if text.req_seq.startswith(f"{story.platform_no}/V-2:")] == ["13800000009"]
    assert await tried(story, handle, "V-2", **await what_the_holder_sees(story, "V-2")) is CodeCheck.ACCEPTED
    assert await verification_of(story, "C-9", "A-C1") == "micro_deposit"


async def test_a_lost_answer_sends_one_deposit_and_the_bank_may_say_no(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    await story.stage.sandbox.steer.next_suffers("timeout_booked", "micro_deposit")
    handle = await begun(story, "O-1", "A-O1")
    assert await tried(story, handle, **await what_the_holder_sees(story)) is CodeCheck.ACCEPTED
    await story.bank_lines_are_booked()
    account = replace(OWNERS_CARD, account_id="A-O2", account_no="6222021001112223331")
    await story.stage.registry.bank_accounts.bind(story.platform_no, "O-1", account)
    await story.stage.sandbox.steer.next_suffers("declined", "micro_deposit")
    declined = await begun(story, "O-1", "A-O2", "V-2")
    assert await story.ending_of(declined) == "failed"
    assert (await standing(story, "V-2")).reason == "payee_account_refused"


async def test_neither_amount_nor_reference_is_in_the_history_or_in_the_events(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    handle = await begun(story, "O-1", "A-O1", "V-CANARY")
    seen = await what_the_holder_sees(story, "V-CANARY")
    await tried(story, handle, "V-CANARY", **seen)
    await story.ending_of(handle)
    await story.bank_lines_are_booked()
    history = (await handle.fetch_history()).to_json()
    connection = await asyncpg.connect(story.stage.database.superuser_dsn)
    events = str(await connection.fetch("SELECT body::text FROM event WHERE kind = 'micro_deposit'"))
    typed = str(await connection.fetch("SELECT t::text FROM verification_try t"))
    await connection.close()
    assert "V-CANARY" in events
    assert "V-CANARY" in typed
    for secret in (seen["reference"], OWNERS_CARD.account_no, "13552535506"):
        assert secret not in history + events + typed
    assert "amount" not in history + events


@pytest.mark.parametrize("required", [True, False])
async def test_where_it_is_required_members_withdraw_to_verified_accounts_only(
    story_under: StoryUnder, required: bool
) -> None:
    config = PlatformConfig(top_up_settlement=Settlement.T_PLUS_0, verified_account_required=required)
    async with story_under(config) as story:
        await story.members_open()
        await story.owner_transfers("100.00")
        await platform_has_own_money(story)
        outcome = await withdrawn(story, "W-1")
        assert outcome == ("refused" if required else "paid")
        handle = await begun(story, "O-1", "A-O1")
        await tried(story, handle, **await what_the_holder_sees(story))
        assert await withdrawn(story, "W-2") == "paid"


async def withdrawn(story: Story, number: str) -> str:
    handle = await story.withdraws("10.00", withdrawal_no=number, member_no="O-1")
    outcome = await story.ending_of(handle)
    status: str = outcome.status
    return status
