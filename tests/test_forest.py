"""Every way of running trees over many rows gives the leaf that a plain walk of one row reaches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.plan import bitslices, forest
from nacre.plan.bitslices import Group
from nacre.plan.forest import Forest, TreePlan
from tests import bundles

Draw = Callable[..., Any]
FEATURES = 4
NASTY = [0.0, -0.0, 1.0, 2.0, 3.0, -1.0, 0.5, math.nan, math.inf, -math.inf, 5e-324, 2.0**53, 1e300]
MANY = bitslices.FEW + 3

numbers = st.sampled_from(NASTY)
thresholds = st.one_of(numbers, st.floats()).filter(lambda x: x == x)
stored = st.sets(st.one_of(st.integers(0, MANY).map(float), thresholds), max_size=MANY).map(tuple)
features = st.integers(0, FEATURES - 1)
splits = st.one_of(
    st.tuples(features, thresholds),
    st.tuples(features, stored, st.booleans(), st.integers(0, MANY)),
)


def tree(content: Any, mleap: bool = False) -> TreePlan:
    """A plan whose payload tells the leaves apart."""
    flat = bundles.tree_of(content)
    return TreePlan(flat, [float(node) for node in range(len(flat))], mleap)


def grown(leaves: int) -> st.SearchStrategy[Any]:
    return st.recursive(st.just(0.0), lambda below: st.tuples(splits, below, below), max_leaves=leaves)


@st.composite
def chain(draw: Draw) -> Any:
    """A tree as deep as its splits are many, bending left and right."""
    content: Any = 0.0
    for split, bend in draw(st.lists(st.tuples(splits, st.booleans()), min_size=5, max_size=30)):
        content = (split, content, 0.0) if bend else (split, 0.0, content)
    return content


def full(depth: int, seed: int = 0) -> Any:
    """A tree with every split of its depth."""
    random = np.random.default_rng(seed)

    def below(level: int) -> Any:
        if level == depth:
            return 0.0
        return ((int(random.integers(FEATURES)), float(random.normal())), below(level + 1), below(level + 1))

    return below(0)


plans = st.tuples(st.one_of(grown(20), chain()), st.booleans()).map(lambda drawn: tree(*drawn))
matrices = st.integers(0, 20).flatmap(
    lambda rows: st.lists(st.lists(numbers, min_size=rows, max_size=rows), min_size=FEATURES, max_size=FEATURES)
).map(lambda columns: np.array(columns, np.float64).reshape(FEATURES, -1))  # fmt: skip


def walked(plan: TreePlan, matrix: np.ndarray) -> list[float]:
    walk = plan.walker()
    return [walk(row) for row in matrix.T.tolist()]


def stacked(payloads: Sequence[np.ndarray]) -> np.ndarray:
    return np.array(payloads)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(plans, matrices)
def test_one_tree(plan: TreePlan, matrix: np.ndarray) -> None:
    wanted = walked(plan, matrix)
    assert plan.evaluate(matrix).tolist() == wanted
    assert plan.walk_down(matrix).tolist() == wanted


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(plans, min_size=1, max_size=6), matrices)
def test_a_forest(plans: list[TreePlan], matrix: np.ndarray) -> None:
    found = Forest(plans).columns(matrix, stacked)
    assert found.tolist() == [walked(plan, matrix) for plan in plans]


@pytest.mark.parametrize("depth", [1, 7, 8, 9, bitslices.DEEPEST, bitslices.DEEPEST + 1])
def test_full_trees(depth: int) -> None:
    """A way of up to 8 digits fits a byte, one of more does not; beyond DEEPEST rows are followed."""
    plan, matrix = tree(full(depth)), np.random.default_rng(1).normal(size=(FEATURES, 3001))
    assert plan.evaluate(matrix).tolist() == plan.walk_down(matrix).tolist() == walked(plan, matrix)


def test_blocks_and_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a block, more tests than a group, trees too deep between others."""
    monkeypatch.setattr(forest, "BLOCK", 100)
    monkeypatch.setattr(bitslices, "TESTS", 30)
    monkeypatch.setattr(forest, "DEEPEST", 5)
    every = [tree(full(depth, seed)) for seed, depth in enumerate([3, 4, 4, 6, 2, 5, 7, 0])]
    matrix = np.random.default_rng(2).normal(size=(FEATURES, 1234))
    made = Forest(every)
    found = made.columns(matrix, stacked)
    assert found.tolist() == [walked(plan, matrix) for plan in every]
    sizes = [len(part.trees) if isinstance(part, Group) else part.depth for part in made._split()]
    assert sizes == [2, 1, 6, 1, 1, 7, 1]
    total = made.columns(matrix, lambda payloads: sum(payloads, np.zeros_like(payloads[0])))
    assert total.tolist() == found.sum(axis=0).tolist()
