"""One way to run a command line inside the test, as the program would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from saferoom.cli.main import run


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: object) -> Done:
        code = 0
        try:
            run([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        told = capsys.readouterr()
        return Done(code, told.out, told.err)

    return call
