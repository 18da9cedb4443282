"""Does a real mail system get the message, over TLS, and is its refusal only a reason to wait?

The mail system is a small one of ours on loopback: sockets, the protocol's words and TLS are
real, only nobody reads the letters.
"""

from __future__ import annotations

import base64
import datetime as dt
import email
import email.policy
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from saferoom.adapters.notifiers import FileNotifier, SmtpNotifier, open_notifier
from saferoom.core.notification import Message, Told, compose
from saferoom.errors import BadInput, Unavailable

MESSAGE = compose("room.test", [Told(7, "grant_revoked"), Told(9, "release")])


@dataclass
class MailSystem:
    """What the server took, and how it behaves."""

    context: ssl.SSLContext
    at_once: bool = False  # TLS from the first byte
    letters: list[tuple[str, EmailMessage]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    refuses: str = ""  # a verb that is answered with 451
    port: int = 0


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        if self.server.system.at_once:
            self._secure()
        self._say("220 here")
        to = ""
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == self.server.system.refuses:
                self._say("451 later")
            elif verb == "EHLO":
                self._say("250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN")
            elif verb == "STARTTLS":
                self._say("220 go on")
                self._secure()
            elif verb == "AUTH":
                self.server.system.users.append(base64.b64decode(line.split()[2]).decode())
                self._say("235 welcome")
            elif verb == "RCPT":
                to = line.split("<")[1].split(">")[0]
                self._say("250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                self._take(to)
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def _take(self, to: str) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        letter = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.server.system.letters.append((to, letter))
        self._say("250 taken")

    def _secure(self) -> None:
        wrapped = self.server.system.context.wrap_socket(self.connection, server_side=True)
        self.connection = wrapped
        self.rfile = wrapped.makefile("rb")
        self.wfile = wrapped.makefile("wb", buffering=0)  # type: ignore[assignment]

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    system: MailSystem

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not believe our certificate hangs up."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def mail(certificate: Path) -> Iterator[MailSystem]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.system = MailSystem(context)
    server.system.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.system
    server.shutdown()
    thread.join()
    server.server_close()


def _notifier(mail: MailSystem, scheme: str, certificate: Path | None = None) -> SmtpNotifier:
    trusted = None if certificate is None else ssl.create_default_context(cafile=certificate)
    mail.at_once = scheme == "smtps"
    return SmtpNotifier(scheme, "127.0.0.1", mail.port, "room@test", "user", "secret", trusted)


def test_a_letter_arrives_whole(mail: MailSystem) -> None:
    open_notifier(f"smtp://127.0.0.1:{mail.port}", "room@test", None).send("a@b.test", MESSAGE)
    ((to, letter),) = mail.letters
    assert (to, letter["To"], letter["From"]) == ("a@b.test", "a@b.test", "room@test")
    assert letter["Subject"] == MESSAGE.subject
    assert letter["Message-ID"] == "<7.9.room@test>"
    assert letter.get_content().replace("\r\n", "\n") == MESSAGE.body
    assert "授权已撤回" in letter.get_content()


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_over_tls_the_password_is_given(mail: MailSystem, scheme: str, certificate: Path) -> None:
    _notifier(mail, scheme, certificate).send("a@b.test", MESSAGE)
    assert len(mail.letters) == 1
    assert mail.users == ["\0user\0secret"]


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_a_certificate_that_nobody_vouches_for_gets_nothing(mail: MailSystem, scheme: str) -> None:
    with pytest.raises(Unavailable, match="NOTIFIER_UNAVAILABLE"):
        _notifier(mail, scheme).send("a@b.test", MESSAGE)
    assert (mail.letters, mail.users) == ([], [])


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "STARTTLS", "AUTH"])
def test_what_is_refused_waits(mail: MailSystem, verb: str, certificate: Path) -> None:
    mail.refuses = verb
    with pytest.raises(Unavailable, match="NOTIFIER_UNAVAILABLE") as error:
        _notifier(mail, "smtp+starttls", certificate).send("a@b.test", MESSAGE)
    assert "later" not in str(error.value)  # its words may hold anything
    assert mail.letters == []


def test_a_mail_system_that_is_not_there_is_waited_for() -> None:
    with pytest.raises(Unavailable, match="NOTIFIER_UNAVAILABLE"):
        SmtpNotifier("smtp", "127.0.0.1", 1, "room@test").send("a@b.test", MESSAGE)


def test_a_file_takes_a_line_for_each(tmp_path: Path) -> None:
    path = tmp_path / "out going.jsonl"
    notifier = open_notifier(f"file://{tmp_path}/out%20going.jsonl", "room@test", None)
    for number in (1, 2):
        notifier.send("a@b.test", Message(str(number), "subject", "body\nline"))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["1", "2"]
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Unavailable, match="NOTIFIER_UNAVAILABLE"):
        FileNotifier(tmp_path).send("a@b.test", MESSAGE)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example:25",  # readable on the way
        "smtps://user:secret@mail.example",  # a password in a setting is in every listing
        "smtps://mail.example:99999999",
        "smtps://",
        "http://mail.example",
        "file://host/path",
        "",
    ],
)
def test_a_way_that_cannot_be_used_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(BadInput, match="SETTING_INVALID"):
        open_notifier(url, "room@test", None)


def test_a_password_is_read_from_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    path = tmp_path / "password"
    with pytest.raises(BadInput, match="SETTING_INVALID"):
        open_notifier("smtps://u@mail.example", "room@test", path)
    path.write_text("secret\n")
    path.chmod(0o644)
    with pytest.raises(BadInput, match="readable by others"):
        open_notifier("smtps://u@mail.example", "room@test", path)
    path.chmod(0o600)
    made = open_notifier("smtps://u%40x@mail.example", "room@test", path)
    assert isinstance(made, SmtpNotifier)
    assert (made.user, made.password, made.port) == ("u@x", "secret", 465)
