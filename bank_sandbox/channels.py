"""The bank's six payment channels: caps, hours, tariff, processing time, and which payees each one reaches."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bank_sandbox import refusals
from bank_sandbox.refusals import Refusal
from bank_sandbox.workdays import CalendarUnknown, large_value_is_open, shenzhen_local_is_open

#: Clearing code of this bank: the first three digits of its CNAPS codes.
BANK_CODE = "307"
_SHENZHEN_CITY = "5840"


class Channel(StrEnum):
    """The bank's own names of its channels."""

    INTERNAL = "INTERNAL"
    CARD_NETWORK = "CARD_NETWORK"
    SUPER_ONLINE = "SUPER_ONLINE"
    LARGE_VALUE = "LARGE_VALUE"
    SMALL_VALUE = "SMALL_VALUE"
    SZ_LOCAL = "SZ_LOCAL"


class Health(StrEnum):
    """State of a channel or of the whole service, set by hand."""

    UP = "UP"
    SLOW = "SLOW"
    DOWN = "DOWN"


def _always(moment: datetime) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Terms of one channel; amounts in fen, processing time in seconds of the account's time."""

    cap_fen: int | None
    is_open: Callable[[datetime], bool]
    hours: str
    flat_fee_fen: int | None
    seconds: float


#: Caps and flat fees of the bank's price list; `None` as fee means the graded tariff.
TERMS = {
    Channel.INTERNAL: Terms(cap_fen=None, is_open=_always, hours="always", flat_fee_fen=0, seconds=0.0),
    Channel.CARD_NETWORK: Terms(cap_fen=5_000_000, is_open=_always, hours="always", flat_fee_fen=200, seconds=0.3),
    Channel.SUPER_ONLINE: Terms(cap_fen=100_000_000, is_open=_always, hours="always", flat_fee_fen=None, seconds=0.3),
    Channel.LARGE_VALUE: Terms(
        cap_fen=None,
        is_open=large_value_is_open,
        hours="20:30 before a working day to 17:15 on it",
        flat_fee_fen=None,
        seconds=0.6,
    ),
    Channel.SMALL_VALUE: Terms(cap_fen=100_000_000, is_open=_always, hours="always", flat_fee_fen=None, seconds=1.0),
    Channel.SZ_LOCAL: Terms(
        cap_fen=5_000_000,
        is_open=shenzhen_local_is_open,
        hours="working days 08:30 to 16:30",
        flat_fee_fen=80,
        seconds=0.5,
    ),
}

#: Graded tariff for transfers to other banks: (up to and including fen, fee in fen).
TARIFF = ((1_000_000, 500), (10_000_000, 1_000), (50_000_000, 1_500), (100_000_000, 2_000))
_TARIFF_TOP_DIVISOR = 50_000  # 0.002 %
_TARIFF_TOP_MAX_FEN = 20_000


def charge_fen(channel: Channel, amount_fen: int) -> int:
    """What the bank charges for a payout, in fen; above the grades 0.002 % rounded half up, at most 200.00 yuan."""
    flat = TERMS[channel].flat_fee_fen
    if flat is not None:
        return flat
    for up_to_fen, fee_fen in TARIFF:
        if amount_fen <= up_to_fen:
            return fee_fen
    return min((amount_fen + _TARIFF_TOP_DIVISOR // 2) // _TARIFF_TOP_DIVISOR, _TARIFF_TOP_MAX_FEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """Who is to be paid. `is_own` tells that the account number is one of this bank's own books."""

    account_no: str
    name: str
    is_corporate: bool
    bank_code: str
    is_own: bool = False


def check_hours(channel: Channel, moment: datetime) -> None:
    """Refuse outside the channel's hours.

    Raises:
        Refusal: closed at `moment`, or the calendar of that year is unknown.
    """
    try:
        is_open = TERMS[channel].is_open(moment)
    except CalendarUnknown as error:
        raise Refusal(refusals.CALENDAR_UNKNOWN, f"{channel} is closed: {error}") from error
    if not is_open:
        raise Refusal(refusals.CHANNEL_CLOSED, f"{channel} is closed now; hours: {TERMS[channel].hours}")


def check_amount(channel: Channel, amount_fen: int) -> None:
    """Refuse amounts above the channel's cap.

    Raises:
        Refusal: above the cap.
    """
    cap_fen = TERMS[channel].cap_fen
    if cap_fen is not None and amount_fen > cap_fen:
        raise Refusal(refusals.OVER_CAP, f"{channel} takes at most {cap_fen} fen a payment")


def check_payee(channel: Channel, payee: Payee) -> None:
    """Refuse malformed payees and those the channel does not reach.

    Raises:
        Refusal: account number, bank code or name malformed, or payee not reachable on this channel.
    """
    if not payee.name.strip():
        raise Refusal(refusals.PAYEE_NAME, "the payee's name is missing")
    _check_account_no(payee)
    if payee.bank_code and not _bank_code_holds(payee.bank_code):
        raise Refusal(refusals.BANK_CODE, "the payee's bank code is not a CNAPS code")
    if channel is Channel.INTERNAL:
        if not (payee.is_own or payee.bank_code.startswith(BANK_CODE)):
            raise Refusal(refusals.PAYEE_NOT_ON_CHANNEL, "the payee's account is not kept at this bank")
        return
    if channel is Channel.CARD_NETWORK:
        if payee.is_corporate or not is_card(payee.account_no):
            raise Refusal(refusals.PAYEE_NOT_ON_CHANNEL, "the card network pays personal cards only")
        return
    if not payee.bank_code:
        raise Refusal(refusals.BANK_CODE, f"{channel} needs the payee's bank code")
    if channel is Channel.SZ_LOCAL and payee.bank_code[3:7] != _SHENZHEN_CITY:
        raise Refusal(refusals.PAYEE_NOT_ON_CHANNEL, "local clearing reaches banks in Shenzhen only")


def _check_account_no(payee: Payee) -> None:
    number = payee.account_no
    if not (number.isascii() and number.isdigit() and 9 <= len(number) <= 32):
        raise Refusal(refusals.ACCOUNT_NO, "an account number has 9 to 32 digits")
    if not payee.is_corporate and len(number) >= 16 and number.startswith("62") and not is_card(number):
        raise Refusal(refusals.ACCOUNT_NO, "the card number's check digit is wrong")


def is_card(number: str) -> bool:
    """Whether this is a UnionPay card: 16 to 19 digits from 62, Luhn check digit (ISO/IEC 7812-1)."""
    if not (number.isascii() and number.isdigit() and 16 <= len(number) <= 19 and number.startswith("62")):
        return False
    total = 0
    for position, digit in enumerate(reversed(number)):
        doubled = int(digit) * (2 if position % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _bank_code_holds(code: str) -> bool:
    """CNAPS code: 12 digits with an ISO 7064 MOD 11,10 check digit."""
    if not (len(code) == 12 and code.isascii() and code.isdigit()):
        return False
    check = 10
    for digit in code[:-1]:
        check = ((check + int(digit)) % 10 or 10) * 2 % 11
    return (check + int(code[-1])) % 10 == 1
