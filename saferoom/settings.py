"""What can an operator set, by environment, and what does each setting mean?

Read by wiring and by the programs' mains alone. The documentation lists each field
with its description, by test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from saferoom.core.retention import LEAST_ARCHIVE_DAYS, LEAST_ONLINE_DAYS
from saferoom.errors import BadInput


class Settings(BaseSettings):
    """SAFEROOM_… variables; unknown ones are ignored, wrong ones refused."""

    model_config = SettingsConfigDict(env_prefix="SAFEROOM_", frozen=True, extra="ignore")

    home: Path = Field(
        default=Path("home"), description="Folder of the room's keys, database, log and vault."
    )
    host: str = Field(default="127.0.0.1", description="Address that the API listens on.")
    port: int = Field(default=8321, ge=1, le=65535, description="Port that the API listens on.")
    origin: str = Field(
        default="saferoom.example/room",
        min_length=1,
        max_length=200,
        pattern=r"^\S+$",
        description="Name of the log in every checkpoint; fixed at `init`.",
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL (postgresql+psycopg://…); unset: SQLite in the home.",
    )
    database_pool: int = Field(
        default=8, ge=1, le=100, description="Connections that are kept open to the database."
    )
    content: Path | None = Field(
        default=None,
        description="Folder that holds policies/, connectors/ and models/; unset: the checkout's,"
        " else the package's own.",
    )
    sources: Path | None = Field(
        default=None,
        description="Folder in which each connector's files lie, one folder NAME for each;"
        " unset: HOME/sources.",
    )
    vault_socket: Path | None = Field(
        default=None, description="The vault's socket; unset: HOME/run/vault.sock."
    )
    vault_timeout_seconds: float = Field(
        default=90.0, gt=0, le=3600, description="How long one call to the vault may take."
    )
    vault_score_seconds: float = Field(
        default=60.0,
        gt=0,
        le=3000,
        description="How long the vault evaluates one score request; rows that are left are"
        " `refused`. Shorter than SAFEROOM_VAULT_TIMEOUT_SECONDS.",
    )
    snapshot_times: str = Field(
        default="02:00",
        pattern=r"^([0-2][0-9]:[0-5][0-9](,[0-2][0-9]:[0-5][0-9])*)?$",
        description="Local times of the day (02:00,14:00) at which the vault publishes a snapshot"
        " as of the day before, whatever came in; empty: only by an operator's order.",
    )
    cage_engine: Literal["auto", "quick", "native", "portable"] = Field(
        default="auto",
        description="What scores trees in the cage, all the same: `quick` (our compiled kernel),"
        " `native` (LightGBM's library, which needs libgomp1), `portable` (numpy) or `auto`"
        " (the first of these that is there).",
    )
    token_hours: int = Field(default=12, ge=1, le=24, description="How long a token is valid.")
    scores_per_minute: int = Field(
        default=6000,
        ge=1,
        le=1_000_000,
        description="Score requests that one organisation may send in a minute.",
    )
    submissions_per_day: int = Field(
        default=100,
        ge=1,
        le=100_000,
        description="Model versions that one organisation may submit within a day.",
    )
    worker_interval_ms: int = Field(
        default=200,
        ge=10,
        le=1000,
        description="Longest pause between two turns of the sequencer.",
    )
    notify_url: str | None = Field(
        default=None,
        description="How parties are told that there are notices: smtp+starttls://user@host:587,"
        " smtps://user@host:465, smtp://127.0.0.1:25 or file:///path; unset: whoever wants to"
        " know asks.",
    )
    notify_from: str = Field(
        default="saferoom@localhost", description="Sender's address of what is sent."
    )
    notify_password_file: Path | None = Field(
        default=None, description="File (0600) with the password of the mail system's user."
    )
    sinks: str = Field(
        default="file",
        min_length=1,
        description="Sinks that must hold an entry before its answer is shown, all of them,"
        " separated by commas: `file` (HOME/sink), `file:///folder` (on another disk),"
        " `folder:///folder` (a new file each time, never rewritten), `syslog://host:601`,"
        " `syslog+tls://host:6514`.",
    )
    sink_ca_file: Path | None = Field(
        default=None,
        description="Authorities (PEM) that vouch for a syslog+tls collector; unset: the system's.",
    )
    online_days: int = Field(
        default=366,
        ge=LEAST_ONLINE_DAYS,
        description="For how many days after its month what an entry commits to stays in the"
        " database; then it goes into HOME/archive. Not less than six months.",
    )
    archive_days: int = Field(
        default=LEAST_ARCHIVE_DAYS,
        ge=LEAST_ARCHIVE_DAYS,
        description="For how many days after its month it can be opened at all; then the"
        " archive's key is destroyed. Not less than three years, nor than the days on line.",
    )
    tail_days: int = Field(
        default=35,
        ge=1,
        le=366,
        description="For how many days what a sink keeps for `saferoom restore` can be opened:"
        " as long as the oldest backup that may be restored.",
    )
    worker_in_process: bool = Field(
        default=True, description="Whether `serve` runs the worker's loop itself."
    )


def read_settings(**overrides: object) -> Settings:
    """Read the environment; what a command line gives wins."""
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        names = ", ".join(sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]}))
        raise BadInput("SETTING_INVALID", names) from error
