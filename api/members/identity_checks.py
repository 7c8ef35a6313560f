"""Identity checks of members: ask the registry, and see what it answered."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, Services, UsedServices
from api.members.consent_given import ConsentGiven
from api.problems import problems
from api.schemas import BalanceFen, Body, Line, PathNumber, RequestNumber, Time, View
from escrow.domain.errors import Refused
from escrow.domain.members.identity_checks import RegistrationStatus
from escrow.domain.money.journal import Basis
from escrow.ledger.consents import (
    CONSENT_VALIDITY,
    Consent,
    NewConsent,
    keep_refusal,
    raise_kept_refusal,
    record_consent,
)
from escrow.registry.members.identity_checks import IdentityCheck, IdentitySubject

router = APIRouter(prefix="/members/{member_no}/identity-checks", tags=["members"])

_Name = Annotated[Line, Field(min_length=1, max_length=120)]
_CitizenId = Annotated[str, Field(pattern=r"^[0-9]{17}[0-9X]$", examples=["341126197709218366"])]


class PersonNamed(Body):
    """A person who stands for a business; kept encrypted."""

    name: _Name
    id_no: _CitizenId = Field(description="Citizen ID number (GB 11643).")


class AgentNamed(PersonNamed):
    """Who acts for a business here; the SMS codes of its account verifications go to this mobile."""

    mobile: str = Field(pattern=r"^1[3-9]\d{9}$", examples=["13800000002"])


class IdentityCheckOpening(Body):
    """A question to the registry about a member, under the name that the member was opened with."""

    request_no: RequestNumber
    id_no: str = Field(
        pattern=r"^[0-9A-Z]{18}$",
        description="A person's citizen ID number (GB 11643); the unified social credit code (GB 32100) of a sole "
        "trader or company. Kept encrypted.",
        examples=["341126197709218366"],
    )
    legal_representative: PersonNamed | None = Field(
        default=None, description="Of a company; of a sole trader its operator. A person has none."
    )
    agent: AgentNamed | None = Field(default=None, description="Of a business, where somebody acts for it.")
    consent: ConsentGiven


class IdentityCheckView(View):
    """A question to the registry and its answer. Numbers and names that were asked about are not shown again."""

    request_no: str
    member_no: str
    status: str = Field(
        description="`asked`, `verified`, `refused`, `struck_off`, or `unanswered`: then ask anew later."
    )
    result: str = Field(
        description="`match`, `mismatch`, `not_found`, `identity_number_invalid` or `no_answer`; empty while asked."
    )
    mismatches: list[str] = Field(description="Of a business: what does not match.")
    registration_status: RegistrationStatus | None = Field(description="Of a business: 存续, 注销, 吊销.")
    registered_capital_fen: BalanceFen | None
    paid_in_capital_fen: BalanceFen | None
    source: str = Field(description="The register that answered.")
    as_of: date | None = Field(description="Day to which the register's knowledge belongs.")
    asked_at: Time
    answered_at: Time | None


class IdentityCheckList(View):
    """All checks of a member, oldest first."""

    identity_checks: list[IdentityCheckView]


def identity_check_view(check: IdentityCheck) -> IdentityCheckView:
    """How a check is shown."""
    outcome: dict[str, Any] = check.outcome or {}
    return IdentityCheckView(
        request_no=check.check_no,
        member_no=check.member_no,
        status=check.status,
        result=outcome.get("result", ""),
        mismatches=outcome.get("mismatches", []),
        registration_status=outcome.get("registration_status"),
        registered_capital_fen=outcome.get("registered_capital_fen"),
        paid_in_capital_fen=outcome.get("paid_in_capital_fen"),
        source=outcome.get("source", ""),
        as_of=outcome.get("as_of") or None,
        asked_at=check.asked_at,
        answered_at=check.answered_at,
    )


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Check a member's identity",
    responses=problems(
        "not_found",
        "request_no_reused",
        "function_off",
        "identity_no_invalid",
        "identity_parts",
        "identity_fixed",
        "member_state",
        "basis_missing",
        "basis_void",
        "basis_expired",
        "basis_used",
        "basis_mismatch",
        "temporal_unavailable",
        repeated=IdentityCheckView,
    ),
)
async def check_identity(
    member_no: PathNumber,
    body: IdentityCheckOpening,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> IdentityCheckView:
    """Have the registry asked whether the member is who it says it is.

    Check digits are looked at first. Answers at once with `asked`; the registry is then asked until it answers, for a
    day at most. The outcome is an event of the member and is shown here.
    """
    await services.registry.members.get(platform_no, member_no)
    subject = _subject(body)
    consent = await _consent(services, platform_no, member_no, body, subject)
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    try:
        check, is_new = await services.registry.identity_checks.ask(
            platform_no,
            member_no,
            body.request_no,
            subject,
            consent=Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash),
        )
    except Refused as refusal:
        await keep_refusal(services.recorder, platform_no, body.request_no, refusal)
        raise
    if check.status == "asked":
        await services.processes.look_after_check(platform_no, check.check_no, member_no=member_no)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return identity_check_view(check)


def _subject(body: IdentityCheckOpening) -> IdentitySubject:
    representative, agent = body.legal_representative, body.agent
    return IdentitySubject(
        id_no=body.id_no,
        legal_representative_name=representative.name if representative else "",
        legal_representative_id=representative.id_no if representative else "",
        agent_name=agent.name if agent else "",
        agent_id=agent.id_no if agent else "",
        agent_mobile=agent.mobile if agent else "",
    )


async def _consent(
    services: Services, platform_no: str, member_no: str, body: IdentityCheckOpening, subject: IdentitySubject
) -> Consent:
    """The evidence: who agreed to be asked about, when, from which address, by which text."""
    consent, _ = await record_consent(
        services.recorder,
        NewConsent(
            platform_no=platform_no,
            consent_no=body.request_no,
            object_kind="member",
            object_no=member_no,
            operation="check_identity",
            given_by=member_no,
            terms={"subject": services.registry.identity_checks.fingerprint(platform_no, subject)},
            valid_for=CONSENT_VALIDITY,
            text_version=body.consent.text_version,
            remote_address=str(body.consent.address),
        ),
    )
    return consent


@router.get("", summary="List a member's identity checks", responses=problems("not_found"))
async def list_identity_checks(
    member_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> IdentityCheckList:
    """All checks of the member with their outcomes, oldest first."""
    await services.registry.members.get(platform_no, member_no)
    checks = await services.registry.identity_checks.of_member(platform_no, member_no)
    return IdentityCheckList(identity_checks=[identity_check_view(check) for check in checks])


@router.get("/{check_no}", summary="One identity check", responses=problems("not_found"))
async def get_identity_check(
    member_no: PathNumber, check_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> IdentityCheckView:
    """The check under the request number that asked for it."""
    return identity_check_view(await services.registry.identity_checks.get(platform_no, member_no, check_no))
