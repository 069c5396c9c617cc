"""Nodes of vector_assembler."""

from __future__ import annotations

from hypothesis import strategies as st

from nacre.plan.types import vector
from tests import bundles
from tests.plans.base import Draw, Drawn, number_types, shape


@st.composite
def vector_assembler(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    kind = st.one_of(number_types(), st.integers(0 if wild else 1, 3).map(vector))
    kinds = {f"x{n}": draw(kind) for n in range(draw(st.integers(1, 5)))}
    columns = [*kinds, *(draw(st.lists(st.sampled_from(list(kinds)), max_size=2)) if wild else [])]
    held = {"input_shapes": [shape(kinds[column]) for column in columns], **words}
    return [bundles.node("vector_assembler", held, columns, ["out"])], kinds


STRATEGIES = [vector_assembler]
