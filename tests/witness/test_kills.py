"""Killed at any moment, a witness never cosigns two roots of one size."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest

from tests.witness.fork import Running, free_port, make_home, request, start

HASTY = (str(Path(__file__).with_name("hasty.py")),)


def attack(folder: Path, program: tuple[str, ...], kills: int, seed: int) -> list[int]:
    """Ask for one branch, kill, ask for the other; return the sizes cosigned twice over."""
    choice, port = random.Random(seed), free_port()
    running, history, double = start(folder, port, program), list[bytes](), list[int]()
    try:
        for number in range(kills):
            if history and running.post(request(history, len(history)))[0] != 200:
                history = []  # a twin that has forgotten it
            more = choice.randint(1, 5)
            one, other = ([*history, *[b"%d %d" % (number, n)] * more] for n in (1, 2))
            at_once = choice.random() < 0.5  # at the answer, or at a random moment before it
            first = _ask_and_kill(running, request(one, len(history)), at_once, choice)
            running = start(folder, port, program)
            second = running.post(request(other, len(history)))[0] == 200
            if first and second:
                double.append(len(one))
            stored = running.post(request(one, len(one)))[0] == 200
            history = other if second else one if stored else history
    finally:
        running.kill()
    return double


def _ask_and_kill(running: Running, data: bytes, at_once: bool, choice: random.Random) -> bool:
    answered: list[int] = []
    thread = threading.Thread(target=lambda: answered.append(running.post(data)[0]))
    thread.start()
    if at_once:
        thread.join()
    else:
        time.sleep(choice.uniform(0, 0.02))
    running.kill()
    thread.join()
    return answered == [200]


@pytest.mark.parametrize("seed", [1])
def test_kills_at_random_moments_never_get_two_roots(tmp_path: Path, seed: int) -> None:
    make_home(tmp_path / "w")
    assert attack(tmp_path / "w", ("-m", "saferoom.witness"), 4, seed) == []


@pytest.mark.long
def test_two_hundred_kills_never_get_two_roots(tmp_path: Path) -> None:
    make_home(tmp_path / "w")
    assert attack(tmp_path / "w", ("-m", "saferoom.witness"), 200, 2) == []


def test_a_twin_that_answers_before_it_stores_is_caught(tmp_path: Path) -> None:
    """The harness can find what it looks for."""
    make_home(tmp_path / "w")
    assert attack(tmp_path / "w", HASTY, 4, 1) != []
