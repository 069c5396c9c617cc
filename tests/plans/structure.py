"""A pipeline of pipelines."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from nacre.bundle.values import Shape
from nacre.plan.types import DOUBLE, INTEGERS, STRING, Type, vector
from tests import bundles
from tests.plans.base import LABELS, Draw, Drawn, doubles, finite, shape


@st.composite
def pipeline(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    """A chain through every kind of column, its stages in nested pipelines: nulls made on the way, a column replaced in
    place between two that read it, numbers indexed as texts."""
    policies = st.sampled_from(["error", "skip", "keep"])

    def policy(name: str) -> dict[str, str]:
        return {name: draw(policies)}

    base = draw(st.sampled_from(["double", "float", *INTEGERS]))
    filled = "x" if wild else "filled"
    keep = draw(st.sampled_from(["error", "keep"]))
    first = [
        bundles.node("bucketizer", {"splits": [-math.inf, 0.0, 1.0, math.inf], **policy("handle_invalid")}, ["x"], ["b"]),
        bundles.node("one_hot_encoder", {"category_sizes": [3, 4], "drop_last": True, "handle_invalid": keep}, ["b", "x"], ["bv", "xv"]),
        bundles.node("vector_assembler", {"input_shapes": [Shape(), Shape()], **policy("nacre.handle_invalid")}, ["b", "x"], ["early"], "early"),
    ]  # fmt: skip
    labels = {"labels_length": 1, "labels_array_{n}": {0: LABELS}, **policy("handle_invalid")}
    second = [
        bundles.node(
            "imputer",
            {"surrogate_value": draw(doubles if wild else finite), "strategy": "mean", "nacre.input_type": base},
            ["x"],
            [filled],
        ),
        bundles.node("string_indexer", labels, [filled], ["i"]),
        bundles.node(
            "one_hot_encoder",
            {"category_sizes": [2], "drop_last": False, "handle_invalid": "keep"},
            ["i"],
            ["iv"],
            "third",
        ),
    ]
    encoded = {"bv": vector(2 + (keep == "keep")), "xv": vector(3 + (keep == "keep")), "iv": vector(3)}
    parts = {"early": vector(2), **encoded, "b": DOUBLE, filled: DOUBLE, "s": DOUBLE}
    shapes = [Shape("tensor") if wild and given.shape == "vector" else shape(given) for given in parts.values()]
    texts = {"labels_length": 1, "labels_array_{n}": {0: LABELS[:3]}, **policy("handle_invalid")}
    last = [
        bundles.node("string_indexer", texts, ["text"], ["s"], "texts"),
        bundles.node("vector_assembler", {"input_shapes": shapes, **policy("nacre.handle_invalid")}, list(parts), ["all"], "last"),
    ]  # fmt: skip
    nodes = [
        bundles.nested(*first, name="first"),
        bundles.nested(bundles.nested(*second, name="inner"), name="outer"),
        *last,
    ]
    return nodes, {"x": Type(base), "text": STRING}


STRATEGIES = [pipeline]
