"""Cases of pca, dct and the hashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.parity.cases.base import NAN, Case, random_vectors, vectors, wide
from tests.parity.cases.scaling import scaled, scaling

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def even_vectors(rows: int, size: int, seed: int) -> list[Any]:
    """Vectors whose entries are of one size, every third sparse."""
    random = np.random.default_rng(seed)
    found = vectors(*random.normal(size=(rows, size)).tolist())
    found[::3] = wide(size, *({n: float(n) - 2.5 for n in range(0, size, 2)} for _ in found[::3]))
    return found


def components(k: int) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import PCA

        return [PCA(inputCol="v", outputCol="out", k=k)]

    return stages


SIZES = [1, 2, 3, 5, 16, 64]


def transforms() -> Sequence[Any]:
    from pyspark.ml.feature import DCT, VectorSizeHint

    hint = VectorSizeHint(inputCol="v64", size=64, handleInvalid="optimistic")
    ways = [
        DCT(inputCol=f"v{n}", outputCol=f"{way}{n}", inverse=way == "back") for n in SIZES for way in ("to", "back")
    ]
    return [hint, *ways, DCT(inputCol="to64", outputCol="again", inverse=True)]


def min_hashes() -> Sequence[Any]:
    from pyspark.ml.feature import MinHashLSH

    return [
        MinHashLSH(inputCol="v", outputCol="out", numHashTables=4, seed=3),
        MinHashLSH(inputCol="v", outputCol="one", seed=4),
    ]


def projections() -> Sequence[Any]:
    from pyspark.ml.feature import BucketedRandomProjectionLSH

    return [
        BucketedRandomProjectionLSH(inputCol="v", outputCol="out", numHashTables=5, bucketLength=0.3, seed=3),
        BucketedRandomProjectionLSH(inputCol="v", outputCol="one", bucketLength=7.0, seed=4),
    ]


def hints(policy: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import Normalizer, VectorSizeHint

        return [VectorSizeHint(inputCol="v", size=4, handleInvalid=policy), Normalizer(inputCol="v", outputCol="out")]

    return stages


def _odd(size: int) -> list[Any]:
    """A vector with a NaN and a null one."""
    return [*vectors([NAN] + [1.0] * (size - 1)), None]


def of_all_sizes() -> Columns:
    """Vectors of other sizes than the one promised, dense and sparse, among good ones, in a column of unknown size."""
    from pyspark.ml.linalg import Vectors

    sparse = [Vectors.sparse(size, [1], [2.5]) for size in (4, 3, 5)]
    return {"v": (("vector", None), [*vectors([1.0] * 4, [1.0] * 3, [2.0] * 5, []), *sparse, None])}


def sized(size: int, found: Sequence[Any]) -> Columns:
    return {"v": (("vector", size), found)}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    rows = [*scaled()["v"][1], *random_vectors(20, 4, 7)]
    finite, mixed, long = sized(4, even_vectors(12, 4, 7)), sized(4, rows), sized(40, even_vectors(30, 40, 8))
    transformed: Columns = {f"v{n}": (("vector", n), [*even_vectors(6, n, n), *_odd(n)]) for n in SIZES}
    return {
        "pca": [
            Case("edges", components(3), finite, mixed),
            Case("long", components(30), long, long),
        ],
        "dct": [Case("sizes", transforms, transformed, transformed)],
        "min_hash_lsh": [
            Case("edges", min_hashes, scaling(), scaled()),
            Case("long", min_hashes, long, long),
        ],
        "bucketed_random_projection_lsh": [
            Case("edges", projections, scaling(), mixed),
            Case("long", projections, long, long),
        ],
        "nacre.vector_size_hint": [
            Case("error", hints("error"), scaling(), scaled()),
            Case("skip", hints("skip"), scaling(), scaled()),
            Case("strays", hints("skip"), scaling(), of_all_sizes()),
        ],
    }
