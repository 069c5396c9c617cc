"""Nodes of math_unary and math_binary."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nacre.stages import REGISTRY
from tests import bundles
from tests.plans.base import Draw, Drawn, doubles, finite, number_types


@st.composite
def math_unary(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    return [bundles.node("math_unary", {"operation": "log", **words}, ["x"], ["out"])], {"x": draw(number_types())}


@st.composite
def math_binary(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    """Two columns, or one and a constant, or two constants; a node beside it sees to it that there is a column."""
    number = doubles if wild else finite.map(lambda x: x or 1.0)  # JSON for the JVM has no infinities
    columns = draw(
        st.sampled_from([("x", "y"), ("x", None), (None, "y"), (None, None), *([("x", "x")] if wild else [])])
    )
    held: dict[str, Any] = {"operation": "add", **words}
    held |= {name: draw(number) for name, column in zip(("da", "db"), columns, strict=True) if column is None}
    ports = zip(("input_a", "input_b"), columns, strict=True)
    given = [(port, column) for port, column in ports if column is not None]
    made = REGISTRY["math_binary"].make("math", held, given, [("output", "out")])
    beside = bundles.node("math_unary", {"operation": "abs"}, ["z"], ["size"])
    kinds = {column: draw(number_types()) for column in dict.fromkeys([*columns, "z"]) if column is not None}
    return [made, beside], kinds


STRATEGIES = [math_unary, math_binary]
