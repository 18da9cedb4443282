"""What exactly did the enterprise read before it signed?

A template that two operators approved, filled from the grant's own fields and nothing else.
The grant names the template and holds the digest of what it renders; room and vault render it
again and compare, so what was read is what is enforced. Code holds which clauses a template
must have, in both languages, and which of the grant's values each must show: a template can be
worded better, and cannot leave anything out.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from saferoom.canonical import Digest, digest
from saferoom.core.enrolment import Signatory
from saferoom.core.manifest import Purpose
from saferoom.core.moment import SHANGHAI, read_instant
from saferoom.core.record import Record, check_field
from saferoom.errors import Refusal

if TYPE_CHECKING:  # what it means stands there; here only its fields are read
    from saferoom.core.grant import Grant

TEXT_KIND = "saferoom/grant-text/1"
LONGEST = 4000
REPRESENTATIVE, RENEWAL = "representative", "renewal"  # shown where the grant has them
# Clause → the values that its wording shows, in Chinese and in English (PIPL 17 and 23).
CLAUSES: Mapping[str, frozenset[str]] = {
    "title": frozenset({"template"}),
    "subject": frozenset({"enterprise", "enterprise_name", "signatory", "signatory_role"}),
    "grantee": frozenset({"bank", "bank_name", "bank_contact"}),
    "items": frozenset({"items"}),
    "purpose": frozenset({"purpose", "model_name", "version"}),
    "method": frozenset({"method"}),
    "period": frozenset({"valid_from", "valid_until"}),
    "retention": frozenset({"retention_days"}),
    "outcomes": frozenset({"outcomes", "bits"}),
    "budget": frozenset({"budget", "budget_bits", "group"}),
    "onward": frozenset(),
    "risk": frozenset({"bits", "budget_bits"}),
    "refusal": frozenset(),
    "revocation": frozenset(),
    "rights": frozenset({"bank_contact"}),
    REPRESENTATIVE: frozenset({"signatory"}),
    RENEWAL: frozenset({"renews"}),
    "signature": frozenset({"signed_at"}),
}
_PLACE = re.compile(r"\{([a-z_]+)\}")
# Words that leave open what is meant; what a grant covers is listed to the end.
_OPEN_ENDED = re.compile(
    r"等(?!级)|\betc\b|\band so on\b|\bsuch as\b|\bamong others\b", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Wording(Record):
    """One thing said in both languages."""

    name: str
    zh: str
    en: str

    def __post_init__(self) -> None:
        """Check ranges; a brace is a place of a value or nothing."""
        check_field(0 < len(self.name) <= 64, "name")
        for text in (self.zh, self.en):
            check_field(len(text.strip()) > 0 and len(text) <= LONGEST, self.name)
            check_field(not {"{", "}"} & set(_PLACE.sub("", text)), self.name)
            check_field(not _OPEN_ENDED.search(text), self.name)


@dataclass(frozen=True, kw_only=True)
class GrantTemplate(Record):
    """All wording of one version of the text; two operators vote on its digest."""

    KIND: ClassVar[str] = "saferoom/grant-template/1"
    version: int
    clauses: tuple[Wording, ...]  # in the order of CLAUSES
    categories: tuple[Wording, ...]  # category of views → its items, to the last one
    personal: tuple[str, ...]  # categories with data of the legal representative
    purposes: tuple[Wording, ...]
    methods: tuple[Wording, ...]  # by purpose
    signatories: tuple[Wording, ...]

    def __post_init__(self) -> None:
        """Refuse a template that leaves out what a grant's text must hold."""
        check_field(1 <= self.version <= 1_000_000, "version")
        _check_names(self.clauses, list(CLAUSES), "clauses")
        for clause in self.clauses:
            for text in (clause.zh, clause.en):
                check_field({*_PLACE.findall(text)} == CLAUSES[clause.name], clause.name)
        names = [category.name for category in self.categories]
        check_field(bool(names) and names == sorted(set(names)), "categories")
        check_field(set(self.personal) <= set(names), "personal")
        _check_names(self.purposes, list(Purpose), "purposes")
        _check_names(self.methods, list(Purpose), "methods")
        _check_names(self.signatories, list(Signatory), "signatories")
        for word in (*self.categories, *self.purposes, *self.methods, *self.signatories):
            check_field(not _PLACE.search(word.zh + word.en), word.name)


@dataclass(frozen=True)
class GrantText:
    """What is shown, in both languages; the digest binds both."""

    zh: str
    en: str

    @property
    def digest(self) -> Digest:
        """Digest what was shown."""
        return digest({"kind": TEXT_KIND, "zh": self.zh, "en": self.en})


def render(template: GrantTemplate, grant: Grant) -> GrantText:
    """Fill a template from a grant; AUTH_SCOPE where it has no words for what is granted."""
    if not set(grant.categories) <= {category.name for category in template.categories}:
        raise Refusal("AUTH_SCOPE", "the template has no words for a category")
    shown = [clause for clause in template.clauses if _is_shown(clause.name, grant)]
    texts = {}
    for language in ("zh", "en"):
        values = _values(template, grant, language)
        texts[language] = "\n\n".join(_fill(getattr(one, language), values) for one in shown)
    return GrantText(**texts)


def needs_representative(template: GrantTemplate, categories: Sequence[str]) -> bool:
    """Say whether the legal representative's separate agreement is asked for (PIPL 23)."""
    return not set(template.personal).isdisjoint(categories)


def check_text(template: GrantTemplate | None, grant: Grant) -> None:
    """Refuse a grant whose signer read anything else than what it says."""
    if template is None or template.digest != grant.template:
        raise Refusal("AUTH_SCOPE", "template")
    if grant.representative_ticked is not needs_representative(template, grant.categories):
        raise Refusal("AUTH_SCOPE", "representative_ticked")
    if render(template, grant).digest != grant.text:
        raise Refusal("AUTH_SCOPE", "text")


def worded(template: GrantTemplate, grant: Grant) -> Grant:
    """Give a grant the digest of what its signer is to read."""
    return dataclasses.replace(grant, text=render(template, grant).digest)


def bits(mbit: int) -> str:
    """Write milli-bits as bits, without a float."""
    return f"{mbit // 1000}.{mbit % 1000:03d}".rstrip("0").rstrip(".")


def _is_shown(clause: str, grant: Grant) -> bool:
    if clause == REPRESENTATIVE:
        return grant.representative_ticked
    return clause != RENEWAL or grant.renews is not None


def _values(template: GrantTemplate, grant: Grant, language: str) -> dict[str, str]:
    def word(words: Sequence[Wording], name: str) -> str:
        return str(next(getattr(one, language) for one in words if one.name == name))

    return {
        "template": f"{template.version} ({template.digest})",
        "enterprise": grant.enterprise,
        "enterprise_name": grant.enterprise_name,
        "signatory": grant.signatory,
        "signatory_role": word(template.signatories, grant.signatory_role),
        "bank": grant.bank,
        "bank_name": grant.bank_name,
        "bank_contact": grant.bank_contact,
        "items": "".join(f"\n- {word(template.categories, one)}" for one in grant.categories),
        "purpose": word(template.purposes, grant.purpose),
        "method": word(template.methods, grant.purpose),
        "model_name": grant.model_name,
        "version": grant.version,
        "valid_from": _local(grant.valid_from),
        "valid_until": _local(grant.valid_until),
        "retention_days": str(grant.retention_days),
        "outcomes": str(grant.outcomes),
        "bits": bits(grant.charge_mbit),
        "budget": grant.budget,
        "budget_bits": bits(grant.budget_mbit),
        "group": grant.group,
        "renews": grant.renews or "",
        "signed_at": _local(grant.signed_at),
    }


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in once: what a value holds is never read as a place."""
    return _PLACE.sub(lambda place: values[place[1]], text)


def _local(instant: str) -> str:
    return read_instant(instant).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S (UTC+8)")


def _check_names(words: Sequence[Wording], names: list[str], what: str) -> None:
    check_field([word.name for word in words] == names, what)
