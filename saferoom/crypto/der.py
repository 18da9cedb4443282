"""How are the few DER structures of time stamps written and read, strictly?

ITU-T X.690: tags of one byte, definite lengths in their shortest form, nothing left over. Values
are bytes; what they mean is their reader's affair.
"""

from __future__ import annotations

from dataclasses import dataclass

from saferoom.errors import BadInput

INTEGER, OCTETS, NULL, OID, TIME = 0x02, 0x04, 0x05, 0x06, 0x18
BOOLEAN, SEQUENCE, SET = 0x01, 0x30, 0x31


@dataclass(frozen=True)
class Node:
    """One value: its tag, what is inside, and the bytes of it all."""

    tag: int
    content: bytes
    raw: bytes

    def children(self) -> list[Node]:
        """Read what a sequence or a set holds, in order."""
        nodes, at = [], 0
        while at < len(self.content):
            node, at = _read_at(self.content, at)
            nodes.append(node)
        return nodes

    def expect(self, tag: int) -> Node:
        """Refuse another tag."""
        if self.tag != tag:
            raise BadInput("FIELD_INVALID", "DER: another tag is expected")
        return self

    def number(self) -> int:
        """Read an integer."""
        return int.from_bytes(self.expect(INTEGER).content, "big", signed=True)


def read(data: bytes) -> Node:
    """Read one value that is all of the data."""
    node, end = _read_at(data, 0)
    if end != len(data):
        raise BadInput("FIELD_INVALID", "DER: bytes are left over")
    return node


def write(tag: int, *parts: bytes) -> bytes:
    """Write one value."""
    content = b"".join(parts)
    count = len(content)
    if count < 0x80:
        return bytes([tag, count]) + content
    length = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def write_number(value: int) -> bytes:
    """Write an integer that is not negative."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def write_oid(name: str) -> bytes:
    """Write an object identifier from its dotted form."""
    first, second, *rest = map(int, name.split("."))
    return write(OID, *(_base128(arc) for arc in (40 * first + second, *rest)))


def _base128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc := arc >> 7:
        digits.append(arc & 0x7F | 0x80)
    return bytes(reversed(digits))


def _read_at(data: bytes, at: int) -> tuple[Node, int]:
    try:
        tag, first = data[at], data[at + 1]
    except IndexError as error:
        raise BadInput("FIELD_INVALID", "DER: it is cut") from error
    start, length = at + 2, first
    if first & 0x80:
        count = first & 0x7F
        start += count
        length = int.from_bytes(data[at + 2 : start], "big")
    end = start + length
    raw = data[at:end]
    # The shortest length and a tag of one byte: one value has one text.
    if end > len(data) or tag & 0x1F == 0x1F or write(tag, data[start:end]) != raw:
        raise BadInput("FIELD_INVALID", "DER: a length or a tag that is not the one form")
    return Node(tag, data[start:end], raw), end
