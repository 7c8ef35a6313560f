"""Books that the first release filled are migrated, and all that it left unfinished is brought to its right end.

What stands in them is told in `tests/first_release/fill.py`: an order, a withdrawal and a top-up in each state. The
histories of their processes are gone, as after an upgrade that cannot keep them; each is begun anew by its number.
"""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.commands.books import Books
from escrow.commands.verify import settled_differences
from escrow.commands.verify_channels import channel_differences
from escrow.ledger.engine import Recorder
from escrow.ledger.invariants import check_invariants
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.registry import Registry
from escrow.settings import Settings, variable_of
from escrow.stack.up import Ports, Stack
from tests.api.platforms import Platform, note_answer
from tests.first_release.restoring import Snapshot, restore, snapshot, told
from tests.waiting import PATIENCE_SECONDS, until, within_reason

PRICE_FEN, NET_FEN, DEPOSIT_FEN, DEPOSIT_NET_FEN = 1_000_000, 950_000, 300_000, 285_000
TRANSFERRED_FEN, TOP_UP_FEN = 100_000_000, 30_000
#: What must be written down for each name of a deadline, and how soon after it.
_HAPPENS = {
    "payment": "order.closed_unpaid",
    "start": "order.cancelled",
    "inspection": "order.milestone_released",
    "work": "order.needs_attention",
    "warranty": "order.retention_released",
}
_AT_ONCE = timedelta(minutes=2)
#: What stood in no book of the first release while it was under way: kind and number with status and version.
_ENTERED = {
    ("refund", "D-QR-BACK"): ("under_way", 1),
    ("withdrawal", "D-AUTO-LOST:M1:withdrawal:1"): ("requested", 1),
    ("pay_in", "T-OVER"): ("paid", 5),  # of which the document did not tell all that goes back
}
#: Orders whose stages are still open when all deadlines that the first release set have passed.
_TO_FINISH = (
    "D-WORK", "D-INSPECT", "D-AGAIN", "D-REMINDED", "D-RECTIFY", "D-LATE", "D-PROPOSED", "D-B1",
    "D-AUTO", "D-AUTO-LOST",
)  # fmt: skip
_SETTLED = (*_TO_FINISH, "D-WARRANTY", "D-SETTLED")
_BACK_THROUGH_CHANNEL = ("D-QR", "D-QR-BACK", "D-QR-BACK-TOO", "D-B3", "D-B4")
_CANCELLED = ("D-PAID", "D-ASKED", "D-CANCELLED", "D-AGREED", "D-B2", *_BACK_THROUGH_CHANNEL)
_UNPAID = ("D-UNPAID", "D-CLOSED")
_TOP_UPS = ("T-PAID", "T-WAITS", "T-LATE", "T-OVER")
#: Principals, in fen, of what is paid out in the end.
_PAID_OUT = {
    "W-PAID": 200_100,
    "W-SUBMITTED": 200_200,
    "W-ATTENTION": 31_000,
    "W-QUEUED": 33_000,
    "W-UNKNOWN": 34_000,
    "W-LOST": 35_000,
    "W-HELD": 36_000,
    "W-ASKED": 37_000,
}
_BY_ITSELF = [[f"{order}:M{number}:withdrawal:1" for order in ("D-AUTO", "D-AUTO-LOST")] for number in range(1, 5)]
#: Text messages that were or are sent until then, each once; those about withdrawals that are large.
_TEXTS = [
    *("D-AGAIN:M2:reminder:2", "D-INSPECT:M2:reminder:1", "D-REMINDED:M2:reminder:1"),
    *(f"{number}:sms" for number in ("W-PAID", "W-SUBMITTED", *_BY_ITSELF[0], "D-AUTO:M2:withdrawal:1")),
]


class Upgrade:
    """Today's stack on the books of the first release."""

    def __init__(
        self,
        stack: Stack,
        platform: Platform,
        client: Client,
        books: Books,
        bank: SandboxBank,
        *,
        before: Snapshot,
        after: Snapshot,
    ) -> None:
        self.stack = stack
        self.platform = platform
        self.client = client
        self.books = books
        self.at_bank = bank
        #: What stood in the books just before the migration, and just after it.
        self.before, self.after = before, after

    # ---- what is done ----

    async def everything_is_taken_up(self) -> None:
        """As an operator does it after an upgrade."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", "from escrow.cli import main; main()", "--stack", str(self.stack.folder), "resume", "--all"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await within_reason(process.communicate(), "escrow resume --all")
        assert process.returncode == 0, said.decode()

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

    async def top_ups(self) -> dict[str, str]:
        return await self.statuses("top-ups", "top_up_no")

    async def refunds(self) -> dict[str, str]:
        """How the refunds of orders through their channels stand."""
        rows = await self._rows("SELECT object_no, status FROM business_object WHERE kind = 'refund'")
        return {row["object_no"]: row["status"] for row in rows}

    async def now(self) -> Snapshot:
        """What stands in the books now."""
        return await snapshot(self.stack.postgres.dsn)

    async def is_paid_out(self, *numbers: str) -> None:
        async def so() -> bool:
            now = await self.withdrawals()
            return all(now.get(number) == "paid" for number in numbers)

        await until(so, f"{', '.join(numbers)} are paid", seen=self.withdrawals)

    async def happened(self, number: str, event_type: str) -> list[datetime]:
        """When something happened to an order, oldest first."""
        rows = await self._rows(
            "SELECT occurred_at FROM event WHERE kind = 'order' AND object_no = $1 AND event_type = $2"
            " ORDER BY sequence_no",
            number,
            event_type,
        )
        return [row["occurred_at"] for row in rows]

    async def texts(self) -> list[str]:
        """Request numbers of the text messages that were sent about orders and withdrawals."""
        prefix = f"{self.platform.number}/"
        sent = [item.req_seq.removeprefix(prefix) for item in await self.platform.bank.sms_outbox()]
        return sorted(number for number in sent if number.startswith(("D-", "W-")))

    async def payouts(self) -> Counter[str]:
        """How often the bank has paid each withdrawal."""
        made = [item for item in await self.platform.bank.payouts() if item["state"] == "SUCCESS"]
        return Counter(str(item["reqSeq"]).partition("/")[2].rpartition(":payout:")[0] for item in made)

    async def is_sound(self) -> None:
        """No invariant is broken."""
        connection = await asyncpg.connect(self.stack.postgres.superuser_dsn)
        try:
            assert await check_invariants(connection, self.platform.number) == []
        finally:
            await connection.close()

    async def is_sound_and_equal(self) -> None:
        """No invariant is broken, and the books say what the bank and its channels say."""
        await self.is_sound()
        number, account_no = self.platform.number, self.platform.custody_account_no
        found = await settled_differences(self.books, self.at_bank, number, account_no, wait_seconds=PATIENCE_SECONDS)
        assert found == []
        assert await channel_differences(self.books.recorder, self.at_bank.collections, number) == []

    async def _rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        return list(await self.books.recorder.rows(query, *arguments))


@pytest.fixture
async def upgrade() -> AsyncIterator[Upgrade]:
    last = told()
    async with AsyncExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="stack-")))
        before, after = await restore(folder)
        stack = await opened.enter_async_context(Stack(folder, ports=Ports()))
        names = ("bank_url", "bank_key", "data_key", "index_key")
        settings = Settings.model_validate(
            {"DATABASE_URL": stack.postgres.dsn} | {name: stack.environment[variable_of(name)] for name in names}
        )
        recorder = Recorder(stack.postgres.dsn)
        opened.push_async_callback(recorder.close)
        box = PersonalDataBox.from_hex(
            data_key=settings.data_key.get_secret_value(), index_key=settings.index_key.get_secret_value()
        )
        registry = Registry(recorder, box)
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
        books = Books(settings=settings, recorder=recorder, registry=registry)
        yield Upgrade(stack, platform, client, books, at_bank, before=before, after=after)


async def test_what_the_first_release_left_is_brought_to_its_right_end(upgrade: Upgrade) -> None:
    await all_stands_as_it_was_left(upgrade)
    await upgrade.platform.bank.reset()  # the bank, which was away, is there again
    await upgrade.everything_is_taken_up()
    await who_was_not_heard_repeats(upgrade)
    await payers_pay(upgrade)
    await the_money_under_way_arrives(upgrade)
    await what_was_agreed_for_each_deadline_happens_at_it(upgrade)
    await owner_and_contractor_finish(upgrade)
    await everybody_has_what_is_theirs(upgrade)
    await upgrade.is_sound_and_equal()


async def all_stands_as_it_was_left(upgrade: Upgrade) -> None:
    """No money has moved, no deadline has changed, and what the books did not know is entered."""
    before, after = upgrade.before, upgrade.after
    assert after.balances == before.balances
    assert after.objects == before.objects | _ENTERED
    assert before.deadlines.items() <= after.deadlines.items()
    await upgrade.is_sound()


async def who_was_not_heard_repeats(upgrade: Upgrade) -> None:
    """What nobody could answer any more is done now, when it is repeated; what was refused is refused again."""
    paid = await upgrade.platform.post("/orders/D-ASKED/pay", request_no="ASKED-1", by="O-1")
    assert (paid.status_code, paid.json()["order"]["status"]) == (200, "awaiting_start")
    asked = {"withdrawal_no": "W-ASKED", "member_no": "O-1", "principal_fen": _PAID_OUT["W-ASKED"]}
    assert (await upgrade.platform.post("/withdrawals", **asked)).status_code in (200, 201)
    for path, number, by, code in (
        ("D-WORK/milestones/2/accept", "NO-1", "O-1", "order_state"),
        ("D-PAID/start", "NO-2", "O-1", "not_the_party"),
        ("D-SETTLED/cancel", "NO-3", "O-1", "order_state"),
    ):
        refused = await upgrade.platform.post(f"/orders/{path}", request_no=number, by=by)
        assert (refused.status_code, refused.json()["code"]) == (409, code)


async def payers_pay(upgrade: Upgrade) -> None:
    """Payers pay what the first release has shown them, one of them too late."""
    bank, number = upgrade.platform.bank, upgrade.platform.number
    await bank.pay(f"{number}/T-WAITS:collect:1")
    await bank.pay(f"{number}/T-LATE:collect:1", amount_fen=TOP_UP_FEN)
    await bank.pay(f"{number}/B-2:batch-pay:collect:1")

    async def paid() -> bool:
        top_ups, orders = await upgrade.top_ups(), await upgrade.orders()
        waits = [orders[number] for number in ("D-B3", "D-B4")]
        return all(top_ups[number] == "paid" for number in _TOP_UPS) and waits == ["awaiting_start"] * 2

    await until(paid, "what was paid is booked", seen=upgrade.top_ups)


async def the_money_under_way_arrives(upgrade: Upgrade) -> None:
    """Each payout is made once: what the bank had taken in, what was lost on the way, what was not sent yet."""
    await upgrade.is_paid_out("W-HELD", "W-QUEUED", "W-LOST", "W-UNKNOWN", "W-ASKED", *_BY_ITSELF[0])
    await upgrade.time_passes(hours=7)  # the bank has been slow with these
    await upgrade.is_paid_out("W-SUBMITTED", "W-ATTENTION", "SR-1", "D-AUTO:M2:withdrawal:1")

    async def refunded() -> bool:
        return await upgrade.refunds() == dict.fromkeys(("D-QR-BACK", "D-QR-BACK-TOO"), "refunded")

    await until(refunded, "the refunds are with who paid", seen=upgrade.refunds)
    assert await upgrade.payouts() == Counter([*_PAID_OUT, "SR-1", *_BY_ITSELF[0], "D-AUTO:M2:withdrawal:1"])


async def what_was_agreed_for_each_deadline_happens_at_it(upgrade: Upgrade) -> None:
    """All deadlines that the first release set pass, and what is done at each is done at it."""
    runs = {key: due_at for key, due_at in (await upgrade.now()).deadlines.items() if key[0] == "order"}
    was_set = {key: upgrade.after.deadlines[key] for key in runs if key in upgrade.after.deadlines}
    assert was_set == {key: runs[key] for key in was_set}
    await upgrade.time_passes(days=95)
    for (_, number, name), due_at in sorted(was_set.items()):
        if ":reminder:" not in name:
            word = next(word for word in name.split(":") if word in _HAPPENS)
            moments = await upgrade.happened(number, _HAPPENS[word])
            assert any(due_at <= moment <= due_at + _AT_ONCE for moment in moments), (number, name, due_at, moments)
    assert await upgrade.texts() == sorted(_TEXTS)


async def owner_and_contractor_finish(upgrade: Upgrade) -> None:
    """Whoever waits for somebody hears it now; then the warranties pass."""
    for number in _TO_FINISH:
        await upgrade.both_finish(number)
    await upgrade.is_paid_out(*_BY_ITSELF[1], *_BY_ITSELF[2])
    await upgrade.time_passes(days=91)
    await upgrade.is_paid_out(*_BY_ITSELF[3])
    ends = dict.fromkeys(_SETTLED, "settled") | dict.fromkeys(_CANCELLED, "cancelled")
    assert await upgrade.orders() == ends | dict.fromkeys(_UNPAID, "closed_unpaid")


async def everybody_has_what_is_theirs(upgrade: Upgrade) -> None:
    """To the last fen; nothing is held, nothing waits for a time or a person."""
    spent_fen = len(_SETTLED) * PRICE_FEN + DEPOSIT_FEN + sum(_PAID_OUT.values())
    owner, contractor = await upgrade.platform.balances("O-1"), await upgrade.platform.balances("C-1")
    assert owner["available_fen"] == TRANSFERRED_FEN + len(_TOP_UPS) * TOP_UP_FEN - spent_fen
    assert contractor["available_fen"] == (len(_SETTLED) - 2) * NET_FEN + DEPOSIT_NET_FEN
    assert await upgrade.refunds() == dict.fromkeys(_BACK_THROUGH_CHANNEL, "refunded")
    assert await upgrade.payouts() == Counter([*_PAID_OUT, "SR-1", *chain(*_BY_ITSELF)])
    now = await upgrade.now()
    assert now.deadlines == {}
    held = {key: fen for key, fen in now.balances.items() if key[1] in ("escrow", "payout", "refund", "frozen") and fen}
    assert held == {}
    assert (await upgrade.platform.get("/attention")).json()["waiting"] == []
