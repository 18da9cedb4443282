"""What the vault says of batches and snapshots, and what enterprises say of records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "dispute",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=18), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("facts", sa.String(length=40), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_dispute")),
    )
    op.create_index(op.f("ix_dispute_enterprise"), "dispute", ["enterprise"], unique=False)
    op.create_index(op.f("ix_dispute_party"), "dispute", ["party"], unique=False)
    op.create_table(
        "paper",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("about", sa.String(length=64), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_paper_entry")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_paper")),
        sa.UniqueConstraint("kind", "about", name=op.f("uq_paper_kind_about")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("paper")
    op.drop_table("dispute")
