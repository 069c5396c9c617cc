"""CSV, JSON Lines and Parquet files as a stream of Arrow tables, typed by what a model asks for.

Columns the model does not know go through: CSV ones as text, JSON Lines ones with the type of their first values,
Parquet ones as they are. A raw vector column stands in CSV as JSON text, dense ``[1.0,0.0]`` or sparse
``{"size":3,"indices":[0],"values":[1.0]}``.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc

from nacre.errors import NacreError, RequestError, RowError, SchemaError
from nacre.formats.parquet import batches, open_parquet
from nacre.transform.inputs import PARQUET_SUFFIXES
from nacre.transform.records import mini_batches

BLOCK = 1024 * 1024
"""Bytes of text read for one table; also the longest line of JSON."""
_UNFIT = (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError)
"""What Arrow raises for a Python value that is not of the type asked for."""
_CELL = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to (\S+?): (.*)", re.S)
_VALUE = re.compile(r"invalid value '(.*)'", re.S)
_WIDTH = re.compile(r"CSV parse error: (?:Row #(\d+): )?Expected (\d+) columns, got (\d+): (.*)", re.S)


class Read(NamedTuple):
    """A table, and how many bytes of the file it was."""

    table: pa.Table
    size: float


Reader = Callable[[Path, pa.Schema, bool], Iterator[Read]]
"""(path, the model's input_schema, whether a CSV file begins with a header). At least one table, perhaps of 0 rows.

Raises NacreError; rows are counted from 1 without the header.
"""


def csv_tables(path: Path, schema: pa.Schema, header: bool) -> Iterator[Read]:
    """RFC 4180. An empty field is null, a quoted empty one is an empty string, as Spark reads them."""
    names = _header(path, schema.names) if header else schema.names
    known = {name: schema.field(name).type for name in names if name in schema.names}
    nested = [name for name, kind in known.items() if pa.types.is_nested(kind)]
    types = {name: pa.string() if name in nested else known.get(name, pa.string()) for name in names}
    try:
        with path.open("rb") as stream:
            reader = _open_csv(stream, names, types, header)
            size = 0
            for table in _at_least_one(map(_table, reader), reader.schema):
                yield Read(_parsed(table, nested), stream.tell() - size)
                size = stream.tell()
    except pa.ArrowInvalid as error:
        raise _csv_error(str(error), names, header) from None


def _open_csv(stream: BinaryIO, names: list[str], types: dict[str, pa.DataType], header: bool) -> pc.CSVStreamingReader:
    return pc.open_csv(
        stream,
        pc.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names, skip_rows_after_names=int(header)),
        pc.ParseOptions(newlines_in_values=True),
        pc.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


def _header(path: Path, wanted: list[str]) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        names = next(csv.reader(stream), [])
    if not names:
        raise RequestError("the file is empty", expected="a header with the names of the columns", got="nothing")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SchemaError("a column stands in the header twice", expected="names that differ", got=names, field=twice)
    if not set(wanted) & set(names):
        raise SchemaError(
            "the header names none of the model's columns",
            expected=", ".join(wanted),
            got=", ".join(names),
            fix="If the file has no header, add --no-header.",
        )
    return names


def _csv_error(text: str, names: list[str], header: bool) -> NacreError:
    """Arrow's error as ours: Arrow counts the header as row 1."""
    if match := _CELL.search(text):
        column, row, kind, reason = match.groups()
        where: dict[str, Any] = {"row": int(row) - header} if row else {}
        value = _VALUE.fullmatch(reason)
        got = value[1] if value else reason
        return RowError("a value of another type", expected=kind, got=got, field=names[int(column)], **where)
    if match := _WIDTH.search(text):
        row, expected, got, line = match.groups()
        where = {"row": int(row) - header} if row else {}
        return RowError("a row has another number of fields", expected=expected, got=f"{got}: {line}", **where)
    if "Empty CSV" in text:
        return RequestError("the file is empty", expected="at least one row", got="nothing")
    return RequestError("the CSV cannot be read", got=text)


def _parsed(table: pa.Table, nested: list[str]) -> pa.Table:
    """The text of vector columns as lists."""
    for name in nested:
        values = [_vector(text, name, row) for row, text in enumerate(table[name].to_pylist(), 1)]
        table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.list_(pa.float64())))
    return table


def _vector(text: str | None, field: str, row: int) -> list[float] | None:
    try:
        value = None if text is None else json.loads(text)
        numbers: list[float] | None = _number(_dense(value) if isinstance(value, dict) else value)
        return numbers
    except (ValueError, KeyError, TypeError, IndexError):
        expected = '[1.0,0.0] or {"size":2,"indices":[0],"values":[1.0]}'
        raise RowError("a vector cannot be read", expected=expected, got=text, row=row, field=field) from None


def _dense(sparse: dict[str, Any]) -> list[float]:
    values = [0.0] * sparse["size"]
    for index, value in zip(sparse["indices"], sparse["values"], strict=True):
        values[index] = value
    return values


def jsonl_tables(path: Path, schema: pa.Schema, header: bool) -> Iterator[Read]:
    """One object a line; a column that an object lacks is null. An empty line is an error, but at the end."""
    del header
    types: dict[str, pa.DataType] = {field.name: field.type for field in schema}
    first = True
    with path.open("rb") as stream:
        for batch in mini_batches(stream, "Line", "MultiRecord", BLOCK):
            records = [_record(line, row) for row, line in enumerate(batch.body.split(b"\n"), batch.first)]
            names = dict.fromkeys(name for record in records for name in record)
            if first:
                types = {name: types.get(name) for name in names}
            _refuse_new(names, types, batch.first)
            columns = {name: _column(name, records, types[name], batch.first) for name in types}
            types = {name: column.type for name, column in columns.items()}
            first = False
            yield Read(pa.table(columns), len(batch.body) + 1)
    if first:
        raise RequestError("the file is empty", expected="at least one row", got="nothing")


def _record(line: bytes, row: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise RowError("a line is no JSON", expected="a JSON object", got=str(error), row=row) from None
    if not isinstance(record, dict):
        raise RowError("a line is no JSON object", expected="an object", got=line.decode(errors="replace"), row=row)
    return record


def _refuse_new(names: dict[str, None], types: dict[str, pa.DataType], first: int) -> None:
    for name in names:
        if name not in types:
            raise SchemaError(
                "a column begins in the middle of the file",
                expected=f"one of {', '.join(types)}",
                got=name,
                field=name,
                row=f"{first} or later",
                fix="Name it in one of the first lines, as null if need be.",
            )


def _column(name: str, records: list[dict[str, Any]], kind: pa.DataType | None, first: int) -> pa.Array:
    values = [record.get(name) for record in records]
    try:
        return pa.array(values, kind)
    except _UNFIT:
        kind = kind or pa.array([next(value for value in values if value is not None)]).type
        return pa.array([_checked(value, name, kind, row) for row, value in enumerate(values, first)], kind)


def _checked(value: Any, field: str, kind: pa.DataType, row: int) -> Any:
    """The value, or what its text stands for, if it is of that type. Raises RowError."""
    try:
        number = _number(value) if _of_floats(kind) else value
        pa.array([number], kind)
    except _UNFIT:
        raise RowError("a value of another type", expected=str(kind), got=value, row=row, field=field) from None
    return number


def _of_floats(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind)) or (pa.types.is_list(kind) and _of_floats(kind.value_type))


def _number(value: Any) -> Any:
    """The three numbers that JSON has no word for, as `writers` spells them; anything else as it is."""
    if isinstance(value, list):
        return [_number(each) for each in value]
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


def parquet_tables(path: Path, schema: pa.Schema, header: bool) -> Iterator[Read]:
    """Row groups in order, in tables of bounded size."""
    del schema, header
    with open_parquet(path) as file:
        size = path.stat().st_size / max(file.metadata.num_rows, 1)
        for table in _at_least_one(batches(file), file.schema_arrow):
            yield Read(table, table.num_rows * size)


def _table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])


def _at_least_one(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    first = next(tables, None)
    yield schema.empty_table() if first is None else first
    yield from tables


READERS: dict[str, Reader] = {
    ".csv": csv_tables,
    ".jsonl": jsonl_tables,
    ".ndjson": jsonl_tables,
    **dict.fromkeys(PARQUET_SUFFIXES, parquet_tables),
}
"""By the suffix of the file."""
