"""The machinery of a matrix: everything is brought to one point at the same time, then the worker is killed.

The ledger has one writer connection in a worker, which sends what waits as one batch. So a first posting is kept at
the gate until the postings of all rows wait behind it; let go, it is followed by one batch of them all. Calls of the
bank are kept each on its own connection. Where a posting can only follow what the bank answers, or another posting,
that is kept too and let go once the first posting is kept.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Set
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeVar
from urllib.parse import unquote

from temporalio.client import Client

from escrow.domain.orders.contract import opening_consent_no
from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.gates import KeptCall, KeptStatement
from tests.faults.house import House
from tests.waiting import until, within_reason

#: A local activity is given up after 4 s: everybody must be at the point before.
_GATHER_SECONDS = 2.8
#: What an activity that has read may take until its posting waits.
_DECIDING_SECONDS = 0.3


R = TypeVar("R", bound="Round")


class Point(StrEnum):
    """Where an activity is when its worker is killed."""

    BEFORE = "before it sends"
    UNDER_WAY = "after it sent"
    AFTER = "after commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A row: what one activity posts by one command.

    Args:
        number: its request number, a regular expression in which `{no}` is the object's number.
        reads: by what the look before it is known among the parameters of statements; None where nobody waits for that.
    """

    activity: str
    command: str
    number: str
    reads: str | None

    @property
    def row(self) -> str:
        """Its name in the table."""
        return f"{self.activity} · {self.command}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A row: one call of an activity to the bank, or a call that another row's posting follows.

    Args:
        says: a value that it carries, in its query or its body.
    """

    activity: str
    what: str
    method: str
    path: str
    says: str

    @property
    def row(self) -> str:
        """Its name in the table."""
        return f"{self.activity} · {self.what}"


class Round:
    """Brings a cast to one point, kills the worker there, starts another and leads everything to its end.

    The numbers of all objects begin with the name of the round; the rest, their part, tells what they are there for.

    Args:
        trade: the platform where all happens that needs no time to pass.
        ahead: the platform whose time is moved.
    """

    POSTINGS: ClassVar[Mapping[str, Posting]]
    CALLS: ClassVar[Mapping[str, Call]]
    #: Calls after which the posting of the same part follows.
    PRELIMINARIES: ClassVar[Mapping[str, Call]]
    #: Parts whose call, once sent, has an effect at the bank that can be seen.
    EFFECTS: ClassVar[frozenset[str]]
    #: Parts whose objects belong to the platform that is ahead.
    AHEAD: ClassVar[frozenset[str]]

    def __init__(self, house: House, temporal: Client, name: str, *, trade: Platform, ahead: Platform) -> None:
        self.house = house
        self.temporal = temporal
        self.name = name
        self.trade = trade
        self.ahead = ahead
        #: Rows that were brought to the point.
        self.reached: set[str] = set()
        #: The calls that were under way when the worker was killed, by the part that they are about.
        self.calling: dict[str, asyncio.Task[Any]] = {}

    @classmethod
    def rows(cls) -> set[str]:
        """Names of all rows."""
        return {posting.row for posting in cls.POSTINGS.values()} | {call.row for call in cls.CALLS.values()}

    @classmethod
    def activities(cls) -> set[str]:
        """Types of all activities that have a row."""
        return {row.partition(" · ")[0] for row in cls.rows()}

    # ---- what a round is about ----

    async def prepare(self) -> None:
        """Bring every object to the step before the one it is there for."""
        raise NotImplementedError

    async def make_calls(self) -> None:
        """Have every activity that calls the bank do so; the calls are kept."""
        raise NotImplementedError

    async def run_ahead(self) -> str:
        """Have one posting made after which others follow; answers a piece of its request number."""
        raise NotImplementedError

    async def make_postings(self) -> None:
        """Have every activity post, but those that follow a call that is kept; the postings are kept."""
        raise NotImplementedError

    async def at_bank(self) -> set[str]:
        """Parts whose call was sent and has an effect at the bank."""
        raise NotImplementedError

    async def lead_to_end(self) -> None:
        """Everything that was begun goes on to its end."""
        raise NotImplementedError

    # ---- up to the point ----

    async def _keep_calls(self) -> None:
        wanted = {**self.CALLS, **self.PRELIMINARIES}
        self.house.bank_gate.trap = lambda call: any(self.is_call(part, wanted[part], call) for part in wanted)
        await self.make_calls()
        await self.as_far_as_it_goes(lambda: self._kept_parts() >= set(wanted))

    async def _keep_postings(self) -> KeptStatement:
        """The postings of all rows wait in one batch at the gate."""
        ledger = self.house.ledger_gate
        ledger.keeping = True
        forerunner = await ledger.next_posting(await self.run_ahead())
        first = self.no("first")
        self.call("first", callers.open_order(self.trade, first))
        await until(lambda: ledger.has_read(opening_consent_no(first)), "the first order is about to be posted")
        await asyncio.sleep(_DECIDING_SECONDS)
        forerunner.forward(keep_answer=False)
        plug = await ledger.next_posting(first)
        for part, call in self.PRELIMINARIES.items():
            for kept in self.house.bank_gate.kept:
                if self.is_call(part, call, kept):
                    kept.forward(keep_answer=False)
        await self.make_postings()
        await self.as_far_as_it_goes(lambda: all(self._has_read(part) for part in self.POSTINGS))
        await asyncio.sleep(_DECIDING_SECONDS)
        plug.forward(keep_answer=False)
        batch = await within_reason(ledger.kept.get(), "the others are posted")
        batch.leave_out(plug)
        return batch

    # ---- the kill ----

    async def kill_at(self, point: Point) -> None:
        """Bring everybody exactly to the point, kill, and check what the far sides have."""
        await self.prepare()
        await self._keep_calls()
        batch = await self._keep_postings()
        calls = [kept for kept in self.house.bank_gate.kept if self._part_of(kept) is not None]
        posted = {part for part in self.POSTINGS if any(self._posts(part, pair) for pair in batch.numbers)}
        called = {part for kept in calls if (part := self._part_of(kept)) is not None}
        self.reached = {self.POSTINGS[part].row for part in posted} | {self.CALLS[part].row for part in called}
        if point is Point.UNDER_WAY:
            await self._kill_under_way(batch, calls, called)
        else:
            if point is Point.AFTER:
                for kept in (batch, *calls):
                    kept.forward(keep_answer=True)
                answers = asyncio.gather(*(kept.answered.wait() for kept in (batch, *calls)))
                await within_reason(answers, "all are answered")
            await self.house.kill_worker()
        effects = set() if point is Point.BEFORE else called.intersection(self.EFFECTS)
        await until(lambda: self._has_effects(effects), f"the bank has {effects}")
        taken = await self.house.taken(batch.numbers)
        if point is Point.BEFORE:
            assert taken == set()
        elif not taken:
            # Something had moved since it was read, and the batch was refused as a whole: another round is played.
            self.reached -= {self.POSTINGS[part].row for part in posted}
        else:
            assert taken == set(batch.numbers)

    async def _kill_under_way(self, batch: KeptStatement, calls: list[KeptCall], called: set[str]) -> None:
        """The ledger is made to wait in the middle of the batch, and the bank before it looks at the calls.

        Nobody is left to hear the answers, and both far sides do what they were asked.
        """
        await self.house.steer.set_bank_health("SLOW")
        async with self._held_up(batch):
            for kept in (batch, *calls):
                kept.forward(keep_answer=True)
            await until(lambda: self._posts_now(waiting=True), "the ledger waits in the batch")
            await self.house.kill_worker()
            assert await self.house.taken(batch.numbers) == set()
            assert await self.at_bank() == set()
        await until(self._has_posted, "the ledger is done with the batch")
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

    async def _posts_now(self, *, waiting: bool) -> bool:
        """Whether a batch is under way in the ledger, or even waits for somebody there."""
        async with self.house.superuser() as connection:
            query = (
                "SELECT wait_event_type FROM pg_stat_activity"
                " WHERE state = 'active' AND query LIKE '%post_batch($1%' AND pid <> pg_backend_pid()"
            )
            found = [row["wait_event_type"] for row in await connection.fetch(query)]
        return "Lock" in found if waiting else bool(found)

    async def _has_posted(self) -> bool:
        return not await self._posts_now(waiting=False)

    async def _has_effects(self, effects: Set[str]) -> bool:
        return await self.at_bank() == effects

    # ---- to the end ----

    async def go_on(self) -> float:
        """Start another worker; everything goes on to its end. Seconds from its start to the last answer."""
        began = time.monotonic()
        await self.house.worker.start()
        await asyncio.gather(*self.calling.values())
        answered = time.monotonic() - began
        await self.lead_to_end()
        return answered

    # ---- parts ----

    def no(self, part: str) -> str:
        """Number of the object of a part."""
        return f"{self.name}-{part}"

    def platform_of(self, part: str) -> Platform:
        """The platform that the object of a part belongs to."""
        return self.ahead if part in self.AHEAD else self.trade

    def call(self, part: str, call: Coroutine[Any, Any, Any]) -> None:
        """Begin a call that the kill may interrupt."""
        self.calling[part] = asyncio.create_task(call)

    def object_no(self, part: str) -> str:
        """Number of the object that the posting of a part is about."""
        return self.no(part)

    def _posts(self, part: str, pair: tuple[str, str]) -> bool:
        number = self.POSTINGS[part].number.replace("{no}", re.escape(self.object_no(part)))
        return pair[0] == self.platform_of(part).number and re.fullmatch(number, pair[1]) is not None

    def _has_read(self, part: str) -> bool:
        reads = self.POSTINGS[part].reads
        return reads is None or self.house.ledger_gate.has_read(reads.replace("{no}", self.object_no(part)))

    def is_call(self, part: str, known: Call, call: KeptCall) -> bool:
        """Whether this is the call of a part."""
        target, _, query = unquote(call.target).partition("?")
        platform = self.platform_of(part)
        names = {"no": f"{platform.number}/{self.no(part)}", "custody": platform.custody_account_no}
        says = known.says.format(**names)
        carries = f"={says}&" in f"{query}&" or f'"{says}"'.encode() in call.body
        return (call.method, target) == (known.method, known.path.format(**names)) and (carries or not says)

    def _part_of(self, kept: KeptCall) -> str | None:
        """The part whose row a kept call is; None for one after which a posting follows."""
        return next((part for part, call in self.CALLS.items() if self.is_call(part, call, kept)), None)

    def _kept_parts(self) -> set[str]:
        wanted = {**self.CALLS, **self.PRELIMINARIES}
        kept = self.house.bank_gate.kept
        return {part for part, known in wanted.items() if any(self.is_call(part, known, call) for call in kept)}

    async def as_far_as_it_goes(self, condition: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
        """Wait for the slow ones, but not until the quick ones are given up; another round takes those that missed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_SECONDS):
                while True:
                    holds = condition()
                    if holds if isinstance(holds, bool) else await holds:
                        return
                    await asyncio.sleep(0.05)


#: Rounds for one point, until each row was there once: a busy machine may bring some too late.
_ROUNDS_AT_MOST = 12


async def play(
    rounds: type[R],
    begin: Callable[[str], Awaitable[R]],
    require_right_end: Callable[[R], Awaitable[None]],
    tables: list[str],
) -> int:
    """Play rounds until every row was at every point; answers how many.

    Args:
        begin: makes a round of that name.
        require_right_end: what must be so after each.
        tables: takes the table for people.
    """
    missing = {point: rounds.rows() for point in Point}
    seconds: dict[Point, float] = {}
    played = 0
    for point in Point:
        for attempt in range(_ROUNDS_AT_MOST):
            if not missing[point]:
                break
            game = await begin(f"{point.name.replace('_', '-')}-{attempt}")
            await game.kill_at(point)
            seconds[point] = await game.go_on()
            missing[point] -= game.reached
            played += 1
            await require_right_end(game)
    tables.append(table(rounds, missing, seconds, played=played))
    assert missing == {point: set() for point in Point}
    return played


def table(
    rounds: type[Round], missing: Mapping[Point, set[str]], seconds: Mapping[Point, float], *, played: int
) -> str:
    """The table for people."""
    lines = [f"worker killed {played} times; every activity and command at every point:"]
    lines.append(f"{'activity · command':48}" + "".join(f"{point:20}" for point in Point))
    for row in sorted(rounds.rows()):
        cells = ["MISSED" if row in missing[point] else "right" for point in Point]
        lines.append(f"{row:48}" + "".join(f"{cell:20}" for cell in cells))
    answered = "".join(f"{f'{seconds[point]:.1f} s':20}" for point in seconds)
    return "\n".join([*lines, f"{'all callers answered after':48}{answered}"])
