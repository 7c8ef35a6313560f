"""States of what looks after members: three tables, from which, with the members' own, the page in the docs is made."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from escrow.domain.collections.mandates import MandateStatus
from escrow.domain.members.states import MemberEvent
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


class CheckStatus(StrEnum):
    """Where a question to the identity registry stands; answered, it is what the answer says of the member."""

    ASKED = "asked"
    VERIFIED = "verified"
    REFUSED = "refused"
    STRUCK_OFF = "struck_off"
    UNANSWERED = "unanswered"


class CheckEvent(StrEnum):
    """What the registry says, or that it has said nothing for a day."""

    IDENTITY_MATCHED = MemberEvent.IDENTITY_MATCHED.value
    IDENTITY_NOT_MATCHED = MemberEvent.IDENTITY_NOT_MATCHED.value
    COMPANY_STRUCK_OFF = MemberEvent.COMPANY_STRUCK_OFF.value
    NO_ANSWER = "no_answer"


#: A question is answered once.
CHECK_TRANSITIONS: Mapping[tuple[CheckStatus, CheckEvent], CheckStatus] = MappingProxyType(
    {
        (CheckStatus.ASKED, CheckEvent.IDENTITY_MATCHED): CheckStatus.VERIFIED,
        (CheckStatus.ASKED, CheckEvent.IDENTITY_NOT_MATCHED): CheckStatus.REFUSED,
        (CheckStatus.ASKED, CheckEvent.COMPANY_STRUCK_OFF): CheckStatus.STRUCK_OFF,
        (CheckStatus.ASKED, CheckEvent.NO_ANSWER): CheckStatus.UNANSWERED,
    }
)


class MandateEvent(StrEnum):
    """What happens to a mandate."""

    BANK_TAKES_IT = "bank_takes_it"
    BANK_REFUSES_IT = "bank_refuses_it"
    REVOKED = "revoked"
    LAST_DAY_IS_OVER = "last_day_is_over"


_M = MandateStatus

#: One that has ended stays so, whatever the bank knows of it.
MANDATE_TRANSITIONS: Mapping[tuple[MandateStatus, MandateEvent], MandateStatus] = MappingProxyType(
    {
        (_M.SIGNED, MandateEvent.BANK_TAKES_IT): _M.ACTIVE,
        (_M.SIGNED, MandateEvent.BANK_REFUSES_IT): _M.REFUSED,
        **{(status, MandateEvent.REVOKED): _M.REVOKED for status in (_M.SIGNED, _M.ACTIVE)},
        **{(status, MandateEvent.LAST_DAY_IS_OVER): _M.EXPIRED for status in (_M.SIGNED, _M.ACTIVE)},
    }
)
