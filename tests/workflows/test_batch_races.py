"""Batches that overlap in their orders, single payments and closings, from many connections that are cut off meanwhile.

Whatever comes first: no order is ever frozen twice, no batch partly, and no order both paid and closed.
"""

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import uvloop
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from temporalio.testing import ActivityEnvironment

from activities.batch_payments import BatchNo
from activities.orders import OrderRef, TakeOrderCommand
from escrow.domain.collections.batch_payments import BATCH_PAYMENT, Share, batch_consent_no, batch_terms
from escrow.domain.errors import LedgerBusy, LedgerUnavailable
from escrow.domain.money import recipes
from escrow.domain.money.journal import Basis
from escrow.domain.orders.commands import DeadlinePassed, PartyCommand
from escrow.domain.orders.contract import opening_consent_no
from escrow.domain.orders.operations import pay_terms
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.ledger.balances import member_balances
from escrow.ledger.books_time import books_now, move_story
from escrow.ledger.consents import NewConsent, record_consent
from escrow.ledger.engine import Recorder, connect
from escrow.ledger.invariants import check_invariants
from escrow.ledger.objects import get_object
from escrow.ledger.posting import LedgerWriter
from escrow.registry.members.members import MemberKind
from escrow.registry.platforms.file import OwnBankAccount, PlatformFile
from tests.ledger.books import DAY, booked_by_bank, posting
from tests.postgres import Database
from tests.sandbox import Sandbox
from tests.stage import settings_for
from worker import Activities

_WRITERS = 4
#: How whoever comes too late is refused.
_EXPECTED = {"order_state", "insufficient_balance"}
#: Longer than an order waits for its payment.
_A_DAY_LATER = timedelta(hours=25)
_PLATFORMS = itertools.count(1)
_PRICES_FEN = {f"D-{number}": 100 * number for number in range(1, 7)}
_order_nos = st.sampled_from(sorted(_PRICES_FEN))


@dataclass(frozen=True)
class Rush:
    """What happens at once: batches over these lists, single payments and closings of these orders."""

    batches: list[set[str]]
    singles: list[str]
    closings: list[str]
    money_fen: int
    kills: int


rushes = st.builds(
    Rush,
    batches=st.lists(st.sets(_order_nos, min_size=1, max_size=6), min_size=2, max_size=10),
    singles=st.lists(_order_nos, max_size=3),
    closings=st.lists(_order_nos, max_size=2),
    money_fen=st.integers(min_value=300, max_value=2_500),
    kills=st.integers(min_value=0, max_value=2),
)


class Race:
    """One platform, six orders of one owner that wait for their payment, and activities on many connections."""

    def __init__(self, database: Database, sandbox: Sandbox) -> None:
        self.database = database
        self.sandbox = sandbox
        self.platform_no = f"RACE{next(_PLATFORMS)}"
        self.frozen: list[str] = []

    async def run(self, rush: Rush) -> None:
        """Let everything happen at once, then look at what the books say."""
        self.owner = await asyncpg.connect(self.database.superuser_dsn)
        self.recorder = Recorder(self.database.dsn)
        writers = [await LedgerWriter.start(self.database.dsn, retry_seconds=0) for _ in range(_WRITERS)]
        configured = settings_for(self.database, self.sandbox)
        self.rooms = [Activities(configured, writer, self.recorder, self.sandbox.bank) for writer in writers]
        try:
            await self._prepare(rush.money_fen)
            calls = [self._batch(number, order_nos) for number, order_nos in enumerate(rush.batches)]
            calls += [self._single(number, order_no) for number, order_no in enumerate(rush.singles)]
            calls += [self._close(order_no) for order_no in set(rush.closings)]
            await asyncio.gather(*calls, self._cut_off(rush.kills))
            await self._compare(rush)
        finally:
            for writer in writers:
                await writer.close()
            await self.recorder.close()
            await self.owner.close()

    # ---- what happens ----

    async def _batch(self, number: int, order_nos: set[str]) -> None:
        batch_no = f"B-{number}"
        shares = [
            Share(order_no=order_no, payee_no="C-1", amount_fen=_PRICES_FEN[order_no], inspection_days=7)
            for order_no in order_nos
        ]
        terms = batch_terms(shares, paid_by="balance")
        await self._consent(batch_consent_no(batch_no), BATCH_PAYMENT, batch_no, BATCH_PAYMENT, terms)
        if await self._paid(number % _WRITERS, BatchNo(platform_no=self.platform_no, batch_no=batch_no)):
            self.frozen += order_nos

    async def _single(self, number: int, order_no: str) -> None:
        terms = pay_terms(total_fen=_PRICES_FEN[order_no], inspection_days=7)
        await self._consent(f"R-{number}", "order", order_no, "pay", terms)
        command = PartyCommand(operation=OrderCommand.PAY, request_no=f"R-{number}", by="O-1")
        if await self._taken(number % _WRITERS, order_no, command):
            self.frozen.append(order_no)

    async def _close(self, order_no: str) -> None:
        await self._taken(0, order_no, DeadlinePassed(deadline="payment"))

    async def _taken(self, room: int, order_no: str, command: PartyCommand | DeadlinePassed) -> bool:
        """Have a command taken by one of the workers; whether it was not refused."""
        request = TakeOrderCommand(platform_no=self.platform_no, order_no=order_no, command=command)
        while True:
            try:
                taken = await ActivityEnvironment().run(self.rooms[room].orders.take_order_command, request)
            except (LedgerUnavailable, LedgerBusy):
                continue
            assert taken.remaining is None
            assert taken.refusal is None or taken.refusal.code in _EXPECTED, taken.refusal
            return taken.refusal is None

    async def _paid(self, room: int, batch: BatchNo) -> bool:
        """Have a batch paid by one of the workers, again after a lost connection; whether it was not refused."""
        while True:
            try:
                taken = await ActivityEnvironment().run(self.rooms[room].batches.take_batch, batch)
            except (LedgerUnavailable, LedgerBusy):
                continue
            assert taken.refusal is None or taken.refusal.code in _EXPECTED, taken.refusal
            return taken.refusal is None

    async def _cut_off(self, kills: int) -> None:
        for _ in range(kills):
            await asyncio.sleep(0.01)
            await self.owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'SELECT post_batch%'"
            )

    # ---- what it begins with ----

    async def _prepare(self, money_fen: int) -> None:
        registry = self.rooms[0].registry
        own = OwnBankAccount(account_id="OWN-1", account_no="755900001234567890")
        config = PlatformConfig(top_up_settlement=Settlement.T_PLUS_0)
        file = PlatformFile(platform_no=self.platform_no, name="竞速", own_bank_account=own, config=config)
        await registry.open_platform(file, custody_account_no=f"C-{self.platform_no}")
        await registry.members.open(self.platform_no, member_no="O-1", kind=MemberKind.PERSON, name="王小明")
        await registry.members.open(self.platform_no, member_no="C-1", kind=MemberKind.COMPANY, name="安居")
        await self._top_up(money_fen)
        for order_no in _PRICES_FEN:
            terms = self._contract(order_no)
            await self._consent(opening_consent_no(order_no), "order", order_no, "open", terms, by=PLATFORM_ITSELF)
            ref = OrderRef(platform_no=self.platform_no, order_no=order_no)
            entered = await ActivityEnvironment().run(self.rooms[0].orders.enter_order, ref)
            assert entered.refusal is None
        await move_story(self.recorder, self.platform_no, await self._now() + _A_DAY_LATER)

    async def _top_up(self, money_fen: int) -> None:
        serial_no = await booked_by_bank(self.owner, money_fen, platform_no=self.platform_no)
        entry = recipes.top_up_credited(
            platform_no=self.platform_no,
            member_no="O-1",
            amount_fen=money_fen,
            bank_serial_no=serial_no,
            effective_date=DAY,
        )
        basis = Basis(kind="bank_line", reference=serial_no)
        writer = await LedgerWriter.start(self.database.dsn)
        await writer.post(posting(entry=entry, bases=(basis,), platform_no=self.platform_no))
        await writer.close()

    def _contract(self, order_no: str) -> dict[str, Any]:
        price_fen = _PRICES_FEN[order_no]
        return {
            "order_no": order_no,
            "owner_no": "O-1",
            "contractor_no": "C-1",
            "total_fen": price_fen,
            "milestones": [{"name": "竣工", "kind": "acceptance", "amount_fen": price_fen}],
        }

    async def _now(self) -> datetime:
        return await books_now(self.recorder, self.platform_no)

    async def _consent(
        self, number: str, kind: str, object_no: str, operation: str, terms: dict[str, Any], *, by: str = "O-1"
    ) -> None:
        await record_consent(
            self.recorder,
            NewConsent(
                platform_no=self.platform_no,
                consent_no=number,
                object_kind=kind,
                object_no=object_no,
                operation=operation,
                given_by=by,
                terms=terms,
                valid_for=timedelta(days=1),
                config_version=1,
            ),
        )

    # ---- what the books say ----

    async def _compare(self, rush: Rush) -> None:
        assert len(self.frozen) == len(set(self.frozen)), "an order was paid twice"
        balances = await member_balances(self.recorder, self.platform_no, "O-1")
        assert balances.in_escrow_fen_by_order == {number: _PRICES_FEN[number] for number in self.frozen}
        assert balances.available_fen == rush.money_fen - sum(_PRICES_FEN[number] for number in self.frozen)
        names = {f"order/{order_no}/unpaid": order_no for order_no in _PRICES_FEN}
        claims = await self.owner.fetch("SELECT name, request_no FROM claim WHERE platform_no = $1", self.platform_no)
        ended_by = {names[name]: by for name, by in claims}
        for number, order_nos in enumerate(rush.batches):
            paid = {order_no for order_no in order_nos if ended_by.get(order_no) == f":batch_payment:B-{number}:pay"}
            assert paid in (set(), order_nos), "a batch was paid partly"
        for order_no in _PRICES_FEN:
            order = await get_object(self.recorder, self.platform_no, "order", order_no)
            assert order is not None
            expected = "awaiting_start" if order_no in self.frozen else "closed_unpaid"
            assert order.status == (expected if order_no in ended_by else "awaiting_payment")
        connection = await connect(self.database.dsn)
        try:
            broken = await check_invariants(connection, self.platform_no)
            # Nobody looks after these orders: what falls due meanwhile is nobody's progress.
            assert [item for item in broken if item.invariant != "unfinished_moves"] == []
        finally:
            await connection.close()


def test_overlapping_batches_freeze_no_order_twice_and_no_batch_partly(
    database: Database, shared_bank: Sandbox
) -> None:
    @settings(max_examples=15, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(rushes)
    def whatever_comes_first(rush: Rush) -> None:
        work: Coroutine[Any, Any, None] = Race(database, shared_bank).run(rush)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)

    whatever_comes_first()
