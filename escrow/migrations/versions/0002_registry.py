"""The registry: platforms, configurations, keys, members, bank accounts.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def _text(name: str, *, primary_key: bool = False, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), primary_key=primary_key, unique=unique, nullable=False)


def upgrade() -> None:
    """Create the tables; the application may add and read, and change only what an object's life changes."""
    op.create_table(
        "platform",
        _text("platform_no", primary_key=True),
        _text("name"),
        _text("custody_account_no"),
        sa.Column("contact_mobile_sealed", sa.LargeBinary()),
        sa.Column("opened_at", _TIME, nullable=False),
    )
    op.create_index("platform_custody_account_no", "platform", ["custody_account_no"], unique=True)
    op.create_table(
        "platform_config",
        sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("document", JSONB(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
    )
    op.create_table(
        "platform_key",
        sa.Column("key_sha256", sa.LargeBinary(), primary_key=True),
        sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), nullable=False),
        _text("key_id", unique=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME),
    )
    op.create_index("ix_platform_key_platform_no", "platform_key", ["platform_no"])
    op.create_table(
        "member",
        sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), primary_key=True),
        _text("member_no", primary_key=True),
        _text("kind"),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("mobile_sealed", sa.LargeBinary()),
        sa.Column("opened_at", _TIME, nullable=False),
    )
    _create_bank_accounts()
    op.execute("GRANT SELECT, INSERT ON platform, platform_config, platform_key, member, bank_account TO escrow_app")
    op.execute("GRANT UPDATE (is_default, unbound_at) ON bank_account TO escrow_app")
    op.execute("GRANT UPDATE (revoked_at) ON platform_key TO escrow_app")


def _create_bank_accounts() -> None:
    op.create_table(
        "bank_account",
        sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), primary_key=True),
        _text("account_id", primary_key=True),
        _text("member_no"),
        sa.Column("account_no_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("account_no_index", sa.LargeBinary(), nullable=False),
        sa.Column("account_name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("is_corporate", sa.Boolean(), nullable=False),
        _text("cnaps_code"),
        _text("bank_name"),
        _text("verification"),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("bound_at", _TIME, nullable=False),
        sa.Column("unbound_at", _TIME),
    )
    op.create_index(
        "bank_account_bound_once",
        "bank_account",
        ["platform_no", "account_no_index"],
        unique=True,
        postgresql_where=sa.text("unbound_at IS NULL"),
    )
    op.create_index(
        "bank_account_one_default",
        "bank_account",
        ["platform_no", "member_no"],
        unique=True,
        postgresql_where=sa.text("is_default"),
    )
    op.create_index("bank_account_member", "bank_account", ["platform_no", "member_no", "bound_at"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("bank_account", "member", "platform_key", "platform_config", "platform"):
        op.drop_table(table)
