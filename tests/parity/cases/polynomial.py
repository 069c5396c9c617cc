"""Cases of polynomial_expansion: zeros beside NaN and infinities, in either order, dense and sparse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, TINY, Case, random_vectors, vectors

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def expanded() -> Sequence[Any]:
    from pyspark.ml.feature import PolynomialExpansion, VectorAssembler

    return [
        PolynomialExpansion(inputCol="v", outputCol="line", degree=1),
        PolynomialExpansion(inputCol="v", outputCol="square", degree=2),
        PolynomialExpansion(inputCol="v", outputCol="cube", degree=3),
        VectorAssembler(inputCols=["v", "v", "v"], outputCol="nine"),
        PolynomialExpansion(inputCol="nine", outputCol="wide", degree=4),
    ]


def given() -> Columns:
    nasty = vectors(
        [1.0, 2.0, 3.0], [0.0, NAN, 1.0], [NAN, 0.0, 1.0], [INF, 0.0, -0.0], [0.0, INF, -1.0], [-0.0, 1.0, TINY],
        [TINY, TINY, 1e300], {}, {0: 2.0, 2: -3.0}, {1: 0.0, 2: 5.0}, {0: NAN}, None,
    )  # fmt: skip
    return {"v": (("vector", 3), [*nasty, *random_vectors(6, 3, 7)])}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {"polynomial_expansion": [Case("degrees", expanded, given(), given())]}
