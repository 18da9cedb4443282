"""Whose word has a source read, a snapshot made, an enterprise erased, or keys changed?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from saferoom.canonical import Digest
from saferoom.core.enrolment import Role
from saferoom.core.orders import (
    MOST_FILES,
    MOST_KEPT_DAYS,
    IngestOrder,
    OrderedFile,
    ProfileOrder,
    SnapshotOrder,
    check_erase_order,
    check_ingest_order,
    check_key_backup_order,
    check_profile_order,
    check_rotate_order,
    check_snapshot_order,
)
from saferoom.core.uscc import make_uscc
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


ENTERPRISE = make_uscc(1)


@pytest.fixture
def enterprise(register: make.Register) -> make.Register:
    register.enrol(ENTERPRISE, party=ENTERPRISE, role=Role.ENTERPRISE)
    register.enrol(make_uscc(2), party=make_uscc(2), role=Role.ENTERPRISE)
    return register


def test_an_enterprise_or_two_operators_with_evidence_have_it_erased(
    enterprise: make.Register,
) -> None:
    own = make.erase_order(ENTERPRISE)
    statement = make.sign(own, ENTERPRISE)
    assert check_erase_order(statement, enterprise.lookup, make.NOW) == own
    on_behalf = make.erase_order(ENTERPRISE, evidence=make.some_digest())
    statement = make.sign(on_behalf, "zhao", "qian")
    assert check_erase_order(statement, enterprise.lookup, make.NOW) == on_behalf


@pytest.mark.parametrize(
    ("by", "evidence", "code"),
    [
        ((make_uscc(2),), None, "SIGNATURE_INVALID"),
        (("zhao",), None, "ROLE"),
        (("zhao", "qian"), None, "SIGNATURE_INVALID"),
        (("zhao",), make.some_digest(), "APPROVAL_MISSING"),
        (("zhao", "tax.steward"), make.some_digest(), "ROLE"),
        ((ENTERPRISE,), make.some_digest(), "ROLE"),
    ],
)
def test_nobody_else_has_an_enterprise_erased(
    enterprise: make.Register, by: tuple[str, ...], evidence: Digest | None, code: str
) -> None:
    statement = make.sign(make.erase_order(ENTERPRISE, evidence=evidence), *by)
    with pytest.raises(Refusal) as refused:
        check_erase_order(statement, enterprise.lookup, make.NOW)
    assert refused.value.code == code


TWO_PEOPLE = {
    "rotate": (make.rotate_order, check_rotate_order),
    "backup": (make.key_backup_order, check_key_backup_order),
    "erase": (
        lambda **changes: make.erase_order(ENTERPRISE, evidence=make.some_digest(), **changes),
        check_erase_order,
    ),
}


@pytest.mark.parametrize("kind", TWO_PEOPLE)
def test_two_operators_within_a_day_and_no_fewer(register: make.Register, kind: str) -> None:
    order, check = TWO_PEOPLE[kind]
    record = order()
    signed = make.sign(record, "zhao", "qian")
    for now in (make.NOW, make.NOW + timedelta(days=1)):
        assert check(signed, register.lookup, now) == record
    for now in (make.NOW + timedelta(days=1, seconds=1), make.NOW - timedelta(minutes=6)):
        with pytest.raises((Refusal, BadInput)):
            check(signed, register.lookup, now)
    for by in (("zhao",), ("zhao", "tax.steward"), ("zhao", "qian", "sun")):
        with pytest.raises(Refusal):
            check(make.sign(record, *by), register.lookup, make.NOW)


@pytest.mark.parametrize(
    "make_one",
    [
        lambda: make.erase_order(""),
        lambda: make.erase_order("x" * 19),
        lambda: make.erase_order(ENTERPRISE, evidence="ab"),
        lambda: make.rotate_order(nonce=""),
        lambda: make.rotate_order(asked_at="now"),
        lambda: make.key_backup_order(kept_days=0),
        lambda: make.key_backup_order(kept_days=MOST_KEPT_DAYS + 1),
        lambda: make.key_backup_order(custodian="00" * 32),
    ],
)
def test_an_order_about_keys_or_erasure_out_of_range_is_none(
    make_one: Callable[[], object],
) -> None:
    with pytest.raises((BadInput, Refusal)):
        make_one()


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
