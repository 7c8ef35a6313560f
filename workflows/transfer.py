"""Transfer: a payment, an assignment or a reversal is made as it was asked for, or refused; then this ends.

It waits for nobody. It is a process all the same, since a ledger that is away must not leave a caller's call half done:
what was asked is made when the ledger is back, whoever asks again, and operators see what is held up.
"""

from temporalio import workflow
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.transfers import TransferActivities, TransferRef
    from workflows.messages import NotedMessage, OperatorCommand, TransferInput
    from workflows.search_attributes import show_search_attributes
    from workflows.supervision import Supervision, require_attention


@workflow.defn(name="Transfer")
class Transfer:
    """One transfer."""

    @workflow.init
    def __init__(self, transfer: TransferInput) -> None:
        self.transfer = transfer
        self.ref = TransferRef(platform_no=transfer.platform_no, kind=transfer.kind, transfer_no=transfer.transfer_no)
        self.supervision = Supervision(refresh=self.refresh, begun_with=transfer)
        self.asked = 1

    @workflow.run
    async def run(self, transfer: TransferInput) -> str:
        """Have it made; asked for again meanwhile, it is looked at again. `done` or `refused`."""
        seen = 0
        while seen < self.asked:
            seen = self.asked
            status = await self.supervision.certain(
                TransferActivities.make_transfer, self.ref, summary=f"make the {transfer.kind}"
            )
        await self.supervision.last_answers()
        return status.value

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """It was asked for again, or the books may have moved."""
        self.asked += 1
        self.supervision.look()

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try again now."""
        self.supervision.resume()
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        require_attention(self.supervision.attention, code="transfer_state", what="transfer")

    @workflow.query
    def noted(self) -> tuple[NotedMessage, ...]:
        """What somebody wanted of this process that was not carried out, such as to cancel it."""
        return tuple(self.supervision.noted)

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        reason = self.supervision.attention
        attention = f"**NEEDS ATTENTION:** {reason}" if reason else ""
        workflow.set_current_details(f"{self.transfer.kind} {self.transfer.transfer_no}\n\n{attention}")
        show_search_attributes(status=None, stage=None, needs_attention=reason is not None)
