"""Numbers with right check digits for tests: they belong to nobody."""

from stdnum import luhn
from stdnum.cn import ric, uscc


def card_of(prefix: str, suffix: str = "") -> str:
    """Make a card of 19 digits with this prefix; a wanted suffix is kept, its digits before it make Luhn hold."""
    if not suffix:
        body = prefix.ljust(18, "3")
        return body + luhn.calc_check_digit(body)
    for filler in range(10):
        number = f"{prefix}{filler}".ljust(19 - len(suffix), "3") + suffix
        if luhn.is_valid(number):
            return number
    raise AssertionError("no digit makes it hold")


def citizen_id(sequence: str, born: str = "19800101") -> str:
    """Make an ID number with this sequence (digits 15 to 17)."""
    body = f"110101{born}{sequence}"
    return body + ric.calc_check_digit(body + "0")


def credit_code(tail: str, kind: str = "91") -> str:
    """Make a credit code with these characters 15 and 16."""
    body = f"{kind}440300MA5XYW{tail}6"
    return body + uscc.calc_check_digit(body)
