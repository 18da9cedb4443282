"""Which wordings of a grant did two operators approve?

A grant stays under the wording that its signer read; the newest approved one is for grants
to come. Each is proved from its votes' signatures, as everything that a release rests on.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from saferoom.app import loading
from saferoom.app.context import Room
from saferoom.app.replaying import check_approved, load_papers
from saferoom.canonical import Digest
from saferoom.core.approval import SubjectKind
from saferoom.core.grant_text import GrantTemplate
from saferoom.errors import BadInput, Refusal, Unavailable

FindTemplate = Callable[[Connection, Digest], GrantTemplate | None]


def approved_template(room: Room, connection: Connection, digest: Digest) -> GrantTemplate | None:
    """Find one wording; proved once, since what two people signed stays signed."""
    known = room.proofs.templates.get(digest)
    if known is None:
        paper = load_papers(connection, [digest]).get(digest)
        try:
            check_approved(connection, room, SubjectKind.TEMPLATE, paper, "")
            assert paper is not None  # check_approved refused
            known = loading.read(GrantTemplate, paper.statement)
        except (Refusal, BadInput):  # whoever wrote it into the database gains nothing
            return None
        room.proofs.templates[digest] = known
    return known


def standing_template(connection: Connection, room: Room) -> GrantTemplate:
    """Read the wording for grants to come; NOT_READY before there is one."""
    digest = loading.standing(connection, str(SubjectKind.TEMPLATE))
    found = None if digest is None else approved_template(room, connection, Digest(digest))
    if found is None:
        raise Unavailable("NOT_READY", "the grants' text")
    return found
