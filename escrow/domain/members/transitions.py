"""States of what looks after members: three tables, from which, with the members' own, the page in the docs is made."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from escrow.domain.members.verification_rules import VerificationStatus


class VerificationEvent(StrEnum):
    """What happens to the verification of a bank account."""

    SENT = "sent"
    RULE_REFUSED = "rule_refused"
    BANK_DECLINED = "bank_declined"
    NOT_SENT_IN_TIME = "not_sent_in_time"
    CONFIRMED = "confirmed"
    TRIES_SPENT = "tries_spent"
    ACCOUNT_UNBOUND = "account_unbound"
    NOT_CONFIRMED_IN_TIME = "not_confirmed_in_time"
    CAME_BACK = "came_back"


_V, _E = VerificationStatus, VerificationEvent

#: What is not in it does not happen: nothing leads out of an end.
VERIFICATION_TRANSITIONS: Mapping[tuple[VerificationStatus, VerificationEvent], VerificationStatus] = MappingProxyType(
    {
        (_V.ASKED, _E.SENT): _V.SENT,
        (_V.ASKED, _E.RULE_REFUSED): _V.REFUSED,
        (_V.ASKED, _E.BANK_DECLINED): _V.FAILED,
        (_V.ASKED, _E.NOT_SENT_IN_TIME): _V.FAILED,
        (_V.SENT, _E.SENT): _V.SENT,
        (_V.SENT, _E.CONFIRMED): _V.VERIFIED,
        (_V.SENT, _E.TRIES_SPENT): _V.FAILED,
        (_V.SENT, _E.ACCOUNT_UNBOUND): _V.FAILED,
        (_V.SENT, _E.NOT_CONFIRMED_IN_TIME): _V.EXPIRED,
        (_V.SENT, _E.CAME_BACK): _V.RETURNED,
    }
)
