"""Members: owners and contractors of a platform, each with a wallet of sub-accounts."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, Services, UsedServices, address_of
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER
from api.operations import members
from api.problems import problems
from api.schemas import Body, Line, Number, PageQuery, PathNumber, RequestNumber, Time, View
from escrow.domain.members.states import MemberStatus, Permission, permissions
from escrow.domain.operations.members import CloseMember
from escrow.domain.platforms.config import PlatformConfig
from escrow.registry.members.members import Member, MemberKind

router = APIRouter(prefix="/members", tags=["members"])


class MemberOpening(Body):
    """A member to open."""

    member_no: Number = Field(examples=["O-1"])
    kind: MemberKind
    name: Line = Field(
        min_length=1, max_length=120, description="Name as the bank knows it; kept encrypted.", examples=["王小明"]
    )
    mobile: str | None = Field(
        default=None,
        pattern=r"^1[3-9]\d{9}$",
        description="Mainland mobile for SMS; kept encrypted.",
        examples=["13800000001"],
    )


class IdentityView(View):
    """What the registry said last, and where it can be looked up."""

    request_no: str = Field(description="The identity check that brought the answer.")
    result: str
    source: str = Field(description="The register that answered.")
    as_of: str = Field(description="Day to which its knowledge belongs.")
    answered_at: Time


class ClosingView(View):
    """A closing: under way, done or broken off."""

    request_no: str
    asked_at: Time
    closes_at: Time = Field(description="From then on the last payout cannot come back; then it is closed.")
    broken_off_because: list[dict[str, Any]] = Field(description="What began meanwhile; empty unless broken off.")


class MemberClosing(Body):
    """A member's wish to close its wallet. The member has consented; the platform vouches for it."""

    request_no: RequestNumber


class MemberView(View):
    """A member; the mobile is masked."""

    member_no: str
    kind: MemberKind
    name: str
    mobile_masked: str | None
    status: MemberStatus = Field(
        description="`open`: identity not checked yet · `verified` · `refused`: the registry knows another · "
        "`struck_off`: a business that may no longer trade · `closing` · `closed`"
    )
    may: list[Permission] = Field(description="What the member may do now, under your configuration.")
    identity: IdentityView | None = Field(description="The registry's last answer; null before the first.")
    closing: ClosingView | None = Field(description="The last request to close; null when there was none.")
    opened_at: Time


class MemberPage(View):
    """Members in the order of their numbers."""

    members: list[MemberView]


def _view(member: Member, config: PlatformConfig) -> MemberView:
    identity, closing = member.facts.get("identity"), member.facts.get("closing")
    return MemberView(
        member_no=member.member_no,
        kind=member.kind,
        name=member.name,
        mobile_masked=member.mobile and f"{member.mobile[:3]}****{member.mobile[-4:]}",
        status=member.status,
        may=list(permissions(member.status, identity_required_for_withdrawal=config.identity_required_for_withdrawal)),
        identity=identity
        and IdentityView(
            request_no=identity["check_no"],
            result=identity["result"],
            source=identity["source"],
            as_of=identity["as_of"],
            answered_at=identity["answered_at"],
        ),
        closing=closing
        and ClosingView(
            request_no=closing["request_no"],
            asked_at=closing["asked_at"],
            closes_at=closing["closes_at"],
            broken_off_because=closing.get("broken_off_because", []),
        ),
        opened_at=member.opened_at,
    )


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Open a member",
    responses=problems("request_no_reused", "member_no_reserved", repeated=MemberView),
)
async def open_member(
    body: MemberOpening, response: Response, platform_no: CallerPlatform, services: UsedServices
) -> MemberView:
    """Open a member's sub-accounts. The wallet opens with the member and holds nothing.

    Repeating the call with the same content answers 200 and changes nothing.
    """
    member, created = await services.registry.members.open(
        platform_no, member_no=body.member_no, kind=body.kind, name=body.name, mobile=body.mobile
    )
    if not created:
        response.status_code = status.HTTP_200_OK
    return _view(member, await _config(services, platform_no))


@router.get("", summary="List members", responses=problems())
async def list_members(
    page: Annotated[PageQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> MemberPage:
    """Members in the order of their numbers, after a given one."""
    members = await services.registry.members.page(platform_no, after=page.after, limit=page.limit)
    config = await _config(services, platform_no)
    return MemberPage(members=[_view(member, config) for member in members])


@router.get("/{member_no}", summary="One member", responses=problems("not_found"))
async def get_member(member_no: PathNumber, platform_no: CallerPlatform, services: UsedServices) -> MemberView:
    """What is known of the member."""
    member = await services.registry.members.get(platform_no, member_no)
    return _view(member, await _config(services, platform_no))


@router.post(
    "/{member_no}/close",
    summary="Close a member",
    responses=problems(
        "not_found",
        "request_no_reused",
        "member_not_closable",
        "member_state",
        "calendar_unknown",
        *AWAITING_PROBLEMS,
        "basis_missing",
        "basis_void",
        "basis_expired",
        "basis_used",
        "basis_mismatch",
        "temporal_unavailable",
    )
    | AWAITS_MEMBER,
)
async def close_member(
    member_no: PathNumber,
    body: MemberClosing,
    request: Request,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> MemberView:
    """Close the member's sub-accounts: nothing on them, no open order, no payout under way.

    The member is `closing` at once, and nothing new begins. It is `closed` when its last payout can no longer come
    back: at the end of the seventh working day after it. What slipped in until then breaks the closing off. A closed
    member refuses everything, its bank accounts are unbound, and money that still comes waits in suspense.
    """
    remote_address = address_of(request)
    operation = CloseMember(member_no=member_no, request_no=body.request_no)
    await members.close(services, platform_no, operation, remote_address=remote_address)
    config = await _config(services, platform_no)
    return _view(await services.registry.members.get(platform_no, member_no), config)


async def _config(services: Services, platform_no: str) -> PlatformConfig:
    return (await services.registry.platforms.configurations.current(platform_no)).config
