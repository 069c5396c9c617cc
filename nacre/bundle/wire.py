"""The wire format of protocol buffers, version 3: what Bundle.ML needs of it, read and written by hand.

A message is a run of fields, each a key (number and wire type) and its content. Reading gives the fields as they
stand, content unjudged; every length is checked against what is left before anything is taken, so a message costs
time and memory in proportion to its size, however it lies. Groups, which proto3 has not, are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from nacre.errors import BundleError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_KINDS = {VARINT: "a varint", FIXED64: "8 bytes", BYTES: "bytes with a length", FIXED32: "4 bytes"}
_SIZE = {FIXED64: 8, FIXED32: 4}
_MASK = (1 << 64) - 1

Field = tuple[int, int, int | bytes]
"""(field number, wire type, content): an int below 2**64 for a varint, else bytes."""


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a message, in order. Raises BundleError, with the byte, where it is none."""
    at, end = 0, len(data)
    while at < end:
        began = at
        key, at = take_varint(data, at)
        number, kind = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise broken(f"field number {number}", began)
        if kind == VARINT:
            value, at = take_varint(data, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = take_varint(data, at)
        elif kind in _SIZE:
            size = _SIZE[kind]
        else:
            raise broken(f"wire type {kind}", began)
        if size > end - at:
            raise broken(f"a field of {size} bytes where {end - at} are left", began)
        yield number, kind, data[at : at + size]
        at += size


def take_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint that starts at `at`, modulo 2**64, and where it ends."""
    began, value, shift = at, 0, 0
    try:
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & _MASK, at
            shift += 7
            if shift > 63:
                raise broken("a varint of more than ten bytes", began)
    except IndexError:
        raise broken("a truncated varint", began) from None


def broken(what: str, at: int) -> BundleError:
    return BundleError("malformed protobuf", expected="a message of Bundle.ML", got=f"{what}, at byte {at}")


# The content of a field, judged


def whole(field: Field) -> int:
    """A varint, as it is."""
    return _of(field, VARINT)  # type: ignore[return-value]


def raw(field: Field) -> bytes:
    """The bytes of a text, a list or a message."""
    return _of(field, BYTES)  # type: ignore[return-value]


def text(field: Field) -> str:
    content = raw(field)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BundleError("a text that is not UTF-8", expected="UTF-8", got=content[:40]) from error


def double(field: Field) -> float:
    return float(struct.unpack("<d", _of(field, FIXED64))[0])  # type: ignore[arg-type]


def single(field: Field) -> float:
    return float(struct.unpack("<f", _of(field, FIXED32))[0])  # type: ignore[arg-type]


def _of(field: Field, kind: int) -> int | bytes:
    number, given, content = field
    if given != kind:
        got = f"{_KINDS[given]} in field {number}"
        raise BundleError("malformed protobuf", expected=_KINDS[kind], got=got)
    return content


def int32(value: int) -> int:
    """A varint as int32 and enums read it: the low 32 bits, signed."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def int64(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def numbers(fields: list[Field], kind: int) -> list[int] | list[float]:
    """The items of a repeated number, packed or not. `kind` is the wire type of one of them."""
    if kind == VARINT:
        return [each for field in fields for each in (_varints(raw(field)) if field[1] == BYTES else [whole(field)])]
    code, size = ("d", 8) if kind == FIXED64 else ("f", 4)
    found: list[float] = []
    for field in fields:
        content = raw(field) if field[1] == BYTES else _of(field, kind)
        assert isinstance(content, bytes), "a number of fixed size is bytes"
        if len(content) % size:
            raise broken(f"a list of {len(content)} bytes for numbers of {size}", 0)
        found += struct.unpack(f"<{len(content) // size}{code}", content)
    return found


def _varints(data: bytes) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = take_varint(data, at)
        found.append(value)
    return found


# Writing


def varint(value: int) -> bytes:
    """A varint; negative numbers take ten bytes."""
    value &= _MASK
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A varint field; nothing for 0, which is the default."""
    return varint(field << 3 | VARINT) + varint(value) if value else b""


def chunk(field: int, content: bytes) -> bytes:
    """A field of bytes: a message, or a text or list that is there even when empty."""
    return varint(field << 3 | BYTES) + varint(len(content)) + content


def string(field: int, value: str) -> bytes:
    """A text field; nothing for "", which is the default."""
    return chunk(field, utf8(value)) if value else b""


def utf8(value: str) -> bytes:
    """Raises BundleError for half of a surrogate pair, which no UTF-8 has."""
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise BundleError("a text that is not Unicode", expected="Unicode text", got=ascii(value)) from error


def fixed64(field: int, value: float) -> bytes:
    """A double field; nothing for 0.0 but for -0.0."""
    content = struct.pack("<d", value)
    return varint(field << 3 | FIXED64) + content if any(content) else b""


def fixed32(field: int, value: float) -> bytes:
    """The same for a float."""
    content = struct.pack("<f", value)
    return varint(field << 3 | FIXED32) + content if any(content) else b""
