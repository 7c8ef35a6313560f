"""Rows of withdrawals and of the bank's lines, and how each is brought to its point."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from temporalio.client import Client

from escrow.domain.orders.contract import automatic_withdrawal_no
from escrow.domain.withdrawals.rails import Rail
from escrow.ledger.books_time import books_now, move_story
from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.gates import KeptCall
from tests.faults.house import House
from tests.faults.matrix import Call, Posting, Round
from tests.telling import told
from tests.waiting import until
from workflows.messages import WithdrawalProcessState, withdrawal_workflow_id

#: The bank says at once that it has a payout of these amounts; it is stuck, declined, or failed later.
_STUCK_FEN, _DECLINED_FEN, _FAILING_FEN = 90_004, 90_003, 90_012
_SMALL_FEN, _LARGE_FEN = 10_000, 5_000_001
#: Only the large-value rail carries more than a million yuan.
_OVER_A_MILLION_FEN = 100_000_001
#: Principal of each withdrawal that a member asks for.
AMOUNTS_FEN = {
    "hold": _SMALL_FEN,
    "attempt": _SMALL_FEN,
    "survey": _SMALL_FEN,
    "submit": _SMALL_FEN,
    "said": _SMALL_FEN,
    "declined": _DECLINED_FEN,
    "failed": _FAILING_FEN,
    "queue": _OVER_A_MILLION_FEN,
    "query": _SMALL_FEN,
    "settle": _SMALL_FEN,
    "differs": _SMALL_FEN,
    "return": _FAILING_FEN,
    "overdue": _STUCK_FEN,
    "large": _LARGE_FEN,
    "announced": _LARGE_FEN,
}
#: Orders whose release is withdrawn by itself.
STANDING_ORDERS = ("follow", "released")
#: No other rail reaches the owner's card.
_OF_THE_OWNER = frozenset({"return", "failed"})
GIVEN_BACK = _OF_THE_OWNER | {"declined"}
_AT_BANK = ("query", "settle", "differs", "failed", "return", "overdue")
_UNSENT = ("attempt", "submit", "said", "declined", "queue", "survey")
_ONE_STAGE = [{"name": "竣工验收", "kind": "acceptance", "amount_fen": callers.PRICE_FEN}]
_MORE_THAN_A_DAY, _UNTIL_A_RAIL_IS_LOOKED_AT = timedelta(hours=25), timedelta(minutes=15)
_STUCK = timedelta(minutes=11)
#: A question to the bank is asked so often before it counts as asked in vain.
_ASKED_AT_ONCE = 4


def _row(activity: str, command: str, number: str, reads: str | None = "") -> Posting:
    return Posting(
        activity=activity,
        command=command,
        number=f"{{no}}:{number}",
        reads=f"{{no}}:{number}" if reads == "" else reads,
    )


def _payout(activity: str, what: str, method: str) -> Call:
    return Call(activity=activity, what=what, method=method, path="/gateway/payouts", says="{no}:payout:1")


_SMS = {"method": "POST", "path": "/gateway/sms", "says": "{no}:sms"}
_RAILS = {"method": "GET", "path": "/gateway/capabilities", "says": "{custody}"}


class WithdrawalsRound(Round):
    """One withdrawal for each row; beside them a watch that reads the bank's lines, and one that books a line.

    Args:
        reading, booking: platforms of those watches.
    """

    POSTINGS: ClassVar = {
        "hold": _row("take_withdrawal", "Hold", "hold"),
        "follow": _row("take_withdrawal", "Hold, after a release", "hold"),
        "overdue": _row("take_withdrawal", "Overdue", r"overdue:\d+", "{no}:overdue:"),
        "released": _row("take_order_command", "accept, to be withdrawn", "M1:release:1", "{no}-accept"),
        "attempt": _row("send_payout", "BeginAttempt", "attempt:1"),
        "said": _row("send_payout", "BankSaid", r"attempt:1:seen:\d+", "{no}:attempt:1:seen:"),
        "declined": _row("send_payout", "EndAttempt", "attempt:1:ended"),
        "queue": _row("send_payout", "Queue", "queue:0:.*", "{no}:queue:0:"),
        "return": _row("send_payout", "GiveBack", "return"),
        "failed": _row("ask_about_payout", "EndAttempt", "attempt:1:ended"),
        "settle": _row("ask_about_payout", "Paid", "paid"),
        "differs": _row("ask_about_payout", "CallOperator", r"operator:\d+", "{no}:operator:"),
        "announced": _row("announce_withdrawal", "Announced", "sms"),
        "line": Posting(activity="book_bank_line", command="posts", number="bank-line:{no}", reads=None),
    }
    CALLS: ClassVar = {
        "survey": Call(activity="send_payout", what="asks about the rails", **_RAILS),
        "submit": _payout("send_payout", "sends the payment order", "POST"),
        "query": _payout("ask_about_payout", "asks the bank", "GET"),
        "large": Call(activity="announce_withdrawal", what="tells the member", **_SMS),
        "reading": Call(
            activity="fetch_bank_lines", what="asks for lines", method="GET", path="/gateway/custody/{custody}/lines",
            says="",
        ),
    }  # fmt: skip
    PRELIMINARIES: ClassVar = {
        "said": _payout("send_payout", "sends the payment order", "POST"),
        "declined": _payout("send_payout", "sends the payment order", "POST"),
        "return": Call(activity="send_payout", what="asks about the rails", **_RAILS),
        "announced": Call(activity="announce_withdrawal", what="tells the member", **_SMS),
    }
    EFFECTS: ClassVar = frozenset({"submit", "large"})
    AHEAD: ClassVar = frozenset({"return", "overdue", "survey"})

    def __init__(
        self,
        house: House,
        temporal: Client,
        name: str,
        *,
        trade: Platform,
        ahead: Platform,
        reading: Platform,
        booking: Platform,
    ) -> None:
        super().__init__(house, temporal, name, trade=trade, ahead=ahead)
        self.reading = reading
        self.booking = booking
        self.line_to_book = ""
        #: Questions about the rails on the platform that is ahead, in the order in which they were made.
        self._surveys: list[KeptCall] = []

    async def prepare(self) -> None:
        """Bring every object to the step before the one it is there for."""
        await asyncio.gather(
            *(self._withdraw(part) for part in _AT_BANK),
            *(self._standing_order(part) for part in STANDING_ORDERS),
            *(self.house.wake_bank_watch(platform) for platform in (self.reading, self.booking)),
        )
        await until(lambda: self._all_are(_AT_BANK, "submitted"), "the bank has the payouts")
        # From here on they wait until they are woken, and so do those that cannot ask the bank about its rails.
        await self.house.steer.set_bank_health("DOWN")
        await asyncio.gather(*(self._withdraw(part) for part in _UNSENT))
        for turn in (1, 2, 3):
            await until(partial(self._were_tried_in_vain, turn), "the rails cannot be asked about")
            await asyncio.gather(*(self._wake(part) for part in (_UNSENT if turn < 3 else ())))
        await until(self._bank_has_decided, "the bank has paid and failed what it was to")
        asked = {part: self._questions(part) for part in _AT_BANK}
        await asyncio.gather(*(self._wake(part) for part in _AT_BANK))
        await until(
            lambda: all(self._questions(part) >= asked[part] + _ASKED_AT_ONCE for part in _AT_BANK), "nobody answers"
        )
        await until(lambda: self._have_trouble(_AT_BANK), "it is known that nobody answers")
        await self.house.steer.set_bank_health("UP")

    async def make_calls(self) -> None:
        """Rails are asked about, payment orders sent and asked about, members told, lines looked for."""
        await self._line_differs("request_no || '-planted'")
        await self.house.steer.set_rail_health(Rail.HVPS, "DOWN")
        await self._time_passes(self.ahead, _MORE_THAN_A_DAY)
        self.call("large", self._withdraw("large"))
        self.call("announced", self._withdraw("announced"))
        await asyncio.gather(*(self._wake(part) for part in ("return", "submit", "said", "declined", "query")))
        await self._transfer(self.reading)
        await self.as_far_as_it_goes(lambda: bool(self._surveys))
        await self._wake("survey")
        # They go their way to the bank before the ledger is kept from posting.
        sent = [f"{self.trade.number}/{self.no(part)}:payout:1".encode() for part in ("large", "announced")]
        passed = self.house.bank_gate.passed
        await self.as_far_as_it_goes(lambda: all(any(number in call.body for call in passed) for number in sent))

    async def run_ahead(self) -> str:
        """What is released is withdrawn by itself."""
        order_no = self.no("follow")
        self.call("follow", callers.command(self.trade, order_no, "accept", milestone=1))
        return f"{order_no}:M1:release:1"

    async def make_postings(self) -> None:
        """Money is asked for and released, the bank has answered, a line is to be booked."""
        self.call("hold", self._withdraw("hold"))
        self.call("released", callers.command(self.trade, self.no("released"), "accept", milestone=1))
        woken = ("attempt", "queue", "settle", "failed", "differs")
        await asyncio.gather(*(self._wake(part) for part in woken), self._signal("overdue", "look"))
        self.line_to_book = await self._transfer(self.booking)

    async def at_bank(self) -> set[str]:
        """Of the payment order and the text that are kept: which the bank has."""
        numbers = {payout["reqSeq"] for payout in await self.house.steer.payouts()}
        numbers |= {text.req_seq for text in await self.house.steer.sms_outbox()}
        sent = {"submit": "payout:1", "large": "sms"}
        return {part for part, step in sent.items() if f"{self.trade.number}/{self.no(part)}:{step}" in numbers}

    async def lead_to_end(self) -> None:
        """The bank is well again and its line as it was; everything is paid, or given back."""
        await until(lambda: self._needs_attention("differs"), "an operator is called")
        await self._line_differs("split_part(request_no, '-planted', 1)")
        await self.house.steer.set_rail_health(Rail.HVPS, "UP")
        await self.house.steer.move_clock(self.ahead.custody_account_no, by=_STUCK)
        await self._time_passes(self.trade, _UNTIL_A_RAIL_IS_LOOKED_AT)
        await self._wake("queue")  # its text was tried in vain while the bank was away
        await callers.lead_to_end(self.trade, self.no("first"))
        await until(self._have_ended, "all withdrawals end", seen=self._waiting, pause_seconds=0.5)

    # ---- parts ----

    @classmethod
    def parts(cls) -> list[str]:
        """All withdrawals."""
        return [*AMOUNTS_FEN, *STANDING_ORDERS]

    def withdrawal_no(self, part: str) -> str:
        """Number of the withdrawal of a part."""
        return automatic_withdrawal_no(self.no(part), 1) if part in STANDING_ORDERS else self.no(part)

    def object_no(self, part: str) -> str:
        """Number of the object that the posting of a part is about."""
        if part == "line":
            return self.line_to_book
        return self.withdrawal_no(part) if part == "follow" else self.no(part)

    def platform_of(self, part: str) -> Platform:
        """The platform that the object of a part belongs to."""
        return {"reading": self.reading, "line": self.booking}.get(part) or super().platform_of(part)

    def is_call(self, part: str, known: Call, call: KeptCall) -> bool:
        """Questions about rails name nobody: the first one is of the withdrawal that is given back."""
        if not super().is_call(part, known, call) or known.path != _RAILS["path"]:
            return super().is_call(part, known, call)
        if call not in self._surveys:
            self._surveys.append(call)
        return part == ("return" if call is self._surveys[0] else "survey")

    async def _withdraw(self, part: str) -> None:
        member_no = "O-1" if part in _OF_THE_OWNER else "C-1"
        await callers.withdraw(self.platform_of(part), self.no(part), AMOUNTS_FEN[part], member_no)

    async def _standing_order(self, part: str) -> None:
        number = self.no(part)
        await callers.open_order(self.trade, number, milestones=_ONE_STAGE, withdraw_automatically=True)
        for operation in ("pay", "start", "complete"):
            await callers.command(self.trade, number, operation, milestone=1)

    async def _transfer(self, platform: Platform) -> str:
        """Money from a stranger, of which the watch is told; answers the bank's serial number."""
        line = await self.house.steer.transfer(
            custody_account_no=platform.custody_account_no,
            amount_fen=_SMALL_FEN,
            account_no="6222020000000000000",
            account_name="某人",
        )
        await self.house.wake_bank_watch(platform)
        return line.bank_serial_no

    async def _time_passes(self, platform: Platform, span: timedelta) -> None:
        recorder = self.house.recorder
        await move_story(recorder, platform.number, await books_now(recorder, platform.number) + span)

    async def _line_differs(self, said: str) -> None:
        """Our copy of the line that pays a withdrawal names another payment order, or again its own."""
        number = f"{self.trade.number}/{self.no('differs')}:payout:1"
        await self.house.wake_bank_watch(self.trade)

        async def changed() -> bool:
            async with self.house.superuser() as connection, connection.transaction():
                await connection.execute("SET LOCAL session_replication_role = replica")
                done = await connection.execute(
                    f"UPDATE bank_line SET request_no = {said}"
                    " WHERE platform_no = $1 AND kind = 'payout' AND starts_with(request_no, $2)",
                    self.trade.number,
                    number,
                )
                return bool(done == "UPDATE 1")

        await until(changed, "the bank's line is kept")

    async def _wake(self, part: str) -> None:
        await self._signal(part, "bank_notice", {"notice_id": f"test-{part}", "kind": "payout"})

    async def _signal(self, part: str, name: str, *payload: Any) -> None:
        number = withdrawal_workflow_id(self.platform_of(part).number, self.withdrawal_no(part))
        await told(self.temporal.get_workflow_handle(number), name, *payload)

    def _questions(self, part: str) -> int:
        """How often the bank was asked about the payment order of a withdrawal."""
        asks = _payout("ask_about_payout", "", "GET")
        return sum(super(WithdrawalsRound, self).is_call(part, asks, call) for call in self.house.bank_gate.passed)

    def _were_tried_in_vain(self, often: int) -> bool:
        passed = self.house.bank_gate.passed
        surveys = {
            platform.number: sum(call.target.endswith(f"acctNo={platform.custody_account_no}") for call in passed)
            for platform in (self.trade, self.ahead)
        }
        needed = {platform.number: 0 for platform in (self.trade, self.ahead)}
        for part in _UNSENT:
            needed[self.platform_of(part).number] += often
        return all(surveys[number] >= needed[number] for number in needed)

    async def _bank_has_decided(self) -> bool:
        states = {payout["reqSeq"]: payout["state"] for payout in await self.house.steer.payouts()}
        numbers = {part: f"{self.platform_of(part).number}/{self.no(part)}:payout:1" for part in _AT_BANK}
        wanted = {part: "FAIL" if part in GIVEN_BACK else "SUCCESS" for part in _AT_BANK if part != "overdue"}
        return all(states[numbers[part]] == state for part, state in wanted.items())

    async def _state(self, part: str) -> WithdrawalProcessState:
        handle = self.temporal.get_workflow_handle(
            withdrawal_workflow_id(self.platform_of(part).number, self.withdrawal_no(part))
        )
        state: WithdrawalProcessState = await handle.query("state", result_type=WithdrawalProcessState)
        return state

    async def _all_are(self, parts: Iterable[str], status: str) -> bool:
        found = [await callers.withdrawal_status(self.platform_of(part), self.no(part)) for part in parts]
        return all(item == status for item in found)

    async def _have_trouble(self, parts: Iterable[str]) -> bool:
        return all([bool((await self._state(part)).trouble) for part in parts])

    async def _needs_attention(self, part: str) -> bool:
        return any(":operator:" in number for number in await self.house.requests_of(self.trade, self.no(part)))

    async def _have_ended(self) -> bool:
        """Whether none waits; those that do are told to look."""
        waiting = await self._waiting()
        await asyncio.gather(*(self._signal(part, "look") for part in waiting))
        return not waiting

    async def _waiting(self) -> list[str]:
        statuses = {
            part: await callers.withdrawal_status(self.platform_of(part), self.withdrawal_no(part))
            for part in self.parts()
        }
        return [part for part, status in statuses.items() if status not in ("paid", "failed")]
