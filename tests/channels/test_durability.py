"""A power cut at the bank loses nothing that it has answered."""

import asyncio
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from escrow.domain.errors import OutcomeUnknown
from escrow.domain.withdrawals.payouts import PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from tests.channels.conftest import TUESDAY_MORNING
from tests.channels.receiver import running_post_room
from tests.channels.statements import House
from tests.sandbox import running_sandbox
from tests.waiting import PATIENCE_SECONDS, saw, until


async def test_what_was_answered_before_a_power_cut_stands_after_it(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING, "--delay-factor", "10") as sandbox:
        house = await House.open(sandbox, "HOME")
        ended = await house.bank.submit(house.order(rail=Rail.IN_BANK))
        under_way = house.order(rail=Rail.IBPS)
        await house.bank.submit(under_way)
        await house.bank.send(custody_account_no=house.account_no, request_no="S-1", mobile="13552535506", text="到账")
        await sandbox.steer.set_rail_health(Rail.BEPS, "DOWN")
        unknown = await house.query("HOME:W-lost:payout:1")
        moved_to = await house.lets_pass(timedelta(seconds=1))
        lines = await house.lines()

        sandbox.kill()
        await sandbox.start()

        # What was under way may have ended meanwhile, by the account's clock.
        assert (await house.lines())[: len(lines)] == lines
        assert await house.query(ended.request_no) == ended
        assert await house.now() >= moved_to
        assert [sms.req_seq for sms in await sandbox.steer.sms_outbox()] == ["S-1"]
        assert [rail.rail for rail in (await house.capabilities()).rails if not rail.healthy] == [Rail.BEPS]
        assert (await house.ends(under_way.request_no)).status is PayoutStatus.SUCCEEDED
        await house.lets_pass(timedelta(seconds=10))
        assert (await house.query(unknown.request_no)).final
        assert [line.kind for line in await house.lines()] == ["payout", "payout", "charge"]


async def test_payments_cut_off_in_mid_stream_are_booked_once_or_not_known(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        orders = [house.order(1_000 + number, Rail.IN_BANK) for number in range(60)]
        sending = [asyncio.create_task(house.bank.submit(order)) for order in orders]
        await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)

        sandbox.kill()
        answers = await asyncio.gather(*sending, return_exceptions=True)
        await sandbox.start()

        booked = [line.request_no for line in await house.lines()]
        acknowledged = [
            order.request_no for order, answer in zip(orders, answers, strict=True) if not isinstance(answer, Exception)
        ]
        known = [
            order.request_no
            for order in orders
            if (await house.query(order.request_no)).status is PayoutStatus.SUCCEEDED
        ]
        balance_fen = await house.balance_fen()

    assert acknowledged, "at least one was answered before the cut"
    assert len(booked) == len(set(booked))
    assert set(acknowledged) <= set(booked)
    assert sorted(known) == sorted(booked)
    spent_fen = sum(order.amount_fen for order in orders if order.request_no in booked)
    assert balance_fen == 1_000_000_000 - spent_fen


async def test_a_notice_not_yet_taken_comes_after_a_power_cut(tmp_path: Path) -> None:
    async with running_post_room() as room, running_sandbox(tmp_path) as sandbox:
        house = await House.open(sandbox, "HOME")
        await sandbox.steer.send_notices_to(room.url.replace("/notices", "/nowhere"))

        async def was_tried() -> bool:
            (notice,) = await sandbox.steer.notices()
            saw(repr(notice))
            return bool(notice["attempts"])

        await until(was_tried, "the bank tries to send its notice")

        sandbox.kill()
        await sandbox.start()
        await sandbox.steer.send_notices_to(room.url)

        assert [notice.kind for notice in await room.about(house.account_no).wait_for(1)] == ["custody_line"]


async def test_a_polite_end_does_not_wait_for_clients_without_an_answer(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--silence-seconds", str(10 * PATIENCE_SECONDS)) as sandbox:
        house = await House.open(sandbox, "HOME")
        await sandbox.steer.next_suffers("timeout_booked")
        submitting = asyncio.create_task(house.bank.submit(house.order()))
        await until(sandbox.steer.payouts, "the bank has the payout that gets no answer")

        assert await asyncio.to_thread(sandbox.stop) in (0, -signal.SIGTERM)
        with pytest.raises(OutcomeUnknown):
            await submitting


async def test_books_of_the_first_release_are_opened_and_their_accounts_keep_the_banks_time(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "books.sqlite")) as books:
        books.executescript((Path(__file__).parent / "first_release.sql").read_text(encoding="utf-8"))
        (ahead_ms,) = books.execute("SELECT value FROM setting WHERE name = 'clock_offset_ms'").fetchone()
    async with running_sandbox(tmp_path) as sandbox:
        house = House(sandbox, "HOME", await sandbox.steer.open_custody_account(reference="HOME", title="x"))
        (line,) = await house.bank.lines_after(house.account_no, 0)
        assert line.amount_fen == 10_000
        again = await sandbox.steer.plant_line(
            custody_account_no=house.account_no, amount_fen=1, bank_serial_no=line.bank_serial_no
        )
        assert await house.bank.lines_after(house.account_no, 0) == [line, again]
        ahead = await house.now() - datetime.now(UTC)
        assert abs(ahead - timedelta(milliseconds=int(ahead_ms))) < timedelta(minutes=2)
        await house.bank.send(custody_account_no=house.account_no, request_no="S-1", mobile="13552535506", text="到账")
        assert (await house.bank.submit(house.order(1_000, Rail.IN_BANK))).status is PayoutStatus.SUCCEEDED
