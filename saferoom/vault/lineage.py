"""What does the vault say of where its facts came from?

It signs, by its answer key, a line of every batch and a paper of every snapshot
(core/lineage.py). What a batch holds is committed to under the nonce that was drawn when it came
in.
"""

from __future__ import annotations

from collections.abc import Sequence

from saferoom.canonical import Digest, Json
from saferoom.core.lineage import BatchLine, BatchList, SnapshotPaper, root_of
from saferoom.crypto.signing import SigningKey, Statement, hex_bytes, sign_statement
from saferoom.tlog.commitments import Opening, commitment
from saferoom.vault.parts import Batch, FactsManifest
from saferoom.vault.snapshots import SnapshotManifest

MOST_LINES = 2_000  # of one paper


def lines_of(manifest: FactsManifest) -> tuple[BatchLine, ...]:
    """Write a line of every batch, in order."""
    return tuple(
        BatchLine(
            number=batch.number,
            connector=batch.source,
            table=batch.table,
            taken_at=batch.taken_at,
            order=batch.order,
            content=_content(batch),
        )
        for batch in manifest.batches
    )


def content_of(batch: Batch) -> Opening | None:
    """Open what a batch's line commits to; None for one from before lines were kept."""
    if batch.nonce is None:
        return None
    value: dict[str, Json] = {
        "digest": batch.digest,
        "rows": batch.rows,
        "quarantined": batch.quarantined,
    }
    return Opening(hex_bytes(batch.nonce, 32), value)


def batch_paper(manifest: FactsManifest, after: int, key: SigningKey) -> Statement | None:
    """Sign the lines of the batches that follow this number; None where there is none."""
    lines = lines_of(manifest)[after : after + MOST_LINES]
    return sign_statement(BatchList(lines=lines).to_body(), [key]) if lines else None


def snapshot_paper(
    snapshot: Digest, manifest: SnapshotManifest, lines: Sequence[BatchLine], key: SigningKey
) -> Statement:
    """Sign what a snapshot was made of."""
    paper = SnapshotPaper(
        snapshot=snapshot,
        as_of=manifest.as_of,
        views=manifest.views,
        published_at=manifest.published_at,
        batches=len(lines),
        root=root_of(lines),
    )
    return sign_statement(paper.to_body(), [key])


def _content(batch: Batch) -> Digest | None:
    opening = content_of(batch)
    return None if opening is None else Digest(commitment(opening))
