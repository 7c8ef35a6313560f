"""One round of the second matrix: members, money in and what it pays; every activity type at one point, then a kill.

Calls of the bank are kept at its gate, each at the occurrence that belongs to the activity; postings wait in one
batch behind a first one, or each on a connection of its own where the registry posts in a transaction.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from temporalio.client import Client, WorkflowHandle

from escrow.domain.collections.methods import payment_booking_no
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.books_time import books_now, move_story
from escrow.ledger.objects import known_object
from tests.api.payers import NAME, card_of, mandate_body, open_payer
from tests.api.platforms import Platform
from tests.channels.numbers import citizen_id
from tests.faults import callers
from tests.faults import money_in_rows as rows
from tests.faults.gates import KeptCall, KeptStatement, as_far_as_it_goes
from tests.faults.house import House
from tests.faults.matrix import Point
from tests.faults.money_in_rows import MoneyInNumbers
from tests.telling import told
from tests.waiting import until, within_reason
from workflows import messages

_GATHER_SECONDS = 3.5
#: What was triggered last may take so long to get to the gate; after 5 s an attempt is given up and made again, and a
#: batch with both is refused.
_ARRIVE_SECONDS = 2.5
_COMMIT_SECONDS = 4.0
#: Until the last day of a mandate that ends in a round.
_SOON = timedelta(days=2)


class MoneyInRound(MoneyInNumbers):
    """Everything of one platform is brought to its point at once; the worker is killed, another leads all to its end.

    Args:
        platform: where all happens but what is at `ahead`.
        ahead: there days pass until a member is closed and a mandate has ended; they would end everything else too.
        name: begins every number, which tells what it is there for.
    """

    def __init__(self, house: House, temporal: Client, platform: Platform, ahead: Platform, name: str) -> None:
        self.house = house
        self.temporal = temporal
        self.platform = platform
        self.ahead = ahead
        super().__init__(name)
        self.reached: set[str] = set()
        self.calling: list[asyncio.Task[Any]] = []
        self.calls: list[KeptCall] = []
        self.paid: dict[str, str] = {}
        self.citizen = citizen_id("345", born="19830407")
        self._seen: Counter[str] = Counter()

    # ---- up to the point ----

    async def prepare(self) -> None:
        """Bring every object to the step before the one it is there for."""
        platform = self.platform
        await open_payer(platform)
        await open_payer(platform, "O-2", prefix="621700")
        await platform.open_contractor()
        await self._transfer(callers.PRICE_FEN + rows.ASKED_FEN)
        for where, part in ((platform, "I"), (self.ahead, "M")):
            person = {"kind": "person", "name": "李雷", "mobile": "13800000009"}
            await callers.insist(where, "/members", member_no=self.no(part), **person)
        await open_payer(self.ahead)
        for number, (where, part) in enumerate(
            ((platform, "send"), (platform, "try"), (self.ahead, "expire")), start=11
        ):
            binding = {"account_id": f"A-{part}", "account_no": card_of("622202", number), "account_name": NAME}
            await callers.insist(where, "/members/O-1/bank-accounts", **binding, is_corporate=False)
        soon = (await books_now(self.house.recorder, self.ahead.number)).astimezone(SHANGHAI).date() + _SOON
        mandate = mandate_body(self.no("mandate"), last_day=soon.isoformat())
        await callers.insist(self.ahead, "/members/O-1/mandates", **mandate)
        await self._verify(platform, "try")
        await self._verify(self.ahead, "expire")
        waiting = ("query", "close", "refund", "asked", "book", "hold", "settle")
        await asyncio.gather(*(self._top_up(part) for part in waiting))
        orders = ("direct", "back", "asked-back", "told", "settle-back", "B1", "B2", "B4")
        await asyncio.gather(*(callers.open_order(platform, self.no(part)) for part in orders))
        await callers.open_order(platform, self.no("B3"), owner_no="O-2")
        await asyncio.gather(*(self._direct(part) for part in ("direct", "back", "asked-back", "told", "settle-back")))
        for part in ("back", "asked-back", "told", "settle-back"):
            await self._pay(f"{part}:pay:{self.direct_no(part)}", callers.PRICE_FEN)
        for part in ("back", "asked-back", "told", "settle-back"):
            await self._order_is(part, "awaiting_start")
        batch = {"batch_no": self.no("batch-direct"), "payer_no": "O-1"}
        await self._insist("/batch-payments", **batch, **self.orders("B4"), **rows.COLLECTED)

    async def keep_calls(self) -> None:
        """The calls of the bank activities wait at the gate, and those after which the others post."""
        gate = self.house.bank_gate
        self._seen.clear()
        gate.trap = lambda call: bool(self._activity_of(call))
        await self._first_collection_expires()
        await self.house.steer.next_suffers("failed_later", "refund")
        self._call(callers.command(self.platform, self.no("told"), "cancel"))
        await as_far_as_it_goes(2 * _GATHER_SECONDS, lambda: "tell_refund_credited" in self._kept_calls())
        for part in ("hold", "book", "settle", "refund", "asked"):
            await self._pay(part, rows.TOO_MUCH_FEN if part != "book" else rows.ASKED_FEN)
        await self._pay(f"direct:pay:{self.direct_no('direct')}", callers.PRICE_FEN)
        await self._pay("batch-direct:batch-pay", callers.PRICE_FEN)
        self._call(callers.command(self.platform, self.no("settle-back"), "cancel"))
        self._call(self._insist("/top-ups", **self.top_up_body("record")))
        self._call(self._insist(self._confirm_path("try"), request_no=self.no("TC"), code="111111"))
        self._call(self._verify(self.platform, "send"))
        self._call(self._ask_identity("I", self.citizen, "identity"))
        for part in ("back", "asked-back"):
            self._call(callers.command(self.platform, self.no(part), "cancel"))
        await self._wake("query")
        self._call(self._insist("/top-ups", **self.top_up_body("create")))
        await as_far_as_it_goes(2 * _GATHER_SECONDS, lambda: self._kept_calls() >= {*rows.CALLS, *rows.BEFORE_POSTING})

    async def keep_postings(self) -> list[KeptStatement]:
        """The postings of all ledger activities wait at the gate: one batch, and those on connections of their own."""
        ledger, platform = self.house.ledger_gate, self.platform
        ledger.keeping = True
        self._call(callers.open_order(platform, self.no("first")))
        first = await within_reason(ledger.kept.get(), "the first order is posted")
        kept_calls = self.house.bank_gate.kept
        self.calls = [call for call in kept_calls if self._activity_of(call, counted=False) in rows.CALLS]
        # Of a question that was given up and asked again only the last: two answers would make two postings.
        newest = {self._activity_of(call, counted=False): call for call in kept_calls}
        for activity, call in newest.items():
            if activity not in rows.CALLS:
                call.forward(keep_answer=False)
        self.house.bank_gate.trap = lambda call: self._activity_of(call, counted=False) in rows.CALLS
        self._call(self._insist("/top-ups", **self.top_up_body("open")))
        batches = {
            "batch": ("O-1", "B1", {}),
            "batch-open": ("O-1", "B2", rows.COLLECTED),
            "batch-poor": ("O-2", "B3", {}),
        }
        for part, (payer_no, order, how) in batches.items():
            orders = [{"order_no": self.no(order), "amount_fen": callers.PRICE_FEN}]
            batch = {"batch_no": self.no(part), "payer_no": payer_no, "orders": orders}
            self._call(platform.post("/batch-payments", **batch, **how))
        for part, payer_no in (("pay", "O-1"), ("poor", "O-2")):
            transfer = {"payment_no": self.no(part), "payer_no": payer_no, "payee_no": "C-1", "amount_fen": 100}
            self._call(platform.post("/payments", **transfer))
        await callers.insist(self.ahead, f"/members/{self.no('M')}/close", request_no=self.no("CL"))
        await self._days_pass_ahead()
        await asyncio.sleep(_ARRIVE_SECONDS)
        kept = [ledger.kept.get_nowait() for _ in range(ledger.kept.qsize())]
        first.forward(keep_answer=False)
        with suppress(TimeoutError):
            kept.append(await asyncio.wait_for(ledger.kept.get(), _GATHER_SECONDS))
        for statement in kept:
            statement.leave_out(first)
        return [statement for statement in kept if statement.numbers]

    # ---- the kill ----

    async def kill_at(self, point: Point) -> None:
        """Bring everybody to the point, kill, and check what the ledger has."""
        await self.prepare()
        await self.keep_calls()
        statements = await self.keep_postings()
        numbers = [pair for kept in statements for pair in kept.numbers]
        self.reached = {self._activity_of(call, counted=False) for call in self.calls} | self.activities_that_post(
            numbers, self.paid
        )
        if point is Point.BEFORE:
            await self.house.kill_worker()
            assert await self.house.taken(numbers) == set()
        elif point is Point.UNDER_WAY:
            await self._kill_under_way(statements)
        else:
            with suppress(TimeoutError):  # a batch with a repeat is refused as a whole: then another round is played
                await self._commit(statements)
            taken = await self.house.taken(numbers)
            self.reached -= self.activities_that_post(set(numbers) - taken, self.paid)
            for call in self.calls:
                call.forward(keep_answer=True)
            await within_reason(
                asyncio.gather(*(call.answered.wait() for call in self.calls)), "the bank answers all calls"
            )
            await self.house.kill_worker()

    async def _commit(self, statements: list[KeptStatement]) -> None:
        """All statements are done and committed, and no answer to that comes back."""
        gate = self.house.ledger_gate
        gate.keeps_commits = True
        numbers = {pair for kept in statements for pair in kept.numbers}
        for kept in statements:
            kept.forward(keep_answer=len(kept.numbers) > 1)
        async with asyncio.timeout(_COMMIT_SECONDS):
            while await self.house.taken(sorted(numbers)) != numbers:
                with suppress(TimeoutError):
                    (await asyncio.wait_for(gate.kept.get(), 0.2)).forward(keep_answer=True)

    async def _kill_under_way(self, statements: list[KeptStatement]) -> None:
        """The ledger is made to wait in the middle of each statement, the bank before it looks at the calls."""
        await self.house.steer.set_bank_health("SLOW")
        async with AsyncExitStack() as opened:
            connection = await opened.enter_async_context(self.house.superuser())
            taking = connection.transaction()
            await taking.start()
            for kept in statements:
                await connection.execute(
                    "INSERT INTO request (platform_no, request_no, content_hash, accounting_day)"
                    " VALUES ($1, $2, '', now())",
                    *kept.numbers[-1],
                )
            for call in (*statements, *self.calls):
                call.forward(keep_answer=True)
            try:
                async with asyncio.timeout(_COMMIT_SECONDS):
                    while not await self._all_wait(len(statements)):
                        await asyncio.sleep(0.05)
            except TimeoutError:  # as with a commit
                self.reached -= rows.ROWS - rows.CALLS.keys()
            await self.house.kill_worker()
            assert await self.house.taken([pair for kept in statements for pair in kept.numbers]) == set()
            await taking.rollback()
        await self.house.steer.set_bank_health("UP")

    async def _all_wait(self, count: int) -> bool:
        async with self.house.superuser() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%post_batch%'"
            return bool(await connection.fetchval(query) >= count)

    # ---- to the end ----

    async def go_on(self) -> float:
        """Start another worker; everything goes on to its end. Seconds from its start to the last answer."""
        began = time.monotonic()
        await self.house.worker.start()
        await asyncio.gather(*self.calling)
        answered = time.monotonic() - began
        await self._ends(f"/members/O-1/bank-accounts/A-send/verify/{self.no('send')}", "sent")
        told = await self._insist(self._confirm_path("send"), request_no=self.no("SC"), code="111111")
        assert told["outcome"] == "accepted", told
        for part in ("create", "query", "record", "open"):
            await self._is_open(part)
            await self._pay(part, rows.ASKED_FEN)
        for part in ("create", "query", "record", "open", "book", "hold", "settle", "refund", "asked"):
            await self._ends(f"/top-ups/{self.no(part)}", "paid")
        await self._ends(f"/top-ups/{self.no('close')}", "closed")
        for part in ("direct", "B1", "B4"):
            await self._order_is(part, "awaiting_start")
        for part in ("back", "asked-back", "told", "settle-back"):
            await self._order_is(part, "cancelled")
        for part in ("send", "try"):
            await self._ends(f"/members/O-1/bank-accounts/A-{part}/verify/{self.no(part)}", "verified")
        await self._ends(f"/members/O-1/bank-accounts/A-expire/verify/{self.no('expire')}", "expired", self.ahead)
        await self._ends(f"/members/O-1/mandates/{self.no('mandate')}", "expired", self.ahead)
        await self._ends(f"/members/{self.no('M')}", "closed", self.ahead)
        await self._ends(f"/members/{self.no('I')}/identity-checks/{self.no('identity')}", "verified")
        return answered

    async def at_channel(self) -> dict[str, tuple[list[int], int]]:
        """What the channel says of each collection: its payments, and what it gave back."""
        found: dict[str, tuple[list[int], int]] = {}
        account_no = self.platform.custody_account_no
        top_ups = ("create", "query", "record", "open", "book", "close", "hold", "settle", "refund", "asked")
        orders = ("direct", "back", "asked-back", "told", "settle-back")
        collections = dict(zip(top_ups, top_ups, strict=True))
        collections |= {part: f"{part}:pay:{self.direct_no(part)}" for part in orders}
        collections |= {part: f"{part}:batch-pay" for part in ("batch-open", "batch-direct")}
        for part, collection in collections.items():
            paid, refunded_fen = [], 0
            for attempt in range(1, await self._asked(collection) + 1):
                number = f"{self.platform.number}/{self.no(collection)}:collect:{attempt}"
                answer = await self.house.at_bank.collections.query(number, custody_account_no=account_no)
                paid += [payment.amount_fen for payment in answer.payments]
                refunded_fen += answer.refunded_fen
            found[part] = (paid, refunded_fen)
        return found

    # ---- parts ----

    async def _transfer(self, amount_fen: int) -> None:
        """Money from the owner's card, of which the watch is told by hand, since the bank tells nobody anything."""
        custody_account_no = self.platform.custody_account_no
        payer = {"account_no": card_of("622202", 1), "account_name": NAME}
        await self.house.steer.transfer(custody_account_no=custody_account_no, amount_fen=amount_fen, **payer)
        await self.house.wake_bank_watch(self.platform)

        async def arrived() -> bool:
            return bool((await self.platform.balances("O-1"))["available_fen"] == amount_fen)

        await until(arrived, "the money arrives")

    async def _top_up(self, part: str) -> None:
        await self._insist("/top-ups", **self.top_up_body(part), expires_in_minutes=1 if part == "close" else 30)
        await self._is_open(part)

    async def _is_open(self, part: str) -> None:
        await self._ends(f"/top-ups/{self.no(part)}", "awaiting_payer")

    async def _direct(self, part: str) -> None:
        path = f"/orders/{self.no(part)}/direct-payments"
        await self._insist(path, request_no=self.direct_no(part), by="O-1", **rows.METHOD)
        await self._ends(f"{path}/{self.direct_no(part)}", "awaiting_payer")

    async def _pay(self, collection: str, amount_fen: int) -> None:
        """The payer pays, and the collection's workflow is told."""
        # The first may never have been taken in.
        number = f"{self.no(collection)}:collect:{await self._asked(collection)}"
        answer = await self.house.steer.pay(f"{self.platform.number}/{number}", amount_fen=amount_fen)
        self.paid[f"{collection}:collect:1"] = payment_booking_no(answer.payments[-1].payment_no)
        await self._wake(collection)

    def _collecting(self, collection: str) -> WorkflowHandle[Any, Any]:
        number = messages.collection_workflow_id(self.platform.number, self.no(collection))
        return self.temporal.get_workflow_handle(number)

    async def _asked(self, collection: str) -> int:
        """How many orders to collect a channel was asked for, by the books."""
        found = await known_object(self.house.recorder, self.platform.number, "pay_in", self.no(collection))
        return len(found.body["asked"])

    async def _wake(self, collection: str) -> None:
        notice = {"notice_id": self.no(collection), "kind": "collection"}
        await told(self._collecting(collection), "bank_notice", notice)

    async def _verify(self, where: Platform, part: str) -> None:
        path = f"/members/O-1/bank-accounts/A-{part}/verify/unionpay"
        await callers.insist(where, path, request_no=self.no(part), consent=rows.CONSENT, mobile="13552535506")

    def _confirm_path(self, part: str) -> str:
        return f"/members/O-1/bank-accounts/A-{part}/verify/{self.no(part)}/confirm-code"

    async def _ask_identity(self, part: str, id_no: str, check: str) -> None:
        path = f"/members/{self.no(part)}/identity-checks"
        await self._insist(path, request_no=self.no(check), id_no=id_no, consent=rows.CONSENT)

    async def _insist(self, path: str, **body: Any) -> dict[str, Any]:
        return await callers.insist(self.platform, path, **body)

    async def _order_is(self, part: str, status: str) -> None:
        await self._ends(f"/orders/{self.no(part)}", status)

    async def _ends(self, path: str, status: str, platform: Platform | None = None) -> None:
        async def does() -> bool:
            answer = await (platform or self.platform).get(path)
            return answer.is_success and answer.json()["status"] == status

        await until(does, f"{path} is {status}")

    def _call(self, call: Coroutine[Any, Any, Any]) -> None:
        self.calling.append(asyncio.create_task(call))

    async def _first_collection_expires(self) -> None:
        """Two minutes pass by the books, which end the one collection that has no longer."""
        await self._story_moves(self.platform, timedelta(minutes=2))
        await told(self._collecting("close"), "look")

    async def _story_moves(self, platform: Platform, by: timedelta) -> None:
        await move_story(
            self.house.recorder, platform.number, await books_now(self.house.recorder, platform.number) + by
        )

    async def _days_pass_ahead(self) -> None:
        """The mandate's last day passes, the member's closing falls due, and nobody has typed the code in time."""
        platform_no = self.ahead.number
        await self._story_moves(self.ahead, _SOON + timedelta(days=1))
        for workflow_id in (
            messages.mandate_workflow_id(platform_no, self.no("mandate")),
            messages.member_closing_workflow_id(platform_no, self.no("M"), self.no("CL")),
            messages.account_verification_workflow_id(platform_no, self.no("expire")),
        ):
            await told(self.temporal.get_workflow_handle(workflow_id), "look")

    def _activity_of(self, call: KeptCall, *, counted: bool = True) -> str:
        """The activity that a call belongs to, empty for none; its occurrences are counted when it is seen first."""
        for activity, (method, path, part, nth) in {**rows.CALLS, **rows.BEFORE_POSTING}.items():
            if not self._names(call, method, path, part):
                continue
            if counted:
                self._seen[activity] += 1
            if self._seen[activity] >= nth:
                return activity
        return ""

    def _names(self, call: KeptCall, method: str, path: str, part: str) -> bool:
        target, _, query = unquote(call.target).partition("?")
        if (call.method, target) != (method, path):
            return False
        if not part:
            return self.citizen.encode() in call.body
        named = f"{self.platform.number}/{self.no(part.format(name=self.name))}"
        return query.startswith(f"reqSeq={named}&") or f'"{named}"'.encode() in call.body

    def _kept_calls(self) -> set[str]:
        return {self._activity_of(call, counted=False) for call in self.house.bank_gate.kept}
