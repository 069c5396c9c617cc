"""Nodes of vector_indexer, with and without a category 0.0, on raw vectors and on one-hot ones."""

from __future__ import annotations

from hypothesis import strategies as st

from nacre.plan.types import DOUBLE, vector
from tests import bundles
from tests.plans.base import Draw, Drawn, finite

categories = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.5, 0.1]), finite)


@st.composite
def vector_indexer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 4))
    keys = draw(st.lists(st.integers(0, size - 1), unique=True))
    known = {key: draw(st.lists(categories, unique=True, min_size=1, max_size=4)) for key in keys}
    held = {
        "num_features": size,
        "keys": keys,
        "key_{n}_keys": known,
        "key_{n}_values": {key: list(range(len(each))) for key, each in known.items()},
        **words,
    }
    if wild and draw(st.booleans()):
        hot = bundles.node(
            "one_hot_encoder",
            {"category_sizes": [size], "drop_last": False, "handle_invalid": "error"},
            ["x"],
            ["v"],
        )
        return [hot, bundles.node("vector_indexer", held, ["v"], ["indexed"])], {"x": DOUBLE}
    return [bundles.node("vector_indexer", held, ["v"], ["indexed"])], {"v": vector(size)}


STRATEGIES = [vector_indexer]
