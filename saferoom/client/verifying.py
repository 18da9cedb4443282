"""Can I check this receipt on my own laptop, believing nobody but a key?

Reads files, asks the log's tiles for a consistency proof where the kept checkpoint is not
the receipt's own, and leaves every judgement to the rules. A log's tiles need no trust: a
wrong one gives a proof that does not hold.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from saferoom.canonical import parse_object
from saferoom.client.transport import Transport
from saferoom.core.erasure import check_certificate
from saferoom.core.orders import EraseOrder
from saferoom.core.papers import check_papers
from saferoom.core.promise import Kept, check_promise
from saferoom.core.receipt import Verified, check_own_checkpoint, check_receipt
from saferoom.core.stamped import Authority, check_stamped, read_authorities
from saferoom.core.trust import Trust
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound, Tampered, Unavailable
from saferoom.tlog.checkpoint import Checkpoint, read_note
from saferoom.tlog.merkle import consistency_proof, root_of_hashes
from saferoom.tlog.tile import WIDTH, Fetch, TileReader, read_tile

LARGEST_FILE = WIDTH * (2 + 65_535)  # a full entry bundle

Place = str | Path


def verify(
    receipt: bytes | Place,
    checkpoint: Place | None = None,
    trust: Place | Trust | None = None,
    log: Place | None = None,
    erasure: Place | None = None,
    *,
    stamped: Place | None = None,
    authorities: Place | None = None,
) -> Verified:
    """Check a receipt against the checkpoint that you kept and the keys that you trust.

    `trust` defaults to `trust.json` beside the checkpoint; `log` (a folder, or the room's
    address) to the log beside the checkpoint. Without a checkpoint the receipt's own is used.
    `erasure` holds the order and the certificate that the room answered to it. `stamped`, which
    the room serves as /log/stamped, takes the checkpoint's place and says by when it existed, by
    the `authorities` whose certificates you pinned.
    """
    if stamped is not None:
        return _verify_stamped(receipt, stamped, authorities, _trusted(stamped, trust), log)
    trusted = _trusted(checkpoint, trust)
    verified = _verify(receipt, checkpoint, trusted, log)
    if erasure is None:
        return verified
    link = check_erased(_read(Path(erasure), "the certificate"), verified, trusted)
    return replace(verified, links=(*verified.links, link))


def _trusted(beside: Place | None, trust: Place | Trust | None) -> Trust:
    return trust if isinstance(trust, Trust) else read_trust(beside, trust)


def check_erased(paper: bytes, verified: Verified, trust: Trust) -> str:
    """Say since when what a receipt proves is no longer reproducible."""
    body = parse_object(paper)
    order = Statement.from_json(body.get("order"))
    certificate = check_certificate(Statement.from_json(body.get("certificate")), trust, order)
    if EraseOrder.from_body(order.body).enterprise != verified.opened.get("enterprise"):
        raise Tampered("CERTIFICATE_INVALID", "it is about another enterprise")
    here, everywhere = certificate.unreadable_here_at, certificate.unreadable_everywhere_from
    return f"no longer reproducible: erased at {here}, everywhere from {everywhere}"


def _verify(
    receipt: bytes | Place, checkpoint: Place | None, trusted: Trust, log: Place | None
) -> Verified:
    data = receipt if isinstance(receipt, bytes) else _read(Path(receipt), "the receipt")
    if checkpoint is None:
        return check_receipt(data, trusted, check_papers=check_papers)
    return _verify_against(data, _read_text(Path(checkpoint)), trusted, _find_log(checkpoint, log))


def _verify_stamped(
    receipt: bytes | Place,
    stamped: Place,
    authorities: Place | None,
    trusted: Trust,
    log: Place | None,
) -> Verified:
    if authorities is None:
        raise BadInput("FIELD_INVALID", "authorities: whose stamps are believed")
    data = receipt if isinstance(receipt, bytes) else _read(Path(receipt), "the receipt")
    data_stamped = _read(Path(stamped), "the stamped checkpoint")
    note, stamps = check_stamped(data_stamped, read_pinned(authorities))
    verified = _verify_against(data, note.text(), trusted, _find_log(stamped, log))
    if verified.index >= verified.size:
        raise Tampered("TIMESTAMP_INVALID", "the entry is not in the checkpoint that was stamped")
    links = [
        f"the entry existed before {by:%Y-%m-%dT%H:%M:%SZ}, by the word of {name} (RFC 3161)"
        for name, by in stamps
    ]
    return replace(verified, links=(*verified.links, *links))


def _verify_against(data: bytes, text: str, trusted: Trust, fetch: Fetch | None) -> Verified:
    own = check_own_checkpoint(data, trusted)
    note = read_note(text)
    own_log = trusted.of(note.checkpoint.origin)
    kept = own_log.check_signatures(note, only_known=False).checkpoint
    proof = None if own.size == kept.size else _prove(own, kept, fetch)
    return check_receipt(data, trusted, text, proof, check_papers)


def verify_promise(
    promise: bytes | Place,
    checkpoint: Place,
    trust: Place | None = None,
    log: Place | None = None,
    now: datetime | None = None,
) -> Kept:
    """Say whether the entry stands in the log of this checkpoint; PROMISE_BROKEN if it is late.

    Every leaf hash is read and must give the checkpoint's root, so nothing can be held back.
    """
    data = promise if isinstance(promise, bytes) else _read(Path(promise), "the promise")
    trusted = read_trust(checkpoint, trust)
    note = read_note(_read_text(Path(checkpoint)))
    signed = trusted.of(note.checkpoint.origin).check_signatures(note, only_known=False)
    trusted.check_vouched(signed, None)
    fetch = _find_log(checkpoint, log)
    if fetch is None:
        raise NotFound("NOT_FOUND", "the log")
    logged = _leaf_hashes(signed.checkpoint, fetch)
    when = now or datetime.now(UTC)
    return check_promise(Statement.from_bytes(data), trusted, logged=logged, now=when)


def read_pinned(authorities: Place) -> tuple[Authority, ...]:
    """Read whose time stamps are believed."""
    return read_authorities(_read(Path(authorities), "the authorities"))


def read_trust(checkpoint: Place | None, trust: Place | None) -> Trust:
    """Read the trust file, by default the one beside the checkpoint."""
    if trust is None and checkpoint is None:
        raise BadInput("FIELD_INVALID", "a trust file, or a checkpoint with one beside it")
    path = Path(trust) if trust is not None else Path(str(checkpoint)).parent / "trust.json"
    return Trust.from_bytes(_read(path, "the trust file"))


def folder_log(folder: Path) -> Fetch:
    """Fetch tiles from a folder that holds `tile/…`."""

    def fetch(path: str) -> bytes | None:
        try:
            return (folder / path).read_bytes()
        except OSError:  # absent, or no folder at all: the proof will say what is missing
            return None

    return fetch


def served_log(url: str) -> Fetch:
    """Fetch tiles from a room's address, where they stand under /log."""

    def fetch(path: str) -> bytes | None:
        try:
            with (
                Transport(url) as transport,
                transport.client.stream("GET", f"/log/{path}") as response,
            ):
                if response.status_code == httpx2.codes.NOT_FOUND:
                    return None
                response.raise_for_status()
                return _read_bounded(response)
        except httpx2.HTTPError as error:
            raise Unavailable("ROOM_UNREACHABLE", "the log") from error

    return fetch


def _find_log(checkpoint: Place, log: Place | None) -> Fetch | None:
    if isinstance(log, str) and log.startswith(("http://", "https://")):
        return served_log(log)
    if log is not None:
        return folder_log(Path(log))
    beside = Path(checkpoint).parent
    folders = [folder for folder in (beside / "log", beside) if (folder / "tile").is_dir()]
    return folder_log(folders[0]) if folders else None


def _prove(own: Checkpoint, kept: Checkpoint, fetch: Fetch | None) -> list[bytes] | None:
    if fetch is None:
        return None
    old, new = sorted((own.size, kept.size))
    try:
        return consistency_proof(TileReader(fetch, new), old, new)
    except Tampered as error:
        raise Tampered("CONSISTENCY", "the log's tiles do not reach") from error


def _leaf_hashes(checkpoint: Checkpoint, fetch: Fetch) -> set[str]:
    tiles = range(-(-checkpoint.size // WIDTH))
    hashes = [step for tile in tiles for step in read_tile(fetch, checkpoint.size, 0, tile)]
    if root_of_hashes(hashes) != checkpoint.root:
        raise Tampered("PROOF_INVALID", "the log's tiles do not give its root")
    return {step.hex() for step in hashes}


def _read_bounded(response: httpx2.Response) -> bytes:
    data = bytearray()
    for part in response.iter_bytes():
        data += part
        if len(data) > LARGEST_FILE:
            raise Tampered("CONTENT_CHANGED", "a tile of the log is too large")
    return bytes(data)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound("NOT_FOUND", what) from error


def _read_text(path: Path) -> str:
    try:
        return _read(path, "the checkpoint").decode()
    except UnicodeDecodeError as error:
        raise BadInput("FIELD_INVALID", "a checkpoint is text") from error
