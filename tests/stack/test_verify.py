"""`escrow verify` and the day-end verbs, on real books and a real bank: right is 0, wrong is 1 and named."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from escrow.channels.collections import CollectionOrder
from escrow.domain.collections import recipes as collection_recipes
from escrow.domain.collections.methods import CollectionMethod, payment_booking_no
from escrow.domain.money import recipes
from escrow.domain.money.journal import Basis, Change, Posting
from escrow.ledger.bank_lines import BankLines
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import LedgerWriter
from escrow.stack.keys import load_or_make_keys
from escrow.stack.postgres import PostgresServer
from tests.postgres import new_database
from tests.sandbox import Sandbox, running_sandbox


@dataclass(frozen=True)
class House:
    """Books with one platform, its bank, and the command line over both."""

    dsn: str
    superuser_dsn: str
    custody_account_no: str
    sandbox: Sandbox
    environment: Mapping[str, str]

    async def escrow(self, *arguments: str) -> tuple[int, str]:
        """Exit code and everything said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from escrow.cli import main; main()",
            *arguments,
            env=dict(self.environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def top_up(self, amount_fen: int) -> None:
        """A transfer that the bank booked and our books credit to a member, pending."""
        line = await self.sandbox.steer.transfer(
            custody_account_no=self.custody_account_no,
            amount_fen=amount_fen,
            account_no="6216261000000000018",
            account_name="全渠道",
        )
        recorder, writer = Recorder(self.dsn), await LedgerWriter.start(self.dsn)
        keys = self.environment
        box = PersonalDataBox.from_hex(data_key=keys["ESCROW_DATA_KEY"], index_key=keys["ESCROW_INDEX_KEY"])
        await BankLines(recorder, box).record("HOME", [line])
        entry = recipes.top_up_credited(
            platform_no="HOME",
            member_no="O-1",
            amount_fen=amount_fen,
            bank_serial_no=line.bank_serial_no,
            effective_date=line.value_date,
            pending_day=line.value_date,
        )
        await writer.post(
            Posting(
                platform_no="HOME",
                request_no=f":bank-line:{line.bank_serial_no}",
                content={"bank_serial_no": line.bank_serial_no},
                occurred_at=datetime.now(UTC),
                entry=entry,
                bases=(Basis(kind="bank_line", reference=line.bank_serial_no),),
            )
        )
        await writer.close()
        await recorder.close()

    async def collects(self, amount_fen: int, *, booked_fen: int) -> str:
        """A channel takes a payment, and our books have it in suspense; answers the channel's number of it."""
        number = "HOME/T-1:collect:1"
        order = CollectionOrder(
            request_no=number,
            custody_account_no=self.custody_account_no,
            method=CollectionMethod.QR_WECHAT,
            amount_fen=amount_fen,
            subject="装修款",
            expires_at=datetime.now(UTC) + timedelta(minutes=30),
        )
        await self.sandbox.bank.collections.create(order)
        await self.sandbox.steer.pay(number)
        [payment] = (await self.sandbox.bank.collections.query(number)).payments
        writer = await LedgerWriter.start(self.dsn)
        entry = collection_recipes.collection_suspended(
            platform_no="HOME", channel=order.method, payment_no=payment.payment_no, paid_fen=booked_fen
        )
        change = Change(kind="pay_in", object_no="T-1", event_type="pay_in.payment_suspended", status="closed")
        await writer.post(
            Posting(
                platform_no="HOME",
                request_no=payment_booking_no(payment.payment_no),
                content={"payment_no": payment.payment_no},
                occurred_at=datetime.now(UTC),
                entry=entry,
                changes=(change,),
                bases=(Basis(kind="none"),),
            )
        )
        await writer.close()
        return payment.payment_no


@pytest.fixture
async def house(server: PostgresServer, tmp_path: Path) -> AsyncIterator[House]:
    async with running_sandbox(tmp_path / "bank") as sandbox:
        database = await new_database(server)
        environment = {
            **os.environ,
            **load_or_make_keys(tmp_path / "keys"),
            "ESCROW_BANK_KEY": sandbox.key,
            "ESCROW_BANK_URL": sandbox.base_url,
            "DATABASE_URL": database.dsn,
            "COLUMNS": "200",
        }
        account_no = await sandbox.steer.open_custody_account(reference="HOME", title="某装修平台有限公司")
        opened = House(database.dsn, database.superuser_dsn, account_no, sandbox, environment)
        (tmp_path / "platform.yaml").write_text(
            f'platform_no: HOME\nname: 某装修平台有限公司\ncustody_account_no: "{account_no}"\n'
        )
        code, said = await opened.escrow("platform", "open", str(tmp_path / "platform.yaml"))
        assert code == 0, said
        yield opened


async def test_books_that_say_what_the_bank_says_hold(house: House) -> None:
    await house.top_up(18_600_000)
    code, said = await house.escrow("verify")
    assert code == 0, said
    assert "HOME: the bank answers 186,000.00, which is what the books expect" in said
    assert "HOME: under custody 186,000.00: members 186,000.00, escrow 0.00, suspense 0.00, fees 0.00" in said
    assert "every invariant of the books holds" in said


async def test_a_line_planted_at_the_bank_is_named(house: House) -> None:
    await house.top_up(18_600_000)
    planted = await house.sandbox.steer.plant_line(custody_account_no=house.custody_account_no, amount_fen=1)
    code, said = await house.escrow("verify", "--wait", "0")
    assert code == 1
    assert planted.bank_serial_no in said
    assert "is not posted in our books" in said


async def test_a_balance_changed_behind_the_ledgers_back_is_named(house: House) -> None:
    await house.top_up(18_600_000)
    connection = await asyncpg.connect(house.superuser_dsn)
    await connection.execute("SET session_replication_role = replica")  # past every guard, as a restored backup is
    await connection.execute("UPDATE account SET balance_fen = balance_fen + 1 WHERE purpose = 'pending'")
    await connection.close()
    code, said = await house.escrow("verify")
    assert code == 1
    assert "platform_balanced" in said
    assert "balance_is_lines" in said
    assert "O-1" in said


async def test_what_a_channel_has_not_settled_is_a_part_of_the_equation(house: House) -> None:
    await house.top_up(18_600_000)
    await house.collects(50_000, booked_fen=50_000)
    code, said = await house.escrow("verify")
    assert code == 0, said
    told = "sub-accounts 186,500.00 = custody 186,000.00 + owed by channels 500.00 + bank charges owed 0.00"
    assert f"HOME: {told}" in said


async def test_a_payment_that_its_channel_took_otherwise_is_named(house: House) -> None:
    payment_no = await house.collects(50_000, booked_fen=49_999)
    code, said = await house.escrow("verify", "--wait", "0")
    assert code == 1
    assert f"HOME: payment {payment_no} of 499.99 by qr_wechat is 500.00 at its channel" in said
    assert "1 violations" in said


async def test_a_settlement_that_nobody_posted_is_named_with_its_line_and_its_payment(house: House) -> None:
    payment_no = await house.collects(50_000, booked_fen=50_000)
    await house.sandbox.steer.settle_now()
    [line] = await house.sandbox.bank.lines_after(house.custody_account_no, 0)
    code, said = await house.escrow("verify", "--wait", "0")
    assert code == 1
    assert f"({line.bank_serial_no}, settlement, 498.10) is not posted in our books" in said
    assert f"payment {payment_no} of 500.00 by qr_wechat was settled by {line.request_no}" in said
    assert "2 violations" in said


async def test_a_bank_that_is_away_ends_with_1_and_a_sentence_and_hides_nothing(house: House) -> None:
    await house.top_up(18_600_000)
    connection = await asyncpg.connect(house.superuser_dsn)
    await connection.execute("UPDATE bank_line SET value_date = value_date - 1")
    await connection.close()
    house.sandbox.kill()
    code, said = await house.escrow("verify")
    assert code == 1
    assert "bank_line_amount" in said
    assert "bank_unreachable" in said
    assert "Traceback" not in said


async def test_closing_the_day_makes_pending_money_withdrawable_once(house: House) -> None:
    await house.top_up(70_000)
    assert "700.00 became withdrawable" in (await house.escrow("close-day", "HOME"))[1]
    assert "0.00 became withdrawable" in (await house.escrow("roll", "HOME"))[1]
    assert "0.00 went to the platform's own" in (await house.escrow("sweep", "HOME"))[1]
    assert (await house.escrow("close-day", "HOUSE"))[0] == 1
