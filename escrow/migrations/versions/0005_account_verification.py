"""Verifications of bank accounts: what was sent for them and what was tried.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), primary_key=primary_key, nullable=False)


def _platform_no() -> sa.Column[str]:
    return sa.Column("platform_no", sa.String(), sa.ForeignKey("platform.platform_no"), primary_key=True)


def _number() -> sa.Column[int]:
    return sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Create the tables; the application may change only what their life changes."""
    op.create_table(
        "account_verification",
        _platform_no(),
        _text("verification_no", primary_key=True),
        _text("member_no"),
        _text("account_id"),
        sa.Column("account_no_index", sa.LargeBinary(), nullable=False),
        _text("method"),
        sa.Column("mobile_sealed", sa.LargeBinary(), nullable=False),
        _text("status"),
        _text("reason"),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME),
    )
    op.create_table(
        "verification_sending",
        _platform_no(),
        _text("verification_no", primary_key=True),
        _number(),
        _text("request_no"),
        _text("bank_request_no"),
        sa.Column("account_no_index", sa.LargeBinary(), nullable=False),
        _text("status"),
        sa.Column("opened_at", _TIME, nullable=False),
    )
    op.create_index(
        "verification_sending_account", "verification_sending", ["platform_no", "account_no_index", "opened_at"]
    )
    op.create_index("verification_sending_bank", "verification_sending", ["bank_request_no"])
    op.create_table(
        "verification_try",
        _platform_no(),
        _text("verification_no", primary_key=True),
        _number(),
        _text("request_no"),
        _text("bank_request_no"),
        sa.Column("typed_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("typed_digest", sa.LargeBinary(), nullable=False),
        _text("outcome"),
        sa.Column("tried_at", _TIME, nullable=False),
    )
    op.execute("GRANT SELECT, INSERT ON account_verification, verification_sending, verification_try TO escrow_app")
    op.execute("GRANT UPDATE (status, reason, expires_at) ON account_verification TO escrow_app")
    op.execute("GRANT UPDATE (status) ON verification_sending TO escrow_app")
    op.execute("GRANT UPDATE (outcome) ON verification_try TO escrow_app")
    op.execute("GRANT UPDATE (verification) ON bank_account TO escrow_app")


def downgrade() -> None:
    """Take the tables away."""
    op.execute("REVOKE UPDATE (verification) ON bank_account FROM escrow_app")
    for table in ("verification_try", "verification_sending", "account_verification"):
        op.drop_table(table)
