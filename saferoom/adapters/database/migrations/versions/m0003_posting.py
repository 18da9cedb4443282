"""Notices are sent: to whom, whether they were, and when to try again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make notices an outbox, and contacts; what was written before is not sent."""
    op.create_table(
        "contact",
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("party", name=op.f("pk_contact")),
    )
    with op.batch_alter_table("notice") as notice:
        notice.add_column(sa.Column("address", sa.String(length=200), nullable=True))
        notice.add_column(
            sa.Column("state", sa.String(length=16), nullable=False, server_default="nobody")
        )
        notice.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
        notice.add_column(
            sa.Column("next_at", sa.String(length=20), nullable=False, server_default="")
        )
        notice.create_index(op.f("ix_notice_state"), ["state"], unique=False)
    with op.batch_alter_table("notice") as notice:
        for name in ("state", "attempts", "next_at"):
            notice.alter_column(name, server_default=None)
