"""Operators with keys of their own, and payouts of suspense money that two of them decide.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), primary_key=primary_key, nullable=False)


def upgrade() -> None:
    """Create the tables; what was proposed can only be decided, and never by who proposed it."""
    op.create_table(
        "operator_key",
        sa.Column("key_sha256", sa.LargeBinary(), primary_key=True),
        _text("operator_no"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME),
    )
    op.create_index("operator_key_operator_no", "operator_key", ["operator_no"], unique=True)
    op.create_table(
        "suspense_payout",
        sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), primary_key=True),
        _text("return_no", primary_key=True),
        _text("credit_no"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        _text("cnaps_code"),
        sa.Column("account_no_sealed", sa.LargeBinary(), nullable=False),
        _text("payee_digest"),
        _text("proposed_by"),
        sa.Column("proposed_at", _TIME, nullable=False),
        _text("decided_by"),
        sa.Column("decided_at", _TIME),
        sa.CheckConstraint("amount_fen > 0", name="suspense_payout_amount"),
        sa.CheckConstraint("decided_by <> proposed_by", name="suspense_payout_two_operators"),
    )
    op.execute("GRANT SELECT, INSERT ON operator_key, suspense_payout TO escrow_app")
    op.execute("GRANT UPDATE (revoked_at) ON operator_key TO escrow_app")
    op.execute("GRANT UPDATE (decided_by, decided_at) ON suspense_payout TO escrow_app")


def downgrade() -> None:
    """Take the tables away."""
    op.drop_table("suspense_payout")
    op.drop_table("operator_key")
