"""What an identity registry answers about a person or a company."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class IdentityResult(StrEnum):
    """Whether what was told is what the registry holds."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NOT_FOUND = "not_found"


class RegistrationStatus(StrEnum):
    """State of a business registration: 存续, 注销, 吊销."""

    ACTIVE = "active"
    CANCELLED = "cancelled"
    REVOKED = "revoked"

    @property
    def is_struck_off(self) -> bool:
        """Whether the business may no longer trade."""
        return self is not RegistrationStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonCheck:
    """Answer about a person: no personal data in it.

    Args:
        source: which register answered.
        as_of: day (Asia/Shanghai) to which the register's knowledge belongs.
    """

    result: IdentityResult
    source: str
    as_of: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyCheck:
    """Answer about a company or sole trader: no personal data in it.

    Args:
        result: MATCH only when every part that was told matches; see `mismatches`.
        mismatches: which parts do not: `name`, `legal_representative`, `agent`.
        status: state of its registration, None when it is not found.
        registered_capital_fen: as registered, None where the register holds none (sole traders).
        paid_in_capital_fen: as verified (工商验资), likewise.
        source: which register answered.
        as_of: day (Asia/Shanghai) to which the register's knowledge belongs.
    """

    result: IdentityResult
    mismatches: tuple[str, ...]
    status: RegistrationStatus | None
    registered_capital_fen: int | None
    paid_in_capital_fen: int | None
    source: str
    as_of: date
