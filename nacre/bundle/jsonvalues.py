"""Attribute values in JSON bundles: {"tag": value, "type": …, "shape": …} to :class:`Value` and back.

What proto3's JSON cannot hold is kept beside the value. A default scalar is dropped by the format (so -0.0 would
come back as 0.0) and NaN and both infinities become null; :func:`lost` lists what a value loses on that way and
:func:`restore` puts it back. The list travels as one more attribute, ``nacre.exact.<name>``, which MLeap ignores.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from nacre.bundle.values import NUMBER_TAGS, Shape, Value
from nacre.errors import BundleError

TAGS = (
    "boolean", "int", "long", "short", "byte", "float", "double", "string", "byte_string",
    "tensor", "basic_type", "data_shape", "model",
)  # fmt: skip
_DEFAULTS = (False, 0, 0.0, "", b"")


def decode(obj: Any) -> Value:
    """A JSON object to a Value. Raises BundleError with expected and got, without a place."""
    if not isinstance(obj, dict):
        raise BundleError("malformed attribute", expected="an object", got=obj)
    form = obj.get("type", "scalar")
    if form not in ("scalar", "list", "tensor"):
        raise BundleError("malformed attribute", expected='"type" of list or tensor', got=form)
    tag = next((key for key in TAGS if key in obj), None)
    if form == "scalar":
        return Value("scalar", tag, None if tag is None else _item(obj[tag], tag))
    data = [] if tag is None else obj[tag]
    if not isinstance(data, list):
        raise BundleError("malformed attribute", expected="an array", got=data)
    if form == "list":
        return Value("list", tag, [_item(each, tag) for each in data])
    return Value("tensor", tag, data, _dims(obj.get("shape")))


def _item(data: Any, tag: str | None) -> Any:
    if tag == "data_shape":
        return _shape(data)
    if tag == "tensor":
        return decode({**data, "type": "tensor"}) if isinstance(data, dict) else data
    if tag == "byte_string" and isinstance(data, str):
        try:
            return base64.b64decode(data)
        except ValueError as error:
            raise BundleError("malformed attribute", expected="base64", got=data) from error
    return data


def _dims(shape: Any) -> tuple[int, ...] | None:
    if shape is None:
        return None
    listed = shape.get("dimensions", []) if isinstance(shape, dict) else [None]
    if not isinstance(listed, list):
        listed = [None]
    sizes = [each["size"] for each in listed if isinstance(each, dict) and _is_size(each.get("size"))]
    if len(sizes) != len(listed):
        raise BundleError("malformed tensor shape", expected='{"dimensions": [{"size": n, "name": ""}]}', got=shape)
    return tuple(sizes)


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and -1 <= size < 1 << 31


def _shape(data: Any) -> Shape:
    if not isinstance(data, dict) or data.get("base") not in ("scalar", "list", "tensor"):
        raise BundleError("malformed data shape", expected="base of scalar, list or tensor", got=data)
    return Shape(data["base"], bool(data.get("isNullable", True)), _dims(data.get("tensorShape")))


def encode(value: Value) -> dict[str, Any]:
    """A Value to its JSON object, defaults dropped as proto3 drops them."""
    if value.form == "scalar":
        if value.tag is None or (not isinstance(value.data, Shape) and value.data in _DEFAULTS):
            return {}
        return {value.tag: _plain(value.data)}
    assert value.tag is not None, "pack and decode give lists and tensors a tag"
    if value.form == "list":
        return {"type": "list", value.tag: [_plain(each) for each in value.data]} if value.data else {"type": "list"}
    return {"type": "tensor", value.tag: [_plain(each) for each in value.data], "shape": _dimensions(value.dims or ())}


def _dimensions(dims: tuple[int, ...]) -> dict[str, Any]:
    return {"dimensions": [{"size": size, "name": ""} for size in dims]}


def _plain(data: Any) -> Any:
    if isinstance(data, Shape):
        shape: dict[str, Any] = {"base": data.base, "isNullable": data.nullable}
        if data.dims is not None:
            shape["tensorShape"] = _dimensions(data.dims)
        return shape
    if isinstance(data, Value):
        return {key: item for key, item in encode(data).items() if key != "type"}
    if isinstance(data, bytes):
        return base64.b64encode(data).decode()
    return None if isinstance(data, float) and not math.isfinite(data) else data


def lost(value: Value) -> str | None:
    """What JSON would lose of a value, as the text of its ``nacre.exact.`` attribute; None when nothing is lost.

    The text is a JSON array of [position, "inf" | "-inf" | "-0.0"]; a scalar's position is 0. NaN is not listed:
    null already reads as NaN.
    """
    if value.tag not in NUMBER_TAGS:
        return None
    items = [value.data] if value.form == "scalar" else value.data
    found = [[i, repr(x)] for i, x in enumerate(items) if isinstance(x, float) and _is_lost(x, value.form)]
    return json.dumps(found) if found else None


def _is_lost(x: float, form: str) -> bool:
    return math.isinf(x) or (form == "scalar" and x == 0.0 and math.copysign(1.0, x) < 0)


def restore(value: Value, text: str) -> Value:
    """Undo :func:`lost`. Raises BundleError on a text it did not write."""
    try:
        patches = [(int(i), {"inf": math.inf, "-inf": -math.inf, "-0.0": -0.0}[word]) for i, word in json.loads(text)]
        items = [value.data] if value.form == "scalar" else list(value.data)
        for i, number in patches:
            if i < 0:
                raise IndexError(i)
            items[i] = number
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise BundleError("malformed nacre.exact attribute", expected='[[position, "inf"]]', got=text) from error
    tag = value.tag or "double"
    return Value(value.form, tag, items[0] if value.form == "scalar" else items, value.dims)
