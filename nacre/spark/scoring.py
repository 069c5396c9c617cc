"""A bundle inside Spark: a Transformer over whole frames, and a UDF over columns. Both score with Nacre.

The executors need the `nacre` package; the bundle itself travels with the function.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.ml.base import Transformer

from nacre.errors import SchemaError, SetupError
from nacre.plan.model import Model, load
from nacre.plan.sparkschema import VECTOR_CLASS, to_spark_json

if TYPE_CHECKING:
    import os

    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from nacre.plan.types import Type

_LOADED: dict[str, Model] = {}
"""Digest -> model, in each worker process."""


class Parcel:
    """A bundle that can be sent to a worker: its bytes, loaded there once."""

    def __init__(self, model: str | os.PathLike[str] | Model):
        source, self.mode = (model.bundle.source, model.mode) if isinstance(model, Model) else (model, "spark")
        self.content = _archive(Path(source))
        self.digest = f"{self.mode} {hashlib.sha256(self.content).hexdigest()}"

    def model(self) -> Model:
        """The model, loaded at the first call in this process."""
        if self.digest not in _LOADED:
            with tempfile.NamedTemporaryFile(suffix=".zip") as file:
                file.write(self.content)
                file.flush()
                _LOADED[self.digest] = load(file.name, self.mode)
        return _LOADED[self.digest]


def _archive(path: Path) -> bytes:
    """A bundle's bytes; a directory is packed."""
    if path.is_file():
        return path.read_bytes()
    if not path.is_dir():
        raise SetupError("no such bundle", expected="a zip, a tar.gz or a directory", got=str(path))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(path).as_posix())
    return packed.getvalue()


class BundleTransformer(Transformer):  # type: ignore[misc]
    """A bundle as a PySpark Transformer: `transform` gives the frame with the bundle's columns behind its own.

    Args:
        model: a bundle's path, or a loaded model.
    """

    def __init__(self, model: str | os.PathLike[str] | Model):
        super().__init__()
        self._parcel = Parcel(model)
        self.model = self._parcel.model()

    def _transform(self, dataset: DataFrame) -> DataFrame:
        missing = [name for name in self.model.inputs if name not in dataset.columns]
        if missing:
            raise SchemaError("a column is missing", expected=missing[0], got=dataset.columns, field=missing[0])
        return dataset.mapInArrow(_mapper(self._parcel), schema_behind(dataset.schema, self.model.outputs))


def _mapper(parcel: Parcel) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        model = parcel.model()
        for batch in batches:
            yield from model.transform(batch, vectors="sparse").to_batches()

    return score


def schema_behind(schema: Any, outputs: dict[str, Type]) -> Any:
    """Spark's schema with a model's outputs: in their place if the frame has them already, else behind."""
    from pyspark.sql.types import StructType

    made = {field["name"]: field for field in _complete(to_spark_json(outputs))["fields"]}
    fields = [made.pop(field["name"], field) for field in schema.jsonValue()["fields"]]
    return StructType.fromJson({"type": "struct", "fields": [*fields, *made.values()]})


def spark_type(given: Type) -> Any:
    """Spark's data type of a column."""
    from pyspark.sql.types import StructType

    return StructType.fromJson(_complete(to_spark_json({"column": given})))[0].dataType


def _complete(schema: Any) -> Any:
    """Schema JSON with all that PySpark wants of a VectorUDT: its Python class and its SQL type."""
    from pyspark.ml.linalg import VectorUDT

    if isinstance(schema, dict):
        if schema.get("class") == VECTOR_CLASS:
            return VectorUDT().jsonValue()
        return {key: _complete(each) for key, each in schema.items()}
    return [_complete(each) for each in schema] if isinstance(schema, list) else schema


def udf(
    spark: SparkSession,  # noqa: ARG001 - the session is the running one; named for symmetry with spark.udf
    model: str | os.PathLike[str] | Model,
    output: str | None = None,
) -> Callable[..., Any]:
    """A function of columns that gives one of a bundle's output columns.

    >>> features = nacre.spark.udf(spark, "model.zip")                          # doctest: +SKIP
    >>> frame.withColumn("features", features())                                # doctest: +SKIP

    Args:
        spark: the session.
        model: a bundle's path, or a loaded model.
        output: the column wanted; default: the last one the model makes.

    The function takes the raw columns in the order of `Model.input_schema`; without arguments it takes the columns of
    those names. A row that the pipeline drops is null; one that it refuses fails the task with the error that names it.
    """
    from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

    parcel = Parcel(model)
    known = parcel.model()
    wanted = output if output is not None else known.default_output
    if wanted is None or wanted not in known.outputs:
        raise SchemaError("no such column", expected=f"one of {', '.join(known.outputs)}", got=wanted, field=wanted)
    names, kind = list(known.inputs), known.outputs[wanted]
    function = F.udf(_row_function(parcel, names, wanted), spark_type(kind))
    return lambda *columns: function(*(columns or [F.col(f"`{name}`") for name in names]))


def _row_function(parcel: Parcel, names: list[str], output: str) -> Callable[..., Any]:
    def score(*values: Any) -> Any:
        model = parcel.model()
        row = model.row(dict(zip(names, values, strict=True)), columns=[output])
        return None if row is None else _to_spark(row[output], model.outputs[output])

    return score


def _to_spark(value: Any, given: Type) -> Any:
    from pyspark.ml.linalg import Vectors

    if value is None or given.shape not in ("vector", "vectors"):
        return value
    return Vectors.dense(value) if given.shape == "vector" else [Vectors.dense(each) for each in value]
