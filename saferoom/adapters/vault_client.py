"""How does the room speak to its vault?

Frames over the vault's Unix socket, a small pool of connections for many threads. An error
of the vault comes back as the same error here; a vault that cannot be reached is
VAULT_UNAVAILABLE. A pooled connection may be of a vault that was restarted since: a call
that fails on one is tried once more on a new one, which every verb allows (a ticket is
answered once, a lesson learnt once, an order obeyed once).
"""

from __future__ import annotations

import os
import queue
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from saferoom.canonical import Digest, Json
from saferoom.core.learnt import Learnt
from saferoom.crypto.signing import Statement
from saferoom.errors import CODES, SaferoomError, Unavailable
from saferoom.ports import Disputed, Evaluation, ModelFindings, Recalled, SealedAnswer, Snapshot
from saferoom.wire import Frame, receive, send

CALL_SECONDS = 90.0  # longer than the vault evaluates
DESCRIBE_SECONDS = 10.0  # a question of health that hangs is an answer too
STEWARD_SECONDS = 3600.0  # a large source, a million enterprises
KEPT_OPEN = 8


class VaultClient:
    """The ports `Vault` and `Steward` over a socket; threads may share it."""

    def __init__(
        self,
        path: Path,
        call_seconds: float = CALL_SECONDS,
        steward_seconds: float = STEWARD_SECONDS,
    ) -> None:
        self._path = path
        self._call_seconds, self._steward_seconds = call_seconds, steward_seconds
        self._idle: queue.LifoQueue[socket.socket] = queue.LifoQueue(KEPT_OPEN)

    def describe(self) -> Mapping[str, Json]:
        """Return keys, views, sources, the current snapshot, and health."""
        return self._call(
            {"verb": "describe"}, seconds=min(DESCRIBE_SECONDS, self._call_seconds)
        ).header

    def learn(self, statements: Sequence[Statement]) -> None:
        """Teach signed statements; the vault verifies each itself."""
        bodies: list[Json] = [statement.to_json() for statement in statements]
        self._call({"verb": "learn", "statements": bodies})

    def recall(self, count: int) -> Recalled:
        """Name the last lesson in the vault's chain, and the head after so many."""
        match self._call({"verb": "recall", "count": count}).header:
            case {"latest": dict(latest), "head": str() | None as head}:
                return Recalled(Learnt.from_body(latest), None if head is None else Digest(head))
            case _:
                raise _strange()

    def check_model(self, manifest: Statement, artefact: bytes) -> ModelFindings:
        """Read a sealed model strictly, in a cage; keep it under its digest."""
        header: dict[str, Json] = {"verb": "check_model", "manifest": manifest.to_json()}
        match self._call(header, [artefact]).header:
            case {
                "features": list(features),
                "scorer": str(scorer),
                "parts": int(parts),
                "leaves": int(leaves),
                "grades": int(grades),
                "depth": int(depth),
            }:
                names = tuple(str(name) for name in features)
                return ModelFindings(names, scorer, parts, leaves, grades, depth)
            case _:
                raise _strange()

    def verify(self, request: Statement, grant: Statement | None) -> bytes:
        """Have a department asked that verifies; its one word comes back sealed."""
        permission = None if grant is None else grant.to_json()
        header: dict[str, Json] = {
            "verb": "verify",
            "request": request.to_json(),
            "grant": permission,
        }
        match self._call(header, seconds=self._steward_seconds).header:
            case {"answer": str(sealed)}:
                return bytes.fromhex(sealed)
            case _:
                raise _strange()

    def score(self, request: Statement, grants: Sequence[Statement]) -> Evaluation:
        """Evaluate once; grades come back sealed."""
        bodies: list[Json] = [grant.to_json() for grant in grants]
        header: dict[str, Json] = {"verb": "score", "request": request.to_json(), "grants": bodies}
        frame = self._call(header)
        match frame.header:
            case {"snapshot": str(snapshot), "refusals": dict(refusals), "answers": list(codes)}:
                if len(codes) != len(frame.attachments):
                    raise _strange()
                pairs = zip(codes, frame.attachments, strict=True)
                answers = tuple(SealedAnswer(str(code), sealed) for code, sealed in pairs)
                refused = {code: str(reason) for code, reason in refusals.items()}
                return Evaluation(Digest(snapshot), answers, refused)
            case _:
                raise _strange()

    def ingest(self, order: Statement) -> Mapping[str, Json]:
        """Read a source by its steward's order; counts of rows taken and quarantined come back."""
        header: dict[str, Json] = {"verb": "ingest", "order": order.to_json()}
        return self._call(header, seconds=self._steward_seconds).header

    def report(self, statement: Statement) -> Mapping[str, Json]:
        """Take in what an enterprise says of itself; counts of rows come back."""
        header: dict[str, Json] = {"verb": "report", "order": statement.to_json()}
        return self._call(header, seconds=self._steward_seconds).header

    def materialise(self, order: Statement) -> Snapshot:
        """Compute all views by an operator's order and publish the snapshot."""
        header: dict[str, Json] = {"verb": "materialise", "order": order.to_json()}
        match self._call(header, seconds=self._steward_seconds).header:
            case {
                "snapshot": {
                    "digest": str(digest),
                    "as_of": str(day),
                    "views": str(views),
                    "enterprises": int(enterprises),
                    "published_at": str(published_at),
                }
            }:
                return Snapshot(Digest(digest), day, Digest(views), enterprises, published_at)
            case _:
                raise _strange()

    def erase(self, order: Statement) -> Statement:
        """Make an enterprise unreadable, by its own order or two operators'."""
        header: dict[str, Json] = {"verb": "erase", "order": order.to_json()}
        frame = self._call(header, seconds=self._steward_seconds)
        return Statement.from_json(frame.header.get("certificate"))

    def rotate(self, order: Statement) -> Mapping[str, Json]:
        """Change every key of what rests, by two operators' order."""
        header: dict[str, Json] = {"verb": "rotate", "order": order.to_json()}
        return self._call(header, seconds=self._steward_seconds).header

    def back_up_keys(self, order: Statement) -> bytes:
        """Have a copy of the keys sealed to a custodian, by two operators' order."""
        header: dict[str, Json] = {"verb": "back_up_keys", "order": order.to_json()}
        match self._call(header, seconds=self._steward_seconds).header:
            case {"backup": str(sealed)}:
                return bytes.fromhex(sealed)
            case _:
                raise _strange()

    def check(self) -> Mapping[str, Json]:
        """Have every file read, and those named that are not well."""
        return self._call({"verb": "check"}, seconds=self._steward_seconds).header

    def profile(self, order: Statement) -> Mapping[str, Json]:
        """Tell how features are distributed, through the aggregate gate; never a row."""
        header: dict[str, Json] = {"verb": "profile", "order": order.to_json()}
        return self._call(header, seconds=self._steward_seconds).header

    def own_record(self, order: Statement) -> bytes:
        """Have an enterprise's own rows sealed to the key that its order names."""
        header: dict[str, Json] = {"verb": "own_record", "order": order.to_json()}
        match self._call(header).attachments:
            case (sealed,):
                return sealed
            case _:
                raise _strange()

    def dispute(self, statement: Statement) -> Disputed:
        """Let a record count as disputed, by its enterprise's own statement."""
        header: dict[str, Json] = {"verb": "dispute", "order": statement.to_json()}
        match self._call(header).header:
            case {"party": str(party), "table": str(table), "note": str() | None as note}:
                return Disputed(party, table, None if note is None else _hex(note))
            case _:
                raise _strange()

    def batches(self, after: int) -> Statement | None:
        """Return the vault's word for the batches after a number; None where there is none."""
        return _paper(self._call({"verb": "batches", "after": after}).header)

    def snapshot_paper(self) -> Statement | None:
        """Return the vault's word for what the current snapshot was made of."""
        return _paper(self._call({"verb": "snapshot_paper"}).header)

    def close(self) -> None:
        """Close the connections that wait; those in use are closed by their users."""
        while (channel := self._pooled()) is not None:
            channel.close()

    def _call(
        self,
        header: dict[str, Json],
        attachments: Sequence[bytes] = (),
        seconds: float | None = None,
    ) -> Frame:
        wait = seconds or self._call_seconds
        pooled = self._pooled()
        if pooled is not None:
            try:
                return self._exchange(pooled, header, attachments, wait)
            except TimeoutError as error:
                raise Unavailable("VAULT_UNAVAILABLE", "no answer in time") from error
            except OSError:
                self.close()  # the vault was restarted: the others are stale as well
        try:
            return self._exchange(_connect(self._path), header, attachments, wait)
        except OSError as error:
            raise Unavailable("VAULT_UNAVAILABLE") from error

    def _exchange(
        self,
        channel: socket.socket,
        header: dict[str, Json],
        attachments: Sequence[bytes],
        seconds: float,
    ) -> Frame:
        """Ask and hear; a channel on which anything went wrong is closed."""
        try:
            channel.settimeout(seconds)
            send(channel, header, attachments)
            frame = receive(channel)
        except BaseException:
            channel.close()
            raise
        self._keep(channel)
        return _checked(frame)

    def _pooled(self) -> socket.socket | None:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return None

    def _keep(self, channel: socket.socket) -> None:
        try:
            self._idle.put_nowait(channel)
        except queue.Full:
            channel.close()


def _connect(path: Path) -> socket.socket:
    """Connect by a descriptor of the folder: a socket's own path holds only 107 bytes."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.connect(f"/proc/self/fd/{folder}/{path.name}")
    except BaseException:
        channel.close()
        raise
    finally:
        os.close(folder)
    return channel


def _paper(header: Mapping[str, Json]) -> Statement | None:
    paper = header.get("paper")
    return None if paper is None else Statement.from_json(paper)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise _strange() from error


def _checked(frame: Frame) -> Frame:
    """Raise what the vault refused, as the error that it is."""
    match frame.header.pop("error", None):
        case None:
            frame.header.pop("ok", None)
            return frame
        case {"code": str(code), "detail": detail} if code in CODES:
            raise _error(code, detail if isinstance(detail, str) else None)
        case _:
            raise _strange()


def _error(code: str, detail: str | None) -> SaferoomError:
    return CODES[code].family(code, detail)


def _strange() -> Unavailable:
    return Unavailable("VAULT_UNAVAILABLE", "an answer that is none")
