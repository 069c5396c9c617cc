"""Arrow tables into one CSV, JSON Lines or Parquet file, as they come.

A value that is no scalar is JSON: a dense vector ``[1.0,0.0]``, a sparse one Spark's struct,
``{"type":0,"size":3,"indices":[0],"values":[1.0]}``. In CSV that JSON text is one quoted field. JSON has no NaN and
no infinity: there they are the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, as the sparkml container writes.
"""

from __future__ import annotations

import json
import math
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.csv as pc
import pyarrow.parquet as pq

from nacre.transform.inputs import PARQUET_SUFFIXES


class Writer(Protocol):
    """Made with (sink, the first table's schema, whether CSV gets a header)."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema, header: bool) -> None: ...

    def write(self, table: pa.Table) -> None:
        """Append the rows of a table of that schema."""

    def close(self) -> None:
        """Finish the file; the sink stays open."""


class CsvWriter:
    """RFC 4180, texts quoted; null is an empty field."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema, header: bool):
        self.schema = pa.schema([pa.field(each.name, _in_csv(each.type)) for each in schema])
        self.writer = pc.CSVWriter(sink, self.schema, write_options=pc.WriteOptions(include_header=header))

    def write(self, table: pa.Table) -> None:
        columns = [_as_text(column) if _is_json(column.type) else column for column in table.columns]
        self.writer.write(pa.Table.from_arrays([_plain(column) for column in columns], schema=self.schema))

    def close(self) -> None:
        self.writer.close()


class JsonlWriter:
    """One object a line with every column, null ones too."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema, header: bool):
        del header
        self.sink = sink
        self.names = schema.names

    def write(self, table: pa.Table) -> None:
        rows = zip(*(_values(column) for column in table.columns), strict=True)
        for row in rows:
            self.sink.write(_json(dict(zip(self.names, row, strict=True))).encode() + b"\n")

    def close(self) -> None:
        """Nothing is held back."""


class ParquetWriter:
    """A row group a table."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema, header: bool):
        del header
        self.writer = pq.ParquetWriter(sink, schema)

    def write(self, table: pa.Table) -> None:
        self.writer.write_table(table)

    def close(self) -> None:
        self.writer.close()


def _is_json(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind))


def _in_csv(kind: pa.DataType) -> pa.DataType:
    if _is_json(kind):
        return pa.string()
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    return pa.array([None if value is None else _json(value) for value in _values(column)], pa.string())


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Python values that JSON can hold; looked at one by one only where a number is not finite."""
    values: list[Any] = column.to_pylist()
    return values if _finite(column) else [_spelled(value) for value in values]


def _finite(column: pa.ChunkedArray | pa.Array) -> bool:
    kind = column.type
    if pa.types.is_floating(kind):
        return compute.all(compute.is_finite(column)).as_py() is not False
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _finite(compute.list_flatten(column))
    return not pa.types.is_nested(kind)


def _spelled(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
    if isinstance(value, list):
        return [_spelled(each) for each in value]
    if isinstance(value, dict):
        return {name: _spelled(each) for name, each in value.items()}
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


WRITERS: dict[str, type[Writer]] = {
    ".csv": CsvWriter,
    ".jsonl": JsonlWriter,
    ".ndjson": JsonlWriter,
    **dict.fromkeys(PARQUET_SUFFIXES, ParquetWriter),
}
"""By the suffix of the file."""
