"""Every way of running trees over many rows gives the leaf that a plain walk of one row reaches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.plan import bitslices, descent, forest, rowcode, ways
from nacre.plan.bitslices import Group
from nacre.plan.descent import Descent
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


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(plans, matrices)
def test_one_tree(plan: TreePlan, matrix: np.ndarray) -> None:
    wanted = walked(plan, matrix)
    assert plan.evaluate(matrix).tolist() == wanted
    assert [each.tolist() for each in Descent([plan]).evaluate(matrix)] == [wanted]
    if plan.depth <= ways.DEEPEST:
        assert [each.tolist() for each in Group([plan]).evaluate(matrix)] == [wanted]


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.lists(plans, min_size=1, max_size=6), matrices)
def test_a_forest(plans: list[TreePlan], matrix: np.ndarray) -> None:
    wanted = [walked(plan, matrix) for plan in plans]
    assert Forest(plans).columns(matrix, stacked).tolist() == wanted
    together = Descent(plans)
    assert stacked(together.evaluate(matrix)).tolist() == wanted
    assert [together.one(row) for row in matrix.T.tolist()] == stacked(wanted).T.tolist()


@pytest.mark.parametrize("depth", [1, 7, 8, 9, ways.DEEPEST, ways.DEEPEST + 1])
def test_full_trees(depth: int) -> None:
    """A way of up to 8 digits fits a byte, one of more does not; rows are followed down as well as through logic."""
    plan, matrix = tree(full(depth)), np.random.default_rng(1).normal(size=(FEATURES, 3001))
    wanted = walked(plan, matrix)
    assert plan.evaluate(matrix).tolist() == wanted
    assert [each.tolist() for each in Group([plan]).evaluate(matrix)] == [wanted]
    assert [each.tolist() for each in Descent([plan]).evaluate(matrix)] == [wanted]


def test_blocks_and_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a block, more tests than a group, trees too deep between others."""
    monkeypatch.setattr(forest, "BLOCK", 100)
    monkeypatch.setattr(descent, "AT_ONCE", 150)
    monkeypatch.setattr(ways, "TESTS", 30)
    monkeypatch.setattr(ways, "DEEPEST", 5)
    every = [tree(full(depth, seed)) for seed, depth in enumerate([3, 4, 4, 6, 2, 5, 7, 0])]
    matrix = np.random.default_rng(2).normal(size=(FEATURES, 1234))
    made = Forest(every)
    found = made.columns(matrix, stacked)
    assert found.tolist() == [walked(plan, matrix) for plan in every]
    parts = [len(part.trees) if isinstance(part, Group) else f"down {part.depth}" for part in ways.ways(every)]
    assert parts == [2, 1, "down 6", 1, 1, "down 7", 1]
    total = made.columns(matrix, lambda payloads: sum(payloads, np.zeros_like(payloads[0])))
    assert total.tolist() == found.sum(axis=0).tolist()


def test_trees_that_share_no_tests_are_followed_down() -> None:
    alone = tree(full(9))
    assert [type(part) for part in ways.ways([alone] * 20)] == [Group]
    assert [type(part) for part in ways.ways([alone])] == [Descent]
    assert [type(part) for part in ways.ways([tree(full(9, seed)) for seed in range(6)])] == [Descent] * 2


@pytest.mark.parametrize("count", [3, forest.MANY])
def test_one_row_through_a_big_forest(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many nodes for source: few trees one after the other, many at once."""
    monkeypatch.setattr(forest, "NODES", 10)
    every = [tree(full(depth % 5, depth)) for depth in range(count)]
    code = rowcode.RowCode()
    code.line("a, b, c, d = r")
    code.line(f"return ({', '.join(Forest(every).row(code, ['a', 'b', 'c', 'd']))},)")
    single = code.function("row", "r")
    for row in np.random.default_rng(3).normal(size=(20, FEATURES)).tolist():
        assert single(row) == tuple(plan.walker()(row) for plan in every)
