"""Whose keys follow from the founders' alone?

An enrolment is admitted when whoever signed it is known, so from the trust file's founders on
each key rests on two operators' signatures, and nobody's word is taken who was not vouched for.
Replaced keys stay known: what was signed with one stands.
"""

from __future__ import annotations

from collections.abc import Sequence

from saferoom.core.enrolment import Enrolment, check_enrolment, check_genesis
from saferoom.crypto.signing import KeyId, Statement
from saferoom.errors import BadInput, Refusal


class Vouched:
    """Every key that these enrolments vouch for."""

    def __init__(self, operators: Sequence[Statement], enrolments: Sequence[Statement]) -> None:
        """Admit each enrolment by those admitted before it; refuse one that nobody vouches for."""
        founders = zip(operators, check_genesis(operators), strict=True)
        self._known = {one.key_id: (statement, one) for statement, one in founders}
        self._founders = frozenset(self._known)
        waiting = list(enrolments)
        while waiting:
            ready = [one for one in waiting if self._may_judge(one)]
            if not ready:
                raise Refusal("KEY_UNKNOWN", "nobody vouched for a key")
            for statement in ready:
                one = check_enrolment(statement, self.lookup)
                self._known[one.key_id] = (statement, one)
            waiting = [one for one in waiting if one not in ready]

    def lookup(self, key: KeyId) -> Enrolment | None:
        """Find who a key is or was."""
        found = self._known.get(key)
        return None if found is None else found[1]

    def check_needed(self, papers: Sequence[Statement]) -> None:
        """Refuse an enrolment that leads to nobody who signed one of these."""
        wanted = {key for paper in papers for key in leads(paper)}
        reached: set[KeyId] = set()
        while wanted:
            reached |= wanted
            known = [self._known[key][0] for key in wanted if key in self._known]
            wanted = {key for one in known for key in leads(one)} - reached
        if not self._known.keys() - self._founders <= reached:
            raise BadInput("FIELD_INVALID", "an enrolment that no paper needs")

    def _may_judge(self, statement: Statement) -> bool:
        new = Enrolment.from_body(statement.body)
        return {key for key in leads(statement) if key != new.key_id} <= self._known.keys()


def leads(statement: Statement) -> tuple[KeyId, ...]:
    """Name the keys that one must know to judge a paper: its signers', and one that it replaces."""
    replaced = statement.body.get("replaces") if statement.kind == Enrolment.KIND else None
    return (*statement.signers(), *([KeyId(replaced)] if isinstance(replaced, str) else []))
