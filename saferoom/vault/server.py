"""How do verbs reach the vault?

A Unix socket that only this user may open; frames of `saferoom/wire.py`; a thread for each
connection, so many and no more. An answer is `{"ok": true, …}` or an error's code and
detail; what is not an error of ours is VAULT_UNAVAILABLE without a word of it.

What a stranger can make us hold is bounded: a header of a few MiB on each connection, none of
them for longer than a frame needs, and an artefact only as large as a manifest says that an
admitted bank's modeller signed, two at a time. Whatever else follows a header is thrown away
unread, piece by piece.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from saferoom.canonical import Json
from saferoom.core.record import check_field
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, SaferoomError
from saferoom.vault.service import Service
from saferoom.wire import (
    ChannelClosed,
    Frame,
    TimedSocket,
    discard,
    read_exactly,
    receive_header,
    send,
)

MOST_CONNECTIONS = 32
MOST_ARTEFACTS = 2  # that are held at a time
LARGEST_HEADER = 8 * 2**20  # a thousand grants are one
LARGEST_ARTEFACT = 64 * 2**20
FRAME_SECONDS = 60.0  # to arrive, or to be taken
IDLE_SECONDS = 120.0  # then whoever called calls again
Reply = tuple[dict[str, Json], list[bytes]]


class Server:
    """The socket and its threads."""

    def __init__(self, service: Service, run_folder: Path) -> None:
        """Bind; a socket that a dead vault left is replaced, for we hold the home's lock."""
        self._service = service
        self._verbs: dict[str, Callable[[Frame], Reply]] = {
            "describe": self._describe,
            "learn": self._learn,
            "recall": self._recall,
            "check_model": self._check_model,
            "score": self._score,
            "ingest": self._by_order(service.ingest),
            "verify": self._verify,
            "report": self._by_order(service.report),
            "materialise": self._by_order(lambda order: {"snapshot": service.materialise(order)}),
            "erase": self._by_order(service.erase),
            "rotate": self._by_order(service.rotate),
            "back_up_keys": self._by_order(service.back_up_keys),
            "check": self._check,
            "profile": self._by_order(service.profile),
            "own_record": self._own_record,
            "dispute": self._by_order(service.dispute),
            "batches": self._batches,
            "snapshot_paper": self._snapshot_paper,
        }
        self._lock = threading.Lock()
        self._channels: dict[TimedSocket, threading.Thread] = {}
        self._artefacts = threading.Semaphore(MOST_ARTEFACTS)
        self._places = threading.Semaphore(MOST_CONNECTIONS)
        self._stopping = threading.Event()
        self._listener = _listen(run_folder)

    def serve(self) -> None:
        """Accept until `stop`."""
        while not self._stopping.is_set():
            self._places.acquire()
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                self._places.release()
                continue  # stopped, or a caller that left: look again
            channel = TimedSocket(fileno=accepted.detach())
            thread = threading.Thread(target=self._talk, args=(channel,), daemon=True)
            with self._lock:
                self._channels[channel] = thread
            thread.start()
        self._finish()

    def stop(self) -> None:
        """Accept no more; verbs that run may end."""
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._places.release()

    def _finish(self) -> None:
        with self._lock:
            open_now = list(self._channels.items())
        for channel, _ in open_now:
            with suppress(OSError):
                channel.shutdown(socket.SHUT_RD)  # a waiting thread wakes, a working one answers
        for _, thread in open_now:
            thread.join(timeout=10)
        self._listener.close()

    def _talk(self, channel: TimedSocket) -> None:
        try:
            with channel, suppress(ChannelClosed, OSError):
                while _speaks(channel):
                    self._exchange(channel)
        finally:
            with self._lock:
                self._channels.pop(channel, None)
            self._places.release()

    def _exchange(self, channel: TimedSocket) -> None:
        """Hear one call and answer it; a header that cannot be read ends the connection."""
        channel.arm(FRAME_SECONDS)
        try:
            header, lengths = receive_header(channel, LARGEST_HEADER, LARGEST_ARTEFACT)
        except SaferoomError as error:
            send(channel, _error(error.code, error.detail))
            raise ChannelClosed from error
        if lengths:
            answer, attachments = self._answer_large(channel, header, lengths)
        else:
            answer, attachments = self._answer(Frame(header))
        channel.arm(FRAME_SECONDS)
        send(channel, answer, attachments)

    def _answer_large(
        self, channel: TimedSocket, header: dict[str, Json], lengths: Sequence[int]
    ) -> Reply:
        """Read what follows only if it is wanted."""
        if not self._artefacts.acquire(blocking=False):
            discard(channel, lengths)
            return _error("VAULT_BUSY", "artefacts"), []
        try:
            refused, _ = _guarded("wants", lambda: (self._check_wanted(header, lengths), []))
            if "error" in refused:
                discard(channel, lengths)
                return refused, []
            return self._answer(Frame(header, tuple(read_exactly(channel, n) for n in lengths)))
        finally:
            self._artefacts.release()

    def _check_wanted(self, header: Mapping[str, Json], lengths: Sequence[int]) -> dict[str, Json]:
        """Refuse attachments that no signed manifest speaks of."""
        check_field(header.get("verb") == "check_model", "attachments")
        manifest = self._service.check_submission(Statement.from_json(header.get("manifest")))
        check_field(list(lengths) == [manifest.artefact_bytes], "attachments")
        return {}

    def _answer(self, frame: Frame) -> Reply:
        verb = frame.header.pop("verb", None)
        work = self._verbs.get(verb) if isinstance(verb, str) else None
        if work is None:
            return _error("FIELD_INVALID", "verb"), []
        return _guarded(verb, lambda: work(frame))

    def _describe(self, frame: Frame) -> Reply:
        _check_parts(frame, set())
        return self._service.describe(), []

    def _learn(self, frame: Frame) -> Reply:
        _check_parts(frame, {"statements"})
        return {"learnt": self._service.learn(_statements(frame.header["statements"]))}, []

    def _recall(self, frame: Frame) -> Reply:
        _check_parts(frame, {"count"})
        count = frame.header["count"]
        check_field(type(count) is int, "count")
        return self._service.recall(int(str(count))), []

    def _check_model(self, frame: Frame) -> Reply:
        _check_parts(frame, {"manifest"}, attachments=1)
        manifest = Statement.from_json(frame.header["manifest"])
        shape = self._service.check_model(manifest, frame.attachments[0])
        features: list[Json] = [*shape.features]
        return {
            "features": features,
            "scorer": shape.scorer,
            "parts": shape.parts,
            "leaves": shape.leaves,
            "grades": shape.grades,
            "depth": shape.depth,
        }, []

    def _score(self, frame: Frame) -> Reply:
        _check_parts(frame, {"request", "grants"})
        request = Statement.from_json(frame.header["request"])
        scored = self._service.score(request, _statements(frame.header["grants"]))
        enterprises: list[Json] = [*scored.answers]
        return {
            "snapshot": scored.snapshot,
            "refusals": {**scored.refusals},
            "answers": enterprises,
        }, list(scored.answers.values())

    def _own_record(self, frame: Frame) -> Reply:
        _check_parts(frame, {"order"})
        return {}, [self._service.own_record(Statement.from_json(frame.header["order"]))]

    def _batches(self, frame: Frame) -> Reply:
        _check_parts(frame, {"after"})
        after = frame.header["after"]
        check_field(type(after) is int and after >= 0, "after")
        return _paper(self._service.batches(int(str(after)))), []

    def _snapshot_paper(self, frame: Frame) -> Reply:
        _check_parts(frame, set())
        return _paper(self._service.snapshot_paper()), []

    def _verify(self, frame: Frame) -> Reply:
        _check_parts(frame, {"request", "grant"})
        grant = frame.header["grant"]
        request = Statement.from_json(frame.header["request"])
        return self._service.verify(
            request, None if grant is None else Statement.from_json(grant)
        ), []

    def _check(self, frame: Frame) -> Reply:
        _check_parts(frame, set())
        return self._service.check(), []

    @staticmethod
    def _by_order(obey: Callable[[Statement], dict[str, Json]]) -> Callable[[Frame], Reply]:
        """Hear a verb that a signed order asks for."""

        def hear(frame: Frame) -> Reply:
            _check_parts(frame, {"order"})
            return obey(Statement.from_json(frame.header["order"])), []

        return hear


def _speaks(channel: TimedSocket) -> bool:
    """Wait for the next call; one who has nothing to say for long gives its place up."""
    channel.arm(IDLE_SECONDS)
    return bool(channel.recv(1, socket.MSG_PEEK))


def _guarded(verb: Json, work: Callable[[], Reply]) -> Reply:
    """Turn what goes wrong into an answer."""
    try:
        header, attachments = work()
    except SaferoomError as error:
        return _error(error.code, error.detail), []
    except Exception as error:  # noqa: BLE001  # the edge: its text may hold values
        os.write(2, f"vault: {verb!s:.20}: {type(error).__name__}\n".encode())
        return _error("VAULT_UNAVAILABLE", None), []
    return {"ok": True, **header}, attachments


def _listen(run_folder: Path) -> socket.socket:
    """Bind by a descriptor of the folder: a socket's own path holds only 107 bytes."""
    path = run_folder / "vault.sock"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(run_folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        before = os.umask(0o177)
        try:
            listener.bind(f"/proc/self/fd/{folder}/vault.sock")
        finally:
            os.umask(before)
        listener.listen(MOST_CONNECTIONS)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(folder)
    return listener


def _statements(value: Json) -> list[Statement]:
    check_field(isinstance(value, list), "statements")
    assert isinstance(value, list)
    if len(value) > 2_000:
        raise BadInput("TOO_LARGE")
    return [Statement.from_json(one) for one in value]


def _paper(paper: Statement | None) -> dict[str, Json]:
    return {"paper": None if paper is None else paper.to_json()}


def _check_parts(frame: Frame, names: set[str], attachments: int = 0) -> None:
    check_field(set(frame.header) == names, "parts")
    check_field(len(frame.attachments) == attachments, "attachments")


def _error(code: str, detail: str | None) -> dict[str, Json]:
    return {"error": {"code": code, "detail": detail}}
