"""What would a room that loses or doubles leave behind?

Each twin is the evidence of a real run with one thing wrong, as thorough as a dishonest or
careless operator could make it: the log is written anew and signed by its own key.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from saferoom.adapters.log_files import LogFiles
from saferoom.adapters.sinks import FileSink
from saferoom.canonical import canonical_bytes
from saferoom.client.statements import utc_now
from saferoom.core.log_events import KINDS, build_entry
from saferoom.crypto.signing import SigningKey
from tests.proofs.kills_evidence import Evidence, Line, PublicLog, hash_leaf

Twin = Callable[[Evidence, Path], Evidence]
Leaves = list[bytes]


def _logged(change: Callable[[Leaves, int], Leaves]) -> Twin:
    """Write the log anew; `change` is told where the last release stands."""

    def twin(e: Evidence, folder: Path) -> Evidence:
        leaves = change(list(e.log.leaves), _last_release(e))
        key = SigningKey(bytes.fromhex((e.sink.parents[1] / "keys" / "log.key").read_text()))
        log = LogFiles(folder / "log", e.log.newest.split("\n")[0], [key])
        log.extend(0, leaves)
        sink = FileSink(folder / "entries.log")
        sink.append([(hash_leaf(leaf).hex(), leaf) for leaf in leaves])
        sink.close()
        return replace(e, log=PublicLog(folder / "log"), sink=folder / "entries.log")

    return twin


def _forgotten(e: Evidence, folder: Path) -> Evidence:
    """Keep from the sink one entry that was delivered."""
    lines = e.sink.read_bytes().splitlines(keepends=True)
    gone = e.log.hashes[_last_release(e)].hex()
    (folder / "entries.log").write_bytes(b"".join(x for x in lines if json.loads(x)["id"] != gone))
    return replace(e, sink=folder / "entries.log")


def _bent_tile(e: Evidence, folder: Path) -> Evidence:
    """Change one byte of one tile and leave the rest."""
    for path in (p for p in e.log.folder.rglob("*") if p.is_file()):
        target = folder / path.relative_to(e.log.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = bytearray(path.read_bytes())
        if "tile/0" in str(path):
            data[0] ^= 1
        target.write_bytes(data)
    return replace(e, log=PublicLog(folder))


def _answered_otherwise(e: Evidence, _: Path) -> Evidence:
    """Give a repeat other sealed bytes than the first time."""
    spoilt = [_spoil(line) for line in e.answers[-1].results]
    assert spoilt != list(e.answers[-1].results), "the last answer holds a release"
    return replace(e, answers=(*e.answers, replace(e.answers[-1], results=tuple(spoilt))))


def _spoil(line: Line) -> Line:
    answer = line["answer"]
    return (
        line if answer is None else {**line, "answer": f"{int(answer[:2], 16) ^ 1:02x}{answer[2:]}"}
    )


def _uncharged(e: Evidence, _: Path) -> Evidence:
    who = max(e.spent, key=lambda code: e.spent[code])
    return replace(e, spent={**e.spent, who: e.spent[who] - 1})


def _unanswered(e: Evidence, _: Path) -> Evidence:
    """Forget that anybody was given the last release."""
    last = list(e.receipts)[-1]
    kept = [
        replace(a, results=tuple(line for line in a.results if line["receipt"] != last))
        for a in e.answers
    ]
    return replace(e, answers=tuple(kept))


def _released_twice(e: Evidence, _: Path) -> Evidence:
    name, data = next(iter(e.receipts.items()))
    return replace(e, receipts={**e.receipts, f"{name}-again": data})


def _released_late(e: Evidence, _: Path) -> Evidence:
    name, one = next(iter(e.opened.items()))
    return replace(e, late={one["grant"]: frozenset({name})})


def _asked_late(e: Evidence, _: Path) -> Evidence:
    return replace(e, revoked={one["grant"]: 0.0 for one in e.opened.values()})


def _lost_grant(e: Evidence, _: Path) -> Evidence:
    grants = e.listed["grant_signed"]
    return replace(e, listed={**e.listed, "grant_signed": grants - {max(grants)}})


def _shrunk(e: Evidence, _: Path) -> Evidence:
    return replace(e, checkpoints=(*e.checkpoints, e.checkpoints[0]))


def _other_key(e: Evidence, _: Path) -> Evidence:
    trust = json.loads(e.trust)
    trust["log_keys"][0]["key"] = SigningKey(bytes(32)).public.raw.hex()
    return replace(e, trust=canonical_bytes(trust), receipts={})


def _kept_answer(e: Evidence, _: Path) -> Evidence:
    """As if the grant of an answer that a receipt still holds had been revoked at the end."""
    held = next(one for one in e.opened.values() if one["told"]["answer"] is not None)
    return replace(e, revoked={**e.revoked, held["grant"]: float("inf")})


def _one_more(kind: str) -> Twin:
    names = KINDS[kind]
    personal = dict.fromkeys(names.committed)
    records = [dict.fromkeys(names.record)] if names.record else []
    entry = build_entry(kind, {}, personal, utc_now(), secrets.token_bytes, records)
    return _logged(lambda leaves, _: [*leaves, entry.leaf])


def _last_release(e: Evidence) -> int:
    return max(int(one["place"][0]) for one in e.opened.values())


# What is wrong → how it came to be, and what the audit must say.
TWINS: dict[str, tuple[Twin, str]] = {
    "a release's entry is lost": (
        _logged(lambda leaves, at: leaves[:at] + leaves[at + 1 :]),
        "promised, not in the log",
    ),
    "the newest entries are lost": (_logged(lambda leaves, at: leaves[:at]), "was another"),
    "a release's entry is doubled": (
        _logged(lambda leaves, at: [*leaves, leaves[at]]),
        "stands 2 times",
    ),
    "a doubled entry is a record that nobody was given": (
        _logged(lambda leaves, at: [*leaves, leaves[at]]),
        "has no release",
    ),
    "two entries changed places": (
        _logged(
            lambda leaves, at: [*leaves[: at - 1], leaves[at], leaves[at - 1], *leaves[at + 1 :]]
        ),
        "was another",
    ),
    "a grant was logged twice": (_one_more("grant_signed"), "entries for"),
    "a refusal was logged twice": (_one_more("refusal"), "entries for"),
    "the sink lost an entry": (_forgotten, "in the log, not in the sink"),
    "a tile was bent": (_bent_tile, "differs from the entries"),
    "the log shrank": (_shrunk, "the log shrank"),
    "another key signed": (_other_key, "is not signed"),
    "a retry was answered otherwise": (_answered_otherwise, "otherwise the second time"),
    "a release answers nobody": (_unanswered, "answers nobody"),
    "a release stands twice": (_released_twice, "2 releases for"),
    "a charge is missing": (_uncharged, "the ledger says"),
    "a grant was lost": (_lost_grant, "is lost"),
    "a release came after the revocation": (_released_late, "was recorded after"),
    "a receipt kept its answer": (_kept_answer, "holds an answer whose grant"),
    "a request came after the revocation": (_asked_late, "was asked for after"),
}
