"""How does an attacker, or a broken disk, change a model's text?"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from saferoom.canonical import Json, canonical_bytes, parse_object

NUMBERS = ("0", "-1", "1", "2147483648", "-2147483649", "4294967296", "nan", "inf", "-inf")
NUMBERS_MORE = ("1e308", "1e999", "-0.0", "1e-320", "0x10", "١", "1_0", "", "99999999999999999999")

Mutation = Callable[[str, random.Random], str]


def mutants(text: str, count: int, seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    for _ in range(count):
        mutant = text
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            mutant = chance.choice(MUTATIONS)(mutant, chance)
        yield mutant


def change_byte(text: str, chance: random.Random) -> str:
    at = place(text, chance)
    return text[:at] + chr(chance.randrange(1, 128)) + text[at + 1 :]


def drop_span(text: str, chance: random.Random) -> str:
    at = place(text, chance)
    return text[:at] + text[at + chance.choice((1, 2, 50, 5000)) :]


def repeat_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    return "\n".join([*lines[:at], lines[at], *lines[at:]])


def swap_lines(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def change_number(text: str, chance: random.Random) -> str:
    """The mutation that still parses: one entry of one `key=values` line."""
    lines = text.partition("end of trees")[0].split("\n")
    at = chance.choice([i for i, line in enumerate(lines) if "=" in line] or [0])
    key, _, values = lines[at].partition("=")
    entries = values.split(" ")
    index = chance.randrange(len(entries))
    entries[index] = new_entry(entries[index], chance)
    lines[at] = key + "=" + " ".join(entries)
    return "\n".join(lines) + "end of trees" + text.partition("end of trees")[2]


def new_entry(entry: str, chance: random.Random) -> str:
    if chance.random() < 0.4:
        return chance.choice(NUMBERS + NUMBERS_MORE)
    try:
        return str(int(entry) + chance.choice((-1, 1, 2, 31)))
    except ValueError:
        pass
    try:
        return repr(float(entry) * chance.choice((-1, 0, 1.5, 1e-9)))
    except ValueError:
        return entry + chance.choice(("x", " ", "1"))


def place(text: str, chance: random.Random) -> int:
    """Most of a file is the training's parameters; aim at the trees."""
    return chance.randrange(max(1, text.find("end of trees") + 12))


MUTATIONS: tuple[Mutation, ...] = (
    change_byte,
    drop_span,
    repeat_line,
    swap_lines,
    change_number,
    change_number,
    change_number,
    change_number,
)


def json_mutant(text: str, chance: random.Random) -> str:
    """Break the bytes, or change a value and write it canonically: then only its sense is odd."""
    if chance.random() < 0.3:
        return chance.choice((change_byte, drop_span))(text, chance)
    value: Json = parse_object(text.encode())
    for _ in range(chance.choice((1, 1, 2, 4))):
        holder, key = spot(value, chance)
        holder[key] = another(holder[key], chance)  # type: ignore[index]  # a list or a dict
    return canonical_bytes(value).decode()


def spot(value: Json, chance: random.Random) -> tuple[Json, str | int]:
    """Go down a random way, to where something stands in a list or an object."""
    while True:
        keys: list[str | int] = [*(value if isinstance(value, dict) else range(len(value)))]  # type: ignore[arg-type]
        key = chance.choice(keys)
        below = value[key]  # type: ignore[index]
        if not isinstance(below, dict | list) or not below or chance.random() < 0.1:
            return value, key
        value = below


def another(value: Json, chance: random.Random) -> Json:
    match value:
        case bool():
            return chance.choice((not value, 1, None))
        case int():
            return chance.choice((value + 1, value - 1, -value, 0, 2**31, 2**53 - 1, -(2**40)))
        case str():
            return other_text(value, chance)
        case list():
            return chance.choice((value[1:], value + value[:1], [], value[::-1], None))
        case dict():
            return chance.choice(({}, None, {**value, "more": 1}))
        case _:
            return chance.choice((0, "x", (1.0).hex()))


def other_text(value: str, chance: random.Random) -> Json:
    if value.startswith(("0x", "-0x")):
        number = float.fromhex(value)
        other = chance.choice((-number, 0.0, number * 1.5, 1e-300, 1e300, 1e99))
        return chance.choice((float(other).hex(), float(other).hex(), "inf", "nan", "1.0", None))
    if len(value) < 16:
        return chance.choice(("", "x", value + "x", None, 7))
    at = chance.randrange(len(value))
    return value[:at] + chance.choice("0123456789abcdefF") + value[at + 1 :]
