"""Mandates and the debits made under them; codes of quick payments.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), primary_key=primary_key, nullable=False)


def _platform_no() -> sa.Column[str]:
    return sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), primary_key=True)


def _fen(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    """Create the tables; the application may change only what their life changes."""
    op.create_table(
        "mandate",
        _platform_no(),
        _text("mandate_no", primary_key=True),
        _text("member_no"),
        _text("account_id"),
        _fen("per_debit_fen"),
        _fen("per_day_fen"),
        sa.Column("last_day", sa.Date(), nullable=False),
        _text("text_version"),
        _text("status"),
        _text("reason"),
        _text("bank_mandate_no"),
        _text("payer_bank"),
        sa.Column("signed_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("deregistered_at", _TIME),
        sa.CheckConstraint("per_debit_fen > 0 AND per_day_fen >= per_debit_fen", name="mandate_caps"),
    )
    op.create_index("mandate_member", "mandate", ["platform_no", "member_no", "signed_at"])
    op.create_table(
        "mandate_debit",
        _platform_no(),
        _text("collection_no", primary_key=True),
        _text("pay_in_no"),
        _text("mandate_no"),
        _text("channel"),
        _fen("amount_fen"),
        sa.Column("day", sa.Date(), nullable=False),
        _text("status"),
        sa.Column("sent_at", _TIME, nullable=False),
    )
    op.create_index("mandate_debit_day", "mandate_debit", ["platform_no", "mandate_no", "day"])
    op.create_index("mandate_debit_pay_in", "mandate_debit", ["platform_no", "pay_in_no"])
    op.create_table(
        "pay_in_code_sending",
        _platform_no(),
        _text("pay_in_no", primary_key=True),
        _text("request_no", primary_key=True),
        sa.Column("sent_at", _TIME, nullable=False),
    )
    op.create_table(
        "pay_in_code_try",
        _platform_no(),
        _text("pay_in_no", primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        _text("request_no"),
        sa.Column("typed_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("typed_digest", sa.LargeBinary(), nullable=False),
        _text("outcome"),
        sa.Column("tried_at", _TIME, nullable=False),
    )
    op.execute("GRANT SELECT, INSERT ON mandate, mandate_debit, pay_in_code_sending, pay_in_code_try TO escrow_app")
    op.execute(
        "GRANT UPDATE (status, reason, bank_mandate_no, payer_bank, ended_at, deregistered_at) ON mandate TO escrow_app"
    )
    op.execute("GRANT UPDATE (status) ON mandate_debit TO escrow_app")
    op.execute("GRANT UPDATE (outcome) ON pay_in_code_try TO escrow_app")


def downgrade() -> None:
    """Take the tables away."""
    for table in ("pay_in_code_try", "pay_in_code_sending", "mandate_debit", "mandate"):
        op.drop_table(table)
