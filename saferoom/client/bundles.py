"""Does this bundle hold, with nothing but a trust file?

Every file must be in the manifest that an auditor signed; the auditor's key must be in the log;
the whole log is read again by the monitor's own rules, and every receipt is verified against the
bundle's checkpoint. What does not hold in the bundle is refused; what the monitor finds wrong
with the log itself is told, since that is what a regulator looks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from saferoom.canonical import Digest
from saferoom.core.archive import read_archive
from saferoom.core.bundle import Bundle, check_bundle_signer, read_manifest
from saferoom.core.enrolment import Enrolment
from saferoom.core.moment import read_instant
from saferoom.core.papers import check_papers
from saferoom.core.receipt import Verified, check_own_checkpoint, check_receipt
from saferoom.core.stamped import Authority, check_stamped
from saferoom.core.trust import Trust
from saferoom.errors import BadInput, SaferoomError, Tampered
from saferoom.monitor.alarms import Alarm
from saferoom.monitor.auditing import Asked, Visit
from saferoom.monitor.trusted import read_trusted
from saferoom.tlog.checkpoint import read_note
from saferoom.tlog.merkle import consistency_proof
from saferoom.tlog.proof import check_consistency
from saferoom.tlog.tile import Fetch, TileReader

_RECEIPTS = "receipts/"


@dataclass(frozen=True, kw_only=True)
class BundleVerified:
    """What holds, in words, and what the monitor found."""

    origin: str
    size: int
    made_at: str
    about: str | None
    signed_by: str
    opened: int  # entries
    receipts: Mapping[str, Verified]
    fingerprint: Digest  # of the trust file that was used
    alarms: tuple[Alarm, ...]
    links: tuple[str, ...]


def verify_bundle(
    data: bytes, trust: Trust | None = None, authorities: tuple[Authority, ...] = ()
) -> BundleVerified:
    """Check everything; without a trust file of your own, by the one inside, which proves less.

    Time stamps count by the authorities that you pinned; unset, nothing is said of them.
    """
    files = read_archive(data)
    statement, bundle = read_manifest(files)
    try:
        believed = trust or Trust.from_bytes(files.get("trust.json", b""))
        note = read_note(files.get("checkpoint", b"").decode()).text()
    except (BadInput, UnicodeDecodeError) as error:
        raise Tampered("BUNDLE_INVALID", "its trust file or its checkpoint") from error
    reader = _Reader(files, bundle, believed, note)
    signer = check_bundle_signer(statement, reader.auditor)
    verified = {
        name.removeprefix(_RECEIPTS).removesuffix(".json"): reader.verify(files[name])
        for name in sorted(files)
        if name.startswith(_RECEIPTS)
    }
    visit = reader.visit()
    alarms = tuple(visit.run())
    if visit.size != bundle.size:
        raise Tampered("BUNDLE_INVALID", "its checkpoint is of another size")
    own = "the trust file that you gave" if trust else "the bundle's OWN trust file: compare it"
    return BundleVerified(
        origin=bundle.origin,
        size=bundle.size,
        made_at=bundle.made_at,
        about=bundle.about,
        signed_by=f"{signer.holder} of {signer.party}",
        opened=visit.opened,
        receipts=verified,
        fingerprint=believed.fingerprint,
        alarms=alarms,
        links=(
            f"believed: {own}",
            f"{len(bundle.files)} files, signed by {signer.holder} (auditor) at {bundle.made_at}",
            "two operators vouched for the auditor's key, and the log has it",
            f"{visit.size} entries read again, {visit.opened} of them opened",
            f"{len(verified)} receipts verified against the bundle's checkpoint",
            *(reader.stamps(authorities) if authorities else ()),
        ),
    )


@dataclass(frozen=True)
class _Reader:
    """Reads the bundle's files as a log."""

    files: Mapping[str, bytes]
    bundle: Bundle
    trust: Trust
    note: str

    @property
    def fetch(self) -> Fetch:
        return lambda path: self.files.get(path if path == "checkpoint" else f"log/{path}")

    def verify(self, receipt: bytes) -> Verified:
        own = check_own_checkpoint(receipt, self.trust)
        size = self.bundle.size
        if own.size > size:
            raise Tampered("BUNDLE_INVALID", "a receipt from after its checkpoint")
        proof = consistency_proof(TileReader(self.fetch, size), own.size, size)
        return check_receipt(receipt, self.trust, self.note, proof, check_papers)

    def stamps(self, authorities: tuple[Authority, ...]) -> Iterator[str]:
        """Tell by when an earlier state of this very log existed."""
        if (data := self.files.get("stamped.json")) is None:
            return
        note, stamps = check_stamped(data, authorities)
        stamped = self.trust.check_signatures(note, only_known=False).checkpoint
        kept = read_note(self.note).checkpoint
        if stamped.size > kept.size:
            raise Tampered("BUNDLE_INVALID", "a time stamp from after its checkpoint")
        check_consistency(
            old_size=stamped.size,
            new_size=kept.size,
            old_root=stamped.root,
            new_root=kept.root,
            proof=consistency_proof(TileReader(self.fetch, kept.size), stamped.size, kept.size),
        )
        for name, by in stamps:
            yield (
                f"the first {stamped.size} entries existed before {by:%Y-%m-%dT%H:%M:%SZ},"
                f" by the word of {name} (RFC 3161)"
            )

    def auditor(self, key: str) -> Enrolment | None:
        """Find the signer's enrolment, by the receipt that the bundle brings of it."""
        verified = self.verify(self.files.get("signer.json", b""))
        if verified.kind != "key_enrolled" or verified.opened.get("key") != key:
            return None
        papers = [one for one in verified.papers if one.kind == Enrolment.KIND]
        return Enrolment.from_body(papers[0].body) if papers else None

    def visit(self) -> Visit:
        try:
            return Visit(
                Asked(
                    fetch=self.fetch,
                    trusted=read_trusted(self.trust.to_bytes()),
                    now=read_instant(self.bundle.made_at),
                    openings=self.files.get("openings.jsonl"),
                )
            )
        except SaferoomError as error:
            raise Tampered("BUNDLE_INVALID", "its trust file") from error
