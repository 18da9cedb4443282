"""Who is there, and what can a newcomer try?"""

from __future__ import annotations

import json
from pathlib import Path

from saferoom.canonical import Json
from saferoom.demo.cast import FOUNDERS, OTHERS
from saferoom.demo.granting import Parts
from saferoom.demo.opening import Stage
from saferoom.demo.server import address
from saferoom.demo.submitting import CARD, TREES, Versions

Guide = dict[str, Json]


def write(path: Path, stage: Stage, versions: Versions) -> None:
    """Remember what the set-up made; its presence says that the set-up is finished."""
    parts = Parts.cast(stage.codes)
    told: Guide = {
        "versions": {name: versions.digests[name] for name in (TREES, CARD)},
        "live": list(parts.live[:5]),
        "thrifty": parts.thrifty,
        "fickle": parts.fickle,
        "expired": parts.expired[0],
        "revoked": parts.revoked[0],
        "enterprises": len(stage.codes),
    }
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    unfinished.replace(path)


def read(path: Path) -> Guide:
    """Read it again."""
    told: Guide = json.loads(path.read_text("utf-8"))
    return told


def what_to_try(home: Path, port: int, told: Guide) -> str:
    """Write the page that `make demo` prints."""
    people = home / "people"
    url, versions, live = address(port), told["versions"], told["live"]
    assert isinstance(versions, dict)
    assert isinstance(live, list)
    rows = "\n".join(
        f"  {person.name:<14} {person.party:<16} {person.does}" for person in (*FOUNDERS, *OTHERS)
    )
    first, trees = live[0], versions[TREES]
    return f"""
A data safe room with {told["enterprises"]:,} synthetic enterprises: {url}/docs

People (keys in {people}/NAME, yours alone to read):
{rows}
  {first}  an enterprise that grants; {told["fickle"]} and three others too

Score one enterprise, in Python:

  import saferoom
  room = saferoom.connect("{url}", key="{people}/bank-a.system")
  version = "{trees}"
  lines = room.score(version, ["{first}", "{told["expired"]}", "{told["revoked"]}"])
  print(lines[["enterprise", "grade", "status", "code"]])
  open("r.json", "wb").write(room.receipt(room.receipts()[-1]))

Verify the receipt, believing nobody but the log's key and two of its three witnesses:

  saferoom verify r.json --checkpoint {home}/log/checkpoint \\
      --trust {home}/trust.json --log {home}/log

Look around with a token, in a shell:

  saferoom login --key {people}/li.na
  curl -s -H "Authorization: Bearer $(cat {people}/li.na/token)" {url}/v1/catalogue
  curl -s {url}/log/checkpoint
  curl -s {url}/readyz

Stop with Ctrl-C. A second start on the same home just serves.
"""


def after_story(home: Path, seconds: float) -> str:
    """Write what the story left behind."""
    receipt = min((home / "receipts").glob("*.json"))
    return f"""Each step happened, in {seconds:.1f} s. Verify any receipt yourself:

  saferoom verify {receipt} --checkpoint {home}/checkpoint
"""
