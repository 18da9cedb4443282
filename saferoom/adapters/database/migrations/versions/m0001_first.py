"""The first shape: people, votes, accounts of bits, releases, the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "budget",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=18), nullable=False),
        sa.Column("bank_group", sa.String(length=100), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_budget")),
    )
    op.create_index(op.f("ix_budget_enterprise"), "budget", ["enterprise"], unique=False)
    op.create_table(
        "enrolment",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=100), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("replaced_by", sa.String(length=64), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("enrolled_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_enrolment")),
        sa.UniqueConstraint("digest", name=op.f("uq_enrolment_digest")),
    )
    op.create_index(op.f("ix_enrolment_holder"), "enrolment", ["holder"], unique=False)
    op.create_index(op.f("ix_enrolment_party"), "enrolment", ["party"], unique=False)
    op.create_table(
        "enterprise",
        sa.Column("code", sa.String(length=18), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("budget", sa.String(length=64), nullable=True),
        sa.Column("ceiling_mbit", sa.Integer(), nullable=False),
        sa.Column("spent_mbit", sa.Integer(), nullable=False),
        sa.CheckConstraint("spent_mbit >= 0", name=op.f("ck_enterprise_spent_positive")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_enterprise")),
    )
    op.create_table(
        "entry",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_index", sa.Integer(), nullable=True),
        sa.Column("acknowledged", sa.Boolean(), nullable=False),
        sa.Column("written_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_entry")),
        sa.UniqueConstraint("id", name=op.f("uq_entry_id")),
        sa.UniqueConstraint("leaf_index", name=op.f("uq_entry_leaf_index")),
    )
    op.create_index(op.f("ix_entry_acknowledged"), "entry", ["acknowledged"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("asked_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("party", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("until", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "learnt",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_learnt")),
    )
    op.create_table(
        "lesson",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_lesson")),
    )
    op.create_index(op.f("ix_lesson_digest"), "lesson", ["digest"], unique=False)
    op.create_index(op.f("ix_lesson_state"), "lesson", ["state"], unique=False)
    op.create_table(
        "party",
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("admission", sa.String(length=64), nullable=True),
        sa.Column("changed_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("party", name=op.f("pk_party")),
    )
    op.create_table(
        "permission",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=18), nullable=False),
        sa.Column("bank", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("valid_until", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_permission")),
        sa.UniqueConstraint(
            "enterprise", "version", "number", name=op.f("uq_permission_enterprise_version_number")
        ),
    )
    op.create_index(op.f("ix_permission_bank"), "permission", ["bank"], unique=False)
    op.create_index(op.f("ix_permission_enterprise"), "permission", ["enterprise"], unique=False)
    op.create_table(
        "revocation",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=18), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_revocation")),
    )
    op.create_index(op.f("ix_revocation_enterprise"), "revocation", ["enterprise"], unique=False)
    op.create_table(
        "request",
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("first_asked_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("party", "key", name=op.f("pk_request")),
        sa.UniqueConstraint("digest", name=op.f("uq_request_digest")),
    )
    op.create_table(
        "snapshot",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("as_of", sa.String(length=10), nullable=False),
        sa.Column("views", sa.String(length=64), nullable=False),
        sa.Column("enterprises", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_snapshot")),
    )
    op.create_table(
        "standing",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_standing")),
    )
    op.create_table(
        "subject",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("submitter", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("proposed_at", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_subject")),
    )
    op.create_index(op.f("ix_subject_kind"), "subject", ["kind"], unique=False)
    op.create_table(
        "suspension",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("stopped", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stopped"], ["subject.digest"], name=op.f("fk_suspension_stopped")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_suspension")),
    )
    op.create_index(op.f("ix_suspension_stopped"), "suspension", ["stopped"], unique=False)
    op.create_table(
        "subject_key",
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_subject_key")),
    )
    op.create_table(
        "account",
        sa.Column("enterprise", sa.String(length=18), nullable=False),
        sa.Column("bank_group", sa.String(length=100), nullable=False),
        sa.Column("budget", sa.String(length=64), nullable=False),
        sa.Column("limit_mbit", sa.Integer(), nullable=False),
        sa.Column("spent_mbit", sa.Integer(), nullable=False),
        sa.CheckConstraint("spent_mbit >= 0", name=op.f("ck_account_spent_positive")),
        sa.ForeignKeyConstraint(
            ["enterprise"], ["enterprise.code"], name=op.f("fk_account_enterprise")
        ),
        sa.PrimaryKeyConstraint("enterprise", "bank_group", name=op.f("pk_account")),
    )
    op.create_table(
        "notice",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("recipient", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("written_at", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_notice_entry")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_notice")),
    )
    op.create_index(op.f("ix_notice_recipient"), "notice", ["recipient"], unique=False)
    op.create_table(
        "opening",
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_opening_entry")),
        sa.PrimaryKeyConstraint("entry", "position", name=op.f("pk_opening")),
    )
    op.create_index(op.f("ix_opening_subject"), "opening", ["subject"], unique=False)
    op.create_table(
        "record",
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_record_entry")),
        sa.PrimaryKeyConstraint("entry", "position", name=op.f("pk_record")),
    )
    op.create_table(
        "refusal",
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=18), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("entry", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_refusal_entry")),
        sa.PrimaryKeyConstraint("request", "enterprise", "code", name=op.f("pk_refusal")),
    )
    op.create_table(
        "release",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=18), nullable=False),
        sa.Column("bank", sa.String(length=100), nullable=False),
        sa.Column("bank_group", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("snapshot", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("grant_digest", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("charge_mbit", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("recorded_at", sa.String(length=20), nullable=False),
        sa.Column("delivered_at", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_release_entry")),
        sa.ForeignKeyConstraint(["request"], ["request.digest"], name=op.f("fk_release_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release")),
        sa.UniqueConstraint("request", "enterprise", name=op.f("uq_release_request_enterprise")),
    )
    op.create_index(op.f("ix_release_bank"), "release", ["bank"], unique=False)
    op.create_index(
        "ix_release_charged",
        "release",
        ["enterprise", "bank_group", "charge_mbit"],
        unique=False,
        sqlite_where=sa.text("charge_mbit > 0"),
        postgresql_where=sa.text("charge_mbit > 0"),
    )
    op.create_index(op.f("ix_release_enterprise"), "release", ["enterprise"], unique=False)
    op.create_index(op.f("ix_release_entry"), "release", ["entry"], unique=False)
    op.create_index(
        "ix_release_stored", "release", ["version", "snapshot", "enterprise"], unique=False
    )
    op.create_index(op.f("ix_release_version"), "release", ["version"], unique=False)
    op.create_table(
        "token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["enrolment.key"], name=op.f("fk_token_key")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_token")),
        sa.UniqueConstraint("request", name=op.f("uq_token_request")),
    )
    op.create_table(
        "version",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("bank", sa.String(length=100), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("findings", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["subject.digest"], name=op.f("fk_version_digest")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_version")),
    )
    op.create_index(op.f("ix_version_bank"), "version", ["bank"], unique=False)
    op.create_table(
        "vote",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.digest"], name=op.f("fk_vote_subject")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_vote")),
        sa.UniqueConstraint("subject", "key", name=op.f("uq_vote_subject_key")),
    )
    op.create_index(op.f("ix_vote_subject"), "vote", ["subject"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    for name in (
        "vote",
        "suspension",
        "revocation",
        "version",
        "token",
        "release",
        "refusal",
        "record",
        "opening",
        "notice",
        "account",
        "subject_key",
        "subject",
        "standing",
        "snapshot",
        "request",
        "permission",
        "party",
        "lesson",
        "learnt",
        "lease",
        "idempotency",
        "entry",
        "enterprise",
        "enrolment",
        "budget",
    ):
        op.drop_table(name)
