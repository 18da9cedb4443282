"""Which grade does a receipt hold, to whoever it was sealed to?

Only the bank's delivery key or the enterprise's own opens it. What comes out must be the answer
to what the receipt proves: this enterprise, version and request, by a vault of the trust file.
"""

from __future__ import annotations

from datetime import timedelta

from saferoom.canonical import Digest
from saferoom.client.keyfolder import KeyFolder
from saferoom.core.answer import AAD, check_answer, check_fits
from saferoom.core.log_events import read_hour
from saferoom.core.manifest import Manifest
from saferoom.core.receipt import Verified
from saferoom.core.trust import Trust
from saferoom.crypto.sealing import unseal
from saferoom.errors import NotFound, Tampered

_HOUR = timedelta(minutes=59, seconds=59)  # an entry tells its hour only


def open_grade(verified: Verified, keys: KeyFolder, trust: Trust) -> str:
    """Open the grade of a verified receipt; refuse an answer to anything else."""
    if verified.answer is None:
        raise NotFound("NOT_FOUND", "a sealed answer in this receipt")
    manifests = [one for one in verified.papers if one.kind == Manifest.KIND]
    if not manifests:
        raise Tampered("ANSWER_INVALID", "the receipt does not say which outcomes there are")
    plain = unseal(verified.answer, keys.delivery or keys.sealing, AAD)
    answer = check_answer(plain, trust, read_hour(verified.hour) + _HOUR)
    stored = verified.opened.get("source") == "stored"
    check_fits(
        answer,
        enterprise=str(verified.opened.get("enterprise")),
        version=Digest(verified.artefacts["version"]),
        request=None if stored else Digest(str(verified.opened.get("request"))),
        outcomes=Manifest.from_body(manifests[0].body).outcomes,
    )
    return answer.outcome
