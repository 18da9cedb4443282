"""What a manifest binds beside what it says."""

from __future__ import annotations

from saferoom.core.manifest import artefact_aad
from tests import factories as make


def test_an_artefact_is_bound_to_its_bank_and_delivery_key() -> None:
    version = make.manifest()
    bound = version.artefact_aad
    assert bound == artefact_aad(version.bank, version.delivery_key)
    assert bound != make.manifest(bank="bank-b").artefact_aad
    assert bound != make.manifest(delivery_key=make.sealing_key("bank-b")).artefact_aad
    assert bound == make.manifest(name="another name").artefact_aad


def test_grades_may_be_in_any_script() -> None:
    assert make.manifest(grades=("优秀", "good enough", '"C"')).outcomes[:1] == ("优秀",)
