"""What is known of an account verification without personal data, and how its changes become events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.members.verification_rules import VerificationMethod, VerificationStatus
from escrow.domain.money.journal import Basis, Change, Posting
from escrow.domain.requests import derived
from escrow.ledger.transactions import post_within
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


async def tell_verification(
    session: AsyncSession,
    row: AccountVerificationRow,
    what: str,
    *,
    occurred_at: datetime,
    body: dict[str, Any],
    bases: tuple[Basis, ...] = (),
    also: tuple[Change, ...] = (),
) -> None:
    """Record one change as an event; `what` is its name, with a number where it can happen again."""
    await post_within(
        session,
        Posting(
            platform_no=row.platform_no,
            request_no=derived("", "account_verification", row.verification_no, what),
            content={"verification_no": row.verification_no, "what": what},
            occurred_at=occurred_at,
            changes=(
                Change(
                    kind="account_verification",
                    object_no=row.verification_no,
                    event_type=f"account_verification.{what.partition(':')[0]}",
                    status=row.status,
                    body=body,
                    must_be_new=what == "asked",
                ),
                *also,
            ),
            bases=bases,
        ),
    )
