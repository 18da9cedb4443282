"""What does the room remember, and under which constraints?

Statements are stored as the canonical bytes that were signed, so signatures can be
checked again at release. Columns beside them are only for finding and locking; what
is agreed to is read from the bytes. Instants are texts of one length, so they sort.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_DIGEST = String(64)
_INSTANT = String(20)
_NAME = String(100)

# People and parties
enrolment = Table(
    "enrolment",
    metadata,
    Column("key", _DIGEST, primary_key=True),
    Column("holder", _NAME, nullable=False, index=True),
    Column("party", _NAME, nullable=False, index=True),
    Column("role", String(16), nullable=False),
    Column("replaced_by", _DIGEST, nullable=True),
    Column("digest", _DIGEST, nullable=False, unique=True),
    Column("statement", LargeBinary, nullable=False),
    Column("enrolled_at", _INSTANT, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("digest", _DIGEST, primary_key=True),  # of the token; the token is not stored
    Column("request", _DIGEST, nullable=False, unique=True),  # a token request works once
    Column("key", _DIGEST, ForeignKey("enrolment.key"), nullable=False),
    Column("expires_at", _INSTANT, nullable=False),
)

party = Table(
    "party",
    metadata,
    Column("party", _NAME, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("admission", _DIGEST, nullable=True),  # the one in force
    Column("changed_at", _INSTANT, nullable=False),
)

# What is put up for votes
subject = Table(
    "subject",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("kind", String(16), nullable=False, index=True),
    Column("party", _NAME, nullable=False),
    Column("submitter", _DIGEST, nullable=False),  # key id
    Column("state", String(16), nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("proposed_at", _INSTANT, nullable=False),
)

vote = Table(
    "vote",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("digest", _DIGEST, nullable=False),  # two voters may sign the same words
    Column("subject", _DIGEST, ForeignKey("subject.digest"), nullable=False, index=True),
    Column("key", _DIGEST, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    UniqueConstraint("subject", "key"),
)

suspension = Table(  # what is stored here decides, whatever a party's or version's state says
    "suspension",
    metadata,
    Column("digest", _DIGEST, primary_key=True),  # a suspension works once
    Column("stopped", _DIGEST, ForeignKey("subject.digest"), nullable=False, index=True),
    Column("statement", LargeBinary, nullable=False),
)

standing = Table(  # which view set, policy set and snapshot count now
    "standing",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("digest", _DIGEST, nullable=False),
)

version = Table(
    "version",
    metadata,
    Column("digest", _DIGEST, ForeignKey("subject.digest"), primary_key=True),
    Column("bank", _NAME, nullable=False, index=True),
    Column("purpose", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("findings", LargeBinary, nullable=False),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("as_of", String(10), nullable=False),
    Column("views", _DIGEST, nullable=False),
    Column("enterprises", Integer, nullable=False),
    Column("published_at", _INSTANT, nullable=False),
)

# What enterprises signed, and the accounts of bits
enterprise = Table(  # the account over all banks; its row is locked before the group's
    "enterprise",
    metadata,
    Column("code", String(18), primary_key=True),
    Column("epoch", Integer, nullable=False),  # moves with each erasure or dispute
    Column("budget", _DIGEST, nullable=True),  # the newest of all groups: it says the ceiling
    Column("ceiling_mbit", Integer, nullable=False),
    Column("spent_mbit", Integer, nullable=False),
    CheckConstraint("spent_mbit >= 0", name="spent_positive"),
)

account = Table(
    "account",
    metadata,
    Column("enterprise", String(18), ForeignKey("enterprise.code"), nullable=False),
    Column("bank_group", _NAME, nullable=False),
    Column("budget", _DIGEST, nullable=False),  # the one in force
    Column("limit_mbit", Integer, nullable=False),
    Column("spent_mbit", Integer, nullable=False),
    PrimaryKeyConstraint("enterprise", "bank_group"),
    CheckConstraint("spent_mbit >= 0", name="spent_positive"),
)

budget = Table(
    "budget",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("enterprise", String(18), nullable=False, index=True),
    Column("bank_group", _NAME, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("stored_at", _INSTANT, nullable=False),
)

permission = Table(  # a grant; GRANT is a word of SQL
    "permission",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("enterprise", String(18), nullable=False, index=True),
    Column("bank", _NAME, nullable=False, index=True),
    Column("version", _DIGEST, nullable=False),
    Column("state", String(16), nullable=False),
    Column("valid_until", _INSTANT, nullable=False),
    Column("number", Integer, nullable=False),  # of several for one version the latest counts
    Column("statement", LargeBinary, nullable=False),
    UniqueConstraint("enterprise", "version", "number"),
)

revocation = Table(  # what is stored here decides, whatever a grant's state says
    "revocation",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("enterprise", String(18), nullable=False, index=True),
    Column("statement", LargeBinary, nullable=False),
)

# Scores
request = Table(
    "request",
    metadata,
    Column("party", _NAME, nullable=False),
    Column("key", String(64), nullable=False),
    Column("digest", _DIGEST, nullable=False, unique=True),  # one signed request, one key
    Column("statement", LargeBinary, nullable=False),
    Column("first_asked_at", _INSTANT, nullable=False),
    PrimaryKeyConstraint("party", "key"),
)

release = Table(
    "release",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request", _DIGEST, ForeignKey("request.digest"), nullable=False),
    Column("enterprise", String(18), nullable=False, index=True),
    Column("bank", _NAME, nullable=False, index=True),
    Column("bank_group", _NAME, nullable=False),
    Column("version", _DIGEST, nullable=False, index=True),
    Column("purpose", String(32), nullable=False),
    Column("snapshot", _DIGEST, nullable=False),
    Column("epoch", Integer, nullable=False),  # the enterprise's, when it was evaluated
    Column("grant_digest", _DIGEST, nullable=False),
    Column("source", String(16), nullable=False),
    Column("charge_mbit", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("entry", _DIGEST, ForeignKey("entry.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("recorded_at", _INSTANT, nullable=False),
    Column("delivered_at", _INSTANT, nullable=True),
    UniqueConstraint("request", "enterprise"),  # exactly once, whatever else fails
    Index("ix_release_stored", "version", "snapshot", "enterprise"),
    Index(  # summed at each debit
        "ix_release_charged",
        "enterprise",
        "bank_group",
        "charge_mbit",
        sqlite_where=text("charge_mbit > 0"),
        postgresql_where=text("charge_mbit > 0"),
    ),
)

refusal = Table(
    "refusal",
    metadata,
    Column("request", _DIGEST, nullable=False),
    Column("enterprise", String(18), nullable=False),  # empty: the whole request
    Column("code", String(32), nullable=False),
    Column("detail", Text, nullable=True),
    Column("entry", _DIGEST, ForeignKey("entry.id"), nullable=True),
    PrimaryKeyConstraint("request", "enterprise", "code"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("party", _NAME, nullable=False),
    Column("key", String(64), nullable=False),
    Column("request", _DIGEST, nullable=False),
    Column("answer", LargeBinary, nullable=True),
    Column("asked_at", _INSTANT, nullable=False),
    PrimaryKeyConstraint("party", "key"),
)

erasure = Table(  # what was ordered, and certified once the vault did it
    "erasure",
    metadata,
    Column("digest", _DIGEST, primary_key=True),  # of the order
    Column("enterprise", String(18), nullable=False, index=True),
    Column("statement", LargeBinary, nullable=False),
    Column("certificate", LargeBinary, nullable=True),
    Column("state", String(32), nullable=False, index=True),  # ordered, certified, or a code
    Column("ordered_at", _INSTANT, nullable=False),
)

dispute = Table(  # what an enterprise says is wrong, and what its source's stewards may read of it
    "dispute",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("enterprise", String(18), nullable=False, index=True),
    Column("party", _NAME, nullable=False, index=True),  # whose source the record is
    Column("facts", String(40), nullable=False),  # the table of facts
    Column("statement", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),  # sealed to the stewards; empty: there were none
    Column("stored_at", _INSTANT, nullable=False),
)

# The log
entry = Table(
    "entry",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", _DIGEST, nullable=False, unique=True),  # the leaf's hash
    Column("kind", String(32), nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_index", Integer, nullable=True, unique=True),
    Column("acknowledged", Boolean, nullable=False, index=True),
    Column("written_at", _INSTANT, nullable=False),
)

record = Table(
    "record",
    metadata,
    Column("entry", _DIGEST, ForeignKey("entry.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("record", LargeBinary, nullable=False),
    PrimaryKeyConstraint("entry", "position"),
)

opening = Table(
    "opening",
    metadata,
    Column("entry", _DIGEST, ForeignKey("entry.id"), nullable=False),
    Column("position", Integer, nullable=False),  # −1: the leaf's own fields
    Column("subject", _NAME, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("entry", "position"),
)

paper = Table(  # what the vault signed of batches and snapshots
    "paper",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("about", _DIGEST, nullable=False),  # a snapshot; of batches the first number
    Column("first", Integer, nullable=False),  # of the batches that it tells of
    Column("last", Integer, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("entry", _DIGEST, ForeignKey("entry.id"), nullable=False),
    UniqueConstraint("kind", "about"),
)

notice = Table(  # whom an entry concerns; no values
    "notice",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("recipient", _NAME, nullable=False, index=True),  # a party
    Column("kind", String(32), nullable=False),
    Column("entry", _DIGEST, ForeignKey("entry.id"), nullable=False),
    Column("position", Integer, nullable=False),  # −1: the whole entry; else one record
    Column("written_at", _INSTANT, nullable=False),
    # As an outbox: to whom (null: the party's contact), whether it was sent, and when to try.
    Column("address", String(200), nullable=True),
    Column("state", String(16), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("next_at", _INSTANT, nullable=False),
)

concern = Table(  # which parties may have a receipt of an entry; releases have their own table
    "concern",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("party", _NAME, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("entry", _DIGEST, ForeignKey("entry.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),  # −1: the whole entry; else one record
    Index("ix_concern_party_kind", "party", "kind"),
)

contact = Table(  # where a party's notices go
    "contact",
    metadata,
    Column("party", _NAME, primary_key=True),
    Column("address", String(200), nullable=False),
    Column("statement", LargeBinary, nullable=False),
)

subject_key = Table(  # deleting a row shreds what it encrypted
    "subject_key",
    metadata,
    Column("subject", _NAME, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("until", _INSTANT, nullable=False),
)

learnt = Table(  # how far the vault's chain of lessons had come when it was last seen
    "learnt",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("head", _DIGEST, nullable=False),
)

lesson = Table(  # what the vault has still to be taught
    "lesson",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("digest", _DIGEST, nullable=False, index=True),
    Column("statement", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False, index=True),  # waiting, taught, or a code
)

verification = Table(  # what a department said was charged, once for each signed request
    "verification",
    metadata,
    Column("request", _DIGEST, primary_key=True),
    Column("enterprise", String(18), nullable=False),
    Column("bank_group", _NAME, nullable=False),
    Column("charge_mbit", Integer, nullable=False),
    Column("entry", String(64), nullable=False),
)
