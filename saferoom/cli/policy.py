"""How does an operator see what a policy set means before two people vote for it?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import Json
from saferoom.cli.options import AsJson
from saferoom.cli.say import tell, tell_rows
from saferoom.errors import BadInput

app = typer.Typer(help="Check, test and explain policy sets.", no_args_is_help=True)
Folder = Annotated[
    Path | None, typer.Option("--policies", help="Folder of *.cedar; unset: the room's own.")
]


@app.command("check")
def check(*, policies: Folder = None, as_json: AsJson = False) -> None:
    """Validate schema and policies strictly, prove that they do not drift, read the grants' text.

    No drift: whatever the permit does not permit is forbidden by a policy with a name, and
    nothing that is forbidden is permitted.
    """
    from saferoom.adapters import cedar  # noqa: PLC0415  # the room's packages, only when asked
    from saferoom.adapters.templates import FILE, read_grant_template  # noqa: PLC0415  # as above

    folder = _folder(policies)
    policy_set = cedar.read_policy_set(folder)
    findings = cedar.check(policy_set) or cedar.drift(policy_set)
    if findings:
        raise BadInput("POLICY_INVALID", "; ".join(findings))
    told = {"valid": True, "digest": policy_set.digest, "files": len(policy_set.files)}
    text = f"valid, no drift: {len(policy_set.files)} files, digest {policy_set.digest}"
    if (folder / FILE).exists():
        template = read_grant_template(folder)
        told["template"] = template.digest
        text += f"\nvalid: grants' text version {template.version}, digest {template.digest}"
    tell(told, text, as_json=as_json)


@app.command("test")
def run_cases(*, policies: Folder = None, as_json: AsJson = False) -> None:
    """Run the cases of policies/cases; exit 2 when one decides otherwise."""
    from saferoom.adapters import cedar  # noqa: PLC0415  # the room's packages, only when asked

    folder = _folder(policies)
    results = cedar.test(cedar.read_policy_set(folder), folder / "cases")
    failed = [result.name for result in results if not result.passed]
    if as_json:
        cases = [{"name": r.name, "expected": r.expected, "found": r.found} for r in results]
        tell({"passed": not failed, "cases": cases}, "", as_json=True)
    else:
        rows = [[r.name, r.expected, r.found, "ok" if r.passed else "FAILED"] for r in results]
        tell_rows("Policy cases", ["case", "expected", "found", ""], rows)
    if failed:
        raise typer.Exit(2)


@app.command("mock")
def check_mock(*, policies: Folder = None, as_json: AsJson = False) -> None:
    """Read the declarations of mock data strictly; refuse correlations that cannot be."""
    from saferoom.adapters.mock_files import read_mock_set  # noqa: PLC0415  # as above

    found = read_mock_set(_folder(policies) / "mock")
    told = {
        "valid": True,
        "digest": found.digest,
        "features": len(found.columns),
        "correlations": len(found.correlations),
    }
    text = f"valid: {len(found.columns)} features, {len(found.correlations)} correlations"
    tell(told, text, as_json=as_json)


@app.command("explain")
def explain(
    *,
    facts: Annotated[Path, typer.Argument(help="JSON file with one request's facts.")],
    policies: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Say what the set decides about a request, and which policies did."""
    from saferoom.adapters import cedar  # noqa: PLC0415  # the room's packages, only when asked

    verdict = cedar.explain(cedar.read_policy_set(_folder(policies)), _read_facts(facts))
    decision = "allow" if verdict.allowed else "deny"
    told = {"decision": decision, "policies": list(verdict.policies), "errors": verdict.errors}
    because = ", ".join(verdict.policies) or "nothing permits it"
    errors = f"; {verdict.errors} policies erred, so it is denied" if verdict.errors else ""
    tell(told, f"{decision}: {because}{errors}", as_json=as_json)


def _folder(chosen: Path | None) -> Path:
    from saferoom.adapters.content import content_folder  # noqa: PLC0415  # as above

    folder = content_folder("policies") if chosen is None else chosen
    if not folder.is_dir():
        raise BadInput("POLICY_INVALID", "there is no such folder")
    return folder


def _read_facts(path: Path) -> dict[str, Json]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput("FIELD_INVALID", "the facts are one JSON object") from error
    if not isinstance(value, dict):
        raise BadInput("FIELD_INVALID", "the facts are one JSON object")
    return value
