"""Nodes of nacre.vector_size_hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from nacre.plan.types import vector
from tests import bundles

if TYPE_CHECKING:
    from tests.plans.base import Draw, Drawn


@st.composite
def nacre_vector_size_hint(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(0, 4))
    hint = bundles.node("nacre.vector_size_hint", {"size": size, **words}, ["v"], ["v"])
    return [hint, bundles.node("normalizer", {"p_norm": 2.0}, ["v"], ["out"])], {"v": vector(size)}


STRATEGIES = [nacre_vector_size_hint]
