"""Nodes of bucketizer."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from tests import bundles
from tests.plans.base import Draw, Drawn, finite, number_types


@st.composite
def bucketizer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    inner = draw(st.sets(st.one_of(finite, st.sampled_from([0.0, 1.0, 2.0, 2.0**53])), min_size=2, max_size=5))
    splits = sorted(draw(st.sampled_from([0.0, -0.0])) if x == 0.0 else x for x in inner)
    splits = [*([-math.inf] if draw(st.booleans()) else []), *splits, *([math.inf] if draw(st.booleans()) else [])]
    return [bundles.node("bucketizer", {"splits": splits, **words}, ["x"], ["out"])], {"x": draw(number_types())}


STRATEGIES = [bucketizer]
