"""Cases of vector_indexer: an entry that knows 0.0, one that does not, one that stays a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, WORDS, Case, vectors

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def indexers(policy: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import VectorAssembler, VectorIndexer

        return [
            VectorIndexer(inputCol="v", outputCol="vx", maxCategories=3, handleInvalid=policy),
            VectorAssembler(inputCols=["v", "zero"], outputCol="all"),
            VectorIndexer(inputCol="all", outputCol="allx", maxCategories=3, handleInvalid=policy),
        ]

    return stages


def fitted() -> Columns:
    numbers = [[-1.0, 5.0, 0.1], [0.0, 7.0, 0.2], [2.0, 5.0, 0.3], [0.0, 5.0, 0.4]]
    return {"v": (("vector", 3), vectors(*numbers)), "zero": ("double", [0.0, 0.0, 0.0, 0.0])}


def given() -> Columns:
    known = [[-1.0, 5.0, 0.1], [0.0, 7.0, NAN], [-0.0, 5.0, INF], {1: 7.0}, {0: 2.0, 1: 5.0, 2: 0.0}]
    unseen = [{0: 2.0}, {}, [3.0, 5.0, 0.0], [NAN, 5.0, 0.0], [0.0, 0.0, 0.0], {0: 0.0, 1: 0.0}, [0.0, INF, 0.0], None]
    zeros = [0.0] * (len(known) + len(unseen))
    return {"v": (("vector", 3), vectors(*known, *unseen)), "zero": ("double", zeros)}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {"vector_indexer": [Case(word, indexers(word), fitted(), given()) for word in WORDS]}
