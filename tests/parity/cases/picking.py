"""Cases of vector_slicer and chi_sq_selector, on dense, sparse, one-hot and assembled vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, Case, vectors

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def sliced() -> Sequence[Any]:
    from pyspark.ml.feature import OneHotEncoder, VectorAssembler, VectorSlicer

    return [
        VectorSlicer(inputCol="v", outputCol="two", indices=[2, 0]),
        VectorSlicer(inputCol="two", outputCol="one", indices=[1]),
        OneHotEncoder(inputCols=["i"], outputCols=["hot"], dropLast=False),
        VectorAssembler(inputCols=["hot", "v", "x"], outputCol="all"),
        VectorSlicer(inputCol="hot", outputCol="level", names=["2", "0"]),
        VectorSlicer(inputCol="all", outputCol="some", indices=[1, 3], names=["x", "v_1", "hot_2"]),
        VectorSlicer(inputCol="some", outputCol="few", names=["hot_2", "x"]),
    ]


def selected() -> Sequence[Any]:
    from pyspark.ml.feature import ChiSqSelector, UnivariateFeatureSelector, VarianceThresholdSelector, VectorAssembler

    univariate = UnivariateFeatureSelector(
        featuresCol="v", outputCol="univariate", labelCol="y", selectionMode="numTopFeatures"
    )
    univariate.setFeatureType("continuous").setLabelType("categorical").setSelectionThreshold(2)
    return [
        ChiSqSelector(featuresCol="v", outputCol="chi", labelCol="y", numTopFeatures=2),
        univariate,
        VectorAssembler(inputCols=["v", "x"], outputCol="all"),
        VarianceThresholdSelector(featuresCol="all", outputCol="varied", varianceThreshold=0.1),
        VarianceThresholdSelector(featuresCol="v", outputCol="varied_raw", varianceThreshold=0.1),
    ]


def given() -> Columns:
    return {
        "v": (
            ("vector", 3),
            vectors(
                [1.0, 2.0, 0.5], [-0.0, 1.0, 0.0], {0: 1.0, 2: 0.5}, {}, {1: 0.0, 2: 0.0}, [NAN, INF, -INF], {0: NAN}, None,
                {0: 7.0}, [0.0, 0.0, 0.0],
            ),
        ),
        "i": ("int", [0, 1, 2, 0, 1, 2, 0, 1, 2, 2]),
        "x": ("double", [1.0, 0.0, 2.0, 0.0, 3.0, INF, -0.0, 1.0, 5.0, 0.0]),
        "y": ("double", [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]),
    }  # fmt: skip


def fitted() -> Columns:
    return {
        "v": (("vector", 3), vectors([1.0, 2.0, 5.0], [0.0, 2.0, 1.0], [1.0, 2.0, 9.0], [0.0, 2.0, 2.0])),
        "i": ("int", [0, 1, 2, 0]),
        "x": ("double", [1.0, 0.0, 2.0, 1.0]),
        "y": ("double", [0.0, 1.0, 0.0, 1.0]),
    }


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {
        "vector_slicer": [Case("slices", sliced, fitted(), given())],
        "chi_sq_selector": [Case("selectors", selected, fitted(), given())],
    }
