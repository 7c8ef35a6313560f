"""One time decides: the books', which a sandbox's stories may have run ahead; guards and postings go by it.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

from escrow.migrations.scripts import run_sql_file, sql_functions

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_LINES = "jsonb, text[], text[], text[], text[], date[], timestamptz[], bigint[], date[]"
_CHANGES = "jsonb, text[], text[], timestamptz[]"


def upgrade() -> None:
    """Add the clocks of stories, and let the posting functions go by the books' time."""
    run_sql_file("0010_books_time.sql")


def downgrade() -> None:
    """Let the posting functions go by the database's time alone, and forget the stories' clocks."""
    op.execute(f"DROP FUNCTION post_lines({_LINES}, timestamptz[])")
    op.execute(f"DROP FUNCTION post_changes({_CHANGES}, timestamptz[])")
    first = sql_functions("0001_post_batch.sql")
    op.execute(first["take_bases"].replace("FUNCTION take_bases(", "FUNCTION take_bases_alone("))
    for function in ("post_lines", "post_changes", "post_batch"):
        op.execute(first[function])
    op.execute(f"REVOKE EXECUTE ON FUNCTION post_lines({_LINES}), post_changes({_CHANGES}) FROM PUBLIC")
    for function in ("move_story(text, timestamptz)", "begin_story(text, timestamptz)", "require_sandbox()"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP FUNCTION books_now(text)")
    op.execute("DROP TABLE story_clock, sandbox_stack")
