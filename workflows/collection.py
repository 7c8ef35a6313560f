"""Collection: what a channel collects, credited or frozen once; whatever else the payer sends goes back.

Read `run` first. What is collected, booked and given back the books decide, and the channel is asked by activities;
this process waits, and branches on what it has seen of the books. A notice of the channel only makes us ask sooner.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.collections import CollectionActivities, CollectionTaken
    from activities.failures import to_temporal
    from activities.payers import CollectionNo
    from activities.quick_payments import PayersTry, PayersWish, QuickPaymentActivities
    from activities.returns import ReturnActivities
    from escrow.domain.collections.view import CollectionView
    from escrow.domain.errors import Refused
    from escrow.domain.members.code_checks import CodeCheck
    from workflows.collection_display import collection_details
    from workflows.collection_messages import (
        CodeCompared,
        CodeSent,
        CodeTry,
        CodeWish,
        CollectionOutcome,
        CollectionProcessState,
    )
    from workflows.elapsed import Elapsed
    from workflows.messages import CollectionRef, OperatorCommand
    from workflows.search_attributes import show_search_attributes
    from workflows.supervision import Supervision, backoff, require_attention
    from workflows.timeouts import CHANNEL_BOOKING, CHANNEL_STEP, LATE_PAYMENTS_ASKED_EVERY
    from workflows.uncancelled import why_unfinished
    from workflows.waking import look_at

#: A collection that waits for its payer is asked about after this long, then twice as long, up to the maximum.
_FIRST_ASKED_AFTER = timedelta(seconds=5)
_ASKED_AT_MOST_EVERY = timedelta(minutes=5)
#: What has no answer is asked about after this long, then after as long as it was in vain.
_ASKED_AGAIN_AFTER = timedelta(seconds=1)
#: Marks collections that are looked after also while a return of theirs has no answer.
_LOOKS_MEANWHILE = "looks-after-while-giving-back"


@workflow.defn(name="PayIn")
class CollectionProcess:
    """One collection: a top-up, or what pays an order or a batch."""

    @workflow.init
    def __init__(self, collection: CollectionRef) -> None:
        self.number = CollectionNo(platform_no=collection.platform_no, pay_in_no=collection.pay_in_no)
        self.supervision = Supervision(refresh=self.refresh, begun_with=collection, now=self.now)
        self.view: CollectionView | None = None
        self.since_seen = Elapsed()
        #: Why the channel or the books could not be asked at last, and since when in a row.
        self.trouble: str | None = None
        self.in_trouble_since: Elapsed | None = None
        self.pause = _FIRST_ASKED_AFTER
        #: Whether what is paid was told to look at the books.
        self.is_told_of_payment = False
        self.notices = 0
        self.notices_seen = 0
        workflow.register_random_seed_callback(lambda _: self.go_stale())

    @workflow.run
    async def run(self, collection: CollectionRef) -> CollectionOutcome:
        """Let the channel collect, book what is paid, give back what must go back, look for late payments."""
        refusal = await self.look_after("open it and ask the channel to collect")
        while self.view is None:
            if refusal is not None:
                return CollectionOutcome(
                    pay_in_no=self.number.pay_in_no, status=None, credited_fen=0, suspended_fen=0, reason=refusal
                )
            await self.until_tried_again()
            self.supervision.begin_anew_if_long()
            refusal = await self.look_after("open it and ask the channel to collect")
        while self.is_open:
            if self.trouble is not None:
                await self.until_tried_again()
            if not self.seen.gives_back:
                if self.trouble is None:
                    await self.payer_or_time()
                await self.look_after("ask the channel how it stands")
            else:
                await self.give_back()
                if self.trouble is not None and self.seen.silent_for is not None and workflow.patched(_LOOKS_MEANWHILE):
                    await self.look_after("ask the channel how it stands")
            if self.is_open:
                self.supervision.begin_anew_if_long()
        self.refresh()
        await self.supervision.last_answers()
        return self.outcome()

    # ---- what is awaited ----

    async def payer_or_time(self) -> None:
        """Wait for the payer while there is time, for the channel's answer, or for payments that come late."""
        seen = self.seen
        if seen.silent_for is not None:
            pause = max(seen.silent_for + self.since_seen.passed, _ASKED_AGAIN_AFTER)
            await self.told(self.within_limits(pause), "ask the channel what became of the order to collect")
        elif seen.has_ended:
            left = (seen.watched_for or timedelta(0)) - self.since_seen.passed
            await self.told(min(left, LATE_PAYMENTS_ASKED_EVERY), "look for late payments")
        else:
            left = seen.expires_in - self.since_seen.passed
            pause = self.within_limits(max(self.pause, -left))
            awaited = "wait for the payer" if left > timedelta(0) else "have the channel close it"
            await self.told(min(pause, left) if left > timedelta(0) else pause, awaited)
            self.pause = min(self.pause * 2, _ASKED_AT_MOST_EVERY)

    async def told(self, at_most: timedelta, summary: str) -> None:
        """Wait until the channel, an operator or a payer has said something, at most so long."""
        await self.supervision.pause(at_most, summary=summary, unless=self.is_told)
        self.notices_seen = self.notices

    async def until_tried_again(self) -> None:
        """What could not be done is tried again: soon at first, then less and less often."""
        in_vain_for = timedelta(0) if self.in_trouble_since is None else self.in_trouble_since.passed
        await self.told(self.within_limits(max(in_vain_for, _ASKED_AGAIN_AFTER)), "try again")

    # ---- what is done ----

    async def look_after(self, summary: str) -> str | None:
        """Have the books opened, the channel asked, and what it says booked; answers why a rule said no."""
        taken = await self.step(CollectionActivities.look_after_collection, summary)
        if taken is None:
            return None
        self.in_trouble_since = None
        await self.tell_who_is_paid()
        return None if taken.refusal is None else taken.refusal.message

    async def tell_who_is_paid(self) -> None:
        """What is paid looks at the books, once; its batch tells the orders, as soon as it has looked itself."""
        if self.view is not None and self.view.pays is not None and not self.is_told_of_payment:
            has_changed = self.view.status == "paid" or (self.view.has_ended and self.view.watched_for is None)
            if has_changed:
                self.is_told_of_payment = True
                await look_at(self.supervision, self.number.platform_no, (self.view.pays,))

    async def give_back(self) -> None:
        """Have what must go back held, and the channel asked for it; or ask what became of that."""
        silent_for = self.seen.silent_for
        if silent_for is not None:
            pause = self.within_limits(max(silent_for + self.since_seen.passed, _ASKED_AGAIN_AFTER))
            await self.told(pause, "wait for the return")
        version = self.seen.version
        taken = await self.step(ReturnActivities.give_back, "give back what was not asked for")
        if taken is not None and silent_for is None and self.seen.version == version:
            self.fails("give back what was not asked for: nothing could be held for it")

    async def step(self, activity: Callable[..., Any], summary: str) -> CollectionTaken | None:
        """Run an activity of this collection; None when it had no answer, and is to be tried again later."""
        call = workflow.execute_activity_method(activity, self.number, summary=summary, **CHANNEL_STEP)
        try:
            taken: CollectionTaken = await self.supervision.uncancelled(call)
        except ActivityError as error:
            self.fails(f"{summary}: {why_unfinished(error)}")
            return None
        self.trouble = None
        if taken.view is not None:
            self.adopt(taken.view)
        return taken

    def fails(self, reason: str) -> None:
        """Something could not be done; it is tried again later."""
        self.trouble, self.in_trouble_since = reason, self.in_trouble_since or Elapsed()
        self.refresh()

    # ---- the code of a quick payment ----

    @workflow.update
    async def compare_code(self, typed: CodeTry) -> CodeCompared:
        """Have a stored try compared by the bank. What it paid is booked from the channel's own answer."""
        request = PayersTry(**self.number.model_dump(), number=typed.number)
        outcome: CodeCheck = await self.supervision.uncancelled(
            workflow.execute_activity_method(
                QuickPaymentActivities.check_payer_code,
                request,
                summary=f"compare code {typed.number}",
                **CHANNEL_BOOKING,
            )
        )
        if outcome in (CodeCheck.ACCEPTED, CodeCheck.EXHAUSTED):
            self.notices += 1
        return CodeCompared(outcome=outcome)

    @compare_code.validator
    def check_compare_code(self, typed: CodeTry) -> None:
        """Refuse when no code can be waited for any more."""
        self.require_code_awaited()

    @workflow.update
    async def send_code(self, wish: CodeWish) -> CodeSent:
        """Have the bank send another code."""
        request = PayersWish(**self.number.model_dump(), request_no=wish.request_no)
        view = await self.supervision.uncancelled(
            workflow.execute_activity_method(
                QuickPaymentActivities.send_payer_code, request, summary="send another code", **CHANNEL_BOOKING
            )
        )
        self.adopt(view)
        return CodeSent(seen_at=view.seen_at)

    @send_code.validator
    def check_send_code(self, wish: CodeWish) -> None:
        """Refuse when no code can be waited for any more."""
        self.require_code_awaited()

    def require_code_awaited(self) -> None:
        """Refuse what has ended, or is no quick payment.

        Raises:
            ApplicationError: `code_not_awaited`.
        """
        if self.view is not None and (self.view.has_ended or self.view.method != "quick"):
            raise to_temporal(Refused("code_not_awaited", f"The payment is {self.view.status} and waits for no code."))

    # ---- who speaks to it ----

    @workflow.signal(dynamic=True)
    async def notified(self, name: str, payloads: Sequence[RawValue]) -> None:
        """`bank_notice` wakes the collection, which then asks the channel itself; anything else is noted."""
        if name == "bank_notice":
            self.notices += 1
        else:
            self.supervision.note(name, "a collection takes no such message")

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books may have moved, or their time: look at them anew."""
        self.go_stale()

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try or ask again now."""
        self.notices += 1
        self.supervision.resume()
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        require_attention(self.attention, code="pay_in_state", what="collection")

    @workflow.query(name="state")
    def state_now(self) -> CollectionProcessState:
        """Where it stands as this process has seen it."""
        return CollectionProcessState(
            collection=self.view,
            attention=self.attention,
            trouble=self.trouble,
            noted=tuple(self.supervision.noted),
        )

    # ---- parts ----

    @property
    def seen(self) -> CollectionView:
        """Where it stands, as last seen."""
        assert self.view is not None  # noqa: S101 - the process begins with it
        return self.view

    @property
    def is_open(self) -> bool:
        """Whether something is still waited for."""
        return not self.seen.has_ended or self.seen.gives_back or self.seen.watched_for is not None

    @property
    def attention(self) -> str | None:
        """Why an operator is needed."""
        return self.supervision.attention or (None if self.view is None else self.view.attention)

    def now(self) -> datetime:
        """The present moment by the books, as far as this process has heard of it."""
        return self.since_seen.now(None if self.view is None else self.view.seen_at)

    def go_stale(self) -> None:
        """What was seen of the books may be old: whatever is paused ends, and they are looked at."""
        self.notices += 1
        self.supervision.look()

    def is_told(self) -> bool:
        """Whether somebody has said something since the channel was asked last."""
        return self.notices > self.notices_seen

    def within_limits(self, in_vain_for: timedelta) -> timedelta:
        """A pause before the channel is asked again; hours, once an operator looks on."""
        return backoff(in_vain_for, needs_attention=self.attention is not None)

    def adopt(self, view: CollectionView) -> None:
        """Go on from what the books say now; what was seen before is not gone back to."""
        if self.view is None or view.version > self.view.version:
            self.in_trouble_since = None
        if self.view is None or view.version >= self.view.version:
            self.view, self.since_seen = view, Elapsed()
            self.refresh()

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        workflow.set_current_details(collection_details(self.number.pay_in_no, self.state_now()))
        show_search_attributes(status=None, stage=None, needs_attention=self.attention is not None)

    def outcome(self) -> CollectionOutcome:
        """How the collection ended."""
        seen = self.seen
        return CollectionOutcome(
            pay_in_no=self.number.pay_in_no,
            status=seen.status,
            credited_fen=seen.amount_fen if seen.status == "paid" else 0,
            suspended_fen=seen.suspended_fen,
            reason=seen.reason,
        )
