"""Attribute values of every kind, through both formats, bit for bit; and what other writers make of them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.bundle import pbvalues, wire
from nacre.bundle.exact import noted, restored
from nacre.bundle.formats import FORMATS
from nacre.bundle.generations import BASIC_TYPES, NEWEST, OLD_BASIC_TYPES, generation
from nacre.bundle.jsonvalues import decode, encode
from nacre.bundle.values import Shape, SubModel, Tensor, Value, float32, pack, unpack
from nacre.errors import BundleError
from tests import contents
from tests.bundles import bits
from tests.test_plan import PLANS

numbers = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan]))
words = st.text(st.characters(codec="utf-8"))
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "int": st.integers(-(1 << 31), (1 << 31) - 1),
    "long": st.integers(-(1 << 63), (1 << 63) - 1),
    "float": numbers.map(float32),
    "double": numbers,
    "string": words,
    "byte_string": st.binary(),
    "basic_type": st.sampled_from([name for name in BASIC_TYPES.values() if name != "unknown"]),
    "shape": st.builds(
        Shape, st.sampled_from(pbvalues.BASES), st.booleans(), st.none() | st.lists(st.integers(0, 9)).map(tuple)
    ),
}
IN_TENSORS = {**SCALARS, "byte": st.integers(-128, 127), "short": st.integers(-(1 << 15), (1 << 15) - 1)}
del IN_TENSORS["basic_type"], IN_TENSORS["shape"]


def tensor(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Tensor]:
    return st.lists(items, max_size=6).flatmap(
        lambda each: st.sampled_from(
            [Tensor(each, dims) for dims in ((len(each),), (len(each), 1), (2, len(each) // 2)) if math.prod(dims) == len(each)]
        )
    )  # fmt: skip


KINDS = SCALARS | {"tensor": tensor(numbers)}
KINDS |= {f"tensor<{item}>": tensor(each) for item, each in IN_TENSORS.items()}
attributes = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda name: not name.startswith("nacre.")),
    st.sampled_from(["int", "double", "string", "tensor", "shape"]).flatmap(
        lambda kind: KINDS[kind].map(lambda each: pack(each, kind))
    ),
    max_size=3,
)
flat = st.builds(SubModel, st.sampled_from(["op", "a b"]), attributes)
KINDS["model"] = flat | st.builds(
    lambda inner, more: SubModel("outer", {**more, "inner": pack(inner, "model")}), flat, attributes
)
KINDS |= {f"list<{kind}>": st.lists(each, max_size=4) for kind, each in list(KINDS.items())}


def plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return "tensor", bits(value.values), value.dims
    if isinstance(value, SubModel):
        return value.op, contents.attributes(value.attributes)
    return [plain(each) for each in value] if isinstance(value, list) else bits(value)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
@settings(PLANS, max_examples=40)
@given(data=st.data())
def test_values_survive(form: str, kind: str, data: st.DataObject) -> None:
    """With what `nacre.exact` carries beside them in JSON."""
    value = data.draw(KINDS[kind])
    written = FORMATS[form].write_model("op", {"x": pack(value, kind)})
    op, unread = FORMATS[form].model(written)
    read = restored({name: FORMATS[form].value(each, NEWEST) for name, each in unread.items()})
    assert (op, list(read)) == ("op", ["x"])
    assert plain(unpack(read["x"], kind)) == plain(value)
    assert form == "json" or list(unread) == ["x"], "protobuf needs no notes"


@settings(PLANS, max_examples=100)
@given(data=st.data())
def test_from_one_format_to_the_other(data: st.DataObject) -> None:
    """What is read is written again without knowing what any op makes of it."""
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    held = {"x": pack(data.draw(KINDS[kind]), kind)}
    for chain in (("json", "protobuf", "json"), ("protobuf", "json", "protobuf")):
        again = held
        for form in chain:
            _, unread = FORMATS[form].model(FORMATS[form].write_model("op", again))
            again = restored({name: FORMATS[form].value(each, NEWEST) for name, each in unread.items()})
        assert contents.attributes(again) == contents.attributes(held)


def test_any_numeric_tag_is_read() -> None:
    """Other writers tag differently: scikit-learn's exporter writes doubles as long."""
    assert unpack(decode({"long": 3}), "double") == 3.0
    assert unpack(decode({"double": 3.0}), "int") == 3
    assert unpack(decode({"float": 0.10000000149011612}), "float") == 0.10000000149011612
    assert unpack(decode({"float": 0.1}), "float") == 0.10000000149011612, "0.25 prints the shortest digits"
    assert unpack(decode({"float": 1e300}), "float") == math.inf
    assert unpack(decode({"type": "list", "int": [1, 2]}), "list<double>") == [1.0, 2.0]
    assert unpack(decode({"type": "list"}), "list<string>") == []
    assert unpack(decode({}), "string") == ""
    assert math.isnan(unpack(decode({"double": None}), "double"))
    assert unpack(decode({"type": "tensor", "double": [1, 2]}), "tensor") == Tensor([1.0, 2.0], (2,))
    shape = {"dimensions": [{"size": -1, "name": ""}, {"size": 2, "name": ""}]}
    assert unpack(decode({"type": "tensor", "double": [1, 2, 3, 4], "shape": shape}), "tensor").dims == (2, 2)


def test_bytes_and_shorts_stand_under_int() -> None:
    for tag in ("byte", "short"):
        assert encode(Value("scalar", tag, 3)) == {"int": 3}
        assert encode(Value("list", tag, [3])) == {"type": "list", "int": [3]}
        assert pbvalues.decode(pbvalues.encode(Value("list", tag, [3, -3]))) == Value("list", "int", [3, -3])


# Protobuf, byte by byte, as MLeap writes it


def scalar(content: bytes) -> bytes:
    return wire.chunk(1, content)


def listed(content: bytes) -> bytes:
    return wire.chunk(2, content)


PB = [
    (scalar(b""), Value("scalar", None, None)),
    (listed(b""), Value("list", None, [])),
    (b"", Value("scalar", None, None)),
    (scalar(bytes([0x08, 1])), Value("scalar", "boolean", True)),
    (scalar(bytes([0x12, 1, 0x4D])), Value("scalar", "string", "M")),
    (scalar(b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Value("scalar", "int", -1)),
    (scalar(b"\x18\xff\xff\xff\xff\x0f"), Value("scalar", "int", -1)),
    (scalar(b"\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Value("scalar", "long", -1)),
    (scalar(b"\x2d\x00\x00\x00\x3f"), Value("scalar", "float", 0.5)),
    (scalar(b"\x31\x00\x00\x00\x00\x00\x00\xe0\x3f"), Value("scalar", "double", 0.5)),
    (scalar(b"\x48\x07"), Value("scalar", "basic_type", "double")),
    (scalar(b"\x48\x64"), Value("scalar", "basic_type", "string")),
    (scalar(b"\x52\x00"), Value("scalar", "data_shape", Shape("scalar", False))),
    (scalar(b"\x52\x0a\x08\x02\x10\x01\x1a\x04\x0a\x02\x08\x03"), Value("scalar", "data_shape", Shape("tensor", True, (3,)))),
    (scalar(b"\x52\x04\x08\x02\x1a\x00"), Value("scalar", "data_shape", Shape("tensor", False, ()))),
    (listed(b"\x1a\x03\x01\x02\x03"), Value("list", "int", [1, 2, 3])),
    (listed(b"\x18\x01\x18\x02\x1a\x01\x03"), Value("list", "int", [1, 2, 3])),
    (listed(b"\x0a\x02\x00\x01"), Value("list", "boolean", [False, True])),
    (listed(b"\x12\x01a\x12\x00"), Value("list", "string", ["a", ""])),
    (listed(b"\x4a\x02\x01\x64"), Value("list", "basic_type", ["boolean", "string"])),
    (listed(b"\x31" + b"\x00" * 8 + b"\x32\x08" + b"\x00" * 6 + b"\xe0\x3f"), Value("list", "double", [0.0, 0.5])),
    (listed(b"\x2a\x04\x00\x00\x00\x3f"), Value("list", "float", [0.5])),
    (wire.chunk(3, b"\x08\x07\x12\x04\x0a\x02\x08\x01\x1a\x08\x3f\xe0" + b"\x00" * 6), Value("tensor", "double", [0.5], (1,))),
    (wire.chunk(3, b"\x08\x04\x1a\x04\xff\xff\xff\xfe"), Value("tensor", "int", [-2])),
    (wire.chunk(3, b"\x08\x64\x1a\x0b\x00\x00\x00\x01a\x00\x00\x00\x02\xc3\xa9"), Value("tensor", "string", ["a", "é"])),
    (wire.chunk(3, b"\x08\x07\x12\x0d\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Value("tensor", "double", [], (-1,))),
    (b"\x7a\x03abc" + scalar(b"\x18\x05\x7a\x01x"), Value("scalar", "int", 5)),
]  # fmt: skip


@pytest.mark.parametrize(("content", "value"), PB, ids=lambda each: each.hex() if isinstance(each, bytes) else "")
def test_what_the_bytes_mean(content: bytes, value: Value) -> None:
    """Defaults left out, packed lists and plain ones, ten bytes for a negative number, fields that nobody knows."""
    assert pbvalues.decode(content) == value


GARBAGE = [
    (b"\x0a", "truncated varint"),
    (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "bytes where 0 are left"),
    (b"\x0a\x05abc", "5 bytes where 3 are left"),
    (b"\xff" * 11, "more than ten bytes"),
    (b"\x00\x01", "field number 0"),
    (b"\x0b\x0c", "wire type 3"),
    (b"\x0f", "wire type 7"),
    (b"\x09\x00", "8 bytes where 1 are left"),
    (b"\x08\x01", "expected bytes with a length"),
    (scalar(b"") + listed(b""), "several of them"),
    (scalar(b"\x12\x01a\x18\x01"), "int and string"),
    (scalar(b"\x12\x02\xff\xfe"), "not UTF-8"),
    (scalar(b"\x1a\x02\x01\x02"), "a packed list"),
    (scalar(b"\x31" + b"\x00" * 7), "8 bytes where 7 are left"),
    (scalar(b"\x35" + b"\x00" * 4), "expected 8 bytes"),
    (scalar(b"\x48\x63"), "unknown basic type"),
    (scalar(b"\x52\x02\x08\x03"), "base of scalar"),
    (scalar(b"\x5a\x00"), "model without an op"),
    (listed(b"\x32\x07" + b"\x00" * 7), "numbers of 8"),
    (listed(b"\x1a\x01\xff"), "truncated varint"),
    (wire.chunk(3, b"\x08\x07\x1a\x07" + b"\x00" * 7), "8 bytes for each double"),
    (wire.chunk(3, b"\x1a\x01\x00"), "expected a basic type"),
    (wire.chunk(3, b"\x08\x64\x1a\x04\x7f\xff\xff\xff"), "a length of 2147483647"),
    (wire.chunk(3, b"\x08\x64\x1a\x04\xff\xff\xff\xff"), "a length of -1"),
    (wire.chunk(3, b"\x08\x64\x1a\x02\x00\x00"), "a length of -1"),
    (wire.chunk(3, b"\x08\x07\x12\x0d\x0a\x0b\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "one -1"),
]


@pytest.mark.parametrize(("content", "said"), GARBAGE, ids=lambda each: each.hex() if isinstance(each, bytes) else "")
def test_garbage(content: bytes, said: str) -> None:
    with pytest.raises(BundleError) as caught:
        pbvalues.decode(content)
    assert said in str(caught.value)


def test_models_in_models_end_somewhere() -> None:
    """In both formats, long before the interpreter's stack does."""
    obj: Any = {"op": "leaf", "attributes": {}}
    content = wire.string(1, "leaf")
    for _ in range(100):
        obj = {"op": "op", "attributes": {"m": {"model": obj}}}
        entry = wire.string(1, "m") + wire.chunk(2, scalar(wire.chunk(11, content)))
        content = wire.string(1, "op") + wire.chunk(2, wire.chunk(1, entry))
    for form, written in (("json", json.dumps(obj).encode()), ("protobuf", content)):
        _, unread = FORMATS[form].model(written)
        with pytest.raises(BundleError, match="nested too deep"):
            FORMATS[form].value(unread["m"], NEWEST)


def test_dimensions_end_somewhere() -> None:
    """The product of a million sizes of two billion each is a number of thirty million bits."""
    many = wire.chunk(1, wire.number(1, (1 << 31) - 1)) * 100_000
    with pytest.raises(BundleError, match="at most 64 sizes"):
        pbvalues.decode(wire.chunk(3, b"\x08\x07" + wire.chunk(2, many)))
    dimensions = [{"size": (1 << 31) - 1, "name": ""}] * 100_000
    with pytest.raises(BundleError, match="malformed tensor shape"):
        decode({"type": "tensor", "double": [], "shape": {"dimensions": dimensions}})


def test_an_attribute_that_stands_twice() -> None:
    entry = wire.chunk(1, wire.string(1, "x") + wire.chunk(2, scalar(b"")))
    with pytest.raises(BundleError, match="stands twice"):
        pbvalues.read_model(wire.string(1, "op") + wire.chunk(2, entry * 2))


WRONG: list[Value] = [
    Value("scalar", "int", 0.5), Value("scalar", "int", 1 << 31), Value("scalar", "int", None), Value("scalar", "double", "x"),
    Value("scalar", "double", 10**400), Value("scalar", "boolean", 1), Value("scalar", "string", 1), Value("list", "string", [None]),
    Value("scalar", "string", "\ud800"), Value("scalar", "model", {}), Value("scalar", "data_shape", 1), Value("scalar", "tensor", 1),
    Value("scalar", "basic_type", "decimal"), Value("tensor", "double", ["x"]), Value("tensor", "basic_type", ["int"]),
    Value("tensor", "byte", [128]), Value("list", "long", [True]),
]  # fmt: skip


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_what_protobuf_cannot_hold(value: Value) -> None:
    """A JSON bundle may say anything; written as protobuf it is refused with the attribute's name."""
    with pytest.raises(BundleError) as caught:
        FORMATS["protobuf"].write_model("op", {"x": value})
    assert caught.value.where["field"] == "x"


# Generations


@pytest.mark.parametrize(
    ("version", "old_numbers", "types_as_bytes"),
    [
        ("0.8.0-SNAPSHOT", True, True), ("0.8.1", True, True), ("0.9.0", False, True), ("0.9.1", False, True),
        ("0.9.2", False, False), ("0.10.0-SNAPSHOT", False, False), ("0.25.2", False, False), ("1.0", False, False),
        ("", False, False), ("newest", False, False), ("9" * 5000, False, False), ("0.8", True, True),
    ],
)  # fmt: skip
def test_generations(version: str, old_numbers: bool, types_as_bytes: bool) -> None:
    age = generation(version)
    assert (age.basic_types == OLD_BASIC_TYPES, age.types_as_bytes) == (old_numbers, types_as_bytes)


def test_old_numbers_of_types() -> None:
    """0.8 counted from boolean; a tensor of doubles is of type 6 there, which is float today."""
    old = generation("0.8.1")
    eight = wire.chunk(3, b"\x08\x06\x1a\x08\x3f\xe0" + b"\x00" * 6)
    assert pbvalues.decode(eight, old) == Value("tensor", "double", [0.5])
    assert pbvalues.decode(eight) == Value("tensor", "float", [1.75, 0.0])
    assert pbvalues.decode(listed(b"\x4a\x02\x00\x64"), old) == Value("list", "basic_type", ["boolean", "string"])
    assert pbvalues.decode(wire.chunk(3, b"\x1a\x01\x01"), old) == Value("tensor", "boolean", [True])


def test_types_once_stood_under_bytes() -> None:
    listed_types = {"type": "list", "byte_string": ["long", "string"]}
    assert unpack(decode(listed_types, generation("0.9.1")), "list<basic_type>") == ["long", "string"]
    assert decode({"type": "list", "byte_string": ["AAA="]}, generation("0.9.1")).data == [b"\0\0"]
    with pytest.raises(BundleError):
        decode({"type": "list", "byte_string": ["double"]}, generation("0.9.2"))


def test_values_need_no_place() -> None:
    with pytest.raises(BundleError) as caught:
        unpack(Value("scalar", "string", "x"), "double")
    assert (caught.value.expected, caught.value.got) == ("double", "x")


def test_notes_of_what_is_not_there() -> None:
    assert restored(noted({"x": pack(math.inf, "double")})) == {"x": pack(math.inf, "double")}
    assert restored({"nacre.exact.gone": pack("[]", "string")}) == {}
    for text in ("7", '[[[0, 9], "inf"]]', '[[[0, true], "inf"]]', '[[[1, 0], "inf"]]', '[[0, "inf"]]', "[" * 9999):
        with pytest.raises(BundleError, match="malformed nacre.exact"):
            restored({"x": pack([[1.0]], "list<tensor>"), "nacre.exact.x": pack(text, "string")})
