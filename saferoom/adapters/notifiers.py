"""Which ways are there to tell somebody that there are notices?

`smtp+starttls://user@host:587`, `smtps://user@host:465`, `smtp://127.0.0.1:25` (this machine
only: without TLS others could read who is told), and `file:///path` for whoever forwards
messages by other means. A mail system's own words stay out of our errors.
"""

from __future__ import annotations

import json
import os
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from saferoom.core.notification import Message
from saferoom.errors import BadInput, Unavailable
from saferoom.ports import Notifier

TIMEOUT_SECONDS = 20.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True)
class SmtpNotifier:
    """A mail system."""

    scheme: str
    host: str
    port: int
    sender: str
    user: str | None = None
    password: str | None = None
    context: ssl.SSLContext | None = None  # unset: the system's certificates

    def send(self, address: str, message: Message) -> None:
        """Hand one message over; return only when the mail system took it."""
        try:
            with self._connect() as connection:
                if self.user is not None:
                    connection.login(self.user, self.password or "")
                connection.send_message(self._letter(address, message))
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise Unavailable("NOTIFIER_UNAVAILABLE", type(error).__name__) from None

    def _connect(self) -> smtplib.SMTP:
        context = self.context or ssl.create_default_context()
        where = (self.host, self.port)
        if self.scheme == "smtps":
            return smtplib.SMTP_SSL(*where, timeout=TIMEOUT_SECONDS, context=context)
        connection = smtplib.SMTP(*where, timeout=TIMEOUT_SECONDS)
        if self.scheme == "smtp+starttls":
            try:
                connection.starttls(context=context)
            except BaseException:
                connection.close()
                raise
        return connection

    def _letter(self, address: str, message: Message) -> EmailMessage:
        letter = EmailMessage(policy=SMTP)
        letter["From"], letter["To"], letter["Subject"] = self.sender, address, message.subject
        letter["Date"] = formatdate()
        letter["Message-ID"] = f"<{message.id}.{self.sender}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.body)
        return letter


@dataclass(frozen=True)
class FileNotifier:
    """One line of JSON for each message, for whoever forwards them."""

    path: Path

    def send(self, address: str, message: Message) -> None:
        """Append one message, durably."""
        told = {"to": address, "subject": message.subject, "body": message.body, "id": message.id}
        line = json.dumps(told, ensure_ascii=False) + "\n"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(self.path, flags, 0o600), "a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable("NOTIFIER_UNAVAILABLE", type(error).__name__) from None


def open_notifier(url: str, sender: str, password_file: Path | None) -> Notifier:
    """Read a setting into the way that it names."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path and not parts.netloc:
        return FileNotifier(Path(unquote(parts.path)))
    if parts.scheme not in _PORTS or not parts.hostname or parts.password is not None:
        raise BadInput("SETTING_INVALID", "notify_url")
    if parts.scheme == "smtp" and parts.hostname not in _LOOPBACK:
        raise BadInput("SETTING_INVALID", "notify_url: smtp:// is for this machine only")
    user = None if parts.username is None else unquote(parts.username)
    password = None if password_file is None else _read(password_file)
    host, port = parts.hostname, _port(parts) or _PORTS[parts.scheme]
    return SmtpNotifier(parts.scheme, host, port, sender, user, password)


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        raise BadInput("SETTING_INVALID", "notify_url") from error


def _read(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise BadInput("SETTING_INVALID", "notify_password_file is readable by others")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("SETTING_INVALID", "notify_password_file") from error
