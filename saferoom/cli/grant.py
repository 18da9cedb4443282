"""How does an enterprise read, sign and take back a grant at a terminal?"""

from __future__ import annotations

from typing import Annotated

import typer

from saferoom.canonical import Digest
from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.core.enrolment import Signatory
from saferoom.errors import BadInput

app = typer.Typer(help="Read, sign and take back grants, as an enterprise.", no_args_is_help=True)
VersionOf = Annotated[str, typer.Argument(metavar="VERSION", help="The version's digest.")]
Url = Annotated[str | None, typer.Option(help="Unset: the key folder's.")]


@app.command("sign")
def sign(
    *,
    version: VersionOf,
    key: Key,
    name: Annotated[str, typer.Option(help="The enterprise's name, as on its licence.")],
    signatory: Annotated[str, typer.Option(help="Who signs for it.")],
    role: Annotated[
        Signatory, typer.Option(help="By which authority.")
    ] = Signatory.LEGAL_REPRESENTATIVE,
    days: Annotated[int, typer.Option(min=1, max=3650, help="For how long.")] = 365,
    budget_bits: Annotated[
        int, typer.Option(min=1, max=1000, help="A first budget, where there is none yet.")
    ] = 40,
    english: Annotated[bool, typer.Option("--english", help="Show the English text.")] = False,
    tick_risk: Annotated[
        bool, typer.Option("--tick-risk", help="I have read the notice of the risk.")
    ] = False,
    tick_representative: Annotated[
        bool, typer.Option("--tick-representative", help="The legal representative agrees.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the text of a grant; sign it where the ticks are given."""
    from saferoom.sdk.room import connect  # noqa: PLC0415  # pandas, only when asked

    keys = keyfolder.load(key)
    with connect(url or keys.url, keys) as room:
        draft = room.offer(
            version,
            enterprise_name=name,
            signatory=signatory,
            role=role,
            days=days,
            budget_bits=budget_bits,
        )
        text = draft.text("en" if english else "zh")
        digest = None
        if tick_risk or tick_representative:
            digest = draft.sign(risk=tick_risk, representative=tick_representative)
        needs = draft.needs_representative
    told = {"text": text, "needs_representative": needs, "grant": digest}
    ticks = "--tick-risk --tick-representative" if needs else "--tick-risk"
    ending = f"Nothing is signed. To sign, say it again with {ticks}."
    if digest is not None:
        ending = f"Signed. Grant {digest}"
    tell(told, f"{text}\n\n{ending}", as_json=as_json)


@app.command("revoke")
def revoke(
    *,
    grant: Annotated[str, typer.Argument(help="The grant's digest.")],
    key: Key,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Take a grant back, at once, and all that was signed for its version before."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        found = [one["grant"] for one in client.grants() if one["digest"] == grant]
        if not found or not isinstance(found[0], dict):
            raise BadInput("FIELD_INVALID", "no grant of yours has this digest")
        version = Digest(str(found[0]["version"]))
        client.revoke(client.author.revocation(Digest(grant), version))
    tell({"revoked": grant}, f"Revoked. {grant}", as_json=as_json)
