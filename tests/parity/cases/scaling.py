"""Cases of standard_scaler and min_max_scaler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, TINY, Case, random_vectors, vectors, wide

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def scaling() -> Columns:
    """Vectors of four entries, the last one constant when fitted."""
    return {
        "v": (
            ("vector", 4),
            [
                *vectors([1.0, -2.0, 0.1, 5.0], [3.0, 7.5, 0.7, 5.0], [0.3, 0.1, 1e10, 5.0], [0.3, 0.1, -1e-10, 5.0]),
                *wide(4, {3: 5.0}),
            ],
        )
    }


def scaled() -> Columns:
    dense = vectors(
        [1.0, -2.0, 0.1, 5.0], [0.3, 0.1, 0.7, -5.0], [-0.0, -0.0, -0.0, -0.0], [NAN, INF, -INF, NAN],
        [1e308, -1e308, TINY, INF], [0.2, 0.30000000000000004, 3.3, 0.0], None, [0.0, 0.0, 0.0, 5.0],
    )  # fmt: skip
    return {"v": (("vector", 4), [*dense, *wide(4, {}, {0: 1.0}, {1: 0.0, 2: -0.0}, {1: 7.7, 3: NAN}, {3: -5.0})])}


def standard_scalers() -> Sequence[Any]:
    from pyspark.ml.feature import StandardScaler

    both = [(True, True), (True, False), (False, True), (False, False)]
    return [
        StandardScaler(inputCol="v", outputCol=f"mean{mean:d}std{std:d}", withMean=mean, withStd=std)
        for mean, std in both
    ]


def robust_scalers() -> Sequence[Any]:
    from pyspark.ml.feature import RobustScaler

    both = [(True, True), (True, False), (False, True), (False, False)]
    return [
        RobustScaler(inputCol="v", outputCol=f"c{centre:d}s{scale:d}", withCentering=centre, withScaling=scale)
        for centre, scale in both
    ]


def min_max_scalers() -> Sequence[Any]:
    from pyspark.ml.feature import MinMaxScaler, StandardScaler

    return [
        MinMaxScaler(inputCol="v", outputCol="unit"),
        MinMaxScaler(inputCol="v", outputCol="other", min=-1.1, max=3.3),
        StandardScaler(inputCol="v", outputCol="s", withMean=False, withStd=True),
        MinMaxScaler(inputCol="s", outputCol="chained", min=0.1, max=0.7),
    ]


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    random = {"v": (("vector", 4), random_vectors(24, 4, 3))}
    return {
        "standard_scaler": [
            Case("edges", standard_scalers, scaling(), scaled()),
            Case("random", standard_scalers, random, random),
            Case("robust", robust_scalers, scaling(), scaled()),
        ],
        "min_max_scaler": [
            Case("edges", min_max_scalers, scaling(), scaled()),
            Case("random", min_max_scalers, random, random),
        ],
    }
