"""Nodes of regression trees and their ensembles."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nacre.bundle.values import pack
from nacre.plan.types import vector
from tests import bundles
from tests.plans.base import Draw, Drawn, doubles, finite

FEATURES = 3
features = st.integers(0, FEATURES - 1)


@st.composite
def categorical(draw: Draw) -> tuple[Any, ...]:
    count = draw(st.integers(2, 6))
    stored = draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=count - 1))
    return draw(features), tuple(map(float, sorted(stored))), draw(st.booleans()), count


def grown(wild: bool, leaves: st.SearchStrategy[Any] = finite) -> st.SearchStrategy[Any]:
    thresholds = doubles.filter(lambda x: x == x) if wild else finite
    splits = st.one_of(st.tuples(features, thresholds), categorical())
    return st.recursive(leaves, lambda below: st.tuples(splits, below, below), max_leaves=12)


@st.composite
def decision_tree_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    made = bundles.tree(draw(grown(wild)), FEATURES)
    if draw(st.booleans()):
        leaves = made.tree.feature.count(-1)
        facts = {
            "nacre.leaf_col": ("leaf", "string"), "nacre.variance_col": ("variance", "string"),
            "nacre.variances": ([draw(finite) for _ in range(leaves)], "list<double>"),
        }  # fmt: skip
        made.attributes |= {name: pack(*fact) for name, fact in facts.items()}
    return [made], {"features": vector(FEATURES)}


@st.composite
def random_forest_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    contents = draw(st.lists(grown(wild), min_size=1, max_size=4))
    weights = [1.0] * len(contents)
    return [bundles.ensemble("random_forest_regression", contents, weights, FEATURES)], {"features": vector(FEATURES)}


@st.composite
def gbt_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    contents = draw(st.lists(grown(wild), min_size=1, max_size=4))
    weights = [draw(finite) for _ in contents]
    return [bundles.ensemble("gbt_regression", contents, weights, FEATURES)], {"features": vector(FEATURES)}


STRATEGIES = [decision_tree_regression, random_forest_regression, gbt_regression]
