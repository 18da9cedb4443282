from __future__ import annotations

import stat
from pathlib import Path

import pytest

from saferoom import wiring
from saferoom.app import health, log
from saferoom.core.trust import Trust
from saferoom.errors import BadInput, Conflict, NotFound, Refusal, SaferoomError
from saferoom.settings import Settings, read_settings
from saferoom.tlog.checkpoint import read_note
from tests import factories as f


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def found(home: Path, **changes: object) -> Settings:
    settings = read_settings(home=home, origin="room.test/log", **changes)
    wiring.found(settings, f.genesis(), f.vault_keys())
    return settings


def test_a_founded_home_opens_and_its_log_begins_with_genesis(home: Path) -> None:
    with wiring.open_room(found(home), "test") as room:
        log.deliver(room)
        assert log.sequence(room) == 3  # genesis and two enrolments
        trust = Trust.from_bytes((home / "trust.json").read_bytes())
        assert trust.vaults == (f.vault_keys(),)
        note = read_note((home / "log" / "checkpoint").read_text())
        assert trust.check_signatures(note, only_known=True).checkpoint.size == 3
        assert len((home / "sink" / "entries.log").read_text().splitlines()) == 3
    assert wiring.check_database(home) == "sqlite"


def test_a_log_with_sm2_signs_each_checkpoint_twice(home: Path) -> None:
    settings = read_settings(home=home, origin="room.test/log")
    wiring.found(settings, f.genesis(), f.vault_keys(), sm2=True)
    trust = Trust.from_bytes((home / "trust.json").read_bytes())
    assert trust.algorithms == {"ed25519", "sm2"}
    assert stat.S_IMODE((home / "keys" / wiring.SM2_KEY).stat().st_mode) == 0o600
    for _ in range(2):  # also after a restart
        with wiring.open_room(settings, "test") as room:
            log.sequence(room)
            note = trust.check_signatures(read_note(room.log.checkpoint()), only_known=True)
            assert note.checkpoint.size == 3
            assert len(trust.check_vouched(note, None)) == 2
    (home / "keys" / wiring.SM2_KEY).unlink()
    with (
        pytest.raises(BadInput, match="KEY_FOLDER"),
        wiring.open_room(settings, "test"),
    ):
        pass


def test_a_founded_room_runs_on_postgresql_alike(
    home: Path, fresh_database: object, database_url: str
) -> None:
    settings = found(home, database_url=database_url)
    with wiring.open_room(settings, "test") as room:
        assert log.sequence(room) == 3
        assert health.parts(room)["database"] == "ready"


def test_keys_are_for_their_owner_alone(home: Path) -> None:
    found(home)
    for name in ("log.key", "subject.key"):
        assert stat.S_IMODE((home / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o700


def test_a_home_that_was_there_is_closed_to_others(home: Path) -> None:
    home.mkdir(mode=0o755)
    with wiring.open_room(found(home), "test") as room:
        log.sequence(room)
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        for path in home.glob("room.db*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def spoil_version(home: Path) -> None:
    (home / "version").write_text("2\n")


def open_key(home: Path) -> None:
    (home / "keys" / "log.key").chmod(0o644)


def cut_key(home: Path) -> None:
    (home / "keys" / "subject.key").write_text("12")


def lose_key(home: Path) -> None:
    (home / "keys" / "log.key").unlink()


def lose_version(home: Path) -> None:
    (home / "version").unlink()


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("HOME_NEWER", spoil_version),
        ("KEY_FOLDER", open_key),
        ("FIELD_INVALID", cut_key),
        ("KEY_FOLDER", lose_key),
        ("HOME_MISSING", lose_version),
    ],
)
def test_a_spoilt_home_does_not_open(home: Path, code: str, spoil: object) -> None:
    settings = found(home)
    assert callable(spoil)
    spoil(home)
    with pytest.raises(SaferoomError) as caught, wiring.open_room(settings, "test"):
        pass
    assert caught.value.code == code


def test_no_home_is_missing(home: Path) -> None:
    with pytest.raises(NotFound) as caught, wiring.open_room(read_settings(home=home), "test"):
        pass
    assert caught.value.code == "HOME_MISSING"


def test_a_room_is_founded_once_and_only_by_two(home: Path) -> None:
    found(home)
    with pytest.raises(Conflict):
        found(home)
    with pytest.raises(Refusal):
        wiring.found(read_settings(home=home / "other"), f.genesis()[:1], f.vault_keys())
    assert not (home / "other").exists()


def test_an_absent_vault_is_named(home: Path) -> None:
    with wiring.open_room(found(home), "test") as room:
        assert health.parts(room)["vault"] == "VAULT_UNAVAILABLE"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "0"), ("PORT", "x"), ("ORIGIN", ""), ("TOKEN_HOURS", "100"), ("DATABASE_POOL", "0")],
)
def test_a_wrong_setting_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"SAFEROOM_{name}", value)
    with pytest.raises(BadInput) as caught:
        read_settings()
    assert caught.value.code == "SETTING_INVALID"
    assert name.lower() in caught.value.sentence


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_a_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEROOM_PORT", "9000")
    assert (read_settings().port, read_settings(port=9001, host=None).port) == (9000, 9001)


def _home(folder: Path) -> Path:
    (folder / "run").mkdir(parents=True)
    return folder


def test_a_program_of_a_home_keeps_its_name_over_starts(tmp_path: Path) -> None:
    here, there = _home(tmp_path / "here"), _home(tmp_path / "there")
    first = wiring._owner(here, "serve")
    assert wiring._owner(here, "serve") == first
    assert len({first, wiring._owner(here, "worker"), wiring._owner(there, "serve")}) == 3
    assert len(first) <= 64  # the database's column


@pytest.mark.parametrize(
    ("name", "value"),
    [("ONLINE_DAYS", "183"), ("ARCHIVE_DAYS", "1095"), ("TAIL_DAYS", "0"), ("SINKS", "")],
)
def test_a_setting_below_what_the_law_asks_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"SAFEROOM_{name}", value)
    with pytest.raises(BadInput) as caught:
        read_settings()
    assert caught.value.code == "SETTING_INVALID"


def test_an_archive_that_ends_before_it_begins_opens_no_room(home: Path) -> None:
    settings = found(home)
    later = settings.model_copy(update={"online_days": 1_200})
    with pytest.raises(BadInput), wiring.open_room(later, "test"):
        pass
