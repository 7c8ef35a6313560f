"""Books that the first release filled are migrated, and all that it left unfinished is brought to its right end.

What stands in them is told in `tests/first_release/fill.py`: an order, a withdrawal and a top-up in each state. The
histories of their processes are gone, as after an upgrade that cannot keep them; each is begun anew by its number.
"""

import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter

from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.commands.books import Books
from escrow.commands.verify import settled_differences
from escrow.commands.verify_channels import channel_differences
from escrow.domain.orders.states import OrderStatus
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.ledger.engine import Reader
from escrow.ledger.invariants import check_invariants
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.registry import Registry
from escrow.settings import Settings, variable_of
from escrow.stack.up import Ports, Stack
from tests.api.platforms import Platform, note_answer
from tests.first_release.restoring import Deadlines, restore, told
from tests.waiting import PATIENCE_SECONDS, until
from workflows.messages import PROCESSES
from workflows.timeouts import WORKFLOW_TASK

PRICE_FEN, NET_FEN, DEPOSIT_FEN, DEPOSIT_NET_FEN = 1_000_000, 950_000, 300_000, 285_000
_FINAL = {
    "order": [status.value for status in OrderStatus if status.is_final],
    "withdrawal": [status.value for status in WithdrawalStatus if status.is_final],
    "refund": ["refunded", "credited"],
}
#: What must be written down, and when, for each name of a deadline.
_HAPPENS = {
    "payment": "order.closed_unpaid",
    "start": "order.cancelled",
    "inspection": "order.milestone_released",
    "work": "order.needs_attention",
    "warranty": "order.retention_released",
}
_AT_ONCE = timedelta(minutes=2)
#: Orders whose stages are still open when all deadlines that the first release set have passed.
_TO_FINISH = ("D-WORK", "D-INSPECT", "D-AGAIN", "D-REMINDED", "D-RECTIFY", "D-LATE", "D-PROPOSED", "D-B1", "D-AUTO")
_SETTLED = (*_TO_FINISH, "D-WARRANTY", "D-SETTLED")
_REFUNDED = ("D-PAID", "D-CANCELLED", "D-AGREED", "D-B2", "D-QR", "D-QR-BACK", "D-QR-BACK-TOO")
_UNPAID = ("D-UNPAID", "D-CLOSED")
#: Principals, in fen, of what is paid out in the end.
_PAID_OUT = {
    "W-PAID": 200_100,
    "W-SUBMITTED": 200_200,
    "W-ATTENTION": 31_000,
    "W-QUEUED": 33_000,
    "W-UNKNOWN": 34_000,
    "W-LOST": 35_000,
    "W-HELD": 36_000,
}
_BY_ITSELF = tuple(f"D-AUTO:M{number}:withdrawal:1" for number in (1, 2, 3, 4))


class Upgrade:
    """Today's stack on the books of the first release."""

    def __init__(
        self, stack: Stack, platform: Platform, client: Client, books: Books, bank: SandboxBank, before: Deadlines
    ) -> None:
        self.stack = stack
        self.platform = platform
        self.client = client
        self.books = books
        self.at_bank = bank
        self.before = before

    # ---- what is done ----

    async def everything_is_taken_up(self) -> None:
        """The process of all that has not ended is started, by its number."""
        for kind, process in PROCESSES.items():
            for number in await self._unfinished(kind):
                await self.client.start_workflow(
                    process.workflow,
                    process.reference(self.platform.number, number),
                    id=process.workflow_id(self.platform.number, number),
                    task_queue=process.task_queue,
                    task_timeout=WORKFLOW_TASK,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,  # a repeated call has begun it
                )

    async def time_passes(self, **how: Any) -> None:
        answer = await self.platform.post("/sandbox/skip", request_no=f"skip-{uuid4().hex}", **how)
        assert answer.status_code == 200, answer.text

    async def says(self, path: str, by: str) -> None:
        await self.platform.command(path, uuid4().hex, by)

    async def both_finish(self, number: str) -> None:
        """Owner and contractor finish all stages that are open."""
        order = (await self.platform.get(f"/orders/{number}")).json()
        for milestone in order["milestones"]:
            if milestone["kind"] == "acceptance" and milestone["status"] != "released":
                await self.says(f"{number}/milestones/{milestone['number']}/complete", "C-1")
                await self.says(f"{number}/milestones/{milestone['number']}/accept", "O-1")

    # ---- what is seen ----

    async def statuses(self, what: str, number: str) -> dict[str, str]:
        page = (await self.platform.get(f"/{what}", limit=200)).json()[what.replace("-", "_")]
        return {item[number]: item["status"] for item in page}

    async def orders(self) -> dict[str, str]:
        return await self.statuses("orders", "order_no")

    async def withdrawals(self) -> dict[str, str]:
        return await self.statuses("withdrawals", "withdrawal_no")

    async def is_paid_out(self, *numbers: str) -> None:
        async def so() -> bool:
            now = await self.withdrawals()
            return all(now.get(number) == "paid" for number in numbers)

        await until(so, f"{', '.join(numbers)} are paid", seen=self.withdrawals)

    async def deadlines(self) -> Deadlines:
        rows = await self._rows("SELECT object_kind, object_no, name, due_at FROM deadline")
        return {(row["object_kind"], row["object_no"], row["name"]): row["due_at"] for row in rows}

    async def happened(self, number: str, event_type: str) -> list[datetime]:
        """When something happened to an order, oldest first."""
        rows = await self._rows(
            "SELECT occurred_at FROM event WHERE kind = 'order' AND object_no = $1 AND event_type = $2"
            " ORDER BY sequence_no",
            number,
            event_type,
        )
        return [row["occurred_at"] for row in rows]

    async def messages_about(self, number: str) -> list[str]:
        """Request numbers of the text messages that were sent about an order or a withdrawal."""
        sent = await self.platform.bank.sms_outbox()
        prefix = f"{self.platform.number}/"
        return [item.req_seq.removeprefix(prefix) for item in sent if item.req_seq.startswith(f"{prefix}{number}:")]

    async def payouts(self) -> Counter[str]:
        """How often the bank has paid each withdrawal."""
        made = [item for item in await self.platform.bank.payouts() if item["state"] == "SUCCESS"]
        return Counter(str(item["reqSeq"]).partition("/")[2].rpartition(":payout:")[0] for item in made)

    async def is_sound_and_equal(self) -> None:
        """No invariant is broken, and the books say what the bank and its channels say."""
        connection = await asyncpg.connect(self.stack.postgres.superuser_dsn)
        try:
            assert await check_invariants(connection, self.platform.number) == []
        finally:
            await connection.close()
        number, account_no = self.platform.number, self.platform.custody_account_no
        found = await settled_differences(self.books, self.at_bank, number, account_no, wait_seconds=PATIENCE_SECONDS)
        assert found == []
        assert await channel_differences(self.books.reader, self.at_bank.collections, number) == []

    async def _unfinished(self, kind: str) -> list[str]:
        rows = await self._rows(
            "SELECT object_no FROM business_object WHERE kind = $1 AND status <> ALL ($2)", kind, _FINAL[kind]
        )
        return [row["object_no"] for row in rows]

    async def _rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        return list(await self.books.reader.rows(query, *arguments))


@pytest.fixture
async def upgrade() -> AsyncIterator[Upgrade]:
    last = told()
    async with AsyncExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="stack-")))
        before = await restore(folder)
        stack = await opened.enter_async_context(Stack(folder, ports=Ports()))
        names = ("bank_url", "bank_key", "data_key", "index_key")
        settings = Settings.model_validate(
            {"DATABASE_URL": stack.postgres.dsn} | {name: stack.environment[variable_of(name)] for name in names}
        )
        reader = Reader(stack.postgres.dsn)
        opened.push_async_callback(reader.close)
        box = PersonalDataBox.from_hex(
            data_key=settings.data_key.get_secret_value(), index_key=settings.index_key.get_secret_value()
        )
        registry = Registry(reader, box)
        steering = SandboxSteering(stack.bank_url)
        opened.push_async_callback(steering.aclose)
        at_bank = SandboxBank(settings.bank_url, settings.bank_key.get_secret_value())
        opened.push_async_callback(at_bank.aclose)
        http = httpx2.AsyncClient(
            base_url=stack.api_url,
            headers={"Authorization": f"Bearer {last['key']}"},
            timeout=PATIENCE_SECONDS,
            trust_env=False,
            event_hooks={"response": [note_answer]},
        )
        opened.push_async_callback(http.aclose)
        platform = Platform(
            last["platform_no"], last["custody_account_no"], http, registry, steering, last["own_account_no"]
        )
        client = await Client.connect(stack.temporal.address, data_converter=pydantic_data_converter)
        books = Books(settings=settings, reader=reader, registry=registry)
        yield Upgrade(stack, platform, client, books, at_bank, before)


async def test_what_the_first_release_left_is_brought_to_its_right_end(upgrade: Upgrade) -> None:
    last = told()
    await all_stands_as_it_was_left(upgrade, last)
    await upgrade.platform.bank.reset()  # the bank, which was away, is there again
    await upgrade.everything_is_taken_up()
    await the_money_under_way_arrives(upgrade)
    await what_was_agreed_for_each_deadline_happens_at_it(upgrade)
    await owner_and_contractor_finish(upgrade)
    await everybody_has_what_is_theirs(upgrade)
    await upgrade.is_sound_and_equal()


async def all_stands_as_it_was_left(upgrade: Upgrade, last: dict[str, Any]) -> None:
    """Nothing has moved, no deadline has changed, and what was refused is refused in the same words."""
    assert await upgrade.orders() == last["orders"]
    assert await upgrade.withdrawals() == last["withdrawals"]
    assert await upgrade.statuses("top-ups", "top_up_no") == last["top-ups"]
    for member_no, balances in last["balances"].items():
        assert await upgrade.platform.balances(member_no) == balances
    after = await upgrade.deadlines()
    assert {key: after.get(key) for key in upgrade.before} == upgrade.before
    for path, number, by, code in (
        ("D-WORK/milestones/2/accept", "NO-1", "O-1", "order_state"),
        ("D-PAID/start", "NO-2", "O-1", "not_the_party"),
        ("D-SETTLED/cancel", "NO-3", "O-1", "order_state"),
    ):
        answer = await upgrade.platform.post(f"/orders/{path}", request_no=number, by=by)
        assert (answer.status_code, answer.json()["code"]) == (409, code)


async def the_money_under_way_arrives(upgrade: Upgrade) -> None:
    """Each payout is made once: what the bank had taken in, what was lost on the way, what was not sent yet."""
    await upgrade.is_paid_out("W-HELD", "W-QUEUED", "W-LOST", "W-UNKNOWN")
    await upgrade.time_passes(hours=7)  # the bank has been slow with these
    await upgrade.is_paid_out("W-SUBMITTED", "W-ATTENTION", "SR-1", _BY_ITSELF[1])

    async def refunded() -> bool:
        tree = (await upgrade.platform.get("/platform/sub-accounts")).json()
        return not any(item["balance_fen"] for item in tree["functional"] if item["sub_account_no"] == "refund")

    await until(refunded, "the refunds are with who paid")
    assert await upgrade.payouts() == Counter([*_PAID_OUT, "SR-1", *_BY_ITSELF[:2]])


async def what_was_agreed_for_each_deadline_happens_at_it(upgrade: Upgrade) -> None:
    """All deadlines that the first release set pass, and what is done at each is done at it."""
    running = {key: due_at for key, due_at in (await upgrade.deadlines()).items() if key[0] == "order"}
    await upgrade.time_passes(days=95)
    for (_, number, name), due_at in sorted(running.items()):
        if ":reminder:" in name:
            continue
        event_type = _HAPPENS[next(word for word in name.split(":") if word in _HAPPENS)]
        moments = await upgrade.happened(number, event_type)
        assert any(due_at <= moment <= due_at + _AT_ONCE for moment in moments), (number, name, due_at, moments)
    for number, reminded in (("D-INSPECT", 1), ("D-AGAIN", 2), ("D-REMINDED", 1)):
        assert await upgrade.messages_about(number) == [f"{number}:M2:reminder:{reminded}"]
    for number in ("W-PAID", "W-SUBMITTED"):
        assert await upgrade.messages_about(number) == [f"{number}:sms"]


async def owner_and_contractor_finish(upgrade: Upgrade) -> None:
    """Whoever waits for somebody hears it now; then the warranties pass."""
    for number in _TO_FINISH:
        await upgrade.both_finish(number)
    await upgrade.is_paid_out(_BY_ITSELF[2])
    await upgrade.time_passes(days=91)
    await upgrade.is_paid_out(_BY_ITSELF[3])
    ends = dict.fromkeys(_SETTLED, "settled") | dict.fromkeys(_REFUNDED, "cancelled")
    ends |= dict.fromkeys(_UNPAID, "closed_unpaid")
    now = await upgrade.orders()
    assert {number: now[number] for number in ends} == ends


async def everybody_has_what_is_theirs(upgrade: Upgrade) -> None:
    """To the last fen, and nothing is held for anybody any more."""
    spent_fen = len(_SETTLED) * PRICE_FEN + DEPOSIT_FEN + sum(_PAID_OUT.values())
    owner, contractor = await upgrade.platform.balances("O-1"), await upgrade.platform.balances("C-1")
    assert owner["available_fen"] == 100_000_000 + 30_000 - spent_fen
    assert contractor["available_fen"] == (len(_SETTLED) - 1) * NET_FEN + DEPOSIT_NET_FEN
    assert await upgrade.payouts() == Counter([*_PAID_OUT, "SR-1", *_BY_ITSELF])
