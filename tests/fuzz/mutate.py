"""Ways to spoil a bundle's files: blindly by bytes, or by the structure of JSON and protobuf, so that most of the
bundle stays good and the damage reaches deep."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from nacre.bundle import treepb, wire
from nacre.errors import BundleError

if TYPE_CHECKING:
    from random import Random

Files = dict[str, bytes]

TEXTS = ["", "x", "error", "skip", "keep", "__import__('os')", '"', "'", "\\", "\n", "}", "{0}", "%s", "é\u2028", "😀", "nan", "1e999", "double", "input", "input0", "../evil", "a/b"]  # fmt: skip
FOLDERS = ["tree²", "tree1", "tree01", "tree" + "9" * 50, "model0", "x.node", ".node", "٣", "\n"]
WHOLE = [0, 1, -1, 2, 3, 7, 127, 128, 255, 1 << 15, (1 << 31) - 1, 1 << 31, -(1 << 31), (1 << 63) - 1, 1 << 63, 10**30]
REAL = [0.0, -0.0, 0.5, -1.5, 1e-310, 1e308, 1e300, float("inf"), float("-inf"), float("nan"), 2.0**53]


def mutated(files: Files, chance: Random) -> Files:
    """A copy with one to three things wrong."""
    spoilt = dict(files)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        name = chance.choice(sorted(spoilt))
        way = chance.random()
        if way < 0.05:
            _misplace(spoilt, name, chance)
        elif way < 0.25:
            spoilt[name] = _bytes(spoilt[name], chance)
        else:
            spoilt[name] = _structure(name, spoilt[name], chance)
    return spoilt


def _misplace(files: Files, name: str, chance: Random) -> None:
    other = chance.choice(sorted(files))
    if chance.random() < 0.4:
        files[name] = files[other]
    elif chance.random() < 0.2:
        files[f"{other.rpartition('/')[0]}/{chance.choice(FOLDERS)}/{name.rpartition('/')[2]}"] = files[name]
    elif chance.random() < 0.5:
        files[other.rpartition("/")[0] + "/" + name.rpartition("/")[2]] = files[name]
    elif len(files) > 1:
        del files[name]


def _bytes(content: bytes, chance: Random) -> bytes:
    spoilt = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(spoilt) + 1)
        way = chance.randrange(5)
        if way == 0 and at < len(spoilt):
            spoilt[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            spoilt[at:at] = bytes(
                chance.choice([0, 1, 127, 128, 255, chance.randrange(256)]) for _ in range(chance.randint(1, 9))
            )
        elif way == 2:
            del spoilt[at : at + chance.randint(1, 9)]
        elif way == 3:
            spoilt[at:at] = spoilt[at : at + chance.randint(1, 40)]
        elif chance.random() < 0.2:
            del spoilt[at:]
    return bytes(spoilt)


def _structure(name: str, content: bytes, chance: Random) -> bytes:
    try:
        if name.endswith(".json"):
            return _json(name, content, chance)
        if name.endswith(("tree.pb", "nodes.pb")):
            return _tree(content, chance)
        return _message(content, chance, 0)
    except (ValueError, BundleError, RecursionError):  # spoilt already
        return _bytes(content, chance)


# JSON


def _json(name: str, content: bytes, chance: Random) -> bytes:
    lines = content.decode().splitlines() if "tree" in name.rpartition("/")[2] else [content.decode()]
    if not lines:
        return b"{}"
    at = chance.randrange(len(lines))
    way = chance.random()
    if way < 0.1 and len(lines) > 1:
        lines[at : at + 1] = chance.choice([[], [lines[at]] * 2, [lines[0], lines[at]]])
    else:
        lines[at] = json.dumps(_value(json.loads(lines[at]), chance))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _value(document: Any, chance: Random) -> Any:
    """The document with one value inside it changed."""
    if not isinstance(document, (dict, list)) or not document or chance.random() < 0.08:
        return _strange(document, chance)
    if isinstance(document, list):
        copy = list(document)
        at = chance.randrange(len(copy))
        way = chance.random()
        if way < 0.7:
            copy[at] = _value(copy[at], chance)
        elif way < 0.8:
            del copy[at]
        elif way < 0.9:
            copy.insert(at, copy[chance.randrange(len(copy))])
        else:
            copy.append(_strange(copy[at], chance))
        return copy
    changed = dict(document)
    key = chance.choice(list(changed))
    way = chance.random()
    if way < 0.85:
        changed[key] = _value(changed[key], chance)
    elif way < 0.92:
        del changed[key]
    else:
        changed[chance.choice([*TEXTS, *changed, "type", "int", "long", "double", "string", "tensor", "model"])] = (
            changed[key]
        )
    return changed


def _strange(value: Any, chance: Random) -> Any:
    """Something else: mostly of the same kind."""
    if chance.random() < 0.25:
        return chance.choice([None, True, [], {}, [None], [[1]], {"a": 1}, "\ud800", chance.choice(TEXTS)])
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return chance.choice([*TEXTS, value * 2, value[:-1]])
    if isinstance(value, int):
        return chance.choice([*WHOLE, value + 1, value - 1, -value, float(value)])
    if isinstance(value, float):
        return chance.choice([*REAL, -value, value * 2, 1])
    return chance.choice([*WHOLE, *REAL])


# Protobuf


def _tree(content: bytes, chance: Random) -> bytes:
    messages = list(treepb.messages(content))
    if not messages:
        return content
    at = chance.randrange(len(messages))
    if chance.random() < 0.15:
        messages[at : at + 1] = chance.choice([[], [messages[at]] * 2, [messages[0], messages[at]]])
    else:
        messages[at] = _message(messages[at], chance, 0)
    return b"".join(struct.pack(">i", len(message)) + message for message in messages)


def _message(content: bytes, chance: Random, depth: int) -> bytes:
    """The message with one of its fields changed, at any depth."""
    found = list(wire.fields(content))
    if not found:
        return chance.choice([b"\x0a\x00", b"\x08\x01", b"\x12\x00", wire.chunk(1, b"x")])
    at = chance.randrange(len(found))
    number, kind, value = found[at]
    way = chance.random()
    if way < 0.05:
        del found[at]
    elif way < 0.1:
        found.insert(chance.randrange(len(found) + 1), found[at])
    elif way < 0.14:
        found[at] = (chance.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15]), kind, value)
    elif isinstance(value, int):
        found[at] = (number, kind, chance.choice([*WHOLE, value + 1, value ^ 1]) % (1 << 64))
    elif kind != wire.BYTES:
        code = "<d" if kind == wire.FIXED64 else "<f"
        found[at] = (
            number,
            kind,
            struct.pack(code, chance.choice(REAL[:5] + REAL[7:10])) if kind == wire.FIXED64 else value[::-1],
        )
    else:
        found[at] = (number, kind, _inner(value, chance, depth))
    return b"".join(map(_field, found))


def _inner(value: bytes, chance: Random, depth: int) -> bytes:
    """The content of a field: a message as often as it can be one, else a text, packed numbers, or bytes."""
    way = chance.random()
    if way < 0.8 and depth < 12:
        try:
            return _message(value, chance, depth + 1)
        except BundleError:
            pass
    if way < 0.9 and len(value) % 8 == 0 and value:
        numbers = list(struct.unpack(f"<{len(value) // 8}d", value))
        numbers[chance.randrange(len(numbers))] = chance.choice(REAL)
        return struct.pack(f"<{len(numbers)}d", *numbers)
    return chance.choice([b"", value * 2, chance.choice(TEXTS).encode(), _bytes(value, chance), value[:-1]])


def _field(field: wire.Field) -> bytes:
    number, kind, value = field
    if isinstance(value, int):
        return wire.varint(number << 3 | kind) + wire.varint(value)
    return wire.chunk(number, value) if kind == wire.BYTES else wire.varint(number << 3 | kind) + value
