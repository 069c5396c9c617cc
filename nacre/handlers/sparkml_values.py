"""Values of a request, as the AWS container reads them and MLeap casts them to what the model wants.

A value goes two steps: to the type the schema declares (Java's parsers on its text, or a strict look at a JSON list),
then to the type of the model's column (MLeap's Casting). Both are chosen once per column, when a schema is bound to
a model; on a request only plain functions run. What is refused raises ValueError with Java's sentence.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nacre.formats.javatext import (
    PARSERS,
    double_text,
    float32,
    float_text,
    parse_double,
    parse_float,
    text_of,
)
from nacre.handlers.sparkml_schema import NO_LIST, ONLY_DOUBLE, UNSUPPORTED_TYPE, WRONG_TYPE, Column
from nacre.plan.types import INTEGERS, Type

if TYPE_CHECKING:
    from collections.abc import Callable

    Convert = Callable[[Any], Any]

NULL_VALUE = 'Cannot invoke "Object.toString()" because "value" is null'
NULL_LIST = 'Cannot invoke "java.util.List.stream()" because "{}" is null'
NULL_ELEMENT = 'Cannot invoke "java.lang.Double.doubleValue()" because "d" is null'
BITS = {"byte": 8, "short": 16, "int": 32, "long": 64}
BOXES = {
    "boolean": "java.lang.Boolean",
    "byte": "java.lang.Byte",
    "short": "java.lang.Short",
    "int": "java.lang.Integer",
    "long": "java.lang.Long",
    "float": "java.lang.Float",
    "double": "java.lang.Double",
    "string": "java.lang.String",
}


class CastError(ValueError):
    """A column that MLeap cannot cast to what the model wants, whatever its values."""


def class_cast(given: str, wanted: str) -> str:
    """Java's sentence when an object of class `given` is no `wanted`."""
    homes = ["module java.base of loader 'bootstrap'" if name.startswith("java.") else "unnamed module of loader 'app'"
             for name in (given, wanted)]  # fmt: skip
    if homes[0] == homes[1]:
        where = f"{given} and {wanted} are in {homes[0]}"
    else:
        where = f"{given} is in {homes[0]}; {wanted} is in {homes[1]}"
    return f"class {given} cannot be cast to class {wanted} ({where})"


def java_class(value: Any) -> str:
    """The class Jackson makes of a JSON value."""
    if isinstance(value, bool):
        return "java.lang.Boolean"
    if isinstance(value, int):
        if -(1 << 63) <= value < 1 << 63:
            return "java.lang.Integer" if -(1 << 31) <= value < 1 << 31 else "java.lang.Long"
        return "java.math.BigInteger"
    known = {float: "java.lang.Double", str: "java.lang.String", list: "java.util.ArrayList"}
    return known.get(type(value), "java.util.LinkedHashMap")


def java_text(value: Any) -> str:
    """``toString()`` of a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{', '.join(map(java_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={java_text(each)}' for key, each in value.items())}}}"
    return text_of(value)


# To the type that the schema declares


def parser(column: Column) -> Convert:
    """Text of a CSV field -> a value of the declared type; the struct does not matter here."""
    return PARSERS.get(column.type) or _refuse(UNSUPPORTED_TYPE)


def no_csv(column: Column) -> str | None:
    """Why a column cannot come in CSV, or None: only basic ones can."""
    if column.basic:
        return None
    if column.array:
        return NO_LIST.format("array")
    return NO_LIST.format("vector") if column.type == "double" else ONLY_DOUBLE


def reader(column: Column, nulls: bool) -> Convert:
    """A JSON value -> a value of the declared type. With `nulls`, null is None; else it is refused."""
    if column.type not in PARSERS:
        return _refuse(WRONG_TYPE)
    if column.basic:
        return _or_none(_basic_reader(column.type), nulls, NULL_VALUE)
    if column.array:
        return _or_none(_array_reader(column.type), nulls, NULL_LIST.format("listOfObjects"))
    if column.type != "double":
        return _refuse(ONLY_DOUBLE)
    return _or_none(_vector, nulls, NULL_LIST.format("vectorValues"))


def _refuse(message: str) -> Convert:
    def refuse(_: Any) -> Any:
        raise ValueError(message)

    return refuse


def _or_none(convert: Convert, nulls: bool, message: str) -> Convert:
    def checked(value: Any) -> Any:
        if value is not None:
            return convert(value)
        if nulls:
            return None
        raise ValueError(message)

    return checked


def _basic_reader(kind: str) -> Convert:
    """JSON values go through their text, so that "1.5" is a number; the usual kinds are spared that."""
    parse = PARSERS[kind]

    def read(value: Any) -> Any:
        return parse(value if type(value) is str else java_text(value))

    def read_double(value: Any) -> float:
        return value if type(value) is float else read(value)

    return read_double if kind == "double" else read


def _array_reader(kind: str) -> Convert:
    """Lists are strictly typed by what Jackson made of their elements: an int is no double. Nulls in them pass."""
    box = BOXES["double" if kind == "float" else kind]

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError(NO_LIST.format("array"))
        for each in value:
            if each is not None and java_class(each) != box:
                raise ValueError(class_cast(java_class(each), box))
        return value

    return read


def _vector(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise ValueError(NO_LIST.format("vector"))
    for each in value:
        if type(each) is not float:
            raise ValueError(NULL_ELEMENT if each is None else class_cast(java_class(each), BOXES["double"]))
    return tuple(value)


# To the type that the model wants


def caster(column: Column, wanted: Type, mleap: bool) -> Convert | None:
    """MLeap's cast from the declared type to the model's; None where there is nothing to do. None stays None.

    With `mleap` a boolean's text is 1 or 0, as MLeap has it; else true or false, as Spark has it.
    Raises CastError for what cannot be cast.
    """
    given = "scalar" if column.basic else "list" if column.array else "vector"
    if given == "scalar" and wanted.shape == "scalar":
        return basic_caster(column.type, wanted.base, mleap)
    if given == "scalar" or wanted.shape == "scalar":
        raise CastError(f"Cannot cast {_data_type(given, column.type)} to {_wanted_type(wanted)}")
    if column.type == "float" and wanted.base != "float":  # Jackson's doubles, which MLeap takes for floats
        return _elements(_refuse(class_cast(BOXES["double"], BOXES["float"])), wanted)
    return _elements(basic_caster(column.type, wanted.base, mleap), wanted)


def _elements(cast: Convert | None, wanted: Type) -> Convert:
    make: Callable[[Any], Any] = tuple if wanted.shape == "vector" else list

    def elements(values: Any) -> Any:
        if values is None:
            return None
        if wanted.size is not None and len(values) != wanted.size:
            raise ValueError(f"a vector of {len(values)} entries where the model wants {wanted.size}")
        if wanted.shape == "vector" and None in values:
            raise ValueError(NULL_ELEMENT)
        return make(values if cast is None else map(cast, values))

    return elements


def _data_type(given: str, base: str) -> str:
    """A declared type as MLeap prints it."""
    return {
        "scalar": f"ScalarType({base},true)",
        "list": f"ListType({base},true)",
        "vector": f"TensorType({base},None,true)",
    }[given]


def _wanted_type(wanted: Type) -> str:
    if wanted.shape != "vector":
        return _data_type(wanted.shape, wanted.base)
    size = "None" if wanted.size is None else f"Some(List({wanted.size}))"
    return f"TensorType({wanted.base},{size},false)"


def basic_caster(given: str, wanted: str, mleap: bool) -> Convert | None:
    """The cast between two basic types; None for the same type, and from float to double, which are one here."""
    if given == wanted or (given, wanted) == ("float", "double"):
        return None
    if given not in PARSERS:
        return None  # its values are refused before they come here
    cast = _from_text(wanted) if given == "string" else _from_number(given, wanted, mleap)

    def nullable(value: Any) -> Any:
        return None if value is None else cast(value)

    return nullable


def _from_text(wanted: str) -> Convert:
    if wanted == "boolean":
        return _text_to_boolean
    parse = {"double": parse_double, "float": parse_float}.get(wanted) or PARSERS[wanted]

    def number(text: str) -> Any:
        return None if text in ("", "null") else parse(text)

    return number


def _text_to_boolean(text: str) -> bool:
    if text in ("true", "yes"):
        return True
    if text in ("false", "no", ""):
        return False
    return not text.isdecimal() or parse_double(text) != 0.0


def _from_number(given: str, wanted: str, mleap: bool) -> Convert:
    """From a number or boolean to another type."""
    if wanted == "string":
        texts: dict[str, Convert] = {"double": double_text, "float": float_text}
        if given == "boolean" and mleap:
            return lambda value: "1" if value else "0"
        return texts.get(given, text_of)
    if wanted in INTEGERS:
        return _to_integer(BITS[wanted])
    return {"double": float, "float": lambda value: float32(float(value)), "boolean": lambda value: value != 0}[wanted]


def _to_integer(bits: int) -> Convert:
    """Scala's conversions: a float is cut off and kept within int (long for long), then the low bits count."""
    wide = 64 if bits == 64 else 32

    def convert(value: Any) -> int:
        if isinstance(value, float):
            if value != value:
                return 0
            most = (1 << wide - 1) - 1
            value = min(max(math.trunc(value) if math.isfinite(value) else value, -most - 1), most)
        low = int(value) & ((1 << bits) - 1)
        return low - (1 << bits) if low >> bits - 1 else low

    return convert
