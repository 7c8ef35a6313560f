"""What only a sandbox stack has: time that is let pass, text messages to read, platforms opened for a test.

Elsewhere every one of these answers 404, as if it did not exist.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Self

from fastapi import APIRouter, Depends, Response, status
from pydantic import AwareDatetime, Field, model_validator

from api.dependencies import CallerPlatform, Services, UsedServices
from api.problems import ALWAYS, problems
from api.schemas import Body, Number, RequestNumber, Time, View
from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.domain.errors import Refused
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.books_time import books_now, is_sandbox
from escrow.ledger.consents import CONSENT_VALIDITY, Consent, NewConsent, get_consent, record_consent, store_outcome
from escrow.registry.members.members import PLATFORM_ITSELF
from escrow.registry.platforms.file import PlatformFile
from escrow.registry.platforms.platforms import custody_account_of
from escrow.sandbox.skipping import PlatformSkip, platform_skip
from workflows.messages import collection_workflow_id, order_workflow_id, withdrawal_workflow_id


async def require_sandbox(services: UsedServices) -> None:
    """Elsewhere nothing of this exists.

    Raises:
        Refused: `not_found`.
    """
    if not (services.settings.time_may_be_skipped and await is_sandbox(services.reader)):
        raise Refused("not_found", "Only a sandbox stack has this.")


router = APIRouter(prefix="/sandbox", tags=["sandbox"], dependencies=[Depends(require_sandbox)])
#: Without a platform there is no key yet.
opening = APIRouter(prefix="/sandbox", tags=["sandbox"], dependencies=[Depends(require_sandbox)])

_SANDBOX = "sandbox"
_WITHOUT_A_KEY = tuple(code for code in ALWAYS if code != "unauthorized")

_MOST_DAYS = 3660


class Skipping(Body):
    """How far: by `days`, `hours` and `minutes`, or to a moment; or to what one object waits for."""

    request_no: RequestNumber
    days: float = Field(default=0, ge=0, le=_MOST_DAYS)
    hours: float = Field(default=0, ge=0, le=24 * _MOST_DAYS)
    minutes: float = Field(default=0, ge=0, le=60 * 24 * _MOST_DAYS)
    until: AwareDatetime | None = Field(default=None, description="A moment; one that is past changes nothing.")
    order_no: Number | None = Field(default=None, description="Until what this order waits for has happened.")
    withdrawal_no: Number | None = Field(default=None, description="Until what this withdrawal waits for has happened.")
    top_up_no: Number | None = Field(default=None, description="Until what this top-up waits for has happened.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        objects = [self.order_no, self.withdrawal_no, self.top_up_no]
        ways = [bool(self.span), self.until is not None, *(number is not None for number in objects)]
        if sum(ways) != 1:
            raise ValueError("say by how much, or until when, or which one object is waited for")
        return self

    @property
    def span(self) -> timedelta:
        """By how much; zero when something else is said."""
        return timedelta(days=self.days, hours=self.hours, minutes=self.minutes)

    def workflow_id(self, platform_no: str) -> str | None:
        """Of the object that is waited for, if any."""
        if self.order_no is not None:
            return order_workflow_id(platform_no, self.order_no)
        if self.withdrawal_no is not None:
            return withdrawal_workflow_id(platform_no, self.withdrawal_no)
        return None if self.top_up_no is None else collection_workflow_id(platform_no, self.top_up_no)


class ClockView(View):
    """Your platform's present moment: what its books, its bank account and its workflows go by."""

    now: Time


class SmsView(View):
    """A text message that the bank sent for your platform."""

    mobile: str = Field(examples=["13800000001"])
    text: str
    sent_at: Time


class SmsList(View):
    """All of them, oldest first."""

    items: list[SmsView]


class PlatformOpening(Body):
    """A platform for tests, and the moment at which its story begins."""

    platform_file: PlatformFile = Field(description="As an operator's platform file, in JSON.")
    begin_at: AwareDatetime | None = Field(default=None, description="Past or future; without it, now.")


class PlatformOpened(View):
    """The platform, with the one key that it has."""

    platform_no: str
    key: str
    custody_account_no: str


@router.get("/clock", summary="Your platform's present moment", responses=problems())
async def get_clock(platform_no: CallerPlatform, services: UsedServices) -> ClockView:
    """It goes on by itself, and runs ahead by all that was skipped."""
    return ClockView(now=(await books_now(services.reader, platform_no)).astimezone(SHANGHAI))


@router.post(
    "/skip",
    summary="Let time pass for your platform",
    responses=problems(
        "request_no_reused",
        "skip_under_way",
        "calendar_unknown",
        "workflow_busy",
        "nothing_due",
        "no_time_skipping",
        "clock_overshot",
        "bank_unreachable",
    ),
)
async def skip_time(body: Skipping, platform_no: CallerPlatform, services: UsedServices) -> ClockView:
    """Time passes from one due moment to the next: reminders, silence, deadlines, closings of days, the bank's own.

    All that waits for your platform's clock goes on living with it, and other platforms keep their own time. The call
    is answered when what fell due has happened; repeated, it lets no more time pass.
    """
    asked, _ = await record_consent(
        services.recorder,
        NewConsent(
            platform_no=platform_no,
            consent_no=body.request_no,
            object_kind=_SANDBOX,
            object_no=platform_no,
            operation="skip",
            given_by=PLATFORM_ITSELF,
            terms=body.model_dump(mode="json"),
            valid_for=CONSENT_VALIDITY,
        ),
    )
    async with platform_skip(services.settings, services.recorder, services.processes.client, platform_no) as skipping:
        target = await _target(services, asked, body, skipping)
        return ClockView(now=await skipping.until(target))


@router.get("/sms", summary="The text messages sent for your platform", responses=problems("bank_unreachable"))
async def list_sms(platform_no: CallerPlatform, services: UsedServices) -> SmsList:
    """What members were told: codes, reminders, large withdrawals."""
    custody_account_no = await custody_account_of(services.reader, platform_no)
    async with _bank(services) as bank:
        sent = await bank.sms_outbox()
    return SmsList(
        items=[
            SmsView(mobile=message.mobile, text=message.text, sent_at=message.at)
            for message in sent
            if message.acct_no == custody_account_no
        ]
    )


@opening.post(
    "/platforms",
    status_code=status.HTTP_201_CREATED,
    summary="Open a platform for tests",
    responses=problems(
        "object_exists",
        "request_no_reused",
        "bank_unreachable",
        "not_found",
        always=_WITHOUT_A_KEY,
        repeated=PlatformOpened,
    ),
)
async def open_platform(body: PlatformOpening, response: Response, services: UsedServices) -> PlatformOpened:
    """It needs no key: on a sandbox stack there is nothing to protect. A platform opened otherwise is left alone.

    The same call again gives the same platform, with another key.
    """
    file = body.platform_file
    opening_no = derived("", _SANDBOX, "open")
    is_open = file.platform_no in await services.registry.platforms.numbers()
    if is_open and await get_consent(services.reader, file.platform_no, opening_no) is None:
        raise Refused("object_exists", f"There is a platform {file.platform_no}; choose another number.")
    await record_consent(
        services.recorder,
        NewConsent(
            platform_no=file.platform_no,
            consent_no=opening_no,
            object_kind=_SANDBOX,
            object_no=file.platform_no,
            operation="open",
            given_by=PLATFORM_ITSELF,
            terms=body.model_dump(mode="json"),
            valid_for=CONSENT_VALIDITY,
        ),
    )
    async with _bank(services) as bank:
        custody_account_no = await bank.open_custody_account(
            reference=file.platform_no, title=file.name, start_at=body.begin_at
        )
    platform, _ = await services.registry.open_platform(
        file, custody_account_no=custody_account_no, begin_at=body.begin_at
    )
    if is_open:
        response.status_code = status.HTTP_200_OK
    issued = await services.registry.platforms.issue_key(platform.platform_no)
    return PlatformOpened(
        platform_no=platform.platform_no, key=issued.key, custody_account_no=platform.custody_account_no
    )


async def _target(services: Services, asked: Consent, body: Skipping, skipping: PlatformSkip) -> datetime:
    """Until when a request lets time pass: what it says, or what was worked out when it came for the first time."""
    if body.until is not None:
        return body.until
    if asked.outcome is None:
        workflow_id = body.workflow_id(asked.platform_no)
        target = await skipping.now() + body.span if workflow_id is None else await skipping.when_due(workflow_id)
        await store_outcome(services.recorder, asked.platform_no, asked.consent_no, {"until": target.isoformat()})
        stored = await get_consent(services.reader, asked.platform_no, asked.consent_no)
        asked = stored or asked
    return datetime.fromisoformat((asked.outcome or {})["until"])


@asynccontextmanager
async def _bank(services: Services) -> AsyncIterator[SandboxSteering]:
    bank = SandboxSteering(services.settings.bank_url, timeout_seconds=services.settings.bank_answer_seconds)
    try:
        yield bank
    finally:
        await bank.aclose()
