"""What can a monitor find, and what does each finding mean?

A code is stable for ever. An alarm is a finding about the log's operator, never a mistake of
the monitor's reader; it names the entry, and no value.
"""

from __future__ import annotations

from dataclasses import dataclass

from saferoom.canonical import Json

ALARMS: dict[str, str] = {
    "LOG_UNREADABLE": "a tile, an entry bundle or the checkpoint is missing, cut or malformed",
    "CHECKPOINT_UNSIGNED": "no sound key of the trust file, in its time, signed the checkpoint",
    "CHECKPOINT_UNWITNESSED": "too few witnesses of the trust file cosigned the checkpoint",
    "WITNESSES_SILENT": "the newest quorum of witnesses is older than a day",
    "ROOT_WRONG": "the entries do not give the checkpoint's root",
    "TILE_WRONG": "a tile's hashes are not those of the entries",
    "LOG_SHRANK": "the log is shorter than a checkpoint that it signed before",
    "FORKED": "a checkpoint that the log signed is of another past",
    "LEAF_INVALID": "an entry is not of a known kind with exactly its fields",
    "LEAF_TWICE": "an entry stands twice",
    "TIME_BACKWARDS": "an entry is more than an hour older than one before it",
    "PROMISE_BROKEN": "an entry was promised and is not there after its deadline",
    "OPENING_WITHHELD": "the export does not open what decides: shredded, or kept from the auditor",
    "OPENING_WRONG": "an opening, a record or a statement does not fit its commitment",
    "STATEMENT_MISSING": "a signed paper that an entry rests on is not in the export",
    "KEY_UNVOUCHED": "a key was enrolled without its own and two operators' signatures",
    "PAPER_UNSIGNED": "a grant, budget, revocation or vote is not signed by whose it is",
    "BUDGET_REFILLED": "a new budget says that less was revealed than the log shows",
    "RELEASE_UNGRANTED": "a release without a live grant of that enterprise and version",
    "RELEASE_AFTER_REVOCATION": "a release after the revocation of its grant",
    "RELEASE_UNCONFIRMED": "a release by a grant of before the log was closed, not confirmed since",
    "PAST_CHANGED": "the log does not carry what was left of the one that was closed before it",
    "RELEASE_UNAPPROVED": "a release of a version without the votes that it needs",
    "RELEASE_OVERDRAWN": "a release beyond the budget or the ceiling in force",
    "RELEASE_UNCHARGED": "a release that was charged otherwise than its grant says",
}


@dataclass(frozen=True)
class Alarm:
    """One finding."""

    code: str
    detail: str
    index: int | None = None  # of the entry

    def __post_init__(self) -> None:
        """Know the code; another one would be a mistake here."""
        assert self.code in ALARMS, self.code

    def to_json(self) -> dict[str, Json]:
        """Render for programs."""
        meaning = ALARMS[self.code]
        return {"code": self.code, "meaning": meaning, "detail": self.detail, "entry": self.index}
