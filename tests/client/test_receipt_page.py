"""A page says what was verified, shows no grade unasked, and runs nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from saferoom.cli.main import app
from saferoom.client.grades import open_grade
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.receipt_page import Page, qr_text, receipt_id, render
from saferoom.core.answer import AAD, Answer, pad
from saferoom.core.enrolment import Role
from saferoom.core.receipt import Verified
from saferoom.crypto.sealing import SealingKey, seal
from saferoom.errors import NotFound, Tampered
from tests import factories as f
from tests.core.receipt_kinds import BANK, CASES, FIRM, GRANT, MANIFEST, SYSTEM, TRUST

DELIVERY = SealingKey(f.sealing_seed("delivery"))


def verified(**changes: object) -> Verified:
    return replace(CASES["a release"].verify(), **changes)  # type: ignore[arg-type]


def answer(outcome: str = "G03", signer: str = "vault", **changes: object) -> bytes:
    fields = {
        "enterprise": FIRM,
        "outcome": outcome,
        "request": f.some_digest("request"),
        "snapshot": f.some_digest("snapshot"),
        "version": MANIFEST.digest,
    }
    said = Answer(**{**fields, **changes})  # type: ignore[arg-type]
    to = [DELIVERY.public]
    return seal(pad(f.sign(said, signer)), to, AAD, lambda length: b"\7" * length)


def keys(key: SealingKey | None = DELIVERY) -> KeyFolder:
    other = SealingKey(f.sealing_seed("own"))
    return KeyFolder(SYSTEM, BANK, Role.SYSTEM, "", f.signing_key(SYSTEM), other, key)


def page(**changes: object) -> str:
    return render(Page(verified=verified(**changes), fingerprint=TRUST.fingerprint))


class Tags(HTMLParser):
    """Collects what a browser would act upon."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in {"meta", "path"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag


def test_it_tells_who_which_model_what_for_and_until_when() -> None:
    text = page()
    for said in (
        GRANT.enterprise_name,
        GRANT.bank_name,
        FIRM,
        MANIFEST.name,
        MANIFEST.digest,
        str(GRANT.purpose),
        GRANT.valid_from,
        GRANT.valid_until,
        receipt_id(verified()),
        verified().root,
        TRUST.fingerprint,
        "saferoom verify receipt.json",
        "如何再次核验",
    ):
        assert said in text
    assert all(link in text for link in verified().links if "'" not in link)


def test_no_grade_stands_there_unopened() -> None:
    text = page(answer=answer())
    assert "sealed: only the bank or the enterprise opens it" in text
    assert "G03" not in text


def test_the_banks_own_key_opens_it() -> None:
    seen = verified(answer=answer())
    grade = open_grade(seen, keys(), TRUST)
    text = render(Page(verified=seen, fingerprint="00", grade=grade, opened_by=f"{SYSTEM}, {BANK}"))
    assert "G03 （由" in text


@pytest.mark.parametrize(
    ("sealed", "code"),
    [
        (answer(signer="nobody"), "ANSWER_INVALID"),
        (answer(enterprise="9999000100000000AA"), "ANSWER_INVALID"),
        (answer(version=f.some_digest("x")), "ANSWER_INVALID"),
        (answer(request=f.some_digest("x")), "ANSWER_INVALID"),
        (answer(outcome="G99"), "ANSWER_INVALID"),
        (b"SRSEAL1\n", "SEAL_INVALID"),
    ],
)
def test_another_answer_is_not_shown(sealed: bytes, code: str) -> None:
    with pytest.raises(Tampered) as caught:
        open_grade(verified(answer=sealed), keys(), TRUST)
    assert caught.value.code == code


def test_a_stored_answer_keeps_the_request_that_it_answered() -> None:
    opened = {**verified().opened, "source": "stored"}
    seen = verified(answer=answer(request=f.some_digest("earlier")), opened=opened)
    assert open_grade(seen, keys(), TRUST) == "G03"


def test_another_key_opens_nothing() -> None:
    with pytest.raises(Tampered) as caught:
        open_grade(verified(answer=answer()), keys(None), TRUST)
    assert caught.value.code == "SEAL_INVALID"


def test_without_an_answer_or_a_manifest_there_is_no_grade() -> None:
    with pytest.raises(NotFound):
        open_grade(verified(), keys(), TRUST)
    with pytest.raises(Tampered):
        open_grade(verified(answer=answer(), papers=()), keys(), TRUST)


@pytest.mark.parametrize("name", CASES)
def test_a_page_of_every_kind_is_well_formed_and_runs_nothing(name: str) -> None:
    seen = CASES[name].verify()
    text = render(Page(verified=seen, fingerprint=TRUST.fingerprint))
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not tags.names & {"script", "img", "link", "iframe", "object", "a", "form"}
    assert not any(name.startswith("on") for name in tags.attributes)
    assert not tags.attributes & {"href", "src", "xlink:href"}
    assert "://" not in text
    assert "url(" not in text


def test_what_a_receipt_says_is_escaped() -> None:
    nasty = '<script>alert("1")</script>&'
    opened = {**verified().opened, "loan_reference": nasty, "caller": None}
    text = page(opened=opened, shredded=("grant",), links=(nasty,), hour=nasty)
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;") == 3
    assert "已销毁" in text


def test_the_code_says_what_is_compared() -> None:
    seen = verified()
    lines = qr_text(Page(verified=seen, fingerprint="00")).split("\n")
    assert lines == [
        "saferoom-receipt-1",
        seen.origin,
        f"{seen.entry}-0",
        "2",
        "5",
        seen.root,
    ]
    assert receipt_id(CASES["a grant"].verify()) == CASES["a grant"].verify().entry


def test_the_command_writes_a_page_of_what_it_verified(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(CASES["a release"].receipt())
    (tmp_path / "trust.json").write_bytes(TRUST.to_bytes())
    trust = ["--trust", str(tmp_path / "trust.json"), "--json"]
    words = ["verify", str(tmp_path / "r.json"), *trust, "--page", str(tmp_path / "p.html")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    text = (tmp_path / "p.html").read_text("utf-8")
    assert told["root"] in text
    assert re.search(f"{told['entry']}-{told['record']}", text)
    bent = bytearray((tmp_path / "r.json").read_bytes())
    bent[300] ^= 1
    (tmp_path / "r.json").write_bytes(bent)
    (tmp_path / "p.html").unlink()
    assert CliRunner().invoke(app, words).exit_code == 1
    assert not (tmp_path / "p.html").exists()
