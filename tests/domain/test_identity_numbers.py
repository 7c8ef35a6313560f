"""Check digits and masks, on published numbers."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.members.identity_numbers import (
    bank_code,
    birth_date,
    city_code,
    is_citizen_id,
    is_cnaps_code,
    is_corporate_account_no,
    is_credit_code,
    is_unionpay_card,
    mask,
)

TODAY = date(2026, 11, 23)
HEAD_OFFICES = (
    *("102100099996", "103100000026", "104100000004", "105100000017", "301290000007", "302100011000"),
    *("303100000006", "304100040000", "305100000013", "306581000003", "307584007998", "308584000013"),
    *("309391000011", "310290000013", "313100000013", "325290000012", "403100000004"),
)


@pytest.mark.parametrize("code", HEAD_OFFICES)
def test_published_cnaps_codes_of_head_offices_are_right(code: str) -> None:
    assert is_cnaps_code(code)


@given(code=st.sampled_from(HEAD_OFFICES), place=st.integers(0, 11), shift=st.integers(1, 9))
def test_one_wrong_digit_of_a_cnaps_code_is_seen(code: str, place: int, shift: int) -> None:
    wrong = str((int(code[place]) + shift) % 10)
    assert not is_cnaps_code(code[:place] + wrong + code[place + 1 :])


def test_a_cnaps_code_names_bank_and_city() -> None:
    assert (bank_code("307584007998"), city_code("307584007998")) == ("307", "5840")
    assert city_code("102100099996") == "1000"


@pytest.mark.parametrize("text", ["", "30758400799", "3075840079980", "３07584007998", "30758400799X", "307584007998 "])
def test_what_is_not_twelve_plain_digits_is_no_cnaps_code(text: str) -> None:
    assert not is_cnaps_code(text)


def test_the_public_unionpay_test_identity_is_accepted() -> None:
    assert is_unionpay_card("6216261000000000018")
    assert birth_date("341126197709218366", today=TODAY) == date(1977, 9, 21)


@pytest.mark.parametrize(
    "text",
    ["6216261000000000019", "4111111111111111", "621626100000000", "62162610000000000000", "", "６216261000000000018"],
)
def test_other_schemes_and_wrong_digits_are_no_unionpay_card(text: str) -> None:
    assert not is_unionpay_card(text)


def test_corporate_accounts_are_nine_to_thirty_two_digits() -> None:
    assert is_corporate_account_no("1" * 9)
    assert is_corporate_account_no("1" * 32)
    for text in ("1" * 8, "1" * 33, "12345678a", ""):
        assert not is_corporate_account_no(text)


def with_check_digit(first_seventeen: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(first_seventeen, weights, strict=True))
    return first_seventeen + "10X98765432"[total % 11]


def test_areas_missing_from_tables_are_real_people_too() -> None:
    for area in ("330113", "330114", "999999"):
        assert is_citizen_id(with_check_digit(area + "19900307" + "123"), today=TODAY)


def test_nobody_is_born_tomorrow_or_on_a_day_that_is_none() -> None:
    assert is_citizen_id(with_check_digit("110101" + "20261123" + "001"), today=TODAY)
    assert not is_citizen_id(with_check_digit("110101" + "20261124" + "001"), today=TODAY)
    assert not is_citizen_id(with_check_digit("110101" + "19900230" + "001"), today=TODAY)


@pytest.mark.parametrize("text", ["341126197709218367", "34112619770921836x", "34112619770921836", "", "a" * 18])
def test_a_wrong_citizen_id_is_refused(text: str) -> None:
    assert not is_citizen_id(text, today=TODAY)


def test_credit_codes_carry_their_check_digit() -> None:
    assert is_credit_code("91110000600037341L")
    for text in ("91110000600037342L", "91110000600037341l", "91110000600037341", ""):
        assert not is_credit_code(text)


@given(st.text(alphabet="0123456789", max_size=40))
def test_a_mask_never_shows_more_than_eight_digits_and_hides_at_least_four(number: str) -> None:
    shown = sum(character.isdigit() for character in mask(number))
    assert shown <= 8
    assert len(number) - shown >= min(4, len(number))


def test_a_masked_card_shows_both_ends() -> None:
    assert mask("6222021234561234") == "6222****1234"
