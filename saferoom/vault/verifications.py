"""What did departments answer about an enterprise, and may they be asked again?

The book of answers: enterprises and claims by keyed marks, answers with the instant at which the
department gave them. It is replaced durably before an answer leaves, so no restart gives a claim
back. An answer that no longer lasts is dropped, and so is all of an enterprise that was erased.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from saferoom.canonical import Digest, Json, canonical_bytes, parse_object
from saferoom.core.moment import read_instant, write_instant
from saferoom.core.verification import MOST_DAYS, Asked, Question, VerifyRequest, answer_given
from saferoom.errors import Tampered, Unavailable
from saferoom.vault.durable import write_file

KIND = "saferoom/verified/1"
_Key = tuple[str, Digest]  # the enterprise's mark, the question


class Verifications:
    """The answers that last."""

    def __init__(
        self, path: Path, mark_of: Callable[[str], bytes], erased: Mapping[bytes, datetime]
    ) -> None:
        """Read the book; what was erased meanwhile is not in it."""
        self._path, self._mark_of = path, mark_of
        self._lock, self._busy = threading.Lock(), set[_Key]()
        self._book = _read(path)
        for mark, at in erased.items():
            self._drop(mark.hex(), at)

    def answer(
        self, request: VerifyRequest, question: Question, now: datetime, ask: Callable[[], str]
    ) -> Asked:
        """Give the answer that lasts, or ask for one; one at a time about one enterprise.

        A claim counts before the department is asked: an answer that is lost on the way back
        has still been given.
        """
        key = (self._mark_of(request.enterprise).hex(), question.digest)
        claim = "" if request.claim is None else self._mark_of(f"claim {request.claim}").hex()
        with self._lock:
            if key in self._busy:
                raise Unavailable("VAULT_BUSY", "the same question about the same enterprise")
            known = answer_given(question, self._book.get(key, ()), claim, now)
            if known is not None and known.answer:
                return known
            self._busy.add(key)
        try:
            self._keep(key, Asked(claim, "", now), now)
            found = Asked(claim, ask(), now)
            self._keep(key, found, now)
            return found
        finally:
            with self._lock:
                self._busy.discard(key)

    def forget(self, enterprise: str, at: datetime) -> None:
        """Drop all of an enterprise that was erased."""
        with self._lock:
            self._drop(self._mark_of(enterprise).hex(), at)
            self._write(self._book)

    def _drop(self, mark: str, at: datetime) -> None:
        self._book = {
            key: tuple(one for one in asked if key[0] != mark or one.at > at)
            for key, asked in self._book.items()
        }

    def _keep(self, key: _Key, new: Asked, now: datetime) -> None:
        with self._lock:
            others = [one for one in self._book.get(key, ()) if one.claim != new.claim]
            since = now - timedelta(days=MOST_DAYS)
            book = {**self._book, key: (*others, new)}
            kept = {k: tuple(one for one in asked if one.at > since) for k, asked in book.items()}
            self._write(kept)
            self._book = kept

    def _write(self, book: Mapping[_Key, Sequence[Asked]]) -> None:
        lines: list[Json] = [
            [mark, question, one.claim, one.answer, write_instant(one.at)]
            for (mark, question), asked in sorted(book.items())
            for one in asked
        ]
        write_file(self._path, canonical_bytes({"kind": KIND, "answers": lines}))


def _read(path: Path) -> dict[_Key, tuple[Asked, ...]]:
    if not path.exists():
        return {}
    book: dict[_Key, tuple[Asked, ...]] = {}
    body = parse_object(path.read_bytes())
    lines = body.get("answers")
    for line in lines if isinstance(lines, list) and body.get("kind") == KIND else [None]:
        match line:
            case [str(mark), str(question), str(claim), str(answer), at]:
                key = (mark, Digest(question))
                book[key] = (*book.get(key, ()), Asked(claim, answer, read_instant(at)))
            case _:
                raise Tampered("CONTENT_CHANGED", "the vault's book of verifications")
    return book
