"""Cases of interaction: numbers, indexes and vectors of both, and what a sparse vector leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, Case, vectors

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def interactions() -> Sequence[Any]:
    from pyspark.ml.feature import Bucketizer, Interaction, OneHotEncoder, StringIndexer, VectorAssembler, VectorIndexer

    return [
        StringIndexer(inputCol="s", outputCol="sx", handleInvalid="keep"),
        OneHotEncoder(inputCols=["sx"], outputCols=["hot"], dropLast=False),
        Bucketizer(inputCol="x", outputCol="bucket", splits=[-INF, 0.0, 1.0, INF], handleInvalid="keep"),
        VectorAssembler(inputCols=["sx", "x", "n"], outputCol="all", handleInvalid="keep"),
        VectorIndexer(inputCol="v", outputCol="vx", maxCategories=3, handleInvalid="keep"),
        Interaction(inputCols=["x", "n", "f"], outputCol="numbers"),
        Interaction(inputCols=["hot", "x"], outputCol="hot_x"),
        Interaction(inputCols=["x", "sx"], outputCol="x_sx"),
        Interaction(inputCols=["sx", "all", "n"], outputCol="sx_all_n"),
        Interaction(inputCols=["v", "hot"], outputCol="v_hot"),
        Interaction(inputCols=["vx", "bucket"], outputCol="vx_bucket"),
        VectorAssembler(inputCols=["x_sx", "n"], outputCol="after", handleInvalid="keep"),
    ]


def attributes() -> Sequence[Any]:
    """A raw vector with levels of its own."""
    from pyspark.ml.feature import Interaction

    return [Interaction(inputCols=["v", "x"], outputCol="products")]


def fitted() -> Columns:
    return {
        "s": ("string", ["a", "b", "a", "c"]),
        "x": ("double", [1.0, 0.5, -1.0, 2.0]),
        "n": ("int", [1, 2, 3, 0]),
        "f": ("float", [0.1, 0.2, 0.3, 0.4]),
        "v": (("nominal", (0, 0, 0)), vectors([0.0, 1.0, 1.0], [1.0, 2.0, 2.0], [0.0, 3.0, 3.0], [2.0, 4.0, 4.0])),
    }


def given() -> Columns:
    return {
        "s": ("string", ["a", "b", "new", None, "c", "a", "a", "b", "c", "a", "b"]),
        "x": ("double", [1.5, NAN, INF, -0.0, 0.0, None, 2.0, -INF, 0.1, 1.0, NAN]),
        "n": ("int", [1, -1, 0, 2, 3, 1, None, 0, 7, 1, 1]),
        "f": ("float", [0.1, -0.0, 0.5, 1.0, NAN, 1.0, 1.0, INF, 0.1, 0.1, 0.1]),
        "v": (
            ("nominal", (0, 0, 0)),
            vectors(
                [0.0, 1.0, 1.0], {0: 1.0}, {1: 2.0, 2: 0.0}, [2.0, NAN, INF], {}, [0.0, 1.0, 1.0], [0.0, 1.0, 1.0],
                {0: 2.0, 1: NAN}, [9.0, -0.0, 1.0], None, [0.0, 0.0, 0.0],
            ),
        ),
    }  # fmt: skip


def levels() -> Columns:
    mixed = vectors(
        [0.0, 1.0, 2.0], {0: 2.0}, {1: -1.5, 2: 1.0}, {}, [3.0, 1.0, 0.0], [0.5, 1.0, 0.0], [-1.0, 0.0, 0.0],
        [NAN, 0.0, 0.0], {2: 3.0}, [1.0, NAN, 2.0], {0: 0.0, 1: 0.0, 2: 0.0},
    )  # fmt: skip
    numbers = [1.0, NAN, INF, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, -0.0, -2.0]
    return {"v": (("nominal", (3, 0, 3)), mixed), "x": ("double", numbers)}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {
        "interaction": [
            Case("mixed", interactions, fitted(), given()),
            Case("levels", attributes, levels(), levels()),
        ]
    }
