"""What is known of an account verification without personal data."""

from dataclasses import dataclass
from datetime import datetime

from escrow.domain.members.verification_rules import VerificationMethod, VerificationStatus
from escrow.registry.tables import AccountVerificationRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountVerification:
    """One verification, without personal data. `reason` says why it was refused or failed."""

    platform_no: str
    verification_no: str
    member_no: str
    account_id: str
    method: VerificationMethod
    status: VerificationStatus
    reason: str
    asked_at: datetime
    expires_at: datetime | None


def verification_of(row: AccountVerificationRow) -> AccountVerification:
    """The verification of a row."""
    return AccountVerification(
        platform_no=row.platform_no,
        verification_no=row.verification_no,
        member_no=row.member_no,
        account_id=row.account_id,
        method=VerificationMethod(row.method),
        status=VerificationStatus(row.status),
        reason=row.reason,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
    )


def verification_lock(platform_no: str, verification_no: str) -> str:
    """Name under which whoever changes a verification or counts for it waits for the others."""
    return f"account_verification/{platform_no}/{verification_no}"
