"""Values and shapes that strategies draw from, shared by the families beside this module."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from pyspark.ml.linalg import SparseVector

from nacre.bundle import Node
from nacre.bundle.values import Shape, Tensor
from nacre.formats.javatext import float32
from nacre.plan.types import INTEGERS, Type

Draw = Callable[..., Any]
Drawn = tuple[list[Node], dict[str, Type]]
"""Nodes in order, and the types of the raw columns they read."""

NASTY = [0.0, -0.0, 1.0, 2.0, -1.0, 0.5, 2.5, math.nan, math.inf, -math.inf, 5e-324, 1e308, 0.1, 2.0**53, 1e-5]
LABELS = ["a", "b", "", "é😀", "0.0", "-0.0", "0", "1", "2.5", "NaN", "1.0E-5", "Infinity", 'q"\\\n']
RANGES = {"byte": 7, "short": 15, "int": 31, "long": 63}
NUMBERS = ("double", "float", "boolean", *INTEGERS)

doubles = st.one_of(st.sampled_from(NASTY), st.floats())
singles = st.one_of(st.sampled_from(NASTY).map(float32), st.floats(width=32))
finite = st.floats(-1e9, 1e9).map(lambda x: x + 0.0)
texts = st.one_of(st.sampled_from(LABELS), st.text(st.characters(codec="utf-8"), max_size=4))


def integers(base: str) -> st.SearchStrategy[int]:
    top = 1 << RANGES[base]
    return st.one_of(st.integers(-3, 5), st.sampled_from([top - 1, -top]), st.integers(-top, top - 1))


def values(given: Type) -> st.SearchStrategy[Any]:
    """Values of a column: null among them."""
    if given.shape == "vector":
        assert given.size is not None
        return st.none() | st.lists(doubles, min_size=given.size, max_size=given.size).map(tuple) | sparse(given.size)
    plain = {"string": texts, "double": doubles, "float": singles, "boolean": st.booleans()}
    item = integers(given.base) if given.base in INTEGERS else plain[given.base]
    if given.shape == "list":
        return st.none() | st.lists(st.none() | item, max_size=5)
    if given.shape == "map":
        return st.none() | st.dictionaries(texts, st.none() | item, max_size=4)
    return st.none() | item


@st.composite
def sparse(draw: Draw, size: int) -> SparseVector:
    stored = sorted(draw(st.sets(st.integers(0, size - 1)))) if size else []
    return SparseVector(size, stored, [draw(doubles) for _ in stored])


def number_types() -> st.SearchStrategy[Type]:
    return st.sampled_from(NUMBERS).map(Type)


def shape(given: Type) -> Shape:
    return Shape("scalar") if given.shape == "scalar" else Shape("tensor", dims=(given.size or 0,))


def tensors(size: int, each: st.SearchStrategy[float]) -> st.SearchStrategy[Tensor]:
    return st.lists(each, min_size=size, max_size=size).map(lambda numbers: Tensor(numbers, (size,)))
