"""recordio-protobuf: SageMaker's own records, read and written without the protobuf package.

A file is a sequence of records: magic number, length (both little-endian uint32), that many bytes, padding to four.
The bytes are a protobuf message ``Record { map<string, Value> features = 1; map<string, Value> label = 2; }``, where a
``Value`` holds one tensor (float32 = 2, float64 = 3, int32 = 7) with ``values = 1``, ``keys = 2``, ``shape = 3``; a
tensor with keys is sparse: values at these columns of `shape` columns.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nacre.errors import RowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAGIC = 0xCED7230A
HEAD = struct.Struct("<II")
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FEATURES, LABEL = 1, 2
TENSORS = {2: ("<f4", BYTES), 3: ("<f8", BYTES), 7: (None, VARINT)}
"""Field of Value -> the numbers' layout; int32 come as varints."""
VALUES, KEYS, SHAPE = 1, 2, 3
MAP_KEY, MAP_VALUE = 1, 2


class Tensor(NamedTuple):
    """Numbers (float64) of one record; `keys` are their columns if it is sparse, of `size` columns if that is told."""

    values: np.ndarray
    keys: np.ndarray | None
    size: int | None

    @property
    def columns(self) -> int:
        if self.keys is None:
            return len(self.values)
        return self.size or (int(self.keys.max()) + 1 if len(self.keys) else 0)


class BrokenError(Exception):
    """Bytes that are no protobuf message; :func:`read` turns it into a RowError with the record's number."""


def read(data: bytes, name: str = "values", part: int = FEATURES) -> list[Tensor]:
    """The tensor `name` of every record's features, or of another `part` of it. Raises RowError naming the record,
    counted from 1."""
    found = []
    for number, record in enumerate(records(data), 1):
        try:
            tensor = features(record, part).get(name)
        except (BrokenError, ValueError, struct.error) as error:
            raise RowError("broken record", expected="a protobuf Record", got=str(error), row=number) from None
        if tensor is None:
            what = "features" if part == FEATURES else "label"
            raise RowError(f"a record without {what}", expected=f"{what}[{name!r}]", got="none", row=number)
        found.append(tensor)
    return found


def records(data: bytes) -> Iterator[bytes]:
    """The framed messages."""
    at, number = 0, 1
    while at < len(data):
        head = data[at : at + HEAD.size]
        magic, length = HEAD.unpack(head) if len(head) == HEAD.size else (None, 0)
        if magic != MAGIC:
            raise RowError("not recordio", expected=f"the magic number {MAGIC:#x}", got=head, row=number)
        at += HEAD.size
        if at + length > len(data):
            raise RowError("truncated record", expected=f"{length} bytes", got=f"{len(data) - at} bytes", row=number)
        yield data[at : at + length]
        at += (length + 3) // 4 * 4
        number += 1


def features(record: bytes, wanted: int = FEATURES) -> dict[str, Tensor]:
    """The features map of one Record message, or its label map."""
    found = {}
    for field, kind, value in fields(record):
        if field == wanted and kind == BYTES:
            name, tensor = "", None
            for key, _, part in fields(_bytes(value)):
                if key == MAP_KEY:
                    name = _bytes(part).decode()
                elif key == MAP_VALUE:
                    tensor = _tensor(_bytes(part))
            if tensor is not None:
                found[name] = tensor
    return found


def _tensor(value: bytes) -> Tensor | None:
    tensor = None
    for field, kind, part in fields(value):
        if field in TENSORS and kind == BYTES:
            tensor = _numbers(_bytes(part), TENSORS[field][0])
    return tensor


def _numbers(tensor: bytes, dtype: str | None) -> Tensor:
    values: list[np.ndarray] = []
    keys: list[int] = []
    shape: list[int] = []
    for field, kind, part in fields(tensor):
        if field == VALUES and dtype is not None:
            values.append(np.frombuffer(_bytes(part), dtype).astype(np.float64))
        elif field == VALUES:
            values.append(np.array([_signed(number) for number in _varints(kind, part)], np.float64))
        elif field in (KEYS, SHAPE):
            (keys if field == KEYS else shape).extend(_varints(kind, part))
    joined = np.concatenate(values) if values else np.zeros(0)
    if any(number >= 2**31 for number in (*keys, *shape)) or (keys and len(keys) != len(joined)):
        raise BrokenError("keys or shape that do not fit the values")
    sparse = bool(keys) or (not len(joined) and bool(shape))
    return Tensor(joined, np.array(keys, np.int64) if sparse else None, shape[-1] if shape else None)


def fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Field number, wire type and raw value of each field of a protobuf message."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        field, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = varint(message, at)
            yield field, kind, value
            continue
        if kind not in (FIXED64, BYTES, FIXED32):
            raise BrokenError(f"wire type {kind}")
        size = {FIXED64: 8, FIXED32: 4}.get(kind)
        if size is None:
            size, at = varint(message, at)
        if at + size > len(message):
            raise BrokenError(f"a field of {size} bytes where {len(message) - at} are left")
        yield field, kind, message[at : at + size]
        at += size


def varint(message: bytes, at: int) -> tuple[int, int]:
    """A base-128 number at `at`, and where the next byte is."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise BrokenError("a number cut off")
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise BrokenError("a number of more than ten bytes")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise BrokenError("a number where bytes are expected")
    return value


def _varints(kind: int, part: int | bytes) -> list[int]:
    """Packed, or one unpacked."""
    if kind == VARINT and isinstance(part, int):
        return [part]
    found, at, packed = [], 0, _bytes(part)
    while at < len(packed):
        number, at = varint(packed, at)
        found.append(number)
    return found


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def write(labels: Iterable[Mapping[str, Sequence[float]]]) -> bytes:
    """Records whose label map holds the given numbers as float32 tensors."""
    return b"".join(framed(b"".join(_entry(name, values) for name, values in label.items())) for label in labels)


def framed(record: bytes) -> bytes:
    return HEAD.pack(MAGIC, len(record)) + record + bytes(-len(record) % 4)


def _entry(name: str, values: Sequence[float]) -> bytes:
    tensor = _field(VALUES, struct.pack(f"<{len(values)}f", *values))
    return _field(LABEL, _field(MAP_KEY, name.encode()) + _field(MAP_VALUE, _field(2, tensor)))


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | BYTES) + _number(len(content)) + content


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
