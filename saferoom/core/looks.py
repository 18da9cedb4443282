"""What has an enterprise been told of who looked, and is that all of it?

The room signs each page with the log's key: for this enterprise, from this place of the log up to
that one, exactly these entries concern it. Whoever finds another later (in a bank's receipt, in an
auditor's export) holds the room's signature under a lie. What stands in an entry says its receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from saferoom.canonical import Json
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Refusal, Tampered

if TYPE_CHECKING:  # how receipts are checked and a trust file is read is not its affair
    from saferoom.core.receipt import Verified
    from saferoom.core.trust import Trust

# The fields by which an entry names the enterprise that it concerns.
NAMING = ("enterprise", "party", "holder")
EXPORT, LOOKUP = "openings_exported", "looked_up"


@dataclass(frozen=True, kw_only=True)
class LooksPage(Record):
    """All that concerns one enterprise among the entries `first` … `until` − 1."""

    KIND: ClassVar[str] = "saferoom/looks-page/1"
    origin: str
    enterprise: str
    first: int
    until: int
    size: int  # of the log, as far as it was published
    places: tuple[str, ...]  # "index" of a whole entry, "index.position" of one record

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 <= self.first <= self.until <= self.size, "first, until, size")
        check_field(len(set(self.places)) == len(self.places), "places")


def place_name(index: int, position: int | None) -> str:
    """Name a place."""
    return str(index) if position is None else f"{index}.{position}"


def check_page(statement: Statement, trust: Trust, enterprise: str, first: int) -> LooksPage:
    """Accept the page that follows, signed by a sound key of the log."""
    try:
        page = LooksPage.from_body(statement.body)
        sound = {key.verify_key.id: key for key in trust.statement_keys if key.vouches(None)}
        (signer,) = statement.signers()
        statement.check_signed_by(sound[signer].verify_key)
    except (BadInput, Refusal, KeyError, ValueError) as error:  # ValueError: not one signature
        raise Tampered("LOOKS_INVALID", "no sound key of the log signed a page") from error
    if (page.origin, page.enterprise, page.first) != (trust.origin, enterprise, first):
        raise Tampered("LOOKS_INVALID", "a page of another list, or one is missing")
    return page


def names(look: Verified, enterprise: str) -> bool:
    """Say whether an entry names the enterprise, or did until that was destroyed."""
    if any(look.opened.get(name) == enterprise for name in NAMING):
        return True
    return any(name in look.shredded for name in NAMING)


def check_concerns(look: Verified, page: LooksPage, own: frozenset[int]) -> None:
    """Refuse an entry that does not concern the enterprise, or only says so.

    `own` are the places of entries that name it: an auditor's export concerns it if it opened one.
    """
    if names(look, page.enterprise):
        return
    if look.kind == LOOKUP and look.opened.get("enterprise", "") is None:
        return
    if look.kind == EXPORT and covers(look.opened.get("entries"), own):
        return
    raise Tampered("LOOKS_INVALID", "an entry that does not concern the enterprise")


def covers(entries: Json, own: frozenset[int]) -> bool:
    """Say whether an export's range holds one of these places."""
    match entries:
        case [int(first), int(last)]:
            return any(first <= index < last for index in own)
        case _:
            return False
