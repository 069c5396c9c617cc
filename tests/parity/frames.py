"""Spark's side of a comparison: rows into frames, and what Spark makes of every single row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nacre.plan.sparkschema import VECTOR_CLASS
from nacre.spark.ddl import struct_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Columns = dict[str, tuple[Any, Sequence[Any]]]
"""name -> (Spark type as text, ("vector", size or None), ("nominal", (sizes…)); values)."""


NUMBER = "row_number"
"""A column that says which row of the input a row of the output comes from."""


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    """Columns as rows; a column of one value stands for that value in every row."""
    count = max(len(values) for _, values in columns.values())
    lists = {name: list(values) * (count if len(values) == 1 else 1) for name, (_, values) in columns.items()}
    assert {len(values) for values in lists.values()} == {count}, {name: len(v) for name, v in lists.items()}
    return [
        {**dict(zip(lists, row, strict=True)), NUMBER: n} for n, row in enumerate(zip(*lists.values(), strict=True))
    ]


def schema_of(columns: Columns) -> Any:
    from pyspark.ml.linalg import VectorUDT
    from pyspark.sql.types import StructField, StructType

    def field(name: str, kind: Any) -> Any:
        if isinstance(kind, str):
            return struct_of(f"{name} {kind}")[0]
        return StructField(name, VectorUDT(), True, {} if kind[1] is None else {"ml_attr": _attributes(*kind)})

    return StructType([*(field(name, kind) for name, (kind, _) in columns.items()), field(NUMBER, "int")])


def _attributes(word: str, sizes: Any) -> dict[str, Any]:
    """ML attributes of a vector: its size or for each entry its number of categories (0: a number)."""
    if word == "vector":
        return {"num_attrs": sizes}
    numbers = [{"idx": n} for n, size in enumerate(sizes) if not size]
    nominal = [{"idx": n, "vals": [f"v{k}" for k in range(size)]} for n, size in enumerate(sizes) if size]
    groups = {"numeric": numbers, "nominal": nominal}
    return {"num_attrs": len(sizes), "attrs": {kind: group for kind, group in groups.items() if group}}


def frame_of(spark: SparkSession, columns: Columns) -> DataFrame:
    """A frame with one row a partition, so that a job can ask for a single row."""
    from pyspark.sql import DataFrame

    rows = [tuple(row.values()) for row in rows_of(columns)]
    local = spark.createDataFrame(rows, schema_of(columns))
    parts = spark.sparkContext._jsc.parallelize(local._jdf.collectAsList(), len(rows))
    return DataFrame(spark._jsparkSession.createDataFrame(parts, local._jdf.schema()), spark)


def spark_failures() -> tuple[type[Exception], ...]:
    """What a failed job raises: PySpark turns some of Java's exceptions into its own."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    return Py4JJavaError, PySparkException


class Transformed:
    """A transformed frame, row by row of its input. Spark fails a whole frame; here each row has a job of its own if
    it is suspected, and all others share one."""

    def __init__(self, frame: DataFrame):
        self.frame = frame

    @cached_property
    def _bytes(self) -> Any:
        return self.frame.rdd

    def run(self, partitions: Sequence[int]) -> list[Any]:
        """The rows that these input rows give. Raises what Spark raises."""
        from pyspark.core.rdd import _load_from_socket

        context = self.frame.sparkSession.sparkContext
        answer = context._jvm.PythonRDD.runJob(context._jsc.sc(), self._bytes._jrdd, list(partitions))
        return list(_load_from_socket(answer, self._bytes._jrdd_deserializer))

    def fails(self, row: int) -> bool:
        try:
            self.run([row])
        except spark_failures():
            return True
        return False

    def types(self) -> list[tuple[str, str]]:
        """(name, type) of the columns, in order."""
        return [(each["name"], _word(each["type"])) for each in self.frame.schema.jsonValue()["fields"]]


def _word(kind: Any) -> str:
    if isinstance(kind, dict) and kind.get("class") == VECTOR_CLASS:
        return "vector"
    if isinstance(kind, dict) and kind["type"] == "array":
        return f"array<{_word(kind['elementType'])}>"
    if isinstance(kind, dict) and kind["type"] == "map":
        return f"map<{_word(kind['keyType'])},{_word(kind['valueType'])}>"
    return {"integer": "int"}.get(kind, kind) if isinstance(kind, str) else str(kind)
