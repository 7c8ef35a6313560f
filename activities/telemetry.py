"""What the activities tell the outside: one log line each, with its numbers, and counters for Prometheus."""

import time
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from escrow.domain.errors import EscrowError

RELEASES = Counter("escrow_releases_total", "Commands and deadlines that released money to payees", ["platform"])
PAYOUT_ANSWERS = Counter(
    "escrow_payout_answers_total", "Definite answers of the bank about payment orders", ["rail", "outcome"]
)
ACTIVITY_SECONDS = Histogram("escrow_activity_seconds", "Duration of activities", ["activity", "outcome"])

_log = structlog.get_logger(__name__)


class Telemetry(Interceptor):
    """Worker interceptor that binds workflow id and attempt to every log line of an activity and times it."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the chain of activity interceptors."""
        return _TelemetryInbound(next)


class _TelemetryInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        outcome, began = "failed", time.monotonic()
        with structlog.contextvars.bound_contextvars(
            workflow_id=info.workflow_id, activity=info.activity_type, attempt=info.attempt
        ):
            try:
                result = await super().execute_activity(input)
                outcome = "done"
            except EscrowError as error:
                outcome = type(error).__name__
                _log.warning("activity_failed", kind=outcome, code=error.code, cause=_cause_of(error))
                raise
            finally:
                seconds = time.monotonic() - began
                ACTIVITY_SECONDS.labels(info.activity_type, outcome).observe(seconds)
                _log.info("activity_ended", outcome=outcome, milliseconds=round(seconds * 1000))
        return result


def _cause_of(error: BaseException) -> str:
    """Class names of what led to an error, the nearest first; no messages, which may hold personal data."""
    causes: list[str] = []
    cause = error.__cause__
    while cause is not None:
        causes.append(type(cause).__name__)
        cause = cause.__cause__
    return " < ".join(causes)
