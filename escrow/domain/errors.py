"""Errors sorted by who must act on them.

Each class says what the caller does next; `activities/failures.py` maps them once to Temporal and
`api/problems.py` once to HTTP.
"""

from collections.abc import Mapping
from typing import Any


class EscrowError(Exception):
    """Base of all errors of this system.

    Args:
        code: stable machine-readable code, `snake_case`; part of the public API.
        message: one sentence for a person that says what to do next; never holds personal data.
        details: further facts for programs, JSON-compatible, amounts in fen.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details: dict[str, Any] = dict(details or {})


class Refused(EscrowError):
    """A rule says no. Tell the caller; never retry the same request."""


class BankDeclined(EscrowError):
    """The bank said a definite no. The business decides; another try needs a new request number."""


class BankUnreachable(EscrowError):
    """Nothing reached the bank. Retry with the same request number."""


class OutcomeUnknown(EscrowError):
    """The request may have reached the bank, no answer came. Query by request number, never resend."""


class LedgerUnavailable(EscrowError):
    """The database cannot be reached or gave no answer. Retry the same posting under the same request number."""


class LedgerBusy(EscrowError):
    """Others change the same objects faster than a decision on them can be posted. Retry the same request."""
