"""Cases of binarizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import NUMBERS, Case
from tests.parity.cases.scaling import scaled

if TYPE_CHECKING:
    from tests.parity.frames import Columns

LIMITS = [0.0, 0.1, -0.5, -1.0, 1e10]


def scalars() -> Sequence[Any]:
    from pyspark.ml.feature import Binarizer

    names = [f"o{n}" for n in range(3)]
    return [
        *(Binarizer(inputCol="x", outputCol=f"out{n}", threshold=t) for n, t in enumerate(LIMITS)),
        Binarizer(inputCols=["x", "y", "x"], outputCols=names, thresholds=[0.1, -1.0, 1.5]),
        Binarizer(inputCols=["x", "y"], outputCols=["same", "other"], threshold=-1.5),
        Binarizer(inputCol="out0", outputCol="again", threshold=0.5),
    ]


def binary_vectors() -> Sequence[Any]:
    from pyspark.ml.feature import Binarizer, VectorAssembler

    of = [Binarizer(inputCol="v", outputCol=f"out{n}", threshold=t) for n, t in enumerate(LIMITS)]
    assembled = VectorAssembler(inputCols=["v", "x"], outputCol="w", handleInvalid="keep")
    names = ["low", "high", "number"]
    return [
        *of,
        assembled,
        Binarizer(inputCols=["w", "w", "x"], outputCols=names, thresholds=[-0.5, 0.5, 0.0]),
        Binarizer(inputCol="low", outputCol="again", threshold=-2.0),
    ]


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    numbers: Columns = {"x": ("double", NUMBERS), "y": ("double", NUMBERS[::-1])}
    entries = scaled()
    return {
        "binarizer": [
            Case("scalars", scalars, numbers, numbers),
            Case("vectors", binary_vectors, {**entries, "x": ("double", [0.0])}, {**entries, "x": ("double", [0.0])}),
        ]
    }
