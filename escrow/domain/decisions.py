"""What the books decide: commands to an object, the facts that one needs, and what it does.

An object (an order, a withdrawal …) is a value made of what was agreed and what has happened since. Its `decide` says
what one command does: the object after it, its event, money as a recipe, the bases that this stands on, the clocks that
begin and end, what can happen once only. `escrow.ledger.books` reads, decides and posts on exactly what it has read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from escrow.domain.errors import EscrowError, Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.money.journal import (
    Basis,
    BasisKind,
    Change,
    CounterUse,
    DeadlineChange,
    JournalEntry,
    StandsOn,
)
from escrow.domain.platforms.config import PlatformConfig


class Fact(StrEnum):
    """What a command may have to know besides the object itself, its consent and the books' time and day.

    - `balances`: what the payer can spend.
    - `members`: states of those whom the command concerns.
    - `config`: the configuration in force when the command's number was first taken, or when the object was opened.
    - `asked`: commands to this object that are recorded and not answered yet.
    - `unsettled`: whether money that waits for the end of this day came otherwise than through the bank.
    - `accounts`: bank accounts bound to the payer, or to the platform itself.
    - `own`: what the platform has of its own and owes for bank charges.
    - `credit`: the money in suspense that the command is about.
    - `in_transit`: what is held on its way to the bank.
    - `bank_line`: the line of the custody account that the command stands on.
    - `pays`: the order or batch that a collection pays, or the orders of a batch.
    - `pays_under`: the configurations under which the orders that something pays were opened.
    - `suspended`: what of a collection's payments waits in suspense.
    - `assigned`: what was assigned, and taken back of it, under the assignment that the command is about.
    - `tries`: how the bank compared what was typed for a verification.
    - `deadlines`: what the object's own deadlines are.
    - `open_checks`: which questions to the identity registry about a member wait for their answer.
    - `obstacles`: what stands in the way of closing a member.
    - `last_payout`: when a member was last paid out.
    """

    BALANCES = "balances"
    MEMBERS = "members"
    CONFIG = "config"
    ASKED = "asked"
    UNSETTLED = "unsettled"
    ACCOUNTS = "accounts"
    OWN = "own"
    CREDIT = "credit"
    IN_TRANSIT = "in_transit"
    BANK_LINE = "bank_line"
    PAYS = "pays"
    PAYS_UNDER = "pays_under"
    SUSPENDED = "suspended"
    ASSIGNED = "assigned"
    TRIES = "tries"
    DEADLINES = "deadlines"
    OPEN_CHECKS = "open_checks"
    OBSTACLES = "obstacles"
    LAST_PAYOUT = "last_payout"


class NotDue(EscrowError):
    """A deadline has not passed yet; no rule says no, so what was asked for waits and is asked again.

    Args:
        remaining: what is left by the books' time; zero when a recorded command is to be answered first.
    """

    def __init__(self, message: str, *, remaining: timedelta) -> None:
        super().__init__("not_due", message, {"remaining_seconds": remaining.total_seconds()})
        self.remaining = remaining


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenConsent:
    """A recorded consent as a decision sees it. `recorded_at` is when the party said it, by the books' time."""

    consent_no: str
    object_kind: str
    object_no: str
    operation: str
    given_by: str
    terms: Mapping[str, Any]
    operation_hash: str
    method: str
    recorded_at: datetime
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFact:
    """State of one member, with the version of its object."""

    status: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spendable:
    """What a member can spend now, in fen: money that is withdrawable, and money that waits, by its accounting day."""

    withdrawable_fen: int
    pending_fen_by_day: Mapping[date, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundAccount:
    """A bank account as far as a decision sees it, with the version of its object."""

    account_id: str
    is_default: bool
    is_verified: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformsOwn:
    """What the platform has of its own and in fees, and what it owes for bank charges, in fen."""

    own_fen: int
    fees_fen: int
    charges_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendedCredit:
    """Money in suspense.

    Args:
        balance_fen: what is left of it, in fen.
        line_kind: of the bank's line that brought it; None for what a channel collected.
        collected_on: day, in Shanghai, on which a channel's payment was booked; None for what the bank brought.
        collected_for: member for whom the channel's own booking says that it was; None where nobody is known.
    """

    balance_fen: int
    line_kind: str | None
    collected_on: date | None = None
    collected_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedMoney:
    """What the entries of an assignment and of its reversals have moved, in fen, with the assignment's version."""

    credit_no: str
    member_no: str
    assigned_fen: int
    reversed_fen: int
    reversals: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLineFact:
    """A line of the custody account; debits are negative, in fen. `request_no` is as the bank knows it."""

    kind: str
    amount_fen: int
    request_no: str
    booked_at: datetime
    value_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision may know; what its command did not declare is absent, and using it is a defect.

    Args:
        accounting_day: the platform's open day.
        config_version: version of `config`.
        pays: in the order of their numbers.
        pays_under: by their versions.
        suspended_fen: by the channel's number of the payment.
        tries: those that were compared, in the order in which they were typed.
        deadlines: by their names.
        open_checks: when each was asked, by its number.
        obstacles: each with the object that it is about.
        last_payout_at: as the bank booked it; None for a member that was never paid out.
    """

    accounting_day: date
    consent: GivenConsent | None = None
    config: PlatformConfig | None = None
    config_version: int | None = None
    spendable: Spendable | None = None
    members: Mapping[str, MemberFact] = field(default_factory=dict)
    asked: tuple[GivenConsent, ...] = ()
    came_otherwise: bool | None = None
    accounts: tuple[BoundAccount, ...] = ()
    own: PlatformsOwn | None = None
    credit: SuspendedCredit | None = None
    in_transit_fen: int | None = None
    bank_line: BankLineFact | None = None
    pays: "tuple[Stored, ...]" = ()
    pays_under: Mapping[int, PlatformConfig] = field(default_factory=dict)
    suspended_fen: Mapping[str, int] = field(default_factory=dict)
    assigned: AssignedMoney | None = None
    tries: tuple[CodeCheck, ...] = ()
    deadlines: Mapping[str, datetime] = field(default_factory=dict)
    open_checks: Mapping[str, datetime] = field(default_factory=dict)
    obstacles: tuple[Mapping[str, Any], ...] = ()
    last_payout_at: datetime | None = None

    def required_config(self) -> PlatformConfig:
        """The configuration in force, for a command that declares it."""
        assert self.config is not None  # noqa: S101 - the command declares it
        return self.config

    def required_consent(self, consent_no: str) -> GivenConsent:
        """The consent on which a party's command stands.

        Raises:
            Refused: `basis_missing`.
        """
        if self.consent is None:
            raise Refused("basis_missing", f"This has no basis that holds (consent {consent_no}).")
        return self.consent


class Command(Protocol):
    """One command to one object.

    `consent_no` is the caller's request number where a party says it. A repeat is known by the one basis that the
    command uses up, or where it uses none by a number of ours that the command itself names. `needs` are its facts.
    """

    @property
    def name(self) -> str:
        """Kind of command."""

    @property
    def consent_no(self) -> str | None:
        """Number of the consent that it stands on."""

    @property
    def needs(self) -> frozenset[Fact]:
        """Facts that deciding it takes."""

    def uses(self, object_no: str) -> tuple[BasisKind, str] | None:
        """Kind and reference of the basis that it uses up."""

    def own_no(self, object_no: str) -> str | None:
        """Request number of ours under which it is posted, where it is the command that names it."""

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by: JSON-compatible, without notes and versions."""

    def is_said_in(self, consent: GivenConsent, object_no: str) -> bool:
        """Whether a consent says just this about just this object."""


class Unsaid:
    """Base of a command; unless it says otherwise it is nobody's word, on no basis, under no number of ours."""

    __slots__ = ()

    @property
    def consent_no(self) -> str | None:
        """Number of the consent that it stands on."""
        return None

    @property
    def needs(self) -> frozenset[Fact]:
        """Facts that deciding it takes."""
        return frozenset()

    def uses(self, object_no: str) -> tuple[BasisKind, str] | None:
        """Kind and reference of the basis that it uses up."""
        return None

    def own_no(self, object_no: str) -> str | None:
        """Request number of ours under which it is posted."""
        return None

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {}

    def is_said_in(self, consent: GivenConsent, object_no: str) -> bool:
        """Whether a consent says just this about just this object."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one command does.

    Args:
        request_no: number under which it is posted; it can be posted once.
        event_type: e.g. `order.paid`.
        event: what changed, for those who follow the object's events.
        answer: what the caller is told, now and at every repeat; JSON-compatible and small.
        follows: objects that must exist from now on because of this, such as an automatic withdrawal.
        has_read: other objects whose version must still be the one that was read.
        counters: what this uses of a day's limit.
    """

    request_no: str
    event_type: str
    event: Mapping[str, Any]
    answer: Mapping[str, Any]
    entry: JournalEntry | None = None
    bases: tuple[Basis, ...] = ()
    deadlines: tuple[DeadlineChange, ...] = ()
    claims: tuple[str, ...] = ()
    follows: tuple[Change, ...] = ()
    has_read: tuple[StandsOn, ...] = ()
    counters: tuple[CounterUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object as the books have it; `version` is the number of its last event, 0 for one that is not there."""

    platform_no: str
    object_no: str
    version: int
    status: str | None
    body: Mapping[str, Any]


class Aggregate(Protocol):
    """One business object: what was agreed and what has happened since."""

    @property
    def status(self) -> str:
        """Its status in the books."""

    def document(self) -> Mapping[str, Any]:
        """Its whole document, JSON-compatible, without personal data."""

    def told(self, command: Any) -> Mapping[str, Any]:
        """Answer to a command that was carried out when answers were not kept yet, as far as the object tells it."""

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> "tuple[Aggregate, Decision]":
        """The object after a command, and what that does.

        Args:
            at: the books' time.

        Raises:
            Refused: a rule says no.
            NotDue: a deadline has not passed.
        """


class NotInBooks:
    """Base of an object of which nothing stands in the books."""

    __slots__ = ()

    @property
    def status(self) -> str:
        """None of those that it can have."""
        return "none"

    def document(self) -> Mapping[str, Any]:
        """Nothing yet."""
        return {}

    def told(self, command: Any) -> Mapping[str, Any]:
        """Nothing was done."""
        return {}


A = TypeVar("A", bound=Aggregate)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectKind(Generic[A]):
    """Kind of object that the books decide about.

    Args:
        name: its kind in the books.
        of: what it is once it stands there.
        restored: the object as stored, or as it is before it stands there.
    """

    name: str
    of: type[A]
    restored: Callable[[Stored], Aggregate]
