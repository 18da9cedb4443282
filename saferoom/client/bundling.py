"""How does an auditor put evidence together for somebody who must not need us?

Everything is fetched from the room as the auditor may see it, each page of openings logged there
as always; the tiles are made again from the entries, so nothing is taken that the entries do not
give. The whole log with its openings, or (`about`) one party's receipts and the closed log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from saferoom.canonical import Json, canonical_bytes
from saferoom.client.statements import Author
from saferoom.core.archive import write_archive
from saferoom.core.bundle import MANIFEST, Bundle, list_files
from saferoom.core.moment import write_instant
from saferoom.core.papers import check_papers
from saferoom.core.receipt import check_receipt
from saferoom.core.trust import Trust
from saferoom.errors import NotFound, Tampered, Unavailable
from saferoom.monitor.openings import KIND as OPENINGS
from saferoom.tlog.checkpoint import read_note
from saferoom.tlog.merkle import leaf_hash, root
from saferoom.tlog.tile import WIDTH, Edge, read_entries

# What counts in the room: who may act, and what was agreed to, with every vote.
STANDING = (
    "party_admitted", "party_suspended", "source_connected", "views_approved", "policy_activated",
    "template_approved", "version_approved", "version_suspended",
)  # fmt: skip
_NAMED = ("enterprise", "party", "bank", "source")
README = """\
数据安全屋证据包 / Evidence bundle of a data safe room

无需联网即可核验 / To check it, without any network:

    saferoom verify BUNDLE.zip --trust trust.json

请从机房以外的途径取得信任文件并核对其指纹；包内所附仅供参考。
Get the trust file by another way than this bundle and compare its fingerprint; the one in here
is only what the auditor used.

manifest.json   目录及审计人签名 / every file's digest, signed by the auditor
signer.json     审计人密钥的回执 / the receipt of the auditor's key
checkpoint      日志检查点及联署 / the log's checkpoint and its cosignatures
log/tile/       日志全部条目及哈希 / every entry of the log, and its hashes
openings.jsonl  承诺的开示 / what opens the entries' commitments, unless it is about one party
receipts/       回执及所依据的签名文件 / receipts, with the signed papers that they rest on
stamped.json    时间戳（如有）/ time stamps over a checkpoint, if there are any
"""


class RoomToAudit(Protocol):
    """What of a room's client is used here."""

    def export_openings(self, first: int, size: int | None) -> Mapping[str, Json]: ...  # noqa: D102
    def receipts(self, *, kind: str) -> list[str]: ...  # noqa: D102
    def receipt(self, receipt_id: str) -> bytes: ...  # noqa: D102
    def checkpoint(self) -> bytes: ...  # noqa: D102
    def log_file(self, path: str) -> bytes | None: ...  # noqa: D102


def make_bundle(
    room: RoomToAudit,
    author: Author,
    trust: Trust,
    *,
    about: str | None = None,
    releases: int = 100,
) -> bytes:
    """Fetch everything, the checkpoint last so that it covers the rest; sign; return the ZIP."""
    lines = list(pages(room))
    signer = _own_key(room, author, trust)
    receipts = _standing(room)
    if about is None:
        receipts += room.receipts(kind="release")[-releases:] if releases else []
    else:
        receipts += _about(room, lines[1:], about)
    files = {f"receipts/{name}.json": room.receipt(name) for name in dict.fromkeys(receipts)}
    files |= {"README.txt": README.encode(), "signer.json": signer, "trust.json": trust.to_bytes()}
    if about is None:
        files["openings.jsonl"] = b"".join(canonical_bytes(line) + b"\n" for line in lines)
    note = room.checkpoint()
    size = read_note(note.decode()).checkpoint.size
    files |= {"checkpoint": note} | {
        f"log/{path}": data for path, data in _tiles(room, note.decode()).items()
    }
    if (stamped := room.log_file("stamped")) is not None:
        files["stamped.json"] = stamped
    bundle = Bundle(
        origin=trust.origin,
        size=size,
        made_at=write_instant(author.clock()),
        about=about,
        files=list_files(files),
        nonce=author.random_bytes(16).hex(),
    )
    return write_archive({**files, MANIFEST: author.sign(bundle.to_body()).to_bytes()})


def pages(room: RoomToAudit) -> Iterator[dict[str, Json]]:
    """Export what opens the log: a head, then a line for each entry."""
    first, size = 0, None
    while size is None or first < size:
        page = room.export_openings(first, size)
        lines, told_size, following = page["lines"], page["size"], page["next"]
        if not isinstance(lines, list) or type(told_size) is not int or type(following) is not int:
            raise Unavailable("ROOM_UNREACHABLE", "a page of openings")
        if size is None:
            size = told_size
            yield {"kind": OPENINGS, "origin": page["origin"], "size": size}
        yield from (line for line in lines if isinstance(line, dict))
        first = max(following, first + 1)


def _standing(room: RoomToAudit) -> list[str]:
    return [name for kind in STANDING for name in room.receipts(kind=kind)]


def _own_key(room: RoomToAudit, author: Author, trust: Trust) -> bytes:
    """Find the receipt of the auditor's own key: whoever verifies starts there."""
    own = author.keys.signing.public.id
    for name in room.receipts(kind="key_enrolled"):  # an auditor is there before most enterprises
        data = room.receipt(name)
        if check_receipt(data, trust, check_papers=check_papers).opened.get("key") == own:
            return data
    raise NotFound("NOT_FOUND", "the receipt of this key")


def _about(room: RoomToAudit, lines: list[dict[str, Json]], party: str) -> Iterator[str]:
    """Name the receipts of entries, and of records, that name this party."""
    size = len(lines)
    leaves = _entries(room, size)
    for line, leaf in zip(lines, leaves, strict=True):
        name = leaf_hash(leaf).hex()
        opened, records = line["leaf"], line["records"]
        assert isinstance(records, list)
        named = _names(opened, party)
        for position, record in enumerate(records):
            if named or (isinstance(record, dict) and _names(record["openings"], party)):
                yield f"{name}-{position}"
        if named and not records:
            yield name


def _names(openings: Json, party: str) -> bool:
    if not isinstance(openings, dict):
        return False
    said = [openings.get(field) for field in _NAMED]
    return any(isinstance(one, dict) and one.get("value") == party for one in said)


def _entries(room: RoomToAudit, size: int) -> list[bytes]:
    return [
        leaf
        for index in range(-(-size // WIDTH))
        for leaf in read_entries(room.log_file, size, index)
    ]


def _tiles(room: RoomToAudit, note: str) -> dict[str, bytes]:
    """Make the tiles of this very size from the entries; they must give the root."""
    head = read_note(note).checkpoint
    leaves = _entries(room, head.size)
    if root(leaves) != head.root:
        raise Tampered("PROOF_INVALID", "the log's entries do not give its root")
    return Edge().grow(leaves)[1]
