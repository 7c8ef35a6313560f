"""Numbers with check digits: CNAPS codes, cards, accounts, citizen ID numbers, credit codes; and how to mask them.

A correct check digit says that a number was typed right, not that it exists.
"""

import re
from datetime import date

from stdnum import luhn
from stdnum.cn import ric, uscc
from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_10

from escrow.domain.errors import Refused

_CNAPS = re.compile(r"[0-9]{12}")
_UNIONPAY_CARD = re.compile(r"62[0-9]{14,17}")
_CORPORATE_ACCOUNT = re.compile(r"[0-9]{9,32}")
_CITIZEN_ID = re.compile(r"[1-9][0-9]{16}[0-9X]")
_CREDIT_CODE = re.compile(r"[0-9A-Z]{18}")
#: The card schemes' longest and shortest card numbers leave at least this many digits hidden by a mask.
_MASK_BOTH_ENDS_FROM = 12
_MASK_TAIL_FROM = 8


def is_cnaps_code(text: str) -> bool:
    """Whether `text` is a CNAPS code: 3 digits bank, 4 city, 4 branch, 1 check digit by ISO 7064 MOD 11,10."""
    return _CNAPS.fullmatch(text) is not None and mod_11_10.is_valid(text)


def require_cnaps_code(text: str) -> None:
    """A CNAPS code that is named at all is none that was mistyped.

    Raises:
        Refused: `cnaps_code_invalid`.
    """
    if text and not is_cnaps_code(text):
        raise Refused("cnaps_code_invalid", "The CNAPS code is mistyped: its check digit does not fit.")


def bank_code(cnaps_code: str) -> str:
    """First three digits of a CNAPS code: the bank, or for city banks (313) the kind of bank."""
    return cnaps_code[:3]


def city_code(cnaps_code: str) -> str:
    """Digits four to seven of a CNAPS code: the clearing city, e.g. 5840 for Shenzhen."""
    return cnaps_code[3:7]


def is_unionpay_card(text: str) -> bool:
    """Whether `text` is a card number of 16 to 19 digits with UnionPay's prefix 62 and a correct Luhn digit."""
    return _UNIONPAY_CARD.fullmatch(text) is not None and luhn.is_valid(text)


def is_corporate_account_no(text: str) -> bool:
    """Whether `text` can be a corporate settlement account: 9 to 32 digits; such numbers have no check digit."""
    return _CORPORATE_ACCOUNT.fullmatch(text) is not None


def birth_date(citizen_id: str, *, today: date) -> date | None:
    """Birth date in a citizen ID number (GB 11643), None if the number is wrong or the date not before tomorrow.

    The area part is not looked up: area tables lack codes that real people carry.
    """
    if _CITIZEN_ID.fullmatch(citizen_id) is None or ric.calc_check_digit(citizen_id) != citizen_id[-1]:
        return None
    try:
        born = ric.get_birth_date(citizen_id)
    except ValidationError:
        return None
    return born if born <= today else None


def is_citizen_id(text: str, *, today: date) -> bool:
    """Whether `text` is a citizen ID number with a correct check digit and a birth date up to `today`."""
    return birth_date(text, today=today) is not None


def is_credit_code(text: str) -> bool:
    """Whether `text` is a unified social credit code (GB 32100) with correct check digits."""
    return _CREDIT_CODE.fullmatch(text) is not None and uscc.is_valid(text)


def mask(account_no: str) -> str:
    """Form in which an account number may be shown and logged: `6222****1234`; short ones show less."""
    if len(account_no) >= _MASK_BOTH_ENDS_FROM:
        return f"{account_no[:4]}****{account_no[-4:]}"
    return f"****{account_no[-4:]}" if len(account_no) >= _MASK_TAIL_FROM else "****"
