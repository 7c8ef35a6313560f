"""Payment passwords, SMS codes and the one-time links of hosted pages.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def _text(name: str, *, primary_key: bool = False, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), primary_key=primary_key, unique=unique, nullable=False)


def _platform_no() -> sa.Column[str]:
    return sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), primary_key=True)


def upgrade() -> None:
    """Create the tables; the application may change only what their life changes."""
    op.create_table(
        "payment_password",
        _platform_no(),
        _text("member_no", primary_key=True),
        _text("password_hash"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("locked_until", _TIME),
        sa.Column("set_at", _TIME, nullable=False),
    )
    op.create_table(
        "page_link",
        _platform_no(),
        _text("link_no", primary_key=True),
        _text("link_id", unique=True),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        _text("member_no"),
        _text("purpose"),
        _text("method"),
        sa.Column("content", JSONB(), nullable=False),
        _text("content_hash"),
        _text("language"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
        _text("outcome"),
    )
    op.create_index("page_link_token", "page_link", ["token_sha256"], unique=True)
    op.create_table(
        "sms_code",
        _text("link_id", primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), nullable=False),
        _text("member_no"),
        _text("request_no"),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
    )
    op.create_index("sms_code_member", "sms_code", ["platform_no", "member_no", "sent_at"])
    op.execute("GRANT SELECT, INSERT ON payment_password, page_link, sms_code TO escrow_app")
    op.execute("GRANT UPDATE (password_hash, attempts, locked_until, set_at) ON payment_password TO escrow_app")
    op.execute("GRANT UPDATE (link_id, token_sha256, expires_at, used_at, outcome) ON page_link TO escrow_app")
    op.execute("GRANT UPDATE (tries) ON sms_code TO escrow_app")


def downgrade() -> None:
    """Take the tables away."""
    for table in ("sms_code", "page_link", "payment_password"):
        op.drop_table(table)
