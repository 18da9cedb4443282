"""Which facts may a policy set decide upon?

Integers, strings and booleans only, all of them known without an enterprise's data: a
policy that could read a row would be a second, uncounted channel. Sets are written
`,a,b,` so that Cedar's `like "*,a,*"` matches one whole name.
"""

from __future__ import annotations

from collections.abc import Iterable

from saferoom.canonical import Json
from saferoom.core.admission import Admission
from saferoom.core.enrolment import Enrolment
from saferoom.core.manifest import Manifest


def score_facts(
    manifest: Manifest,
    admission: Admission,
    caller: Enrolment,
    *,
    categories: Iterable[str],
    highest_level: int,
    enterprises: int,
    charge_mbit: int,
) -> dict[str, Json]:
    """State one score request; `highest_level` is 1 to 4 for L1 to L4."""
    return {
        "bank": manifest.bank,
        "group": manifest.group,
        "party_kind": str(admission.party_kind),
        "caller_role": str(caller.role),
        "by_system": caller.role == "system",
        "purpose": str(manifest.purpose),
        "model_format": str(manifest.model_format),
        "features": len(manifest.features),
        "grades": len(manifest.grades),
        "outcomes": len(manifest.outcomes),
        "charge_mbit": charge_mbit,
        "categories": set_fact(categories),
        "highest_level": highest_level,
        "enterprises": enterprises,
    }


def set_fact(names: Iterable[str]) -> str:
    """Write a set of names as one string; `,` itself is refused inside a name."""
    ordered = sorted(set(names))
    if any("," in name for name in ordered):
        raise ValueError("a name in a set holds no comma")
    return "".join(f",{name}" for name in ordered) + ","
