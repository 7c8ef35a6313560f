"""Why the bank did not send a code or a micro-deposit again: callers are told it from here.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLES = ("verification_sending", "pay_in_code_sending")


def upgrade() -> None:
    """Keep the bank's code; it is empty where the bank has not said no."""
    for table in _TABLES:
        op.add_column(table, sa.Column("declined", sa.String(), server_default="", nullable=False))
        op.execute(f"GRANT UPDATE (declined) ON {table} TO escrow_app")


def downgrade() -> None:
    """Take the columns away."""
    for table in _TABLES:
        op.drop_column(table, "declined")
