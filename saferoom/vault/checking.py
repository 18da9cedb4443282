"""Which files of the vault are not well?

Every byte that can be checked is: keys are unwrapped, parts and segments decrypted, journals
followed frame by frame. Nothing is changed, and nothing is told but names of files and a count.
What is damaged is named, and the rest is read all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published

from saferoom.canonical import Digest, Json, digest_bytes
from saferoom.core.facts import Table
from saferoom.errors import SaferoomError, Tampered
from saferoom.vault.durable import read_frames
from saferoom.vault.facts import read_part
from saferoom.vault.home import VaultHome, read_genesis
from saferoom.vault.key_backups import read_copies
from saferoom.vault.keys import PLACEMENT, Keys
from saferoom.vault.parts import FactsManifest, Part, read_manifest
from saferoom.vault.publication import read_kept
from saferoom.vault.segments import open_rows
from saferoom.vault.snapshots import file_key, read_papers

Look = tuple[Path, Callable[[], object]]
_BROKEN = (SaferoomError, OSError, ValueError, pa.ArrowException)


def check_home(paths: VaultHome, tables: Mapping[str, Table]) -> dict[str, Json]:
    """Look at every file; name those that are damaged or missing."""
    unwell: list[str] = []
    looked = 0
    for path, look in _looks(paths, tables):
        looked += 1
        try:
            look()
        except _BROKEN:  # what exactly is wrong with it would need its values
            unwell.append(str(path.relative_to(paths.vault)))
    damaged: list[Json] = [*unwell]
    return {"well": not unwell, "files": looked, "damaged": damaged}


def _looks(paths: VaultHome, tables: Mapping[str, Table]) -> Iterator[Look]:
    yield paths.genesis, lambda: read_genesis(paths.genesis.read_bytes())
    lessons = paths.journal / "statements.log"  # without it nobody would know whom to believe
    for path in sorted({lessons, *paths.journal.glob("*.log")}):
        yield path, lambda path=path: list(read_frames(path))  # type: ignore[misc]
    for path in sorted(paths.models.glob("*")):
        yield path, lambda path=path: _check_named(path)  # type: ignore[misc]
    yield paths.keys / "backups", lambda: read_copies(paths.keys / "backups")
    yield paths.keys / "ring", lambda: Keys(paths.keys, os.urandom).key(PLACEMENT)
    with suppress(*_BROKEN):  # else there is nothing that could be read
        keys = Keys(paths.keys, os.urandom)
        yield from _facts(paths.facts, keys, tables)
        yield from _segments(paths.segments, keys)


def _facts(folder: Path, keys: Keys, tables: Mapping[str, Table]) -> Iterator[Look]:
    path = folder / "manifest.json"
    yield path, lambda: _check_manifest(path)
    with suppress(*_BROKEN):
        manifest = read_manifest(path)
        for part in manifest.parts:
            yield (
                folder / part.file,
                lambda part=part: _check_part(  # type: ignore[misc]
                    folder, keys, manifest, part, tables
                ),
            )


def _check_manifest(path: Path) -> None:
    """Read what says which parts there are; without it, there must be none."""
    read_manifest(path)
    if not path.exists() and any(path.parent.glob("*/*.parquet")):
        raise Tampered("CONTENT_CHANGED", "the facts' manifest")


def _check_part(
    folder: Path, keys: Keys, manifest: FactsManifest, part: Part, tables: Mapping[str, Table]
) -> None:
    rows = read_part(folder, keys, manifest, part)
    if rows.num_rows != part.rows or part.table not in tables:
        raise Tampered("CONTENT_CHANGED", "a part of the facts")


def _segments(folder: Path, keys: Keys) -> Iterator[Look]:
    yield folder / "current", lambda: read_kept(folder)
    with suppress(*_BROKEN):
        for name, digest in read_kept(folder):
            yield from _snapshot(folder / name, keys, Digest(digest))


def _snapshot(folder: Path, keys: Keys, digest: Digest) -> Iterator[Look]:
    yield folder / "manifest.json", lambda: read_papers(folder, digest)
    with suppress(*_BROKEN):
        manifest, files = read_papers(folder, digest)
        for file in files.files:
            yield (
                folder / file.name,
                lambda file=file: open_rows(  # type: ignore[misc]
                    folder / file.name, file_key(keys, manifest, files, file), manifest.nonce
                ),
            )


def _check_named(path: Path) -> None:
    """Compare a sealed model with the digest that it rests under."""
    if digest_bytes(path.read_bytes()) != path.name:
        raise Tampered("CONTENT_CHANGED", "an artefact")
