"""Cases of reverse_string_indexer: labels of its own, and those of the index it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, Case

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def own_labels() -> Sequence[Any]:
    from pyspark.ml.feature import IndexToString

    labels = ["a", "", "q\"'\n{x}", "é😀"]
    return [IndexToString(inputCol=column, outputCol=f"{column}_text", labels=labels) for column in ("d", "f", "l")]


def labels_of_the_index() -> Sequence[Any]:
    from pyspark.ml.feature import Bucketizer, IndexToString, StringIndexer

    return [
        StringIndexer(inputCol="s", outputCol="known", handleInvalid="skip"),
        StringIndexer(inputCol="s", outputCol="kept", handleInvalid="keep"),
        Bucketizer(inputCol="d", outputCol="bucket", splits=[-INF, 0.0, 1.5, INF], handleInvalid="error"),
        *(IndexToString(inputCol=column, outputCol=f"{column}_text") for column in ("known", "kept", "bucket")),
    ]


INDEXES: Columns = {
    "d": ("double", [0.0, -0.0, 1.0, 1.9, -0.5, 3.999, 4.0, -1.0, NAN, INF, -INF, None, 1e300, 1.0, 1.0, 1.0]),
    "f": ("float", [*[2.0] * 13, 2.5, None, 2.0]),
    "l": ("bigint", [*[3] * 14, 1, 2**40]),
}
TEXTS: Columns = {
    "s": ("string", ["a", "b", "a", "new", None, "b"]),
    "d": ("double", [0.0, -1.0, 2.0, 1.5, 0.0, None]),
}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    seen = {name: (kind, values[:3]) for name, (kind, values) in TEXTS.items()}
    return {
        "reverse_string_indexer": [
            Case("own", own_labels, INDEXES, INDEXES),
            Case("of-the-index", labels_of_the_index, seen, TEXTS),
        ]
    }
