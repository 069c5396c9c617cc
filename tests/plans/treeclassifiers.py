"""Nodes of classification trees and their ensembles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from nacre.plan.types import vector
from nacre.stages import REGISTRY
from tests import bundles
from tests.plans.base import Draw, Drawn, finite
from tests.plans.trees import FEATURES, grown

if TYPE_CHECKING:
    from nacre.bundle import Node

PORTS = ("raw_prediction", "probability", "prediction")
counts = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 7.0]), st.floats(0.0, 1e9))


@st.composite
def classifier(draw: Draw, op: str, classes: int, wild: bool, **values: Any) -> Node:
    """A classifier's node without its trees: any of its ports but, where MLeap wants it, the prediction."""
    absent = draw(st.sets(st.sampled_from(PORTS if wild else PORTS[:2])))
    limits = st.one_of(st.sampled_from([0.0, -0.0]), st.floats(0.1, 2.0))
    thresholds = draw(st.none() | st.lists(limits, min_size=classes, max_size=classes))
    leaf = draw(st.none() | st.just("leaf"))
    absent -= {"prediction"} if len(absent) == len(PORTS) else set()
    known = {"num_features": FEATURES, "num_classes": classes, "thresholds": thresholds, "nacre.leaf_col": leaf}
    outputs = [(port, port) for port in PORTS if port not in absent]
    return REGISTRY[op].make(op, {**known, **values}, [("features", "features")], outputs)


def trees(wild: bool, classes: int) -> st.SearchStrategy[Any]:
    leaf = st.lists(counts, min_size=classes, max_size=classes).map(lambda each: {"leaf": tuple(each)})
    return grown(wild, leaf)


@st.composite
def decision_tree_classifier(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    classes = draw(st.integers(1 if wild else 2, 4))
    node = draw(classifier("decision_tree_classifier", classes, wild))
    node.tree = bundles.tree_of(draw(trees(wild, classes)))
    return [node], {"features": vector(FEATURES)}


@st.composite
def random_forest_classifier(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    classes = draw(st.integers(1 if wild else 2, 4))
    contents = draw(st.lists(trees(wild, classes), min_size=1, max_size=4))
    names = [f"tree{n}" for n in range(len(contents))]
    values = {"tree_weights": [1.0] * len(names), "trees": names}
    node = draw(classifier("random_forest_classifier", classes, wild, **values))
    known = {"num_features": FEATURES, "num_classes": classes}
    node.members = [
        bundles.member("decision_tree_classifier", known, *each) for each in zip(names, contents, strict=True)
    ]
    return [node], {"features": vector(FEATURES)}


@st.composite
def gbt_classifier(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    contents = draw(st.lists(grown(wild), min_size=1, max_size=4))
    names = [f"tree{n}" for n in range(len(contents))]
    values = {"tree_weights": [draw(finite) for _ in names], "trees": names, **words}
    node = draw(classifier("gbt_classifier", 2, wild, **values))
    known = {"num_features": FEATURES}
    node.members = [
        bundles.member("decision_tree_regression", known, *each) for each in zip(names, contents, strict=True)
    ]
    return [node], {"features": vector(FEATURES)}


STRATEGIES = [decision_tree_classifier, random_forest_classifier, gbt_classifier]
