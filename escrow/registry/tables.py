"""Tables of the registry: platforms, their configuration and keys, members, bank accounts.

What happens to these objects is recorded as business objects with events, like all else, in the same
transaction; these rows hold what must not stand there: personal data, sealed, and secrets, hashed.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKeyConstraint, Index, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


def _time() -> Any:
    return Field(sa_type=DateTime(timezone=True))


def _time_or_none() -> Any:
    return Field(default=None, sa_type=DateTime(timezone=True))


class PlatformRow(SQLModel, table=True):
    """One platform with its custody account at the bank; the contact's mobile is sealed."""

    __tablename__ = "platform"
    __table_args__ = (Index("platform_custody_account_no", "custody_account_no", unique=True),)

    platform_no: str = Field(primary_key=True)
    name: str
    custody_account_no: str
    contact_mobile_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    opened_at: datetime = _time()


class PlatformConfigRow(SQLModel, table=True):
    """One version of a platform's configuration; versions are added, never changed."""

    __tablename__ = "platform_config"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        Index(
            "platform_config_request_no",
            "platform_no",
            "request_no",
            unique=True,
            postgresql_where=text("request_no <> ''"),
        ),
    )

    platform_no: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    document: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    recorded_at: datetime = _time()
    request_no: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    recorded_by: str = Field(default="", sa_column_kwargs={"server_default": text("''")})


class PlatformKeyRow(SQLModel, table=True):
    """A bearer key by its SHA-256; the key itself was shown once."""

    __tablename__ = "platform_key"
    __table_args__ = (ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),)

    key_sha256: bytes = Field(primary_key=True, sa_type=LargeBinary)
    platform_no: str = Field(index=True)
    key_id: str = Field(unique=True)
    created_at: datetime = _time()
    revoked_at: datetime | None = _time_or_none()


class MemberRow(SQLModel, table=True):
    """A member: whose wallet it is, name and mobile sealed."""

    __tablename__ = "member"
    __table_args__ = (ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),)

    platform_no: str = Field(primary_key=True)
    member_no: str = Field(primary_key=True)
    kind: str
    name_sealed: bytes = Field(sa_type=LargeBinary)
    mobile_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    opened_at: datetime = _time()


class BankAccountRow(SQLModel, table=True):
    """A bank account bound to a member, or to the platform itself (`member_no` empty)."""

    __tablename__ = "bank_account"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        Index(
            "bank_account_bound_once",
            "platform_no",
            "account_no_index",
            unique=True,
            postgresql_where=text("unbound_at IS NULL"),
        ),
        Index(
            "bank_account_one_default",
            "platform_no",
            "member_no",
            unique=True,
            postgresql_where=text("is_default"),
        ),
        Index("bank_account_member", "platform_no", "member_no", "bound_at"),
    )

    platform_no: str = Field(primary_key=True)
    account_id: str = Field(primary_key=True)
    member_no: str
    account_no_sealed: bytes = Field(sa_type=LargeBinary)
    account_no_index: bytes = Field(sa_type=LargeBinary)
    account_name_sealed: bytes = Field(sa_type=LargeBinary)
    is_corporate: bool
    cnaps_code: str
    bank_name: str
    verification: str
    is_default: bool
    bound_at: datetime = _time()
    unbound_at: datetime | None = _time_or_none()


class IdentityCheckRow(SQLModel, table=True):
    """One question to the identity registry about a member: whom it is about is sealed, the outcome is not."""

    __tablename__ = "identity_check"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        Index("identity_check_member", "platform_no", "member_no", "asked_at"),
    )

    platform_no: str = Field(primary_key=True)
    check_no: str = Field(primary_key=True)
    member_no: str
    subject_sealed: bytes = Field(sa_type=LargeBinary)
    id_no_index: bytes = Field(sa_type=LargeBinary)
    status: str
    outcome: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    asked_at: datetime = _time()
    answered_at: datetime | None = _time_or_none()


class LimitUseRow(SQLModel, table=True):
    """What one payment or withdrawal used of its member's limit of a day, in fen, in books of the first release.

    Nothing is written here any more: counters went on from it, and who goes back a release finds it as it was.
    """

    __tablename__ = "limit_use"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        Index("limit_use_member", "platform_no", "member_no", "kind", "day"),
    )

    platform_no: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    object_no: str = Field(primary_key=True)
    member_no: str
    day: date
    amount_fen: int = Field(sa_type=BigInteger)


class PaymentPasswordRow(SQLModel, table=True):
    """A member's payment password, hashed with argon2id; wrong tries are counted here, before they are looked at."""

    __tablename__ = "payment_password"
    __table_args__ = (ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),)

    platform_no: str = Field(primary_key=True)
    member_no: str = Field(primary_key=True)
    password_hash: str
    attempts: int
    locked_until: datetime | None = _time_or_none()
    set_at: datetime = _time()


class PageLinkRow(SQLModel, table=True):
    """A one-time link to a hosted page, by the SHA-256 of its token, with exactly what is asked for."""

    __tablename__ = "page_link"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        Index("page_link_token", "token_sha256", unique=True),
    )

    platform_no: str = Field(primary_key=True)
    link_no: str = Field(primary_key=True)
    link_id: str = Field(unique=True)
    token_sha256: bytes = Field(sa_type=LargeBinary)
    member_no: str
    purpose: str
    method: str
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    content_hash: str
    language: str
    created_at: datetime = _time()
    expires_at: datetime = _time()
    used_at: datetime | None = _time_or_none()
    outcome: str


class SmsCodeRow(SQLModel, table=True):
    """One code sent for a link, as a keyed digest; only the newest of a link can be used."""

    __tablename__ = "sms_code"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        Index("sms_code_member", "platform_no", "member_no", "sent_at"),
    )

    link_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    platform_no: str
    member_no: str
    request_no: str
    code_digest: bytes = Field(sa_type=LargeBinary)
    tries: int
    sent_at: datetime = _time()
    expires_at: datetime = _time()


class AccountVerificationRow(SQLModel, table=True):
    """One verification of a bank account; the mobile that receives codes is sealed."""

    __tablename__ = "account_verification"
    __table_args__ = (ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),)

    platform_no: str = Field(primary_key=True)
    verification_no: str = Field(primary_key=True)
    member_no: str
    account_id: str
    account_no_index: bytes = Field(sa_type=LargeBinary)
    method: str
    mobile_sealed: bytes = Field(sa_type=LargeBinary)
    status: str
    reason: str
    asked_at: datetime = _time()
    expires_at: datetime | None = _time_or_none()


class VerificationSendingRow(SQLModel, table=True):
    """One micro-deposit or code that was sent for a verification, under its number at the bank.

    `declined` is the bank's code where it said no, else empty; empty too where that was before codes were kept.
    """

    __tablename__ = "verification_sending"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        Index("verification_sending_account", "platform_no", "account_no_index", "opened_at"),
        Index("verification_sending_bank", "bank_request_no"),
    )

    platform_no: str = Field(primary_key=True)
    verification_no: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    request_no: str
    bank_request_no: str
    account_no_index: bytes = Field(sa_type=LargeBinary)
    status: str
    declined: str = ""
    opened_at: datetime = _time()


class TryRow(SQLModel):
    """What somebody typed, sealed; it is counted here before the bank is asked about it. Each kind has its table."""

    platform_no: str = Field(primary_key=True)
    object_no: str
    number: int = Field(primary_key=True)
    request_no: str
    typed_sealed: bytes = Field(sa_type=LargeBinary)
    typed_digest: bytes = Field(sa_type=LargeBinary)
    outcome: str
    tried_at: datetime = _time()


class VerificationTryRow(TryRow, table=True):
    """One amount or code that somebody typed for a verification, which asks about what was sent under a number."""

    __tablename__ = "verification_try"
    __table_args__ = (ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),)

    object_no: str = Field(sa_column=Column("verification_no", String, primary_key=True))
    bank_request_no: str


class MandateRow(SQLModel, table=True):
    """A member's permission to debit one bound card, as signed; the caps are in fen, `last_day` is in Shanghai."""

    __tablename__ = "mandate"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        Index("mandate_member", "platform_no", "member_no", "signed_at"),
    )

    platform_no: str = Field(primary_key=True)
    mandate_no: str = Field(primary_key=True)
    member_no: str
    account_id: str
    per_debit_fen: int = Field(sa_type=BigInteger)
    per_day_fen: int = Field(sa_type=BigInteger)
    last_day: date
    text_version: str
    status: str
    reason: str
    bank_mandate_no: str
    payer_bank: str
    signed_at: datetime = _time()
    ended_at: datetime | None = _time_or_none()
    deregistered_at: datetime | None = _time_or_none()


class MandateDebitRow(SQLModel, table=True):
    """One debit order to the bank, kept before it is sent; `sent` until it has definitely `failed` or is `lost`."""

    __tablename__ = "mandate_debit"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        Index("mandate_debit_day", "platform_no", "mandate_no", "day"),
        Index("mandate_debit_pay_in", "platform_no", "pay_in_no"),
    )

    platform_no: str = Field(primary_key=True)
    collection_no: str = Field(primary_key=True)
    pay_in_no: str
    mandate_no: str
    channel: str
    amount_fen: int = Field(sa_type=BigInteger)
    day: date
    status: str
    sent_at: datetime = _time()


class CollectionCodeSendingRow(SQLModel, table=True):
    """One wish to have the code of a quick payment sent again; `declined` is the bank's code where it said no."""

    __tablename__ = "pay_in_code_sending"
    __table_args__ = (ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),)

    platform_no: str = Field(primary_key=True)
    pay_in_no: str = Field(primary_key=True)
    request_no: str = Field(primary_key=True)
    sent_at: datetime = _time()
    declined: str = ""


class CollectionCodeTryRow(TryRow, table=True):
    """One code that a payer typed."""

    __tablename__ = "pay_in_code_try"
    __table_args__ = (ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),)

    object_no: str = Field(sa_column=Column("pay_in_no", String, primary_key=True))
