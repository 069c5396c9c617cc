"""Nodes of the models behind a sum: naive Bayes, perceptrons, generalized and survival regression, isotonic regression,
factorization machines."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st

from nacre.bundle.values import Tensor
from nacre.plan.links import PROJECT, UNLINK
from nacre.plan.types import DOUBLE, vector
from nacre.stages import REGISTRY
from tests.plans.base import NASTY, Draw, Drawn, doubles, finite, number_types, tensors
from tests.plans.linear import coefficients, made, matrix, number, sizes, some_ports, thresholds, weights

logs = st.one_of(st.floats(-30, -1e-9), st.sampled_from([-0.1, -700.0]))
variances = st.floats(1e-9, 1e9)


@st.composite
def naive_bayes(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size, classes = draw(sizes()), draw(st.integers(1, 4))
    kind = words.get("model_type", "multinomial")
    each = st.one_of(logs, doubles) if wild else logs
    theta = draw(tensors(size * classes, each)).values
    held: dict[str, Any] = {"num_features": size, "num_classes": classes, "model_type": kind}
    held |= {"pi": draw(tensors(classes, each)), "theta": Tensor(theta, (classes, size))}
    sigma = draw(tensors(size * classes, st.one_of(variances, st.sampled_from(NASTY)) if wild else variances)).values
    held["sigma"] = Tensor(sigma, (classes, size)) if kind == "gaussian" else Tensor([], (0, 0))
    held["thresholds"] = thresholds(draw, classes)
    return made(draw, "naive_bayes", held, size)


@st.composite
def multi_layer_perceptron_classifier(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    layers = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4).filter(lambda found: found[-1] > 1))
    count = sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(layers))
    each = st.one_of(weights, doubles) if wild else st.floats(-9, 9)
    held = {"layers": layers, "weights": draw(tensors(count, each)), "thresholds": thresholds(draw, layers[-1])}
    return made(draw, "multi_layer_perceptron_classifier", held, layers[0])


@st.composite
def generalized_linear_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(sizes())
    held = {"coefficients": coefficients(draw, size, wild), "intercept": number(draw, wild)}
    held |= {"family": words.get("family", "gaussian"), "link": draw(st.none() | st.sampled_from(list(UNLINK)))}
    return made(draw, "generalized_linear_regression", held, size)


@st.composite
def power_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size, op = draw(sizes()), "nacre.generalized_linear_regression"
    held: dict[str, Any] = {"coefficients": coefficients(draw, size, wild), "intercept": number(draw, wild)}
    held["family"] = draw(st.sampled_from(list(PROJECT)))
    held["link"] = draw(st.sampled_from([*UNLINK, "power"]))
    held["link_power"] = draw(st.sampled_from([0.0, 1.0, -1.0, 0.5, -0.5, 0.3, 2.0, -3.0]))
    kinds = {"v": vector(size)}
    inputs = [("features", "v")]
    if draw(st.booleans()):
        kinds["o"] = draw(number_types())
        inputs.append(("offset", "o"))
    return [REGISTRY[op].make(op, held, inputs, some_ports(draw, op))], kinds


@st.composite
def aft_survival_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(sizes())
    held = {"coefficients": coefficients(draw, size, wild), "intercept": number(draw, wild)}
    held["quantile_probabilities"] = draw(st.lists(st.floats(0.001, 0.999), max_size=4, min_size=not wild))
    held["scale"] = draw(doubles if wild else st.floats(0.01, 9))
    return made(draw, "aft_survival_regression", held, size)


@st.composite
def isotonic_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    count, size = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    ends = draw(st.lists(st.one_of(st.sampled_from(NASTY), finite) if wild else finite, min_size=count, max_size=count))
    held: dict[str, Any] = {
        "boundaries": sorted(ends, key=str) if wild else sorted(ends),
        "isotonic": draw(st.booleans()),
    }
    held["predictions"] = draw(st.lists(doubles if wild else finite, min_size=count, max_size=count))
    index = draw(st.none() | st.integers(0, size - 1))
    node = REGISTRY["isotonic_regression"].make(
        "isotonic", {**held, "feature_index": index}, [("features", "v")], [("prediction", "out")]
    )
    return [node], {"v": vector(size) if index is not None else draw(number_types()) if wild else DOUBLE}


def factors(draw: Draw, wild: bool) -> tuple[int, dict[str, Any]]:
    size, count = draw(sizes()), draw(st.integers(0, 3))
    held = {"intercept": number(draw, wild), "linear": coefficients(draw, size, wild)}
    return size, {**held, "factors": matrix(draw, size, count, wild)}


@st.composite
def fm_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size, held = factors(draw, wild)
    return made(draw, "nacre.fm_regression", held, size)


@st.composite
def fm_classifier(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size, held = factors(draw, wild)
    return made(draw, "nacre.fm_classifier", {**held, "thresholds": thresholds(draw, 2)}, size)


power_regression.__name__ = "nacre_generalized_linear_regression"
fm_regression.__name__ = "nacre_fm_regression"
fm_classifier.__name__ = "nacre_fm_classifier"

STRATEGIES = [
    naive_bayes, multi_layer_perceptron_classifier, generalized_linear_regression, power_regression,
    aft_survival_regression, isotonic_regression, fm_regression, fm_classifier,
]  # fmt: skip
