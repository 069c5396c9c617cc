"""Nodes of binarizer and sklearn_binarizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from nacre.bundle.values import Shape
from tests import bundles
from tests.plans.base import Draw, Drawn, finite, number_types, shape
from tests.plans.multiplying import Made, source

if TYPE_CHECKING:
    from nacre.bundle import Node
    from nacre.plan.types import Type

limits = st.one_of(st.sampled_from([0.0, -0.0, 0.5, -1.0, 1.0]), finite)


@st.composite
def binarizer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    first, column, kinds = _source(draw, wild)
    held = {"threshold": draw(limits), "input_shapes": _shape(first, column, kinds)}
    if not wild or draw(st.booleans()):
        return [*first, bundles.node("binarizer", held, [column], ["out"])], kinds
    many = {"thresholds": [draw(limits), 0.5], "input_shapes_list": [held["input_shapes"]] * 2}
    return [*first, bundles.node("binarizer", many, [column, column], ["out", "other"])], kinds


@st.composite
def sklearn_binarizer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    first, column, kinds = _source(draw, wild)
    held = {"threshold": draw(limits), "input_shapes": [_shape(first, column, kinds)]}
    return [*first, bundles.node("sklearn_binarizer", held, [column], ["out"])], kinds


def _source(draw: Draw, wild: bool) -> Made:
    if draw(st.booleans()):
        return [], "x", {"x": draw(number_types())}
    return source(draw, draw(st.integers(1, 5)), wild)


def _shape(first: list[Node], column: str, kinds: dict[str, Type]) -> Shape:
    return shape(kinds[column]) if not first else Shape("tensor")


STRATEGIES = [binarizer, sklearn_binarizer]
