"""Which commands are there, and what does their exit code mean?

0 done · 1 what should verify does not · 2 input · 3 refused · 4 a part is away · 5 not
there · 6 who are you · 7 conflict · 8 a protection is missing · 9 too early or too often ·
70 a mistake of ours. Heavy imports wait inside the commands, so that `saferoom verify`
starts fast and works where only the bank's side is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from saferoom import __version__
from saferoom.cli import (
    audit,
    authority,
    demo,
    doctor,
    grant,
    init,
    keys,
    lineage,
    login,
    looks,
    mock,
    node,
    notices,
    order,
    policy,
    profile,
    receipts,
    record,
    report,
    restore,
    serve,
    vault,
    verify,
    version,
    witness_set,
    worker,
)
from saferoom.cli.say import tell_error
from saferoom.errors import SaferoomError, Unavailable

app = typer.Typer(
    name="saferoom",
    help="A data safe room: the model comes to the data, a score comes out, the rows stay.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_ROOM_PACKAGES = frozenset(
    {
        "alembic",
        "cedarpy",
        "duckdb",
        "fastapi",
        "lightgbm",
        "prometheus_client",
        "psycopg",
        "pyarrow",
        "pydantic",
        "pydantic_settings",
        "sqlalchemy",
        "starlette",
        "structlog",
        "uvicorn",
    }
)

app.command("init")(init.init)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.add_typer(vault.app, name="vault")
app.add_typer(keys.app, name="keys")
app.command("login")(login.login)
app.command("mock")(mock.mock)
app.command("profile")(profile.profile)
app.command("report")(report.report)
app.add_typer(policy.app, name="policy")
app.add_typer(order.app, name="order")
app.add_typer(version.app, name="version")
app.add_typer(grant.app, name="grant")
app.add_typer(record.app, name="record")
app.add_typer(looks.app, name="looks")
app.add_typer(lineage.app, name="lineage")
app.command("notices")(notices.notices)
app.command("contact")(notices.contact)
app.command("receipts")(receipts.receipts)
app.command("verify")(verify.verify)
app.add_typer(audit.app, name="audit")
app.add_typer(authority.app, name="authority")
app.add_typer(witness_set.app, name="witness")
app.add_typer(node.app, name="node")
app.command("restore")(restore.restore)
app.command("doctor")(doctor.doctor)
app.command("demo", context_settings=demo.CONTEXT)(demo.demo)


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # a callback of typer's
    if wanted:
        typer.echo(f"saferoom {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    _version: bool = typer.Option(
        False,  # noqa: FBT003  # typer's own way to write a flag
        "--version",
        callback=_show_version,
        is_eager=True,
        help="Print the version.",
    ),
) -> None:
    """Parse options that stand before every command."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run one command line; errors of ours end in one line and their exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given, prog_name="saferoom")
    except SaferoomError as error:
        _fail(error, given)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _ROOM_PACKAGES:
            raise
        _fail(Unavailable("NOT_INSTALLED"), given)


def _fail(error: SaferoomError, given: Sequence[str]) -> None:
    tell_error(error, as_json="--json" in given)
    sys.exit(error.exit_code)
