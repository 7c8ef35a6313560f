"""One time decides: the books', which a sandbox's stories may have run ahead; guards and postings go by it.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

from escrow.ledger.migrations.scripts import run_sql_file

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

#: The functions that go by the books' time, each as it stands but for what it calls the present.
_GO_BY_THE_DATABASE = r"""
DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN SELECT oid FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
            AND proname IN ('take_bases_alone', 'post_lines', 'post_changes', 'post_batch')
    LOOP
        EXECUTE regexp_replace(pg_get_functiondef(function), 'books_now\\([a-z_.]+(\\[[a-z.]+\\])?\\)', 'now()', 'g');
    END LOOP;
END $$
"""


def upgrade() -> None:
    """Add the clocks of stories, and let the posting functions go by the books' time."""
    run_sql_file("0010_books_time.sql")


def downgrade() -> None:
    """Let the posting functions go by the database's time alone, and forget the stories' clocks."""
    op.execute(_GO_BY_THE_DATABASE)
    for function in ("move_story(text, timestamptz)", "begin_story(text, timestamptz)", "require_sandbox()"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP FUNCTION books_now(text)")
    op.execute("DROP TABLE story_clock, sandbox_stack")
