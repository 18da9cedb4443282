"""A real room's bundle holds alone; whoever changes or signs it wrongly is met."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding

from saferoom.app import openings, receipts
from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.client.bundles import BundleVerified, verify_bundle
from saferoom.client.bundling import make_bundle
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author
from saferoom.core.archive import read_archive, write_archive
from saferoom.core.bundle import MANIFEST, Bundle, list_files
from saferoom.core.enrolment import Role
from saferoom.core.stamped import Authority, AuthorityStamp, Stamped
from saferoom.core.trust import Trust
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import sign_statement
from saferoom.crypto.timestamps import write_request
from saferoom.errors import NotFound, Tampered, Unavailable
from saferoom.tlog.checkpoint import read_note
from tests import factories as f
from tests.app.world import AUDITOR, World, code, ready_world
from tests.crypto.authority import OPENSSL, make_authority

SHARE = 50
DER = Encoding.DER


@dataclass
class Desk:
    """What an auditor's client does, without HTTP."""

    world: World

    def export_openings(self, first: int, size: int | None) -> Mapping[str, Json]:
        return openings.export(self.world.room, AUDITOR, first, size)

    def receipts(self, *, kind: str) -> list[str]:
        return receipts.list_receipts(self.world.room, AUDITOR, kind=kind)

    def receipt(self, receipt_id: str) -> bytes:
        return receipts.get(self.world.room, AUDITOR, receipt_id)

    def checkpoint(self) -> bytes:
        self.world.settle()
        return self.world.room.log.checkpoint().encode()

    def log_file(self, path: str) -> bytes | None:
        folder: Path = self.world.room.log._folder  # type: ignore[attr-defined]
        return (folder / path).read_bytes() if (folder / path).exists() else None


@dataclass
class Audited:
    """A room in which something happened, and its auditor."""

    world: World

    @property
    def trust(self) -> Trust:
        return self.world.trust

    def author(self, name: str = AUDITOR.holder) -> Author:
        sealing = SealingKey(f.sealing_seed(name))
        keys = KeyFolder(name, "audit", Role.AUDITOR, "", f.signing_key(name), sealing)
        return Author(keys, clock=lambda: self.world.now, random_bytes=self.world.room.random_bytes)

    def bundle(self, about: str | None = None, releases: int = 100) -> bytes:
        return make_bundle(
            Desk(self.world), self.author(), self.trust, about=about, releases=releases
        )

    @cached_property
    def whole(self) -> bytes:
        return self.bundle()

    def verify(self, data: bytes) -> BundleVerified:
        return verify_bundle(data, self.trust)

    def resigned(self, change: Callable[[dict[str, bytes]], None], by: str = "wu") -> bytes:
        """Change files and have somebody sign for them."""
        files = read_archive(self.whole)
        body = parse_object(files.pop(MANIFEST))["body"]
        change(files)
        bundle = replace(Bundle.from_body(body), files=list_files(files))
        statement = sign_statement(bundle.to_body(), [f.signing_key(by)])
        return write_archive({**files, MANIFEST: statement.to_bytes()})


@pytest.fixture
def audited(database: sa.Engine, tmp_path: Path) -> Audited:
    world = ready_world(database, tmp_path, enterprises=2)
    world.enrol("wu", party="audit", role=Role.AUDITOR)
    world.score(world.request(code(1), code(2)))
    world.revoke(world.grant(code(2)))
    world.settle()
    return Audited(world)


def test_the_whole_log_is_checked_again_from_the_bundle_alone(audited: Audited) -> None:
    found = audited.verify(audited.whole)
    assert found.alarms == ()
    assert found.signed_by == "wu of audit"
    assert found.opened > 20
    kinds = {one.kind for one in found.receipts.values()}
    assert {"release", "policy_activated", "template_approved", "version_approved"} <= kinds
    policy = next(one for one in found.receipts.values() if one.kind == "policy_activated")
    assert "saferoom/policy-set/1" in {paper.kind for paper in policy.papers}
    assert found.fingerprint == audited.trust.fingerprint
    assert "the trust file that you gave" in found.links[0]


def test_the_same_evidence_is_the_same_bytes(audited: Audited) -> None:
    files = read_archive(audited.whole)
    assert write_archive(files) == audited.whole


def test_without_a_trust_file_its_own_is_named_as_such(audited: Audited) -> None:
    assert "OWN trust file" in verify_bundle(audited.whole).links[0]


def test_another_rooms_trust_file_believes_nothing_of_it(audited: Audited) -> None:
    key = replace(audited.trust.log_keys[0], key=f.signing_key("another log").public.raw.hex())
    for other in (
        replace(audited.trust, log_keys=(key,)),
        replace(audited.trust, operators=(f.sign(f.enrolment("li"), "li", "wu"),) * 2),
    ):
        with pytest.raises(Tampered):
            verify_bundle(audited.whole, other)


def test_one_partys_bundle_opens_nobody_elses_entries(audited: Audited) -> None:
    data = audited.bundle(about=code(2))
    files = read_archive(data)
    assert "openings.jsonl" not in files
    assert not any(code(1).encode() in content for content in files.values())
    found = audited.verify(data)
    assert (found.about, found.opened, found.alarms) == (code(2), 0, ())
    theirs = [one for one in found.receipts.values() if one.opened.get("enterprise") == code(2)]
    assert {"release", "grant_signed", "grant_revoked", "budget_signed"} <= {
        one.kind for one in theirs
    }


def test_a_banks_bundle_has_what_names_the_bank(audited: Audited) -> None:
    found = audited.verify(audited.bundle(about=f.BANK, releases=0))
    assert sum(one.kind == "release" for one in found.receipts.values()) == 2


def unnoticed(audited: Audited, step: int) -> list[int]:
    good = audited.whole
    kept = []
    for at in range(random.Random(1).randrange(step), len(good), step):
        bent = bytearray(good)
        bent[at] ^= 1 << at % 8
        try:
            audited.verify(bytes(bent))
        except Tampered:
            continue
        kept.append(at)
    return kept


def test_changed_bytes_of_a_bundle_are_noticed(audited: Audited) -> None:
    assert unnoticed(audited, 50 * SHARE) == []


@pytest.mark.long
def test_every_fiftieth_byte_of_a_bundle_is_noticed(audited: Audited) -> None:
    """Whatever stands in a file is under its digest, so a share of all bytes says enough."""
    assert unnoticed(audited, SHARE) == []


def test_cut_or_lengthened_it_is_refused(audited: Audited) -> None:
    for other in (audited.whole[:-1], audited.whole + b"\0", audited.whole[1:], b"PK"):
        with pytest.raises(Tampered):
            audited.verify(other)


def test_only_an_auditor_of_this_room_signs(audited: Audited) -> None:
    def nothing(files: dict[str, bytes]) -> None:
        """Leave the files."""

    assert audited.verify(audited.resigned(nothing)).alarms == ()
    for by in ("zhao", "nobody"):
        with pytest.raises(Tampered) as caught:
            audited.verify(audited.resigned(nothing, by=by))
        assert caught.value.code == "BUNDLE_INVALID"


def other_signer(files: dict[str, bytes]) -> None:
    files["signer.json"] = next(d for n, d in files.items() if n.startswith("receipts/"))


def drop_trust(files: dict[str, bytes]) -> None:
    del files["checkpoint"]


def bend_tile(files: dict[str, bytes]) -> None:
    name = next(name for name in files if name.startswith("log/tile/entries/"))
    files[name] = files[name][:-1] + b"\0"


def bend_receipt(files: dict[str, bytes]) -> None:
    name = next(name for name in files if name.startswith("receipts/"))
    files[name] = files[name].replace(b"approve", b"refused", 1)


def bend_openings(files: dict[str, bytes]) -> None:
    files["openings.jsonl"] = files["openings.jsonl"].replace(b"zhao", b"zhoa")


def no_openings(files: dict[str, bytes]) -> None:
    files["openings.jsonl"] = b""


def drop_signer(files: dict[str, bytes]) -> None:
    del files["signer.json"]


def bad_note(files: dict[str, bytes]) -> None:
    files["checkpoint"] = b"\xff"


@pytest.mark.parametrize(
    "change",
    [other_signer, drop_trust, bend_tile, bend_receipt, bend_openings, no_openings, drop_signer,
     bad_note],
)  # fmt: skip
def test_an_auditor_that_lies_is_met(audited: Audited, change: Callable[..., None]) -> None:
    data = audited.resigned(change)
    if change in {bend_tile, bend_openings, no_openings}:  # what the monitor finds, it tells
        assert audited.verify(data).alarms or change is bend_tile
    else:
        with pytest.raises(Tampered):
            audited.verify(data)


def test_what_is_wrong_with_the_log_is_told(audited: Audited) -> None:
    """A release that the room should not have made stays in the bundle, and is found."""

    def withhold(files: dict[str, bytes]) -> None:
        lines = files["openings.jsonl"].splitlines()
        opened = [parse_object(line) for line in lines]
        for line in opened[1:]:
            statements = line["statements"]
            assert isinstance(statements, list)
            line["statements"] = [
                one
                for one in statements
                if isinstance(one, dict) and "saferoom/grant/1" not in str(one["body"])
            ]
        files["openings.jsonl"] = b"".join(canonical_bytes(line) + b"\n" for line in opened)

    codes = {alarm.code for alarm in audited.verify(audited.resigned(withhold)).alarms}
    assert {"STATEMENT_MISSING", "RELEASE_UNGRANTED"} <= codes


def test_a_manifest_of_other_files_is_refused(audited: Audited) -> None:
    files = read_archive(audited.whole)
    for other in (
        {**files, "more.txt": b""},
        {name: data for name, data in files.items() if name != "README.txt"},
        {name: data for name, data in files.items() if name != MANIFEST},
        {**files, MANIFEST: b"{}"},
    ):
        with pytest.raises(Tampered) as caught:
            audited.verify(write_archive(other))
        assert caught.value.code == "BUNDLE_INVALID"


def test_a_receipt_from_after_its_checkpoint_is_refused(audited: Audited) -> None:
    files = read_archive(audited.whole)
    audited.world.score()
    audited.world.settle()
    newest = receipts.list_receipts(audited.world.room, AUDITOR)[-1]
    late = receipts.get(audited.world.room, AUDITOR, newest)
    assert read_note(str(parse_object(late)["checkpoint"])).checkpoint.size > 0

    def add(changed: dict[str, bytes]) -> None:
        changed["receipts/late.json"] = late

    assert files
    with pytest.raises(Tampered, match="after its checkpoint"):
        audited.verify(audited.resigned(add))


@pytest.mark.skipif(OPENSSL is None, reason="openssl(1) is not installed")
def test_time_stamps_in_it_count_by_who_is_pinned(audited: Audited, tmp_path: Path) -> None:
    made, other = make_authority(tmp_path / "one"), make_authority(tmp_path / "two")
    note = read_note(audited.world.room.log.checkpoint())
    response = made.answer(write_request(note.checkpoint.text().encode(), 1))
    stamp = AuthorityStamp(authority="one", response=response.hex())
    stamped = Stamped(checkpoint=note.text(), stamps=(stamp,))
    audited.world.room.log.keep_stamped(canonical_bytes(stamped.to_body()))
    audited.world.score()
    audited.world.settle()
    data = audited.bundle()
    first, second = (
        Authority(name="one", url="http://x/", certificate=one.certificate.public_bytes(DER).hex())
        for one in (made, other)
    )
    found = verify_bundle(data, audited.trust, (first,))
    assert f"the first {note.checkpoint.size} entries existed before 2" in found.links[-1]
    assert "existed" not in "".join(audited.verify(data).links)
    with pytest.raises(Tampered):
        verify_bundle(data, audited.trust, (second,))
    assert verify_bundle(audited.resigned(drop_stamps), audited.trust, (first,)).alarms == ()


def drop_stamps(files: dict[str, bytes]) -> None:
    files.pop("stamped.json", None)


def test_an_auditor_without_a_key_here_makes_none(audited: Audited) -> None:
    with pytest.raises(NotFound):
        make_bundle(Desk(audited.world), audited.author("stranger"), audited.trust)


def test_a_log_that_does_not_give_its_root_is_not_bundled(audited: Audited) -> None:
    class Liar(Desk):
        def log_file(self, path: str) -> bytes | None:
            data = super().log_file(path)
            return data[:-1] + b"!" if data and path.startswith("tile/entries/") else data

    with pytest.raises(Tampered, match="root"):
        make_bundle(Liar(audited.world), audited.author(), audited.trust)


def test_pages_of_openings_have_their_form(audited: Audited) -> None:
    class Odd(Desk):
        def export_openings(self, first: int, size: int | None) -> Mapping[str, Json]:
            return {"lines": None, "size": 1, "next": 1}

    with pytest.raises(Unavailable):
        make_bundle(Odd(audited.world), audited.author(), audited.trust)
