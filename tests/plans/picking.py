"""Nodes of vector_slicer and chi_sq_selector, some of which pick from what a sparse vector became."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from nacre.plan.types import vector
from tests import bundles

if TYPE_CHECKING:
    from tests.plans.base import Draw, Drawn


@st.composite
def vector_slicer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 5))
    order = draw(st.permutations(range(size)))
    first = draw(st.integers(0, size))
    named = order[first : draw(st.integers(first, size))]
    held = {
        "indices": order[:first],
        "names": [f"n{index}" for index in named],
        "named_indices": named,
        "input_size": size,
    }
    return [bundles.node("vector_slicer", held, ["v"], ["some"])], {"v": vector(size)}


@st.composite
def chi_sq_selector(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 5))
    picked = sorted(draw(st.sets(st.integers(0, size - 1), min_size=0 if wild else 1)))
    node = bundles.node("chi_sq_selector", {"filter_indices": picked, "input_size": size}, ["v"], ["some"])
    return [node], {"v": vector(size)}


STRATEGIES = [vector_slicer, chi_sq_selector]
