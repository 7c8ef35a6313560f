"""Whether a withdrawal may begin, and to which bound account its money then goes: by whose money it is."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from escrow.domain.decisions import BoundAccount, Facts, GivenConsent
from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus, Permission, require_may
from escrow.domain.money import accounts
from escrow.domain.money.accounts import AccountKey
from escrow.domain.money.amounts import format_fen
from escrow.domain.money.journal import CounterUse, StandsOn
from escrow.domain.platforms.authorisations import AuthorisationMethod, AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function, require_limit
from escrow.domain.time.calendars import SHANGHAI
from escrow.domain.transfers.suspense_returns import OPERATORS
from escrow.domain.withdrawals.charges import cover_charges
from escrow.domain.withdrawals.sources import MembersMoney, PlatformsMoney, Source, SuspenseMoney

_PER_DAY = "limits.withdrawals_per_day_fen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The money may leave: from where, on what was read of others, and what of a day's limit it uses."""

    source: Source
    has_read: tuple[StandsOn, ...] = ()
    counted_on: date | None = None
    counters: tuple[CounterUse, ...] = ()


def require_asked_for(config: PlatformConfig, *, principal_fen: int, fee_fen: int) -> None:
    """What somebody asks for is within what the platform offers, for the platform's own fee.

    Raises:
        Refused: `function_off`, `limit_exceeded` or `fee_differs`.
    """
    require_function(config, Function.WITHDRAWAL)
    require_limit(config.limits.withdrawal_fen, principal_fen, name="limits.withdrawal_fen")
    if fee_fen != config.withdrawal_fee_fen:
        raise Refused("fee_differs", "The platform's withdrawal fee is another by now; ask under a new number.")


def of_member(
    member_no: str, account_id: str | None, *, amount_fen: int, config: PlatformConfig, facts: Facts
) -> Permit:
    """A member's money goes to an account of its own, where it may withdraw at all.

    Args:
        account_id: the account that it named, None for its default.
        amount_fen: principal and fee.

    Raises:
        Refused: `member_unknown`, `member_state`, `identity_required`, `account_not_bound`, `account_not_verified` or
            `insufficient_balance`.
    """
    known = facts.members.get(member_no)
    if known is None:
        raise Refused("member_unknown", f"There is no member {member_no}.", {"member_no": member_no})
    require_may(
        MemberStatus(known.status),
        Permission.WITHDRAW,
        member_no=member_no,
        identity_required_for_withdrawal=config.identity_required_for_withdrawal,
    )
    account = _account(facts, account_id)
    if config.verified_account_required and not account.is_verified:
        raise Refused(
            "account_not_verified", f"Account {account.account_id} is not verified.", {"account_id": account.account_id}
        )
    assert facts.spendable is not None  # noqa: S101 - the command declares it
    _require_balance(accounts.withdrawable("", member_no), facts.spendable.withdrawable_fen, amount_fen)
    return Permit(
        source=MembersMoney(member_no=member_no, account_id=account.account_id),
        has_read=(StandsOn(kind="member", object_no=member_no, version=known.version), _read(account)),
    )


def of_platform(account_id: str | None, *, amount_fen: int, consent: GivenConsent | None, facts: Facts) -> Permit:
    """The platform's own money leaves on its contact person's code alone, never by key or by an order itself.

    Raises:
        Refused: `authorisation_required`, `bank_charges_owed`, `account_not_bound`, `account_not_verified` or
            `insufficient_balance`.
    """
    if consent is None or consent.method != AuthorisationMethod.SMS_CODE:
        raise Refused(
            "authorisation_required",
            "The platform's own money is withdrawn only by a code to its contact mobile, on the hosted page.",
            {"operation": AuthorisedOperation.PLATFORM_WITHDRAW, "method": AuthorisationMethod.SMS_CODE},
        )
    assert facts.own is not None  # noqa: S101 - the command declares it
    has = facts.own
    cover = cover_charges(charges_fen=has.charges_fen, fees_fen=has.fees_fen, own_fen=has.own_fen)
    if cover.shortage_fen:
        raise Refused(
            "bank_charges_owed",
            f"The platform owes {format_fen(cover.shortage_fen)} for bank charges;"
            " transfer that to the custody account.",
            {"owed_fen": cover.shortage_fen},
        )
    account = _account(facts, account_id)
    if not account.is_verified:
        raise Refused("account_not_verified", "A platform withdraws to its own verified account only.")
    _require_balance(accounts.own(""), has.own_fen - cover.from_own_fen, amount_fen)
    return Permit(source=PlatformsMoney(account_id=account.account_id), has_read=(_read(account),))


def of_suspense(
    source: SuspenseMoney,
    *,
    amount_fen: int,
    by: str,
    payee_is_known: bool,
    config: PlatformConfig,
    facts: Facts,
) -> Permit:
    """Money in suspense goes back to where it came from on the platform's word, elsewhere on two operators' alone.

    A platform's key never sends back what a bank gave back of a payout. What a channel collected leaves when the day
    after its booking is closed: it has settled by then.

    Args:
        by: who consented: `platform` or `operators`.

    Raises:
        Refused: `suspense_source_unknown`, `two_operators_required`, `suspense_unsettled` or `insufficient_balance`.
    """
    credit = facts.credit
    if not payee_is_known or credit is None:
        raise Refused(
            "suspense_source_unknown",
            f"No account is known that the money under {source.credit_no} came from by transfer.",
        )
    if by != OPERATORS and (
        credit.line_kind != "inbound" or source.payee_is_named or not config.suspense_returned_by_platform
    ):
        raise Refused("two_operators_required", "Two operators pay this money out; ask the institution.")
    if credit.collected_on is not None:
        settles_on = credit.collected_on + timedelta(days=1)
        if facts.accounting_day <= settles_on:
            raise Refused("suspense_unsettled", f"Its channel settles this first; ask when {settles_on} is closed.")
    _require_balance(accounts.suspense("", source.credit_no), credit.balance_fen, amount_fen)
    return Permit(source=source)


def limit_of_day(config: PlatformConfig, owner_no: str, principal_fen: int, at: datetime) -> tuple[CounterUse, ...]:
    """What asking uses of the limit of the day in Shanghai; nothing is counted where there is no limit.

    Args:
        owner_no: the member; empty for the platform itself.
    """
    maximum_fen = config.limits.withdrawals_per_day_fen
    if maximum_fen is None:
        return ()
    name = _counter(owner_no, day_of(at))
    return (CounterUse(name=name, add_fen=principal_fen, maximum_fen=maximum_fen, limit=_PER_DAY),)


def day_of(at: datetime) -> date:
    """The day in Shanghai on whose limit something counts that is asked for at this moment."""
    return at.astimezone(SHANGHAI).date()


def came_to_nothing(owner_no: str, counted_on: date | None, principal_fen: int) -> tuple[CounterUse, ...]:
    """What failed uses nothing of the limit of the day on which it was asked for."""
    if counted_on is None:
        return ()
    return (CounterUse(name=_counter(owner_no, counted_on), add_fen=-principal_fen, maximum_fen=None, limit=_PER_DAY),)


def _counter(owner_no: str, day: date) -> str:
    return f"withdrawal/{owner_no}/{day}"


def _account(facts: Facts, account_id: str | None) -> BoundAccount:
    """The bound account that was named, or the default one.

    Raises:
        Refused: `account_not_bound`.
    """
    for account in facts.accounts:
        if account.is_default if account_id is None else account.account_id == account_id:
            return account
    named = "default account" if account_id is None else f"account {account_id}"
    raise Refused("account_not_bound", f"There is no bound {named}.", {"account_id": account_id or ""})


def _require_balance(account: AccountKey, has_fen: int, amount_fen: int) -> None:
    if has_fen < amount_fen:
        raise Refused(
            "insufficient_balance",
            f"The balance of {account} does not cover this.",
            {"account": str(account), "amount_fen": amount_fen, "missing_fen": amount_fen - has_fen},
        )


def _read(account: BoundAccount) -> StandsOn:
    return StandsOn(kind="bank_account", object_no=account.account_id, version=account.version)
