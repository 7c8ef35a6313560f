"""States of a member: one table that says what each state may do, and one of the changes between them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from escrow.domain.errors import Refused
from escrow.domain.members.identity_checks import CompanyCheck, IdentityResult, PersonCheck


class MemberStatus(StrEnum):
    """Where a member stands.

    - `open`: its identity was not checked yet.
    - `verified`: the registry knows it as it says it is.
    - `refused`: the registry knows another, or nobody, under its numbers.
    - `struck_off`: the registry has ended the company (注销) or revoked its licence (吊销).
    - `closing`: asked to close; nothing new begins while its last payouts can still come back.
    - `closed`: for good.
    """

    OPEN = "open"
    VERIFIED = "verified"
    REFUSED = "refused"
    STRUCK_OFF = "struck_off"
    CLOSING = "closing"
    CLOSED = "closed"


class Permission(StrEnum):
    """What a member may or may not do."""

    RECEIVE = "receive"
    PAY = "pay"
    CONTRACT = "contract"
    WITHDRAW = "withdraw"
    BIND_ACCOUNT = "bind_account"
    UNBIND_ACCOUNT = "unbind_account"
    CHECK_IDENTITY = "check_identity"
    CLOSE = "close"


class MemberEvent(StrEnum):
    """What changes a member's state."""

    IDENTITY_MATCHED = "identity_matched"
    IDENTITY_NOT_MATCHED = "identity_not_matched"
    COMPANY_STRUCK_OFF = "company_struck_off"
    CLOSING_BEGAN = "closing_began"
    CLOSED = "closed"


_S, _P, _E = MemberStatus, Permission, MemberEvent
_ALL = frozenset(Permission)

#: What each state may do. Money of running orders still reaches whoever can receive; `withdraw` depends, for members
#: not verified, on the platform's configuration too.
MAY: Mapping[MemberStatus, frozenset[Permission]] = MappingProxyType(
    {
        _S.OPEN: _ALL,
        _S.VERIFIED: _ALL,
        _S.REFUSED: _ALL - {_P.WITHDRAW, _P.CONTRACT},
        _S.STRUCK_OFF: _ALL - {_P.WITHDRAW, _P.CONTRACT, _P.PAY, _P.BIND_ACCOUNT},
        _S.CLOSING: frozenset({_P.CLOSE}),
        _S.CLOSED: frozenset(),
    }
)

_IDENTITY: Mapping[MemberEvent, MemberStatus] = {
    _E.IDENTITY_MATCHED: _S.VERIFIED,
    _E.IDENTITY_NOT_MATCHED: _S.REFUSED,
    _E.COMPANY_STRUCK_OFF: _S.STRUCK_OFF,
}
_ALIVE = (_S.OPEN, _S.VERIFIED, _S.REFUSED, _S.STRUCK_OFF)

#: The changes. What is not in it does not happen: an answer of the registry that comes while a member is closing
#: changes nothing any more. A closing that is broken off leads back to the state it began in.
TRANSITIONS: Mapping[tuple[MemberStatus, MemberEvent], MemberStatus] = MappingProxyType(
    {(status, event): becomes for status in _ALIVE for event, becomes in _IDENTITY.items()}
    | {(status, _E.CLOSING_BEGAN): _S.CLOSING for status in _ALIVE}
    | {(_S.CLOSING, _E.CLOSED): _S.CLOSED}
)


def after(status: MemberStatus, event: MemberEvent) -> MemberStatus:
    """State after an event; the same one where the table has no row."""
    return TRANSITIONS.get((status, event), status)


def event_of(answer: PersonCheck | CompanyCheck) -> MemberEvent:
    """What the registry's answer is for the member: only a full match verifies, and only a business that may trade."""
    if answer.result is not IdentityResult.MATCH:
        return MemberEvent.IDENTITY_NOT_MATCHED
    if isinstance(answer, CompanyCheck) and answer.status is not None and answer.status.is_struck_off:
        return MemberEvent.COMPANY_STRUCK_OFF
    return MemberEvent.IDENTITY_MATCHED


def permissions(status: MemberStatus, *, identity_required_for_withdrawal: bool) -> tuple[Permission, ...]:
    """What a member in this state may do under the platform's configuration, in the order of `Permission`."""
    kept_back = {Permission.WITHDRAW} if status is MemberStatus.OPEN and identity_required_for_withdrawal else set()
    return tuple(permission for permission in Permission if permission in MAY[status] - kept_back)


def require_may(
    status: MemberStatus, permission: Permission, *, member_no: str, identity_required_for_withdrawal: bool = False
) -> None:
    """Refuse what a member in this state may not do.

    Args:
        identity_required_for_withdrawal: the platform's configuration; it matters for `withdraw` only.

    Raises:
        Refused: `member_state`, or `identity_required` when verifying the identity would help.
    """
    possible = permissions(status, identity_required_for_withdrawal=identity_required_for_withdrawal)
    if permission in possible:
        return
    if permission in MAY[status]:
        raise Refused(
            "identity_required",
            f"The identity of member {member_no} is not verified: it can receive money, but not withdraw it.",
            {"member_no": member_no, "status": status.value},
        )
    raise Refused(
        "member_state",
        f"Member {member_no} is {status}, so {permission} is not possible;"
        f" possible now: {', '.join(possible) or 'nothing'}.",
        {"member_no": member_no, "status": status.value, "permission": permission.value},
    )
