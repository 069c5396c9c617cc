"""Parquet in streams: batches of rows out of a file, and files written like another one.

What Spark wrote must stay readable by Spark: its schema in the file's metadata gets every added column, and
timestamps stay INT96 where they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from nacre.errors import RequestError, SchemaError

SPARK_VERSION = b"org.apache.spark.version"
SPARK_SCHEMA = b"org.apache.spark.sql.parquet.row.metadata"
BATCH_ROWS = 65_536
BATCH_BYTES = 16 * 1024 * 1024
_SPARK_NAMES = {
    pa.bool_(): "boolean",
    pa.int8(): "byte",
    pa.int16(): "short",
    pa.int32(): "integer",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
}


def open_parquet(path: Path) -> pq.ParquetFile:
    """Raises RequestError naming a file that is no Parquet, or was cut off.

    Spark's INT96 timestamps are read in microseconds, its own precision: as nanoseconds 9999-12-31 would overflow.
    """
    try:
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        if _int96(file) and SPARK_VERSION in (file.schema_arrow.metadata or {}):
            file.close()
            file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20, coerce_int96_timestamp_unit="us")
    except (pa.ArrowException, OSError) as error:
        raise RequestError(
            "the file is no readable Parquet", expected="a Parquet file", got=str(error), file=path
        ) from None
    _refuse_twice(file.schema_arrow.names, path)
    return file


def _refuse_twice(names: list[str], path: Path) -> None:
    """Parquet allows it, but nothing can tell which of the two is meant; Spark refuses such a file too."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SchemaError(
            "two columns of the same name", expected="names that differ", got=", ".join(names), field=twice, file=path
        )


def batches(file: pq.ParquetFile, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a file in order, in tables of at most BATCH_ROWS rows and about BATCH_BYTES.

    No table crosses a row group, so writing each with :func:`write` keeps the row groups, cut at that size.
    """
    for group in range(file.metadata.num_row_groups):
        about = file.metadata.row_group(group)
        width = max(about.total_byte_size // max(about.num_rows, 1), 1)
        rows = max(min(BATCH_ROWS, BATCH_BYTES // width), 1)
        for batch in file.iter_batches(batch_size=rows, row_groups=[group], columns=columns):
            yield pa.Table.from_batches([batch])


def writer_like(file: pq.ParquetFile, sink: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of `schema` with the compression and the timestamps of `file`."""
    return pq.ParquetWriter(sink, schema, compression=_compression(file), use_deprecated_int96_timestamps=_int96(file))


def with_column(schema: pa.Schema, field: pa.Field) -> pa.Schema:
    """`schema` with one more column at the end, told to Spark too. Raises SchemaError if the name is taken."""
    if field.name in schema.names:
        raise SchemaError(
            "the input has a column of that name already",
            expected="a new name for the prediction",
            field=field.name,
            fix="Choose another with --column.",
        )
    metadata = dict(schema.metadata or {})
    if SPARK_SCHEMA in metadata:
        spark = json.loads(metadata[SPARK_SCHEMA])
        spark["fields"].append({"name": field.name, "type": spark_type(field.type), "nullable": True, "metadata": {}})
        metadata[SPARK_SCHEMA] = json.dumps(spark, separators=(",", ":")).encode()
    return schema.append(field).with_metadata(metadata or None)


def spark_type(kind: pa.DataType) -> Any:
    """An Arrow type as Spark's schema JSON has it: the basic types, lists and structs of them."""
    if pa.types.is_struct(kind):
        fields = [kind.field(at) for at in range(kind.num_fields)]
        named = [{"name": f.name, "type": spark_type(f.type), "nullable": True, "metadata": {}} for f in fields]
        return {"type": "struct", "fields": named}
    if pa.types.is_list(kind):
        return {"type": "array", "elementType": spark_type(kind.value_type), "containsNull": True}
    return _SPARK_NAMES[kind]


def _int96(file: pq.ParquetFile) -> bool:
    return any(file.schema.column(i).physical_type == "INT96" for i in range(len(file.schema)))


def _compression(file: pq.ParquetFile) -> str:
    """The codec of the first column; Parquet names it a chunk, writers nearly always name one a file."""
    about = file.metadata
    if not about.num_row_groups or not about.num_columns:
        return "snappy"
    codec = about.row_group(0).column(0).compression.lower()
    return "none" if codec == "uncompressed" else codec
