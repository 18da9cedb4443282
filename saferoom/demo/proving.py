"""Can everything be checked by somebody who trusts only a key?

Receipts are fetched against one last checkpoint and kept beside it, so each verifies
offline. Then bytes of one are changed.
"""

from __future__ import annotations

from pathlib import Path

from saferoom.client.bundles import verify_bundle
from saferoom.client.bundling import make_bundle
from saferoom.client.trustfile import read_trust
from saferoom.client.verifying import verify
from saferoom.demo.asking import SYSTEM
from saferoom.demo.opening import Stage
from saferoom.demo.steps import Told, check
from saferoom.errors import SaferoomError

MOST_TRIES = 5
AUDITOR = "zhou.min"
KINDS = (
    "key_enrolled", "party_admitted", "template_approved", "version_submitted", "vote_cast",
    "version_approved", "budget_signed", "grant_signed", "grant_revoked", "refusal",
)  # fmt: skip


def keep_receipts(stage: Stage) -> Told:
    """Fetch every receipt of the bank against one checkpoint; verify each offline."""
    folder = stage.home / "receipts"
    folder.mkdir(exist_ok=True)
    ids = stage.client(SYSTEM).receipts()
    check(len(ids) > 0, "there are receipts")
    check(any(_fetch_all(stage, ids, folder) for _ in range(MOST_TRIES)), "the log settles")
    for name in ids:
        verify(folder / f"{name}.json", stage.home / "checkpoint")
    return Told(f"{len(ids)} receipts verify offline against one checkpoint")


def keep_kinds(stage: Stage) -> Told:
    """Fetch the newest receipt of each kind that the auditor sees; verify each offline."""
    folder = stage.home / "receipts" / "kinds"
    folder.mkdir(parents=True, exist_ok=True)
    auditor = stage.client(AUDITOR)
    for kind in KINDS:
        names = auditor.receipts(kind=kind)
        check(len(names) > 0, f"there is a receipt of {kind}")
        path = folder / f"{kind}.json"
        path.write_bytes(auditor.receipt(names[-1]))
        found = verify(path, trust=stage.home / "trust.json")
        check(found.kind == kind, "it is of that kind")
    return Told(f"{len(KINDS)} kinds, each with the papers that it rests on")


def hand_over(stage: Stage) -> Told:
    """Make an auditor's bundle about one enterprise; check it with nothing but the trust file."""
    trust = read_trust(stage.home / "trust.json")
    about = stage.codes[0]
    data = make_bundle(stage.client(AUDITOR), stage.author(AUDITOR), trust, about=about)
    (stage.home / "evidence.zip").write_bytes(data)
    found = verify_bundle(data, trust)
    check(found.alarms == (), "the monitor finds nothing")
    return Told(f"{len(found.receipts)} receipts about one enterprise, {len(data):,} bytes")


def _fetch_all(stage: Stage, ids: list[str], folder: Path) -> bool:
    """Fetch everything; False where the log grew meanwhile, as it does for a second."""
    bank = stage.client(SYSTEM)
    bank.receipt(ids[-1])
    checkpoint = bank.checkpoint()
    (stage.home / "checkpoint").write_bytes(checkpoint)
    for name in ids:
        (folder / f"{name}.json").write_bytes(bank.receipt(name))
    return bank.checkpoint() == checkpoint


def tamper(stage: Stage) -> Told:
    """Change single bytes of a receipt, one at a time."""
    path = min((stage.home / "receipts").glob("*.json"))
    good, caught = path.read_bytes(), 0
    places = range(0, len(good), max(1, len(good) // 40))
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 0x01
        caught += not _verifies(bytes(bad), stage.home / "checkpoint")
    check(caught == len(places), f"every changed byte is noticed ({caught} of {len(places)})")
    check(_verifies(good, stage.home / "checkpoint"), "the unchanged receipt still verifies")
    return Told(f"{caught} of {caught} changed bytes noticed", refused=caught, code="tampering")


def _verifies(receipt: bytes, checkpoint: Path) -> bool:
    try:
        verify(receipt, checkpoint)
    except SaferoomError:
        return False
    return True
