"""A collector that dies loses no entry that was acknowledged, and delivers none before."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from saferoom.adapters import syslog
from saferoom.adapters.sink_lines import read_line
from saferoom.adapters.syslog import SyslogSink, frame, tls_context
from saferoom.errors import Tampered, Unavailable
from tests.adapters.collector import Collector
from tests.witness.fork import free_port


def settled(check: Callable[[], bool]) -> None:
    """Wait for the collector's thread, with a bound."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20)
    while not check():
        assert dt.datetime.now(dt.UTC) < until
        time.sleep(0.01)


def test_a_message_is_as_the_specifications_say() -> None:
    """RFC 5424 §6 with nil values, behind its length (RFC 6587 §3.4.1)."""
    data = frame("e1", b"\xc3\xa9")
    length, _, message = data.partition(b" ")
    assert int(length) == len(message)
    assert message == b'<109>1 - - saferoom - entry - {"id":"e1","leaf":"c3a9"}'
    assert read_line(b"2026-11-20T10:51:00 host " + message) == ("e1", b"\xc3\xa9")
    with pytest.raises(Tampered):
        read_line(b"nothing of ours")


def test_entries_reach_a_collector_in_order() -> None:
    with Collector() as collector:
        sink = SyslogSink("127.0.0.1", collector.port, tls=None)
        sink.append([("e1", b"one"), ("e2", b"two")])
        sink.append([])
        sink.append([("e3", b"x" * 200_000)])
        settled(lambda: len(collector.stored) == 3)
        assert collector.ids() == ["e1", "e2", "e3"]
        sink.close()


def test_a_collector_that_dies_midway_gets_again_what_it_may_not_have_stored() -> None:
    with Collector(dies_after=3) as first:
        sink = SyslogSink("127.0.0.1", first.port, tls=None)
        acknowledged = acknowledged_of(sink, 10_000)
        with pytest.raises(Unavailable) as caught:
            sink.append([("e-x", b"leaf")])
        assert caught.value.code == "SINK_UNAVAILABLE"
    with Collector(port=first.port) as second:
        sink.append([("e-last", b"leaf")])
        settled(lambda: "e-last" in second.ids())
        stored = first.ids() + second.ids()
        assert set(acknowledged) <= set(stored)
        assert second.ids()[-1] == "e-last"
        sink.close()


def acknowledged_of(sink: SyslogSink, tries: int) -> list[str]:
    """Send until the collector is gone; return what it acknowledged."""
    for number in range(tries):
        try:
            sink.append([(f"e{number}", b"leaf" * 1000)])
        except Unavailable:
            return [f"e{n}" for n in range(number)]
    raise AssertionError


def test_nobody_there_is_unavailable_and_somebody_later_is_not() -> None:
    port = free_port()
    sink = SyslogSink("127.0.0.1", port, tls=None)
    with pytest.raises(Unavailable):
        sink.append([])
    with Collector(port=port) as collector:
        sink.append([("e1", b"")])
        settled(lambda: collector.ids() == ["e1"])
        sink.close()


def test_a_machine_that_does_not_acknowledge_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A collector that reads nothing: its window fills, and nothing more is taken."""
    monkeypatch.setattr(syslog, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sink = SyslogSink("127.0.0.1", server.getsockname()[1], tls=None)
        assert len(acknowledged_of(sink, 10_000)) < 10_000
        sink.close()


# --- TLS ---


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def serving(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_entries_reach_a_collector_over_tls(tmp_path: Path) -> None:
    path = certificate(tmp_path, "localhost")
    with Collector(tls=serving(path)) as collector:
        sink = SyslogSink("localhost", collector.port, tls=tls_context(path))
        for number in range(5):
            sink.append([(f"e{number}", b"leaf")])
        settled(lambda: len(collector.stored) == 5)
        sink.close()


def test_another_collector_under_tls_is_given_nothing(tmp_path: Path) -> None:
    mine, other = certificate(tmp_path, "localhost"), certificate(tmp_path, "another.example")
    for presented, believed in ((other, other), (other, mine)):
        with Collector(tls=serving(presented)) as collector:
            sink = SyslogSink("localhost", collector.port, tls=tls_context(believed))
            with pytest.raises(Unavailable):
                sink.append([("e1", b"secret")])
            assert collector.stored == []
            sink.close()
