"""Cases of the models behind a sum: naive Bayes, perceptrons, generalized and survival regression, isotonic regression,
factorization machines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.parity.built import built
from tests.parity.cases.base import INF, NAN, TINY, Case, vectors, wide
from tests.parity.cases.linear import COMBINATIONS, NOTHING, SHOWN, dense, hurt, named, numbers, scattered

if TYPE_CHECKING:
    from tests.parity.frames import Columns

EACH = [0.3, 0.2, 0.5]
LINKS = {
    "gaussian": ("identity", "log", "inverse"),
    "binomial": ("logit", "probit", "cloglog"),
    "poisson": ("log", "identity", "sqrt"),
    "gamma": ("inverse", "identity", "log"),
}
TWEEDIE: list[dict[str, float]] = [
    {"variancePower": 1.5}, {"variancePower": 1.5, "linkPower": 0.0}, {"variancePower": 1.2, "linkPower": -1.0},
    {"variancePower": 3.0, "linkPower": 0.3}, {"variancePower": 0.0}, {"variancePower": 1.0}, {"variancePower": 2.0},
    {"variancePower": 0.0, "linkPower": 0.5}, {"variancePower": 1.0, "linkPower": 2.0}, {"variancePower": 0.0, "linkPower": -2.0},
]  # fmt: skip


def counts() -> Columns:
    """What counts may be, and what naive Bayes refuses."""
    rows = [
        [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [-0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [2.0, 0.5, 1e6], [-1.0, 0.0, 1.0],
        [0.0, NAN, 1.0], [INF, 0.0, 1.0], [1.0, -INF, NAN], [TINY, 1.0, 1.0], [1e300, 1e300, 0.1],
    ]  # fmt: skip
    return {
        "features": (
            ("vector", 3),
            [*vectors(*rows), None, *wide(3, {}, {1: 1.0}, {0: -0.5}, {2: NAN}, {1: 0.0, 2: 1.0})],
        )
    }


def bayes(kind: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        random = np.random.default_rng(8)
        pi = dense(np.log(np.array(EACH)))
        theta = random.normal(size=(3, 3)) if kind == "gaussian" else np.log(random.dirichlet([1, 2, 3], 3))
        sigma = dense(random.uniform(0.1, 3.0, (3, 3)) if kind == "gaussian" else np.zeros((0, 0)))
        shown = COMBINATIONS if kind == "gaussian" else SHOWN[:1]
        models = [({}, each) for each in shown] + [({"thresholds": [0.5, 0.0, 0.1]}, each) for each in SHOWN[:2]]
        return [
            built(
                "classification.NaiveBayesModel", pi, dense(theta), sigma, modelType=kind, **params, **named(n, *each)
            )
            for n, (params, each) in enumerate(models)
        ]

    return stages


def fitted_bayes() -> Sequence[Any]:
    from pyspark.ml.classification import NaiveBayes

    return [NaiveBayes(**named(0, True, True, True))]


def perceptron(*layers: int) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        count = sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(layers))
        weights = dense(np.random.default_rng(9).normal(size=count))
        chosen = [({}, each) for each in COMBINATIONS] + [
            ({"thresholds": EACH}, SHOWN[n]) for n in (0, 3) if layers[-1] == 3
        ]
        return [
            built(
                "classification.MultilayerPerceptronClassificationModel",
                weights,
                layers=list(layers),
                **params,
                **named(n, *each),
            )
            for n, (params, each) in enumerate(chosen)
        ]

    return stages


def generalized(*chosen: dict[str, Any]) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        name, coefficients = "regression.GeneralizedLinearRegressionModel", dense(numbers(3) / 3.0)
        return [
            built(name, coefficients, 0.4, predictionCol=f"y{n}", linkPredictionCol=f"eta{n}", **params)
            for n, params in enumerate(chosen)
        ]

    return stages


def ports_of_generalized() -> Sequence[Any]:
    name, coefficients = "regression.GeneralizedLinearRegressionModel", dense(numbers(40) / 3.0)
    return [
        built(name, coefficients, 0.4, family="poisson"),
        built(name, coefficients, 0.4, family="Gamma", link="Log", predictionCol="", linkPredictionCol="eta"),
        built(name, coefficients, 0.4, family="gamma", predictionCol="y"),
    ]


def shifted(size: int) -> Columns:
    """Rows with an offset: null, NaN and endless among them."""
    features = hurt(size)["features"]
    offsets = [0.0, 1.5, None, NAN, INF, -1e6]
    return {"features": features, "offset": ("double", [offsets[n % 6] for n in range(len(features[1]))])}


def offsets() -> Sequence[Any]:
    chosen: list[dict[str, Any]] = [
        {"family": "poisson"}, {"family": "binomial", "link": "probit"}, {"family": "tweedie", "variancePower": 1.5},
        {"family": "gaussian", "predictionCol": ""},
    ]  # fmt: skip
    name, coefficients = "regression.GeneralizedLinearRegressionModel", dense(numbers(3) / 3.0)
    return [
        built(
            name, coefficients, 0.4,
            **{"predictionCol": f"y{n}", "linkPredictionCol": f"eta{n}", "offsetCol": "offset", **params},
        )
        for n, params in enumerate(chosen)
    ]  # fmt: skip


def survival() -> Sequence[Any]:
    name, coefficients = "regression.AFTSurvivalRegressionModel", dense(numbers(3) / 3.0)
    return [
        built(name, coefficients, 0.4, 0.7, quantilesCol="q"),
        built(name, coefficients, 0.4, 1.3, predictionCol="", quantilesCol="r", quantileProbabilities=[0.5]),
        built(name, coefficients, 0.4, 1.0, predictionCol="s"),
        built(name, coefficients, 0.4, 1.0, predictionCol="t", quantilesCol=""),
    ]


def isotonic() -> Sequence[Any]:
    from pyspark.ml.regression import IsotonicRegression

    return [
        IsotonicRegression(predictionCol="up", featureIndex=1),
        IsotonicRegression(predictionCol="down", isotonic=False),
    ]


def steps() -> Columns:
    x = [0.0, 0.5, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0]
    label = [1.0, 0.2, 0.4, 0.9, 3.0, 2.5, 2.0, 7.0, 6.5]
    return {"features": ("double", x), "label": ("double", label)}


def on_vectors(columns: Columns) -> Columns:
    pairs = [None if value is None else [value, value] for value in columns["features"][1]]
    return {**columns, "features": (("vector", 2), vectors(*pairs))}


STEPPED: Columns = {
    "features": ("double", [0.0, -0.0, 0.25, 0.5, 0.7, 1.25, 3.9, 4.0, 5.0, -1.0, NAN, INF, -INF, None, TINY, 1e308])
}


def factorized(name: str, *choices: dict[str, Any]) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        linear, factors = dense(numbers(3)), dense(np.random.default_rng(3).normal(size=(3, 4)))
        return [built(name, 0.3, linear, factors, **params) for params in choices]

    return stages


def scattered_factors() -> Sequence[Any]:
    linear, factors = dense(numbers(5000)), dense(np.random.default_rng(3).normal(size=(5000, 2)))
    return [built("regression.FMRegressionModel", 0.3, linear, factors)]


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    learnt = {**counts(), "label": ("double", [0.0, 1.0, 0.0])}
    learnt["features"] = (("vector", 3), vectors([0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [3.0, 0.0, 0.0]))
    pairs = [{"family": family, "link": link} for family, links in LINKS.items() for link in links]
    defaults: list[dict[str, Any]] = [{"family": family} for family in LINKS]
    tweedie: list[dict[str, Any]] = [{"family": "tweedie", **params} for params in TWEEDIE]
    classified = [named(n, *each) for n, each in enumerate(COMBINATIONS)]
    with_thresholds = {**named(9, True, True, True), "thresholds": [0.7, 0.1]}
    return {
        "naive_bayes": [
            *(
                Case(kind, bayes(kind), NOTHING, counts())
                for kind in ("multinomial", "bernoulli", "complement", "gaussian")
            ),
            Case("gaussian-hurt", bayes("gaussian"), NOTHING, hurt(3)),
            Case("fitted", fitted_bayes, learnt, counts()),
        ],
        "multi_layer_perceptron_classifier": [
            Case("two-layers", perceptron(3, 3), NOTHING, hurt(3)),
            Case("three-layers", perceptron(3, 5, 2), NOTHING, hurt(3)),
            Case("four-layers", perceptron(20, 18, 4, 3), NOTHING, hurt(20)),
        ],
        "generalized_linear_regression": [
            Case("links", generalized(*pairs, *defaults), NOTHING, hurt(3)),
            Case("tweedie", generalized(*tweedie), NOTHING, hurt(3)),
            Case("ports", ports_of_generalized, NOTHING, hurt(40)),
        ],
        "nacre.generalized_linear_regression": [
            Case("offset", offsets, {**NOTHING, "offset": ("double", [0.0])}, shifted(3)),
        ],
        "aft_survival_regression": [Case("quantiles", survival, NOTHING, hurt(3))],
        "isotonic_regression": [
            Case("number", isotonic, steps(), STEPPED),
            Case("vector", isotonic, on_vectors(steps()), on_vectors(STEPPED)),
        ],
        "nacre.fm_regression": [
            Case("narrow", factorized("regression.FMRegressionModel", {}, {"predictionCol": ""}), NOTHING, hurt(3)),
            Case("sparse", scattered_factors, NOTHING, scattered(5000)),
        ],
        "nacre.fm_classifier": [
            Case(
                "ports",
                factorized("classification.FMClassificationModel", *classified, with_thresholds),
                NOTHING,
                hurt(3),
            )
        ],
    }
