"""The statement of a day as camt.053, against the lines and the balance of the account."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from escrow.domain.errors import BankDeclined, Refused
from escrow.domain.withdrawals.rails import Rail
from tests.channels.conftest import TUESDAY_MORNING
from tests.channels.statements import OPENING_FEN, House
from tests.sandbox import running_sandbox

_NS = {"c": "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"}


class _Statement:
    """Reads a statement with an XML parser only."""

    def __init__(self, xml: bytes) -> None:
        self.root = etree.fromstring(xml)

    def text(self, path: str) -> list[str]:
        return [element.text or "" for element in self.root.findall(path, _NS)]

    def balance_fen(self, code: str) -> int:
        for balance in self.root.findall(".//c:Bal", _NS):
            if balance.findtext("c:Tp/c:CdOrPrtry/c:Cd", namespaces=_NS) == code:
                return self._signed_fen(balance)
        raise AssertionError(f"no balance {code}")

    def entries_fen(self) -> list[int]:
        return [self._signed_fen(entry) for entry in self.root.findall(".//c:Ntry", _NS)]

    @staticmethod
    def _signed_fen(element: etree._Element) -> int:
        fen = int(Decimal(element.findtext("c:Amt", "", _NS)) * 100)
        return fen if element.findtext("c:CdtDbtInd", namespaces=_NS) == "CRDT" else -fen


async def test_a_day_opens_with_the_balance_before_and_closes_with_its_entries(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        returned = house.order(190_005)
        await house.pays(returned)
        await house.lets_pass(timedelta(days=1))
        await house.pays(house.order(7_700_000, Rail.HVPS))
        await house.receives(1)
        await house.lets_pass(timedelta(days=1))
        on_the_day = _Statement(await house.bank.statement_camt053(house.account_no, date(2026, 3, 5)))
        await house.lets_pass(timedelta(days=1))
        days = [
            _Statement(await house.bank.statement_camt053(house.account_no, date(2026, 3, day))) for day in range(2, 7)
        ]
        lines = await house.bank.lines_after(house.account_no, 0)
        balance_fen = await house.balance_fen()

    assert [fen for day in days for fen in day.entries_fen()] == [line.amount_fen for line in lines]
    assert [serial for day in days for serial in day.text(".//c:Ntry/c:AcctSvcrRef")] == [
        line.bank_serial_no for line in lines
    ]
    opening_fen = 0
    for day in days:
        assert day.balance_fen("OPBD") == opening_fen
        opening_fen += sum(day.entries_fen())
        assert day.balance_fen("CLBD") == opening_fen
    assert opening_fen == balance_fen
    assert [len(day.entries_fen()) for day in days] == [0, 3, 3, 1, 0]
    end_to_end = ".//c:Ntry/c:NtryDtls/c:TxDtls/c:Refs/c:EndToEndId"
    assert days[1].text(end_to_end) == ["NOTPROVIDED", returned.request_no, returned.request_no]
    assert on_the_day.text(end_to_end) == ["NOTPROVIDED"]
    assert days[3].text(end_to_end) == [returned.request_no]
    assert days[3].text(".//c:Ntry/c:RvslInd") == ["true"]


async def test_a_day_that_has_not_begun_has_no_statement(house: House) -> None:
    with pytest.raises(BankDeclined, match="statement_day_not_begun"):
        await house.bank.statement_camt053(house.account_no, (await house.now()).date() + timedelta(days=2))


async def test_a_planted_line_is_on_the_account_and_nobody_is_told(house: House) -> None:
    planted = await house.sandbox.steer.plant_line(
        custody_account_no=house.account_no, amount_fen=-1_234, remark="nobody ordered this"
    )

    assert (planted.kind, planted.amount_fen) == ("adjustment", -1_234)
    assert await house.lines() == [planted]
    assert await house.balance_fen() == OPENING_FEN - 1_234
    told = [notice["body"]["amt"] for notice in await house.sandbox.steer.notices()]
    assert "-12.34" not in told


async def test_lines_are_read_from_where_one_stopped_and_in_portions(house: House) -> None:
    for amount_fen in range(1, 6):
        await house.receives(amount_fen)

    first = await house.bank.lines_after(house.account_no, 1, limit=2)
    rest = await house.bank.lines_after(house.account_no, first[-1].line_no)

    assert [line.amount_fen for line in [*first, *rest]] == [1, 2, 3, 4, 5]
    assert [line.balance_after_fen - OPENING_FEN for line in [*first, *rest]] == [1, 3, 6, 10, 15]


async def test_amounts_of_any_size_keep_their_last_fen(house: House) -> None:
    huge_fen = 90_071_992_547_409_93  # 2**53 + 1: no double holds it

    line = await house.receives(huge_fen)

    assert line.amount_fen == huge_fen
    assert await house.balance_fen() == OPENING_FEN + huge_fen


async def test_an_account_holds_all_that_64_bits_hold_and_not_a_fen_more(house: House) -> None:
    line = await house.receives(2**63 - 1 - OPENING_FEN)

    assert line.balance_after_fen == await house.balance_fen() == 2**63 - 1
    assert (await house.bank.lines_after(house.account_no, 0))[-1] == line
    with pytest.raises(Refused, match="cannot hold that much"):
        await house.receives(1)
