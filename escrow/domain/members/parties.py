"""Whether those whom something concerns may take part in it, as the books have them at one moment."""

from collections.abc import Iterable, Mapping

from escrow.domain.decisions import Facts
from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus, Permission, require_may
from escrow.domain.money.journal import StandsOn


def require_members(facts: Facts, permissions: Mapping[str, Iterable[Permission]]) -> tuple[StandsOn, ...]:
    """Each member is known and may do what is asked of it.

    Args:
        permissions: by member number.

    Returns:
        The members with the versions that were read.

    Raises:
        Refused: `member_unknown` or `member_state`.
    """
    read = []
    for member_no, needed in permissions.items():
        known = facts.members.get(member_no)
        if known is None:
            raise Refused("member_unknown", f"There is no member {member_no}.", {"member_no": member_no})
        for permission in needed:
            require_may(MemberStatus(known.status), permission, member_no=member_no)
        read.append(StandsOn(kind="member", object_no=member_no, version=known.version))
    return tuple(read)
