"""Amounts in fen and exact ratios. No floats: every amount is an `int`, every ratio a `Fraction`."""

import re
from fractions import Fraction

from escrow.domain.errors import Refused

#: Largest amount in fen that a ledger line can carry (BIGINT of PostgreSQL).
MAX_FEN = 2**63 - 1
#: One hundred per cent in basis points.
BASIS_POINTS = 10_000

_YUAN = re.compile(r"(?P<sign>-?)(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<cents>\d{1,2}))?", re.ASCII)
_PERCENT = re.compile(r"(?P<whole>\d{1,5})(?:\.(?P<digits>\d{1,12}))?\s*%", re.ASCII)
_QUOTIENT = re.compile(r"(?P<numerator>\d{1,18})/(?P<denominator>\d{1,18})", re.ASCII)


def yuan(text: str | int) -> int:
    """Amount in fen of a number of yuan: `"186,000.00"`, `"186000"` or the integer 186000 give 18600000.

    Raises:
        Refused: code `amount_invalid` for floats, more than two decimals, misplaced commas, other characters,
            and anything that does not fit 64 bits.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return _checked(text * 100, str(text))
    match = _YUAN.fullmatch(text.strip()) if isinstance(text, str) else None
    if not isinstance(text, str) or match is None:
        raise Refused(
            "amount_invalid",
            'Write the amount in yuan with at most two decimals, in digits and quoted, e.g. "186,000.00".',
            {"given": str(text)[:40], "type": type(text).__name__},
        )
    fen = int(match["whole"].replace(",", "")) * 100 + int((match["cents"] or "").ljust(2, "0"))
    return _checked(-fen if match["sign"] else fen, text)


def _checked(fen: int, given: str) -> int:
    if abs(fen) > MAX_FEN:
        raise Refused("amount_invalid", "The amount does not fit 64 bits of fen.", {"given": given[:40]})
    return fen


def format_fen(fen: int) -> str:
    """Amount in yuan for people: 18600000 gives `186,000.00`."""
    whole, cents = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole:,}.{cents:02d}"


def ratio(value: int | str | Fraction) -> Fraction:
    """Exact ratio between 0 and 1 of basis points (`3000`), a percentage (`"30%"`) or a quotient (`"1/3"`).

    Raises:
        Refused: code `ratio_invalid` for floats, other texts, and ratios outside 0 to 1.
    """
    exact = _ratio(value)
    if exact is None or not 0 <= exact <= 1:
        raise Refused(
            "ratio_invalid",
            'Give a ratio from 0 to 100 % as basis points (3000), a percentage ("30%") or a quotient ("1/3").',
            {"given": str(value)[:40], "type": type(value).__name__},
        )
    return exact


def _ratio(value: object) -> Fraction | None:
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value, BASIS_POINTS)
    if not isinstance(value, str):
        return None
    if match := _PERCENT.fullmatch(value.strip()):
        digits = match["digits"] or ""
        return Fraction(int(match["whole"] + digits), 100 * 10 ** len(digits))
    if (match := _QUOTIENT.fullmatch(value.strip())) and int(match["denominator"]):
        return Fraction(int(match["numerator"]), int(match["denominator"]))
    return None
