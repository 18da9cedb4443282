"""Where else must an entry stand before its answer is shown?

Every sink that `SAFEROOM_SINKS` names is mandatory: a file (on another disk), a folder whose
files are written once, a syslog collector. Files and folders keep two things apart: the
entries, one JSON line each with the public leaf, and the *tail*, sealed rows from which
`saferoom restore` rebuilds what a backup does not have (app/tailing.py). The tail is written
first, so an entry that stands in a sink can be replayed from it. An entry may stand twice
after a retry; its id tells. A sink never loses what it acknowledged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from saferoom.adapters.append_file import AppendFile
from saferoom.adapters.sink_lines import entry_lines, read_line
from saferoom.adapters.syslog import SyslogSink, tls_context
from saferoom.adapters.write_once import WriteOnceSink
from saferoom.errors import BadInput, Unavailable
from saferoom.ports import KEPT

PLAIN_PORT, TLS_PORT = 601, 6514  # RFC 6587 §3.2 (registered for syslog over TCP), RFC 5425 §4.1


class FileSink:
    """A mandatory sink (ports.Sink, ports.Tail) in append-only files."""

    def __init__(self, path: Path, name: str = "file") -> None:
        self.name = name  # for /readyz
        self._entries = AppendFile(path)
        self._kept = {kind: AppendFile(path.with_name(f"{kind}.log")) for kind in KEPT}

    def append(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Store (entry id, leaf bytes) durably; return only when they are."""
        self._write(self._entries, entry_lines(entries))

    def keep(self, kind: str, lines: Sequence[bytes]) -> None:
        """Store lines of the tail durably."""
        self._write(self._kept[kind], b"".join(line + b"\n" for line in lines))

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Yield what stands in the file, oldest first; a torn last line was never promised."""
        return map(read_line, self._entries.lines())

    def newest(self, most: int) -> list[str]:
        """Return the ids of the newest entries."""
        return [read_line(line)[0] for line in self._entries.last_lines(most)]

    def kept(self, kind: str) -> Iterator[bytes]:
        """Yield the lines of the tail, oldest first."""
        return (line[:-1] for line in self._kept[kind].lines())

    def last(self, kind: str) -> bytes | None:
        """Return the last line of the tail."""
        found = self._kept[kind].last_lines(1)
        return found[0][:-1] if found else None

    def close(self) -> None:
        """Give the files back."""
        self._entries.close()
        for file in self._kept.values():
            file.close()

    def _write(self, file: AppendFile, lines: bytes) -> None:
        try:
            file.append(lines)
        except OSError as error:
            raise Unavailable("SINK_UNAVAILABLE", self.name) from error


def open_sinks(
    named: str, home: Path, ca_file: Path | None = None
) -> tuple[FileSink | WriteOnceSink | SyslogSink, ...]:
    """Open each sink of a setting such as `file,folder:///mnt/worm,syslog+tls://host`."""
    words = [word.strip() for word in named.split(",")]
    if not all(words) or len(set(words)) != len(words):
        raise BadInput("SETTING_INVALID", "sinks")
    kinds: Counter[str] = Counter()
    opened = []
    for word in words:
        kind = word.partition(":")[0]
        kinds[kind] += 1
        name = kind if kinds[kind] == 1 else f"{kind} {kinds[kind]}"
        opened.append(_open(word, name, home, ca_file))
    return tuple(opened)


def _open(
    word: str, name: str, home: Path, ca_file: Path | None
) -> FileSink | WriteOnceSink | SyslogSink:
    try:
        parts = urlsplit(word)
        port = parts.port
    except ValueError as error:
        raise BadInput("SETTING_INVALID", "sinks") from error
    path = Path(unquote(parts.path))
    match parts.scheme:
        case "" if word == "file":
            return FileSink(home / "sink" / "entries.log", name)
        case "file" if path.is_absolute() and not parts.netloc:
            return FileSink(path / "entries.log", name)
        case "folder" if path.is_absolute() and not parts.netloc:
            return WriteOnceSink(path, name)
        case "syslog" if parts.hostname:
            return SyslogSink(parts.hostname, port or PLAIN_PORT, None, name)
        case "syslog+tls" if parts.hostname:
            return SyslogSink(parts.hostname, port or TLS_PORT, tls_context(ca_file), name)
    raise BadInput("SETTING_INVALID", "sinks")
