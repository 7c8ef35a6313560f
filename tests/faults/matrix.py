"""One round of the matrix: every activity type is brought to one point at the same time, then the worker is killed.

The ledger has one writer connection in a worker, which sends what waits as one batch. So a first posting is kept at
the gate until the postings of all ledger activities wait behind it; let go, it is followed by one batch of them all.
Calls of the bank are kept each on its own connection.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from enum import StrEnum
from typing import Any

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.cast import SURVEY, Cast
from tests.faults.gates import KeptStatement
from tests.faults.house import House
from tests.waiting import until, within_reason
from workflows.messages import WithdrawalProcessState, bank_watch_workflow_id, order_workflow_id, withdrawal_workflow_id

SMALL_FEN, LARGE_FEN = 10_000, 5_000_001
#: The bank accepts a payout of this amount, and fails it later; no other rail reaches the owner's card.
FAILING_FEN = 90_012
#: Attempts of ledger activities are given up after 5 s: everybody must be at the point before.
_GATHER_SECONDS = 3.5
#: What an activity that has started may take to read before it posts.
_READING_SECONDS = 0.4
#: The command that makes each order do what it is there for.
_COMMANDS = {"freeze": "pay", "record": "complete", "release": "accept", "refund": "cancel", "propose": "cancel"}
_REMINDED_AFTER = timedelta(days=6, seconds=2)


class Point(StrEnum):
    """Where an activity is when its worker is killed."""

    BEFORE = "before it sends"
    UNDER_WAY = "after it sent"
    AFTER = "after commit"


class Round:
    """Brings a cast to one point, kills the worker there, starts another and leads everything to its end."""

    def __init__(self, house: House, temporal: Client, cast: Cast) -> None:
        self.house = house
        self.temporal = temporal
        self.cast = cast
        self.reached: set[str] = set()
        self.calling: list[asyncio.Task[Any]] = []

    # ---- up to the point ----

    async def prepare(self) -> None:
        """Bring every object to the step before the one it is there for."""
        trade, no = self.cast.trade, self.cast.no
        await asyncio.gather(
            self._order("freeze"),
            self._order("record", "pay", "start"),
            self._order("release", "pay", "start", "complete"),
            self._order("refund", "pay"),
            self._order("propose", "pay", "start"),
            self._order("remind", "pay", "start", "complete"),
            *(callers.withdraw(trade, no(part), SMALL_FEN) for part in ("query", "settle")),
            callers.withdraw(trade, no("return"), FAILING_FEN, member_no="O-1"),
            *(self.house.wake_bank_watch(platform) for platform in (self.cast.reading, self.cast.booking)),
        )
        at_bank = [no(part) for part in ("query", "settle", "return")]
        await until(lambda: self._all_are(at_bank, "submitted"), "the bank has the payouts")
        # From here on they wait until they are woken, and so do those that cannot ask the bank about its rails.
        await self.house.steer.set_bank_health("DOWN")
        unsurveyed = [no(part) for part in ("attempt", "survey", "submit")]
        await asyncio.gather(
            *(self.house.wake_withdrawal(trade, number) for number in at_bank),
            *(callers.withdraw(trade, number, SMALL_FEN) for number in unsurveyed),
        )
        await until(lambda: self._all_are(at_bank, "unknown"), "nobody knows of the payouts")
        await until(lambda: self._all_lack_survey(unsurveyed), "the rails cannot be asked about")
        await self.house.steer.set_bank_health("UP")

    async def keep_calls(self) -> None:
        """The calls of the bank activities, but the survey's, wait at the gate."""
        cast, gate = self.cast, self.house.bank_gate
        wanted = {activity: known for activity, known in cast.calls.items() if activity != SURVEY}
        gate.trap = lambda call: any(known(call) for known in wanted.values())
        self._call(callers.withdraw(cast.trade, cast.no("large"), LARGE_FEN))
        reminded = self.temporal.get_workflow_handle(order_workflow_id(cast.trade.number, cast.no("remind")))
        self._call(TimeSkipper(self.temporal).fast_forward(reminded, _REMINDED_AFTER))
        await asyncio.gather(self._wake("submit"), self._wake("query"), self._transfer(cast.reading))
        large_sent = f"{cast.trade.number}/{cast.no('large:payout:1')}".encode()
        await self._as_far_as_it_goes(lambda: self._kept_calls() >= set(wanted))
        await self._as_far_as_it_goes(lambda: any(large_sent in call.body for call in gate.passed))

    async def keep_postings(self) -> KeptStatement:
        """The postings of all ledger activities wait in one batch at the gate, and the survey's call at its own."""
        cast, gate = self.cast, self.house.ledger_gate
        surveys_before = self._surveys()
        gate.keeping = True
        self._call(callers.open_order(cast.trade, cast.no("first")))
        first = await within_reason(gate.kept.get(), "the first order is posted")
        self._call(callers.open_order(cast.trade, cast.no("open")))
        for part, operation in _COMMANDS.items():
            self._call(callers.command(cast.trade, cast.no(part), operation))
        self._call(callers.withdraw(cast.trade, cast.no("hold"), SMALL_FEN))
        await asyncio.gather(*(self._wake(part) for part in ("attempt", "settle", "return")))
        cast.line_to_book = await self._transfer(cast.booking)
        await self._as_far_as_it_goes(lambda: self._surveys() >= surveys_before + 2)
        self.house.bank_gate.trap = cast.calls[SURVEY]
        await self._wake("survey")
        await self._as_far_as_it_goes(self._all_started)
        await asyncio.sleep(_READING_SECONDS)
        first.forward(keep_answer=False)
        return await within_reason(gate.kept.get(), "the others are posted")

    # ---- the kill ----

    async def kill_at(self, point: Point) -> None:
        """Bring everybody exactly to the point, kill, and check what the far sides have."""
        await self.prepare()
        await self.keep_calls()
        batch = await self.keep_postings()
        calls = list(self.house.bank_gate.kept)
        self.reached = self._kept_calls() | {
            activity for pair, activity in self.cast.postings.items() if pair in batch.numbers
        }
        if point is Point.UNDER_WAY:
            await self._kill_under_way(batch)
        else:
            if point is Point.AFTER:
                for kept in (batch, *calls):
                    kept.forward(keep_answer=True)
                await within_reason(
                    asyncio.gather(*(kept.answered.wait() for kept in (batch, *calls))), "all are answered"
                )
            await self.house.kill_worker()
            await self._require_far_sides(batch, have=point is Point.AFTER)

    async def _kill_under_way(self, batch: KeptStatement) -> None:
        """The ledger is made to wait in the middle of the batch, and the bank before it looks at the calls."""
        await self.house.steer.set_bank_health("SLOW")
        async with self._held_up(batch):
            for kept in (batch, *self.house.bank_gate.kept):
                kept.forward(keep_answer=True)
            await until(self._ledger_waits, "the ledger waits in the batch")
            await self.house.kill_worker()
            await self._require_far_sides(batch, have=False)
        # Nobody is left to hear the answers, and both far sides do what they were asked.
        await until(lambda: self._far_sides_have(batch), "both far sides have it")
        await self.house.steer.set_bank_health("UP")

    @asynccontextmanager
    async def _held_up(self, batch: KeptStatement) -> AsyncIterator[None]:
        """Somebody else has taken one of the request numbers and not yet decided: the batch waits in its statement."""
        async with self.house.superuser() as connection:
            taking = connection.transaction()
            await taking.start()
            await connection.execute(
                "INSERT INTO request (platform_no, request_no, content_hash, accounting_day)"
                " VALUES ($1, $2, '', now())",
                *batch.numbers[-1],
            )
            yield
            await taking.rollback()

    async def _ledger_waits(self) -> bool:
        async with self.house.superuser() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%post_batch%'"
            return bool(await connection.fetchval(query))

    async def _require_far_sides(self, batch: KeptStatement, *, have: bool) -> None:
        taken = await self.house.taken(batch.numbers)
        assert taken == (set(batch.numbers) if have else set())
        sent = {"submit_payout", "announce_large_withdrawal", "remind_owner"} & self.reached
        assert await self._at_bank() == (sent if have else set())

    async def _far_sides_have(self, batch: KeptStatement) -> bool:
        sent = {"submit_payout", "announce_large_withdrawal", "remind_owner"} & self.reached
        return await self.house.taken(batch.numbers) == set(batch.numbers) and await self._at_bank() == sent

    async def _at_bank(self) -> set[str]:
        """Activities whose payment order or text message the bank has."""
        cast = self.cast
        numbers = {payout["reqSeq"] for payout in await self.house.steer.payouts()}
        numbers |= {text.req_seq for text in await self.house.steer.sms_outbox()}
        sent = {
            "submit_payout": "submit:payout:1",
            "announce_large_withdrawal": "large:sms",
            "remind_owner": "remind:M2:reminder:1",
        }
        return {name for name, part in sent.items() if f"{cast.trade.number}/{cast.no(part)}" in numbers}

    # ---- to the end ----

    async def go_on(self) -> float:
        """Start another worker; everything goes on to its end. Seconds from its start to the last answer."""
        began = time.monotonic()
        await self.house.worker.start()
        await asyncio.gather(*self.calling)
        answered = time.monotonic() - began
        orders = [number for number in (*self.cast.orders, self.cast.no("first")) if number != self.cast.no("refund")]
        await asyncio.gather(*(callers.lead_to_end(self.cast.trade, number) for number in orders))
        await until(self._withdrawals_ended, "all withdrawals end", seen=self._waiting, pause_seconds=0.5)
        return answered

    async def _withdrawals_ended(self) -> bool:
        """Whether none waits; those that do are woken."""
        waiting = await self._waiting()
        await asyncio.gather(*(self.house.wake_withdrawal(self.cast.trade, number) for number in waiting))
        return not waiting

    async def _waiting(self) -> list[str]:
        statuses = {no: await callers.withdrawal_status(self.cast.trade, no) for no in self.cast.withdrawals}
        return [no for no, status in statuses.items() if status not in ("paid", "failed")]

    # ---- parts ----

    async def _order(self, part: str, *operations: str) -> None:
        await callers.open_order(self.cast.trade, self.cast.no(part))
        await callers.commands(self.cast.trade, self.cast.no(part), *operations)

    async def _transfer(self, platform: Platform) -> str:
        """Money from a stranger, of which the watch is told; answers the bank's serial number."""
        line = await self.house.steer.transfer(
            custody_account_no=platform.custody_account_no,
            amount_fen=SMALL_FEN,
            account_no="6222020000000000000",
            account_name="某人",
        )
        await self.house.wake_bank_watch(platform)
        return line.bank_serial_no

    def _call(self, call: Coroutine[Any, Any, Any]) -> None:
        self.calling.append(asyncio.create_task(call))

    async def _wake(self, part: str) -> None:
        await self.house.wake_withdrawal(self.cast.trade, self.cast.no(part))

    def _kept_calls(self) -> set[str]:
        kept = self.house.bank_gate.kept
        return {activity for activity, known in self.cast.calls.items() if any(known(call) for call in kept)}

    def _surveys(self) -> int:
        return sum(self.cast.calls[SURVEY](call) for call in self.house.bank_gate.passed)

    async def _withdrawal(self, number: str) -> WithdrawalProcessState:
        handle = self.temporal.get_workflow_handle(withdrawal_workflow_id(self.cast.trade.number, number))
        state: WithdrawalProcessState = await handle.query("state", result_type=WithdrawalProcessState)
        return state

    async def _all_are(self, numbers: list[str], status: str) -> bool:
        return all([(await self._withdrawal(number)).status == status for number in numbers])

    async def _all_lack_survey(self, numbers: list[str]) -> bool:
        return all([bool((await self._withdrawal(number)).reasons) for number in numbers])

    async def _all_started(self) -> bool:
        """Whether every activity that the server knows of runs in the worker, and the survey's call is kept."""
        trade = self.cast.trade.number
        wanted = {
            "open_order": order_workflow_id(trade, self.cast.no("open")),
            "freeze_price": order_workflow_id(trade, self.cast.no("freeze")),
            "release_milestone": order_workflow_id(trade, self.cast.no("release")),
            "refund_rest": order_workflow_id(trade, self.cast.no("refund")),
            "hold_money": withdrawal_workflow_id(trade, self.cast.no("hold")),
            "settle_withdrawal": withdrawal_workflow_id(trade, self.cast.no("settle")),
            "return_money": withdrawal_workflow_id(trade, self.cast.no("return")),
            "book_bank_line": bank_watch_workflow_id(self.cast.booking.number),
        }
        started = await asyncio.gather(*(self._runs(activity, workflow) for activity, workflow in wanted.items()))
        return all(started) and SURVEY in self._kept_calls()

    async def _runs(self, activity: str, workflow_id: str) -> bool:
        try:
            description = await self.temporal.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return any(
            pending.activity_type.name == activity
            and pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
            for pending in description.raw_description.pending_activities
        )

    async def _as_far_as_it_goes(self, condition: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
        """Wait for the slow ones, but not until the quick ones are given up; another round takes those that missed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_SECONDS):
                while True:
                    holds = condition()
                    if holds if isinstance(holds, bool) else await holds:
                        return
                    await asyncio.sleep(0.05)
