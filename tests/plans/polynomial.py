"""Nodes of polynomial_expansion and sklearn_polynomial_expansion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from nacre.plan.types import vector
from tests import bundles

if TYPE_CHECKING:
    from tests.plans.base import Draw, Drawn


@st.composite
def polynomial_expansion(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 4))
    held = {"degree": draw(st.integers(1, 3)), "input_size": size}
    return [bundles.node("polynomial_expansion", held, ["v"], ["products"])], {"v": vector(size)}


@st.composite
def sklearn_polynomial_expansion(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    """Every entry occurs, since MLeap takes the number of those that do for the size; powers past 2 follow the
    machine's own pow."""
    size = draw(st.integers(1, 3))
    term = st.tuples(st.integers(0, size - 1), st.integers(0, 4 if wild else 2))
    drawn = draw(st.lists(st.lists(term, min_size=1, max_size=3), max_size=4))
    pieces = [*(f"x{n}" for n in range(size)), *(" ".join(f"x{x}^{p}" for x, p in each) for each in drawn)]
    held = {"combinations": f"[{','.join([*(['1'] if draw(st.booleans()) else []), *pieces])}]"}
    return [bundles.node("sklearn_polynomial_expansion", held, ["v"], ["products"])], {"v": vector(size)}


STRATEGIES = [polynomial_expansion, sklearn_polynomial_expansion]
