"""Nodes of one_vs_rest around classifiers of several ops."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nacre.bundle.values import Tensor
from nacre.plan.types import vector
from nacre.stages import REGISTRY
from tests import bundles
from tests.plans.base import Draw, Drawn, finite
from tests.plans.treeclassifiers import trees
from tests.plans.trees import FEATURES


@st.composite
def sub_model(draw: Draw, name: str, wild: bool) -> Any:
    if draw(st.booleans()):
        known = {"num_features": FEATURES, "num_classes": 2}
        return bundles.member("decision_tree_classifier", known, name, draw(trees(wild, 2)))
    numbers = Tensor([draw(finite) for _ in range(FEATURES)], (FEATURES,))
    values = {"coefficients": numbers, "intercept": draw(finite), "threshold": 0.0, "num_classes": 2}
    return REGISTRY["linear_svc"].make(name, values, [], [])


@st.composite
def one_vs_rest(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    models = [draw(sub_model(f"model{n}", wild)) for n in range(draw(st.integers(1, 3)))]
    ports = draw(st.sampled_from([("raw_prediction", "prediction"), ("prediction",), ("probability", "prediction")]))
    if any(model.op == "linear_svc" for model in models):
        ports = ports[-1:] if "probability" in ports else ports
    values = {"num_classes": len(models), "num_features": FEATURES}
    node = REGISTRY["one_vs_rest"].make("ovr", values, [("features", "features")], [(port, port) for port in ports])
    node.members = models
    return [node], {"features": vector(FEATURES)}


STRATEGIES = [one_vs_rest]
