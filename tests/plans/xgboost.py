"""Nodes of boosters: little models of every kind that the library writes, trained once."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from nacre.plan.types import vector
from nacre.stages import REGISTRY

if TYPE_CHECKING:
    from tests.plans.base import Draw, Drawn

FEATURES = 5
KINDS: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic"},
    "multi": {"objective": "multi:softprob", "num_class": 3},
    "squared": {"objective": "reg:squarederror", "num_parallel_tree": 2, "subsample": 0.5},
    "dart": {"objective": "count:poisson", "booster": "dart", "rate_drop": 0.5},
    "linear": {"objective": "reg:squarederror", "booster": "gblinear"},
}


def training(seed: int = 0, rows: int = 60) -> np.ndarray:
    drawn = np.random.default_rng(seed)
    x = drawn.normal(size=(rows, FEATURES)).astype(np.float32)
    x[drawn.random(x.shape) < 0.2] = np.nan
    x[:, 3] = np.nan  # a feature that no tree looks at
    return x


@cache
def trained(kind: str) -> Any:
    state = random.getstate()  # the library draws from it, which hypothesis would take for a strategy's doing
    try:
        return train(kind)
    finally:
        random.setstate(state)


def train(kind: str) -> Any:
    import xgboost

    x, params = training(), dict(KINDS[kind])
    one, two, three = (np.nan_to_num(x[:, n]) for n in range(3))
    label = (one > two).astype(float) + (kind == "multi") * (three > 1)
    if params.get("booster") != "gblinear":
        params["max_depth"] = 3
    return xgboost.train({"nthread": 1, "seed": 1, **params}, xgboost.DMatrix(x, label=label), 4)


@cache
def raw(kind: str, form: str) -> bytes:
    return bytes(trained(kind).save_raw(form))


@st.composite
def booster(draw: Draw, op: str, kind: str, **values: Any) -> Any:
    ports = ["raw_prediction", "probability"] if op.endswith("classifier") else []
    ports += ["contrib_prediction"] if kind == "linear" else ["leaf_prediction", "contrib_prediction"]
    kept = draw(st.sets(st.sampled_from(ports)))
    outputs = [(port.name, port.name) for port in REGISTRY[op].outputs if port.name in {*kept, "prediction"}]
    known = {
        "num_features": FEATURES, "tree_limit": draw(st.sampled_from([0, 2])), "missing": draw(st.sampled_from([None, 0.0, 1.0])),
        "nacre.dense": draw(st.booleans()), **values,
    }  # fmt: skip
    node = REGISTRY[op].make(op, known, [("features", "features")], outputs)
    node.files["xgboost.model"] = raw(kind, draw(st.sampled_from(["ubj", "json"])))
    return node


@st.composite
def xgboost_classifier(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    kind = draw(st.sampled_from(["binary", "multi"]))
    classes = 2 if kind == "binary" else 3
    thresholds = draw(st.none() | st.lists(st.sampled_from([0.0, 0.3, 0.7]), min_size=classes, max_size=classes))
    node = draw(booster("xgboost.classifier", kind, num_classes=classes, thresholds=thresholds))
    return [node], {"features": vector(FEATURES)}


@st.composite
def xgboost_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    node = draw(booster("xgboost.regression", draw(st.sampled_from(["squared", "dart", "linear"]))))
    return [node], {"features": vector(FEATURES)}


STRATEGIES = [xgboost_classifier, xgboost_regression]
