"""The ledger: tables, guards, the posting function and what the application may do."""

from alembic import op

from escrow.migrations.scripts import run_sql_file

revision = "0001"
down_revision = None

_TABLES = (
    "bank_line, basis_use, consent, deadline, event, business_object, entry_line, entry, recipe_rule, recipe, request, "
    "account, platform_day"
)
_FUNCTIONS = (
    "post_batch(jsonb)",
    "post_deadlines(jsonb)",
    "post_changes(jsonb, text[], text[], timestamptz[])",
    "post_lines(jsonb, text[], text[], text[], text[], date[], timestamptz[], bigint[], date[])",
    "check_bases_against_lines(jsonb, text[], bigint[])",
    "take_bases(jsonb, text[], text[], text[], text[], timestamptz[])",
    "guard_day()",
    "guard_lines()",
    "guard_entries()",
    "forbid_change()",
    "account_text(text, text, text)",
    "refuse(text, text, jsonb)",
)


def upgrade() -> None:
    """Create everything."""
    for name in ("0001_tables.sql", "0001_guards.sql", "0001_post_batch.sql", "0001_grants.sql"):
        run_sql_file(name)


def downgrade() -> None:
    """Drop everything, with all that was ever booked."""
    op.execute(f"DROP TABLE {_TABLES}")
    op.execute("DROP SEQUENCE entry_id_seq")
    for function in _FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.execute("REVOKE USAGE ON SCHEMA public FROM escrow_app")
