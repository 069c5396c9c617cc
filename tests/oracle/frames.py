"""MLeap's binary LeapFrame format (`ml.combust.mleap.binary`): a whole frame as one run of bytes, exact to the bit.

An int32 length and the schema as JSON, an int32 row count, then the rows, value after value, big-endian. A nullable
value has a byte before it (1 there, 0 null). A tensor is: char dense/sparse, char rank, int32 dimensions, int32 count
and values, and if sparse int32 count and indices, each a char length and int32s.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

TYPES = {
    "boolean": "?",
    "byte": "b",
    "short": "h",
    "int": "i",
    "integer": "i",
    "long": "q",
    "float": "f",
    "double": "d",
}
"""MLeap's scalar types of a fixed size and their struct codes; `string` besides, and `vector` for double tensors."""

Column = tuple[str, Sequence[Any]]
"""(type, values); a value is None, a scalar, a str, for `vector` floats or a :class:`Sparse`, for `list<type>` a list."""


class Sparse(tuple[int, tuple[int, ...], tuple[float, ...]]):
    """A sparse vector: size, indices, values."""

    __slots__ = ()

    def dense(self) -> list[float]:
        size, indices, values = self
        full = [0.0] * size
        for index, value in zip(indices, values, strict=True):
            full[index] = value
        return full


def write(columns: dict[str, Column]) -> bytes:
    """Columns of equal length as a frame."""
    fields = [{"name": name, "type": schema(kind, values)} for name, (kind, values) in columns.items()]
    head = json.dumps({"fields": fields}).encode()
    packed = [list(map(packer(kind), values)) for kind, values in columns.values()]
    rows = b"".join(b"".join(row) for row in zip(*packed, strict=True))
    count = len(packed[0])
    return struct.pack(">i", len(head)) + head + struct.pack(">i", count) + rows


def as_json(columns: dict[str, Column]) -> bytes:
    """The same as a frame of MLeap's JSON, which has maps but no infinities and no NaN; scalars and maps only."""
    fields = [{"name": name, "type": schema(kind, values)} for name, (kind, values) in columns.items()]
    rows = [list(row) for row in zip(*(values for _, values in columns.values()), strict=True)]
    return json.dumps({"schema": {"fields": fields}, "rows": rows}).encode()


def schema(kind: str, values: Sequence[Any]) -> Any:
    if kind.startswith("map<"):
        return {"type": "map", "key": "string", "base": kind[4:-1]}
    if kind.startswith("list<"):
        return {"type": "list", "base": kind[5:-1]}
    if kind != "vector":
        return "integer" if kind == "int" else kind  # `int` is right inside lists and tensors only
    first = next(v for v in values if v is not None)
    return {"type": "tensor", "base": "double", "dimensions": [first[0] if isinstance(first, Sparse) else len(first)]}


def packer(kind: str) -> Callable[[Any], bytes]:
    """A function from a value to its bytes, the byte for null included."""
    if kind == "string":
        return lambda v: b"\0" if v is None else b"\1" + sized(v.encode())
    if kind == "vector":
        return lambda v: b"\0" if v is None else b"\1" + vector(v)
    if kind.startswith("list<"):
        item = packer(kind[5:-1])  # an item has no byte for null
        return lambda v: b"\0" if v is None else b"\1" + struct.pack(">i", len(v)) + b"".join(item(x)[1:] for x in v)
    pack = struct.Struct(f">?{TYPES[kind]}").pack
    return lambda v: b"\0" if v is None else pack(True, v)


def sized(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def vector(values: Sequence[float] | Sparse) -> bytes:
    if isinstance(values, Sparse):
        size, indices, stored = values
        head = struct.pack(f">HHii{len(stored)}d", 1, 1, size, len(stored), *stored)
        return head + struct.pack(">i", len(indices)) + b"".join(struct.pack(">Hi", 1, index) for index in indices)
    return struct.pack(f">HHii{len(values)}d", 0, 1, len(values), len(values), *values)


class Reader:
    """Reads a frame from front to back."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def take(self, code: str) -> tuple[Any, ...]:
        form = struct.Struct(f">{code}")
        found = form.unpack_from(self.data, self.at)
        self.at += form.size
        return found

    def one(self, code: str) -> Any:
        return self.take(code)[0]

    def many(self, code: str) -> tuple[Any, ...]:
        """A count and as many values."""
        return self.take(f"{self.one('i')}{code}")

    def string(self) -> str:
        size = self.one("i")
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def tensor(self, code: str) -> Any:
        sparse, rank = self.take("HH")
        shape = self.take(f"{rank}i")
        values = self.many(code)
        if not sparse:
            return list(values)
        indices = tuple(self.take(f"{self.one('H')}i")[0] for _ in range(self.one("i")))
        return Sparse((shape[0], indices, values))


def reader(kind: Any) -> Callable[[Reader], Any]:
    """A function that reads one value of a type, as the schema spells it; None for null."""
    nullable = kind.get("isNullable", True) if isinstance(kind, dict) else True
    read = plain(kind)
    return (lambda r: read(r) if r.one("?") else None) if nullable else read


def plain(kind: Any) -> Callable[[Reader], Any]:
    shape = kind["type"] if isinstance(kind, dict) else "basic"
    base = kind["base"] if isinstance(kind, dict) else kind
    if shape == "list":
        return lambda r: [element(base)(r) for _ in range(r.one("i"))]
    if shape == "tensor":
        return lambda r: r.tensor(TYPES[base])
    return element(base)


def element(base: str) -> Callable[[Reader], Any]:
    return Reader.string if base == "string" else lambda r: r.one(TYPES[base])


def read(data: bytes) -> dict[str, list[Any]]:
    """A frame as columns: scalars as they are, lists and dense vectors as lists, sparse ones as :class:`Sparse`."""
    source = Reader(data)
    fields = json.loads(source.string())["fields"]
    readers = [reader(field["type"]) for field in fields]
    rows: Iterable[list[Any]] = ([one(source) for one in readers] for _ in range(source.one("i")))
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    assert source.at == len(data), "bytes left over"
    return {field["name"]: list(column) for field, column in zip(fields, columns, strict=True)}
