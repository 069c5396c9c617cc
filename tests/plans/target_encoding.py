"""Nodes of nacre.target_encoder."""

from __future__ import annotations

from hypothesis import strategies as st

from tests import bundles
from tests.plans.base import Draw, Drawn, doubles, finite, number_types


@st.composite
def nacre_target_encoder(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    categories = draw(st.lists(st.one_of(st.sampled_from([0.0, 1.0, 2.0]), doubles), max_size=4))
    held = {
        "categories": categories,
        "encodings": [draw(finite) for _ in categories],
        "null_encoding": draw(st.none() | finite),
        "unseen_encoding": draw(finite),
        **words,
    }
    return [bundles.node("nacre.target_encoder", held, ["x"], ["encoded"])], {"x": draw(number_types())}


STRATEGIES = [nacre_target_encoder]
