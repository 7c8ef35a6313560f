"""Tables of operators: their keys, and what two of them decide together."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKeyConstraint, Index, LargeBinary
from sqlmodel import Field, SQLModel


class OperatorKeyRow(SQLModel, table=True):
    """The key of one operator by its SHA-256; the key itself was shown once."""

    __tablename__ = "operator_key"
    __table_args__ = (Index("operator_key_operator_no", "operator_no", unique=True),)

    key_sha256: bytes = Field(primary_key=True, sa_type=LargeBinary)
    operator_no: str
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class SuspensePayoutRow(SQLModel, table=True):
    """A payout of suspense money that one operator proposed and another decides; the account is sealed.

    `account_no_sealed` and `payee_digest` are empty when the money goes to where it came from; `account_name_sealed` is
    too when the bank told the name with the line. `decided_by` is empty until it is decided.
    """

    __tablename__ = "suspense_payout"
    __table_args__ = (
        ForeignKeyConstraint(["platform_no"], ["platform.platform_no"]),
        CheckConstraint("amount_fen > 0", name="suspense_payout_amount"),
        CheckConstraint("decided_by <> proposed_by", name="suspense_payout_two_operators"),
    )

    platform_no: str = Field(primary_key=True)
    return_no: str = Field(primary_key=True)
    credit_no: str
    amount_fen: int = Field(sa_type=BigInteger)
    cnaps_code: str
    account_no_sealed: bytes = Field(sa_type=LargeBinary)
    account_name_sealed: bytes = Field(default=b"", sa_type=LargeBinary, sa_column_kwargs={"server_default": ""})
    payee_digest: str
    proposed_by: str
    proposed_at: datetime = Field(sa_type=DateTime(timezone=True))
    decided_by: str = ""
    decided_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
