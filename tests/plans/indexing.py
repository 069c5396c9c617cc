"""Nodes of string_indexer and one_hot_encoder."""

from __future__ import annotations

from hypothesis import strategies as st

from nacre.plan.types import Type
from tests import bundles
from tests.plans.base import NUMBERS, Draw, Drawn, number_types, texts


@st.composite
def string_indexer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    count = draw(st.integers(1, 2))
    kinds = {
        f"x{n}": draw(st.sampled_from([*NUMBERS, "string"]).filter(lambda b: b != "boolean").map(Type))
        for n in range(count)
    }
    labels = {n: draw(st.lists(texts, max_size=8)) for n in range(count)}
    held = {"labels_length": count, "labels_array_{n}": labels, **words}
    return [bundles.node("string_indexer", held, list(kinds), [f"i{n}" for n in range(count)])], kinds


@st.composite
def one_hot_encoder(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    count = draw(st.integers(1, 2))
    kinds = {f"x{n}": draw(number_types()) for n in range(count)}
    sizes = [draw(st.sampled_from([0, 1, 2, 3, 17, 300] if wild else [1, 2, 3, 17])) for _ in range(count)]
    held = {"category_sizes": sizes, "drop_last": draw(st.booleans()), **words}
    return [bundles.node("one_hot_encoder", held, list(kinds), [f"v{n}" for n in range(count)])], kinds


STRATEGIES = [string_indexer, one_hot_encoder]
