"""Orders on the books of the ledger tests: a platform with members, and what its parties say, recorded before done.

As a program it is another process that takes commands: `python -m tests.ledger.orders DSN`, a line of JSON in which the
order and what is said of it stand, and a line of JSON back for each.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
from pydantic import BaseModel

from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.decisions import Command
from escrow.domain.errors import LedgerBusy
from escrow.domain.money.journal import Change
from escrow.domain.orders.commands import DeadlinePassed, Open, OwnerReminded, PaidDirectly, PartyCommand
from escrow.domain.orders.contract import opening_consent_no
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.opening import ORDERS, MilestoneLine, OpeningTerms
from escrow.domain.orders.operations import milestone_terms, pay_terms
from escrow.domain.orders.order import Order
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.books import Books, Taken
from escrow.ledger.books_time import move_story
from escrow.ledger.consents import NewConsent, record_consent
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import DAY, HOME, open_day, posting, top_up

OWNER, CONTRACTOR = "O-1", "C-1"
#: Deposit, two stages and a retention, in fen.
LINES = (
    (MilestoneKind.START, 300),
    (MilestoneKind.ACCEPTANCE, 401),
    (MilestoneKind.ACCEPTANCE, 200),
    (MilestoneKind.WARRANTY, 99),
)
PRICE_FEN = 1_000
_STORY = timedelta(seconds=1)


async def open_platform(owner: asyncpg.Connection, writer: LedgerWriter, **config: Any) -> None:
    """The platform with its day and configuration, its members, and 5,000 fen of the owner's."""
    document = PlatformConfig(**config).model_dump(mode="json")
    await open_day(owner)
    await owner.execute(
        "INSERT INTO platform (platform_no, name, custody_account_no, opened_at) VALUES ($1, '', $1, now())", HOME
    )
    await owner.execute(
        "INSERT INTO platform_config (platform_no, version, document, recorded_at) VALUES ($1, 1, $2::jsonb, now())",
        HOME,
        json.dumps(document),
    )
    for member_no in (OWNER, CONTRACTOR):
        change = Change(kind="member", object_no=member_no, event_type="member.opened", status="verified")
        await writer.post(posting(changes=(change,)))
    await top_up(owner, writer, OWNER, 5_000)


class Parties:
    """What the parties of one order say, and what then becomes of it.

    Args:
        lines: kinds and amounts of its milestones.
    """

    def __init__(
        self,
        writer: LedgerWriter,
        recorder: Recorder,
        order_no: str,
        lines: Sequence[tuple[MilestoneKind, int]] = LINES,
    ) -> None:
        self.writer, self.recorder = writer, recorder
        self.books = Books(writer, recorder)
        self.order_no = order_no
        self.lines = lines

    async def close(self) -> None:
        """End its connections, where they are its own."""
        await self.writer.close()
        await self.recorder.close()

    async def take(self, command: Command) -> Taken[Order]:
        """What becomes of a command."""
        return await self.books.take(ORDERS, HOME, self.order_no, command)

    async def done(self, command: Command) -> Taken[Order]:
        """The same for one that must be carried out."""
        taken = await self.take(command)
        assert taken.answer is not None, taken.refusal or taken.remaining
        return taken

    async def opening(self) -> Open:
        """The platform records the contract."""
        kinds = enumerate(self.lines, start=1)
        terms = OpeningTerms(
            order_no=self.order_no,
            owner_no=OWNER,
            contractor_no=CONTRACTOR,
            total_fen=sum(amount_fen for _, amount_fen in self.lines),
            milestones=tuple(
                MilestoneLine(name=f"line {number}", kind=kind, amount_fen=amount_fen)
                for number, (kind, amount_fen) in kinds
            ),
        )
        await self._record(opening_consent_no(self.order_no), "open", "platform", terms.model_dump(mode="json"))
        return Open(order_no=self.order_no)

    async def says(
        self, operation: OrderCommand, by: str, milestone: int | None = None, number: str = "", **other_terms: Any
    ) -> PartyCommand:
        """A party's recorded word; under a number that says what it is unless one is given."""
        request_no = number or f"{self.order_no}-{operation}-{by}-{milestone or 0}"
        terms: dict[str, Any] = {}
        if operation is OrderCommand.PAY:
            terms = pay_terms(total_fen=sum(fen for _, fen in self.lines), inspection_days=7)
        elif milestone is not None:
            terms = milestone_terms(milestone=milestone, amount_fen=self.lines[milestone - 1][1])
        await self._record(request_no, operation.value, by, {**terms, **other_terms})
        return PartyCommand(operation=operation, request_no=request_no, by=by, milestone=milestone)

    async def _record(self, consent_no: str, operation: str, by: str, terms: dict[str, Any]) -> None:
        await record_consent(
            self.recorder,
            NewConsent(
                platform_no=HOME,
                consent_no=consent_no,
                object_kind="order",
                object_no=self.order_no,
                operation=operation,
                given_by=by,
                terms=terms,
                valid_for=timedelta(days=30),
                asked=True,
                config_version=1,
            ),
        )

    async def paid_by_channel(self, payment_no: str, *, paid_fen: int) -> PaidDirectly:
        """A channel took a payment for the order, for which its owner gave one consent."""
        pay_in_no = f"{self.order_no}:pay:1"
        method = CollectionMethod.QR_WECHAT
        terms = pay_terms(total_fen=sum(fen for _, fen in self.lines), inspection_days=7, method=method.value)
        await self._record(f"{self.order_no}-qr", "pay", OWNER, terms)
        return PaidDirectly(
            payment=DirectPaid(
                consent_no=f"{self.order_no}-qr",
                pay_in_no=pay_in_no,
                collection_no=f"{pay_in_no}:collect:1",
                method=method,
                payment_no=payment_no,
                paid_fen=paid_fen,
                settles_on=DAY,
            )
        )

    async def opened(self) -> None:
        """The order stands in the books, unpaid."""
        await self.done(await self.opening())

    async def in_work(self) -> None:
        """Opened, paid and started."""
        await self.opened()
        await self.done(await self.says(OrderCommand.PAY, OWNER))
        await self.done(await self.says(OrderCommand.START, CONTRACTOR))

    async def in_inspection(self, milestone: int) -> None:
        """Opened, paid, started, and the first stage reported complete."""
        await self.in_work()
        await self.done(await self.says(OrderCommand.COMPLETE, CONTRACTOR, milestone))

    async def passes(self, deadline: str) -> DeadlinePassed:
        """The story goes on until just after a deadline that runs."""
        due_at = await self.recorder.row(
            "SELECT due_at FROM deadline WHERE platform_no = $1 AND object_kind = 'order' AND object_no = $2"
            " AND name = $3",
            HOME,
            self.order_no,
            deadline,
        )
        assert due_at is not None, f"{deadline} does not run"
        await move_story(self.recorder, HOME, due_at["due_at"] + _STORY)
        return DeadlinePassed(deadline=deadline)

    async def silence(self, milestone: int, round_no: int = 1) -> DeadlinePassed:
        """The owner is reminded in time, and then says nothing."""
        await self.passes(f"M{milestone}:reminder:{round_no}")
        await self.done(OwnerReminded(milestone=milestone, round=round_no))
        return await self.passes(f"M{milestone}:inspection:{round_no}")


class Wanted(BaseModel):
    """What another process is to do at once: each is a word of a party, or the name of a deadline that is to pass."""

    platform_no: str = HOME
    order_no: str
    words: list[PartyCommand] = []
    deadlines: list[str] = []


async def all_at_once(books: Books, wanted: Wanted) -> list[str]:
    """What became of each, in the order of what is wanted: `done`, the code of its refusal, or `not_due`."""
    commands: list[Command] = [*wanted.words, *(DeadlinePassed(deadline=name) for name in wanted.deadlines)]
    return list(await asyncio.gather(*(_outcome(books, wanted, command) for command in commands)))


async def _outcome(books: Books, wanted: Wanted, command: Command) -> str:
    try:
        taken = await books.take(ORDERS, wanted.platform_no, wanted.order_no, command)
    except LedgerBusy as busy:
        return busy.code
    if taken.refusal is not None:
        return taken.refusal.code
    return "not_due" if taken.remaining is not None else "done"


@asynccontextmanager
async def books_of_another_process(dsn: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process with books of its own that waits for what it is to do."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.ledger.orders", dsn, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def done_there(process: asyncio.subprocess.Process, wanted: Wanted) -> list[str]:
    """What became there of what is wanted."""
    told, _ = await process.communicate(wanted.model_dump_json().encode() + b"\n")
    return list(json.loads(told))


async def _other_process(dsn: str, lines: Iterable[str]) -> None:
    writer, recorder = await LedgerWriter.start(dsn), Recorder(dsn)
    try:
        await recorder.row("SELECT 1")
        print("ready", flush=True)
        for line in lines:
            print(json.dumps(await all_at_once(Books(writer, recorder), Wanted.model_validate_json(line))), flush=True)
    finally:
        await writer.close()
        await recorder.close()


if __name__ == "__main__":
    asyncio.run(_other_process(sys.argv[1], sys.stdin))
