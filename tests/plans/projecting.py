"""Nodes of pca, dct and the hashes."""

from __future__ import annotations

from hypothesis import strategies as st

from nacre.bundle.values import Tensor
from tests import bundles
from tests.plans.base import Draw, Drawn, tensors
from tests.plans.multiplying import source

units = st.floats(-1.0, 1.0)


@st.composite
def pca(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size, k = draw(st.integers(1, 40 if wild else 6)), draw(st.integers(1, 30 if wild else 3))
    first, column, kinds = source(draw, size, wild)
    held = {"principal_components": Tensor(draw(tensors(size * k, units)).values, (size, k))}
    return [*first, bundles.node("pca", held, [column], ["out"])], kinds


@st.composite
def dct(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 40 if wild else 9))
    first, column, kinds = source(draw, size, wild)
    held = {"inverse": draw(st.booleans()), "input_size": size}
    return [*first, bundles.node("dct", held, [column], ["out"])], kinds


@st.composite
def min_hash_lsh(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 6))
    first, column, kinds = source(draw, size, wild)
    numbers = st.lists(st.integers(0, 2038074742), min_size=2, max_size=2)
    held = {"random_coefficients_a": draw(numbers), "random_coefficients_b": draw(numbers), "input_size": size}
    return [*first, bundles.node("min_hash_lsh", held, [column], ["out"])], kinds


@st.composite
def bucketed_random_projection_lsh(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 6))
    first, column, kinds = source(draw, size, wild)
    held = {
        "random_unit_vectors": [draw(tensors(size, units)) for _ in range(draw(st.integers(1, 3)))],
        "bucket_length": draw(st.one_of(st.sampled_from([0.1, 1.0, 2.0]), st.floats(1e-3, 1e6))),
        "input_size": size,
    }
    return [*first, bundles.node("bucketed_random_projection_lsh", held, [column], ["out"])], kinds


STRATEGIES = [pca, dct, min_hash_lsh, bucketed_random_projection_lsh]
