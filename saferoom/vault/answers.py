"""What leaves the vault for one enterprise?

Its outcome, signed by the vault and sealed to the bank's delivery key and the enterprise's
own, at one length whatever it says (core/answer.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from saferoom.canonical import Digest
from saferoom.core.answer import AAD, Answer, pad
from saferoom.crypto.sealing import SealingPublicKey, seal
from saferoom.crypto.signing import SigningKey, sign_statement
from saferoom.vault.authority import Permit


def answer_for(permit: Permit, snapshot: Digest, enterprise: str, outcome: str) -> Answer:
    """State one outcome of a permitted request."""
    return Answer(
        enterprise=enterprise,
        outcome=outcome,
        request=permit.ticket,
        snapshot=snapshot,
        version=permit.request.version,
    )


def readers(permit: Permit, enterprise: str) -> tuple[SealingPublicKey, SealingPublicKey]:
    """Name who may read it: the bank, and the enterprise whose key signed the grant."""
    return SealingPublicKey.from_hex(permit.manifest.delivery_key), permit.granted[enterprise]


def seal_answer(
    answer: Answer,
    key: SigningKey,
    to: Sequence[SealingPublicKey],
    random_bytes: Callable[[int], bytes],
) -> bytes:
    """Sign, pad and seal one answer."""
    return seal(pad(sign_statement(answer.to_body(), [key])), to, AAD, random_bytes)
