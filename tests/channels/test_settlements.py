"""Settlement: what a channel collected reaches the custody account, one line per day and channel."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from escrow.channels.protocols import BankLine
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.errors import BankDeclined
from tests.channels.collecting import Cashier
from tests.channels.conftest import TUESDAY_MORNING
from tests.channels.statements import House
from tests.sandbox import running_sandbox

_QR, _ACQUIRING = CollectionMethod.QR_WECHAT, CollectionMethod.ACQUIRING


def _told(lines: list[BankLine]) -> list[tuple[str, int]]:
    return [(line.kind, line.amount_fen) for line in lines]


async def test_a_days_payments_come_the_morning_after_in_one_line_per_channel(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        cashier = Cashier(house)
        collected = [await cashier.collects(fen, _QR) for fen in (100_000, 200_000)]
        await cashier.collects(100_000, _ACQUIRING)
        refund = await cashier.refunds(collected[0], 30_000)
        await house.waits_until(datetime.fromisoformat("2026-03-04T05:59:00+08:00"))
        before = list(await house.lines())
        await house.lets_pass(timedelta(minutes=2))
        lines = list(await house.lines())
        qr = next(line for line in lines if line.remark.startswith("QR_WECHAT"))
        settlement = await cashier.channel.settlement(qr.request_no)
        settled = await cashier.query(collected[0].request_no)
        after_refund = await cashier.query_refund(refund.request_no)
        transit_account_no = (await cashier.channel.capabilities(cashier.house.account_no)).transit_account_no

    assert before == []
    assert {line.counterparty_account_no for line in lines if line.kind == "settlement"} == {transit_account_no}
    # 0.38 % of 1,000.00 and of 2,000.00 is taken off; acquiring charges 0.20 % in a line of its own.
    assert sorted(_told(lines)) == [("charge", -200), ("settlement", 100_000), ("settlement", 270_000 - 380 - 760)]
    assert (qr.booked_at.isoformat(), qr.counterparty_name) == ("2026-03-04T06:00:00+08:00", "网络收单专属过渡户")
    assert (settlement.method, settlement.day.isoformat()) == (_QR, "2026-03-03")
    assert (settlement.paid_fen, settlement.refunded_fen, settlement.fee_fen) == (300_000, 30_000, 1_140)
    assert (settlement.net_of_fees, settlement.bank_serial_no) == (True, qr.bank_serial_no)
    assert [(item.kind, item.request_no, item.amount_fen, item.fee_fen) for item in settlement.items] == [
        ("payment", collected[0].request_no, 100_000, 380),
        ("payment", collected[1].request_no, 200_000, 760),
        ("refund", refund.request_no, 30_000, 0),
    ]
    assert settled.payments[0].settlement_no == after_refund.settlement_no == qr.request_no
    assert settled.payments[0].settles_on.isoformat() == "2026-03-04"


async def test_a_method_can_settle_at_once_and_gross_of_fees_or_net(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        cashier = Cashier(house)
        await sandbox.steer.set_settlement(_QR, next_day=False, net_of_fees=False)
        gross = await cashier.collects(100_000, _QR)
        gross_lines = list(await house.lines())
        await sandbox.steer.set_settlement(_QR, next_day=False, net_of_fees=True)
        await cashier.collects(100_000, _QR)
        net_lines = list(await house.lines())[len(gross_lines) :]
        capability = next(
            m for m in (await cashier.channel.capabilities(cashier.house.account_no)).methods if m.method is _QR
        )
        fee_line = gross_lines[1]
        settlement = await cashier.channel.settlement(fee_line.request_no)

    assert _told(gross_lines) == [("settlement", 100_000), ("charge", -380)]
    assert _told(net_lines) == [("settlement", 99_620)]
    assert (capability.next_day, capability.net_of_fees) == (False, True)
    assert settlement.items[0].request_no == gross.request_no


async def test_what_waits_for_its_batch_can_be_settled_now(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        cashier = Cashier(house)
        await cashier.collects(100_000, _QR)
        await cashier.collects(100_000, _ACQUIRING)
        await sandbox.steer.settle_now(_QR)
        of_one = _told(list(await house.lines()))
        await sandbox.steer.settle_now()
        of_all = _told(list(await house.lines()))
        await house.lets_pass(timedelta(days=2))
        later = _told(list(await house.lines()))

    assert of_one == [("settlement", 99_620)]
    assert of_all == later == [*of_one, ("settlement", 100_000), ("charge", -200)]


async def test_refunds_of_settled_money_make_a_negative_settlement(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        cashier = Cashier(house)
        paid = await cashier.collects(100_000, _QR)
        await sandbox.steer.settle_now()
        await cashier.refunds(paid, 100_000)
        await sandbox.steer.settle_now()
        lines = list(await house.lines())

    assert _told(lines) == [("settlement", 99_620), ("settlement", -100_000)]


async def test_money_of_two_days_is_settled_day_by_day_even_when_the_clock_jumps(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        cashier = Cashier(house)
        await cashier.collects(100_000, _QR)
        stuck = await cashier.order(190_004, _QR, expires_at=datetime.fromisoformat("2026-03-04T23:00:00+08:00"))
        await house.waits_until(datetime.fromisoformat("2026-03-03T23:55:00+08:00"))
        await cashier.channel.create(stuck)
        await sandbox.steer.pay(stuck.request_no)  # comes ten minutes later, on the next day
        await house.lets_pass(timedelta(days=3))
        lines = list(await house.lines())

    assert [(line.remark, line.booked_at.isoformat()) for line in lines] == [
        ("QR_WECHAT 2026-03-03", "2026-03-04T06:00:00+08:00"),
        ("QR_WECHAT 2026-03-04", "2026-03-05T06:00:00+08:00"),
    ]


async def test_a_power_cut_loses_no_payment_and_settles_each_once(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        cashier = Cashier(house)
        paid = await cashier.collects(100_000, _QR)
        opened = await cashier.opens(200_000, _QR)
        mandate = await cashier.has_mandate()

        sandbox.kill()
        await sandbox.start()

        assert await cashier.query(paid.request_no) == paid
        assert await cashier.query(opened.request_no) == opened
        assert await cashier.has_mandate() == mandate
        await sandbox.steer.pay(opened.request_no)
        await sandbox.steer.settle_now()
        sandbox.kill()
        await sandbox.start()
        await sandbox.steer.settle_now()
        lines = list(await house.lines())

    assert _told(lines) == [("settlement", 300_000 - 1_140)]


async def test_an_unknown_settlement_is_none(house: House) -> None:
    with pytest.raises(BankDeclined, match="settlement_unknown"):
        await house.bank.collections.settlement("S20260303-QR_WECHAT-99999999")
