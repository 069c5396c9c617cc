"""Nodes of imputer."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from nacre.plan.types import INTEGERS, Type
from tests import bundles
from tests.plans.base import Draw, Drawn, doubles, finite, number_types


@st.composite
def imputer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    base = draw(st.sampled_from([None, "double", "float", *INTEGERS]))
    number = doubles if wild else finite
    held = {
        "surrogate_value": draw(number),
        "missing_value": draw(st.just(math.nan) | number),
        "strategy": "mean",
        "nacre.input_type": base,
    }
    kind = draw(number_types()) if base is None else Type(base)
    column = draw(st.sampled_from(["x", "filled"])) if wild else "filled"
    return [bundles.node("imputer", held, ["x"], [column])], {"x": kind}


STRATEGIES = [imputer]
