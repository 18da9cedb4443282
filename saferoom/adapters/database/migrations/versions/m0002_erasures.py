"""What was ordered to be erased, and the vault's certificates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "erasure",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=18), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("ordered_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_erasure")),
    )
    op.create_index(op.f("ix_erasure_enterprise"), "erasure", ["enterprise"], unique=False)
    op.create_index(op.f("ix_erasure_state"), "erasure", ["state"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("erasure")
