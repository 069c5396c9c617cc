"""Nodes of nacre.sql: expressions of every kind over columns of every type."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import strategies as st

from nacre.plan.types import INTEGERS, Type
from nacre.stages.sqltypes import infer
from tests import bundles
from tests.plans.base import LABELS, NASTY, Draw, Drawn

COLUMNS = {
    "d": "double",
    "e": "double",
    "f": "float",
    "i": "int",
    "j": "int",
    "l": "long",
    "b": "boolean",
    "s": "string",
}
BASES = ("double", "int", "boolean", "string")
TARGETS = ("double", "float", "int", "long", "short", "byte", "boolean", "string")


def column(base: str) -> st.SearchStrategy[Any]:
    names = [name for name, kind in COLUMNS.items() if kind == base]
    return st.sampled_from(names).map(lambda name: ["col", name])


def literal(base: str) -> st.SearchStrategy[Any]:
    plain = {
        "double": st.sampled_from(NASTY),
        "int": st.sampled_from([0, 1, -1, 2, 2**31 - 1, -(2**31)]),
        "boolean": st.booleans(),
        "string": st.sampled_from(LABELS),
    }[base]
    return plain.map(lambda value: ["lit", base, value]) | st.just(["lit", "null", None])


def call(name: str, *given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*given).map(lambda each: ["call", name, *each])


@cache
def expression(base: str, depth: int) -> st.SearchStrategy[Any]:
    """Expressions of a type: double, int, boolean or string."""
    if depth == 0:
        return column(base) | literal(base)

    def inner(kind: str) -> st.SearchStrategy[Any]:
        return expression(kind, depth - 1)

    conditional = st.tuples(inner("boolean"), inner(base), inner(base)).map(lambda e: ["case", [[e[0], e[1]]], e[2]])
    cast = st.one_of(*map(inner, BASES)).map(lambda e: ["cast", base, e])
    shared = [column(base), conditional, call("coalesce", inner(base), inner(base)), cast]
    compared = [
        call(sign, inner(kind), inner(kind)) for sign in ("=", "<", ">=", "<=>") for kind in ("double", "string")
    ]
    own = {
        "double": [
            *(call(sign, inner("double"), inner("double")) for sign in "+-*/%"),
            *(call(name, inner("double")) for name in ("exp", "log", "log10", "log2", "log1p", "sqrt", "abs", "neg")),
            call("pow", inner("double"), inner("double")),
            call("round", inner("double"), st.integers(-2, 3).map(lambda n: ["lit", "int", n])),
            call("/", inner("int"), inner("int")),
        ],
        "int": [
            *(call(sign, inner("int"), inner("int")) for sign in "+-*%"),
            *(call(name, inner("int")) for name in ("abs", "neg")),
            call("length", inner("string")),
        ],
        "boolean": [
            *compared,
            *(call(name, inner("boolean"), inner("boolean")) for name in ("and", "or")),
            call("not", inner("boolean")),
            call("isnull", inner("double")),
            call("isnan", inner("double")),
            st.tuples(inner("int"), st.lists(inner("int"), min_size=1, max_size=3)).map(lambda e: ["in", *e]),
            inner("string").map(lambda e: ["like", e, "%a_"]),
        ],
        "string": [
            *(call(name, inner("string")) for name in ("upper", "lower", "trim", "ltrim", "rtrim")),
            call("concat", inner("string"), inner("string")),
            call("substring", inner("string"), inner("int"), inner("int")),
        ],
    }[base]
    return st.one_of(*own, *shared)


@st.composite
def nacre_sql(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    held = {"names": list(COLUMNS), "expressions": [], "where": None}
    for _ in range(draw(st.integers(1, 3))):
        base = draw(st.sampled_from(["double", "int", "boolean", "string"]))
        expr = draw(expression(base, draw(st.integers(0, 2))))
        if draw(st.booleans()) or infer(expr, COLUMNS) == "null":
            expr = ["cast", draw(st.sampled_from(TARGETS)) if base != "string" else base, expr]
        held["expressions"].append(json.dumps(expr))
    if draw(st.booleans()):
        held["where"] = json.dumps(draw(expression("boolean", 1)))
    outputs = [f"out{n}" for n in range(len(held["expressions"]))]
    node = bundles.REGISTRY["nacre.sql"].make(
        "sql", held, [(f"input{n}", name) for n, name in enumerate(COLUMNS)],
        [(f"output{n}", name) for n, name in enumerate(outputs)],
    )  # fmt: skip
    assert set(INTEGERS) > {"int", "long"}
    return [node], {name: Type(base) for name, base in COLUMNS.items()}


STRATEGIES = [nacre_sql]
