"""Valid numbers that nobody has: identity numbers, credit codes, cards, accounts, mobiles, CNAPS codes.

Check digits are right; the sandbox's magic endings are avoided unless asked for. The same seed gives the same numbers.
"""

import itertools
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from hashlib import blake2b
from types import MappingProxyType

from stdnum import luhn
from stdnum.cn import ric, uscc
from stdnum.iso7064 import mod_11_10

from escrow.testing.scenarios import COMPANIES, ENDINGS_FEN, PERSONS, amount_suffering, suffix_suffering

#: Bank → first six digits of its cards and first three of its CNAPS codes.
BANKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ICBC": ("622202", "102"),
        "ABC": ("622848", "103"),
        "BOC": ("621661", "104"),
        "CCB": ("621700", "105"),
        "BOCOM": ("622260", "301"),
        "CITIC": ("621771", "302"),
        "CEB": ("622662", "303"),
        "HXB": ("622630", "304"),
        "CMBC": ("622622", "305"),
        "CGB": ("622568", "306"),
        "PAB": ("621626", "307"),
        "CMB": ("622588", "308"),
        "CIB": ("622909", "309"),
        "SPDB": ("622521", "310"),
        "PSBC": ("621799", "403"),
    }
)
#: Areas that exist nowhere, so that nobody real is meant; no area is looked up.
_PERSONS_AREA, _COMPANIES_AREA = "990000", "000000"
_FIRST_BIRTH = date(1960, 1, 1)
_BIRTHS = 14_000  # days up to 1998
_SEQUENCES = 900  # below the magic ones
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)  # GB 11714
_CODE_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100 leaves out I, O, S, V and Z
_MAGIC_SUFFIXES = frozenset(map(suffix_suffering, ENDINGS_FEN))


class Numbers:
    """Numbers one after the other, no kind of them twice.

    Args:
        seed: another seed gives other numbers.
    """

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._places: dict[str, Iterator[int]] = {}

    def citizen_id(self, *, answer: str | None = None) -> str:
        """A citizen ID number (GB 11643).

        Args:
            answer: what the register shall say, one of `escrow.testing.scenarios.PERSONS`; None for a match.
        """
        place = self._next("citizen_id", _BIRTHS * _SEQUENCES)
        born = _FIRST_BIRTH + timedelta(days=place % _BIRTHS)
        sequence = PERSONS[answer] if answer else f"{place // _BIRTHS:03d}"
        body = f"{_PERSONS_AREA}{born:%Y%m%d}{sequence}"
        return body + ric.calc_check_digit(body + "0")  # it leaves the last digit out

    def credit_code(self, *, answer: str | None = None, sole_trader: bool = False) -> str:
        """A unified social credit code (GB 32100).

        Args:
            answer: what the register shall say, one of `escrow.testing.scenarios.COMPANIES`; None for a match.
            sole_trader: whether it is one of a sole trader, not of a company.
        """
        place = self._next("credit_code", len(_CODE_CHARACTERS) ** 4)
        characters = ""
        for _ in range(4):
            place, index = divmod(place, len(_CODE_CHARACTERS))
            characters += _CODE_CHARACTERS[index]
        organisation = f"MA{characters}{COMPANIES[answer] if answer else '5K'}"
        body = f"{'92' if sole_trader else '91'}{_COMPANIES_AREA}{organisation}{_organisation_check(organisation)}"
        return body + uscc.calc_check_digit(body)

    def card(self, bank: str = "ICBC", *, suffers: str | None = None) -> str:
        """A UnionPay card number of a bank, 19 digits with a Luhn digit.

        Args:
            suffers: a misfortune that its last digits shall mean.
        """
        prefix = BANKS[bank][0]
        while True:
            if suffers:
                wanted = suffix_suffering(suffers)
                body = f"{prefix}{self._next('card_suffering', 10**9):09d}{wanted[:-1]}"
            else:
                body = f"{prefix}{self._next('card', 10**12):012d}"
            number = body + luhn.calc_check_digit(body)
            if number[-4:] == wanted if suffers else number[-4:] not in _MAGIC_SUFFIXES:
                return number

    def account(self, *, suffers: str | None = None) -> str:
        """A company's account number, 18 digits.

        Args:
            suffers: a misfortune that its last digits shall mean.
        """
        body = f"7559{self._next('account', 10**10):010d}"
        return body + (suffix_suffering(suffers) if suffers else "0018")

    def mobile(self) -> str:
        """A mainland mobile number."""
        return f"186{self._next('mobile', 10**8):08d}"

    def cnaps_code(self, bank: str = "ICBC", *, city: str = "5840") -> str:
        """A CNAPS code of a bank's branch: 12 digits, the last by ISO 7064 MOD 11,10."""
        body = f"{BANKS[bank][1]}{city}{self._next('cnaps_code', 10**4):04d}"
        return body + mod_11_10.calc_check_digit(body)

    def amount_fen(self, *, suffers: str, at_least_fen: int = 0) -> int:
        """The smallest amount in fen, from `at_least_fen` on, that means a misfortune to the bank sandbox."""
        return amount_suffering(suffers, at_least_fen=at_least_fen)

    def _next(self, kind: str, count: int) -> int:
        """The next place in a cycle of so many that begins where the seed says: no place comes twice in it."""
        if kind not in self._places:
            first = int.from_bytes(blake2b(f"{kind}:{self._seed}".encode(), digest_size=8).digest())
            self._places[kind] = itertools.count(first)
        return next(self._places[kind]) % count


def _organisation_check(body: str) -> str:
    """Check character of an organisation code (GB 11714), whose letters count from A = 10."""
    total = sum(int(sign, 36) * weight for sign, weight in zip(body, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]
