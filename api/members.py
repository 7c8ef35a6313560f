"""Members: owners and contractors of a platform, each with a wallet of sub-accounts."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, UsedServices
from api.problems import problems
from api.schemas import Body, Line, Number, PageQuery, PathNumber, Time, View
from escrow.ledger.members import Member, MemberKind

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


class MemberView(View):
    """A member; the mobile is masked."""

    member_no: str
    kind: MemberKind
    name: str
    mobile_masked: str | None
    status: str = Field(description="`open`")
    opened_at: Time


class MemberPage(View):
    """Members in the order of their numbers."""

    members: list[MemberView]


def _view(member: Member) -> MemberView:
    return MemberView(
        member_no=member.member_no,
        kind=member.kind,
        name=member.name,
        mobile_masked=member.mobile and f"{member.mobile[:3]}****{member.mobile[-4:]}",
        status="open",
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
    return _view(member)


@router.get("", summary="List members", responses=problems())
async def list_members(
    page: Annotated[PageQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> MemberPage:
    """Members in the order of their numbers, after a given one."""
    members = await services.registry.members.page(platform_no, after=page.after, limit=page.limit)
    return MemberPage(members=[_view(member) for member in members])


@router.get("/{member_no}", summary="One member", responses=problems("not_found"))
async def get_member(member_no: PathNumber, platform_no: CallerPlatform, services: UsedServices) -> MemberView:
    """What is known of the member."""
    return _view(await services.registry.members.get(platform_no, member_no))
