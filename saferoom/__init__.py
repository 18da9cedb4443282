"""A data safe room: the model comes to the data, a score comes out, the rows stay.

Names are loaded when they are first used (PEP 562), so that importing one module of
the rules, or `saferoom.errors`, pulls in nothing else of ours.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saferoom.client.bundles import verify_bundle as verify_bundle
    from saferoom.client.verifying import verify as verify
    from saferoom.sdk.room import Room as Room
    from saferoom.sdk.room import Version as Version
    from saferoom.sdk.room import connect as connect

__version__ = "0.1.0"

_EXPORTS = {
    "Room": "saferoom.sdk.room",
    "Version": "saferoom.sdk.room",
    "connect": "saferoom.sdk.room",
    "verify": "saferoom.client.verifying",
    "verify_bundle": "saferoom.client.bundles",
}
__all__ = ["Room", "Version", "__version__", "connect", "verify", "verify_bundle"]


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'saferoom' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return __all__
