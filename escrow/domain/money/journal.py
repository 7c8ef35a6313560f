"""What is posted: balanced journal entries, the changes of business objects that go with them, and their basis.

A `Posting` is the unit of everything that is ever written: one request number, one database transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from escrow.domain.money.accounts import AccountKey

BasisKind = Literal["consent", "deadline", "bank_line", "release", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Why a posting is allowed. The database checks it inside the posting's own transaction, once per use.

    Kinds and what `reference` names:

    - `consent`: number of a recorded consent; it must exist, be neither void nor expired nor used, and its
      operation hash must equal `operation_hash`.
    - `deadline`: `{object_kind}/{object_no}/{name}` of a recorded deadline that is due by the books' time.
    - `bank_line`: the bank serial number of a bank line, posted at most once.
    - `release`: request number of an earlier entry that credited the very account debited now with at least
      this amount (the standing order "withdraw for the contractor after each release").
    - `none`: housekeeping of the platform itself; only for recipes that allow it. Its reference is the empty one.
    """

    kind: BasisKind
    reference: str = ""
    operation_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One line: positive amounts add to the account, negative ones take from it; integer fen, never zero."""

    account: AccountKey
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A balanced entry made by a named recipe. Construct through `escrow.domain.money.recipes` only."""

    recipe: str
    lines: tuple[JournalLine, ...]
    bank_serial_no: str | None = None
    effective_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Change of one business object, recorded with an event that carries the object's next sequence number.

    Args:
        kind: `order`, `withdrawal`, `bank_credit`, `member`, `bank_account`, `platform`, `sub_account`.
        object_no: the object's number, unique per platform and kind.
        event_type: e.g. `order.paid`.
        status: the object's status after the change.
        body: top-level keys to set in the object's document, JSON-compatible, no personal data.
        must_be_new: refuse with `object_exists` when the object is already there.
        replaces: `body` is the whole document, and what stood there before is gone.
        event: what the event says of the change; `body` when it is None.
    """

    kind: str
    object_no: str
    event_type: str
    status: str
    body: Mapping[str, Any] = field(default_factory=dict)
    must_be_new: bool = False
    replaces: bool = False
    event: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineChange:
    """Arms (`due_at` set, timezone-aware) or removes (`due_at` None) one named deadline of an object."""

    object_kind: str
    object_no: str
    name: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandsOn:
    """An object that was read for a posting, with its version; 0 for one that must not exist yet."""

    kind: str
    object_no: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterUse:
    """What a posting adds to a sum over several objects, such as a member's limit of a day.

    Args:
        add_fen: may be negative, for what came to nothing; the sum never falls below zero.
        maximum_fen: refused with `limit_exceeded` when the sum were above it; None for no limit.
        limit: field of the configuration that sets the maximum, e.g. `limits.payments_per_day_fen`.
    """

    name: str
    add_fen: int
    maximum_fen: int | None
    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One request number, one transaction: entry, changes with events, deadlines, under one or more bases.

    Args:
        platform_no: tenant.
        request_no: unique per platform for ever; the same number with the same content gives the stored receipt,
            with other content it is refused with `request_no_reused`.
        content: what the content hash is taken of: JSON-compatible, without dates and computed splits.
        occurred_at: when it happened, timezone-aware, where that was before it is posted; None for now, by the books.
        entry: money, or None when only objects change.
        claims: names of what can come true once only, e.g. `order/D-1001/unpaid`; a posting that names what another
            has claimed is refused with `claim_taken`.
        stands_on: versions of what was read for it; what differs is refused with `moved` before anything else.
        accounting_day: the day that was open when it was read; another one is `moved`. None for whichever is open.
        counters: what it uses of sums with a maximum.
        answer: what its caller is told, kept for repeats.
        answers: numbers of recorded commands that are answered by it, beside the consents that it uses up.
    """

    platform_no: str
    request_no: str
    content: Mapping[str, Any]
    occurred_at: datetime | None = None
    entry: JournalEntry | None = None
    changes: tuple[Change, ...] = ()
    deadlines: tuple[DeadlineChange, ...] = ()
    bases: tuple[Basis, ...] = ()
    claims: tuple[str, ...] = ()
    stands_on: tuple[StandsOn, ...] = ()
    accounting_day: date | None = None
    counters: tuple[CounterUse, ...] = ()
    answer: Mapping[str, Any] | None = None
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the ledger answers to a posting; the same for ever for one request number.

    `answer` is the stored one of a posting that repeats another.
    """

    request_no: str
    entry_id: int | None
    accounting_day: date
    repeated: bool
    answer: Mapping[str, Any] | None = None
