"""Whose word has a source read, or a snapshot made?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from saferoom.core.enrolment import Role
from saferoom.core.orders import (
    MOST_FILES,
    IngestOrder,
    OrderedFile,
    ProfileOrder,
    SnapshotOrder,
    check_ingest_order,
    check_profile_order,
    check_snapshot_order,
)
from saferoom.errors import BadInput, Refusal
from tests import factories as make

FILE = OrderedFile(name="a.csv", sha256=make.some_digest())


@pytest.fixture
def register() -> make.Register:
    register = make.Register.founded()
    register.enrol("tax.steward", party="tax", role=Role.STEWARD)
    register.enrol("power.steward", party="power", role=Role.STEWARD)
    register.enrol("tax.clerk", party="tax", role=Role.AUDITOR)
    return register


def test_the_party_s_own_steward_is_obeyed(register: make.Register) -> None:
    order = make.ingest_order(files=(FILE,))
    statement = make.sign(order, "tax.steward")
    assert check_ingest_order(statement, register.lookup, "tax", make.NOW) == order
    assert IngestOrder.from_body(order.to_body()) == order


@pytest.mark.parametrize(
    ("by", "changes", "code"),
    [
        ("zhao", {}, "ROLE"),
        ("tax.clerk", {}, "ROLE"),
        ("power.steward", {}, "ROLE"),
        ("power.steward", {"party": "power"}, "ROLE"),
        ("tax.steward", {"party": "power"}, "ROLE"),
        ("stranger", {}, "KEY_UNKNOWN"),
        ("tax.steward", {"asked_at": "2026-11-20T10:45:59Z"}, "REPLAY"),
        ("tax.steward", {"asked_at": "2026-11-20T10:56:01Z"}, "REPLAY"),
    ],
)
def test_others_and_other_times_are_not(
    register: make.Register, by: str, changes: dict[str, object], code: str
) -> None:
    statement = make.sign(make.ingest_order(**changes), by)
    with pytest.raises(Refusal) as refused:
        check_ingest_order(statement, register.lookup, "tax", make.NOW)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "changes",
    [
        {"party": ""},
        {"connector": "x" * 41},
        {"files": (FILE, FILE)},
        {
            "files": tuple(
                OrderedFile(name=str(number), sha256=FILE.sha256)
                for number in range(MOST_FILES + 1)
            )
        },
        {"asked_at": "yesterday"},
        {"nonce": "00"},
    ],
)
def test_an_order_out_of_range_is_none(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        make.ingest_order(**changes)


@pytest.mark.parametrize("name", ["", "a/b.csv", "x" * 101])
def test_a_file_has_a_plain_name(name: str) -> None:
    with pytest.raises(BadInput):
        OrderedFile(name=name, sha256=FILE.sha256)


def test_an_operator_orders_a_snapshot(register: make.Register) -> None:
    order = make.snapshot_order()
    found = check_snapshot_order(make.sign(order, "zhao"), register.lookup, make.NOW)
    assert found == order == SnapshotOrder.from_body(order.to_body())
    with pytest.raises(Refusal, match="ROLE"):
        check_snapshot_order(make.sign(order, "tax.steward"), register.lookup, make.NOW)
    later = make.NOW + timedelta(minutes=6)
    with pytest.raises(Refusal, match="REPLAY"):
        check_snapshot_order(make.sign(order, "zhao"), register.lookup, later)
    with pytest.raises(BadInput):
        make.snapshot_order(as_of="2026-02-30")


@pytest.mark.parametrize("by", ["tax.steward", "zhao"])
def test_stewards_and_operators_ask_for_a_profile(register: make.Register, by: str) -> None:
    order = make.profile_order()
    found, signer = check_profile_order(make.sign(order, by), register.lookup, make.NOW)
    assert (found, signer.holder) == (order, by)
    assert ProfileOrder.from_body(order.to_body()) == order


@pytest.mark.parametrize(
    ("by", "changes", "code"),
    [
        ("tax.clerk", {}, "ROLE"),
        ("stranger", {}, "KEY_UNKNOWN"),
        ("zhao", {"asked_at": "2026-11-20T10:45:59Z"}, "REPLAY"),
    ],
)
def test_nobody_else_and_no_old_paper_asks_for_a_profile(
    register: make.Register, by: str, changes: dict[str, object], code: str
) -> None:
    statement = make.sign(make.profile_order(**changes), by)
    with pytest.raises(Refusal) as refused:
        check_profile_order(statement, register.lookup, make.NOW)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "views", [(), ("b", "a"), ("a", "a"), tuple(f"v{n:03}" for n in range(501))]
)
def test_a_profile_names_each_feature_once(views: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        make.profile_order(views=views)
