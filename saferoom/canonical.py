"""Which bytes stand for a value, and what is their digest?

RFC 8785, narrowed: objects, arrays, strings, booleans, null and integers within
±(2^53 − 1). No floats, so no two readers can disagree about a number. What is
read must be byte for byte what we would write; anything else is refused.

For such values the standard library's encoder writes RFC 8785, several times faster than
the reference one, but for one thing: §3.2.3 sorts keys by UTF-16 units. That differs
from code points only where characters beyond U+FFFF occur; those values take the
reference encoder. A test compares the two.
"""

from __future__ import annotations

import hashlib
import json
from typing import NewType, NoReturn

import rfc8785

from saferoom.errors import BadInput

Json = str | int | bool | None | list["Json"] | dict[str, "Json"]
Digest = NewType("Digest", str)  # 64 lower-case hexadecimal digits of SHA-256

LARGEST = 2**53 - 1
DEEPEST = 32
_BEYOND_U_FFFF = 0xF0  # the least first byte of a four-byte UTF-8 sequence


def canonical_bytes(value: object) -> bytes:
    """Write the one encoding; tuples count as arrays, floats are refused."""
    _check(value, depth=0)
    try:
        data = _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError as error:  # a lone surrogate has no bytes
        raise BadInput("NOT_CANONICAL", "text is not Unicode") from error
    if data.isascii() or max(data) < _BEYOND_U_FFFF:
        return data
    return rfc8785.dumps(value)  # type: ignore[arg-type]  # narrowed by _check


def parse_canonical(data: bytes) -> Json:
    """Read bytes that are exactly their own canonical form."""
    try:
        value: Json = json.loads(
            data.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float
        )
        same = canonical_bytes(value) == data
    except (ValueError, RecursionError) as error:
        raise BadInput("NOT_CANONICAL") from error
    if not same:  # spaces, key order, duplicate keys, escapes, -0, leading zeros …
        raise BadInput("NOT_CANONICAL")
    return value


def parse_object(data: bytes) -> dict[str, Json]:
    """Read canonical bytes whose top is an object."""
    value = parse_canonical(data)
    if not isinstance(value, dict):
        raise BadInput("NOT_CANONICAL", "an object is expected")
    return value


def digest(value: object) -> Digest:
    """SHA-256 over the canonical bytes; values carry their own `kind`."""
    return digest_bytes(canonical_bytes(value))


def digest_bytes(data: bytes) -> Digest:
    """SHA-256 over raw bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


def _check(value: object, depth: int) -> None:
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, int):
        if not -LARGEST <= value <= LARGEST:
            raise BadInput("NOT_CANONICAL", "integer out of range")
    elif depth == DEEPEST:
        raise BadInput("NOT_CANONICAL", "nested too deeply")
    elif isinstance(value, dict):
        _check_members(value, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check(item, depth + 1)
    else:
        raise BadInput("NOT_CANONICAL", "only JSON without floats")


def _check_members(members: dict[object, object], depth: int) -> None:
    for key, item in members.items():
        if not isinstance(key, str):  # the encoder would write True as "true"
            raise BadInput("NOT_CANONICAL", "keys are strings")
        if type(item) is not str:  # most are; the call would cost more than the encoding
            _check(item, depth)


def _no_float(_: str) -> NoReturn:
    raise ValueError("floats have no place in canonical bytes")


# Strings escape exactly `"`, `\\`, and the controls, short forms first (RFC 8785 §3.2.2.2).
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
