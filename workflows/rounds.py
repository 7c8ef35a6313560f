"""Rounds: once a minute whatever is late or has lost its process is taken up; never ends by itself."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.rounds import RoundActivities, RoundMade, TakenUp, TakeUp
    from workflows.messages import Message
    from workflows.supervision import Supervision, history_is_long
    from workflows.timeouts import GOING_ROUND, TAKING_UP
    from workflows.uncancelled import why_unfinished

#: Type and id of the one that runs.
ROUNDS, ROUNDS_WORKFLOW_ID = "Rounds", "rounds"


class RoundsInput(Message):
    """Starts the rounds.

    Args:
        every: how long it is from the end of one round to the next.
        continue_after_events: bounds the history of one run.
    """

    every: timedelta = timedelta(minutes=1)
    continue_after_events: int = 2_000


@workflow.defn(name=ROUNDS)
class Rounds:
    """The one process that looks after all others."""

    @workflow.init
    def __init__(self, rounds: RoundsInput) -> None:
        self.input = rounds
        self.supervision = Supervision(refresh=self.show, now=workflow.now)
        self.last = RoundMade()
        self.trouble: str | None = None

    @workflow.run
    async def run(self, rounds: RoundsInput) -> None:
        """Go round, wait, go round again; what cannot be done is done in the next round."""
        while not history_is_long(rounds.continue_after_events):
            await self.go_round()
            await self.supervision.pause(rounds.every, summary="wait for the next round")
        workflow.continue_as_new(rounds)

    async def go_round(self) -> None:
        """Make one round."""
        going = workflow.execute_activity_method(
            RoundActivities.make_round, summary="take up what is late, look through what is unfinished", **GOING_ROUND
        )
        try:
            self.last = await self.supervision.uncancelled(going)
            self.trouble = None
        except ActivityError as error:
            self.trouble = why_unfinished(error)
        self.show()

    @workflow.update
    async def resume(self, request: TakeUp) -> TakenUp:
        """Operator: take one object up now, or a page of all that is unfinished."""
        taking = workflow.execute_activity_method(
            RoundActivities.take_up, request, summary="an operator has it taken up", **TAKING_UP
        )
        return await self.supervision.uncancelled(taking)

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """Go round now."""
        self.supervision.look()

    def show(self) -> None:
        """What an operator sees."""
        trouble = f"\n\n**The last round failed:** {self.trouble}" if self.trouble else ""
        made = self.last
        workflow.set_current_details(
            f"In the last round {made.late} objects were late; {made.told} processes were told to look, {made.begun} "
            f"begun, {made.begun_anew} begun anew. The next round is within {self.input.every}.{trouble}"
        )
