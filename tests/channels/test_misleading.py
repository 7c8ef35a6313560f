"""A bank that misleads: what it says of a number, of a statement and of settlements, otherwise than it is."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.errors import BankUnreachable
from escrow.domain.withdrawals.payouts import PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from tests.channels.collecting import Cashier
from tests.channels.conftest import TUESDAY_MORNING
from tests.channels.statements import House
from tests.sandbox import running_sandbox

_QR = CollectionMethod.QR_WECHAT


async def test_a_serial_number_is_used_again_on_another_day(house: House) -> None:
    before = await house.receives(5_000)
    await house.lets_pass(timedelta(days=1))
    again = await house.sandbox.steer.plant_line(
        custody_account_no=house.account_no,
        amount_fen=7_000,
        kind="CREDIT",
        account_no="6222020200112233445",
        account_name="王小明",
        bank_serial_no=before.bank_serial_no,
    )

    lines = [line for line in await house.lines() if line.bank_serial_no == before.bank_serial_no]
    assert lines == [before, again]
    assert again.line_no > before.line_no
    assert (again.kind, again.counterparty_name, again.amount_fen) == ("inbound", "王小明", 7_000)


async def test_a_line_is_told_with_another_amount_until_that_is_taken_back(house: House) -> None:
    line = await house.receives(5_000)
    await house.sandbox.steer.say(line.bank_serial_no, amt="50.01")
    changed = [item.amount_fen for item in await house.lines() if item.line_no == line.line_no]
    await house.sandbox.steer.say(line.bank_serial_no)

    assert changed == [5_001]
    assert line in await house.lines()


async def test_a_payout_goes_back_to_an_older_state_and_its_word_may_be_one_that_nobody_knows(house: House) -> None:
    order = house.order(rail=Rail.IN_BANK)
    await house.pays(order)
    await house.sandbox.steer.say(order.request_no, state="PROCESSING")
    assert (await house.query(order.request_no)).status is PayoutStatus.PROCESSING
    assert (await house.bank.submit(order)).status is PayoutStatus.PROCESSING

    await house.sandbox.steer.say(order.request_no, state="ABNORMAL")
    with pytest.raises(BankUnreachable, match="bank_answer_unreadable"):
        await house.query(order.request_no)

    await house.sandbox.steer.reset()
    assert (await house.query(order.request_no)).status is PayoutStatus.SUCCEEDED


async def test_a_payment_is_told_with_another_amount_wherever_it_is_told(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        cashier = Cashier(house)
        collected = await cashier.collects(100_000, _QR)
        (payment,) = collected.payments
        await sandbox.steer.say(payment.payment_no, amt="999.99")
        told = await cashier.query(collected.request_no)
        await sandbox.steer.settle_now(_QR)
        line = next(line for line in await house.lines() if line.kind == "settlement")
        settlement = await cashier.channel.settlement(line.request_no)
        await sandbox.steer.say(line.request_no, fee="0.00")
        without_fee = await cashier.channel.settlement(line.request_no)

    assert [item.amount_fen for item in told.payments] == [99_999]
    assert [item.amount_fen for item in settlement.items] == [99_999]
    assert (settlement.paid_fen, settlement.fee_fen, without_fee.fee_fen) == (100_000, 380, 0)


async def test_a_settlement_is_late_and_short(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        cashier = Cashier(house)
        collected = await cashier.collects(100_000, _QR)
        await sandbox.steer.mislead_about_settlement(_QR, held=True)
        await house.waits_until(datetime.fromisoformat("2026-03-06T10:00:00+08:00"))
        told = await cashier.query(collected.request_no)
        before = list(await house.lines())
        await sandbox.steer.mislead_about_settlement(_QR, short_fen=1_000)
        await cashier.collects(200_000, _QR)
        await sandbox.steer.settle_now(_QR)
        brought = [line.amount_fen for line in await house.lines() if line.kind == "settlement"]

    assert before == []
    assert (told.payments[0].settles_on, told.payments[0].settlement_no) == (date(2026, 3, 4), None)
    # Of two days, the earlier one is short.
    assert brought == [100_000 - 380 - 1_000, 200_000 - 760]


async def test_a_settlement_that_brings_exactly_nothing_has_no_line(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        cashier = Cashier(house)
        collected = await cashier.collects(100_000, _QR)
        await cashier.refunds(collected, 100_000 - 380)
        await sandbox.steer.settle_now(_QR)
        told = await cashier.query(collected.request_no)
        settlement = await cashier.channel.settlement(told.payments[0].settlement_no or "")
        lines = list(await house.lines())

    assert lines == []
    assert (settlement.bank_serial_no, settlement.fee_fen) == ("", 380)


async def test_a_statement_is_cut_off_between_and_within_its_entries(house: House) -> None:
    await house.receives(1_000)
    today = (await house.now()).date()
    whole = await house.bank.statement_camt053(house.account_no, today)
    await house.sandbox.steer.cut_statement_off(house.account_no, today, entries=1)
    without_the_last = await house.bank.statement_camt053(house.account_no, today)
    await house.sandbox.steer.cut_statement_off(house.account_no, today, size=len(whole) // 2)
    half = await house.bank.statement_camt053(house.account_no, today)
    await house.sandbox.steer.cut_statement_off(house.account_no, today)

    assert (whole.count(b"<Ntry>"), without_the_last.count(b"<Ntry>")) == (2, 1)
    assert b"<NbOfNtries>2</NbOfNtries>" in without_the_last
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(half)
    assert (await house.bank.statement_camt053(house.account_no, today)).count(b"<Ntry>") == 2


async def test_a_notice_may_be_of_a_kind_that_nobody_knows(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        await sandbox.steer.send_notice("WEATHER", house.account_no, request_no="R-1")
        [*_, told] = await sandbox.steer.notices()

    assert (told["body"]["kind"], told["body"]["reqSeq"], told["state"]) == ("WEATHER", "R-1", "waiting")
