"""Does a bar appear once it has taken a while, and never on standard output?"""

from __future__ import annotations

import pytest

from saferoom.sdk import progress


@pytest.mark.parametrize(("patience", "shown"), [(3600.0, False), (-1.0, True)])
def test_a_bar_appears_only_for_those_who_wait(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    patience: float,
    shown: bool,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", patience)
    assert list(progress.track([1, 2, 3], "Scoring")) == [1, 2, 3]
    told = capsys.readouterr()
    assert told.out == ""
    assert ("Scoring" in told.err) is shown
