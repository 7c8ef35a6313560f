"""What can come true once only is claimed by the posting that makes it so.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

from escrow.migrations.scripts import run_sql_file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ARGUMENTS = "jsonb, text[], text[], text[], text[], timestamptz[]"


def upgrade() -> None:
    """Create the table, claim what came true before, and let postings claim."""
    run_sql_file("0007_claims.sql")


def downgrade() -> None:
    """Let postings claim nothing, and forget what was claimed."""
    op.execute(f"DROP FUNCTION take_bases({_ARGUMENTS})")
    op.execute(f"ALTER FUNCTION take_bases_alone({_ARGUMENTS}) RENAME TO take_bases")
    op.execute("DROP TABLE claim")
