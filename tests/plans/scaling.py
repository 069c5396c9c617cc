"""Nodes of standard_scaler and min_max_scaler."""

from __future__ import annotations

from hypothesis import strategies as st

from nacre.plan.types import vector
from tests import bundles
from tests.plans.base import Draw, Drawn, doubles, finite, tensors


@st.composite
def standard_scaler(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 4))
    known = draw(st.sampled_from([("mean",), ("std",), ("mean", "std")]))
    each = {"mean": doubles if wild else finite, "std": st.one_of(st.just(0.0), st.floats(0, 1e9))}
    held = {name: draw(tensors(size, each[name])) for name in known}
    return [bundles.node("standard_scaler", held, ["v"], ["out"])], {"v": vector(size)}


@st.composite
def min_max_scaler(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 4))
    held = {name: draw(tensors(size, st.one_of(st.just(1.0), finite))) for name in ("min", "max")}
    held |= {name: draw(finite) for name in ("minValue", "maxValue")}
    return [bundles.node("min_max_scaler", held, ["v"], ["out"])], {"v": vector(size)}


STRATEGIES = [standard_scaler, min_max_scaler]
