"""Nodes of max_abs_scaler, elementwise_product and normalizer; of scaled vectors, assembled ones and one-hot ones."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from nacre.bundle import Node
from nacre.bundle.values import Shape
from nacre.plan.types import DOUBLE, Type, vector
from tests import bundles
from tests.plans.base import Draw, Drawn, doubles, finite, tensors

Made = tuple[list[Node], str, dict[str, Type]]
"""Nodes, the column they make, and the raw columns they read."""


def source(draw: Draw, size: int, wild: bool) -> Made:
    """A vector of a size: raw, or made by another stage, dense or sparse."""
    kind = draw(st.sampled_from(["raw", "assembled", "scaled", "hot"]))
    if kind == "raw" or size == 0:
        return [], "v", {"v": vector(size)}
    if kind == "hot":
        held = {"category_sizes": [size], "drop_last": False, "handle_invalid": "error"}
        return [bundles.node("one_hot_encoder", held, ["x"], ["v"])], "v", {"x": DOUBLE}
    if kind == "scaled":
        held = {"std": draw(tensors(size, st.sampled_from([1.0, 0.5, 0.0])))}
        return [bundles.node("standard_scaler", held, ["w"], ["v"])], "v", {"w": vector(size)}
    names = [f"x{n}" for n in range(size)]
    held = {"input_shapes": [Shape()] * size, "nacre.handle_invalid": "keep" if wild else None}
    return [bundles.node("vector_assembler", held, names, ["v"])], "v", dict.fromkeys(names, DOUBLE)


@st.composite
def max_abs_scaler(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 5))
    first, column, kinds = source(draw, size, wild)
    held = {"maxAbs": draw(tensors(size, st.one_of(st.just(0.0), st.floats(0, 1e9), st.just(5e-324))))}
    return [*first, bundles.node("max_abs_scaler", held, [column], ["out"])], kinds


@st.composite
def elementwise_product(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 5))
    first, column, kinds = source(draw, size, wild)
    held = {"scaling_vec": draw(tensors(size, doubles if wild else finite))}
    return [*first, bundles.node("elementwise_product", held, [column], ["out"])], kinds


@st.composite
def normalizer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(0 if wild else 1, 5))
    first, column, kinds = source(draw, size, wild)
    held = {"p_norm": draw(st.sampled_from([1.0, 2.0, 3.0, 1.5, *([math.inf] if wild else [])])), "input_size": size}
    return [*first, bundles.node("normalizer", held, [column], ["out"])], kinds


STRATEGIES = [max_abs_scaler, elementwise_product, normalizer]
