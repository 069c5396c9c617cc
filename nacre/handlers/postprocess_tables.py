"""Tables that ship with a postprocess model: CSV with a header, JSON Lines or Parquet, read once into dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from nacre.errors import ModelError
from nacre.formats import csv, json
from nacre.handlers.postprocess_config import Table, refuse
from nacre.handlers.postprocess_values import from_json, from_text
from nacre.plan.types import BASES, Type

KEYS = ("string", "boolean", "byte", "short", "int", "long")
"""Types that can be looked up: of the others equality says little."""
LONGEST_NAME = 255


class Limits(NamedTuple):
    """The largest table: rows, and bytes of its file."""

    rows: int
    size: int


class Loaded(NamedTuple):
    """A table ready to be joined: values by key (a tuple for several key columns), in the order of `types`."""

    key: tuple[str, ...]
    types: Mapping[str, str]
    rows: Mapping[Any, tuple[Any, ...]]

    def place(self, column: str) -> int:
        return list(self.types).index(column)


def load(table: Table, folder: Path, limits: Limits) -> Loaded:
    """Read one table. Raises ModelError naming file, row and column."""
    path = inside(folder, table)
    if path.stat().st_size > limits.size:
        refuse(f"tables.{table.name}.file", "the table is too large", f"at most {limits.size} bytes",
               f"{path.stat().st_size} bytes", "Raise NACRE_TABLE_MB")  # fmt: skip
    types, rows = READERS[path.suffix.lower()](table, path)
    for name in table.key:
        if name not in types:
            refuse(f"tables.{table.name}.key", "no such column", ", ".join(types), name)
        if types[name] not in KEYS:
            refuse(f"tables.{table.name}.key", "a type that cannot be looked up", " or ".join(KEYS), types[name])
    return Loaded(table.key, types, indexed(table, types, rows, limits.rows))


def inside(folder: Path, table: Table) -> Path:
    """The table's file, which must be one of the model folder."""
    where = f"tables.{table.name}.file"
    name = PurePosixPath(table.file)
    if name.is_absolute() or ".." in name.parts or "\\" in table.file:
        refuse(where, "a file outside the model", "a relative path in the model folder", table.file)
    path = folder / name
    if len(table.file) > LONGEST_NAME or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        refuse(where, "no such file in the model", "a file of the model folder", table.file)
    if path.suffix.lower() not in READERS:
        refuse(where, "unknown format", ", ".join(READERS), path.name)
    return path


def indexed(
    table: Table, types: Mapping[str, str], rows: Iterator[Sequence[Any]], most: int
) -> dict[Any, tuple[Any, ...]]:
    names = list(types)
    places = [names.index(name) for name in table.key]
    found: dict[Any, tuple[Any, ...]] = {}
    for number, row in enumerate(rows, 1):
        if number > most:
            raise wrong(table, "too many rows", f"at most {most}", "more", None, fix="Raise NACRE_TABLE_ROWS")
        parts = [row[place] for place in places]
        if None in parts:
            raise wrong(table, "a key is missing", "a value", "null", number, table.key[parts.index(None)])
        key = parts[0] if len(parts) == 1 else tuple(parts)
        if key in found:
            raise wrong(table, "a key stands twice", "one row a key", repr(key), number, ", ".join(table.key))
        found[key] = tuple(row)
    return found


def wrong(
    table: Table, message: str, expected: str, got: str, row: int | None, field: str | None = None,
    fix: str | None = None,
) -> ModelError:  # fmt: skip
    return ModelError(message, expected=expected, got=got, file=table.file, row=row, field=field, fix=fix)


def declared(table: Table, what: str) -> Mapping[str, str]:
    if not table.columns:
        refuse(f"tables.{table.name}.columns", "missing", f"the types of the columns, which {what} has not", "nothing")
    return table.columns


def read_csv(table: Table, path: Path) -> tuple[Mapping[str, str], Iterator[Sequence[Any]]]:
    types = declared(table, "a CSV")
    try:
        records = csv.records(path.read_bytes().decode("utf-8-sig"))
    except (csv.CsvError, UnicodeDecodeError) as error:
        raise wrong(table, "not CSV", "CSV in UTF-8 with a header", str(error), None) from None
    header = records[0] if records else []
    for name in types:
        if header.count(name) != 1:
            raise wrong(table, "no such column", f"{name} once in the header", ", ".join(header), None, name)
    places = [header.index(name) for name in types]
    converters = [(name, from_text(base)) for name, base in types.items()]

    def rows() -> Iterator[Sequence[Any]]:
        for number, record in enumerate(records[1:], 1):
            if len(record) != len(header):
                raise wrong(table, "another number of fields", f"{len(header)}", f"{len(record)}", number)
            yield converted(table, number, converters, [record[place] for place in places])

    return types, rows()


def read_json_lines(table: Table, path: Path) -> tuple[Mapping[str, str], Iterator[Sequence[Any]]]:
    types = declared(table, "JSON Lines")
    converters = [(name, from_json(base)) for name, base in types.items()]

    def rows() -> Iterator[Sequence[Any]]:
        for number, line in enumerate(json.lines(path.read_bytes()), 1):
            try:
                found = json.loads_text(line)
            except json.JsonError as error:
                raise wrong(table, "not JSON", "an object a line", str(error), number) from None
            if not isinstance(found, dict):
                raise wrong(table, "not an object", "an object a line", str(found)[:200], number)
            yield converted(table, number, converters, [found.get(name) for name in types])

    return types, rows()


def converted(
    table: Table, row: int, converters: Sequence[tuple[str, Callable[[Any], Any]]], values: Sequence[Any]
) -> list[Any]:
    made = []
    for (name, convert), value in zip(converters, values, strict=True):
        try:
            made.append(convert(value))
        except ValueError as error:
            raise wrong(table, "a value of another type", str(error), str(value)[:200], row, name) from None
    return made


def read_parquet(table: Table, path: Path) -> tuple[Mapping[str, str], Iterator[Sequence[Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise wrong(table, "not Parquet", "a Parquet file", str(error)[:200], None) from None
    known = {Type(base).arrow(): base for base in BASES}
    types = dict(table.columns or {})
    if not types:  # columns of other types are left alone
        types = {name: known[kind] for name, kind in zip(found.schema.names, found.schema.types, strict=True)
                 if kind in known}  # fmt: skip
    for name in types:
        if found.schema.names.count(name) != 1:
            raise wrong(table, "no such column", f"{name}, once", ", ".join(found.schema.names), None, name)
    try:
        columns = [found[name].cast(Type(base).arrow()).to_pylist() for name, base in types.items()]
    except pa.ArrowException as error:
        raise wrong(table, "a column of another type", ", ".join(types.values()), str(error)[:200], None) from None
    return types, iter(list(zip(*columns, strict=True)))


READERS = {".csv": read_csv, ".jsonl": read_json_lines, ".parquet": read_parquet}
