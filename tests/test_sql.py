"""The SQL of nacre.sql: what the parser makes of a statement, and what it refuses, by name."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.plan.arrow import column_in
from nacre.plan.frame import Scalars
from nacre.plan.model import Model
from nacre.plan.types import Type
from nacre.stages import REGISTRY, Context
from nacre.stages.sqlcolumns import Unusual
from nacre.stages.sqlfunctions import like
from nacre.stages.sqlparser import Parser
from nacre.stages.sqltypes import SqlError, check, infer
from tests.bundles import assert_plans_agree, pipeline, table

COLUMNS = {"x": "double", "i": "int", "s": "string", "b": "boolean", "odd name": "double"}


def parsed(text: str) -> object:
    (item,) = Parser(f"SELECT {text} AS out FROM __THIS__", list(COLUMNS)).select().items
    assert item is not None
    infer(item[0], COLUMNS)
    return item[0]


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("X", ["col", "x"]),
        ("`odd name`", ["col", "odd name"]),
        ("x + 1 * 2", ["call", "+", ["col", "x"], ["call", "*", ["lit", "int", 1], ["lit", "int", 2]]]),
        ("-9223372036854775808", ["lit", "long", -(2**63)]),
        ("1e3", ["lit", "double", 1000.0]),
        ("'it''s'", ["lit", "string", "it's"]),
        ("not b and b", ["call", "and", ["call", "not", ["col", "b"]], ["col", "b"]]),
        ("s not in ('a')", ["call", "not", ["in", ["col", "s"], [["lit", "string", "a"]]]]),
        ("if(b, 1, 2)", ["case", [[["col", "b"], ["lit", "int", 1]]], ["lit", "int", 2]]),
    ],
)
def test_expressions(text: str, expr: object) -> None:
    assert parsed(text) == expr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sum(x)", "function SUM is not offered"),
        ("y", "y: no such column"),
        ("i * 0.5", "write CAST"),
        ("x + s", "write CASTs"),
        ("upper(x)", "write CAST"),
        ("(select 1)", "not offered"),
        ("x; drop", "not offered"),
        ("case when b then 1", "END expected"),
        ("(" * 60 + "x" + ")" * 60, "nested deeper"),
        ("cast(x as date)", "CAST to DATE is not offered"),
        ("s like s", "literal pattern"),
    ],
)
def test_refused(text: str, told: str) -> None:
    with pytest.raises(SqlError, match=told):
        parsed(text)


@pytest.mark.parametrize(
    "statement", ["SELECT x FROM t", "SELECT x FROM __THIS__ GROUP BY x", "DELETE FROM __THIS__", ""]
)
def test_statements_of_another_kind(statement: str) -> None:
    with pytest.raises(SqlError):
        Parser(statement, list(COLUMNS)).select()


def test_an_expression_needs_a_name() -> None:
    with pytest.raises(SqlError, match="x \\+ 1: give the expression a name with AS"):
        Parser("SELECT x + 1 FROM __THIS__", list(COLUMNS)).select()


@pytest.mark.parametrize("spark", [(3, 5), (4, 1), (4, 2), (4, 3)])
def test_beyond_a_bigint(spark: tuple[int, int]) -> None:
    """As each of these Sparks did when asked: 4.3 refuses what those before it saturate; NaN is 0 in all."""
    cls = REGISTRY["nacre.sql"]
    values = {"names": ["x"], "expressions": [json.dumps(["call", name, ["col", "x"]]) for name in ("floor", "ceil")]}
    stage = cls(
        cls.make("sql", values, [("input0", "x")], [("output0", "down"), ("output1", "up")]), Context(spark=spark)
    )
    stage.types([Type("double")])
    given = {9223372036854774784.5: 9223372036854774784, -(2.0**63): -(2**63), math.nan: 0}
    beyond = {2.0**63: 2**63 - 1, -(2.0**63) - 2048: -(2**63), math.inf: 2**63 - 1, 1e300: 2**63 - 1}
    result = stage.columns([Scalars(np.array([*given, *beyond]))])
    down, up = (column.values.tolist() for column in result.outputs)  # type: ignore[union-attr]
    assert down[: len(given)] == up[: len(given)] == list(given.values())
    refused = [int(row) for failed in result.failed for row in failed.rows]
    if spark >= (4, 3):
        assert refused == list(range(len(given), len(given) + len(beyond)))
        assert "[ARITHMETIC_OVERFLOW] overflow" in str(result.failed[0].error(refused[0]))
    else:
        assert refused == []
        assert down == up == [*given.values(), *beyond.values()]


@given(pattern=st.text(st.sampled_from("ab%_\\%"), max_size=9), text=st.text(st.sampled_from("ab\n%"), max_size=9))
def test_like_is_what_its_definition_says(pattern: str, text: str) -> None:
    assert (like(pattern)(text) is not None) == fits(pattern, text)


def fits(pattern: str, text: str) -> bool:
    """LIKE as it is defined, by trying everything."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(fits(pattern[1:], text[n:]) for n in range(len(text) + 1))
    if pattern[0] == "\\" and len(pattern) > 1:
        return text[:1] == pattern[1] and fits(pattern[2:], text[1:])
    return bool(text) and pattern[0] in ("_", text[0]) and fits(pattern[1:], text[1:])


def test_like_ends_in_time() -> None:
    """With every % trying every place, this would not end."""
    assert like("%a" * 30 + "%b")("a" * 3000) is None


def test_usual_expressions_are_taken_by_columns() -> None:
    """And others row by row, with the same outcome."""
    usual = "CASE WHEN x > 0.5 AND s = 'a' THEN x * 2 ELSE coalesce(x, 0D) / (x + i) END"
    for text, by_rows in ((usual, False), ("x % 2D", True), ("round(x, 1)", True)):
        stage = REGISTRY["nacre.sql"]
        values = {"expressions": [json.dumps(parsed(text))], "names": ["x", "i", "s"]}
        ports = [(f"input{n}", name) for n, name in enumerate("xis")], [("output0", "out")]
        model = Model(pipeline(stage.make("sql", values, *ports), types={n: Type(COLUMNS[n]) for n in "xis"}))
        rows = [{"x": x, "i": i, "s": s} for x in (1.5, -1.0, None, math.nan) for i in (1, None) for s in ("a", None)]
        assert_plans_agree(model, rows)
        with pytest.raises(Unusual) if by_rows else nullcontext():
            columns = [column_in(table(model, rows), name, Type(COLUMNS[name])) for name in "xis"]
            model.stages[0]._by_columns(columns, len(rows))  # type: ignore[attr-defined]


HOSTILE = [
    ["lit", "int", 2**31], ["lit", "long", 10**400], ["lit", "byte", 200], ["lit", "double", 10**400],
    ["lit", "decimal", "1e999999999"], ["lit", "decimal", "NaN"], ["lit", "decimal", "x"], ["lit", "string", "\ud800"],
    ["in", ["col", "x"], []], ["call", "round", ["col", "x"], ["lit", "int", -(2**31)]],
    ["call", "round", ["col", "x"], ["lit", "double", 1.5]], ["call", "round", ["col", "x"], ["col", "i"]],
]  # fmt: skip


@pytest.mark.parametrize("expr", HOSTILE, ids=lambda expr: str(expr)[:40])
def test_expressions_that_no_parser_makes(expr: list[object]) -> None:
    """A bundle may hold what it likes; what would take for ever, or is no value of its type, is refused."""
    with pytest.raises(SqlError, match="no expression"):
        check(["cast", "double", expr])


def test_a_float_literal_is_a_float() -> None:
    stage = REGISTRY["nacre.sql"]
    values = {"expressions": [json.dumps(["lit", "float", 0.1])], "names": ["x"]}
    model = Model(
        pipeline(stage.make("sql", values, [("input0", "x")], [("output0", "out")]), types={"x": Type("double")})
    )
    (outcome,) = assert_plans_agree(model, [{"x": 1.0}])
    assert outcome.values == {"out": 0.10000000149011612}
