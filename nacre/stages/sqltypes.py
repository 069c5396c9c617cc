"""Expressions of nacre.sql: their JSON form, and the type of each part by Spark's rules.

A node is a list: ``["col", name]``, ``["lit", type, value]``, ``["cast", type, node]``, ``["case", [[when, then], …],
else or null]``, ``["in", node, [nodes]]``, ``["like", node, pattern]`` or ``["call", function, node, …]``. Types are
Spark's basic ones, "null" for NULL alone and "decimal" for a literal like 1.5, which Spark does not hold as a double.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nacre.plan.types import BASES, BITS, INTEGERS

Expr = list[Any]
DEPTH, NODES, BRANCHES = 40, 5000, 40
"""Bounds of an expression: nesting, nodes, and branches of one CASE, each of which is a block inside the one before."""

PLACES = 400
DECIMAL = re.compile(r"-?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)
"""A decimal literal: Spark's have 38 digits at most."""

ARITHMETIC = ("+", "-", "*", "/", "%")
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "<=>")
DOUBLES = ("exp", "log", "log10", "log2", "log1p", "sqrt", "pow")
"""Functions of doubles that give a double."""
TEXTS = {"upper": 1, "lower": 1, "trim": 1, "ltrim": 1, "rtrim": 1}


class SqlError(ValueError):
    """An expression that is refused: what, and why."""


def check(expr: Any, depth: int = 0) -> int:
    """The number of nodes of an expression of the right form. Raises SqlError on any other."""
    if depth > DEPTH:
        raise SqlError(f"nested deeper than {DEPTH}")
    if not isinstance(expr, list) or not expr or not isinstance(expr[0], str):
        raise SqlError(f"no expression: {str(expr)[:80]}")
    count = 1 + sum(check(each, depth + 1) for each in children(expr))
    if count > NODES:
        raise SqlError(f"more than {NODES} parts")
    return count


def children(expr: Expr) -> list[Expr]:
    """The expressions inside one."""
    try:
        kind, *rest = expr
        if kind == "call" and isinstance(rest[0], str) and (rest[0] != "round" or _is_places(rest[2])):
            return rest[1:]
        if kind == "case" and len(rest) == 2 and len(rest[0]) <= BRANCHES:
            return [*(each for pair in rest[0] for each in _pair(pair)), *([rest[1]] if rest[1] is not None else [])]
        if kind == "in" and len(rest) == 2 and rest[1]:
            return [rest[0], *rest[1]]
        if kind == "cast" and len(rest) == 2 and rest[0] in BASES:
            return [rest[1]]
        if kind == "like" and len(rest) == 2 and isinstance(rest[1], str):
            return [rest[0]]
        if kind == "col" and len(rest) == 1 and isinstance(rest[0], str):
            return []
        if kind == "lit" and len(rest) == 2 and _is_literal(*rest):
            return []
    except (TypeError, IndexError, ValueError):
        pass
    raise SqlError(f"no expression: {str(expr)[:80]}")


def _pair(pair: Any) -> tuple[Expr, Expr]:
    when, then = pair
    return when, then


def _is_places(expr: Any) -> bool:
    """Whether ROUND can round to so many digits; a double has no more."""
    kind, base, value = expr
    return kind == "lit" and base == "int" and isinstance(value, int) and abs(value) <= PLACES


def _is_literal(base: Any, value: Any) -> bool:
    if base == "null":
        return value is None
    if base == "string":
        return isinstance(value, str) and len(value.encode()) >= 0  # which half a character has no way to
    if base == "decimal":
        return isinstance(value, str) and DECIMAL.fullmatch(value) is not None
    if base == "boolean":
        return isinstance(value, bool)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    if base in INTEGERS:
        return isinstance(value, int) and -(1 << BITS[base] - 1) <= value < 1 << BITS[base] - 1
    return base in ("float", "double") and not (isinstance(value, int) and abs(value) > 1 << 1000)


def columns_of(expr: Expr) -> list[str]:
    """The columns an expression reads, in order of first use."""
    if expr[0] == "col":
        return [expr[1]]
    return list(dict.fromkeys(name for each in children(expr) for name in columns_of(each)))


def functions_of(expr: Expr) -> set[str]:
    """The functions an expression calls."""
    own = {expr[1]} if expr[0] == "call" else set()
    return own.union(*(functions_of(each) for each in children(expr)))


def infer(expr: Expr, columns: Mapping[str, str]) -> str:
    """The type of an expression; `columns` gives the type of each column. Raises SqlError where Spark would convert in
    a way that is not offered here, and says what to write instead."""
    kind = expr[0]
    if kind == "col":
        return columns[expr[1]]
    if kind == "lit":
        return str(expr[1])
    if kind == "cast":
        source = infer(expr[2], columns)
        if source == "string" and expr[1] == "float":
            raise SqlError("CAST of a text to FLOAT: cast it to DOUBLE")
        return str(expr[1])
    if kind == "case":
        for when, _ in expr[1]:
            need(infer(when, columns), "boolean", "a condition")
        thens = [infer(then, columns) for _, then in expr[1]]
        return common([*thens, "null" if expr[2] is None else infer(expr[2], columns)])
    if kind == "in":
        for item in expr[2]:
            comparable(infer(expr[1], columns), infer(item, columns))
        return "boolean"
    if kind == "like":
        need(infer(expr[1], columns), "string", "LIKE")
        return "boolean"
    return _call(expr[1], [infer(each, columns) for each in expr[2:]])


def _call(name: str, given: list[str]) -> str:
    if name in ARITHMETIC and len(given) == 2:
        base = numeric(common(given, name), name)
        return "double" if name == "/" else base
    if name in COMPARISONS and len(given) == 2:
        comparable(*given)
        return "boolean"
    if name in ("and", "or", "not") and len(given) == (1 if name == "not" else 2):
        for each in given:
            need(each, "boolean", name.upper())
        return "boolean"
    if name in ("isnull", "isnotnull") and len(given) == 1:
        return "boolean"
    if name == "isnan" and len(given) == 1:
        numeric(given[0], name)
        return "boolean"
    if name == "coalesce" and given:
        return common(given)
    if name in ("neg", "abs") and len(given) == 1:
        return numeric(given[0], name)
    if name in ("floor", "ceil") and len(given) == 1:
        numeric(given[0], name)
        return "long"
    if name == "round" and len(given) == 2:
        if numeric(given[0], name) == "float":
            raise SqlError("ROUND of a FLOAT: cast it to DOUBLE")
        return given[0]
    return _function(name, given)


def _function(name: str, given: list[str]) -> str:
    if name in DOUBLES and len(given) == (2 if name == "pow" else 1):
        for each in given:
            if each != "decimal":
                numeric(each, name)
        return "double"
    if name in TEXTS and len(given) == TEXTS[name]:
        need(given[0], "string", name.upper())
        return "string"
    if name == "concat" and given:
        for each in given:
            need(each, "string", "CONCAT")
        return "string"
    if name == "length" and len(given) == 1:
        need(given[0], "string", "LENGTH")
        return "int"
    if name == "substring" and len(given) == 3:
        need(given[0], "string", "SUBSTRING")
        for each in given[1:]:
            need(each, "int", "SUBSTRING")
        return "string"
    raise SqlError(f"function {name} of {len(given)} arguments is not offered")


def need(base: str, wanted: str, what: str) -> None:
    if base not in (wanted, "null"):
        raise SqlError(f"{what} needs {wanted.upper()}, not {base.upper()}: write CAST(… AS {wanted.upper()})")


def numeric(base: str, what: str) -> str:
    if base in ("string", "boolean"):
        raise SqlError(f"{what} needs numbers, not {base.upper()}: write CAST(… AS DOUBLE)")
    if base == "decimal":
        raise SqlError(f"{what} of decimal literals alone: write 1.5D for a double")
    return "double" if base == "null" else base


def common(given: list[str], what: str = "several values") -> str:
    """The type that Spark brings values of several types to."""
    known = [base for base in dict.fromkeys(given) if base != "null"]
    if not known:
        return "null"
    if len(known) == 1:
        if known[0] == "decimal" and what == "several values":
            raise SqlError("decimal literals alone: write 1.5D for a double")
        return known[0]
    if all(base in INTEGERS for base in known):
        return max(known, key=INTEGERS.index)
    if "string" in known or "boolean" in known:
        raise SqlError(f"{what} of {' and '.join(map(str.upper, known))}: write CASTs")
    if "double" in known:
        return "double"
    raise SqlError(f"{what} of {' and '.join(map(str.upper, known))}: write CAST(… AS DOUBLE), or 1.5D for a double")


def comparable(left: str, right: str) -> str:
    """The type in which two values are compared."""
    if {left, right} <= {"decimal", *INTEGERS} and "decimal" in (left, right):
        return "decimal"
    return common([left, right], "a comparison")
