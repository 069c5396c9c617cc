"""Bodies of the postprocess container: CSV, JSON, JSON Lines and Parquet to rows of typed values, and rows to text.

Nothing is dropped silently: an empty line, a field too many, a record without its columns are refused with their row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nacre.errors import RequestError, RowError, SchemaError
from nacre.formats import csv, json
from nacre.handlers.postprocess_values import csv_text, from_json, from_text, json_text
from nacre.plan.types import INTEGERS, Type

if TYPE_CHECKING:
    import pyarrow as pa

    from nacre.handlers.postprocess_config import Column, Form

CSV, JSON, JSON_LINES, PARQUET = "text/csv", "application/json", "application/jsonlines", "application/x-parquet"
SPELLED = {
    CSV: CSV, JSON: JSON, JSON_LINES: JSON_LINES, PARQUET: PARQUET, "application/jsonl": JSON_LINES,
    "application/x-jsonlines": JSON_LINES, "application/x-ndjson": JSON_LINES,
    "application/vnd.apache.parquet": PARQUET,
}  # fmt: skip
"""Every spelling of a type that is read -> the type."""
KEYS = ("predictions", "instances", "data")
"""Where records stand in a JSON document whose form names no key."""

LISTED = re.compile(r"^\[(.*)\]\r?$", re.MULTILINE)
"""A line of numbers in brackets, as the XGBoost container writes a vector under SAGEMAKER_BATCH."""

Row = Sequence[Any]


class Reader:
    """Reads the bodies of one form."""

    def __init__(self, form: Form):
        self.form = form
        self.names = [column.name for column in form.columns]
        self._text = [from_text(_base(column)) for column in form.columns]
        self._json = [from_json(_base(column)) for column in form.columns]
        self._paths = [tuple(column.source.split(".")) for column in form.columns]

    def read(self, body: bytes, kind: str) -> list[Row]:
        """Raises RequestError for a body that is none of the kind, RowError for a record."""
        if not body:
            raise RequestError("the body is empty", expected="at least one record", got="none")
        if kind == PARQUET:
            return self.table(_parquet(body))
        found = {CSV: self._csv, JSON: self._document, JSON_LINES: self._lines}[kind](body)
        if not found:
            raise RequestError("the body has no records", expected="at least one record", got="none")
        return found

    # CSV

    def _csv(self, body: bytes) -> list[Row]:
        text = _decoded(body)
        if text.startswith("[") and self.form.columns[0].type != "string":
            text = LISTED.sub(r"\1", text)
        try:
            records = csv.records(text, keep_empty=True)
        except csv.CsvError as error:
            raise RequestError(str(error), expected="CSV as in RFC 4180", got=f"line {error.line}") from None
        records = [[], *records] if text[:1] in ("\n", "\r") else records
        if text.endswith(("\n\n", "\r\r", "\n\r\n")) and records:
            records.append([])
        places, first = None, 1
        if self.form.header and records:
            places, first = self._places(records[0]), 0
        return [self._record(fields, number, places) for number, fields in enumerate(records, first) if number]

    def _places(self, header: list[str]) -> list[int]:
        """Where the columns stand, by the names in the header."""
        wanted = [column.source for column in self.form.columns]
        for name in wanted:
            if header.count(name) != 1:
                raise SchemaError(
                    "a column is missing", expected=f"{name} once in the header", got=",".join(header), field=name
                )
        self._refuse_extra([name for name in header if name not in wanted], len(wanted), None)
        return [header.index(name) for name in wanted]

    def _record(self, fields: list[str], row: int, places: list[int] | None) -> Row:
        if not fields:
            raise RowError("an empty line", expected="a record", got="nothing", row=row)
        if places is not None:
            if len(fields) <= max(places):
                raise RowError("too few fields", expected=f"{max(places) + 1}", got=f"{len(fields)}", row=row)
            fields = [fields[place] for place in places]
        elif len(fields) != len(self.names):
            self._check_count(len(fields), row)
        return self._converted(self._text, fields, row)

    def _check_count(self, count: int, row: int) -> None:
        wanted = len(self.names)
        if count < wanted:
            raise RowError("too few fields", expected=f"{wanted}: {', '.join(self.names)}", got=f"{count}", row=row)
        self._refuse_extra(range(wanted, count), wanted, row)

    def _refuse_extra(self, extra: Sequence[Any], wanted: int, row: int | None) -> None:
        if extra and not self.form.extra:
            raise RowError(
                "fields that are not declared", expected=f"{wanted}: {', '.join(self.names)}",
                got=f"{len(extra)} more" if isinstance(extra, range) else f"also {', '.join(map(str, extra))}", row=row,
                fix="Declare them, or set `extra: ignore` under input",
            )  # fmt: skip

    def _converted(self, converters: Sequence[Callable[[Any], Any]], values: Sequence[Any], row: int) -> Row:
        try:
            return [convert(value) for convert, value in zip(converters, values, strict=False)]
        except ValueError:
            pass
        for column, convert, value in zip(self.form.columns, converters, values, strict=False):
            try:
                convert(value)
            except ValueError as error:
                message = "a value of another type"
                raise RowError(message, expected=str(error), got=value, row=row, field=column.name) from None
        raise AssertionError("one of them was refused")

    # JSON

    def _document(self, body: bytes) -> list[Row]:
        try:
            found = json.loads(body)
        except json.JsonError as error:
            raise RequestError("the body is no JSON", expected="JSON", got=str(error), field=error.place()) from None
        return [self._item(item, number) for number, item in enumerate(self._items(found), 1)]

    def _items(self, found: Any) -> list[Any]:
        """The records: under the form's key, else under one of KEYS, else the list, else the document itself."""
        if self.form.key is not None:
            if not isinstance(found, dict) or not isinstance(found.get(self.form.key), list):
                raise RequestError("no records", expected=f'{{"{self.form.key}": [record, …]}}', got=_short(found))
            return found[self.form.key]  # type: ignore[no-any-return]
        if isinstance(found, dict):
            key = next((key for key in KEYS if isinstance(found.get(key), list) and len(found) == 1), None)
            return [found] if key is None else found[key]
        return found if isinstance(found, list) else [found]

    def _lines(self, body: bytes) -> list[Row]:
        _decoded(body)
        rows = []
        for number, line in enumerate(json.lines(body), 1):
            if not line.strip():
                raise RowError("an empty line", expected="a record", got="nothing", row=number)
            try:
                rows.append(self._item(json.loads_text(line), number))
            except json.JsonError as error:
                raise RowError("the line is no JSON", expected="JSON", got=str(error), row=number) from None
        return rows

    def _item(self, item: Any, row: int) -> Row:
        """A record: an object by name, a list by position, or the value of the only column."""
        if isinstance(item, dict):
            return self._converted(self._json, self._found(item, row), row)
        values = item if isinstance(item, list) else [item]
        if len(values) != len(self.names):
            self._check_count(len(values), row)
        return self._converted(self._json, values, row)

    def _found(self, item: dict[str, Any], row: int) -> list[Any]:
        if not self.form.extra:
            known = {path[0] for path in self._paths}
            self._refuse_extra([key for key in item if key not in known], len(known), row)
        return [_at(item, path) for path in self._paths]

    # Arrow

    def table(self, table: pa.Table) -> list[Row]:
        """Rows of typed columns, found by name. Raises SchemaError for a column that is missing or of another type."""
        columns = [_column(table, column) for column in self.form.columns]
        return list(zip(*columns, strict=True))

    def matrix(self, numbers: Sequence[Sequence[float]]) -> list[Row]:
        """Rows of numbers that come without text, as `read` would read them."""
        if numbers and len(numbers[0]) != len(self.names):
            self._check_count(len(numbers[0]), 1)
            return [row[: len(self.names)] for row in numbers]
        return list(numbers)

    @property
    def doubles(self) -> bool:
        """Whether CSV of numbers means these very numbers here."""
        return not self.form.header and all(column.type == "double" for column in self.form.columns)


def _base(column: Column) -> str:
    assert column.type is not None, "a column that comes in has one"
    return column.type


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError("the body is not UTF-8", expected="UTF-8 text", got=f"byte {error.start + 1}") from None


def _short(value: Any) -> str:
    return f"an object of {', '.join(value)}" if isinstance(value, dict) else f"a {type(value).__name__}"


def _at(item: Any, path: Sequence[str]) -> Any:
    """What a path names inside a record; null where there is nothing."""
    for step in path:
        if isinstance(item, dict):
            item = item.get(step)
        elif isinstance(item, list) and step.isascii() and step.isdigit() and int(step) < len(item):
            item = item[int(step)]
        else:
            return None
    return item


def _parquet(body: bytes) -> pa.Table:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(io.BytesIO(body))
    except (pa.ArrowException, OSError) as error:
        raise RequestError("the body is no Parquet", expected="a Parquet file", got=str(error)[:200]) from None


def _column(table: pa.Table, column: Column) -> list[Any]:
    import pyarrow as pa

    if table.column_names.count(column.source) != 1:
        expected, got = f"a column {column.source}", ", ".join(table.column_names)
        raise SchemaError("a column is missing", expected=expected, got=got, field=column.name)
    array, base = table.column(column.source), _base(column)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if not _fits(array.type, base):
        raise SchemaError("a column of another type", expected=base, got=str(array.type), field=column.name)
    try:
        found: list[Any] = array.cast(Type(base).arrow(), safe=base in INTEGERS).to_pylist()
    except pa.ArrowException as error:
        raise SchemaError("a column of another type", expected=base, got=str(error)[:200], field=column.name) from None
    return found


def _fits(kind: pa.DataType, base: str) -> bool:
    import pyarrow as pa

    if pa.types.is_null(kind):
        return True
    if base == "string":
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    if base == "boolean":
        return bool(pa.types.is_boolean(kind))
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


class Writer:
    """Writes rows as the bodies of one form."""

    def __init__(self, form: Form, types: Sequence[str]):
        self.form = form
        self.names = [column.name for column in form.columns]
        self.types = list(types)
        self._csv = [csv_text(base) for base in types]
        self._json = [json_text(base) for base in types]
        self._keys = [json_text("string")(name) for name in self.names]
        self._head = ",".join(csv_text("string")(name) for name in self.names)

    def write(self, rows: Sequence[Row], kind: str) -> bytes:
        if kind == CSV:
            lines = [self._line(row) for row in rows]
            return "\n".join([*([self._head] if self.form.header else []), *lines, ""]).encode("utf-8", "replace")
        objects = [self._object(row) for row in rows]
        if kind == JSON_LINES:
            return "\n".join([*objects, ""]).encode("utf-8", "replace")
        listed = f"[{', '.join(objects)}]"
        key = self.form.key or KEYS[0]
        return f"{{{json_text('string')(key)}: {listed}}}".encode("utf-8", "replace")

    def _line(self, row: Row) -> str:
        """One record; a lone null is `""`, since an empty line is no record."""
        return ",".join([write(value) for write, value in zip(self._csv, row, strict=True)]) or '""'

    def _object(self, row: Row) -> str:
        parts = zip(self._keys, self._json, row, strict=True)
        return f"{{{', '.join([f'{key}: {write(value)}' for key, write, value in parts])}}}"
