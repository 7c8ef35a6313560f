"""Identity checks against the bank's registers: every answer, a register that is down, and what a member may then."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from activities.identity import CheckRef
from escrow.domain.errors import BankUnreachable, Refused
from escrow.domain.members.identity_checks import RegistrationStatus
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.ledger.attention import Waiting, waiting_for_a_person
from escrow.registry.members.identity_checks import IdentitySubject
from escrow.registry.members.members import Member, MemberKind
from tests.accomplice import Accomplice
from tests.identities import CITIZEN_ID, asked
from tests.story import Story
from tests.story_ground import CONTRACTORS_ACCOUNT
from tests.terminating import terminated_at_rest
from workflows.identity_check import IdentityCheck
from workflows.messages import PAYMENTS_TASK_QUEUE, IdentityCheckInput, identity_check_workflow_id

StoryUnder = Callable[[PlatformConfig], AbstractAsyncContextManager[Story]]

#: UnionPay's public test identity. Of others the bank's register answers by digits 15-17 of the ID number.
TEST_NAME = "全渠道"


async def open_member(story: Story, member_no: str, kind: MemberKind, name: str) -> None:
    await story.stage.registry.members.open(story.platform_no, member_no=member_no, kind=kind, name=name)


async def begin_check(story: Story, member_no: str, subject: IdentitySubject, check_no: str) -> Any:
    """Keep the question and start its workflow, as the API does."""
    await asked(story.stage.registry, story.platform_no, member_no, subject, check_no)
    return await story.stage.client.start_workflow(
        IdentityCheck.run,
        IdentityCheckInput(platform_no=story.platform_no, check_no=check_no),
        id=identity_check_workflow_id(story.platform_no, check_no),
        task_queue=PAYMENTS_TASK_QUEUE,
    )


async def checked(story: Story, member_no: str, subject: IdentitySubject, check_no: str = "IC-A") -> Member:
    """Check a member to the end; the member afterwards."""
    await story.ending_of(await begin_check(story, member_no, subject, check_no))
    return await story.stage.registry.members.get(story.platform_no, member_no)


def right_id(stem: str) -> str:
    """A citizen ID number with its check digit."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return stem + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(stem, weights, strict=True)) % 11]


@pytest.mark.parametrize(
    ("stem", "status", "result"),
    [
        ("11010119900307123", "verified", "match"),
        ("11010119900307990", "refused", "mismatch"),
        ("11010119900307991", "refused", "not_found"),
    ],
)
async def test_a_person_is_what_the_register_says(story: Story, stem: str, status: str, result: str) -> None:
    await open_member(story, "O-9", MemberKind.PERSON, "李雷")
    member = await checked(story, "O-9", IdentitySubject(id_no=right_id(stem)))
    assert member.status == status
    identity = member.facts["identity"]
    assert (identity["result"], identity["source"]) == (result, "sandbox register of persons")
    assert identity["as_of"] == (await story.last_day(0)).isoformat()
    assert [event.event_type for event in await story.events("member", "O-9")][-1] == (
        "member.identity_verified" if status == "verified" else "member.identity_refused"
    )


@pytest.mark.parametrize(
    ("name", "credit_code", "representative", "status", "told"),
    [
        (
            "沙箱装饰工程有限公司",
            "91000000MA1TAX1067",
            (TEST_NAME, CITIZEN_ID),
            "verified",
            {"registration_status": "active", "registered_capital_fen": 100_000_000, "paid_in_capital_fen": 60_000_000},
        ),
        (
            "沙箱旧日装饰有限公司",
            "91000000MA2TRY111A",
            ("李建国", "110101198503071016"),
            "struck_off",
            {"registration_status": "cancelled"},
        ),
        (
            "沙箱失信装饰有限公司",
            "91000000MA4CUT1390",
            ("李建国", "110101198503071016"),
            "struck_off",
            {"registration_status": "revoked", "paid_in_capital_fen": 0},
        ),
        (
            "沙箱装饰工程有限公司",
            "91000000MA1TAX1067",
            ("李建国", "110101198503071016"),
            "refused",
            {"mismatches": ["legal_representative"]},
        ),
    ],
)
async def test_a_company_is_what_the_register_says(
    story: Story, name: str, credit_code: str, representative: tuple[str, str], status: str, told: dict[str, Any]
) -> None:
    await open_member(story, "C-9", MemberKind.COMPANY, name)
    subject = IdentitySubject(
        id_no=credit_code, legal_representative_name=representative[0], legal_representative_id=representative[1]
    )
    member = await checked(story, "C-9", subject)
    assert member.status == status
    assert told.items() <= member.facts["identity"].items()
    assert member.facts["identity"]["source"] == "sandbox register of businesses"


async def test_a_sole_trader_is_checked_with_its_operator_and_has_no_capital(story: Story) -> None:
    await open_member(story, "C-9", MemberKind.SOLE_TRADER, "沙箱区老王水电装修店")
    subject = IdentitySubject(
        id_no="92000000MA3DEF124L",
        legal_representative_name="王小明",
        legal_representative_id="110101199001012029",
    )
    member = await checked(story, "C-9", subject)
    assert member.status == "verified"
    assert member.facts["identity"]["registered_capital_fen"] is None


async def test_the_agent_of_a_company_is_checked_too_and_its_mobile_known_afterwards(story: Story) -> None:
    registry = story.stage.registry
    await open_member(story, "C-9", MemberKind.COMPANY, "沙箱装饰工程有限公司")
    subject = IdentitySubject(
        id_no="91000000MA1TAX1067",
        legal_representative_name=TEST_NAME,
        legal_representative_id=CITIZEN_ID,
        agent_name="韩梅梅",
        agent_id=right_id("11010119900307990"),
        agent_mobile="13800000009",
    )
    member = await checked(story, "C-9", subject, "IC-A")
    assert (member.status, member.facts["identity"]["mismatches"]) == ("refused", ["agent"])
    assert await registry.identity_checks.agent_mobile(story.platform_no, "C-9") is None

    subject = replace(subject, agent_id=right_id("11010119900307321"))
    assert (await checked(story, "C-9", subject, "IC-B")).status == "verified"
    assert await registry.identity_checks.agent_mobile(story.platform_no, "C-9") == "13800000009"


async def test_a_register_that_is_down_is_asked_again_until_it_answers(story: Story) -> None:
    await open_member(story, "O-9", MemberKind.PERSON, TEST_NAME)
    steer = story.stage.sandbox.steer
    await steer.set_service_health("REGISTER", "DOWN")
    handle = await begin_check(story, "O-9", IdentitySubject(id_no=CITIZEN_ID), "IC-A")
    await story.hours_pass(3)
    assert (await story.stage.registry.members.get(story.platform_no, "O-9")).status == "open"
    await steer.set_service_health("REGISTER", "UP")
    assert await story.ending_of(handle) == "verified"


async def test_a_register_that_is_down_for_a_day_leaves_the_member_as_it_is(story: Story) -> None:
    await open_member(story, "O-9", MemberKind.PERSON, TEST_NAME)
    subject = IdentitySubject(id_no=right_id("11010119900307992"))
    handle = await begin_check(story, "O-9", subject, "IC-A")
    assert await story.ending_of(handle, step=timedelta(hours=1)) == "unanswered"
    member = await story.stage.registry.members.get(story.platform_no, "O-9")
    assert (member.status, member.facts) == ("open", {})
    check = await story.stage.registry.identity_checks.get(story.platform_no, "O-9", "IC-A")
    assert (check.status, check.outcome) == ("unanswered", {"result": "no_answer"})


async def test_a_verified_member_is_found_struck_off_when_checked_again(story: Story) -> None:
    await open_member(story, "C-9", MemberKind.COMPANY, "将来注销装饰有限公司")
    code = "91330106673959654P"
    subject = IdentitySubject(id_no=code, legal_representative_name=TEST_NAME, legal_representative_id=CITIZEN_ID)
    steer = story.stage.sandbox.steer

    async def enter(status: RegistrationStatus) -> None:
        await steer.enter_company(
            credit_code=code,
            name="将来注销装饰有限公司",
            legal_representative_name=TEST_NAME,
            legal_representative_id=CITIZEN_ID,
            status=status,
        )

    await enter(RegistrationStatus.ACTIVE)
    assert (await checked(story, "C-9", subject, "IC-A")).status == "verified"
    await enter(RegistrationStatus.CANCELLED)
    assert (await checked(story, "C-9", subject, "IC-B")).status == "struck_off"


async def test_nothing_personal_is_in_the_history_or_in_the_clear_in_the_books(story: Story) -> None:
    name, number = "欧阳某某", right_id("11010119900307444")
    await open_member(story, "O-9", MemberKind.PERSON, name)
    handle = await begin_check(story, "O-9", IdentitySubject(id_no=number), "IC-CANARY")
    await story.ending_of(handle)
    history = (await handle.fetch_history()).to_json()
    connection = await asyncpg.connect(story.stage.database.superuser_dsn)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = "".join([str(await connection.fetch(f'SELECT t::text FROM "{table["tablename"]}" t')) for table in tables])
    await connection.close()
    assert "IC-CANARY" in rows
    for secret in (name, number):
        for form in (secret, secret.encode().hex()):
            assert form not in rows
            assert form not in history


async def test_an_answer_recorded_twice_is_recorded_once(story: Story) -> None:
    await open_member(story, "O-9", MemberKind.PERSON, TEST_NAME)
    await checked(story, "O-9", IdentitySubject(id_no=CITIZEN_ID), "IC-A")
    again = await story.stage.client.start_workflow(
        IdentityCheck.run,
        IdentityCheckInput(platform_no=story.platform_no, check_no="IC-A"),
        id=identity_check_workflow_id(story.platform_no, "IC-A"),
        task_queue=PAYMENTS_TASK_QUEUE,
    )
    assert await story.ending_of(again) == "verified"
    types = [event.event_type for event in await story.events("member", "O-9")]
    assert types == ["member.opened", "member.identity_asked", "member.identity_verified"]


async def test_whoever_has_the_register_asked_is_told_what_it_says_and_cannot_end_the_question(story: Story) -> None:
    await open_member(story, "O-9", MemberKind.PERSON, TEST_NAME)
    await asked(story.stage.registry, story.platform_no, "O-9", IdentitySubject(id_no=CITIZEN_ID), "IC-A")
    thief = Accomplice(story.stage, "by-hand")
    ref = CheckRef(platform_no=story.platform_no, check_no="IC-A")
    await story.stage.sandbox.steer.set_service_health("REGISTER", "DOWN")
    with pytest.raises(BankUnreachable):
        await thief.runs(thief.activities.identities.check_identity, ref)
    assert (await story.stage.registry.identity_checks.get(story.platform_no, "O-9", "IC-A")).status == "asked"

    await story.stage.sandbox.steer.set_service_health("REGISTER", "UP")
    assert await thief.runs(thief.activities.identities.check_identity, ref) == "verified"
    with pytest.raises(Refused):
        await thief.runs(thief.activities.identities.check_identity, ref.model_copy(update={"check_no": "IC-B"}))


async def test_a_person_is_called_to_a_register_that_is_silent_for_an_hour_and_not_needed_when_it_answers(
    story: Story,
) -> None:
    await open_member(story, "O-9", MemberKind.PERSON, TEST_NAME)
    await story.stage.sandbox.steer.set_service_health("REGISTER", "DOWN")
    handle = await begin_check(story, "O-9", IdentitySubject(id_no=CITIZEN_ID), "IC-A")
    await story.hours_pass(0.5)
    assert await _waiting(story) == []
    await story.hours_pass(2)

    [called] = await _waiting(story)
    check = await story.stage.registry.identity_checks.get(story.platform_no, "O-9", "IC-A")
    assert (called.key.kind, called.key.object_no) == ("identity_check", "IC-A")
    assert timedelta(hours=1) <= called.since - check.asked_at < timedelta(hours=2)

    await handle.cancel()
    await story.hours_pass(0.5)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await terminated_at_rest(handle, "an accident")
    again = await _start(story, "IC-A")
    await story.hours_pass(0.1)
    await again.cancel()
    await story.stage.sandbox.steer.set_service_health("REGISTER", "UP")
    assert await story.ending_of(again) == "verified"
    assert await _waiting(story) == []


async def test_a_check_whose_process_was_ended_is_unanswered_a_day_after_it_was_asked(story: Story) -> None:
    await open_member(story, "O-9", MemberKind.PERSON, TEST_NAME)
    await story.stage.sandbox.steer.set_service_health("REGISTER", "DOWN")
    handle = await begin_check(story, "O-9", IdentitySubject(id_no=CITIZEN_ID), "IC-A")
    await story.hours_pass(23)
    await terminated_at_rest(handle, "an accident")
    began_at = await story.now()

    assert await story.ending_of(await _start(story, "IC-A"), step=timedelta(hours=1)) == "unanswered"
    assert await story.now() - began_at < timedelta(hours=6)


async def _start(story: Story, check_no: str) -> WorkflowHandle[Any, Any]:
    return await story.stage.client.start_workflow(
        IdentityCheck.run,
        IdentityCheckInput(platform_no=story.platform_no, check_no=check_no),
        id=identity_check_workflow_id(story.platform_no, check_no),
        task_queue=PAYMENTS_TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def _waiting(story: Story) -> list[Waiting]:
    return await waiting_for_a_person(story.stage.recorder, story.platform_no, limit=10)


@pytest.mark.parametrize("required", [True, False])
async def test_a_standing_order_withdraws_for_an_unverified_contractor_only_where_the_platform_allows_it(
    story_under: StoryUnder, required: bool
) -> None:
    async with story_under(
        PlatformConfig(top_up_settlement=Settlement.T_PLUS_0, identity_required_for_withdrawal=required)
    ) as story:
        await story.members_open()
        registry = story.stage.registry
        await registry.members.open(
            story.platform_no, member_no="C-9", kind=MemberKind.COMPANY, name=CONTRACTORS_ACCOUNT.account_name
        )
        await registry.bank_accounts.unbind(story.platform_no, "C-1", CONTRACTORS_ACCOUNT.account_id)
        await registry.bank_accounts.bind(story.platform_no, "C-9", replace(CONTRACTORS_ACCOUNT, account_id="A-C9"))
        await story.owner_transfers("186,000.00")
        await story.order_opens(contractor_no="C-9", withdraw_automatically=True)
        await story.pays()
        await story.starts()
        outcome = await story.withdrawal_ends("D-1001:M1:withdrawal:1")
        withdrawable = (await story.balances()).get("C-9/withdrawable")
        if required:
            assert (outcome.status, withdrawable) == ("refused", "53,010.00")
            refused = await story.in_the_books("withdrawal", outcome.withdrawal_no)
            assert refused.body["refusal"] == "identity_required"
        else:
            assert (outcome.status, withdrawable) == ("paid", None)
