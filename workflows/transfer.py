"""Transfer: one posting, brought to a certain end. What a rule refuses is recorded as refused, and ends."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.failures import to_temporal
    from activities.steps import Step
    from activities.transfers import MakeTransfer, TransferActivities
    from escrow.domain.errors import Refused
    from escrow.domain.money.journal import Basis
    from escrow.domain.requests import derived
    from escrow.domain.transfers.moves import TransferKind, TransferStatus, transfer_operation_hash, transfer_terms
    from workflows.desk import Desk
    from workflows.messages import OperatorCommand
    from workflows.search_attributes import show_search_attributes
    from workflows.timeouts import LEDGER_POSTING, LEDGER_RECORD
    from workflows.transfer_messages import TransferInput, TransferState

#: The desk's base wants a bound; a transfer's history stays far below it.
_NEVER_CONTINUED = 50_000


@workflow.defn(name="Transfer")
class Transfer(Desk):
    """One transfer."""

    @workflow.init
    def __init__(self, transfer: TransferInput) -> None:
        super().__init__(transfer.platform_no, _NEVER_CONTINUED)
        self.transfer = transfer
        self.state = TransferState()

    @property
    def attended(self) -> TransferState:
        """The state that operators look at."""
        return self.state

    @workflow.run
    async def run(self, transfer: TransferInput) -> str:
        """Move the money or record why not; status of the transfer."""
        await self.clock.begin(on_cancel=self.note_cancel)
        request = MakeTransfer(
            step=self.step("make", TransferStatus.DONE, bases=(self.consent(),)),
            kind=transfer.kind,
            started_as=workflow.info().first_execution_run_id,
            subject_no=transfer.subject_no,
            member_no=transfer.member_no,
            amount_fen=transfer.amount_fen,
        )
        status = TransferStatus.DONE
        try:
            await self.certain(
                lambda: workflow.execute_activity_method(
                    TransferActivities.make_transfer, request, summary=f"make the {transfer.kind}", **LEDGER_POSTING
                )
            )
        except Refused as refusal:
            status = TransferStatus.REFUSED
            if refusal.code != "object_exists":
                await self.record_refusal(refusal)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return status.value

    async def record_refusal(self, refusal: Refused) -> None:
        """Enter the transfer as refused."""
        told = {"code": refusal.code, "message": refusal.message, "details": refusal.details}
        started_as = workflow.info().first_execution_run_id
        step = self.step("refuse", TransferStatus.REFUSED, refusal=told, started_as=started_as)
        try:
            await self.certain(
                lambda: workflow.execute_local_activity_method(
                    TransferActivities.record_refused_transfer, step, summary=refusal.message, **LEDGER_RECORD
                )
            )
        except Refused as refused_record:
            self.note("refuse", refused_record.message)

    def step(self, part: str, status: TransferStatus, *, bases: tuple[Basis, ...] = (), **document: Any) -> Step:
        """The one step of this transfer."""
        transfer = self.transfer
        return Step(
            platform_no=transfer.platform_no,
            object_kind=transfer.kind.value,
            object_no=transfer.transfer_no,
            request_no=derived("", transfer.kind, transfer.transfer_no, part),
            event_type=f"{transfer.kind}.{status}",
            status=status.value,
            document={
                "subject_no": transfer.subject_no,
                "member_no": transfer.member_no,
                "amount_fen": transfer.amount_fen,
                **document,
            },
            occurred_at=self.clock.now(),
            bases=bases,
            is_first=True,
        )

    def consent(self) -> Basis:
        """The consent; its hash is taken of this very transfer, not from the input."""
        transfer = self.transfer
        by = transfer.member_no if transfer.kind is TransferKind.PAYMENT else "platform"
        expected = transfer_operation_hash(
            platform_no=transfer.platform_no,
            kind=transfer.kind,
            transfer_no=transfer.transfer_no,
            by=by,
            terms=transfer_terms(
                subject_no=transfer.subject_no, member_no=transfer.member_no, amount_fen=transfer.amount_fen
            ),
        )
        return Basis(kind="consent", reference=transfer.consent_no, operation_hash=expected)

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        attention = f"**NEEDS ATTENTION:** {self.state.attention}" if self.state.attention else ""
        workflow.set_current_details(f"{self.transfer.kind} {self.transfer.transfer_no}\n\n{attention}")
        show_search_attributes(status=None, stage=None, needs_attention=bool(self.state.attention))

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try again now."""
        self.operator_calls += 1
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        if not self.state.attention:
            raise to_temporal(Refused("transfer_state", "The transfer needs no attention; nothing to resume."))
