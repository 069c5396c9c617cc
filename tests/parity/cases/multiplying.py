"""Cases of max_abs_scaler, elementwise_product and normalizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, TINY, Case, random_vectors
from tests.parity.cases.scaling import scaled, scaling

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def max_abs_scalers() -> Sequence[Any]:
    from pyspark.ml.feature import MaxAbsScaler

    return [MaxAbsScaler(inputCol="v", outputCol="out")]


def products() -> Sequence[Any]:
    from pyspark.ml.feature import ElementwiseProduct, VectorAssembler
    from pyspark.ml.linalg import Vectors

    weights = {
        "plain": Vectors.dense(0.1, -2.0, 3.3, 0.0),
        "odd": Vectors.dense(-0.0, INF, NAN, -INF),
        "sparse": Vectors.sparse(4, {1: 0.7, 3: TINY}),
    }
    scalers = [ElementwiseProduct(inputCol="v", outputCol=name, scalingVec=w) for name, w in weights.items()]
    assembled = VectorAssembler(inputCols=["v", "x"], outputCol="w", handleInvalid="keep")
    five = ElementwiseProduct(inputCol="w", outputCol="last", scalingVec=Vectors.dense(-1.0, -2.0, NAN, INF, -3.0))
    return [*scalers, assembled, five]


def normalizers() -> Sequence[Any]:
    from pyspark.ml.feature import ElementwiseProduct, Normalizer, VectorAssembler
    from pyspark.ml.linalg import Vectors

    norms = [Normalizer(inputCol="v", outputCol=f"p{p}", p=p) for p in (1.0, 2.0, INF)]
    assembled = VectorAssembler(inputCols=["v", "x"], outputCol="w", handleInvalid="keep")
    scaler = ElementwiseProduct(inputCol="w", outputCol="s", scalingVec=Vectors.dense(1.0, -2.0, 3.0, 1.0, 1.0))
    return [*norms, assembled, scaler, Normalizer(inputCol="s", outputCol="last", p=2.0)]


def powers() -> Sequence[Any]:
    from pyspark.ml.feature import Normalizer

    return [Normalizer(inputCol="v", outputCol=f"p{n}", p=p) for n, p in enumerate((3.0, 1.5, 7.25, 1e300))]


def with_numbers(columns: Columns) -> Columns:
    return {**columns, "x": ("double", [0.0])}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    score: Columns = {"v": (("vector", 4), [*scaled()["v"][1], *random_vectors(20, 4, 5)])}
    return {
        "max_abs_scaler": [Case("edges", max_abs_scalers, scaling(), score)],
        "elementwise_product": [Case("edges", products, with_numbers(scaling()), with_numbers(score))],
        "normalizer": [
            Case("edges", normalizers, with_numbers(scaling()), with_numbers(score)),
            Case("powers", powers, scaling(), score),
        ],
    }
