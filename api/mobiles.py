"""To which mobile the codes of a party go that authorises something."""

from escrow.domain.errors import Refused
from escrow.registry.registry import Registry


async def mobile_of(registry: Registry, platform_no: str, member_no: str) -> str | None:
    """Where codes go: to the member, or to the platform's contact person where the number is empty.

    Raises:
        Refused: `not_found`.
    """
    if not member_no:
        return (await registry.platforms.get(platform_no)).contact_mobile
    return (await registry.members.get(platform_no, member_no)).mobile


async def require_mobile(registry: Registry, platform_no: str, member_no: str) -> str:
    """Where codes go, when there is anywhere.

    Raises:
        Refused: `no_mobile` or `not_found`.
    """
    mobile = await mobile_of(registry, platform_no, member_no)
    if mobile is None:
        who = f"Member {member_no}" if member_no else "Your contact person"
        raise Refused("no_mobile", f"{who} has no mobile number for SMS codes.")
    return mobile
