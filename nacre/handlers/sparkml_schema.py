"""The schema of the SparkML container: which columns a request has, and which one the answer is.

Schemas come from the environment or in a request. What is no schema at all is refused here, in Jackson's words as
the AWS container answers them (without Jackson's notes on places in the text, which follow our own detail instead);
types that nobody knows are refused where a value of theirs is read, as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nacre.errors import RequestError
from nacre.formats import json
from nacre.plan.types import BASES, Type

DTO = "com.amazonaws.sagemaker.dto."
BASIC, VECTOR, ARRAY = STRUCTS = ("basic", "vector", "array")
EXAMPLE = '{"input":[{"name":"sex","type":"string"}],"output":{"name":"features","type":"double","struct":"vector"}}'

NO_SCHEMA = "Input schema has to be provided either via environment variable or via the request"
WRONG_TYPE = "Data type passed in the request is wrong for one or more columns"
UNSUPPORTED_TYPE = "Given type is not supported"
ONLY_DOUBLE = "Only Double type is supported for vector"
NO_LIST = "Input val is not a list but struct passed is {}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `type` and `struct` are as written; unknown ones are refused when a value is read."""

    name: str
    type: str
    struct: str = BASIC

    @property
    def basic(self) -> bool:
        """Whether its values are single ones; a blank struct says so too."""
        return self.struct == BASIC or not self.struct.strip()

    @property
    def array(self) -> bool:
        return self.struct == ARRAY

    def __str__(self) -> str:
        return self.type if self.basic else f"{self.struct} of {self.type}"


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a request, in their order, and the column of the answer. Hashable: plans are kept by it."""

    input: tuple[Column, ...]
    output: Column

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.input]


def column_of(name: str, given: Type) -> Column:
    """The column that holds values of a model's type."""
    return Column(name, given.base, {"scalar": BASIC, "vector": VECTOR, "list": ARRAY}[given.shape])


def read_text(text: str) -> Schema | None:
    """The schema in a text of JSON, None for a JSON null. Raises RequestError."""
    try:
        return read(json.loads_text(text))
    except json.JsonError as error:
        expected = f"JSON such as {EXAMPLE}"
        raise RequestError(str(error), expected=expected, got=error.place() or text, field="schema") from None


def read(value: Any) -> Schema | None:
    """The schema in decoded JSON. Raises RequestError naming the place, `schema.input[0]` for example."""
    if value is None:
        return None
    known = _object(value, "DataSchema", ("output", "input"), "schema", required=("input", "output"))
    columns = known["input"]
    if not isinstance(columns, list):
        raise _refused(
            no_value_of(f"java.util.ArrayList<{DTO}ColumnSchema>", columns), "a list", columns, "schema.input"
        )
    return Schema(
        tuple(_column(each, f"schema.input[{n}]") for n, each in enumerate(columns)),
        _column(known["output"], "schema.output"),
    )


def _column(value: Any, place: str) -> Column:
    if value is None:
        raise _refused(f'Cannot invoke "{DTO}ColumnSchema.getType()" because "sc" is null', "a column", "null", place)
    known = _object(value, "ColumnSchema", ("type", "name", "struct"), place, required=("name", "type"))
    texts = {key: _text(each, f"{place}.{key}") for key, each in known.items() if each is not None}
    return Column(texts["name"], texts["type"], texts.get("struct", BASIC))


def _object(value: Any, name: str, keys: tuple[str, ...], place: str, required: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object with these keys and no others, the required ones not null."""
    if not isinstance(value, dict):
        raise _refused(no_value_of(DTO + name, value), f"an object such as {EXAMPLE}", value, place)
    for key in value:
        if key not in keys:
            raise _refused(unknown_key(key, name, keys), f"only {', '.join(sorted(keys))}", key, place)
    for key in required:
        if value.get(key) is None:
            raise _refused(incomplete(name), f"{key!r}", f"only {', '.join(sorted(value)) or 'nothing'}", place)
    return value


def _text(value: Any, place: str) -> str:
    """A JSON string, or a number or boolean as Jackson turns it into one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise _refused(no_value_of("java.lang.String", value), "a text", value, place)


def unknown_key(key: str, name: str, keys: tuple[str, ...]) -> str:
    """Jackson's sentence about a key that an object of class `name` has not."""
    known = f"{len(keys)} known properties: " + ", ".join(f'"{each}"' for each in keys)
    return f'Unrecognized field "{key}" (class {DTO}{name}), not marked as ignorable ({known}])'


def incomplete(name: str) -> str:
    """Jackson's sentence about a required key that is missing or null."""
    return f"Cannot construct instance of `{DTO}{name}`, problem: `java.lang.NullPointerException`"


def no_value_of(name: str, value: Any) -> str:
    """Jackson's sentence about JSON of another kind than class `name`."""
    if isinstance(value, (list, dict)):
        kind, token = ("Array", "START_ARRAY") if isinstance(value, list) else ("Object", "START_OBJECT")
        return f"Cannot deserialize value of type `{name}` from {kind} value (token `JsonToken.{token}`)"
    if isinstance(value, str):
        argument, shown = "String-argument", f"String value ('{value}')"
    elif isinstance(value, bool):
        argument, shown = "boolean/Boolean-argument", f"Boolean value ({'true' if value else 'false'})"
    else:
        argument = "int/Int-argument" if isinstance(value, int) else "double/Double-argument"
        shown = f"Number value ({value})"
    return (
        f"Cannot construct instance of `{name}` (although at least one Creator exists): "
        f"no {argument} constructor/factory method to deserialize from {shown}"
    )


def _refused(message: str, expected: str, got: Any, place: str) -> RequestError:
    return RequestError(message, expected=expected, got=got, field=place)


def known_type(column: Column) -> bool:
    return column.type in BASES
