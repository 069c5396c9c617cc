"""Single values of the postprocess container: text and JSON to typed values, and back.

Text is read as Spark's CAST reads it and written as Spark's CAST(x AS STRING) writes it, so a double goes through CSV
unchanged. A value that does not fit raises ValueError, whose text says what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nacre.formats.javatext import double_text, float32, float_text, text_of
from nacre.formats.json import quoted
from nacre.plan.types import BITS, INTEGERS
from nacre.stages.sqlfunctions import caster

Convert = Callable[[Any], Any]
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Doubles that JSON has no number for, as Spark writes them."""


def from_text(base: str) -> Convert:
    """A CSV field to a value of a type; an empty field is null, but for a text."""
    if base == "string":
        return lambda text: text
    cast = caster("string", "double" if base == "float" else base, True)
    expected = f"a {base}"

    def convert(text: str) -> Any:
        if not text:
            return None
        value = cast(text)
        if value is None:
            raise ValueError(expected)
        return float32(value) if base == "float" else value

    return convert


def from_json(base: str) -> Convert:
    """A JSON value to a value of a type: nothing is converted but 1 to 1.0 and 1.0 to 1."""
    if base == "string":
        return lambda value: _exactly(value, str, base)
    if base == "boolean":
        return lambda value: _exactly(value, bool, base)
    if base in INTEGERS:
        low, high = -(1 << BITS[base] - 1), (1 << BITS[base] - 1) - 1
        return lambda value: _integer(value, low, high, base)
    return (lambda value: _number(value, base)) if base == "double" else _float


def _exactly(value: Any, kind: type, base: str) -> Any:
    if value is not None and type(value) is not kind:
        raise ValueError(f"a {base} or null")
    return value


def _integer(value: Any, low: int, high: int, base: str) -> int | None:
    if value is None:
        return None
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"a {base} or null")
    return value


def _number(value: Any, base: str) -> float | None:
    if value is None:
        return None
    if type(value) is str and value in WORDS:
        return WORDS[value]
    if type(value) not in (int, float):
        raise ValueError(f"a {base} or null")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _float(value: Any) -> float | None:
    number = _number(value, "float")
    return None if number is None else float32(number)


SPECIAL = frozenset(',"\r\n')


def csv_text(base: str) -> Callable[[Any], str]:
    """A value as a CSV field: null is empty, the empty text is `""`."""
    if base == "string":
        return _csv_string
    write = _writer(base)
    return lambda value: "" if value is None else write(value)


def _csv_string(value: str | None) -> str:
    if value is None:
        return ""
    if not value or not SPECIAL.isdisjoint(value) or value[0] <= " " or value[-1] <= " ":
        return f'"{value.replace(chr(34), chr(34) * 2)}"'
    return value


def json_text(base: str) -> Callable[[Any], str]:
    """A value as JSON; what JSON has no number for is null."""
    if base == "string":
        return lambda value: "null" if value is None else quoted(value)
    write = _writer(base)
    if base in ("float", "double"):
        return lambda value: write(value) if value is not None and math.isfinite(value) else "null"
    return lambda value: "null" if value is None else write(value)


def _writer(base: str) -> Callable[[Any], str]:
    return {"double": double_text, "float": float_text}.get(base, text_of)
