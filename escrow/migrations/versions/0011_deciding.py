"""Books that can decide: versions that a posting stands on, stored answers, commands as asked, counters with a maximum.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

from escrow.migrations.scripts import run_sql_file, sql_functions

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


_BASES = sql_functions("0010_books_time.sql")["take_bases_alone"]
_EXPIRED = "c.expires_at <= occurred_ats[b.posting]"


def upgrade() -> None:
    """Add what decisions are posted with, and bring what the first release booked into that shape."""
    run_sql_file("0011_deciding.sql")
    # What a party has said and nobody has answered yet does not expire: it is judged by when it was said.
    op.execute(_BASES.replace(_EXPIRED, f"{_EXPIRED} AND NOT c.asked"))


def downgrade() -> None:
    """Post without versions, answers and counters again; the claims of releases stay, they are true."""
    before = sql_functions("0010_books_time.sql")
    for function in ("take_bases_alone", "post_changes", "post_batch"):
        op.execute(before[function])
    op.execute("DROP FUNCTION require_unmoved(jsonb, text[])")
    op.execute("DROP FUNCTION use_counters(jsonb, text[])")
    op.execute("DELETE FROM deadline WHERE object_kind = 'order' AND name ~ ':(work|reminder):'")
    op.execute("DELETE FROM deadline WHERE object_kind IN ('withdrawal', 'pay_in')")
    op.execute("DROP TABLE counter")
    op.execute("DROP TRIGGER guard_consent ON consent")
    op.execute("DROP FUNCTION guard_consent()")
    op.execute("DROP INDEX consent_asked")
    for column in ("asked", "answered_at", "config_version", "note"):
        op.execute(f"ALTER TABLE consent DROP COLUMN {column}")
    op.execute("ALTER TABLE request DROP COLUMN answer")
