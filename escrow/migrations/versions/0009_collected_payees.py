"""Whose account two operators name for money that a channel collected, of which the bank told no name.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep the sealed name; it is empty where the bank's line tells it."""
    op.add_column(
        "suspense_payout", sa.Column("account_name_sealed", sa.LargeBinary(), server_default="", nullable=False)
    )


def downgrade() -> None:
    """Take the column away."""
    op.drop_column("suspense_payout", "account_name_sealed")
