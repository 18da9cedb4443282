"""A real time stamping authority for tests: openssl ts, and a server before it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

OPENSSL = shutil.which("openssl")
_CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/cert.pem
certs = {folder}/cert.pem
signer_key = {folder}/key.pem
signer_digest = {digest}
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1, millisecs:500
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = {named}
"""


@dataclass(frozen=True)
class OpensslAuthority:
    """A folder with a key, a certificate and a configuration."""

    folder: Path
    certificate: x509.Certificate

    def answer(self, request: bytes) -> bytes:
        (self.folder / "request.tsq").write_bytes(request)
        config = str(self.folder / "tsa.cnf")
        words = [str(OPENSSL), "ts", "-reply", "-config", config, "-queryfile"]
        done = subprocess.run(
            [*words, str(self.folder / "request.tsq")], capture_output=True, check=True
        )
        return done.stdout

    def verify(self, response: bytes, message: bytes) -> bool:
        """Let openssl judge, as another implementation does."""
        (self.folder / "response.tsr").write_bytes(response)
        (self.folder / "message").write_bytes(message)
        words = [str(OPENSSL), "ts", "-verify", "-data", str(self.folder / "message")]
        more = ["-in", str(self.folder / "response.tsr"), "-CAfile", str(self.folder / "cert.pem")]
        return subprocess.run([*words, *more], capture_output=True, check=False).returncode == 0


def make_authority(
    folder: Path,
    *,
    kind: str = "ec",
    digest: str = "sha256",
    named: str = "sha256",
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
    ended: bool = False,
) -> OpensslAuthority:
    """Draw a key and sign its own certificate, critical for time stamping alone."""
    folder.mkdir(parents=True, exist_ok=True)
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = (
        ec.generate_private_key(ec.SECP256R1())
        if kind == "ec"
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tsa.test")])
    now = datetime.now(UTC)
    end = now + timedelta(seconds=1) if ended else now + timedelta(days=30)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(end)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    shape = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, shape, plain))
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "serial").write_text("01\n")
    config = _CONFIG.format(folder=folder, digest=digest, named=named)
    (folder / "tsa.cnf").write_text(config)
    return OpensslAuthority(folder, certificate)


@contextmanager
def served(authority: OpensslAuthority) -> Iterator[str]:
    """Answer at an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            request = self.rfile.read(int(self.headers["Content-Length"]))
            data = authority.answer(request)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
