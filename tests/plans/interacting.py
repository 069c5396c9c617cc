"""Nodes of interaction: numbers, indexes, vectors of both, and one-hot vectors."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nacre.bundle.values import Shape
from nacre.plan.types import DOUBLE, Type, vector
from tests import bundles
from tests.plans.base import Draw, Drawn, number_types


@st.composite
def interaction(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    kinds: dict[str, Type] = {}
    nodes: list[Any] = []
    levels: dict[int, list[int]] = {}
    columns: list[str] = []
    shapes: list[Shape] = []
    for n in range(draw(st.integers(1, 3))):
        form = draw(st.sampled_from(["scalar", "vector", "hot", "assembled"]))
        size = 1 if form == "scalar" else draw(st.integers(1, 3))
        levels[n] = [draw(st.sampled_from([1, 1, 2, 3])) if form != "hot" else 1 for _ in range(size)]
        columns.append(f"x{n}")
        shapes.append(Shape() if form == "scalar" else Shape("tensor", dims=(size,)))
        if form == "hot":
            held = {"category_sizes": [size], "drop_last": False, "handle_invalid": "error"}
            nodes.append(bundles.node("one_hot_encoder", held, [f"i{n}"], [f"x{n}"], f"hot{n}"))
            kinds[f"i{n}"] = DOUBLE
        elif form == "assembled":
            parts = [f"p{n}{k}" for k in range(size)]
            held = {"input_shapes": [Shape()] * size, "nacre.handle_invalid": "keep"}
            nodes.append(bundles.node("vector_assembler", held, parts, [f"x{n}"], f"all{n}"))
            kinds |= dict.fromkeys(parts, DOUBLE)
        else:
            kinds[f"x{n}"] = draw(number_types()) if form == "scalar" else vector(size)
    held = {"num_inputs": len(columns), "input_shapes": shapes, "num_features{n}": levels}
    return [*nodes, bundles.node("interaction", held, columns, ["products"])], kinds


STRATEGIES = [interaction]
