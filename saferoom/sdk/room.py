"""What does a bank's modeller type?

    room = saferoom.connect("http://127.0.0.1:8321", key="people/li.na")
    version = room.submit(booster, name="sme-2026", purpose="credit_approval", grades=[…])
    room.score(version, ids)

The model is sealed to the vault before it leaves this machine, and grades are opened on
it: the room's API sees neither. Which vault that is says the trust file beside the keys, never
the room. Nothing of the server is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

import pandas as pd

from saferoom.canonical import Digest, Json
from saferoom.client import keyfolder
from saferoom.client.http import Answer, RoomClient
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.lineage import Lineage, check_lineage
from saferoom.client.looks import Look, check_looks, fetch_looks
from saferoom.client.own_record import fetch_own_record
from saferoom.client.trustfile import read_trust, trust_of
from saferoom.client.uses import Use, find_uses
from saferoom.core.admission import Admission
from saferoom.core.budget import DEFAULT_BUDGET_MBIT
from saferoom.core.dispute import Why
from saferoom.core.enrolment import Signatory
from saferoom.core.manifest import Manifest, Purpose, artefact_aad
from saferoom.core.mock import MockSet
from saferoom.core.moment import local_day
from saferoom.core.request import MOST_ENTERPRISES
from saferoom.core.trust import Trust
from saferoom.core.views import ViewSet
from saferoom.crypto.sealing import SealingKey, SealingPublicKey, seal
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Refusal, Tampered
from saferoom.scoring.artefact import build_artefact
from saferoom.scoring.form import Direction
from saferoom.sdk import models
from saferoom.sdk.answers import COLUMNS, Asked, Line, Reader
from saferoom.sdk.golden import make_golden
from saferoom.sdk.grades import Grades, cut
from saferoom.sdk.grants import Draft, draft
from saferoom.sdk.mock import mock_table
from saferoom.sdk.profile import profile_table
from saferoom.sdk.progress import track

T = TypeVar("T", bound=StrEnum)
NOTICE_COLUMNS = ("number", "kind", "time", "bank", "purpose", "charge_mbit", "entry")
USE_COLUMNS = tuple(one.name for one in fields(Use))
LOOK_COLUMNS = tuple(one.name for one in fields(Look))
_SHOWN = ("name", "category", "level", "feature_type", "table", "title_zh", "title_en")


def connect(
    url: str, key: str | Path | KeyFolder, *, trust: str | Path | Trust | None = None
) -> Room:
    """Reach a room with a key folder, or with a token for what needs no signature.

    `trust` is the room's trust file; unset, it is `trust.json` in the key folder.
    """
    held = _read_key(key)
    believed = read_trust(Path(trust)) if isinstance(trust, str | Path) else trust
    room = Room(RoomClient(url, held), trust=believed)
    room.client.me()
    return room


@dataclass(frozen=True)
class Version:
    """A model version in the room."""

    digest: Digest
    name: str
    findings: dict[str, Json]
    _ask: Callable[[Digest], Answer] = field(repr=False)

    @property
    def state(self) -> str:
        """Ask for its state now: under review, approved, suspended and so on."""
        return str(self._ask(self.digest)["state"])


class Room:
    """A connection as one person or system."""

    def __init__(self, client: RoomClient, trust: Trust | None = None) -> None:
        self.client = client
        self._given_trust = trust

    @cached_property
    def trust(self) -> Trust:
        """Say which vaults are believed: as was given, or as stands in the key folder."""
        return self._given_trust or trust_of(self.client.author.keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def catalogue(self) -> pd.DataFrame:
        """List the features that a model may read."""
        rows = [view.to_body() for view in self._views().views]
        return pd.DataFrame(rows, columns=list(_SHOWN))

    def mock(
        self, views: Iterable[str] | None = None, rows: int = 1000, *, seed: int = 0
    ) -> pd.DataFrame:
        """Make practice rows on this machine, from what stewards declared of each feature.

        As a model meets them in the room: these columns in this order, float64, NaN where
        something is missing. The same seed gives the same bytes on any machine.
        """
        declared = MockSet.from_body(self.client.mock_set())
        return mock_table(self._views(), declared, views, rows, seed)

    def profile(self, views: Iterable[str] | None = None) -> pd.DataFrame:
        """Tell, as a steward or an operator, how features are distributed.

        Figures of twenty enterprises or more, rounded; a line says why it has none.
        """
        names = self._views().names() if views is None else views
        return profile_table(self.client.profile(self.client.author.profile_order(names)))

    def submit(
        self,
        model: object,
        *,
        name: str,
        purpose: str = Purpose.CREDIT_APPROVAL,
        grades: Grades,
        direction: str = Direction.RISK,
        scores: Sequence[float] | None = None,
    ) -> Version:
        """Seal a model to the vault, sign its manifest, and put it up for approval.

        `grades` are ascending thresholds, a dict from grade to the bound that ends it
        (best first, the last None), or a number with `scores` to cut into equal parts.
        """
        author, toward = self.client.author, _choice(Direction, direction, "direction")
        serves = _choice(Purpose, purpose, "purpose")
        text, bounds = models.read(model), cut(grades, toward, scores)
        golden = make_golden(text.form, text.predict, bounds.thresholds, toward)
        artefact = build_artefact(text.model_format, text.text, toward, bounds.thresholds, golden)
        aad = artefact_aad(author.keys.party, self._delivery_key().public.raw.hex())
        sealed = seal(artefact, self._vaults(), aad, author.random_bytes)
        statement = author.version(
            sealed,
            group=self._group(author.keys.party),
            name=name,
            purpose=serves,
            model_format=text.model_format,
            features=text.form.features,
            views=Digest(str(self.client.room()["views"])),
            grades=bounds.names,
        )
        answer = self.client.submit(statement, sealed)
        if answer["digest"] != statement.digest:
            raise Tampered("CONTENT_CHANGED", "the version is not the one that was submitted")
        findings = cast("dict[str, Json]", answer["findings"])
        return Version(statement.digest, name, findings, self.client.version)

    def version(self, digest: str) -> Version:
        """Find a version again by its digest."""
        manifest, shown = self._manifest(Digest(digest))
        findings = cast("dict[str, Json]", shown.get("findings") or {})
        return Version(Digest(digest), manifest.name, findings, self.client.version)

    def score(
        self,
        version: Version | str,
        ids: Iterable[str],
        *,
        loan_reference: str | None = None,
    ) -> pd.DataFrame:
        """Score enterprises by their codes, one row each; a refusal says why.

        `loan_reference` names the application; a portfolio run is named after the day.
        """
        author = self.client.author
        reader = Reader(self._delivery_key(), self.trust, author.clock)
        digest = version.digest if isinstance(version, Version) else Digest(version)
        manifest, _ = self._manifest(digest)
        reference = loan_reference or f"portfolio-{local_day(author.clock())}"
        codes = list(dict.fromkeys(str(code) for code in ids))
        starts = range(0, len(codes), MOST_ENTERPRISES)
        lines: list[Line] = []
        for start in track(starts, "Scoring"):
            part = tuple(codes[start : start + MOST_ENTERPRISES])
            request = author.score_request(digest, manifest.purpose, part, reference)
            asked = Asked(request.digest, digest, part, manifest.outcomes)
            lines += self._score(request, asked, reader)
        return pd.DataFrame([asdict(line) for line in lines], columns=list(COLUMNS))

    def receipts(
        self,
        *,
        version: Version | str | None = None,
        since: str | None = None,
        kind: str | None = None,
    ) -> list[str]:
        """List the ids of receipts, oldest first; unless `kind` names another, of releases."""
        digest = version.digest if isinstance(version, Version) else version
        return self.client.receipts(version=digest, since=since, kind=kind)

    def receipt(self, receipt_id: str) -> bytes:
        """Fetch a receipt: store these very bytes, `saferoom verify` reads them."""
        return self.client.receipt(receipt_id)

    def offer(
        self,
        version: Version | str,
        *,
        enterprise_name: str,
        signatory: str,
        role: str = Signatory.LEGAL_REPRESENTATIVE,
        days: int = 365,
        budget_bits: int = DEFAULT_BUDGET_MBIT // 1000,
    ) -> Draft:
        """Word, as an enterprise, a grant of one version: read its text, then sign it or not."""
        return draft(
            self.client,
            version.digest if isinstance(version, Version) else Digest(version),
            enterprise_name=enterprise_name,
            signatory=signatory,
            role=_choice(Signatory, role, "role"),
            days=days,
            budget_bits=budget_bits,
        )

    def notices(self, after: int = 0) -> pd.DataFrame:
        """List what happened to one's own party, oldest first: uses, keys, grants, stops."""
        return pd.DataFrame(self.client.notices(after), columns=list(NOTICE_COLUMNS))

    def who_looked(self) -> pd.DataFrame:
        """List, as an enterprise, all that the log holds about it; every line is checked."""
        found = check_looks(fetch_looks(self.client, self.client.author.keys.party), self.trust)
        return pd.DataFrame([asdict(one) for one in found], columns=list(LOOK_COLUMNS))

    def my_record(self) -> dict[str, pd.DataFrame]:
        """Fetch, as an enterprise, all that is held of it; opened on this machine alone.

        A table for each of the room's, every version of each record, with source and batch.
        """
        own = fetch_own_record(self.client, self.trust)
        return {name: pd.DataFrame([*rows]) for name, rows in own.tables.items()}

    def dispute(self, batch: int, row: int, why: str) -> Digest:
        """Say, as an enterprise, that a row of one's own record is wrong; nothing is deleted."""
        paper = self.client.author.dispute(batch, row, _choice(Why, why, "why"))
        return self.client.dispute(paper)

    def lineage(self, receipt_id: str) -> Lineage:
        """Follow a score to its snapshot, features, tables and batches; every link is checked."""
        return check_lineage(self.client.lineage(receipt_id), self.trust)

    def who_used(self, table: str | None = None, day: str = "") -> pd.DataFrame:
        """List, as an enterprise, which releases used which of its records.

        Of one table, and of events whose day begins so: `who_used("tax_month", "2026-03")`.
        """
        found = find_uses(self.client, self.trust, table=table, day=day)
        return pd.DataFrame([asdict(one) for one in found], columns=list(USE_COLUMNS))

    def _score(self, request: Statement, asked: Asked, reader: Reader) -> list[Line]:
        """Ask once; refuse grades of another snapshot than the room shows to everybody."""
        shown = {self.client.room()["snapshot"]}
        results = cast("list[dict[str, Json]]", self.client.score(request)["results"])
        lines = reader.lines(results, asked)
        told = {line.snapshot for line in lines if line.snapshot is not None}
        if not told <= shown and not told <= shown | {self.client.room()["snapshot"]}:
            raise Tampered("ANSWER_INVALID", "it is of another snapshot than the room's")
        return lines

    def _views(self) -> ViewSet:
        return ViewSet.from_body(self.client.catalogue())

    def _manifest(self, digest: Digest) -> tuple[Manifest, Answer]:
        """Fetch what a version is, and check that it is that version."""
        shown = self.client.version(digest)
        manifest = Manifest.from_body(shown["manifest"])
        if manifest.digest != digest:
            raise Tampered("CONTENT_CHANGED", "the manifest is another version's")
        return manifest, shown

    def _vaults(self) -> list[SealingPublicKey]:
        """Name whom a model may be sealed to: the trust file says it, the room does not."""
        vaults = self.trust.vaults_at(self.client.author.clock())
        if not vaults:
            raise BadInput("TRUST_MISSING", "the one there is names no vault that is in force")
        return list(dict.fromkeys(SealingPublicKey.from_hex(v.sealing_key) for v in vaults))

    def _delivery_key(self) -> SealingKey:
        delivery = self.client.author.keys.delivery
        if delivery is None:
            raise BadInput("KEY_FOLDER", "it has no delivery key to open grades with")
        return delivery

    def _group(self, party: str) -> str:
        """Find the bank's group: what its members learn adds up."""
        for listed in self.client.parties():
            admission = listed.get("admission")
            if listed.get("party") == party and isinstance(admission, dict):
                return Admission.from_body(admission).group
        raise Refusal("ORG_INACTIVE")


def _read_key(key: str | Path | KeyFolder) -> KeyFolder | str:
    if isinstance(key, KeyFolder):
        return key
    if isinstance(key, Path) or "/" in key or Path(key).is_dir():
        return keyfolder.load(Path(key))
    return key


def _choice(options: type[T], value: str, name: str) -> T:
    try:
        return options(value)
    except ValueError as error:
        words = ", ".join(options)
        raise BadInput("FIELD_INVALID", f"{name}: one of {words}") from error
