"""Universal Binary JSON (UBJSON draft 12) as XGBoost writes it, decoded with every length checked first.

Differences from plain UBJSON that XGBoost relies on: strings and typed arrays carry an ``L`` (int64) length, and
strongly typed arrays (``[$d#L…``) come back as numpy arrays. Numbers are big-endian. Nothing is executed, nothing is
allocated beyond what the input itself holds, so a broken file costs time linear in its size.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from nacre.errors import ModelError

MAX_DEPTH = 64
"""Nesting allowed; XGBoost's own models have 8."""

NUMBERS: dict[int, tuple[struct.Struct, str]] = {
    ord(marker): (struct.Struct(">" + code), dtype)
    for marker, code, dtype in (
        ("i", "b", ">i1"),
        ("U", "B", ">u1"),
        ("I", "h", ">i2"),
        ("l", "i", ">i4"),
        ("L", "q", ">i8"),
        ("d", "f", ">f4"),
        ("D", "d", ">f8"),
    )
}
"""Marker -> how one value is unpacked, and the numpy type of a typed array of them."""
INTEGERS = frozenset(b"iUIlL")
CONSTANTS: dict[int, Any] = {ord("Z"): None, ord("T"): True, ord("F"): False}
ARRAY_END, OBJECT_END, TYPED, COUNTED, NOOP = b"]}$#N"


def loads(data: bytes) -> Any:
    """Decode one UBJSON value. Raises ModelError naming the byte at which the text stops making sense."""
    decoder = Decoder(data)
    value = decoder.value(decoder.marker(), 0)
    if decoder.at != len(data):
        raise decoder.broken("end of file", f"{len(data) - decoder.at} more bytes")
    return value


class Decoder:
    """A cursor over the bytes; one method a construct."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def broken(self, expected: str, got: str) -> ModelError:
        return ModelError(f"broken UBJSON at byte {self.at}", expected=expected, got=got)

    def marker(self) -> int:
        """The next type marker; no-ops are skipped."""
        while self.at < len(self.data):
            found = self.data[self.at]
            self.at += 1
            if found != NOOP:
                return found
        raise self.broken("a value", "end of file")

    def peek(self) -> int:
        if self.at >= len(self.data):
            raise self.broken("a value", "end of file")
        return self.data[self.at]

    def need(self, size: int) -> int:
        """Claim `size` bytes and return where they begin."""
        start, left = self.at, len(self.data) - self.at
        if not 0 <= size <= left:
            raise self.broken(f"{size} bytes", f"{left} left in the file")
        self.at += size
        return start

    def number(self, marker: int) -> Any:
        reader = NUMBERS[marker][0]
        return reader.unpack_from(self.data, self.need(reader.size))[0]

    def length(self) -> int:
        marker = self.marker()
        if marker not in INTEGERS:
            raise self.broken("a length", f"marker {chr(marker)!r}")
        size = self.number(marker)
        if size < 0:
            raise self.broken("a length of 0 or more", str(size))
        return int(size)

    def text(self) -> str:
        size = self.length()
        start = self.need(size)
        try:
            return self.data[start : self.at].decode()
        except UnicodeDecodeError:
            raise self.broken("UTF-8 text", "other bytes") from None

    def value(self, marker: int, depth: int) -> Any:
        if marker in NUMBERS:
            return self.number(marker)
        if marker in CONSTANTS:
            return CONSTANTS[marker]
        if marker == ord("S"):
            return self.text()
        if marker == ord("C"):
            return self.data[self.need(1)]
        if depth >= MAX_DEPTH:
            raise self.broken(f"at most {MAX_DEPTH} levels of nesting", "more")
        if marker == ord("["):
            return self.array(depth + 1)
        if marker == ord("{"):
            return self.object(depth + 1)
        raise self.broken("a type marker", repr(chr(marker)))

    def array(self, depth: int) -> Any:
        if self.peek() == TYPED:
            return self.typed_array()
        if self.peek() == COUNTED:
            self.at += 1
            count = self.length()
            if count > len(self.data) - self.at:  # each element has at least its marker
                raise self.broken(f"{count} elements", f"{len(self.data) - self.at} bytes left in the file")
            return [self.value(self.marker(), depth) for _ in range(count)]
        values = []
        while (marker := self.marker()) != ARRAY_END:
            values.append(self.value(marker, depth))
        return values

    def typed_array(self) -> np.ndarray:
        self.at += 1
        marker = self.marker()
        if marker not in NUMBERS or self.marker() != COUNTED:
            raise self.broken("a number type and a count", f"marker {chr(marker)!r}")
        dtype = np.dtype(NUMBERS[marker][1])
        count = self.length()
        start = self.need(count * dtype.itemsize)
        return np.frombuffer(self.data, dtype, count, start).astype(dtype.newbyteorder("="))

    def object(self, depth: int) -> dict[str, Any]:
        if self.peek() in (TYPED, COUNTED):
            raise self.broken("an object with an end marker", "a counted object")
        found: dict[str, Any] = {}
        while self.peek() != OBJECT_END:
            key = self.text()
            found[key] = self.value(self.marker(), depth)
        self.at += 1
        return found
