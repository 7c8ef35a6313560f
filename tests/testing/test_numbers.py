"""Made-up numbers are valid by the same rules as real ones, and mean to the sandbox what their names say."""

from collections.abc import Callable
from datetime import date

import pytest
from stdnum.cn import uscc

from bank_sandbox import register
from bank_sandbox import scenarios as bank
from escrow.domain.members.identity_numbers import (
    city_code,
    is_citizen_id,
    is_cnaps_code,
    is_corporate_account_no,
    is_credit_code,
    is_unionpay_card,
)
from escrow.testing.numbers import BANKS, Numbers
from escrow.testing.scenarios import COMPANIES, ENDINGS_FEN, PERSONS, amount_suffering, suffix_suffering

MANY = 3_000


@pytest.mark.parametrize(
    ("make", "is_valid"),
    [
        (Numbers.citizen_id, lambda text: is_citizen_id(text, today=date(2010, 1, 1))),
        (Numbers.credit_code, is_credit_code),
        (Numbers.card, is_unionpay_card),
        (Numbers.account, is_corporate_account_no),
        (Numbers.mobile, lambda text: len(text) == 11 and text.startswith("186")),
        (Numbers.cnaps_code, is_cnaps_code),
    ],
)
def test_numbers_are_valid_unique_and_the_same_by_seed(
    make: Callable[[Numbers], str], is_valid: Callable[[str], bool]
) -> None:
    numbers, again, other = Numbers("P1"), Numbers("P1"), Numbers("P2")
    made = [make(numbers) for _ in range(MANY)]
    assert all(map(is_valid, made))
    assert len(set(made)) == MANY
    assert made == [make(again) for _ in range(MANY)]
    assert made[0] != make(other)


def test_numbers_can_be_of_a_bank_a_city_or_a_sole_trader() -> None:
    numbers = Numbers()
    for name, (prefix, code) in BANKS.items():
        assert numbers.card(name).startswith(prefix)
        assert numbers.cnaps_code(name).startswith(code)
    assert city_code(numbers.cnaps_code(city="1000")) == "1000"
    code = numbers.credit_code(sole_trader=True)
    assert code.startswith("92")
    assert uscc.is_valid(code)


def test_what_the_register_shall_answer_is_in_the_number() -> None:
    numbers = Numbers()
    assert numbers.citizen_id(answer="not_found")[14:17] == "991"
    assert is_citizen_id(numbers.citizen_id(answer="mismatch"), today=date(2010, 1, 1))
    assert numbers.credit_code(answer="revoked")[14:16] == "94"
    assert is_credit_code(numbers.credit_code(answer="revoked"))


@pytest.mark.parametrize("scenario", sorted(ENDINGS_FEN))
def test_a_number_or_an_amount_suffers_what_the_bank_understands(scenario: str) -> None:
    numbers = Numbers()
    cards = [numbers.card(suffers=scenario) for _ in range(20)]
    assert len(set(cards)) == 20
    for number in (*cards, numbers.account(suffers=scenario)):
        assert bank.MAGIC_AMOUNTS[90_000 + int(number[-3:])] == scenario
        assert number[-4] == "9"
    assert all(map(is_unionpay_card, cards))
    amount_fen = amount_suffering(scenario, at_least_fen=5_000_001)
    assert 5_000_001 <= amount_fen < 5_100_001
    assert bank.MAGIC_AMOUNTS[amount_fen % 100_000] == scenario


def test_the_names_are_those_of_the_bank() -> None:
    assert {scenario.value: ending for ending, scenario in bank.MAGIC_AMOUNTS.items()} == ENDINGS_FEN
    assert suffix_suffering("declined") == "9003"
    rules = register._PERSON_RULES | {register._PERSON_DOWN: "register_down"}
    assert {digits: str(result).lower() for digits, result in rules.items()} == {v: k for k, v in PERSONS.items()}
    rules = register._COMPANY_RULES | register._STATUS_RULES | {register._COMPANY_DOWN: "register_down"}
    rules |= {register._OTHER_LEGAL_REP: "other_representative", register._NOTHING_PAID_IN: "nothing_paid_in"}
    assert {digits: str(result).lower() for digits, result in rules.items()} == {v: k for k, v in COMPANIES.items()}
    with pytest.raises(KeyError):
        amount_suffering("struck by lightning")
