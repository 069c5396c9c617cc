"""Cases of the linear models: narrow, wide, sparse, and every combination of output columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.parity.built import built
from tests.parity.cases.base import INF, NAN, TINY, Case, random_vectors, vectors, wide

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def hurt(size: int) -> Columns:
    """Vectors of `size` entries with everything that a sum may meet."""
    dense = [
        [1.0] * size, [0.0] * size, [-0.0] * size, [NAN] * size, [INF] * size, [-INF] * size, [TINY] * size,
        [1e300, *[0.1] * (size - 1)], [*[0.1] * (size - 1), -INF], [0.3, NAN, *[0.7] * (size - 2)],
        [1e6, *[-1e6] * (size - 1)], [-1e6, *[1e6] * (size - 1)],
    ]  # fmt: skip
    sparse = wide(size, {}, {0: 1.0}, {1: 0.0, size - 1: -0.0}, {1: 7.7, size - 1: NAN}, {size - 1: -5.0}, {0: INF})
    near = (np.random.default_rng(2).normal(size=(12, size))).tolist()
    values = [*vectors(*dense), None, *sparse, *vectors(*near), *random_vectors(4, size, 3)]
    return {"features": (("vector", size), values)}


def scattered(size: int) -> Columns:
    """A few stored entries in wide sparse vectors."""
    random = np.random.default_rng(4)
    rows = [{int(i): float(random.normal()) for i in random.choice(size, 30, replace=False)} for _ in range(8)]
    return {"features": (("vector", size), wide(size, {}, *rows))}


NOTHING: Columns = {"features": (("vector", 1), vectors([0.0]))}
"""What models that are made, not fitted, are "fitted" on."""


def named(number: int, raw: bool, probability: bool, prediction: bool) -> dict[str, str]:
    """Output columns, those not asked for empty."""
    return {
        "rawPredictionCol": f"raw{number}" if raw else "",
        "probabilityCol": f"probability{number}" if probability else "",
        "predictionCol": f"prediction{number}" if prediction else "",
    }


SHOWN = [(True, True, True), (False, True, True), (True, False, True), (False, False, True)]
COMBINATIONS = [each for each in product((True, False), repeat=3) if any(each)]


def numbers(*shape: int, seed: int = 6) -> np.ndarray:
    """Coefficients of several sizes, one of them zero."""
    random = np.random.default_rng(seed)
    found: np.ndarray = random.normal(size=shape) * 10.0 ** random.integers(-2, 2, size=shape)
    found.flat[-1] = 0.0
    return found


def dense(values: np.ndarray) -> Any:
    """A vector, or a matrix held row by row, as Spark's own fits leave one."""
    from pyspark.ml.linalg import DenseMatrix, Vectors

    if values.ndim == 1:
        return Vectors.dense(values.tolist())
    return DenseMatrix(*values.shape, values.ravel().tolist(), isTransposed=True)


def linear(size: int) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        name, coefficients = "regression.LinearRegressionModel", dense(numbers(size))
        return [
            built(name, coefficients, 0.7, 1.0),
            built(name, coefficients, 0.0, 1.0, predictionCol="through_zero"),
            built(name, coefficients, -1e6, 2.5, predictionCol="huber"),
            built(name, coefficients, 1.0, 1.0, predictionCol=""),
        ]

    return stages


def logistic(size: int, classes: int, multinomial: bool, *choices: dict[str, Any]) -> Callable[[], Sequence[Any]]:
    """A model for each choice of thresholds and each combination of output columns."""

    def stages() -> Sequence[Any]:
        rows = classes if multinomial else 1
        matrix, intercepts = dense(numbers(rows, size)), dense(numbers(rows, seed=7))
        shown = COMBINATIONS if choices == ({},) else SHOWN
        return [
            built(
                "classification.LogisticRegressionModel",
                matrix,
                intercepts,
                classes,
                multinomial,
                **params,
                **named(n, *each),
            )
            for n, (params, each) in enumerate(product(choices, shown))
        ]

    return stages


def one_class() -> Sequence[Any]:
    """What a fit on a single label gives."""
    name, zeros = "classification.LogisticRegressionModel", dense(np.zeros((1, 3)))
    return [
        built(name, zeros, dense(np.array([-INF])), 1, False, **named(0, True, True, True)),
        built(name, zeros, dense(np.array([INF])), 1, True, **named(1, True, True, True)),
    ]


def fitted() -> Sequence[Any]:
    from pyspark.ml.classification import LinearSVC, LogisticRegression
    from pyspark.ml.regression import LinearRegression

    return [
        LinearRegression(maxIter=1, solver="l-bfgs", predictionCol="y"),
        LogisticRegression(maxIter=1, thresholds=[0.3, 0.4], **named(0, True, True, True)),
        LinearSVC(maxIter=1, rawPredictionCol="margin", predictionCol="side"),
    ]


def vector_machines(size: int) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        name, coefficients = "classification.LinearSVCModel", dense(numbers(size))
        return [
            built(name, coefficients, 0.5),
            built(name, coefficients, -0.5, rawPredictionCol="", predictionCol="plain", threshold=0.25),
            built(name, coefficients, 0.0, rawPredictionCol="raw", predictionCol=""),
            built(name, coefficients, 0.0, rawPredictionCol="endless", predictionCol="never", threshold=INF),
        ]

    return stages


TWO: list[dict[str, Any]] = [
    {"threshold": 0.0}, {"threshold": 1.0}, {"threshold": 0.3}, {"thresholds": [0.2, 0.9]}, {"thresholds": [0.0, 1.0]},
    {"thresholds": [1.0, 0.0]},
]  # fmt: skip
FAMILY: list[dict[str, Any]] = [{}, {"thresholds": [0.2, 0.9]}, {"thresholds": [0.0, 0.9]}]
THREE: list[dict[str, Any]] = [{"thresholds": each} for each in ([0.1, 0.5, 0.4], [0.0, 0.5, 0.4], [0.3, 0.2, 0.0])]


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    scatter = scattered(5000)
    learnt = {**hurt(2), "label": ("double", [0.0, 1.0])}
    learnt["features"] = (("vector", 2), vectors([0.0, 1.0], [1.0, -0.5]))
    return {
        "linear_regression": [
            Case("narrow", linear(3), NOTHING, hurt(3)),
            Case("wide", linear(40), NOTHING, hurt(40)),
            Case("sparse", linear(5000), NOTHING, scatter),
        ],
        "logistic_regression": [
            Case("fitted", fitted, learnt, hurt(2)),
            Case("two", logistic(3, 2, False, {}), NOTHING, hurt(3)),
            Case("two-wide", logistic(40, 2, False, {}), NOTHING, hurt(40)),
            Case("two-sparse", logistic(5000, 2, False, {}), NOTHING, scatter),
            Case("thresholds", logistic(3, 2, False, *TWO), NOTHING, hurt(3)),
            Case("several", logistic(3, 4, True, {}), NOTHING, hurt(3)),
            Case("several-wide", logistic(40, 3, True, {}), NOTHING, hurt(40)),
            Case("several-sparse", logistic(5000, 3, True, {}), NOTHING, scatter),
            Case("several-thresholds", logistic(3, 3, True, *THREE), NOTHING, hurt(3)),
            Case("family-of-two", logistic(3, 2, True, *FAMILY), NOTHING, hurt(3)),
            Case("one-class", one_class, NOTHING, hurt(3)),
        ],
        "linear_svc": [
            Case("narrow", vector_machines(3), NOTHING, hurt(3)),
            Case("wide", vector_machines(40), NOTHING, hurt(40)),
        ],
    }
