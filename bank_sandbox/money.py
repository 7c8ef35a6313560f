"""Amounts: integer fen inside, yuan with two decimals as text (`"186000.00"`) on the wire."""

import re

_YUAN = re.compile(r"(-?)(\d{1,17})\.(\d{2})")


def fen(yuan_text: str) -> int:
    """Fen of a wire amount such as `"12.34"`.

    Raises:
        ValueError: not digits, a point and exactly two decimals.
    """
    match = _YUAN.fullmatch(yuan_text)
    if match is None:
        raise ValueError("an amount is written in yuan with exactly two decimals, e.g. 12.34")
    sign, yuan, cents = match.groups()
    value = int(yuan) * 100 + int(cents)
    return -value if sign else value


def yuan(amount_fen: int) -> str:
    """Wire form of an amount: `yuan(1234)` is `"12.34"`."""
    sign = "-" if amount_fen < 0 else ""
    whole, cents = divmod(abs(amount_fen), 100)
    return f"{sign}{whole}.{cents:02d}"
