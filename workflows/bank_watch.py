"""BankWatch: reads the bank's own list of custody lines and has each new one booked once.

A notice of the bank only wakes it, so lost, repeated and reordered notices end alike: by the bank's list.
"""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.bank_lines import BankLineActivities, LineRef
    from activities.failures import from_temporal
    from workflows.messages import BankWatchInput
    from workflows.supervision import Supervision
    from workflows.timeouts import BANK_QUESTION, LEDGER_POSTING
    from workflows.uncancelled import why_unfinished

#: A run ends after this many looks, or sooner when there was much to book, and begins anew with an empty history.
_LOOKS_PER_RUN = 300


@workflow.defn(name="BankWatch")
class BankWatch:
    """Watch over one platform's custody account, for as long as the platform is open."""

    @workflow.init
    def __init__(self, watch: BankWatchInput) -> None:
        self.watch = watch
        self.notices = 0
        self.notices_seen = 0
        self.trouble = ""
        self.booked = 0
        self.supervision = Supervision(refresh=self.show)

    @workflow.run
    async def run(self, watch: BankWatchInput) -> None:
        """Look, book what is new, wait for a notice or the next look; never ends by itself."""
        for _ in range(_LOOKS_PER_RUN):
            self.notices_seen = self.notices
            await self.look()
            self.show()
            if workflow.info().is_continue_as_new_suggested():
                break
            await self.supervision.until(
                lambda: self.notices > self.notices_seen,
                at_most=watch.poll_every,
                summary="next look at the bank's lines",
            )
        workflow.continue_as_new(watch)

    async def look(self) -> None:
        """Fetch the lines that are not booked yet, and book each in the bank's order."""
        try:
            lines = await self.supervision.uncancelled(
                workflow.execute_activity_method(
                    BankLineActivities.fetch_bank_lines,
                    self.watch.platform_no,
                    summary="read the bank's list of custody lines",
                    **BANK_QUESTION,
                )
            )
        except ActivityError as error:
            self.trouble = self.why(error)
            return
        self.trouble = ""
        for line in lines:
            try:
                await self.book(line)
            except ActivityError as error:
                # One line that cannot be booked must not keep the others out of the books.
                self.trouble = f"line {line.bank_serial_no}: {self.why(error)}"

    async def book(self, line: LineRef) -> None:
        """Book one line; a payout's line is booked by its withdrawal."""
        self.booked += await self.supervision.uncancelled(
            workflow.execute_activity_method(
                BankLineActivities.book_bank_line,
                line,
                summary=f"book {line.kind} line {line.bank_serial_no}",
                **LEDGER_POSTING,
            )
        )

    def why(self, error: ActivityError) -> str:
        """One sentence for an operator."""
        known = from_temporal(error)
        return known.message if known is not None else why_unfinished(error)

    def show(self) -> None:
        """What an operator sees."""
        trouble = f"\n\n**The last look failed:** {self.trouble}" if self.trouble else ""
        workflow.set_current_details(
            f"Custody account of {self.watch.platform_no}: {self.booked} lines booked in this run, "
            f"next look within {self.watch.poll_every}.{trouble}"
        )

    @workflow.signal(dynamic=True)
    async def notified(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Any message wakes the watch; what happened is asked of the bank."""
        self.notices += 1
