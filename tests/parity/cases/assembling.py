"""Cases of vector_assembler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, WORDS, Case, vectors, wide

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def assemblers(policy: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import VectorAssembler

        columns = ["i", "f", "b", "d", "l", "v"]
        return [
            VectorAssembler(inputCols=columns, outputCol="mixed", handleInvalid=policy),
            VectorAssembler(inputCols=["wide", "d"], outputCol="wider", handleInvalid=policy),
            VectorAssembler(inputCols=["mixed", "wider"], outputCol="all", handleInvalid=policy),
        ]

    return stages


def parts() -> Columns:
    return {
        "i": ("int", [1, -7, 0, None, 3, 3, 3, 3, 3, 3, 0, 0]),
        "f": ("float", [0.1, -0.0, 1e-45, 0.1, NAN, None, 0.1, 0.1, 0.1, 0.1, 0.0, 0.0]),
        "b": ("boolean", [True, False, True, True, True, True, None, True, True, True, False, False]),
        "d": ("double", [0.1, -0.0, INF, 0.5, 0.5, 0.5, 0.5, NAN, 0.5, 0.5, 0.0, 1.0]),
        "l": ("bigint", [2**53 + 1, -1, 2**62 + 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        "v": (
            ("vector", 3),
            vectors(
                [1.0, -0.0, NAN], [0.0, 0.0, 0.0], [0.1, INF, -INF], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], {}, {0: 1.0},
                {2: -0.0}, None, {1: NAN, 2: 0.0}, {}, {0: 0.0, 2: 5.0},
            ),
        ),
        "wide": (
            ("vector", 8),
            wide(8, {}, {7: 1.0}, {0: 1.0, 3: -0.0}, {}, {}, {}, {}, {}, {1: 2.0}, None, {}, dict.fromkeys(range(8), 1.0)),
        ),
    }  # fmt: skip


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {"vector_assembler": [Case(word, assemblers(word), parts(), parts()) for word in WORDS]}
