"""Cases of imputer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, NUMBERS, Case

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def imputers() -> Sequence[Any]:
    from pyspark.ml.feature import Imputer

    return [
        Imputer(inputCols=["d", "f"], outputCols=["dm", "fm"], strategy="mean"),
        Imputer(inputCols=["i", "l", "h", "t"], outputCols=["im", "lm", "hm", "tm"], strategy="median"),
        Imputer(inputCol="d", outputCol="d0", strategy="mode", missingValue=0.0),
    ]


def imputers_in_place() -> Sequence[Any]:
    from pyspark.ml.feature import Imputer, VectorAssembler

    return [
        VectorAssembler(inputCols=["i"], outputCol="before", handleInvalid="keep"),
        Imputer(inputCols=["i", "f"], outputCols=["i", "f"], strategy="mean", missingValue=-1.0),
        VectorAssembler(inputCols=["i", "f", "d"], outputCol="after", handleInvalid="keep"),
        Imputer(inputCol="d", outputCol="d", strategy="mean"),
    ]


HOLES: Columns = {
    "d": ("double", [0.1, 0.2, NAN, None, -7.5, 0.1]),
    "f": ("float", [0.1, 0.2, NAN, None, -7.5, -1.0]),
    "i": ("int", [1, 4, 6, None, -1, 1]),
    "l": ("bigint", [1, 2**53 + 1, None, 7, -1, 1]),
    "h": ("smallint", [1, 300, None, 7, -1, 1]),
    "t": ("tinyint", [1, 100, None, 7, -1, 1]),
}
HOLED: Columns = {
    "d": ("double", NUMBERS),
    "f": ("float", [0.1, -0.0, 1.5, NAN, INF, -INF, None, 1e10, 1e-45, -1.0, 16777217.0, 0.0]),
    "i": ("int", [0, -1, None, 2**31 - 1, -(2**31), 5, None, 1, 2, 3, 4, 6]),
    "l": ("bigint", [0, 2**53 + 1, None, 2**63 - 1, -(2**63), 2**62 + 1, 1, 2, 3, 4, 5, -(2**53) - 1]),
    "h": ("smallint", [0, None, 32767, -32768, *[1] * 8]),
    "t": ("tinyint", [0, None, 127, -128, *[1] * 8]),
}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {"imputer": [Case("new-columns", imputers, HOLES, HOLED), Case("in-place", imputers_in_place, HOLES, HOLED)]}
