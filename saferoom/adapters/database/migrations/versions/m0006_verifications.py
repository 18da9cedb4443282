"""What a department verified was charged, once for each signed request."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep each answered request: whose, about whom, and what it was charged."""
    op.create_table(
        "verification",
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=18), nullable=False),
        sa.Column("bank_group", sa.String(length=100), nullable=False),
        sa.Column("charge_mbit", sa.Integer(), nullable=False),
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_verification")),
    )
