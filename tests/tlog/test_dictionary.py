"""Who holds the whole public log and a dictionary of every code and grade links nothing."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
from collections import Counter

from saferoom.canonical import Json, canonical_bytes
from saferoom.core.log_events import KINDS, Entry, build_entry
from saferoom.tlog.commitments import CONTEXT
from saferoom.tlog.tile import Edge
from tests.tlog.small_log import ANSWER, LOG_KEY, NOW, counting, release

CODES = tuple(f"99{region:04d}00000000{check:02d}AB"[:18] for region in range(40) for check in (0,))
GRADES = (*(f"grade_{number:02d}" for number in range(14)), "missing", "refused")


def exported() -> dict[str, bytes]:
    """Grants, refusals and two releases of the same enterprises: what tiles show."""
    source = counting()
    grant = KINDS["grant_signed"].committed
    entries: list[Entry] = [
        build_entry("grant_signed", {}, dict.fromkeys(grant, code), NOW, source) for code in CODES
    ]
    refusal: dict[str, Json] = {"bank": "bank-a", "request": "r"}
    refused: list[dict[str, Json]] = [
        {"enterprise": code, "code": "AUTH_EXPIRED"} for code in CODES
    ]
    entries.append(build_entry("refusal", {}, refusal, NOW, source, refused))
    entries += [release(source, CODES) for _ in range(2)]
    return Edge().grow([entry.leaf for entry in entries])[1]


def guesses(value: Json) -> set[str]:
    """Every unsalted way to write a guess down that we can think of."""
    texts = {canonical_bytes(value), str(value).encode(), str(value).strip().encode()}
    salts = (b"", CONTEXT, CONTEXT + bytes(32), bytes(32), LOG_KEY.public.raw, b"\0", b"\1")
    hashes = {
        function(salt + text).hexdigest()
        for function in (hashlib.sha256, hashlib.sha1, hashlib.md5, hashlib.blake2b)
        for salt, text in itertools.product(salts, texts)
    }
    keyed = {
        hmac.digest(salt, text, "sha256").hex() for salt, text in itertools.product(salts, texts)
    }
    return hashes | keyed | {text.hex() for text in texts if len(text) > 6}


def test_no_guess_is_found_in_the_exported_log() -> None:
    export = b"".join(exported().values())
    seen = export.decode("latin-1") + export.hex()
    answers: list[Json] = [hashlib.sha256(ANSWER).hexdigest(), "bank-a", "li.na", 4000, 0]
    for value in (*CODES, *GRADES, *(grade.ljust(16) for grade in GRADES), *answers):
        if isinstance(value, str):
            assert value not in seen
        assert not any(guess in seen for guess in guesses(value))


def test_no_value_repeats_across_leaves() -> None:
    bundle = b"".join(data for path, data in exported().items() if "entries" in path)
    public = {  # digests of artefacts are the same on purpose: they are not personal
        hashlib.sha256(canonical_bytes(name)).hexdigest() for name in KINDS["release"].artefacts
    }
    values = Counter(re.findall(rb"[0-9a-f]{64}", bundle))
    repeated = {value.decode() for value, times in values.items() if times > 1}
    assert repeated == public


def test_two_scores_of_one_enterprise_share_nothing() -> None:
    source = counting()
    first, second = release(source), release(source)
    values = [set(re.findall(rb"[0-9a-f]{64}", b"".join(one.records))) for one in (first, second)]
    assert values[0].isdisjoint(values[1])
