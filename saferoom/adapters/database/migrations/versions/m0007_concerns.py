"""Receipts of every kind: which parties an entry concerns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# What was written before has a line for whose key its openings are under.
_EARLIER = """
INSERT INTO concern (party, kind, entry, position)
SELECT opening.subject, entry.kind, opening.entry, opening.position
FROM opening JOIN entry ON entry.id = opening.entry
WHERE entry.kind NOT IN ('release', 'genesis', 'openings_exported', 'token_issued')
ORDER BY entry.number, opening.position
"""


def upgrade() -> None:
    """Add the table, with what can be told of earlier entries."""
    op.create_table(
        "concern",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_concern_entry")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_concern")),
    )
    op.create_index(op.f("ix_concern_party_kind"), "concern", ["party", "kind"], unique=False)
    op.create_index(op.f("ix_concern_entry"), "concern", ["entry"], unique=False)
    op.execute(sa.text(_EARLIER))
