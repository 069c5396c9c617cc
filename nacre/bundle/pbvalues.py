"""Models, nodes and attribute values of protobuf bundles to :class:`Value` and back.

One table gives the field numbers of scalars and lists alike. Nothing is lost here: infinities, NaN and -0.0 are
written as they are, and the one thing proto3 drops, a default scalar, comes back as the zero of its kind.
"""

from __future__ import annotations

import struct
from typing import Any

from nacre.bundle import wire
from nacre.bundle.exact import restored
from nacre.bundle.generations import BASIC_TYPES, NEWEST, Generation
from nacre.bundle.jsonvalues import DEPTH
from nacre.bundle.node import Port
from nacre.bundle.values import RANK, Shape, SubModel, Value, float32, integer
from nacre.bundle.wire import BYTES, FIXED32, FIXED64, VARINT, Field
from nacre.errors import BundleError

FIELDS = {
    1: ("boolean", VARINT), 2: ("string", BYTES), 3: ("int", VARINT), 4: ("long", VARINT), 5: ("float", FIXED32),
    6: ("double", FIXED64), 7: ("byte_string", BYTES), 8: ("tensor", BYTES), 9: ("basic_type", VARINT),
    10: ("data_shape", BYTES), 11: ("model", BYTES),
}  # fmt: skip
"""Field number in Scalar and List -> tag and wire type."""
NUMBERS = {tag: (number, kind) for number, (tag, kind) in FIELDS.items()}
NUMBERS |= {"byte": NUMBERS["int"], "short": NUMBERS["int"]}
FORMS = {1: "scalar", 2: "list", 3: "tensor"}
BASES = ("scalar", "list", "tensor")
_CODES = {"byte": "b", "short": "h", "int": "i", "long": "q", "float": "f", "double": "d"}
_NUMBER_OF = {name: number for number, name in BASIC_TYPES.items()}


def read_model(content: bytes) -> tuple[str, dict[str, bytes]]:
    """The op of a model and its attributes, unread."""
    op, attributes = "", dict[str, bytes]()
    for field in wire.fields(content):
        if field[0] == 1:
            op = wire.text(field)
        elif field[0] == 2:
            for entry in wire.fields(wire.raw(field)):
                if entry[0] == 1:
                    name, value = _entry(wire.raw(entry))
                    if name in attributes:
                        raise BundleError("an attribute stands twice", expected="each once", got=name, field=name)
                    attributes[name] = value
    if not op:
        raise BundleError("model without an op", expected="op, a text", got=op)
    return op, attributes


def _entry(content: bytes) -> tuple[str, bytes]:
    name, value = "", b""
    for field in wire.fields(content):
        if field[0] == 1:
            name = wire.text(field)
        elif field[0] == 2:
            value = wire.raw(field)
    return name, value


def decode(content: bytes, generation: Generation = NEWEST, depth: int = 0) -> Value:
    """A Value message. Raises BundleError with expected and got, without a place."""
    if depth > DEPTH:
        raise BundleError("values nested too deep", expected=f"at most {DEPTH} in each other", got="more")
    found = [field for field in wire.fields(content) if field[0] in FORMS]
    if not found:
        return Value("scalar", None, None)
    if len(found) > 1:
        raise BundleError("malformed attribute", expected="a scalar, a list or a tensor", got="several of them")
    form, inner = FORMS[found[0][0]], wire.raw(found[0])
    return _tensor(inner, generation) if form == "tensor" else _items(form, inner, generation, depth)


def _items(form: str, content: bytes, generation: Generation, depth: int) -> Value:
    """Scalar and List: the one field that is there says the tag; without any, the op decides."""
    found = [field for field in wire.fields(content) if field[0] in FIELDS]
    if not found:
        return Value(form, None, None if form == "scalar" else [])
    numbers = {field[0] for field in found}
    if len(numbers) > 1:
        tags = sorted(FIELDS[number][0] for number in numbers)
        raise BundleError("malformed attribute", expected="items of one kind", got=" and ".join(tags))
    tag, kind = FIELDS[found[0][0]]
    if form == "scalar" and kind != BYTES and found[-1][1] == BYTES:
        raise BundleError("malformed attribute", expected=f"one {tag}", got="a packed list")
    if form == "scalar":
        found = found[-1:]
    items = _simple(tag, found, generation) if kind != BYTES else [_message(tag, f, generation, depth) for f in found]
    return Value(form, tag, items[0] if form == "scalar" else items)


def _simple(tag: str, found: list[Field], generation: Generation) -> list[Any]:
    numbers: list[Any] = wire.numbers(found, FIELDS[found[0][0]][1])
    if tag == "boolean":
        return [number != 0 for number in numbers]
    if tag == "int":
        return [wire.int32(number) for number in numbers]
    if tag == "long":
        return [wire.int64(number) for number in numbers]
    if tag == "basic_type":
        return [_typed(_basic_type(wire.int32(number), generation)) for number in numbers]
    return numbers


def _typed(basic: str) -> str:
    """The type, where one has to be named: what proto3 would drop says nothing."""
    if basic == "unknown":
        raise BundleError("unknown basic type", expected="the type of a value", got=basic)
    return basic


def _basic_type(number: int, generation: Generation) -> str:
    if number not in generation.basic_types:
        known = ", ".join(map(str, generation.basic_types))
        raise BundleError("unknown basic type", expected=f"one of {known}", got=number)
    return generation.basic_types[number]


def _message(tag: str, field: Field, generation: Generation, depth: int) -> Any:
    if tag == "string":
        return wire.text(field)
    content = wire.raw(field)
    if tag == "tensor":
        return _tensor(content, generation)
    if tag == "data_shape":
        return _shape(content)
    if tag == "model":
        op, attributes = read_model(content)
        return SubModel(op, restored({n: decode(each, generation, depth + 1) for n, each in attributes.items()}))
    return content


def _shape(content: bytes) -> Shape:
    base, nullable, dims = 0, False, None
    for field in wire.fields(content):
        if field[0] == 1:
            base = wire.int32(wire.whole(field))
        elif field[0] == 2:
            nullable = wire.whole(field) != 0
        elif field[0] == 3:
            dims = _dims(wire.raw(field))
    if not 0 <= base < len(BASES):
        raise BundleError("malformed data shape", expected="base of scalar, list or tensor", got=base)
    return Shape(BASES[base], nullable, dims)


def _dims(content: bytes) -> tuple[int, ...]:
    sizes = []
    for field in wire.fields(content):
        if field[0] == 1:
            given = [wire.int32(wire.whole(each)) for each in wire.fields(wire.raw(field)) if each[0] == 1]
            sizes.append(given[-1] if given else 0)
            if sizes[-1] < -1 or len(sizes) > RANK:
                expected = f"at most {RANK} sizes of 0 or more, or one -1"
                raise BundleError(
                    "malformed tensor shape", expected=expected, got=f"{sizes[-1]} as number {len(sizes)}"
                )
    return tuple(sizes)


def _tensor(content: bytes, generation: Generation) -> Value:
    base, dims, data = 0, None, b""
    for field in wire.fields(content):
        if field[0] == 1:
            base = wire.int32(wire.whole(field))
        elif field[0] == 2:
            dims = _dims(wire.raw(field))
        elif field[0] == 3:
            data = wire.raw(field)
    tag = _basic_type(base, generation)
    if tag == "unknown" and not data:
        return Value("tensor", None, [], dims)
    return Value("tensor", tag, _big_endian(data, tag), dims)


def _big_endian(data: bytes, tag: str) -> list[Any]:
    """The values of a tensor: big-endian, one behind the other; texts with their length before them."""
    if tag == "boolean":
        return [byte != 0 for byte in data]
    if tag in ("string", "byte_string"):
        return _strings(data, tag)
    size = struct.calcsize(f">{_CODES[tag]}") if tag in _CODES else 0
    if not size or len(data) % size:
        expected = f"{size} bytes for each {tag}" if size else "a basic type"
        raise BundleError("malformed tensor", expected=expected, got=f"{len(data)} bytes of {tag}")
    return list(struct.unpack(f">{len(data) // size}{_CODES[tag]}", data))


def _strings(data: bytes, tag: str) -> list[Any]:
    found: list[Any] = []
    at = 0
    while at < len(data):
        size = struct.unpack_from(">i", data, at)[0] if len(data) - at >= 4 else -1
        at += 4
        if not 0 <= size <= len(data) - at:
            raise BundleError("malformed tensor", expected="texts, each after its length", got=f"a length of {size}")
        part = data[at : at + size]
        found.append(wire.text((3, BYTES, part)) if tag == "string" else part)
        at += size
    return found


def read_node(content: bytes) -> tuple[str, list[Port], list[Port]]:
    """Name, inputs and outputs of a node."""
    name, sides = "", {1: list[Port](), 2: list[Port]()}
    for field in wire.fields(content):
        if field[0] == 1:
            name = wire.text(field)
        elif field[0] == 2:
            for socket in wire.fields(wire.raw(field)):
                if socket[0] in sides:
                    sides[socket[0]].append(_socket(wire.raw(socket)))
    return name, sides[1], sides[2]


def _socket(content: bytes) -> Port:
    port = name = ""
    for field in wire.fields(content):
        if field[0] == 1:
            port = wire.text(field)
        elif field[0] == 2:
            name = wire.text(field)
    return port, name


# Writing


def model(op: str, attributes: dict[str, Value]) -> bytes:
    """A Model message. An error names the attribute as the field."""
    entries = b"".join(wire.chunk(1, _named(name, value)) for name, value in attributes.items())
    return wire.string(1, op) + wire.chunk(2, entries)


def _named(name: str, value: Value) -> bytes:
    try:
        return wire.string(1, name) + wire.chunk(2, encode(value))
    except BundleError as error:
        raise error.at(field=name) from error.__cause__


def node(name: str, inputs: list[Port], outputs: list[Port]) -> bytes:
    sockets = [(side, port) for side, ports in ((1, inputs), (2, outputs)) for port in ports]
    shape = b"".join(wire.chunk(side, wire.string(1, port) + wire.string(2, name)) for side, (port, name) in sockets)
    return wire.string(1, name) + wire.chunk(2, shape)


def encode(value: Value) -> bytes:
    """A Value message; a default scalar and an empty list are there, and empty."""
    if value.form == "tensor":
        return wire.chunk(3, _write_tensor(value))
    if value.tag is None or (value.form == "list" and not value.data):
        return wire.chunk(1 if value.form == "scalar" else 2, b"")
    number, kind = NUMBERS[value.tag]
    if value.form == "scalar":
        return wire.chunk(1, _write_scalar(number, kind, value.tag, value.data))
    if kind == BYTES:
        return wire.chunk(2, b"".join(wire.chunk(number, _write_message(value.tag, each)) for each in value.data))
    items = [_write_number(value.tag, each) for each in value.data]
    packed = (
        b"".join(wire.varint(item) for item in items)
        if kind == VARINT
        else struct.pack(f"<{len(items)}{'d' if kind == FIXED64 else 'f'}", *items)
    )
    return wire.chunk(2, wire.chunk(number, packed))


def _write_scalar(number: int, kind: int, tag: str, data: Any) -> bytes:
    if kind == BYTES:
        content = _write_message(tag, data)
        return wire.chunk(number, content) if content or tag not in ("string", "byte_string") else b""
    item = _write_number(tag, data)
    if kind == VARINT:
        return wire.number(number, item)
    return wire.fixed64(number, item) if kind == FIXED64 else wire.fixed32(number, item)


def _write_number(tag: str, data: Any) -> Any:
    """The number that stands in the file for an item. A NaN that came from JSON is None."""
    if tag == "boolean" and isinstance(data, bool):
        return int(data)
    if tag == "basic_type" and data in _NUMBER_OF:
        return _NUMBER_OF[data]
    if tag in ("double", "float"):
        if data is None:
            return float("nan")
        if isinstance(data, (int, float)) and not isinstance(data, bool):
            return float32(_widened(data)) if tag == "float" else _widened(data)
    elif tag in ("int", "long", "byte", "short"):
        return integer(data, tag)
    raise BundleError("attribute of another kind", expected=tag, got=data)


def _widened(data: float) -> float:
    try:
        return float(data)
    except OverflowError:
        raise BundleError("number out of range", expected="double", got=data) from None


def _write_message(tag: str, data: Any) -> bytes:
    if tag == "string" and isinstance(data, str):
        return wire.utf8(data)
    if tag == "byte_string" and isinstance(data, bytes):
        return data
    if tag == "tensor" and isinstance(data, Value):
        return _write_tensor(data)
    if tag == "model" and isinstance(data, SubModel):
        return model(data.op, data.attributes)
    if tag == "data_shape" and isinstance(data, Shape):
        dims = wire.chunk(3, _write_dims(data.dims)) if data.dims is not None else b""
        return wire.number(1, BASES.index(data.base)) + wire.number(2, int(data.nullable)) + dims
    raise BundleError("attribute of another kind", expected=tag, got=data)


def _write_dims(dims: tuple[int, ...]) -> bytes:
    return b"".join(wire.chunk(1, wire.number(1, size)) for size in dims)


def _write_tensor(value: Value) -> bytes:
    tag = value.tag or "double"
    dims = value.dims if value.dims is not None else (len(value.data),)
    if tag == "boolean":
        content = bytes(_write_number(tag, each) for each in value.data)
    elif tag in ("string", "byte_string"):
        texts = [_write_message(tag, each) for each in value.data]
        content = b"".join(struct.pack(">i", len(each)) + each for each in texts)
    elif tag in _CODES:
        items = [_write_number(tag, each) for each in value.data]
        content = struct.pack(f">{len(items)}{_CODES[tag]}", *items)
    else:
        raise BundleError("malformed tensor", expected="a basic type", got=tag)
    return wire.number(1, _NUMBER_OF[tag]) + wire.chunk(2, _write_dims(dims)) + wire.chunk(3, content)
