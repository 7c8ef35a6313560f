"""Fills books with the first release: an order, a withdrawal, a top-up in each state that they can stand in.

It plays on the first release's own stack, over HTTP, with the hands that its tests have on the bank, stops the stack
while all of that is under way, and writes what an upgrade finds: the database as SQL (`books.sql.gz`), the bank's books
as SQL (`bank.sql.gz`), and the moment, the numbers and the keys of this test stack (`told.json`).

    git worktree add /tmp/first b48d872
    python tests/first_release/fill.py /tmp/first tests/first_release

It needs the packages that this repository needs, some minutes, and nothing of what lies beside this file.
"""

import asyncio
import gzip
import importlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

PRICE_FEN = 1_000_000
#: Large enough to be announced by SMS, and small enough for a rail that is always open.
LARGE_FEN = 200_100
_DAY = timedelta(days=1)
#: Of the bank's time; what is stuck outlives the first release.
_STUCK = timedelta(hours=6)
_ITS_MODULES = (
    "escrow.stack.up",
    "tests.api.platforms",
    "escrow.commands.skip_clock",
    "escrow.stack.temporal_client",
)


class Filling:
    """One platform on a running stack of the first release, and a hand on whatever is to go wrong at its bank.

    Args:
        stack: the first release's `Stack`.
        platform: its tests' `Platform`: speaks to the API with the platform's key.
        temporal: client of the stack's server.
        clock_of: its `WorkflowClock`, by workflow id.
    """

    def __init__(self, stack: Any, platform: Any, temporal: Any, clock_of: Callable[[str], Any]) -> None:
        self.stack = stack
        self.platform = platform
        self.bank = platform.bank
        self.temporal = temporal
        self.clock_of = clock_of
        self._requests = 0

    async def fill(self) -> None:
        """Everything, what must not wait long last."""
        await self.members_with_money()
        unanswered = asyncio.create_task(self.unanswered_for_a_day("W-ATTENTION", 31_000))
        await self.top_ups()
        await self.orders_that_wait()
        await self.orders_in_work()
        await self.orders_that_ended()
        await self.orders_paid_otherwise()
        await self.said_and_refused()
        await self.withdrawals_that_ended()
        await unanswered
        await self.what_the_bank_is_slow_with()
        await self.what_the_bank_does_not_answer()
        await self.what_nobody_goes_on_with()

    # ---- who and what ----

    async def members_with_money(self) -> None:
        card = await self.platform.open_owner()
        await self.platform.open_contractor()
        await self.platform.top_up(card, 100_000_000)
        await self.platform.own_money_comes(500_000)

    async def orders_that_wait(self) -> None:
        for number in ("D-UNPAID", "D-PAID", "D-ASKED"):
            await self.opens(number)
        await self.says("D-PAID/pay", "O-1")

    async def orders_in_work(self) -> None:
        for number in (
            "D-WORK", "D-INSPECT", "D-AGAIN", "D-RECTIFY", "D-REMINDED", "D-LATE", "D-PROPOSED", "D-WARRANTY",
        ):  # fmt: skip
            await self.starts(number)
        for number in ("D-INSPECT", "D-AGAIN", "D-RECTIFY", "D-REMINDED"):
            await self.says(f"{number}/milestones/2/complete", "C-1")
        await self.passes("order", "D-AGAIN", 2 * _DAY)
        for number in ("D-AGAIN", "D-RECTIFY"):
            await self.says(f"{number}/milestones/2/rectify", "O-1")
        await self.says("D-AGAIN/milestones/2/complete", "C-1")
        await self.passes("order", "D-REMINDED", 6 * _DAY + timedelta(hours=1))
        await self.passes("order", "D-LATE", 90 * _DAY + timedelta(hours=1))
        await self.says("D-PROPOSED/cancel", "C-1")
        await self.both_stages_are_accepted("D-WARRANTY")

    async def orders_that_ended(self) -> None:
        for number in ("D-SETTLED", "D-AGREED"):
            await self.starts(number)
        await self.both_stages_are_accepted("D-SETTLED")
        await self.passes("order", "D-SETTLED", 90 * _DAY + timedelta(hours=1))
        await self.says("D-AGREED/cancel", "C-1")
        await self.says("D-AGREED/cancel", "O-1")
        await self.pays("D-CANCELLED")
        await self.says("D-CANCELLED/cancel", "C-1")
        await self.opens("D-CLOSED")
        await self.passes("order", "D-CLOSED", _DAY + timedelta(minutes=1))

    async def orders_paid_otherwise(self) -> None:
        for number in ("D-QR", "D-QR-BACK", "D-QR-BACK-TOO"):
            await self.opens(number)
            await self.made(f"/orders/{number}/direct-payments", request_no=f"P-{number}", by="O-1", method="qr_alipay")
            await self.bank.pay(f"{self.platform.number}/{number}:pay:P-{number}:collect:1")
            await self.is_so(f"/orders/{number}", "awaiting_start")
        await self.says("D-QR-BACK-TOO/cancel", "C-1")
        for number in ("D-B1", "D-B2", "D-B3", "D-B4"):
            await self.opens(number)
        both = [{"order_no": number, "amount_fen": PRICE_FEN} for number in ("D-B1", "D-B2", "D-B3", "D-B4")]
        await self.made("/batch-payments", batch_no="B-1", payer_no="O-1", orders=both[:2])
        await self.says("D-B1/start", "C-1")
        collection = {"method": "qr_wechat", "expires_in_minutes": 60}
        await self.made("/batch-payments", batch_no="B-2", payer_no="O-1", orders=both[2:], collection=collection)
        await self.pays("D-AUTO-LOST", withdraw_automatically=True)
        await self.starts("D-AUTO", withdraw_automatically=True)
        await self.is_so("/withdrawals/D-AUTO:M1:withdrawal:1", "paid")

    async def said_and_refused(self) -> None:
        await self.is_refused("/orders/D-WORK/milestones/2/accept", "order_state", request_no="NO-1", by="O-1")
        await self.is_refused("/orders/D-PAID/start", "not_the_party", request_no="NO-2", by="O-1")
        await self.is_refused("/orders/D-SETTLED/cancel", "order_state", request_no="NO-3", by="O-1")

    async def top_ups(self) -> None:
        for number, minutes in (("T-PAID", 60), ("T-WAITS", 60), ("T-LATE", 1)):
            await self.tops_up(number, expires_in_minutes=minutes)
        await self.bank.pay(f"{self.platform.number}/T-PAID:collect:1")
        await self.is_so("/top-ups/T-PAID", "paid")

    async def withdrawals_that_ended(self) -> None:
        await self.withdraws("W-PAID", LARGE_FEN)
        await self.is_so("/withdrawals/W-PAID", "paid")
        await self.withdraws("W-FAILED", 90_003)
        await self.is_so("/withdrawals/W-FAILED", "failed")
        too_much = {"member_no": "O-1", "principal_fen": 900_000_000}
        await self.is_refused("/withdrawals", "insufficient_balance", withdrawal_no="W-REFUSED", **too_much)

    async def what_the_bank_is_slow_with(self) -> None:
        """What is stuck ends hours later: in another release."""
        await self.is_so("/top-ups/T-LATE", "closed")
        await self.bank.next_suffers("paid_over", "collection")
        await self.bank.next_suffers("stuck", "refund")
        await self.tops_up("T-OVER", expires_in_minutes=60)
        await self.bank.pay(f"{self.platform.number}/T-OVER:collect:1")
        await self.is_so("/top-ups/T-OVER", "paid")
        await asyncio.sleep(2)  # what was paid too much is on its way back
        await self.bank.next_suffers("stuck", "refund")
        await self.says("D-QR-BACK/cancel", "C-1")
        line = await self.bank.transfer(
            custody_account_no=self.platform.custody_account_no,
            amount_fen=40_000,
            account_no=importlib.import_module("tests.api.platforms").card_number(),
            account_name="某人",
        )
        await self.lists("/suspense", "credits", line.bank_serial_no)
        for ask in (
            self.made(f"/suspense/{line.bank_serial_no}/returns", return_no="SR-1", amount_fen=25_000),
            self.withdraws("W-SUBMITTED", LARGE_FEN + 100),
            self.second_stage_is_accepted("D-AUTO"),
        ):
            await self.is_stuck(ask)
        for rail in await self.rails():
            await self.bank.set_rail_health(rail, "DOWN")
        await self.withdraws("W-QUEUED", 33_000)
        await self.is_so("/withdrawals/W-QUEUED", "queued")
        for rail in await self.rails():
            await self.bank.set_rail_health(rail, "UP")

    async def what_the_bank_does_not_answer(self) -> None:
        """Of one payment order the bank has taken in what it never answers, of another nothing; then it is away."""
        for number, fen, scenario in (
            ("W-UNKNOWN", 34_000, "timeout_booked"),
            ("W-LOST", 35_000, "timeout_not_booked"),
        ):
            await self.bank.next_suffers(scenario)
            await self.withdraws(number, fen)
            await self.until(partial(self.has_attempts, number), f"{number} is sent")
        await asyncio.sleep(1)
        await self.bank.set_bank_health("DOWN")
        await self.withdraws("W-HELD", 36_000)
        await self.is_so("/withdrawals/W-HELD", "held")

    async def what_nobody_goes_on_with(self) -> None:
        """A release whose withdrawal is not entered in the books any more, and what is asked when no worker is left."""
        connection = await asyncpg.connect(self.stack.postgres.dsn)
        try:
            await connection.execute("BEGIN; LOCK TABLE bank_account")  # no money is held without a look at it
            await self.says("D-AUTO-LOST/start", "C-1")
            await asyncio.gather(*(worker.kill() for worker in self.stack.workers))
        finally:
            await connection.close()
        await self.is_refused("/orders/D-ASKED/pay", "order_busy", request_no="ASKED-1", by="O-1")
        asked = {"member_no": "O-1", "principal_fen": 37_000}
        await self.is_refused("/withdrawals", "order_busy", withdrawal_no="W-ASKED", **asked)

    # ---- steps ----

    async def opens(self, number: str, **more: Any) -> None:
        await self.platform.open_order(number, total_fen=PRICE_FEN, **more)

    async def pays(self, number: str, **more: Any) -> None:
        await self.opens(number, **more)
        await self.says(f"{number}/pay", "O-1")

    async def starts(self, number: str, **more: Any) -> None:
        await self.pays(number, **more)
        await self.says(f"{number}/start", "C-1")

    async def both_stages_are_accepted(self, number: str) -> None:
        for stage in (2, 3):
            await self.says(f"{number}/milestones/{stage}/complete", "C-1")
            await self.says(f"{number}/milestones/{stage}/accept", "O-1")

    async def second_stage_is_accepted(self, number: str) -> None:
        await self.says(f"{number}/milestones/2/complete", "C-1")
        await self.says(f"{number}/milestones/2/accept", "O-1")

    async def tops_up(self, number: str, *, expires_in_minutes: int) -> None:
        body = {"member_no": "O-1", "method": "qr_wechat", "amount_fen": 30_000}
        await self.made("/top-ups", top_up_no=number, expires_in_minutes=expires_in_minutes, **body)

    async def says(self, path: str, by: str) -> None:
        self._requests += 1
        await self.platform.command(path, f"R-{self._requests}", by)

    async def withdraws(self, number: str, fen: int) -> None:
        await self.made("/withdrawals", withdrawal_no=number, member_no="O-1", principal_fen=fen)

    async def made(self, path: str, **body: Any) -> None:
        answer = await self.platform.post(path, **body)
        assert answer.status_code == 201, answer.text

    async def is_refused(self, path: str, code: str, **body: Any) -> None:
        answer = await self.platform.post(path, **body)
        assert (answer.status_code >= 400, answer.json()["code"]) == (True, code), answer.text

    async def passes(self, kind: str, number: str, span: timedelta) -> None:
        """Time passes for one workflow alone, which is all the time that the first release's orders know."""
        await self.clock_of(f"{kind}/{self.platform.number}/{number}").forward(span)

    async def unanswered_for_a_day(self, number: str, fen: int) -> None:
        """The bank has a payment order and does not pay, however often it is asked."""
        await self.is_stuck(self.withdraws(number, fen))
        await self.passes("withdrawal", number, _DAY + timedelta(minutes=10))
        await self.is_so(f"/withdrawals/{number}", "needs_attention")

    async def is_stuck(self, asking: Awaitable[None]) -> None:
        """What is asked for makes a payout that is stuck at the bank."""
        await self.bank.next_suffers("stuck")
        sent = len(await self.bank.payouts())
        await asking
        await self.until(lambda: self.has_payouts(sent + 1), "the bank has taken it")

    async def rails(self) -> list[Any]:
        rails = importlib.import_module("escrow.domain.rails")
        return list(rails.Rail)

    # ---- looks ----

    async def is_so(self, path: str, status: str, *, within_seconds: float = 60) -> None:
        async def does() -> bool:
            answer = await self.platform.get(path)
            return bool(answer.status_code == 200 and answer.json()["status"] == status)

        await self.until(does, f"{path} is {status}", within_seconds=within_seconds)

    async def lists(self, path: str, what: str, number: str) -> None:
        async def does() -> bool:
            return number in str((await self.platform.get(path)).json()[what])

        await self.until(does, f"{path} lists {number}")

    async def has_payouts(self, count: int) -> bool:
        return len(await self.bank.payouts()) >= count

    async def has_attempts(self, number: str) -> bool:
        return bool((await self.platform.get(f"/withdrawals/{number}")).json()["attempts"])

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str, *, within_seconds: float = 60) -> None:
        give_up_at = asyncio.get_running_loop().time() + within_seconds
        while not await condition():
            assert asyncio.get_running_loop().time() < give_up_at, f"not in {within_seconds:g} s: {what}"
            await asyncio.sleep(0.1)


async def main(checkout: Path, folder: Path) -> None:
    """Fill, stop, write."""
    up, platforms, skip_clock, temporal_client = map(importlib.import_module, _ITS_MODULES)
    assert str(checkout) in str(up.__file__), f"{up.__file__} is not of {checkout}"
    with tempfile.TemporaryDirectory(prefix="first-release-") as data:
        os.chmod(data, 0o755)
        stack = up.Stack(Path(data), ports=up.Ports())
        stack.bank = _bank_that_is_stuck_for_hours(stack)
        await stack.start()
        os.environ.update(stack.environment)
        maker = platforms.PlatformMaker(stack)
        temporal = await temporal_client.connect_temporal()
        try:
            config = importlib.import_module("escrow.domain.platform_config")
            at_once = config.Settlement.T_PLUS_0
            platform = await maker.open(
                config.PlatformConfig(top_up_settlement=at_once, large_withdrawal_sms_threshold_fen=LARGE_FEN - 1)
            )
            filling = Filling(
                stack,
                platform,
                temporal,
                lambda workflow_id: skip_clock.WorkflowClock(temporal, workflow_id, limit_seconds=60.0),
            )
            await filling.fill()
            told = {
                "stopped_at": datetime.now(UTC).isoformat(),
                "platform_no": platform.number,
                "custody_account_no": platform.custody_account_no,
                "own_account_no": platform.own_account_no,
                "key": platform.http.headers["authorization"].removeprefix("Bearer "),
                "stack_keys": {name: stack.environment[name.upper()] for name in _key_names()},
            }
            await maker.close()
            await asyncio.gather(stack.api.stop(), stack.bank.stop())
            _write(folder / "books.sql.gz", _dumped(stack.postgres))
            _write(folder / "bank.sql.gz", _dumped_bank(Path(data) / "bank" / "books.sqlite"))
            text = json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True)
            (folder / "told.json").write_text(text + "\n")
        finally:
            await stack.stop()


def _bank_that_is_stuck_for_hours(stack: Any) -> Any:
    arguments = ["--port", str(stack.ports.bank), "--data", str(stack.folder / "bank")]
    arguments += ["--notice-url", f"{stack.api_url}/bank/notices", "--stuck-seconds", str(_STUCK.total_seconds())]
    key = {"BANK_KEY": stack.environment["ESCROW_BANK_KEY"]}
    return stack._member("bank_sandbox", arguments, url=f"{stack.bank_url}/sandbox/health", extra=key)


def _key_names() -> tuple[str, ...]:
    names: tuple[str, ...] = importlib.import_module("escrow.stack.keys").KEY_NAMES
    return names


def _dumped(postgres: Any) -> str:
    binaries = importlib.import_module("escrow.stack.postgres").BINARIES
    command = [str(binaries / "pg_dump"), "--no-comments", f"--dbname={postgres.superuser_dsn}"]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    differs_with_every_dump = ("\\restrict", "\\unrestrict")
    lines = dumped.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(differs_with_every_dump))


def _dumped_bank(file: Path) -> str:
    with sqlite3.connect(file) as db:
        return "\n".join(db.iterdump()) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    first = Path(sys.argv[1]).resolve()
    out = Path(sys.argv[2]).resolve()
    sys.path[0] = str(first)
    asyncio.run(main(first, out))
