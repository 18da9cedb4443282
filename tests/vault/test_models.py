"""Which submitted models does the vault read and keep?"""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from saferoom.adapters.mock_files import read_mock_set
from saferoom.canonical import Json, canonical_bytes
from saferoom.core.admission import PartyKind
from saferoom.core.enrolment import Role
from saferoom.core.manifest import ModelFormat
from saferoom.core.mock_rows import draw
from saferoom.crypto.sealing import SealingKey, seal
from saferoom.errors import SaferoomError
from saferoom.scoring.artefact import build_artefact
from saferoom.scoring.form import Direction
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.sdk.golden import make_golden
from saferoom.vault.declarations import content_folder
from tests import factories as make
from tests.vault.room import CARD, GRADES, SmallRoom, artefact


@pytest.fixture
def furnished(bare: SmallRoom) -> SmallRoom:
    bare.furnish()
    return bare


def check(
    room: SmallRoom, sealed: bytes, signer: str = "bank-a.modeller", /, **changes: object
) -> str:
    """Submit, and name the refusal or "kept"."""
    manifest = room.manifest(sealed, **changes)
    folder = room.home / "vault/models"
    try:
        room.service.check_model(make.sign(manifest, signer), sealed)
    except SaferoomError as error:
        assert list(folder.iterdir()) == []
        return error.code
    assert [path.name for path in folder.iterdir()] == [manifest.artefact]
    assert (folder / manifest.artefact).read_bytes() == sealed
    return "kept"


def test_a_model_as_declared_is_kept_sealed(furnished: SmallRoom) -> None:
    sealed = furnished.sealed()
    manifest = furnished.manifest(sealed)
    shape = furnished.service.check_model(make.sign(manifest, "bank-a.modeller"), sealed)
    assert (shape.features, shape.grades) == (manifest.features, 3)
    assert (shape.scorer, shape.parts) == ("scorecard", 2)
    assert check(furnished, sealed) == "kept"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"artefact": make.some_digest()}, "CONTENT_CHANGED"),
        ({"artefact_bytes": 3}, "CONTENT_CHANGED"),
        ({"features": ("sales_12", "nothing")}, "MODEL_FEATURE_UNKNOWN"),
        ({"views": make.some_digest()}, "VIEW_UNAPPROVED"),
        ({"bank": "bank-b"}, "ROLE"),
        ({"group": "other-group"}, "CONTRACT_SCOPE"),
        ({"features": ("sales_12",)}, "MODEL_MALFORMED"),
        ({"features": ("tax_grade", "kwh_3m_yoy")}, "MODEL_MALFORMED"),
        ({"grades": (*GRADES, "D")}, "MODEL_MALFORMED"),
    ],
)
def test_a_manifest_that_is_not_the_models_refuses(
    furnished: SmallRoom, changes: dict[str, object], code: str
) -> None:
    assert check(furnished, furnished.sealed(), "bank-a.modeller", **changes) == code


@pytest.mark.parametrize("signer", ["bank-a.approver", "zhao", "nobody"])
def test_only_a_modeller_submits(furnished: SmallRoom, signer: str) -> None:
    expected = "KEY_UNKNOWN" if signer == "nobody" else "ROLE"
    assert check(furnished, furnished.sealed(), signer) == expected


def _card(**changes: Json) -> bytes:
    return artefact({**CARD, **changes})


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"tree\nversion=v4\n",
        b"\x80\x04\x95pickle",
        artefact(thresholds=(105, 50)),
        artefact(thresholds=(float("nan"), 1)),
        _card(base="0x1p9999"),
        _card(kind="saferoom/scorecard/2"),
        _card(characteristics=[]),
        canonical_bytes({"kind": "saferoom/artefact/1"}),
    ],
)
def test_a_malformed_model_is_refused(furnished: SmallRoom, plain: bytes) -> None:
    assert check(furnished, furnished.sealed(plain)) in {"MODEL_MALFORMED", "MODEL_FORMAT"}


def test_a_model_sealed_to_somebody_else_does_not_open(furnished: SmallRoom) -> None:
    stranger = SealingKey(make.sealing_seed("stranger")).public
    other_use = [furnished.service.sealing_key]
    for sealed in (
        seal(artefact(), [stranger], make.manifest().artefact_aad, furnished.random),
        seal(artefact(), other_use, b"saferoom/batch/1", furnished.random),
    ):
        assert check(furnished, sealed) == "SEAL_INVALID"


def test_copied_bytes_open_under_no_other_banks_manifest(furnished: SmallRoom) -> None:
    """A bank that saw another's sealed model cannot have it scored in its own name."""
    furnished.enrol("bank-b.modeller", "bank-b", Role.MODELLER)
    furnished.admit("bank-b", PartyKind.BANK, ("registration", "tax", "utilities"))
    sealed = furnished.sealed()
    thief = {"bank": "bank-b", "group": "bank-b"}
    assert check(furnished, sealed, "bank-b.modeller", **thief) == "SEAL_INVALID"
    other = make.sealing_key("bank-b delivery")
    assert (
        check(furnished, sealed, "bank-b.modeller", **thief, delivery_key=other) == "SEAL_INVALID"
    )
    assert check(furnished, sealed, delivery_key=other) == "SEAL_INVALID"
    assert check(furnished, sealed) == "kept"


def test_a_bank_outside_the_room_submits_nothing(furnished: SmallRoom) -> None:
    furnished.enrol("bank-b.modeller", "bank-b", Role.MODELLER)
    sealed = furnished.sealed()
    assert check(furnished, sealed, "bank-b.modeller", bank="bank-b") == "ORG_INACTIVE"


def test_unapproved_views_are_no_catalogue(bare: SmallRoom) -> None:
    bare.enrol("bank-a.modeller", "bank-a", Role.MODELLER)
    bare.admit("bank-a", PartyKind.BANK, ("tax",))
    assert check(bare, bare.sealed()) == "VIEW_UNAPPROVED"


def test_what_was_fitted_on_mock_data_is_read_and_kept(furnished: SmallRoom) -> None:
    """By the vault's own reader, in its cage, as it was saved."""
    mock = read_mock_set(content_folder() / "policies" / "mock").of(furnished.declared.views)
    admitted = {"registration", "tax", "utilities"}
    views = furnished.declared.views
    features = [name for name in views.names() if {*views.categories_of((name,))} <= admitted]
    matrix = draw(mock, features, 2000, 1)
    bad = np.nan_to_num(matrix[:, features.index("late_file_n12")]) > 1
    settings = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 700, "objective": "binary"}
    data = lgb.Dataset(matrix, bad.astype(np.float64), feature_name=list(features))
    text, cuts = lgb.train(settings, data, num_boost_round=10).model_to_string(), (0.2, 0.4)
    form = read_lightgbm(text)
    rows = make_golden(form, None, cuts, Direction.RISK)
    sealed = furnished.sealed(
        build_artefact(ModelFormat.LIGHTGBM_TEXT, text, Direction.RISK, cuts, rows)
    )
    read = tuple(form.features)
    kept = check(furnished, sealed, features=read, model_format=ModelFormat.LIGHTGBM_TEXT)
    assert kept == "kept"
