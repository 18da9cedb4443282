"""Can an enterprise see who looked, what is held of it, and where a score came from?

Played by the enterprise that was scored first, with its own key; what its record shows is held
against what the lineage of its score says that a bank's model used.
"""

from __future__ import annotations

from saferoom.client.lineage import check_lineage
from saferoom.client.looks import check_looks, fetch_looks
from saferoom.client.own_record import fetch_own_record
from saferoom.client.trustfile import read_trust
from saferoom.client.uses import find_uses
from saferoom.core.trust import Trust
from saferoom.demo.asking import SYSTEM
from saferoom.demo.granting import Parts
from saferoom.demo.opening import Stage
from saferoom.demo.steps import Told, check, refused_with
from saferoom.demo.submitting import TREES, Versions


def see_who_looked(stage: Stage, _: Versions, parts: Parts) -> Told:
    """List all that the log holds about the enterprise, and check every line."""
    client = stage.enterprise_client(parts.single)
    receipts = set(client.receipts())
    for receipt in receipts:
        client.receipt(receipt)  # waits until the log has it
    file = fetch_looks(client, parts.single)
    looks = check_looks(file, _trust(stage))
    uses = [look for look in looks if look.kind == "release"]
    check({look.receipt for look in uses} == receipts, "each use is in the list, and no other")
    check(all(look.purpose and look.grant for look in uses), "it says for what, by which grant")
    (stage.home / "looks.json").write_bytes(file)
    return Told(f"{len(looks)} entries of the log, {len(uses)} uses; each line proven")


def see_own_record(stage: Stage, _: Versions, parts: Parts) -> Told:
    """Fetch the enterprise's own rows through a room that cannot read them."""
    client = stage.enterprise_client(parts.single)
    own = fetch_own_record(client, _trust(stage))
    rows = [row for _, row in own.rows()]
    check(len(rows) > 0, "there is something")
    check({row["uscc"] for row in rows} == {parts.single}, "all of it is its own")
    check(all(row["batch"] in own.batches for row in rows), "each row says where it came from")
    vault = _trust(stage).vaults[0].answer_key
    stranger = stage.enterprises.author(parts.live[1])
    with refused_with("ROLE") as codes:
        client.own_record(stranger.own_record_order(stranger.keys.sealing.public, vault))
    text = f"{len(rows)} rows of {len(own.tables)} tables, opened by its own key alone"
    return Told(text, refused=1, code=codes[0])


def trace_score(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Follow one score down to its batches, and the enterprise's records back up to it."""
    client = stage.enterprise_client(parts.single)
    receipt = client.receipts()[0]
    lineage = check_lineage(client.lineage(receipt), _trust(stage))
    check(lineage.version.digest == versions.digests[TREES], "it leads to the version")
    check(len(lineage.batches) > 0, "it leads to batches")
    check({one.line.table for one in lineage.batches} <= lineage.tables, "of its tables alone")
    uses = find_uses(client, _trust(stage), table="reg_base")  # not each firm files taxes
    check({use.receipt for use in uses} == set(client.receipts()), "and back to each score")
    with refused_with("NOT_FOUND") as codes:
        stage.enterprise_client(parts.live[1]).lineage(receipt)
    check(stage.client(SYSTEM).lineage(receipt)["manifest"] is not None, "its bank may see it")
    text = f"{len(lineage.features)} features, {len(lineage.batches)} batches, all links proven"
    return Told(text, refused=1, code=codes[0])


def _trust(stage: Stage) -> Trust:
    """Take the trust file that the enterprise got by another way than the room's address."""
    return read_trust(stage.home / "trust.json")
