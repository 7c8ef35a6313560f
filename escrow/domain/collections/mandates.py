"""Mandates for direct debit: their states, what exactly a member signs, and which debits a mandate allows.

All amounts are integer fen, all days are days in Asia/Shanghai.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from escrow.domain.errors import Refused
from escrow.domain.money.amounts import format_fen
from escrow.domain.requests import operation_hash
from escrow.domain.time.calendars import SHANGHAI

#: Version of the text that a member agrees to when it signs a mandate; a new text gets a new version.
MANDATE_TEXT_VERSION = "mandate-1"

#: What a member consents to about a mandate.
SIGN, REVOKE = "sign_mandate", "revoke_mandate"


class MandateStatus(StrEnum):
    """Where a mandate stands.

    - `signed`: the member has agreed; the bank does not know it yet.
    - `active`: the bank knows it, and debits can be made.
    - `refused`: the bank, or a rule of ours, did not take it.
    - `revoked`: the member does not want it any more.
    - `expired`: its last day is over.
    """

    SIGNED = "signed"
    ACTIVE = "active"
    REFUSED = "refused"
    REVOKED = "revoked"
    EXPIRED = "expired"

    @property
    def has_ended(self) -> bool:
        """Whether nothing can ever be debited under it again."""
        return self in (MandateStatus.REFUSED, MandateStatus.REVOKED, MandateStatus.EXPIRED)


def mandate_terms(*, account_id: str, per_debit_fen: int, per_day_fen: int, last_day: date) -> dict[str, Any]:
    """What a member signs: which account may be debited, by how much at once and on one day, until when."""
    return {
        "account_id": account_id,
        "per_debit_fen": per_debit_fen,
        "per_day_fen": per_day_fen,
        "last_day": last_day.isoformat(),
        "text_version": MANDATE_TEXT_VERSION,
    }


def mandate_operation_hash(
    *, platform_no: str, mandate_no: str, operation: str, by: str, terms: Mapping[str, Any]
) -> str:
    """Hash of signing (`SIGN`, with `mandate_terms`) or revoking (`REVOKE`, no terms) a mandate.

    Args:
        by: member whose account it is.
    """
    return operation_hash(
        platform_no=platform_no, object_kind="mandate", object_no=mandate_no, operation=operation, by=by, terms=terms
    )


def ends_at(last_day: date) -> datetime:
    """The first moment at which a mandate is no longer in force, timezone-aware."""
    return datetime.combine(last_day + timedelta(days=1), time(0), SHANGHAI)


def require_last_day_to_come(last_day: date, *, now: datetime) -> None:
    """A mandate whose last day is over cannot be signed.

    Raises:
        Refused: `mandate_not_in_force`, with its last day.
    """
    if now >= ends_at(last_day):
        told = {"last_day": last_day.isoformat()}
        raise Refused("mandate_not_in_force", "The mandate's last day is over.", told)


def require_in_force(status: MandateStatus, last_day: date, *, mandate_no: str, now: datetime) -> None:
    """A mandate allows nothing before the bank knows it, nor after its end.

    Raises:
        Refused: `mandate_not_in_force`, with its status.
    """
    if status is MandateStatus.ACTIVE and now >= ends_at(last_day):
        status = MandateStatus.EXPIRED
    if status is not MandateStatus.ACTIVE:
        raise Refused(
            "mandate_not_in_force",
            f"The mandate {mandate_no} is {status}; nothing can be debited under it.",
            {"mandate_no": mandate_no, "status": status.value},
        )


def require_within_caps(
    *, mandate_no: str, amount_fen: int, per_debit_fen: int, per_day_fen: int, debited_today_fen: int
) -> None:
    """A debit stays within what the member signed.

    Args:
        debited_today_fen: what was debited today before this, debits under way included.

    Raises:
        Refused: `mandate_cap_exceeded`, with the cap that is in the way.
    """
    caps = (("per_debit", per_debit_fen, amount_fen), ("per_day", per_day_fen, amount_fen + debited_today_fen))
    for cap, limit_fen, wanted_fen in caps:
        if wanted_fen > limit_fen:
            raise Refused(
                "mandate_cap_exceeded",
                f"The mandate {mandate_no} allows {format_fen(limit_fen)} yuan {cap.replace('_', ' ')}.",
                {"mandate_no": mandate_no, "cap": cap, "limit_fen": limit_fen},
            )
