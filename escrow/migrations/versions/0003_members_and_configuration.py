"""Identity checks of members, who asked for a configuration, and the use of daily limits.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), primary_key=primary_key, nullable=False)


def _platform_no() -> sa.Column[str]:
    return sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), primary_key=True)


def upgrade() -> None:
    """Add tables and columns; what an operator vouched for before is marked so."""
    for name in ("request_no", "recorded_by"):
        op.add_column("platform_config", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.execute("UPDATE platform_config SET recorded_by = 'operator'")
    op.create_index(
        "platform_config_request_no",
        "platform_config",
        ["platform_no", "request_no"],
        unique=True,
        postgresql_where=sa.text("request_no <> ''"),
    )
    op.create_table(
        "identity_check",
        _platform_no(),
        _text("check_no", primary_key=True),
        _text("member_no"),
        sa.Column("subject_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("id_no_index", sa.LargeBinary(), nullable=False),
        _text("status"),
        sa.Column("outcome", JSONB()),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("answered_at", _TIME),
    )
    op.create_index("identity_check_member", "identity_check", ["platform_no", "member_no", "asked_at"])
    op.create_table(
        "limit_use",
        _platform_no(),
        _text("kind", primary_key=True),
        _text("object_no", primary_key=True),
        _text("member_no"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
    )
    op.create_index("limit_use_member", "limit_use", ["platform_no", "member_no", "kind", "day"])
    # The platform's own account stands in the file with which an operator opened it.
    op.execute("UPDATE bank_account SET verification = 'operator' WHERE member_no = ''")
    op.execute("GRANT SELECT, INSERT ON identity_check, limit_use TO escrow_app")
    op.execute("GRANT UPDATE (status, outcome, answered_at) ON identity_check TO escrow_app")
    op.execute("GRANT UPDATE (day) ON limit_use TO escrow_app")


def downgrade() -> None:
    """Take tables and columns away."""
    op.drop_table("limit_use")
    op.drop_table("identity_check")
    op.drop_index("platform_config_request_no", "platform_config")
    for name in ("recorded_by", "request_no"):
        op.drop_column("platform_config", name)
    op.execute("UPDATE bank_account SET verification = 'none' WHERE member_no = ''")
