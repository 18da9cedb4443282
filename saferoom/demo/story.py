"""What happens in a safe room, from an empty home to a proof in an auditor's hand?

The whole story over the real doors, each step checked. What later issues build adds its
own steps to `CHAPTERS`.
"""

from __future__ import annotations

import time
from pathlib import Path

from saferoom.canonical import Json
from saferoom.demo import asking, figures, granting, opening, proving, submitting, tracing
from saferoom.demo.granting import Parts
from saferoom.demo.server import served
from saferoom.demo.setup import Prepared, prepare
from saferoom.demo.steps import Play, Told
from saferoom.demo.submitting import CARD, TREES, Versions
from saferoom.demo.watching import Watchers, witnesses


def tell(home: Path, port: int, enterprises: int, *, quiet: bool) -> Play:
    """Play everything in a fresh home; raise where a step did not happen."""
    play = Play(quiet=quiet)
    prepared: list[Prepared] = []
    with witnesses() as watchers:
        play.step(
            "A home is founded, keys and data are made",
            lambda: _prepare(prepared, home, port, enterprises, watchers),
        )
        _serve(play, prepared[0], watchers)
    return play


def _serve(play: Play, ready: Prepared, watchers: Watchers) -> None:
    with served(ready.stage.home, ready.port):
        try:
            versions = Versions()
            open_room(play, ready)
            bring_models(play, ready, versions)
            let_enterprises_sign(play, ready, versions)
            play.step("One of three witnesses dies", watchers.lose_one)
            ask(play, ready, versions)
            trace(play, ready, versions)
            prove(play, ready)
            play.step("A forked log is refused", lambda: watchers.refuse_fork(ready.stage.home))
        finally:
            ready.stage.close()


def summary(play: Play, started: float) -> dict[str, Json]:
    """Sum the story up for programs."""
    told = [done.told for done in play.done]
    return {
        "ok": True,
        "steps": [done.to_json() for done in play.done],
        "released": sum(one.released for one in told),
        "refused": sum(one.refused for one in told),
        "charged_mbit": sum(one.charged_mbit for one in told),
        "milliseconds": round((time.perf_counter() - started) * 1000),
    }


def open_room(play: Play, ready: Prepared) -> None:
    """Operators open the room."""
    stage = ready.stage
    play.step("People enrol their keys", lambda: opening.enrol_people(stage))
    play.step("The policy set is activated", lambda: opening.activate_policy(stage))
    play.step("The feature views are approved", lambda: opening.approve_views(stage))
    play.step("The grants' text is approved", lambda: opening.approve_template(stage))
    play.step("Sources are connected", lambda: opening.connect_sources(stage))
    play.step("Sources bring their data", lambda: opening.ingest(stage, ready.rows))
    play.step("A snapshot is published", lambda: opening.publish_snapshot(stage))
    play.step("A steward sees figures of many", lambda: figures.profile(stage))
    play.step("Banks are admitted", lambda: opening.admit_banks(stage))


def bring_models(play: Play, ready: Prepared, versions: Versions) -> None:
    """Bank A practises and brings two models; two more people and two operators agree."""
    stage = ready.stage
    play.step("A modeller practises on mock data", lambda: figures.practise(stage))
    play.step("A LightGBM model is submitted", lambda: submitting.submit(stage, versions, TREES))
    play.step("A scorecard is submitted", lambda: submitting.submit(stage, versions, CARD))
    play.step("Self-approval is refused", lambda: submitting.approve_own(stage, versions))
    play.step("A second person approves", lambda: submitting.approve(stage, versions))
    play.step("Another bank sees nothing", lambda: submitting.peep(stage, versions))


def let_enterprises_sign(play: Play, ready: Prepared, versions: Versions) -> None:
    """Enterprises enrol, budget and grant."""
    stage = ready.stage

    def sign() -> Told:
        trees, card = (versions.manifest(stage, name) for name in (TREES, CARD))
        return granting.sign_grants(stage, trees, card)

    play.step("Enterprises enrol their keys", lambda: granting.enrol_enterprises(stage))
    play.step("Enterprises sign grants", sign)


def ask(play: Play, ready: Prepared, versions: Versions) -> None:
    """Bank A's system asks for scores."""
    stage, parts = ready.stage, Parts.cast(ready.stage.codes)
    for title, act in (
        ("One enterprise is scored", asking.score_one),
        ("The same is asked again", asking.score_again),
        (f"{len(parts.portfolio)} enterprises are scored", asking.score_portfolio),
        ("An expired grant is refused", asking.ask_expired),
        ("A revoked grant is refused", asking.ask_revoked),
        ("A version without a grant is refused", asking.ask_ungranted),
        ("A full budget is refused", asking.fill_budget),
        ("A replay is refused", asking.replay),
        ("A revocation is obeyed at once", asking.obey),
    ):
        play.step(title, lambda act=act: act(stage, versions, parts))  # type: ignore[misc]  # a default binds the act


def trace(play: Play, ready: Prepared, versions: Versions) -> None:
    """Let the enterprise that was scored first look after its own."""
    stage, parts = ready.stage, Parts.cast(ready.stage.codes)
    for title, act in (
        ("An enterprise sees who looked", tracing.see_who_looked),
        ("It sees its own record", tracing.see_own_record),
        ("One score is traced to its batches", tracing.trace_score),
    ):
        play.step(title, lambda act=act: act(stage, versions, parts))  # type: ignore[misc]  # a default binds the act


def prove(play: Play, ready: Prepared) -> None:
    """Anyone verifies what happened."""
    play.step("Receipts verify", lambda: proving.keep_receipts(ready.stage))
    play.step("Every kind has its receipt", lambda: proving.keep_kinds(ready.stage))
    play.step("Evidence is handed over", lambda: proving.hand_over(ready.stage))
    play.step("Tampering is detected", lambda: proving.tamper(ready.stage))


def _prepare(
    prepared: list[Prepared], home: Path, port: int, enterprises: int, watchers: Watchers
) -> Told:
    ready = prepare(home, port, enterprises, watchers)
    prepared.append(ready)
    rows = sum(ready.rows.values())
    return Told(f"{enterprises:,} synthetic enterprises, {rows:,} rows at three sources")
