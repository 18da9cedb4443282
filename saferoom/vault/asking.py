"""How is a department asked, that verifies and shows nothing?

By the same caller as any service of a source (`intake_process.py`): a process of its own with
the network, to the hosts of the approved manifest alone, no redirects, bounded tries. What comes
back may be one word of a list; a reply that says anything more is thrown away unread.
"""

from __future__ import annotations

import socket

from saferoom.canonical import Json
from saferoom.core.service import Connection, Format, Paging, Resource
from saferoom.core.verification import Kind, Question, Verifier
from saferoom.errors import BadInput, Unavailable
from saferoom.vault.intake_process import CALLER, end, start
from saferoom.wire import receive, send

LARGEST_REPLY = 1_000
PATIENCE_SECONDS = 260.0  # more than the caller's own for one page


def ask(
    verifier: Verifier,
    connection: Connection,
    question: Question,
    enterprise: str,
    claim: str | None,
) -> str:
    """Ask once; the answer is one of the question's outcomes."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = start(CALLER, theirs)
        try:
            ours.settimeout(PATIENCE_SECONDS)
            _say(ours, verifier, connection, question)
            asked: dict[str, Json] = {"table": question.id, "since": enterprise}
            send(ours, asked if claim is None else {**asked, "value": claim})
            return _hear(ours, question)
        except (TimeoutError, ConnectionError) as error:
            raise Unavailable("SOURCE_UNAVAILABLE") from error
        finally:
            ours.close()
            end(process)


def _say(
    link: socket.socket, verifier: Verifier, connection: Connection, question: Question
) -> None:
    """Tell the caller whom to call, as whom, and where."""
    send(
        link,
        {
            "service": verifier.service.to_body(),
            "connection": connection.to_body(),
            "resources": {question.id: resource(question).to_body()},
        },
    )


def _hear(link: socket.socket, question: Question) -> str:
    frame = receive(link, largest_attachments=LARGEST_REPLY)
    if frame.header.get("say") == "refused":
        if frame.header.get("code") == "SOURCE_UNAVAILABLE":
            raise Unavailable("SOURCE_UNAVAILABLE")
        raise BadInput("SOURCE_MALFORMED")
    answer = question.read_reply(b"".join(frame.attachments))
    if answer is None:
        raise BadInput("SOURCE_MALFORMED", "an answer that is none")
    return answer


def resource(question: Question) -> Resource:
    """Say where the question is asked: `uscc`, and of a claim `claim`, are its parameters."""
    claimed = question.kind is Kind.MATCH
    return Resource(
        path=question.path,
        format=Format.JSON,
        rows=None,
        paging=Paging.PAGE if claimed else Paging.NONE,
        parameter="claim" if claimed else None,
        first=0 if claimed else None,
        next=None,
        since="uscc",
    )
