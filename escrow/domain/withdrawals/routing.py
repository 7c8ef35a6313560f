"""Choosing the rail of a payout: a pure function that also says why, for every rail.

A rail is eligible when the account, the amount, the hour and the bank's own answer allow it. Among the
eligible ones the objective decides:

- `cheapest`: lower charge, then earlier arrival;
- `fastest`: earlier arrival, then lower charge;
- `balanced`: lower charge among those arriving within half an hour of the earliest, then earlier arrival.

What is still equal is decided by the order in which `Rail` lists the rails, so the choice is always the same.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from escrow.domain.members.identity_numbers import bank_code, city_code, is_cnaps_code, is_unionpay_card
from escrow.domain.money.amounts import format_fen
from escrow.domain.platforms.config import RoutingObjective
from escrow.domain.time.calendars import SHANGHAI, CalendarUnknown, WorkingCalendar, next_opening
from escrow.domain.withdrawals.rails import IBPS_BANK_CODES, Need, Rail, RailRule
from escrow.domain.withdrawals.tariff import Tariff

#: `balanced` ignores differences in arrival up to this.
BALANCED_DELAY_SECONDS = 1_800
#: When to look again at a rail that the bank itself says is closed or unwell.
LOOK_AGAIN_SECONDS = 300


class RouteReason(StrEnum):
    """Why a rail was or was not taken."""

    CHOSEN = "chosen"
    DEARER = "dearer"
    SLOWER = "slower"
    LESS_PREFERRED = "less_preferred"
    UNSUPPORTED = "unsupported"
    ALREADY_FAILED = "already_failed"
    ACCOUNT_TYPE = "account_type"
    NOT_CUSTODY_BANK = "not_custody_bank"
    NO_CARD = "no_card"
    NO_IBPS_NUMBER = "no_ibps_number"
    NO_CNAPS = "no_cnaps"
    OTHER_CITY = "other_city"
    OVER_CAP = "over_cap"
    CLOSED = "closed"
    CALENDAR_UNKNOWN = "calendar_unknown"
    UNHEALTHY = "unhealthy"


class RailState(Protocol):
    """What the bank says of one rail now; the capability answer of a bank channel has this shape."""

    @property
    def rail(self) -> Rail:
        """Which rail."""
        ...

    @property
    def cap_fen(self) -> int | None:
        """The bank's own cap a payment, None for none."""
        ...

    @property
    def open_now(self) -> bool:
        """Whether the bank takes payments for it now."""
        ...

    @property
    def healthy(self) -> bool:
        """Whether the bank says that it works well."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutAccount:
    """What routing needs to know of the payee's account; no personal data.

    Args:
        has_unionpay_card: the account is a card number with a correct check digit and UnionPay prefix.
        cnaps_code: of the branch that keeps the account, empty when unknown.
        ibps_participant: its bank takes payments over IBPS.
    """

    is_corporate: bool
    at_custody_bank: bool
    has_unionpay_card: bool
    cnaps_code: str
    ibps_participant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One rail as it was considered.

    Args:
        eligible: it could have carried the payment now.
        sentence: the reason, for people.
        fee_fen: what the bank would charge.
        opens_at: when it can be used or asked again, None if it never can or nobody knows.
        arrives_at: estimate when sent at `opens_at`, None likewise.
    """

    rail: Rail
    eligible: bool
    reason: RouteReason
    sentence: str
    fee_fen: int
    opens_at: datetime | None
    arrives_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDecision:
    """What was decided, and why, for every rail in the order of `Rail`.

    Args:
        chosen: the rail to submit on now, None if none can carry it now.
        opens_at: when no rail is chosen, the earliest time at which one may carry it. None then means that no rail
            ever will, as far as is known: a candidate may say `calendar_unknown`.
    """

    chosen: Rail | None
    opens_at: datetime | None
    objective: RoutingObjective
    amount_fen: int
    decided_at: datetime
    candidates: tuple[Candidate, ...]


def account_facts(
    *,
    account_no: str,
    is_corporate: bool,
    cnaps_code: str,
    custody_bank_code: str,
    ibps_bank_codes: Collection[str] = IBPS_BANK_CODES,
) -> PayoutAccount:
    """Reduce a bank account to what routing needs.

    Args:
        account_no: card or account number; it does not go into the result.
        cnaps_code: of the branch that keeps the account, empty when unknown.
        custody_bank_code: bank part (three digits) of the custody bank's CNAPS code.
        ibps_bank_codes: bank parts of those who take part in IBPS.
    """
    bank = bank_code(cnaps_code) if is_cnaps_code(cnaps_code) else ""
    return PayoutAccount(
        is_corporate=is_corporate,
        at_custody_bank=bool(bank) and bank == custody_bank_code,
        has_unionpay_card=is_unionpay_card(account_no),
        cnaps_code=cnaps_code,
        ibps_participant=bank in ibps_bank_codes,
    )


def choose_route(
    *,
    rules: Sequence[RailRule],
    calendar: WorkingCalendar,
    tariff: Tariff,
    amount_fen: int,
    account: PayoutAccount,
    capabilities: Sequence[RailState] | None,
    objective: RoutingObjective,
    now: datetime,
    excluded: Collection[Rail] = (),
) -> RouteDecision:
    """Choose the rail for one payment and give the reason for each.

    Args:
        amount_fen: positive.
        capabilities: what the bank answers about its rails now; a rail that it does not name is not offered.
            None for a quote that looks at rules and calendar only, e.g. for another time.
        now: timezone-aware.
        excluded: rails on which this payout has definitely failed.

    Raises:
        ValueError: amount not positive or `now` naive.
    """
    if now.tzinfo is None:
        raise ValueError("now must be timezone-aware")
    local = now.astimezone(SHANGHAI)
    states = None if capabilities is None else {state.rail: state for state in capabilities}
    considered: list[Candidate] = []
    for rule in sorted(rules, key=lambda rule: _RANK[rule.rail]):
        state = None if states is None else states.get(rule.rail)
        obstacle = (
            _excluded(rule, states, excluded)
            or _unfit_account(rule, account)
            or _over_cap(rule, state, amount_fen)
            or _not_now(rule, state, calendar, local)
        )
        considered.append(_candidate(rule, obstacle, tariff.fee_fen(rule.rail, amount_fen), local))
    winner = min((item for item in considered if item.eligible), key=_order(objective, considered), default=None)
    openings = [item.opens_at for item in considered if item.opens_at is not None]
    return RouteDecision(
        chosen=winner.rail if winner else None,
        opens_at=min(openings, default=None) if winner is None else None,
        objective=objective,
        amount_fen=amount_fen,
        decided_at=local,
        candidates=tuple(_against(item, winner, objective) for item in considered),
    )


def explain(decision: RouteDecision) -> list[str]:
    """Lines for people: first the outcome, then one line per rail."""
    amount = f"{format_fen(decision.amount_fen)} yuan"
    if decision.chosen is not None:
        first = f"{amount} by {decision.chosen}, the {decision.objective} choice."
    elif decision.opens_at is not None:
        first = f"{amount} cannot go now; to be tried again from {_clock(decision.opens_at)} (Asia/Shanghai)."
    else:
        first = f"{amount} cannot go to this account by any rail."
    return [first, *(f"{item.rail}: {item.sentence}" for item in decision.candidates)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Obstacle:
    """Why a rail cannot carry the payment now; `opens_at` None when waiting does not help."""

    reason: RouteReason
    sentence: str
    opens_at: datetime | None = None


_RANK = {rail: rank for rank, rail in enumerate(Rail)}


def _excluded(rule: RailRule, states: Mapping[Rail, RailState] | None, excluded: Collection[Rail]) -> _Obstacle | None:
    if rule.rail in excluded:
        return _Obstacle(reason=RouteReason.ALREADY_FAILED, sentence="this payout has definitely failed on it.")
    if states is not None and rule.rail not in states:
        return _Obstacle(reason=RouteReason.UNSUPPORTED, sentence="the bank does not offer it.")
    return None


def _unfit_account(rule: RailRule, account: PayoutAccount) -> _Obstacle | None:
    accepted = rule.accepts_corporate if account.is_corporate else rule.accepts_personal
    has_cnaps = is_cnaps_code(account.cnaps_code)
    kind = "corporate" if account.is_corporate else "personal"
    tests = (
        (accepted, RouteReason.ACCOUNT_TYPE, f"it does not pay to {kind} accounts."),
        (
            account.at_custody_bank or Need.CUSTODY_BANK not in rule.needs,
            RouteReason.NOT_CUSTODY_BANK,
            "the account is not at the custody bank.",
        ),
        (
            account.has_unionpay_card or Need.UNIONPAY_CARD not in rule.needs,
            RouteReason.NO_CARD,
            "the account is not a UnionPay card.",
        ),
        (
            account.ibps_participant or Need.IBPS_NUMBER not in rule.needs,
            RouteReason.NO_IBPS_NUMBER,
            "the account's bank is not known to take part in it.",
        ),
        (has_cnaps or Need.CNAPS_CODE not in rule.needs, RouteReason.NO_CNAPS, "the account has no CNAPS code."),
        (
            not rule.city_code or city_code(account.cnaps_code) == rule.city_code,
            RouteReason.OTHER_CITY,
            f"the account's CNAPS code is not of city {rule.city_code}.",
        ),
    )
    return next((_Obstacle(reason=reason, sentence=text) for fits, reason, text in tests if not fits), None)


def _over_cap(rule: RailRule, state: RailState | None, amount_fen: int) -> _Obstacle | None:
    caps = [cap for cap in (rule.cap_fen, state.cap_fen if state else None) if cap is not None]
    if not caps or amount_fen <= min(caps):
        return None
    return _Obstacle(reason=RouteReason.OVER_CAP, sentence=f"it takes at most {format_fen(min(caps))} yuan a payment.")


def _not_now(rule: RailRule, state: RailState | None, calendar: WorkingCalendar, now: datetime) -> _Obstacle | None:
    try:
        opens_at = next_opening(rule.hours, now, calendar)
    except CalendarUnknown as unknown:
        return _Obstacle(reason=RouteReason.CALENDAR_UNKNOWN, sentence=unknown.message)
    if opens_at > now:
        return _Obstacle(reason=RouteReason.CLOSED, sentence=f"closed until {_clock(opens_at)}.", opens_at=opens_at)
    again = now + timedelta(seconds=LOOK_AGAIN_SECONDS)
    if state is not None and not state.open_now:
        return _Obstacle(reason=RouteReason.CLOSED, sentence="the bank says that it is closed now.", opens_at=again)
    if state is not None and not state.healthy:
        return _Obstacle(reason=RouteReason.UNHEALTHY, sentence="the bank says that it is disturbed.", opens_at=again)
    return None


def _candidate(rule: RailRule, obstacle: _Obstacle | None, fee_fen: int, now: datetime) -> Candidate:
    opens_at = obstacle.opens_at if obstacle else now
    return Candidate(
        rail=rule.rail,
        eligible=obstacle is None,
        reason=obstacle.reason if obstacle else RouteReason.CHOSEN,
        sentence=obstacle.sentence if obstacle else "",
        fee_fen=fee_fen,
        opens_at=opens_at,
        arrives_at=opens_at + timedelta(seconds=rule.arrival_seconds) if opens_at else None,
    )


def _order(objective: RoutingObjective, considered: Sequence[Candidate]) -> Callable[[Candidate], tuple[Any, ...]]:
    arrivals = [item.arrives_at for item in considered if item.eligible and item.arrives_at]
    delay = timedelta(seconds=BALANCED_DELAY_SECONDS)

    def key(item: Candidate) -> tuple[Any, ...]:
        if objective is RoutingObjective.FASTEST:
            return (item.arrives_at, item.fee_fen, _RANK[item.rail])
        late = item.arrives_at is None or item.arrives_at > min(arrivals) + delay
        return (objective is RoutingObjective.BALANCED and late, item.fee_fen, item.arrives_at, _RANK[item.rail])

    return key


def _against(item: Candidate, winner: Candidate | None, objective: RoutingObjective) -> Candidate:
    """Give an eligible rail its final reason: it won, or how the winner is better."""
    if winner is None or not item.eligible or item.arrives_at is None or winner.arrives_at is None:
        return item
    facts = f"charge {format_fen(item.fee_fen)} yuan, there by {_clock(item.arrives_at)}"
    dearer = (RouteReason.DEARER, item.fee_fen > winner.fee_fen)
    slower = (RouteReason.SLOWER, item.arrives_at > winner.arrives_at)
    ways = (slower, dearer) if objective is RoutingObjective.FASTEST else (dearer, slower)
    reason = next((reason for reason, holds in ways if holds), RouteReason.LESS_PREFERRED)
    if item.rail is winner.rail:
        return replace(item, reason=RouteReason.CHOSEN, sentence=f"chosen: {facts}.")
    return replace(item, reason=reason, sentence=f"{reason.replace('_', ' ')} than {winner.rail}: {facts}.")


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
