"""Somebody else's worker, with our code: what it runs, no process of ours has asked for."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from temporalio.testing import ActivityEnvironment

from tests.stage import Stage, settings_for
from worker import Activities


class Accomplice:
    """A worker of the thief's: runs activities of ours with requests of its own."""

    def __init__(self, stage: Stage, workflow_id: str) -> None:
        self.activities = Activities(
            settings_for(stage.database, stage.sandbox), stage.writer, stage.recorder, stage.sandbox.bank
        )
        self.environment = ActivityEnvironment()
        self.environment.info = replace(self.environment.info, workflow_id=workflow_id)

    async def runs(self, activity: Callable[..., Awaitable[Any]], *requests: Any) -> Any:
        """Have one activity run."""
        return await self.environment.run(activity, *requests)
