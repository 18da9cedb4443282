"""Was anything lost or doubled, released twice or after a revocation?

Each check yields what it holds against the room; no finding, no complaint.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from saferoom.errors import SaferoomError
from tests.proofs.kills_evidence import WIDTH, Evidence, Line, hash_leaf


def audit(evidence: Evidence) -> list[str]:
    """Run every check; name what does not hold."""
    findings: list[str] = []
    for check in (_tiles, _checkpoints, _entries, _receipts, _answers, _ledger, _revoked, _signed):
        try:
            findings += [f"{check.__name__[1:]}: {said}" for said in check(evidence)]
        except (SaferoomError, OSError, KeyError, ValueError, IndexError) as error:
            findings.append(f"{check.__name__[1:]}: cannot be read: {error!r:.300}")
    return findings


def _tiles(e: Evidence) -> Iterator[str]:
    names = {
        str(p.relative_to(e.log.folder)) for p in (e.log.folder / "tile").rglob("*") if p.is_file()
    }
    for name in sorted(names):
        base, _, width = name.partition(".p/")
        if (e.log.folder / name).read_bytes() != b"".join(
            e.log.rows.get(base, [])[: int(width or WIDTH)]
        ):
            yield f"{name} differs from the entries"
    needed = {n if len(row) == WIDTH else f"{n}.p/{len(row)}" for n, row in e.log.rows.items()}
    yield from (f"{name} is missing" for name in sorted(needed - names))


def _checkpoints(e: Evidence) -> Iterator[str]:
    in_order = [*e.checkpoints, e.log.newest]
    for note in {*in_order, *(str(one["told"]["checkpoint"]) for one in e.opened.values())}:
        text, _, lines = note.partition("\n\n")
        size, root = text.split("\n")[1:]
        if (
            int(size) >= len(e.log.roots)
            or base64.b64encode(e.log.roots[int(size)]).decode() != root
        ):
            yield f"the log of size {size} was another"
        if not _signed_by_log(e, text + "\n", lines):
            yield f"the checkpoint of size {size} is not signed"
    sizes = [int(note.split("\n")[1]) for note in in_order]
    if sizes != sorted(sizes):
        yield "the log shrank"


def _signed_by_log(e: Evidence, text: str, lines: str) -> bool:
    for key in json.loads(e.trust)["log_keys"]:
        for line in lines.splitlines():  # C2SP signed-note: em dash, name, base64(hint, signature)
            signature = base64.b64decode(line.split(" ")[2])[4:]
            try:
                public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key["key"]))
                public.verify(signature, text.encode())
            except InvalidSignature:
                continue
            return True
    return False


def _entries(e: Evidence) -> Iterator[str]:
    if len(e.log.leaves) != e.log.size:
        yield f"{len(e.log.leaves)} entries where the checkpoint covers {e.log.size}"
    logged = [leaf.hex() for leaf in e.log.hashes]
    yield from (f"entry {h} stands {n} times" for h, n in Counter(logged).items() if n > 1)
    lines = [json.loads(line) for line in e.sink.read_text().splitlines()]
    sunk = {one["id"] for one in lines if hash_leaf(bytes.fromhex(one["leaf"])).hex() == one["id"]}
    promised = {entry for answered in e.answers for entry in answered.promised}
    for wrong, those in (
        ("in the log, not in the sink", set(logged) - sunk),
        ("in the sink, not in the log", {one["id"] for one in lines} - set(logged)),
        ("promised, not in the log", promised - set(logged)),
    ):
        yield from (f"entry {entry} is {wrong}" for entry in sorted(those))


def _receipts(e: Evidence) -> Iterator[str]:
    """Hold records of release entries and the releases that the room lists one to one."""
    logged = {
        (index, record)
        for index, leaf in enumerate(map(json.loads, e.log.leaves))
        if leaf["kind"] == "release"
        for record in range(leaf["records"]["count"])
    }
    places = Counter(one["place"] for one in e.opened.values())
    released = Counter((one["request"], one["enterprise"]) for one in e.opened.values())
    yield from (f"{n} releases at {place}" for place, n in places.items() if n > 1)
    yield from (f"{n} releases for {asked}" for asked, n in released.items() if n > 1)
    yield from (f"record {place} has no release" for place in sorted(logged - set(places)))
    yield from (f"release at {place} has no record" for place in sorted(set(places) - logged))
    for name, one in e.opened.items():
        if e.log.hashes[one["place"][0]].hex() != one["entry"]:
            yield f"receipt {name} shows another entry than the log"


def _answers(e: Evidence) -> Iterator[str]:
    first: dict[tuple[str, str], Line] = {}
    for answered in e.answers:
        for line in answered.results:
            for said in _line(e, answered.request, line, first):
                yield f"{answered.request[:8]} {line['enterprise']} {said}"
    told = {line["receipt"] for answered in e.answers for line in answered.results}
    yield from (f"release {name} answers nobody" for name in sorted(set(e.opened) - told))


def _line(
    e: Evidence, request: str, line: Line, first: dict[tuple[str, str], Line]
) -> Iterator[str]:
    if line["receipt"] is None:
        if line["answer"] is not None or line["charge_mbit"]:
            yield "was answered or charged without a receipt"
        return
    one = e.opened[line["receipt"]]
    if (one["request"], one["enterprise"]) != (request, line["enterprise"]):
        yield "was given another's receipt"
    if (one["charge_mbit"], one["source"] == "stored") != (line["charge_mbit"], line["stored"]):
        yield "was told another charge than its receipt"
    if line["answer"] is None:
        return
    if hashlib.sha256(bytes.fromhex(line["answer"])).hexdigest() != one["answer"]:
        yield "got another answer than the one in the log"
    if one["grant"] not in e.revoked and one["told"]["answer"] != line["answer"]:
        yield "has a receipt with another answer"
    if first.setdefault((request, line["enterprise"]), line) != line:
        yield "was answered otherwise the second time"


def _ledger(e: Evidence) -> Iterator[str]:
    charged: defaultdict[str, int] = defaultdict(int)
    for one in e.opened.values():
        charged[one["enterprise"]] += one["charge_mbit"]
        if one["source"] == "stored" and one["charge_mbit"]:
            yield f"a stored answer of {one['enterprise']} was charged"
    for who in sorted({*charged, *e.spent}):
        if charged[who] != e.spent.get(who, 0):
            yield f"{who}: charged {charged[who]}, the ledger says {e.spent.get(who, 0)}"


def _revoked(e: Evidence) -> Iterator[str]:
    asked = {answered.request: answered.asked for answered in e.answers}
    for name, one in e.opened.items():
        if asked.get(one["request"], 0) > e.revoked.get(one["grant"], float("inf")):
            yield f"release {name} was asked for after its grant was revoked"
        if one["grant"] in e.revoked and one["told"]["answer"] is not None:
            yield f"receipt {name} holds an answer whose grant was revoked"
        if name in e.late.get(one["grant"], ()):
            yield f"release {name} was recorded after its grant was revoked"


def _signed(e: Evidence) -> Iterator[str]:
    """Hold what was acknowledged, what is listed, and the entries of its kind together."""
    for kind, listed in e.listed.items():
        yield from (f"{kind} {one} is lost" for one in sorted(e.signed[kind] - listed))
        yield from (f"{kind} {one} is nobody's" for one in sorted(listed - e.signed[kind]))
        if e.log.kinds[kind] != len(listed):
            yield f"{e.log.kinds[kind]} entries for {len(listed)} of {kind}"
