"""Cases of string_indexer and one_hot_encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, TEXTS, TINY, WORDS, Case

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def indexers(policy: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import StringIndexer

        several = StringIndexer(inputCols=["d", "i", "f"], outputCols=["dx", "ix", "fx"], handleInvalid=policy)
        return [StringIndexer(inputCol="s", outputCol="sx", handleInvalid=policy), several]

    return stages


LABELS: Columns = {
    "s": ("string", ["a", "b", "", "é😀", "a", "q\"'\n{x}", "nan"]),
    "d": ("double", [0.0, -0.0, 1.5, NAN, 1e10, 1e-5, TINY]),
    "i": ("int", [0, -1, 7, 2**31 - 1, 10000000, 0, 0]),
    "f": ("float", [0.1, -0.0, INF, 1e10, 16777216.0, 0.001, 0.1]),
}
LABELLED: Columns = {
    "s": ("string", [*TEXTS[:9], *["a"] * 14]),
    "d": ("double", [*[0.0] * 9, -0.0, 1.5, NAN, 1e10, 1e-5, TINY, INF, None, *[1.5] * 6]),
    "i": ("int", [*[7] * 16, 0, -1, 2**31 - 1, 10000000, 5, None, 7]),
    "f": ("float", [*[0.1] * 10, -0.0, INF, 1e10, 16777216.0, 0.001, NAN, *[0.1] * 6, None]),
}


def encoders(policy: str, drop_last: bool) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import OneHotEncoder

        given = {"handleInvalid": policy, "dropLast": drop_last}
        single = OneHotEncoder(inputCol="one", outputCol="onev", **given)
        return [OneHotEncoder(inputCols=["d", "i"], outputCols=["dv", "iv"], **given), single]

    return stages


INDEXES: Columns = {
    "d": ("double", [0.0, 1.0, 2.0]),
    "i": ("int", [3, 0, 1]),
    "one": ("double", [0.0, 0.0, 0.0]),
}
INDEXED: Columns = {
    "d": ("double", [0.0, 1.0, 2.0, 3.0, -0.0, 0.5, 2.9, -0.5, NAN, INF, None, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1e300]),
    "i": ("int", [*[0] * 11, 3, 1, 4, -1, None, 2, 2]),
    "one": ("double", [*[0.0] * 16, 1.0, 0.0]),
}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {
        "string_indexer": [Case(word, indexers(word), LABELS, LABELLED) for word in WORDS],
        "one_hot_encoder": [
            Case(f"{word}-{'drop' if drop else 'all'}", encoders(word, drop), INDEXES, INDEXED)
            for word in ("error", "keep")
            for drop in (True, False)
        ],
    }
