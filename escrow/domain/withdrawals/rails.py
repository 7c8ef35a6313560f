"""The six rails a payout can take, and what is known of them by default (domain facts, all overridable)."""

from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum

from escrow.domain.time.calendars import OpeningHours


class Rail(StrEnum):
    """A way for money from the custody account to a bank account."""

    IN_BANK = "in_bank"
    UNIONPAY = "unionpay"
    IBPS = "ibps"
    HVPS = "hvps"
    BEPS = "beps"
    SHENZHEN_LOCAL = "shenzhen_local"


class Need(StrEnum):
    """What a rail must know of the payee's account, or where that account must be."""

    CUSTODY_BANK = "custody_bank"
    UNIONPAY_CARD = "unionpay_card"
    IBPS_NUMBER = "ibps_number"
    CNAPS_CODE = "cnaps_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class RailRule:
    """What is known of one rail.

    Args:
        hours: None for always open.
        cap_fen: largest single payment, None for no limit.
        accepts_personal: whether it pays to accounts of persons.
        accepts_corporate: whether it pays to corporate settlement accounts.
        needs: what must be known or true of the payee's account.
        city_code: four digits that the account's CNAPS code must carry, None for any city.
        arrival_seconds: estimate from submission to the payee's account.
    """

    rail: Rail
    arrival_seconds: int
    hours: OpeningHours | None = None
    cap_fen: int | None = None
    accepts_personal: bool = True
    accepts_corporate: bool = True
    needs: tuple[Need, ...] = ()
    city_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RailRules:
    """Rules of all rails from `valid_from` on."""

    valid_from: date
    source: str
    rules: tuple[RailRule, ...]


_HVPS_HOURS = OpeningHours(opens=time(20, 30), closes=time(17, 15), opens_evening_before=True)
_SHENZHEN_HOURS = OpeningHours(opens=time(8, 30), closes=time(16, 30))

#: Oldest first. A new set of rules is added, none is changed: old routes stay explainable.
RAIL_RULES: tuple[RailRules, ...] = (
    RailRules(
        valid_from=date(2020, 1, 1),
        source="HVPS hours and BEPS cap as published by the central bank (2018, 2020); UnionPay, IBPS and Shenzhen "
        "caps, Shenzhen hours and all arrival times assumed",
        rules=(
            RailRule(rail=Rail.IN_BANK, needs=(Need.CUSTODY_BANK,), arrival_seconds=1),
            RailRule(
                rail=Rail.UNIONPAY,
                cap_fen=5_000_000,
                accepts_corporate=False,
                needs=(Need.UNIONPAY_CARD,),
                arrival_seconds=10,
            ),
            RailRule(rail=Rail.IBPS, cap_fen=100_000_000, needs=(Need.IBPS_NUMBER,), arrival_seconds=20),
            RailRule(rail=Rail.HVPS, hours=_HVPS_HOURS, needs=(Need.CNAPS_CODE,), arrival_seconds=300),
            RailRule(rail=Rail.BEPS, cap_fen=100_000_000, needs=(Need.CNAPS_CODE,), arrival_seconds=7_200),
            RailRule(
                rail=Rail.SHENZHEN_LOCAL,
                hours=_SHENZHEN_HOURS,
                # The cap of its real-time mode; its batch mode, without a cap, is not used for single payouts.
                cap_fen=5_000_000,
                needs=(Need.CNAPS_CODE,),
                city_code="5840",
                arrival_seconds=600,
            ),
        ),
    ),
)


#: Bank parts of CNAPS codes of banks assumed to take part in IBPS: the national banks and Bank of Shanghai (325).
#: 313 is shared by all other city banks and so says nothing of one of them.
IBPS_BANK_CODES = frozenset(
    {"102", "103", "104", "105", "301", "302", "303", "304", "305", "306", "307", "308", "309", "310", "325", "403"}
)


def rail_rules_on(day: date) -> tuple[RailRule, ...]:
    """Rules of the rails valid on `day` (Asia/Shanghai); before the first set, the first."""
    valid = [rules for rules in RAIL_RULES if rules.valid_from <= day]
    return (valid[-1] if valid else RAIL_RULES[0]).rules
