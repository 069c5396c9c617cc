"""Models, nodes and attribute values of JSON bundles: {"tag": value, "type": …, "shape": …} to :class:`Value` and back.

What JSON cannot hold travels in notes beside the values: see `nacre.bundle.exact`.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from nacre.bundle.exact import noted, restored
from nacre.bundle.generations import BASIC_TYPES, NEWEST, Generation
from nacre.bundle.values import RANK, Shape, SubModel, Value
from nacre.errors import BundleError

TAGS = (
    "boolean", "int", "long", "short", "byte", "float", "double", "string", "byte_string",
    "tensor", "basic_type", "data_shape", "model",
)  # fmt: skip
DEPTH = 32
"""Models in models, and tensors in values, below an attribute."""
_TYPE_NAMES = tuple(BASIC_TYPES.values())
_DEFAULTS = (False, 0, 0.0, "", b"")


def load(content: bytes) -> Any:
    """JSON in which no object names a thing twice: readers differ in which of the two they take."""
    return json.loads(content, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BundleError("a name stands twice in an object", expected="each once", got=twice)
    return found


def decode(obj: Any, generation: Generation = NEWEST, depth: int = 0) -> Value:
    """A JSON object to a Value. Raises BundleError with expected and got, without a place."""
    if depth > DEPTH:
        raise BundleError("values nested too deep", expected=f"at most {DEPTH} in each other", got="more")
    if not isinstance(obj, dict):
        raise BundleError("malformed attribute", expected="an object", got=obj)
    form = obj.get("type", "scalar")
    if form not in ("scalar", "list", "tensor"):
        raise BundleError("malformed attribute", expected='"type" of list or tensor', got=form)
    tags = [key for key in TAGS if key in obj]
    if len(tags) > 1:
        raise BundleError("malformed attribute", expected="items of one kind", got=" and ".join(tags))
    tag = tags[0] if tags else None
    if form == "scalar":
        return Value("scalar", tag, None if tag is None else _item(obj[tag], tag, generation, depth))
    data = [] if tag is None else obj[tag]
    if not isinstance(data, list):
        raise BundleError("malformed attribute", expected="an array", got=data)
    if form == "list":
        if tag == "byte_string" and generation.types_as_bytes and all(each in _TYPE_NAMES for each in data):
            return Value("list", "basic_type", data)
        return Value("list", tag, [_item(each, tag, generation, depth) for each in data])
    items = [_bytes(each) for each in data] if tag == "byte_string" else data
    return Value("tensor", tag, items, _dims(obj.get("shape")))


def _item(data: Any, tag: str | None, generation: Generation, depth: int) -> Any:
    if tag == "data_shape":
        return _shape(data)
    if tag == "tensor":
        return decode({**data, "type": "tensor"}, generation, depth + 1) if isinstance(data, dict) else data
    if tag == "model":
        return _submodel(data, generation, depth + 1)
    return _bytes(data) if tag == "byte_string" else data


def _bytes(data: Any) -> bytes:
    try:
        return base64.b64decode(data)
    except (ValueError, TypeError) as error:
        raise BundleError("malformed attribute", expected="base64", got=data) from error


def _submodel(data: Any, generation: Generation, depth: int) -> SubModel:
    op, attributes = parts(data)
    return SubModel(op, restored({name: decode(obj, generation, depth) for name, obj in attributes.items()}))


def parts(model: Any) -> tuple[str, dict[str, Any]]:
    """The op of a model and its attributes, unread."""
    op = model.get("op") if isinstance(model, dict) else None
    if not isinstance(op, str) or not op:
        raise BundleError("model without an op", expected="op, a text", got=op)
    attributes = model.get("attributes", {})
    if not isinstance(attributes, dict):
        raise BundleError("attributes must be an object", expected="{name: value}", got=attributes)
    return op, attributes


def _dims(shape: Any) -> tuple[int, ...] | None:
    if shape is None:
        return None
    listed = shape.get("dimensions", []) if isinstance(shape, dict) else [None]
    if not isinstance(listed, list):
        listed = [None]
    sizes = [each["size"] for each in listed if isinstance(each, dict) and _is_size(each.get("size"))]
    if len(sizes) != len(listed) or len(sizes) > RANK:
        raise BundleError("malformed tensor shape", expected='{"dimensions": [{"size": n, "name": ""}]}', got=shape)
    return tuple(sizes)


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and -1 <= size < 1 << 31


def _shape(data: Any) -> Shape:
    if not isinstance(data, dict) or data.get("base") not in ("scalar", "list", "tensor"):
        raise BundleError("malformed data shape", expected="base of scalar, list or tensor", got=data)
    return Shape(data["base"], bool(data.get("isNullable", True)), _dims(data.get("tensorShape")))


# Writing


def encode(value: Value) -> dict[str, Any]:
    """A Value to its JSON object, defaults dropped as proto3 drops them."""
    if value.form == "scalar":
        if value.tag is None or (isinstance(value.data, (int, float, str, bytes)) and value.data in _DEFAULTS):
            return {}
        return {_tag(value): _plain(value.data)}
    if value.form == "list":
        return {"type": "list", _tag(value): [_plain(each) for each in value.data]} if value.data else {"type": "list"}
    dims = value.dims if value.dims is not None else (len(value.data),)
    return {"type": "tensor", value.tag or "double": [_plain(each) for each in value.data], "shape": _dimensions(dims)}


def _tag(value: Value) -> str:
    """Bytes and shorts stand under int, but in tensors."""
    return "int" if value.tag in ("byte", "short") else str(value.tag)


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
    if isinstance(data, SubModel):
        return model(data.op, data.attributes)
    if isinstance(data, bytes):
        return base64.b64encode(data).decode()
    return None if isinstance(data, float) and not math.isfinite(data) else data


def model(op: str, attributes: dict[str, Value]) -> dict[str, Any]:
    """A model as JSON, with the notes its values need."""
    return {"op": op, "attributes": {name: encode(value) for name, value in noted(attributes).items()}}


def dump(content: Any) -> bytes:
    """JSON as UTF-8, without NaN and infinity, which are none; half a surrogate pair escaped, for UTF-8 has none."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
