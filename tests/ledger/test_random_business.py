"""Random business from many connections, with readers in mid-run and connections killed in mid-call.

A model of a few lines adds up what the applied requests asked for; the books must say the same, whatever was
refused, repeated, cut off or sent again.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest
import uvloop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from escrow.domain.errors import LedgerUnavailable, Refused
from escrow.domain.money import recipes
from escrow.domain.money.accounts import WITHOUT_MINIMUM
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import Basis, Change, JournalEntry, Posting, Receipt
from escrow.domain.requests import operation_hash
from escrow.ledger.engine import connect
from escrow.ledger.invariants import check_invariants
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import CLOSED, DAY, NOON, a_consent, fresh
from tests.ledger.collected import consented
from tests.ledger.random_collections import WANTED, Collecting, Wanted
from tests.postgres import Database

_WRITERS = 3
_MEMBERS = ("M-1", "M-2")
_ORDERS = ("D-1", "D-2")
#: So few that callers often want the same one.
_PAYMENTS = 4


@dataclass(frozen=True)
class Action:
    """What a random caller wants: `kind` names a builder below."""

    kind: str
    member_no: str
    order_no: str
    amount_fen: int


actions = st.builds(
    Action,
    kind=st.sampled_from(
        ["top_up", "top_up_pending", "mature", "freeze", "release", "refund", "withdraw", "record", *WANTED]
    ),
    member_no=st.sampled_from(_MEMBERS),
    order_no=st.sampled_from(_ORDERS),
    amount_fen=st.integers(min_value=1, max_value=300),
)


class Business(RuleBasedStateMachine):
    """One platform of its own per example, on the books of the test."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.platform_no = fresh("P")
        self.sent: dict[str, Posting] = {}
        self.wanted: dict[str, Wanted] = {}
        self.acknowledged: set[str] = set()
        self.unknown: set[str] = set()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.runner.run(work)

    async def _open(self) -> None:
        # No retries: a connection that is cut off must surface as an unknown outcome.
        self.writers = [await LedgerWriter.start(self.database.dsn, retry_seconds=0) for _ in range(_WRITERS)]
        self.owner = await asyncpg.connect(self.database.superuser_dsn)
        self.recorder = await connect(self.database.dsn)
        await self.owner.execute("INSERT INTO platform_day (platform_no, day) VALUES ($1, $2)", self.platform_no, DAY)
        await self.owner.execute(
            "INSERT INTO platform (platform_no, name, custody_account_no, opened_at) VALUES ($1, '', $1, now())",
            self.platform_no,
        )
        await self.owner.executemany(
            "INSERT INTO verification_sending (platform_no, verification_no, number, request_no, bank_request_no,"
            " account_no_index, status, opened_at) VALUES ($1, $2, 1, $2, $2, '', 'sent', now())",
            [(self.platform_no, f"V-{payment}") for payment in range(_PAYMENTS)],
        )

    @rule(wave=st.lists(actions, min_size=3, max_size=30), kills=st.integers(min_value=0, max_value=3))
    def many_at_once(self, wave: list[Action], kills: int) -> None:
        self.run(self._wave([self._posting(action) for action in wave], kills))

    @rule(payment=st.integers(min_value=0, max_value=_PAYMENTS - 1))
    def everything_about_a_payment_in_turn(self, payment: int) -> None:
        self.run(self._in_turn(payment))

    async def _in_turn(self, payment: int) -> None:
        for kind in WANTED:
            posting = self._posting(Action(kind=kind, member_no="M-1", order_no="D-1", amount_fen=payment))
            await self._prepare([posting])
            await asyncio.gather(*(self._post(writer, posting) for writer in self.writers))
        await self._compare()

    # What was answered depends on timing, so hypothesis draws places in a list of any length, never its members.

    @rule(places=st.lists(st.integers(min_value=0), min_size=1, max_size=10))
    def the_same_again(self, places: list[int]) -> None:
        sent = list(self.sent.values())
        if sent:
            self.run(self._wave([sent[place % len(sent)] for place in places], kills=0))

    @rule(place=st.integers(min_value=0))
    def other_content_under_a_used_number(self, place: int) -> None:
        acknowledged = sorted(self.acknowledged)
        if acknowledged:
            self.run(self._reuse(acknowledged[place % len(acknowledged)]))

    def teardown(self) -> None:
        self.run(self._end())
        self.runner.close()

    async def _end(self) -> None:
        await self._wave([self.sent[number] for number in sorted(self.unknown)], kills=0)
        assert self.unknown == set(), "sent again on sound connections, every request gets its answer"
        for writer in self.writers:
            await writer.close()
        await self.owner.close()
        await self.recorder.close()

    async def _reuse(self, number: str) -> None:
        posting = self.sent[number]
        other = Posting(platform_no=posting.platform_no, request_no=number, content={"other": number}, occurred_at=NOON)
        with pytest.raises(Refused) as refusal:
            await self.writers[0].post(other)
        assert refusal.value.code == "request_no_reused"

    async def _wave(self, postings: list[Posting], kills: int) -> None:
        await self._prepare(postings)
        business = asyncio.gather(
            *(self._post(self.writers[number % _WRITERS], posting) for number, posting in enumerate(postings))
        )
        await asyncio.gather(business, self._cut_off(kills), self._look(business))
        await self._compare()

    async def _prepare(self, postings: list[Posting]) -> None:
        for posting in postings:
            if posting.request_no in self.sent:
                continue
            self.sent[posting.request_no] = posting
            wanted = self.wanted.get(posting.request_no)
            for basis in posting.bases:
                if wanted is not None and basis.kind == "consent":
                    subject = posting.changes[0]
                    await consented(self.owner, subject.kind, subject.object_no, **wanted.consent)
                elif wanted is not None and basis.kind == "bank_line":
                    await self._booked_by_bank(basis.reference, **wanted.line)
                elif basis.kind == "consent":
                    await a_consent(
                        self.owner,
                        basis.reference,
                        object_no=posting.changes[0].object_no,
                        platform_no=self.platform_no,
                    )
                elif basis.kind == "bank_line" and posting.entry is not None:
                    await self._booked_by_bank(basis.reference, max(line.amount_fen for line in posting.entry.lines))

    async def _booked_by_bank(
        self, serial_no: str, amount_fen: int, *, kind: str = "inbound", request_no: str = ""
    ) -> None:
        await self.owner.execute(
            "INSERT INTO bank_line (platform_no, bank_serial_no, line_no, kind, amount_fen, booked_at, value_date,"
            " balance_after_fen, request_no) VALUES ($1, $2, $3, $4, $5, now(), $6, 0, $7)",
            self.platform_no,
            serial_no,
            len(self.sent),
            kind,
            amount_fen,
            DAY,
            request_no,
        )

    async def _post(self, writer: LedgerWriter, posting: Posting) -> None:
        number = posting.request_no
        (answer,) = await asyncio.gather(writer.post(posting), return_exceptions=True)
        if isinstance(answer, LedgerUnavailable):
            if number not in self.acknowledged:
                self.unknown.add(number)
            return
        self.unknown.discard(number)
        if isinstance(answer, Refused):
            assert answer.code in {"insufficient_balance", "basis_used", "bank_line_already_posted"}, answer
            assert number not in self.acknowledged, "an acknowledged request can only be answered again"
        else:
            assert isinstance(answer, Receipt), answer
            self.acknowledged.add(number)

    async def _cut_off(self, kills: int) -> None:
        for _ in range(kills):
            await asyncio.sleep(0.003)
            await self.owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'SELECT post_batch%'"
            )

    async def _look(self, business: asyncio.Future[Any]) -> None:
        while not business.done():
            assert await check_invariants(self.recorder, self.platform_no) == []

    async def _compare(self) -> None:
        rows = await self.owner.fetch("SELECT request_no FROM request WHERE platform_no = $1", self.platform_no)
        applied = {row["request_no"] for row in rows}
        assert len(applied) == len(rows)
        assert self.acknowledged <= applied <= self.acknowledged | self.unknown
        asked: Counter[str] = Counter()
        for number in applied:
            entry = self.sent[number].entry
            for line in entry.lines if entry is not None else ():
                asked[str(line.account)] += line.amount_fen
        booked = await self.owner.fetch(
            "SELECT account_text(member_no, purpose, ref) AS name, balance_fen FROM account WHERE platform_no = $1",
            self.platform_no,
        )
        assert {row["name"]: row["balance_fen"] for row in booked if row["balance_fen"]} == {
            name: fen for name, fen in asked.items() if fen
        }
        assert all(fen >= 0 for name, fen in asked.items() if not name.startswith(tuple(WITHOUT_MINIMUM)))
        assert await check_invariants(self.recorder, self.platform_no) == []

    def _posting(self, action: Action) -> Posting:
        number = fresh("request")
        if action.kind in WANTED:
            collecting = Collecting(self.platform_no, action.amount_fen % _PAYMENTS)
            wanted = collecting.wanted(action.kind, self.acknowledged)
            if wanted is not None:
                self.wanted[wanted.posting.request_no] = wanted
                return wanted.posting
            action = replace(action, kind="record")
        entry, basis = self._entry(action, number)
        return Posting(
            platform_no=self.platform_no,
            request_no=number,
            content={"kind": action.kind, "amount_fen": action.amount_fen},
            occurred_at=NOON,
            entry=entry,
            changes=self._changes(action, number),
            bases=(basis,),
        )

    def _changes(self, action: Action, number: str) -> tuple[Change, ...]:
        body = {"last": number}
        order = Change(
            kind="order", object_no=action.order_no, event_type=f"order.{action.kind}", status="some", body=body
        )
        if action.kind != "withdraw":
            return (order,)
        return (order, Change(kind="withdrawal", object_no=f"W-{number}", event_type="withdrawal.held", status="held"))

    def _entry(self, action: Action, number: str) -> tuple[JournalEntry | None, Basis]:
        platform_no, member_no, order_no, amount_fen = (
            self.platform_no,
            action.member_no,
            action.order_no,
            action.amount_fen,
        )
        consent = Basis(kind="consent", reference=f"c-{number}", operation_hash=_hash(platform_no, order_no))
        legs = (FundingLeg(source="withdrawable", amount_fen=amount_fen),)
        if action.kind in ("top_up", "top_up_pending"):
            entry = recipes.top_up_credited(
                platform_no=platform_no,
                member_no=member_no,
                amount_fen=amount_fen,
                bank_serial_no=f"b-{number}",
                effective_date=DAY,
                pending_day=CLOSED if action.kind == "top_up_pending" else None,
            )
            return entry, Basis(kind="bank_line", reference=f"b-{number}")
        if action.kind == "mature":
            return recipes.pending_matured(
                platform_no=platform_no, member_no=member_no, day=CLOSED, amount_fen=amount_fen
            ), Basis(kind="none")
        if action.kind == "freeze":
            return recipes.order_frozen(platform_no=platform_no, owner_no="M-1", order_no=order_no, legs=legs), consent
        if action.kind == "release":
            return recipes.escrow_released(
                recipe="milestone_released",
                platform_no=platform_no,
                owner_no="M-1",
                order_no=order_no,
                payee_no=member_no,
                gross_fen=amount_fen,
                commission_fen=amount_fen // 20,
            ), consent
        if action.kind == "refund":
            return recipes.order_refunded(
                platform_no=platform_no, owner_no="M-1", order_no=order_no, parts=legs
            ), consent
        if action.kind == "withdraw":
            return recipes.withdrawal_requested(
                platform_no=platform_no, member_no=member_no, withdrawal_no=f"W-{number}", amount_fen=amount_fen
            ), consent
        return None, Basis(kind="none")


def _hash(platform_no: str, order_no: str) -> str:
    return operation_hash(
        platform_no=platform_no, object_kind="order", object_no=order_no, operation="any", by="O-1", terms={}
    )


def test_random_business_keeps_every_promise(database: Database) -> None:
    class OnTheseBooks(Business):
        pass

    OnTheseBooks.database = database
    run_state_machine_as_test(
        OnTheseBooks,
        settings=settings(
            max_examples=25,
            stateful_step_count=10,
            suppress_health_check=list(HealthCheck),
        ),
    )
