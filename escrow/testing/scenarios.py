"""What can go wrong at the bank sandbox, by name: ordered for the next request, or meant by an amount or a number."""

from collections.abc import Mapping
from types import MappingProxyType

#: Misfortune → the last five digits of an amount in fen that mean it: a payout of 1,900.03 yuan is declined.
ENDINGS_FEN: Mapping[str, int] = MappingProxyType(
    {
        "timeout_booked": 90_001,
        "timeout_not_booked": 90_002,
        "declined": 90_003,
        "stuck": 90_004,
        "returned": 90_005,
        "notice_twice": 90_006,
        "notice_late": 90_007,
        "notice_dropped": 90_008,
        "notice_wrong_amount": 90_009,
        "slow": 90_010,
        "broken_answer": 90_011,
        "failed_later": 90_012,
        "timeout_booked_late": 90_013,
        "paid_late": 90_014,
        "paid_twice": 90_015,
        "paid_short": 90_016,
        "paid_over": 90_017,
    }
)
_MODULUS_FEN = 100_000

#: Answer of the register → digits 15 to 17 of a citizen ID number that mean it.
PERSONS: Mapping[str, str] = MappingProxyType({"mismatch": "990", "not_found": "991", "register_down": "992"})

#: Answer of the register → characters 15 and 16 of a credit code that mean it.
COMPANIES: Mapping[str, str] = MappingProxyType(
    {
        "mismatch": "90",
        "not_found": "91",
        "register_down": "92",
        "cancelled": "93",
        "revoked": "94",
        "other_representative": "95",
        "nothing_paid_in": "96",
    }
)


def amount_suffering(scenario: str, *, at_least_fen: int = 0) -> int:
    """The smallest amount in fen, from `at_least_fen` on, that means a misfortune.

    Raises:
        KeyError: no misfortune has that name.
    """
    ending_fen = ENDINGS_FEN[scenario]
    return at_least_fen + (ending_fen - at_least_fen) % _MODULUS_FEN


def suffix_suffering(scenario: str) -> str:
    """The last four digits of a card or account that mean a misfortune of its check, micro-deposit or mandate.

    Raises:
        KeyError: no misfortune has that name.
    """
    return f"9{ENDINGS_FEN[scenario] - 90_000:03d}"
