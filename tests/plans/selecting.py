"""Nodes of coalesce, map_entry_selector and multinomial_labeler."""

from __future__ import annotations

from hypothesis import strategies as st

from nacre.plan.types import BASES, STRING, Type, vector
from nacre.stages.selecting import KINDS
from tests import bundles
from tests.plans.base import Draw, Drawn, doubles, finite, number_types, texts, values


@st.composite
def coalesce(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    names = [f"x{n}" for n in range(draw(st.integers(1, 4)))]
    held = {"nullable_inputs": [draw(st.booleans()) for _ in names], **words}
    return [bundles.node("coalesce", held, names, ["out"])], {name: draw(number_types()) for name in names}


@st.composite
def map_entry_selector(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    base = draw(st.sampled_from(BASES if wild else [base for base in BASES if KINDS[base] == base]))
    default = draw(
        (values(Type(base)) if wild or base not in ("double", "float") else finite).filter(lambda x: x is not None)
    )
    held = {"key_type": "string", "value_type": base, "default_value": default, **words}
    node = bundles.node("map_entry_selector", held, ["m", "k"], ["out"])
    return [node], {"m": Type(base, "map"), "k": STRING}


@st.composite
def multinomial_labeler(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 4))
    labels = draw(st.lists(texts, min_size=0 if wild else 1, max_size=5))
    held = {"threshold": draw(doubles if wild else finite), "labels": labels, **words}
    return [bundles.node("multinomial_labeler", held, ["v"], ["p", "l"])], {"v": vector(size)}


STRATEGIES = [coalesce, map_entry_selector, multinomial_labeler]
