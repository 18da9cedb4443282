"""Which pages of the documentation are derived, and do they still say what the code says?

`python tools/derive_docs.py` writes them, `--check` only compares. A page is a function
that returns its text; nothing here reads the network, the clock or a database.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from saferoom import errors
from saferoom.api import access
from saferoom.api import app as api
from saferoom.app.context import Room
from saferoom.cli import main
from saferoom.core import approval, log_events, release, state
from saferoom.scoring import form, form_json, form_schema, functions, trees
from saferoom.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Derived by tools/derive_docs.py: change the code, then run `make fix`. -->\n"
UNSAFE = """
## For tests alone

| variable | what it does |
|---|---|
| `SAFEROOM_UNSAFE_TEST_DUMPABLE` | `1`: others of the same user can read the vault's memory. The \
canary tests need it where they do not run as root. The vault warns whenever it is set, and \
ignores it unless the home holds `vault/UNSAFE-TEST-HOME`, which no program of ours writes. |
"""


def errors_page() -> str:
    """List every code under its family, as `errors.py` tells it."""
    parts = [
        "# Errors\n",
        NOTE,
        'One shape everywhere: `{"error": {"code", "sentence", "remedy", "trace_id"}}`. A code is',
        "stable for ever. Neither sentence holds a row's value, a key, or a library's text.\n",
    ]
    families: dict[type[errors.SaferoomError], list[str]] = {}
    for code, entry in errors.CODES.items():
        row = f"| `{code}` | {cell(entry.why)} | {cell(entry.remedy)} |"
        families.setdefault(entry.family, []).append(row)
    for family, rows in families.items():
        says = (family.__doc__ or "").strip()
        parts += [
            f"## {family.__name__}\n",
            f"{says} HTTP status {family.status}, exit code {family.exit_code}.\n",
            "| code | why | what to do |\n|---|---|---|",
            *rows,
            "",
        ]
    return "\n".join(parts)


def settings_page() -> str:
    """List every SAFEROOM_… variable with its default and meaning."""
    rows = [
        f"| `SAFEROOM_{name.upper()}` | {default(field.default)} | {cell(str(field.description))} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            "# Settings\n",
            NOTE,
            "Read from the environment by the programs' mains alone. A wrong value stops the",
            "program with `SETTING_INVALID`; a command line option wins over its variable.\n",
            "| variable | default | meaning |\n|---|---|---|",
            *rows,
            UNSAFE,
        ]
    )


def tables_page() -> str:
    """Draw the state machines and list the literal tables that decide."""
    order = [f"{n}. `{code}`" for n, (code, _) in enumerate(release.ORDER, 1)]
    chains = [f"| {kind} | {steps(chain)} |" for kind, chain in approval.CHAINS.items()]
    kinds = [
        f"| `{kind}` | {names(one.artefacts)} | {names(one.committed)} | {names(one.record)} |"
        for kind, one in log_events.KINDS.items()
    ]
    return "\n".join(
        [
            "# Tables that decide\n",
            NOTE,
            "## The order of refusals\n",
            "Code refuses first, in this order (`core/release.py`); what each code means stands",
            "under [Errors](errors.md).\n",
            *order,
            "\n## Who has to agree\n",
            "| subject | steps, in order |\n|---|---|",
            *chains,
            *machine_part(state.PARTY),
            *machine_part(state.VERSION),
            *machine_part(state.GRANT),
            "\n## Kinds of log entries\n",
            "| kind | digests in clear | committed | per enterprise |\n|---|---|---|---|",
            *kinds,
            "",
        ]
    )


def machine_part(machine: state.Machine[state.S]) -> list[str]:
    """Draw one machine, and say who acts and what is logged."""
    rows = [
        f"| {name} | {machine.owners[name]} | {events(ways)} |"
        for name, ways in machine.transitions.items()
    ]
    return [
        f"\n## States: {machine.name}\n",
        f"```mermaid\n{state.diagram(machine)}```\n",
        "| state | who acts next | event → log entry |\n|---|---|---|",
        *rows,
    ]


def api_page() -> str:
    """List every route with what it takes and answers; `/docs` of a room shows the fields."""
    openapi = api.create(cast("Room", None), Path()).openapi()  # building it touches no room
    rows: dict[str, list[str]] = {}
    for path, methods in openapi["paths"].items():
        for verb, operation in methods.items():
            says = cell(operation.get("description", ""))
            body = operation.get("requestBody", {}).get("content", {})
            answer = operation["responses"].get("200", {}).get("content", {})
            rows.setdefault(operation["tags"][0], []).append(
                f"| `{verb.upper()} {path}` | {says} | {schema(body)} | {schema(answer)} |"
            )
    parts = [
        "# API\n",
        NOTE,
        "A running room describes itself at `/docs` (readable without scripts) and",
        "`/openapi.json`. Under `/v1` send `Authorization: Bearer …`; every POST also carries an",
        "`Idempotency-Key` of 16 to 64 letters, digits or dashes: an unknown outcome means to try",
        "again with the same key. Errors have [one shape](errors.md).\n",
    ]
    for tag, lines in rows.items():
        parts += [f"## {tag}\n", "| route | what | body | answer |\n|---|---|---|---|", *lines, ""]
    return "\n".join(parts)


def access_page() -> str:
    """Say what every caller gets at every route, as a test measures it."""
    says = [f"* **{name}**: {what}." for name, what in access.CALLERS.items()]
    rows = [
        f"| `{row.route}` | {row.act} | {' | '.join(map(str, row.cells))} |" for row in access.TABLE
    ]
    return "\n".join(
        [
            "# Who may do what\n",
            NOTE,
            "A test calls every route of a real room as every caller and compares the answer with",
            "this table (`tests/api/test_access.py`). Callers sign in their own name; what others",
            "signed counts the same whoever brings it. 200 done · 401 who are you · 403 not",
            "your part · 404 not there, for you · `seen`, `unseen`: whether a list shows it.\n",
            *says,
            f"\n| route | to | {' | '.join(access.CALLERS)} |",
            f"|---|---|{'---|' * len(access.CALLERS)}",
            *rows,
            "",
        ]
    )


def schema(content: Mapping[str, Any]) -> str:  # Any: OpenAPI's own free form
    """Name the model of a JSON body or answer."""
    found = content.get("application/json", {}).get("schema", {})
    if "anyOf" in found:
        return " or ".join(str(one["$ref"]).rsplit("/", 1)[-1] for one in found["anyOf"])
    return str(found["$ref"]).rsplit("/", 1)[-1] if "$ref" in found else str(found.get("type", "–"))


def cli_page() -> str:
    """List every command with its options, as `--help` tells them."""
    parts = [
        "# Command line\n",
        NOTE,
        "Every command has `--help`; those that answer have `--json`. Exit codes: 0 done,",
        "otherwise the code of the error's [family](errors.md).\n",
    ]
    for name, command in walk("saferoom", typer.main.get_command(main.app)):
        parts += [f"## `{name}`\n", f"{command.help or ''}\n"]
        options = [option_row(one) for one in command.params]
        if options:
            parts += ["| option | meaning |\n|---|---|", *options, ""]
    return "\n".join(parts)


def walk(name: str, command: object) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    """Yield the commands that do something, in the order of the help."""
    if isinstance(command, TyperCommand):
        yield name, command
    elif isinstance(command, TyperGroup):
        if command.invoke_without_command:
            yield name, command
        for part, below in command.commands.items():
            yield from walk(f"{name} {part}", below)


def option_row(one: object) -> str:
    """Name an option (an argument in capitals) and say what it means."""
    assert isinstance(one, (TyperArgument, TyperOption))
    names = [*one.opts, *one.secondary_opts]
    if isinstance(one, TyperArgument):
        names = [str(one.name).upper()]
    return f"| {', '.join(f'`{name}`' for name in names)} | {cell(one.help or '')} |"


def form_page() -> str:
    """Say what a model is, as the form's own modules tell it."""
    rows = [f"| `{one.kind}` | {cell(says(one))} |" for one in functions.FUNCTIONS.values()]
    return "\n".join(
        [
            "# The form of a model\n",
            NOTE,
            "Every model becomes this before anything is scored: LightGBM text and scorecards are",
            "read into it, scikit-learn's objects are converted into it at the bank.\n",
            f"```text\n{(form.__doc__ or '').strip()}\n```\n",
            "## Functions\n",
            "| kind | what it does to one value |\n|---|---|",
            *rows,
            f"\n## Trees\n\n```text\n{(trees.__doc__ or '').strip()}\n```\n",
            "## As JSON\n",
            f"```text\n{(form_json.__doc__ or '').strip()}\n```\n",
            f"```json\n{json.dumps(form_schema.schema(), indent=1)}\n```",
            "",
        ]
    )


def says(thing: object) -> str:
    """Take the first paragraph of a docstring."""
    return " ".join((thing.__doc__ or "").partition("\n\n")[0].split())


def steps(chain: tuple[approval.Step, ...]) -> str:
    """Say a chain of approvals in words."""
    return ", then ".join(
        f"{step.count} × {step.role}{' of its own party' if step.own_party else ''}"
        for step in chain
    )


def events(ways: Mapping[str, state.Transition[state.S]]) -> str:
    """Say what may happen in a state, and what it writes."""
    return ", ".join(f"{event} → {way.audit or 'none'}" for event, way in ways.items()) or "–"


def names(words: tuple[str, ...]) -> str:
    """List field names, or say that there are none."""
    return ", ".join(words) or "–"


def default(value: object) -> str:
    """Render a default as an operator would type it."""
    match value:
        case None:
            return "unset"
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            return f"`{value}`"


def cell(text: str) -> str:
    """Keep a sentence inside its table cell."""
    return text.replace("|", "\\|").replace("\n", " ")


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/errors.md": errors_page,
    "docs/reference/settings.md": settings_page,
    "docs/reference/tables.md": tables_page,
    "docs/reference/api.md": api_page,
    "docs/reference/access.md": access_page,
    "docs/reference/cli.md": cli_page,
    "docs/reference/form.md": form_page,
}


def derive(arguments: list[str]) -> int:
    """Write the pages, or name those that are out of date."""
    stale = []
    for path, page in PAGES.items():
        file = ROOT / path
        text = page()
        if file.exists() and file.read_text() == text:
            continue
        stale.append(path)
        if "--check" not in arguments:
            file.write_text(text)
    if "--check" not in arguments:
        return 0
    for path in stale:
        print(f"{path} is out of date: run `make fix`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(derive(sys.argv[1:]))
