"""The desk of a top-up: its steps in the ledger, its questions to the channel, its operator."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.pay_ins import CollectionRef, PayInActivities
    from activities.steps import Step
    from escrow.domain.collections.methods import CollectionAnswer
    from escrow.domain.errors import Refused
    from escrow.domain.money.amounts import format_fen
    from escrow.domain.money.journal import Basis
    from escrow.domain.requests import derived
    from workflows.desk import Desk
    from workflows.messages import as_document
    from workflows.pay_in_messages import PayInInput, PayInState
    from workflows.search_attributes import show_search_attributes
    from workflows.timeouts import BANK_QUESTION, LEDGER_RECORD
    from workflows.uncancelled import uncancelled

Answer = TypeVar("Answer")

#: The desk's base wants a bound; a top-up's history stays far below it.
_NEVER_CONTINUED = 50_000


class PayInDesk(Desk):
    """Steps of a top-up."""

    def __init__(self, pay_in: PayInInput) -> None:
        super().__init__(pay_in.platform_no, _NEVER_CONTINUED)
        self.pay_in = pay_in
        self.state = PayInState()
        self.notices = 0
        self.notices_seen = 0

    @property
    def attended(self) -> PayInState:
        """The state that operators look at."""
        return self.state

    @property
    def collection(self) -> CollectionRef:
        """The collection at the channel."""
        return CollectionRef(
            platform_no=self.pay_in.platform_no, pay_in_no=self.pay_in.pay_in_no, request_no=self.state.request_no
        )

    async def ask_channel(self) -> CollectionAnswer | None:
        """How the collection stands; None when the channel does not answer now."""
        try:
            return await uncancelled(
                workflow.execute_activity_method(
                    PayInActivities.query_collection,
                    self.collection,
                    summary="ask the channel about the collection",
                    **BANK_QUESTION,
                ),
                on_cancel=self.note_cancel,
            )
        except ActivityError:
            return None

    async def insist(self, activity: Callable[[], Awaitable[Answer]], summary: str) -> Answer:
        """Run a step that must succeed in the end; a refusal goes to an operator and is tried again."""
        while True:
            try:
                return await self.certain(activity)
            except Refused as refusal:
                await self.wait_for_operator(f"{summary}: {refusal.message}")

    async def record(self, request: str, event_type: str, *, is_first: bool = False, **document: Any) -> None:
        """Record a change that moves no money; a refusal is noted, since nothing depends on it."""
        step = self.step(derived(self.pay_in.pay_in_no, request), event_type, is_first=is_first, **document)
        try:
            await self.certain(
                lambda: workflow.execute_local_activity_method(
                    PayInActivities.record_pay_in, step, summary=event_type, **LEDGER_RECORD
                )
            )
        except Refused as refusal:
            self.note(event_type, refusal.message)
        self.refresh()

    def step(
        self, request_no: str, event_type: str, *, bases: Sequence[Basis] = (), is_first: bool = False, **document: Any
    ) -> Step:
        """One step of this top-up, with the state as it is now."""
        facts: dict[str, Any] = {
            "interaction": self.state.interaction,
            "payments": as_document(self.state.payments),
            "reason": self.state.reason,
            "reason_code": self.state.reason_code,
            "debit_channel": self.state.debit_channel,
            "debit_route": list(self.state.debit_route),
            "watched_until": as_document(self.state.watched_until),
        }
        if is_first:
            facts |= {
                "member_no": self.pay_in.member_no,
                "method": self.pay_in.method.value,
                "amount_fen": self.pay_in.amount_fen,
                "expires_at": as_document(self.pay_in.expires_at),
                "order_no": self.pay_in.order_no,
                "batch_no": self.pay_in.batch_no,
                "account_id": self.pay_in.account_id,
                "mandate_no": self.pay_in.mandate_no,
            }
        return Step(
            platform_no=self.pay_in.platform_no,
            object_kind="pay_in",
            object_no=self.pay_in.pay_in_no,
            request_no=request_no,
            event_type=event_type,
            status=self.state.status.value,
            document={**facts, **document},
            occurred_at=self.clock.now(),
            bases=tuple(bases),
            is_first=is_first,
        )

    async def wait_for_notice(self, pause: timedelta, *, summary: str) -> None:
        """Wait for a notice of the channel, at most `pause`; a look ends it too."""
        await self.clock.pause(
            pause, unless=lambda: self.notices > self.notices_seen, summary=summary, on_cancel=self.note_cancel
        )
        self.notices_seen = self.notices

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        lines = [
            f"### {self.pay_in.pay_in_no}: {self.state.status.value.replace('_', ' ')}",
            f"{format_fen(self.pay_in.amount_fen)} yuan for {self.pay_in.member_no} by {self.pay_in.method.value}, "
            f"until {self.pay_in.expires_at.isoformat(timespec='minutes')}",
        ]
        lines += [
            f"- {item.payment_no}: {format_fen(item.amount_fen)} yuan, {item.outcome}" for item in self.state.payments
        ]
        lines += [f"- {sentence}" for sentence in self.state.debit_route]
        if self.state.reason:
            lines.append(f"**Reason:** {self.state.reason}")
        if self.state.attention:
            lines.append(f"**NEEDS ATTENTION:** {self.state.attention}")
        lines += [f"- noted {note.name}: {note.reason}" for note in self.state.noted]
        workflow.set_current_details("\n\n".join(lines))
        show_search_attributes(status=None, stage=None, needs_attention=bool(self.state.attention))
