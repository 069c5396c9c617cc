"""Nodes of reverse_string_indexer."""

from __future__ import annotations

from hypothesis import strategies as st

from nacre.bundle.values import Shape
from tests import bundles
from tests.plans.base import Draw, Drawn, number_types, texts


@st.composite
def reverse_string_indexer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    held = {"labels": draw(st.lists(texts, max_size=4)), "input_shape": Shape("scalar", nullable=False)}
    return [bundles.node("reverse_string_indexer", held, ["x"], ["label"])], {"x": draw(number_types())}


STRATEGIES = [reverse_string_indexer]
