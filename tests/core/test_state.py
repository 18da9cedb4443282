"""Are the tables whole, and is whatever they do not hold refused?"""

from __future__ import annotations

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.core.log_events import KINDS
from saferoom.core.state import (
    GRANT,
    PARTY,
    VERSION,
    GrantState,
    Machine,
    Owner,
    PartyState,
    VersionState,
    check_transition,
    diagram,
)
from saferoom.errors import Conflict

MACHINES: list[Machine[StrEnum]] = [PARTY, VERSION, GRANT]  # type: ignore[list-item]
EVENTS = sorted({e for machine in MACHINES for way in machine.transitions.values() for e in way})

# The lines of design.md, "State machines", spelt out once more.
PATHS: list[tuple[Machine[StrEnum], str, str]] = [
    (PARTY, "assess admit", "admitted"),  # type: ignore[list-item]
    (PARTY, "assess admit suspend", "suspended"),  # type: ignore[list-item]
    (PARTY, "assess admit suspend resume", "admitted"),  # type: ignore[list-item]
    (PARTY, "assess admit suspend exit", "exited"),  # type: ignore[list-item]
    (VERSION, "submit check review approve", "approved"),  # type: ignore[list-item]
    (VERSION, "submit check review refuse", "refused"),  # type: ignore[list-item]
    (VERSION, "submit check review approve suspend", "suspended"),  # type: ignore[list-item]
    (VERSION, "submit check review approve suspend resume", "approved"),  # type: ignore[list-item]
    (VERSION, "submit check review approve suspend retire", "retired"),  # type: ignore[list-item]
    (VERSION, "submit check review approve retire", "retired"),  # type: ignore[list-item]
    (GRANT, "grant", "granted"),  # type: ignore[list-item]
    (GRANT, "decline", "declined"),  # type: ignore[list-item]
    (GRANT, "lapse", "lapsed"),  # type: ignore[list-item]
    (GRANT, "grant expire", "expired"),  # type: ignore[list-item]
    (GRANT, "grant revoke", "revoked"),  # type: ignore[list-item]
]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_table_is_whole(machine: Machine[StrEnum]) -> None:
    states = set(type(machine.start))
    assert set(machine.owners) == states
    assert set(machine.transitions) == states
    reached = {way.next for ways in machine.transitions.values() for way in ways.values()}
    assert reached | {machine.start} == states


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_nobody_minds_final_states_and_somebody_all_others(machine: Machine[StrEnum]) -> None:
    for state, ways in machine.transitions.items():
        assert (machine.owners[state] is Owner.NOBODY) is (not ways)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_an_audit_kind_is_one_that_the_log_knows(machine: Machine[StrEnum]) -> None:
    kinds = {way.audit for ways in machine.transitions.values() for way in ways.values()}
    assert kinds - {None} <= set(KINDS)


@pytest.mark.parametrize(("machine", "events", "end"), PATHS)
def test_the_designed_ways_lead_where_they_should(
    machine: Machine[StrEnum], events: str, end: str
) -> None:
    state = machine.start
    for event in events.split():
        state = check_transition(machine, state, event)
    assert state == end


def test_the_designed_ways_use_every_transition() -> None:
    walked = set()
    for machine, events, _ in PATHS:
        state = machine.start
        for event in events.split():
            walked.add((machine.name, state, event))
            state = check_transition(machine, state, event)
    assert walked == {
        (machine.name, state, event)
        for machine in MACHINES
        for state, ways in machine.transitions.items()
        for event in ways
    }


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_whatever_the_table_does_not_hold_is_refused(machine: Machine[StrEnum]) -> None:
    for state in type(machine.start):
        for event in {*EVENTS, "", "delete"} - set(machine.transitions[state]):
            with pytest.raises(Conflict) as refusal:
                check_transition(machine, state, event)
            assert refusal.value.code == "STATE"


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_what_has_ended_never_begins_again(events: list[str]) -> None:
    for machine in MACHINES:
        state, ended = machine.start, False
        for event in events:
            try:
                state = check_transition(machine, state, event)
            except Conflict:
                continue
            assert not ended
            ended = not machine.transitions[state]


def test_states_have_their_own_types() -> None:
    assert check_transition(PARTY, PartyState.APPLIED, "assess") is PartyState.ASSESSED
    assert check_transition(VERSION, VersionState.DRAFT, "submit") is VersionState.SUBMITTED
    assert check_transition(GRANT, GrantState.REQUESTED, "grant") is GrantState.GRANTED


def test_the_diagram_is_the_table() -> None:
    assert diagram(GRANT) == (
        "stateDiagram-v2\n"
        "    [*] --> requested\n"
        "    requested --> granted: grant\n"
        "    requested --> declined: decline\n"
        "    requested --> lapsed: lapse\n"
        "    granted --> expired: expire\n"
        "    granted --> revoked: revoke\n"
        "    declined --> [*]\n"
        "    lapsed --> [*]\n"
        "    expired --> [*]\n"
        "    revoked --> [*]\n"
    )
