"""Whose word is a certificate of erasure, and about which order?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferoom.core.erasure import ErasureCertificate, check_certificate, check_own_certificate
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Tampered
from tests import factories as make
from tests.tlog.small_log import trust

TRUST = replace(trust(), vaults=(make.vault_keys("vault"),))
ORDER = make.sign(make.erase_order(make.ENTERPRISE), make.ENTERPRISE)


def certificate(**changes: object) -> ErasureCertificate:
    fields: dict[str, object] = {
        "order": ORDER.digest,
        "unreadable_here_at": make.NOW_TEXT,
        "unreadable_everywhere_from": "2026-11-27T10:51:00Z",
        "tables": ("tax_month",),
        "snapshots": (make.some_digest(),),
        "models": (),
    }
    return ErasureCertificate(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_trusted_vault_s_certificate_of_this_order_holds() -> None:
    said = certificate()
    assert check_certificate(make.sign(said, "vault"), TRUST, ORDER) == said


@pytest.mark.parametrize(
    ("by", "changes"),
    [
        (("zhao",), {}),
        (("vault", "zhao"), {}),
        ((), {}),
        (("vault",), {"order": make.some_digest("another")}),
        (("vault",), {"unreadable_here_at": "2020-01-01T00:00:00Z"}),  # before its keys' time
    ],
)
def test_another_word_does_not(by: tuple[str, ...], changes: dict[str, object]) -> None:
    with pytest.raises(Tampered, match="CERTIFICATE_INVALID"):
        check_certificate(make.sign(certificate(**changes), *by), TRUST, ORDER)
    with pytest.raises(Tampered, match="CERTIFICATE_INVALID"):
        check_certificate(make.sign({"kind": "x"}, "vault"), TRUST, ORDER)


def test_a_vault_believes_its_own_certificates_alone() -> None:
    said, own = certificate(), make.signing_key("vault").public
    assert check_own_certificate(make.sign(said, "vault"), own) == said
    for by in ((), ("zhao",), ("vault", "zhao")):
        with pytest.raises(Tampered, match="CERTIFICATE_INVALID"):
            check_own_certificate(make.sign(said, *by), own)
    with pytest.raises(Tampered, match="CERTIFICATE_INVALID"):
        check_own_certificate(make.sign({"kind": "x"}, "vault"), own)
    bent = Statement({**said.to_body(), "tables": []}, make.sign(said, "vault").signatures)
    with pytest.raises(Tampered, match="CERTIFICATE_INVALID"):
        check_own_certificate(bent, own)


@pytest.mark.parametrize(
    "changes",
    [
        {"order": "ab"},
        {"snapshots": ("ab",)},
        {"models": ("ab",)},
        {"unreadable_here_at": "now"},
        {"unreadable_everywhere_from": "2026-11-20T10:50:59Z"},
    ],
)
def test_a_certificate_out_of_range_is_none(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        certificate(**changes)
