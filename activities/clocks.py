"""When a step happens: a workflow's clock may be moved by whoever may write to Temporal, this machine's not."""

from datetime import UTC, datetime, timedelta

#: How far the clocks of two machines may be apart.
_APART = timedelta(seconds=5)


class Clock:
    """Believes a workflow's time where time may be skipped for demonstrations; elsewhere only when it is now."""

    def __init__(self, *, time_may_be_skipped: bool) -> None:
        self._time_may_be_skipped = time_may_be_skipped

    def moment(self, said: datetime) -> datetime:
        """The moment of a step, timezone-aware: as the workflow said it, or now."""
        now = datetime.now(UTC)
        return said if self._time_may_be_skipped or abs(said - now) <= _APART else now
