"""What is said to the books twice by two workers: the first one dies before it can tell what it was answered.

A worker here is what carries commands out: books and registry over connections of its own. A row brings one object as
far as its command, and says what the command posts.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg

from escrow.domain.decisions import A, Command, ObjectKind
from escrow.domain.money import recipes
from escrow.domain.money.journal import Basis, Change, JournalEntry
from escrow.ledger.books import Books, see
from escrow.ledger.books_time import move_story
from escrow.ledger.consents import Consent, NewConsent, record_consent
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import LedgerWriter
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.members.members import MemberKind
from escrow.registry.registry import Registry
from tests.identities import verify
from tests.ledger.books import DAY, HOME, booked_by_bank, posting, top_up
from tests.ledger.orders import Parties, open_platform

#: Whose identity is known, with a bank account and money.
MEMBER, ACCOUNT, BALANCE_FEN = "M-1", "A-1", 5_000
#: Above it a withdrawal is announced.
LARGE_FEN = 500
_NAME = "王小明"


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Connections of its own, and what is done over them."""

    writer: LedgerWriter
    recorder: Recorder
    books: Books
    registry: Registry


@asynccontextmanager
async def a_worker(dsn: str) -> AsyncIterator[Worker]:
    """A worker that has read nothing yet; nothing is left of it after the block."""
    writer, recorder = await LedgerWriter.start(dsn), Recorder(dsn)
    box = PersonalDataBox(keys={1: b"k" * 32}, current_key_id=1, index_key=b"i" * 32)
    try:
        yield Worker(writer=writer, recorder=recorder, books=Books(writer, recorder), registry=Registry(recorder, box))
    finally:
        await writer.close()
        await recorder.close()


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a caller is told.

    Args:
        answer: the books' answer, or what the registry keeps of the object.
        follows: what it has to wake, as (kind, number).
        is_repeat: None where no caller is told whether it was done before.
    """

    answer: Any
    follows: tuple[tuple[str, str], ...] = ()
    is_repeat: bool | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Said:
    """Something that any worker can be given: once more, and the same to the letter.

    Args:
        command: the command itself where the books take it as it is, else the registry makes it.
    """

    kind: str
    object_no: str
    take: Callable[[Worker], Awaitable[Told]]
    command: Command | None = None


def to_the_books(kind: ObjectKind[A], object_no: str, command: Command) -> Said:
    """A command that is to be carried out."""

    async def take(worker: Worker) -> Told:
        taken = await worker.books.take(kind, HOME, object_no, command)
        assert taken.answer is not None, taken.refusal or taken.remaining
        return Told(answer=taken.answer, follows=taken.follows, is_repeat=taken.is_repeat)

    return Said(kind=kind.name, object_no=object_no, take=take, command=command)


class Ground:
    """A platform with an owner, a contractor, and a member with a bank account; what rows are prepared on."""

    def __init__(self, owner: asyncpg.Connection, worker: Worker) -> None:
        self.owner = owner
        self.worker = worker

    async def opens(self) -> None:
        """The platform and its members stand in the books."""
        await open_platform(self.owner, self.worker.writer, large_withdrawal_sms_threshold_fen=LARGE_FEN)
        registry = self.worker.registry
        await registry.members.open(HOME, member_no=MEMBER, kind=MemberKind.PERSON, name=_NAME, mobile="13552535506")
        await verify(registry, HOME, MEMBER)
        account = NewBankAccount(
            account_id=ACCOUNT, account_no="6216261000000000018", account_name=_NAME, is_corporate=False
        )
        await registry.bank_accounts.bind(HOME, MEMBER, account)
        await top_up(self.owner, self.worker.writer, MEMBER, BALANCE_FEN)

    def order(self, order_no: str = "D-1") -> Parties:
        """An order of which nothing is recorded yet."""
        return Parties(self.worker.writer, self.worker.recorder, order_no)

    async def done(self, kind: ObjectKind[A], object_no: str, *commands: Command) -> None:
        """Commands are carried out, one after the other."""
        for command in commands:
            await to_the_books(kind, object_no, command).take(self.worker)

    async def version(self, kind: ObjectKind[A], object_no: str) -> int:
        """An object's version now."""
        return (await see(self.worker.recorder, kind, HOME, object_no)).version

    async def consents(
        self, kind: str, object_no: str, operation: str, terms: Mapping[str, Any], *, by: str, number: str = ""
    ) -> Consent:
        """A party has consented; under a number that says to what unless one is given."""
        consent, _ = await record_consent(
            self.worker.recorder,
            NewConsent(
                platform_no=HOME,
                consent_no=number or f"{object_no}-{operation}",
                object_kind=kind,
                object_no=object_no,
                operation=operation,
                given_by=by,
                terms=terms,
                valid_for=timedelta(days=30),
                config_version=1,
            ),
        )
        return consent

    async def passes(self, kind: str, object_no: str, deadline: str) -> None:
        """Time passes until just after a deadline that runs."""
        due_at = await self.owner.fetchval(
            "SELECT due_at FROM deadline WHERE platform_no = $1 AND object_kind = $2 AND object_no = $3 AND name = $4",
            HOME,
            kind,
            object_no,
            deadline,
        )
        assert due_at is not None, f"{deadline} of {object_no} does not run"
        await move_story(self.worker.recorder, HOME, due_at + timedelta(seconds=1))

    async def suspended(self, amount_fen: int) -> str:
        """A stranger's transfer waits in suspense; its number."""
        return await self._booked(recipes.credit_suspended, amount_fen, status="suspended")

    async def own_money(self, amount_fen: int) -> None:
        """The platform has money of its own."""
        await self._booked(recipes.own_credited, amount_fen, status="credited")

    async def _booked(self, make: Callable[..., JournalEntry], amount_fen: int, *, status: str) -> str:
        """What the bank booked is in the books; its number."""
        serial_no = await booked_by_bank(self.owner, amount_fen)
        entry = make(platform_no=HOME, amount_fen=amount_fen, bank_serial_no=serial_no, effective_date=DAY)
        change = Change(kind="bank_credit", object_no=serial_no, event_type=f"bank_credit.{status}", status=status)
        bases = (Basis(kind="bank_line", reference=serial_no),)
        await self.worker.writer.post(posting(entry=entry, bases=bases, changes=(change,)))
        return serial_no


@dataclass(frozen=True, kw_only=True)
class Row:
    """A command in a state in which it is carried out.

    Args:
        command: its type.
        posts: type of the one event of its object that it posts.
        prepared: brings the object there; what is then said.
        follows: what is to be woken, as (kind, number).
    """

    command: type
    posts: str
    prepared: Callable[[Ground], Awaitable[Said]]
    follows: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """What is done to which kind of object."""
        return f"{self.posts} by {self.command.__name__}"
