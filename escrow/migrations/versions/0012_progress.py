"""Progress: indexes by which what is late is found, the list of those who wait for a person, the last round.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

from escrow.migrations.scripts import run_sql_file

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes and the three tables."""
    run_sql_file("0012_progress.sql")


def downgrade() -> None:
    """Forget who waits for a person and when rounds were made; what objects say themselves stays."""
    op.execute("DROP TABLE attention, late_object, last_round")
    op.execute("DROP INDEX deadline_of_kind")
    members = "'account_verification', 'identity_check', 'mandate', 'member_closing'"
    op.execute(f"DELETE FROM deadline WHERE object_kind IN ({members})")  # noqa: S608 - our own words
    kinds = ("order", "withdrawal", "pay_in", "batch_payment", "refund")
    unfinished = ", ".join(f"{kind}_unfinished" for kind in kinds)
    op.execute(f"DROP INDEX deadline_due, pay_in_created, pay_in_attention, {unfinished}")
