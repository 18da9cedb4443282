"""How do settings and a home become a room?

The only place that knows every adapter. `found` makes what a new home needs and writes
its version last, so a home that was half made is not taken for a room.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from saferoom.adapters import cedar
from saferoom.adapters.archive_folder import ArchiveFolder
from saferoom.adapters.database.engine import open_database, reading, sqlite_url, writing
from saferoom.adapters.database.migrating import migrate
from saferoom.adapters.following_log import FollowingLog
from saferoom.adapters.notifiers import open_notifier
from saferoom.adapters.sinks import open_sinks
from saferoom.adapters.syslog import SyslogSink
from saferoom.adapters.tail_keys import TailKeyFile, write_seed
from saferoom.adapters.timestamp_client import open_authorities
from saferoom.adapters.trust_file import TrustFile
from saferoom.adapters.vault_client import VaultClient
from saferoom.adapters.witness_client import WitnessBook
from saferoom.app import behind, closing, log, people, restoring, trusting, witnessing
from saferoom.app.context import Room
from saferoom.app.restoring import Restored
from saferoom.core.closing import Closing
from saferoom.core.enrolment import check_genesis
from saferoom.core.moment import write_instant
from saferoom.core.retention import Retention
from saferoom.core.trust import LogKey, Trust, VaultKeys
from saferoom.core.witnesses import NO_WITNESSES, Witnesses
from saferoom.crypto.ratchet import Ratchet
from saferoom.crypto.signing import (
    NoteSigner,
    NoteVerifier,
    SigningKey,
    Statement,
    hex_bytes,
)
from saferoom.crypto.sm2 import SEED_BYTES, Sm2SigningKey
from saferoom.errors import BadInput, Conflict, NotFound, Unavailable
from saferoom.ports import Notifier, Tail
from saferoom.settings import Settings, read_settings

VERSION = 1
SM2_KEY = "log-sm2.key"


def utc_now() -> datetime:
    """Read the wall clock; everything else is passed it."""
    return datetime.now(UTC)


def found(
    settings: Settings,
    genesis: Sequence[Statement],
    vault: VaultKeys,
    *,
    witnesses: Witnesses = NO_WITNESSES,
    sm2: bool = False,
    clock: Callable[[], datetime] = utc_now,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> None:
    """Make keys, trust file, database and the log's first entry for two founders.

    The vault drew its keys already: the trust file names them, and the log's genesis its digest.
    """
    check_genesis(genesis)
    home = settings.home
    if (home / "version").exists():
        raise Conflict("DUPLICATE", "this home has a room")
    for name in ("", "keys", "run", "vault"):
        (home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)  # also one that was there, and empty
    log_key = SigningKey(_write_key(home / "keys" / "log.key", random_bytes(32)))
    _write_key(home / "keys" / "subject.key", random_bytes(32))
    signers: list[NoteSigner] = [log_key]
    if sm2:
        second = Sm2SigningKey.from_seed(random_bytes(SEED_BYTES))
        _write_key(home / "keys" / SM2_KEY, second.secret)
        signers.append(second)
    trust = Trust(
        origin=settings.origin,
        log_keys=tuple(_trusted(signer.public, clock()) for signer in signers),
        operators=tuple(genesis),
        vaults=(vault,),
        witnesses=witnesses,
    )
    _write_synced(home / "trust.json", trust.to_bytes(), 0o644)
    with _open(settings, clock, random_bytes, random_bytes(16).hex()) as room:
        people.genesis(room, genesis, trust.fingerprint)
    _write_synced(home / "version", f"{VERSION}\n".encode(), 0o644)


def witness_genesis(settings: Settings, seconds: float) -> bool:
    """Give the first entry its place, and wait for a quorum to cosign it; False: it did not."""
    with open_room(settings, "serve") as room:  # its lease is the server's, who comes next
        if room.trust is None or not room.trust.witnesses.quorum:
            return True
        log.deliver(room)
        log.sequence(room)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for witness in room.witnesses:
                with suppress(Unavailable):
                    witnessing.ask(room, witness)
            if witnessing.newest_quorum(room) is not None:
                return True
            time.sleep(0.2)
        return False


@contextmanager
def open_room(settings: Settings, program: str) -> Iterator[Room]:
    """Open the room of a home for one program; an older one refuses a newer home.

    A room that was set back opens for nobody but `restore`.
    """
    with open_to_restore(settings, program) as room:
        behind.check_whole(room)
        yield room


def restore(settings: Settings, named: Sequence[str]) -> Restored:
    """Replay a room that was set back from its own sinks and from others."""
    with _tails(settings, named) as tails, open_to_restore(settings, "restore") as room:
        return restoring.restore(room, [*room.tails, *tails])


def propose_closing(
    settings: Settings, named: Sequence[str], successor: str, reason: str
) -> Closing:
    """Bring back what is anywhere, and say what is left of a log that cannot go on."""
    with _tails(settings, named) as tails, open_to_restore(settings, "restore") as room:
        return closing.propose(room, [*room.tails, *tails], successor, reason)


def close(settings: Settings, statement: Statement) -> Trust:
    """Close the log by what two operators signed; the new one has its trust file and no tile."""
    home = settings.home
    trust = Trust.from_bytes((home / "trust.json").read_bytes())
    if statement not in trust.closed:
        with open_to_restore(settings, "restore") as room:
            new = closing.carry_out(room, statement)
        old_home = home / "closed" / f"{len(new.closed):04}"
        old_home.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not (old_home / "log").exists() and (home / "log").exists():
            (home / "log").rename(old_home / "log")
        _replace_synced(old_home / "trust.json", trust.to_bytes(), 0o644)
        _replace_synced(home / "trust.json", new.to_bytes(), 0o644)
        trust = new
    with open_to_restore(settings, "restore") as room, writing(room.database) as connection:
        behind.forget(connection)
    return trust


@contextmanager
def _tails(settings: Settings, named: Sequence[str]) -> Iterator[list[Tail]]:
    more = open_sinks(",".join(named), settings.home) if named else ()
    tails = [sink for sink in more if not isinstance(sink, SyslogSink)]
    if len(tails) < len(more):
        raise BadInput("FIELD_INVALID", "a syslog collector cannot be read")
    try:
        yield list(tails)
    finally:
        for sink in more:
            sink.close()


@contextmanager
def open_to_restore(settings: Settings, program: str) -> Iterator[Room]:
    """Open a room that may have been set back; nothing may be released from it."""
    check_version(settings.home)
    with _open(settings, utc_now, secrets.token_bytes, _owner(settings.home, program)) as room:
        yield room


def check_version(home: Path) -> None:
    """Refuse a folder without a room, and one that a newer program wrote."""
    try:
        text = (home / "version").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound("HOME_MISSING") from error
    if not text.isdigit() or int(text) > VERSION:
        raise Conflict("HOME_NEWER")


def check_database(home: Path) -> str:
    """Ask the database of a home; return which kind it is."""
    engine = _database(read_settings(home=home))
    try:
        with reading(engine):
            return engine.dialect.name
    finally:
        engine.dispose()


@contextmanager
def _open(
    settings: Settings,
    clock: Callable[[], datetime],
    random_bytes: Callable[[int], bytes],
    owner: str,
) -> Iterator[Room]:
    home = settings.home
    trust_file = TrustFile(home / "trust.json")
    trust = trust_file()
    book = WitnessBook(home)
    log_key = SigningKey(_read_key(home / "keys" / "log.key"))
    vault = VaultClient(_socket(settings), settings.vault_timeout_seconds)
    sinks = open_sinks(settings.sinks, home, settings.sink_ca_file)
    authorities = open_authorities(home)
    database = _database(settings)
    try:
        migrate(database)
        room = Room(
            database=database,
            clock=clock,
            random_bytes=random_bytes,
            vault=vault,
            steward=vault,
            load_policy=cedar.load_policy,
            sinks=sinks,
            tails=tuple(sink for sink in sinks if not isinstance(sink, SyslogSink)),
            tail_keys=_tail_keys(home, clock, random_bytes),
            tail_days=settings.tail_days,
            archives=ArchiveFolder(home / "archive", home / "keys" / "archive"),
            retention=Retention(settings.online_days, settings.archive_days),
            log_key=log_key,
            subject_key=_read_key(home / "keys" / "subject.key"),
            origin=trust.origin,
            log=FollowingLog(home / "log", trust.origin, _signers(home, trust, log_key)),
            owner=owner,
            trust=replace(trust, changes=()),  # they count once they are logged
            read_trust=trust_file,
            find_witnesses=book.find,
            authorities=authorities,
            founders=check_genesis(trust.operators),
            notifier=_notifier(settings),
            token_life=timedelta(hours=settings.token_hours),
        )
        with reading(database) as connection:
            now = trusting.refresh(connection, room)
        yield replace(room, witnesses=() if now is None else book.find(now))
    finally:
        database.dispose()
        vault.close()
        for sink in sinks:
            sink.close()
        book.close()
        for authority in authorities:
            authority.close()


def _notifier(settings: Settings) -> Notifier | None:
    if settings.notify_url is None:
        return None
    return open_notifier(settings.notify_url, settings.notify_from, settings.notify_password_file)


def _tail_keys(
    home: Path, clock: Callable[[], datetime], random_bytes: Callable[[int], bytes]
) -> TailKeyFile:
    """Open the keys of what sinks keep for a replay; an older home gets its first one."""
    path = home / "keys" / "tail.key"
    if not path.exists():
        write_seed(path, Ratchet(clock().toordinal(), random_bytes(32)))
    return TailKeyFile(path)


def _owner(home: Path, program: str) -> str:
    """Name a program of this home, alike after every start.

    Its lock (cli/home.py) lets one live at a time, so what a killed one left leased is ours
    at once, and the log does not stand still until the lease runs out.
    """
    path = home / "run" / "id"
    with suppress(FileExistsError):
        _write_synced(path, secrets.token_hex(16).encode(), 0o600)
    return f"{program} {path.read_text(encoding='ascii')}"


def _database(settings: Settings) -> Engine:
    if settings.database_url:
        return open_database(settings.database_url, settings.database_pool)
    path = settings.home / "room.db"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)  # SQLite gives its journals the file's own mode
    return open_database(sqlite_url(path), settings.database_pool)


def _socket(settings: Settings) -> Path:
    return settings.vault_socket or settings.home / "run" / "vault.sock"


def _signers(home: Path, trust: Trust, log_key: SigningKey) -> list[NoteSigner]:
    """Open the keys that sign checkpoints: the second where the trust file names such a one."""
    if "sm2" not in trust.algorithms:
        return [log_key]
    return [log_key, Sm2SigningKey(_read_key(home / "keys" / SM2_KEY))]


def _trusted(key: NoteVerifier, now: datetime) -> LogKey:
    return LogKey(
        algorithm=key.ALGORITHM,
        key=key.raw.hex(),
        valid_from=write_instant(now),
        valid_until=None,
        compromised=False,
    )


def _write_key(path: Path, seed: bytes) -> bytes:
    _write_synced(path, f"{seed.hex()}\n".encode(), 0o600)
    return seed


def _read_key(path: Path) -> bytes:
    """Read a key that nobody else can read."""
    try:
        if path.stat().st_mode & 0o077:
            raise BadInput("KEY_FOLDER", f"{path.name} is readable by others")
        return hex_bytes(path.read_text(encoding="ascii").strip(), 32)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("KEY_FOLDER", f"{path.name} cannot be read") from error


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    """Write once, durably; an existing file is never overwritten."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _replace_synced(path: Path, data: bytes, mode: int) -> None:
    """Put a whole file in another's place, durably."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    _write_synced(fresh, data, mode)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
