"""The books as SQLModel tables: for reads, and the schema that the migrations are compared with.

Nothing is written through these classes: postings go through `escrow.ledger.posting`.
Amounts are integer fen; times carry a zone; days are business days in Asia/Shanghai.
"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Interval,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from escrow.domain.endings import FINAL_STATUSES

_COLLECTION = "pay_in"
#: As `CollectionState` says `open_return` and `to_give_back`.
_RETURN_HELD = '{"returns": [{"outcome": "held"}]}'
_TO_GIVE_BACK = "$.payments[*] ? (@.suspended_fen > 0 && !(@.stays == true))"


def is_unfinished(kind: str, row: str = "") -> str:
    """Condition in SQL that an object is of a kind and has not ended, in the words of the index that finds it.

    A collection that has ended is unfinished as long as something of a payment is to go back, or is on its way.

    Args:
        row: the alias of `business_object` in the statement, with its dot.
    """
    final = ", ".join(f"'{status}'" for status in FINAL_STATUSES[kind])
    if kind != _COLLECTION:
        return f"{row}kind = '{kind}' AND {row}status NOT IN ({final})"
    goes_back = f"{row}body @> '{_RETURN_HELD}' OR {row}body @? '{_TO_GIVE_BACK}'"
    return f"{row}kind = '{kind}' AND ({row}status NOT IN ({final}) OR {goes_back})"


def _big(**column: Any) -> Any:
    return Field(sa_column=Column(BigInteger, **{"nullable": False, **column}))


def _text(**column: Any) -> Any:
    return Field(sa_column=Column(Text, **{"nullable": False, **column}))


def _time(**column: Any) -> Any:
    return Field(sa_column=Column(DateTime(timezone=True), **{"nullable": False, **column}))


def _json(**column: Any) -> Any:
    return Field(sa_column=Column(JSONB, **{"nullable": False, **column}))


_NOW = text("now()")
_EMPTY = text("''")


class SandboxStack(SQLModel, table=True):
    """One row where stories may have clocks of their own, put there by the owner of the books; none elsewhere."""

    __tablename__ = "sandbox_stack"

    is_sandbox: bool = Field(primary_key=True, sa_column_kwargs={"server_default": text("true")})


class StoryClockRow(SQLModel, table=True):
    """How far the books' time of a platform runs ahead of the database; `books_now` reads it, `move_story` moves it."""

    __tablename__ = "story_clock"

    platform_no: str = _text(primary_key=True)
    ahead: timedelta = Field(sa_column=Column(Interval, nullable=False))


class PlatformDay(SQLModel, table=True):
    """The open accounting day of each platform."""

    __tablename__ = "platform_day"

    platform_no: str = _text(primary_key=True)
    day: date
    opened_at: datetime = _time(server_default=_NOW)


class Account(SQLModel, table=True):
    """One account of the chart with its balance; `version` counts the lines ever posted to it."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("platform_no", "member_no", "purpose", "ref", name="account_key"),
        CheckConstraint("balance_fen >= min_balance_fen", name="account_minimum"),
    )

    id: int = _big(server_default=Identity(always=True), primary_key=True)
    platform_no: str = _text()
    member_no: str = _text(server_default=_EMPTY)
    purpose: str = _text()
    ref: str = _text(server_default=_EMPTY)
    balance_fen: int = _big(server_default=text("0"))
    min_balance_fen: int | None = _big(nullable=True)
    version: int = _big(server_default=text("0"))
    opened_at: datetime = _time(server_default=_NOW)


class Request(SQLModel, table=True):
    """A request number with the hash of its content and its receipt."""

    __tablename__ = "request"

    platform_no: str = _text(primary_key=True)
    request_no: str = _text(primary_key=True)
    content_hash: str = _text()
    entry_id: int | None = _big(nullable=True)
    accounting_day: date
    recorded_at: datetime = _time(server_default=_NOW)
    answer: dict[str, Any] | None = _json(nullable=True)


class Recipe(SQLModel, table=True):
    """A recipe the database knows and the bases it may stand on."""

    __tablename__ = "recipe"

    recipe: str = _text(primary_key=True)
    basis_kinds: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))


class RecipeRule(SQLModel, table=True):
    """One move a recipe may make: `+` adds to a purpose, `-` takes from it."""

    __tablename__ = "recipe_rule"

    recipe: str = Field(sa_type=Text, primary_key=True, foreign_key="recipe.recipe")
    purpose: str = _text(primary_key=True)
    direction: str = _text(primary_key=True)


class Entry(SQLModel, table=True):
    """Header of a balanced journal entry."""

    __tablename__ = "entry"
    __table_args__ = (
        Index(
            "entry_bank_serial_no",
            "platform_no",
            "bank_serial_no",
            unique=True,
            postgresql_where=text("bank_serial_no <> ''"),
        ),
    )

    id: int = _big(primary_key=True, autoincrement=False)
    platform_no: str = _text()
    request_no: str = _text()
    recipe: str = _text()
    bank_serial_no: str = _text(server_default=_EMPTY)
    accounting_day: date
    effective_date: date
    occurred_at: datetime = _time()
    recorded_at: datetime = _time(server_default=_NOW)


class EntryLine(SQLModel, table=True):
    """One line with the balance after it; versions of an account run without a gap."""

    __tablename__ = "entry_line"
    __table_args__ = (Index("entry_line_entry", "entry_id", "account_id", unique=True),)

    account_id: int = _big(primary_key=True, autoincrement=False)
    accounting_day: date = Field(primary_key=True)
    version: int = _big(primary_key=True, autoincrement=False)
    entry_id: int = _big()
    amount_fen: int = _big()
    balance_after_fen: int = _big()


class BusinessObjectRow(SQLModel, table=True):
    """The present state of an order, withdrawal, member …; no personal data in `body`."""

    __tablename__ = "business_object"
    __table_args__ = (
        *(
            Index(f"{kind}_unfinished", "platform_no", "object_no", postgresql_where=text(is_unfinished(kind)))
            for kind in FINAL_STATUSES
        ),
        Index("pay_in_created", "platform_no", "created_at", postgresql_where=text(f"kind = '{_COLLECTION}'")),
        Index(
            "pay_in_attention",
            "platform_no",
            "object_no",
            postgresql_where=text(f"kind = '{_COLLECTION}' AND body ->> 'attention' <> ''"),
        ),
    )

    platform_no: str = _text(primary_key=True)
    kind: str = _text(primary_key=True)
    object_no: str = _text(primary_key=True)
    sequence_no: int = _big()
    status: str = _text()
    body: dict[str, Any] = _json()
    created_at: datetime = _time()
    updated_at: datetime = _time()


class EventRow(SQLModel, table=True):
    """One change of one object, numbered per object; `body` is the change."""

    __tablename__ = "event"
    __table_args__ = (Index("event_feed", "platform_no", "recorded_tx", "id"),)

    id: int = _big(server_default=Identity(always=True))
    platform_no: str = _text(primary_key=True)
    kind: str = _text(primary_key=True)
    object_no: str = _text(primary_key=True)
    sequence_no: int = _big(primary_key=True, autoincrement=False)
    event_type: str = _text()
    status: str = _text()
    body: dict[str, Any] = _json()
    occurred_at: datetime = _time()
    recorded_at: datetime = _time(server_default=_NOW)
    recorded_tx: int = _big(server_default=text("pg_current_xact_id()::text::bigint"))
    request_no: str = _text()


class Deadline(SQLModel, table=True):
    """A wait of an object that ends at `due_at`."""

    __tablename__ = "deadline"
    __table_args__ = (
        Index("deadline_due", "platform_no", "due_at"),
        Index("deadline_of_kind", "object_kind", "platform_no", "object_no"),
    )

    platform_no: str = _text(primary_key=True)
    object_kind: str = _text(primary_key=True)
    object_no: str = _text(primary_key=True)
    name: str = _text(primary_key=True)
    due_at: datetime = _time()


class ConsentRow(SQLModel, table=True):
    """Evidence of who agreed to what, when, from where, by which text."""

    __tablename__ = "consent"
    __table_args__ = (
        Index("consent_object", "object_no", "object_kind", "platform_no"),
        Index(
            "consent_asked",
            "object_no",
            "object_kind",
            "platform_no",
            postgresql_where=text("asked AND answered_at IS NULL"),
        ),
    )

    platform_no: str = _text(primary_key=True)
    consent_no: str = _text(primary_key=True)
    content_hash: str = _text()
    object_kind: str = _text()
    object_no: str = _text()
    operation: str = _text()
    given_by: str = _text()
    terms: dict[str, Any] = _json()
    operation_hash: str = _text()
    method: str = _text()
    text_version: str = _text()
    remote_address: str = _text(server_default=_EMPTY)
    recorded_at: datetime = _time(server_default=_NOW)
    expires_at: datetime = _time()
    voided_at: datetime | None = _time(nullable=True)
    outcome: dict[str, Any] | None = _json(nullable=True)
    asked: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    answered_at: datetime | None = _time(nullable=True)
    config_version: int | None = None
    note: str = _text(server_default=_EMPTY)


class BasisUse(SQLModel, table=True):
    """Which request used a basis up."""

    __tablename__ = "basis_use"

    platform_no: str = _text(primary_key=True)
    kind: str = _text(primary_key=True)
    reference: str = _text(primary_key=True)
    request_no: str = _text()


class Claim(SQLModel, table=True):
    """Which request made come true what can come true once only."""

    __tablename__ = "claim"

    platform_no: str = _text(primary_key=True)
    name: str = _text(primary_key=True)
    request_no: str = _text()


class CounterRow(SQLModel, table=True):
    """A sum over several objects that a posting may not take above its maximum, such as what a member pays on a day."""

    __tablename__ = "counter"

    platform_no: str = _text(primary_key=True)
    name: str = _text(primary_key=True)
    amount_fen: int = _big()


class BankLineRow(SQLModel, table=True):
    """A line of the custody account as the bank booked it, and the entry that posted it."""

    __tablename__ = "bank_line"
    __table_args__ = (
        UniqueConstraint("line_no", "platform_no", name="bank_line_line_no"),
        Index("bank_line_unposted", "platform_no", "line_no", postgresql_where=text("entry_id IS NULL")),
    )

    platform_no: str = _text(primary_key=True)
    bank_serial_no: str = _text(primary_key=True)
    line_no: int = _big()
    kind: str = _text()
    amount_fen: int = _big()
    booked_at: datetime = _time()
    value_date: date
    balance_after_fen: int = _big()
    request_no: str = _text(server_default=_EMPTY)
    counterparty_sealed: bytes = Field(sa_column_kwargs={"server_default": _EMPTY})
    recorded_at: datetime = _time(server_default=_NOW)
    entry_id: int | None = _big(nullable=True)


class AttentionRow(SQLModel, table=True):
    """Why a person is needed for an object, beside what it says itself; `is_late`: because it makes no progress."""

    __tablename__ = "attention"

    platform_no: str = _text(primary_key=True)
    object_kind: str = _text(primary_key=True)
    object_no: str = _text(primary_key=True)
    reason: str = _text()
    since: datetime = _time()
    is_late: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class LateObjectRow(SQLModel, table=True):
    """In how many rounds, one after another, an object was found late, and when the last of these was begun."""

    __tablename__ = "late_object"

    platform_no: str = _text(primary_key=True)
    object_kind: str = _text(primary_key=True)
    object_no: str = _text(primary_key=True)
    rounds: int
    round_begun_at: datetime = _time()


class LastRound(SQLModel, table=True):
    """One row: when the last round was made, and as far as which object (kind, platform, number) it has looked."""

    __tablename__ = "last_round"

    is_last: bool = Field(primary_key=True, sa_column_kwargs={"server_default": text("true")})
    made_at: datetime = _time()
    swept_to: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
