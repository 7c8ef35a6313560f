"""What members do on our own pages, where no platform can read along: purposes, languages, rules of a password."""

from datetime import timedelta
from enum import StrEnum

from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus

#: After so many wrong tries a payment password is locked, for so long.
PASSWORD_TRIES = 5
PASSWORD_LOCKED_FOR = timedelta(hours=24)
#: One SMS code: validity, tries, and how many are sent for one link and to one member within 24 hours.
CODE_VALID_FOR = timedelta(seconds=120)
CODE_TRIES = 5
CODES_PER_LINK = 3
CODES_PER_DAY = 10
#: How long a link may wait for its member.
LINK_VALID_FOR = timedelta(minutes=15)

PASSWORD_SHORTEST, PASSWORD_LONGEST = 6, 64
_RUNS = ("01234567890", "09876543210")

#: Text of a code that authorises no amount; the platform words only those of payments.
PLAIN_CODE_TEXT = "验证码{code}，用于{operation}，{valid_seconds}秒内有效。请勿告知他人。"


class PagePurpose(StrEnum):
    """What a link is for."""

    SET_PASSWORD = "set_password"  # noqa: S105 - the name of a purpose, not a password
    CHANGE_PASSWORD = "change_password"  # noqa: S105 - the name of a purpose, not a password
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a purpose, not a password
    AUTHORISE = "authorise"


class PageLanguage(StrEnum):
    """Languages of the pages."""

    CHINESE = "zh"
    ENGLISH = "en"


class LinkOutcome(StrEnum):
    """What a link came to; `expired` is one that nobody used in time."""

    PENDING = "pending"
    USED = "used"
    DECLINED = "declined"
    EXPIRED = "expired"


def require_password_link(
    purpose: PagePurpose, *, member_no: str, status: MemberStatus, has_mobile: bool, is_set: bool
) -> None:
    """Who has left sets no password, and the first one is set once; to set or reset one takes a code to the mobile.

    Raises:
        Refused: `member_state`, `no_mobile`, `payment_password_set` or `payment_password_not_set`.
    """
    if status is MemberStatus.CLOSED:
        raise Refused("member_state", f"Member {member_no} is closed.", {"status": status.value})
    if purpose is not PagePurpose.CHANGE_PASSWORD and not has_mobile:
        raise Refused("no_mobile", f"Member {member_no} has no mobile number for SMS codes.")
    if is_set and purpose is PagePurpose.SET_PASSWORD:
        raise Refused("payment_password_set", f"Member {member_no} has set a payment password.")
    if not is_set and purpose is not PagePurpose.SET_PASSWORD:
        raise Refused("payment_password_not_set", f"Member {member_no} has not set a payment password.")


def password_weakness(password: str, *, mobile: str) -> str | None:
    """Why a payment password may not be taken, as a code, or None.

    Codes: `password_length`; `password_simple` for one repeated sign, a run of digits (also 987654), or a part of the
    member's own mobile number.
    """
    if not PASSWORD_SHORTEST <= len(password) <= PASSWORD_LONGEST:
        return "password_length"
    if len(set(password)) == 1 or any(password in run for run in _RUNS) or (mobile and password in mobile):
        return "password_simple"
    return None
