"""Cases of bucketizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, NUMBERS, WORDS, Case

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def bucketizers(policy: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import Bucketizer

        return [
            Bucketizer(splits=[-INF, -0.5, 0.0, 0.1, INF], inputCol="d", outputCol="open", handleInvalid=policy),
            Bucketizer(
                splitsArray=[[0.0, 1.0, 2.0], [-1.0, -0.0, 5.0], [-3.0, -2.5, 0.0]],
                inputCols=["x", "f", "i"], outputCols=["bx", "bf", "bi"], handleInvalid=policy,
            ),
        ]  # fmt: skip

    return stages


BUCKETED: Columns = {
    "d": ("double", [*NUMBERS, *[0.0] * 16]),
    "x": ("double", [*[0.5] * 12, 0.0, -0.0, 1.0, 2.0, 2.0000000000000004, -1e-300, INF, -INF, NAN, None, *[1.5] * 6]),
    "f": ("float", [*[0.1] * 22, 5.0, 0.0, -0.0, None, NAN, 0.1]),
    "i": ("int", [*[-1] * 22, -3, 0, None, -2, -1, 1]),
}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {"bucketizer": [Case(word, bucketizers(word), BUCKETED, BUCKETED) for word in WORDS]}
