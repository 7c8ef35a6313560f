"""The one table from our errors to Temporal's: who must act decides whether an activity is tried again.

| error | Temporal | why |
|---|---|---|
| `Refused` | never retried | a rule said no; the caller is told |
| `BankDeclined` | never retried | the business decides, under a new request number |
| `OutcomeUnknown` | never retried | the workflow asks the bank by request number first |
| `Refused`, due within a minute | retried then | a timer fired a little before the books' moment |
| `BankUnreachable`, `LedgerUnavailable` | retried | nothing was sent, or a repeat is answered from the stored receipt |
| `LedgerBusy` | retried | others were faster every time, and nothing was done |

A rule or a bank that says no is business as usual: the SDK logs no trace of it and does not count it as a failure.
"""

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from escrow.domain.errors import (
    BankDeclined,
    BankUnreachable,
    EscrowError,
    LedgerBusy,
    LedgerUnavailable,
    OutcomeUnknown,
    Refused,
)

RETRIED: dict[type[EscrowError], bool] = {
    Refused: False,
    BankDeclined: False,
    OutcomeUnknown: False,
    BankUnreachable: True,
    LedgerBusy: True,
    LedgerUnavailable: True,
}
_USUAL = (Refused, BankDeclined)
#: Refusals of what time alone brings.
_NOT_YET = frozenset({"basis_not_due", "too_early"})
#: A timer may fire a little before the moment that the books wait for: two machines' clocks are not one.
_CLOCKS_APART_AT_MOST = timedelta(minutes=1)


def to_temporal(error: EscrowError) -> ApplicationError:
    """The error as Temporal carries it: type is the class name, details are code, message and facts."""
    due_in = _due_in(error)
    return ApplicationError(
        error.message,
        {"code": error.code, "message": error.message, "details": error.details},
        type=type(error).__name__,
        category=ApplicationErrorCategory.BENIGN if isinstance(error, _USUAL) else ApplicationErrorCategory.UNSPECIFIED,
        non_retryable=due_in is None and not RETRIED[type(error)],
        next_retry_delay=due_in,
    )


def _due_in(error: EscrowError) -> timedelta | None:
    """What is left until a posting is due that its workflow's timer brought about a little early; None of any other."""
    if error.code not in _NOT_YET or "remaining_seconds" not in error.details:
        return None
    remaining = timedelta(seconds=error.details["remaining_seconds"])
    return remaining if remaining <= _CLOCKS_APART_AT_MOST else None


def from_temporal(error: BaseException) -> EscrowError | None:
    """Our error inside what Temporal raised, None when it is something else (time-out, lost worker, defect).

    Anybody may fail an activity of ours: what only looks like our error, and does not say what one says, is none.
    """
    cause: BaseException | None = error.cause if isinstance(error, ActivityError) else error
    if not isinstance(cause, ApplicationError) or not cause.details:
        return None
    match cause.details[0]:
        case {"code": str(code), "message": str(message), "details": dict(details)}:
            kind = next((kind for kind in RETRIED if kind.__name__ == cause.type), None)
            return None if kind is None else kind(code, message, details)
    return None


class FailureMapping(Interceptor):
    """Worker interceptor that applies the table to every activity."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the chain of activity interceptors."""
        return _FailureMappingInbound(next)


class _FailureMappingInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except EscrowError as error:
            # Without the chain of causes, which the log has: with it a failure exceeds what the server keeps of a
            # pending activity, and an operator would read "Failure exceeds size limit." instead of the reason.
            raise to_temporal(error) from None
