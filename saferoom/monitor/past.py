"""Does a log that follows a closed one carry all of it that was left, as two people signed?

The trust file holds the closings, each signed by the founders. The newest stands first in the log;
behind it come the entries that were left, whose root it names. What a monitor saw of the closed
log itself, as far as places were left, must be there too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from saferoom.canonical import Json
from saferoom.crypto.signing import Statement, VerifyKey
from saferoom.errors import Tampered
from saferoom.monitor.alarms import Alarm
from saferoom.monitor.openings import holds
from saferoom.tlog.merkle import Frontier

KIND = "saferoom/closing/1"
LEAF = "log_closed"
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Closing:
    """How one log ended."""

    digest: str
    origin: str
    placed: int
    size: int
    root: bytes
    confirmed_from: datetime  # a grant signed no later is suspended


def read_closings(
    bodies: Sequence[dict[str, Json]], founders: Sequence[Statement]
) -> list[Closing]:
    """Read the trust file's; every founder signed each."""
    keys = [VerifyKey.from_hex(one.body["signing_key"]) for one in founders]
    closings = []
    for statement in map(Statement.from_json, bodies):
        body = statement.body
        if body["kind"] != KIND or len(keys) < 2 or not holds(statement, *keys):
            raise Tampered("CHECKPOINT_UNTRUSTED", "a closing that the founders did not sign")
        closings.append(
            Closing(
                digest=statement.digest,
                origin=str(body["origin"]),
                placed=int(str(body["placed"])),
                size=int(str(body["size"])),
                root=bytes.fromhex(str(body["root"])),
                confirmed_from=datetime.fromisoformat(str(body["closed_at"])) + _SKEW,
            )
        )
    return closings


def unconfirmed(closings: Sequence[Closing], index: int, signed_at: Json) -> bool:
    """Say whether what stands here rests on a grant from before a closing that came before it."""
    signed = datetime.fromisoformat(str(signed_at))
    return any(
        index > one.size + later and signed <= one.confirmed_from
        for later, one in enumerate(reversed(closings))
    )


@dataclass
class Past:
    """What is carried, read along with the log."""

    closings: Sequence[Closing]
    seen: Mapping[int, bytes] = field(default_factory=dict)  # of the closed log: size → root
    _waiting: list[bytes] = field(default_factory=list)
    _tree: Frontier = field(default_factory=Frontier)

    def leaf(self, index: int, kind: str, data: bytes, digest: bytes) -> Iterator[Alarm]:
        """Take one entry; compare where a root is known."""
        if not self.closings:
            return
        last = self.closings[-1]
        if index == 0:
            if kind != LEAF or last.digest.encode() not in data:
                yield Alarm("PAST_CHANGED", "the log does not begin with its closing", 0)
            return
        if index > last.size:
            return
        self._waiting.append(digest)
        wanted = last.root if index == last.size else self._seen(index, last)
        if wanted is not None:
            self._tree, self._waiting = self._tree.extend(self._waiting), []
            if self._tree.root() != wanted:
                yield Alarm("PAST_CHANGED", f"the closed log's first {index}", index)

    def cut(self, size: int) -> Iterator[Alarm]:
        """Say if less stands here than was left."""
        if self.closings and size <= self.closings[-1].size:
            yield Alarm("PAST_CHANGED", "less is carried than was left")

    def tells_no_time(self, index: int, kind: str) -> bool:
        """Say whether an entry is a closing, younger than what is carried behind it."""
        return kind == LEAF and index < len(self.closings)

    def _seen(self, index: int, last: Closing) -> bytes | None:
        return self.seen.get(index) if index <= last.placed else None
