"""How much time has passed since the books were looked at: what they said is left is waited for by Temporal's clock."""

from datetime import datetime, timedelta

from temporalio import workflow


class Elapsed:
    """Time since this was made."""

    def __init__(self) -> None:
        self._since = workflow.now()

    @property
    def passed(self) -> timedelta:
        """How much it is by now."""
        return workflow.now() - self._since

    def now(self, then: datetime | None) -> datetime:
        """The present moment by the books, which was `then` when this was made; Temporal's while none is known."""
        return workflow.now() if then is None else then + self.passed
