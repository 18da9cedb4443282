"""How does a typed rule object become a signed body, and back, without a second description?

A frozen dataclass with a `KIND` is its own schema: every field is read strictly by its
annotation, unknown and missing fields are refused, and what is read writes the same bytes.
Annotations allowed: str, int, bool, StrEnum, tuple[T, ...], T | None, NewType of str,
another record.
Ranges are each class's own affair, in `__post_init__`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from enum import StrEnum
from functools import cache, cached_property
from typing import ClassVar, Protocol, Self

from saferoom.canonical import Digest, Json, digest
from saferoom.errors import BadInput

_Reader = Callable[[object, str], object]  # (value, the field's name for the refusal)


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[object]]]


class Record:
    """Base of everything that is signed, hashed or sent as a typed object."""

    KIND: ClassVar[str] = ""

    def to_body(self: _Dataclass) -> dict[str, Json]:
        """Write the object with its kind."""
        body: dict[str, Json] = {
            field.name: _write(getattr(self, field.name)) for field in dataclasses.fields(self)
        }
        kind = typing.cast("Record", self).KIND
        if kind:
            body["kind"] = kind
        return body

    @cached_property
    def digest(self) -> Digest:
        """Digest the body; computed once, since records never change."""
        return digest(self.to_body())  # type: ignore[misc]  # subclasses are dataclasses

    @classmethod
    def from_body(cls, body: object) -> Self:
        """Read strictly; refuse anything that would not be written again the same."""
        if not isinstance(body, dict):
            raise BadInput("FIELD_INVALID", f"{cls.__name__} is an object")
        readers = _readers(cls)  # type: ignore[arg-type]  # a class is hashable
        expected = {"kind", *readers} if cls.KIND else readers.keys()
        if body.keys() != expected:
            names = ", ".join(sorted(expected ^ {str(k)[:40] for k in body})[:5])
            raise BadInput("FIELD_INVALID", f"fields of {cls.__name__}: {names}")
        if cls.KIND and body["kind"] != cls.KIND:
            raise BadInput("FIELD_INVALID", f"kind of {cls.__name__}")
        return cls(**{name: read(body[name], name) for name, read in readers.items()})


def check_field(holds: bool, name: str) -> None:  # noqa: FBT001  # reads as: check that it holds
    """Refuse a value outside its range, naming the field and never the value."""
    if not holds:
        raise BadInput("FIELD_INVALID", name)


def is_line(text: str) -> bool:
    """Say whether people read this as one line of words, which passes for nothing else."""
    return 0 < len(text) <= 200 and text.isprintable() and text == text.strip()


@cache
def _readers(cls: type[Record]) -> dict[str, _Reader]:
    hints = typing.get_type_hints(cls)
    return {field.name: _reader(hints[field.name]) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]


def _write(value: object) -> Json:
    match value:
        case Record():
            return value.to_body()  # type: ignore[misc]
        case tuple():
            return [_write(item) for item in value]
        case StrEnum():
            return str(value)
        case None | bool() | int() | str():
            return value
        case _:
            raise TypeError(f"{type(value).__name__} cannot be signed")


def _reader(hint: object) -> _Reader:
    """Choose once, by annotation, how a field is read."""
    if isinstance(hint, typing.NewType):
        return _reader(hint.__supertype__)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        return _optional_reader(_reader(next(arg for arg in inner if arg is not type(None))))
    if origin is tuple:
        return _tuple_reader(_reader(inner[0]))
    assert isinstance(hint, type)
    return _type_reader(hint)


def _type_reader(hint: type) -> _Reader:
    if issubclass(hint, Record):
        return lambda value, _name: hint.from_body(value)
    if issubclass(hint, StrEnum):
        return _enum_reader(hint)
    if hint is str:
        return _read_text
    if hint in {int, bool}:
        return _exact_reader(hint)
    raise TypeError(f"{hint} cannot be read strictly")


def _optional_reader(read: _Reader) -> _Reader:
    return lambda value, name: None if value is None else read(value, name)


def _tuple_reader(read: _Reader) -> _Reader:
    def read_all(value: object, name: str) -> object:
        if not isinstance(value, list):
            raise BadInput("FIELD_INVALID", name)
        return tuple([read(item, name) for item in value])

    return read_all


def _enum_reader(choices: type[StrEnum]) -> _Reader:
    by_text = {str(choice): choice for choice in choices}

    def read_choice(value: object, name: str) -> object:
        check_field(isinstance(value, str) and value in by_text, name)
        return by_text[typing.cast("str", value)]

    return read_choice


def _read_text(value: object, name: str) -> object:
    check_field(type(value) is str, name)
    try:
        typing.cast("str", value).encode("utf-8")
    except UnicodeEncodeError as error:  # a lone surrogate has no bytes
        raise BadInput("FIELD_INVALID", name) from error
    return value


def _exact_reader(kind: type) -> _Reader:
    def read_exactly(value: object, name: str) -> object:
        check_field(type(value) is kind, name)  # a bool is no int here
        return value

    return read_exactly
