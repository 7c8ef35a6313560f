"""Our custody against the bank's: every difference is named by its line."""

import pytest

from escrow.domain.transfers.bank_comparison import LineAtBank, LineKept, differences


def at_bank(*amounts_fen: int) -> list[LineAtBank]:
    return [
        LineAtBank(
            line_no=number,
            bank_serial_no=f"S{number}",
            kind="inbound",
            amount_fen=amount_fen,
            balance_after_fen=sum(amounts_fen[:number]),
        )
        for number, amount_fen in enumerate(amounts_fen, 1)
    ]


def kept(*amounts_fen: int, unposted: frozenset[int] = frozenset()) -> dict[int, LineKept]:
    return {
        number: LineKept(bank_serial_no=f"S{number}", amount_fen=amount_fen, posted=number not in unposted)
        for number, amount_fen in enumerate(amounts_fen, 1)
    }


def test_equal_books_have_no_difference() -> None:
    assert differences(at_bank=at_bank(500, -200), kept=kept(500, -200), bank_balance_fen=300, custody_fen=300) == []


def test_empty_books_are_equal() -> None:
    assert differences(at_bank=[], kept={}, bank_balance_fen=0, custody_fen=0) == []


@pytest.mark.parametrize(
    "ours", [kept(500), kept(500, 1, unposted=frozenset({2}))], ids=["never seen", "kept, not posted"]
)
def test_a_line_that_is_not_posted_is_named_and_explains_the_difference(ours: dict[int, LineKept]) -> None:
    found = differences(at_bank=at_bank(500, 1), kept=ours, bank_balance_fen=501, custody_fen=500)
    assert found == ["bank line 2 (S2, inbound, 0.01) is not posted in our books"]


def test_a_line_that_changed_at_the_bank_is_named() -> None:
    found = differences(at_bank=at_bank(500), kept=kept(400), bank_balance_fen=500, custody_fen=400)
    assert "bank line 1 (S1, inbound, 5.00) was another line when we kept it: S1" in found


def test_a_line_that_the_bank_no_longer_shows_is_named() -> None:
    found = differences(at_bank=at_bank(500), kept=kept(500, 70), bank_balance_fen=500, custody_fen=570)
    assert found[0] == "bank line 2 that we kept is unknown to the bank"


def test_a_balance_that_no_line_explains_is_told() -> None:
    found = differences(at_bank=at_bank(500), kept=kept(500), bank_balance_fen=499, custody_fen=500)
    assert found == ["the bank shows 4.99, our custody 5.00, and lines not posted explain 0.00 of the difference"]


def test_a_break_in_the_banks_own_running_balance_is_named_once() -> None:
    lines = [*at_bank(500), LineAtBank(line_no=2, bank_serial_no="S2", kind="x", amount_fen=1, balance_after_fen=600)]
    lines.append(LineAtBank(line_no=3, bank_serial_no="S3", kind="x", amount_fen=1, balance_after_fen=601))
    found = differences(at_bank=lines, kept=kept(500, 1, 1), bank_balance_fen=502, custody_fen=502)
    assert found == ["bank line 2 (S2, x, 0.01): the bank's balance after it does not follow from its lines"]
