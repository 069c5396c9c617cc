"""Attribute values of Bundle.ML: what stands in a model file, and the Python value an attribute's kind makes of it.

Two layers. A :class:`Value` is what a file holds, format-neutral and unjudged: kind, tag, data, dimensions.
:func:`unpack` turns it into Python by the kind that a Stage's attribute table declares, leniently about tags
(other writers differ) and strictly about everything else; :func:`pack` is its inverse, strict about tags (MLeap's
JVM reads exactly one).

Kinds: ``boolean int long float double string byte_string basic_type shape model``, ``list<kind>``, and ``tensor`` (of
double) or ``tensor<float>`` and so on. A tensor unpacks to a :class:`Tensor`, a model to a :class:`SubModel`.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

from nacre.errors import BundleError

INTEGER_TAGS = ("int", "long", "short", "byte")
NUMBER_TAGS = (*INTEGER_TAGS, "float", "double")
RANK = 64
"""Dimensions of a tensor at most. MLeap's ops have one or two; the product of a million would take minutes."""
ZERO: dict[str, Any] = {
    "boolean": False, "int": 0, "long": 0, "float": 0.0, "double": 0.0, "string": "", "byte_string": b"",
    "basic_type": "boolean",
}  # fmt: skip
RANGE = {"byte": 1 << 7, "short": 1 << 15, "int": 1 << 31, "long": 1 << 63}
"""Numbers of a tag are at least minus this, and less than it."""


@dataclass(frozen=True, slots=True)
class Value:
    """One attribute as a file holds it. `form` is scalar, list or tensor; `tag` None where proto3 dropped a default."""

    form: str
    tag: str | None
    data: Any
    dims: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tensor:
    """Flat numbers and their dimensions. Two-dimensional ones written from Spark are column-major."""

    values: list[Any]
    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A data shape: scalar, list or tensor (`dims` None when unknown)."""

    base: str = "scalar"
    nullable: bool = True
    dims: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class SubModel:
    """A model inside an attribute: an op and its raw attributes, with neither name nor ports."""

    op: str
    attributes: dict[str, Value] = field(default_factory=dict)


_PLAIN: dict[str, type] = {
    "boolean": bool, "string": str, "byte_string": bytes, "basic_type": str, "shape": Shape, "model": SubModel,
}  # fmt: skip


def unpack(value: Value, kind: str) -> Any:
    """The Python value of an attribute of the given kind. Raises BundleError with expected and got, without a place."""
    if kind.startswith("list<"):
        item = kind[5:-1]
        if value.form != "list":
            raise _wrong(kind, value)
        return [_scalar(each, item, value) for each in value.data]
    if kind.startswith("tensor"):
        return _tensor(value, kind)
    if value.form != "scalar" or (value.tag is None and kind == "model"):
        raise _wrong(kind, value)
    if value.tag is None:
        return Shape() if kind == "shape" else ZERO[kind]
    return _scalar(value.data, kind, value)


def _wrong(kind: str, value: Value) -> BundleError:
    return BundleError("attribute of another kind", expected=kind, got=f"{value.form} of {value.tag or 'nothing'}")


def _scalar(data: Any, kind: str, value: Value) -> Any:
    """One item of a list, or a scalar. JSON's null is how Bundle.ML writes NaN and the infinities."""
    if kind in ("double", "float"):
        if data is None:
            return math.nan
        if isinstance(data, (int, float)) and not isinstance(data, bool):
            return _float(data) if kind == "double" else float32(_float(data))
    elif kind in RANGE:
        return integer(data, kind)
    elif kind in _PLAIN and isinstance(data, _PLAIN[kind]):
        return data
    elif kind.startswith("tensor") and isinstance(data, Value):
        return _tensor(data, kind)
    raise BundleError("attribute of another kind", expected=kind, got=data if data is not None else value.tag)


def integer(data: Any, kind: str) -> int:
    """A whole number in the range of its kind, whichever way it was written."""
    if isinstance(data, bool) or not isinstance(data, (int, float)) or data != data // 1:
        raise BundleError("attribute of another kind", expected=kind, got=data)
    if -RANGE[kind] <= data < RANGE[kind]:
        return int(data)
    raise BundleError("number out of range", expected=kind, got=data)


def _float(data: float) -> float:
    try:
        return float(data)
    except OverflowError:
        raise BundleError("number out of range", expected="double", got=data) from None


def float32(x: float) -> float:
    """The nearest float32, as a double. Some writers give its shortest digits, others all digits of the double."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def _tensor(value: Value, kind: str) -> Tensor:
    if value.form != "tensor":
        raise _wrong(kind, value)
    item = kind[7:-1] or "double"
    numbers = [_scalar(each, item, value) for each in value.data]
    dims = value.dims if value.dims is not None else (len(numbers),)
    product = math.prod(dims)
    if product < 0 and dims.count(-1) == 1 and product and len(numbers) % -product == 0:
        dims = tuple(len(numbers) // -product if size == -1 else size for size in dims)
        product = len(numbers)
    if any(size < 0 for size in dims) or product != len(numbers):
        raise BundleError("tensor of another size", expected=f"{list(dims)} values", got=f"{len(numbers)} values")
    return Tensor(numbers, dims)


def pack(value: Any, kind: str) -> Value:
    """A Python value as the Value of an attribute of the given kind, under the tag MLeap reads."""
    if kind.startswith("list<"):
        item = kind[5:-1]
        if item.startswith("tensor"):
            return Value("list", "tensor", [pack(each, item) for each in value])
        return Value("list", _tag(item), [_coerced(each, item) for each in value])
    if kind.startswith("tensor"):
        tensor = value if isinstance(value, Tensor) else Tensor(list(value), (len(value),))
        item = kind[7:-1] or "double"
        return Value("tensor", item, [_coerced(each, item) for each in tensor.values], tensor.dims)
    return Value("scalar", _tag(kind), _coerced(value, kind))


def _tag(kind: str) -> str:
    return "data_shape" if kind == "shape" else kind


def _coerced(value: Any, kind: str) -> Any:
    if kind == "double":
        return float(value)
    if kind == "float":
        return float32(float(value))
    if kind in RANGE:
        return int(value)
    return value
