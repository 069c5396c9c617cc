"""Training data: CSV (label first, no header), libsvm, Parquet or recordio-protobuf, a file or a folder, to numpy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import NacreError, RequestError, RowError, SchemaError
from nacre.train import sparse
from nacre.train.table import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

DELIMITERS = (",", "\t", ";", " ")
MAX_DEPTH = 3
"""Levels of folders below a channel that are read, as SageMaker's container has it."""
MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "NA")


def read(
    path: Path,
    *,
    kind: str | None = None,
    weights: bool = False,
    label: str | None = None,
    features: str = "features",
    base: str = "auto",
) -> Rows:
    """All rows of a file, or of a folder's files in order of name. `kind`: one of FILE_KINDS; None: the files say.

    CSV: label first, with `weights` a weight second, then the features; no header. Parquet: the vector column
    `features` and the column `label` (default: "label", else the first column of numbers); without such a vector
    column the label is first, and all others are features. `base`: number of libsvm's first feature. Raises
    RequestError, SchemaError or RowError naming file, row and field.
    """
    files = data_files(path)
    kind = kind or one_kind(files, path)
    base = sparse.libsvm_base(files) if kind == "libsvm" and base == "auto" else base
    readers: dict[str, Callable[[Path], Rows]] = {
        "csv": lambda file: _read_csv(file, weights),
        "parquet": lambda file: _named(file, weights, label, features),
        "libsvm": lambda file: sparse.read_libsvm(file, base),
        "recordio-protobuf": sparse.read_recordio,
    }
    parts = [readers[kind](file) for file in files]
    if isinstance(parts[0].features, np.ndarray):
        check_widths(files, parts)
    rows = joined(parts)
    if not len(rows.label):
        raise RequestError("no rows", expected="one row or more", got="none", file=str(path))
    return rows


def one_kind(files: Sequence[Path], path: Path) -> str:
    kinds = {sparse.kind_of(file) for file in files}
    if len(kinds) > 1:
        got = ", ".join(sorted({file.parent.name for file in files}))
        fix = "Name the folder of one of them"
        expected = " or ".join(word.replace("csv", "CSV").replace("parquet", "Parquet") for word in sorted(kinds))
        raise RequestError("files of two formats", expected=expected, got=f"both, in {got}", file=str(path), fix=fix)
    return kinds.pop()


def check_widths(files: Sequence[Path], parts: Sequence[Rows]) -> None:
    for file, part in zip(files, parts, strict=True):
        if part.features.shape[1] != parts[0].features.shape[1]:
            wanted, got_columns = parts[0].features.shape[1], part.features.shape[1]
            raise SchemaError(
                "files of different width", expected=f"{wanted} features", got=got_columns, file=str(file)
            )


def joined(parts: Sequence[Rows]) -> Rows:
    """One below the other; rows of parts without weights count 1."""
    weights = None
    if any(part.weight is not None for part in parts):
        weights = np.concatenate(
            [np.ones(len(part.label), np.float32) if part.weight is None else part.weight for part in parts]
        )
    queries = [part.query for part in parts if part.query is not None]
    return Rows(
        sparse.joined([part.features for part in parts]),
        np.concatenate([part.label for part in parts]),
        weights,
        np.concatenate(queries) if len(queries) == len(parts) else None,
    )


def data_files(path: Path, expected: str = "CSV or Parquet") -> list[Path]:
    """The file itself, or the folder's: hidden ones and Spark's `_SUCCESS` are passed over, empty ones too."""
    if path.is_file():
        found = [path]
    elif path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file() and _is_data(file.relative_to(path)))
    else:
        raise RequestError("no such file or folder", expected="training data", got="nothing", file=str(path))
    filled = [file for file in found if file.stat().st_size]
    if not filled:
        got = "an empty file" if path.is_file() else "a folder without data"
        raise RequestError("no training data", expected=expected, got=got, file=str(path))
    return filled


def _is_data(path: Path) -> bool:
    return len(path.parts) <= MAX_DEPTH + 1 and not any(part[0] in "._" for part in path.parts)


def _read_csv(file: Path, weights: bool) -> Rows:
    import pyarrow as pa
    from pyarrow import csv

    first = _first_line(file)
    delimiter = next((mark for mark in DELIMITERS if mark in first), ",")
    fields = first.split(delimiter)
    _check_first(fields, file, 3 if weights else 2)
    names = [str(number) for number in range(1, len(fields) + 1)]
    ragged: list[tuple[int, int]] = []

    def broken(row: csv.InvalidRow) -> str:
        ragged.append((row.number or 0, row.actual_columns))
        return "error"

    try:
        with pa.input_stream(file, compression="detect") as stream:
            table = csv.read_csv(
                stream,
                csv.ReadOptions(use_threads=False, column_names=names),
                csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=broken),
                csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()), null_values=list(MISSING)),
            )
    except (pa.ArrowException, OSError) as error:
        raise _csv_error(str(error), ragged, len(fields), file) from None
    columns = [table.column(name).to_numpy() for name in names]
    return _checked(np.column_stack(columns), weights, file)


def _first_line(file: Path) -> str:
    import pyarrow as pa

    with pa.input_stream(file, compression="detect") as stream:
        head = stream.read(1 << 20).split(b"\n")[0]
    try:
        return bytes(head).decode().rstrip("\r")
    except UnicodeDecodeError:
        raise RequestError(
            "not a CSV file", expected="text in UTF-8, or Parquet", got="other bytes", file=str(file)
        ) from None


def _check_first(fields: Sequence[str], file: Path, least: int) -> None:
    """A first line of names is the commonest mistake, and deserves its own words."""
    words = [field for field in fields if field.strip() not in MISSING and not _is_number(field)]
    if words and len(words) == len(fields):
        fix = "Remove the header line: label first, no header"
        raise RequestError("a header line", expected="numbers", got=", ".join(words), file=str(file), row=1, fix=fix)
    if len(fields) < least:
        expected = f"{least} or more fields: label{', weight' * (least - 2)}, features"
        raise RequestError("too few fields", expected=expected, got=len(fields), file=str(file), row=1)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _csv_error(text: str, ragged: Sequence[tuple[int, int]], width: int, file: Path) -> NacreError:
    """Arrow's sentence as ours, with row and field where it tells them."""
    if ragged:
        at, got = ragged[0]
        place: dict[str, Any] = {"file": str(file), "row": at or None}
        return RequestError("a row of another width", expected=f"{width} fields", got=got, **place)
    told = re.search(r"In CSV column #(\d+): (?:Row #(\d+): )?.*invalid value '(.*)'", text, re.DOTALL)
    if told:
        column, row, value = told.groups()
        place = {"file": str(file), "row": int(row) if row else None, "field": int(column) + 1}
        return RequestError("not a number", expected="a number", got=repr(value), **place)
    return RequestError("not a CSV file", expected="rows of numbers", got=text, file=str(file))


def _named(file: Path, weights: bool, label: str | None, features: str) -> Rows:
    try:
        return _read_parquet(file, weights, label, features)
    except NacreError as error:
        raise error.at(file=str(file)) from None


def _read_parquet(file: Path, weights: bool, label: str | None, features: str) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from nacre.formats import vectors

    try:
        table = pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError) as error:
        raise RequestError("the file is no readable Parquet", expected="a Parquet file", got=str(error)) from None
    if features in table.column_names and vectors.is_vector(table.column(features).type):
        target = _column(table, _label_of(table, label, features))
        return _checked(
            np.column_stack([target, vectors.matrix(table.column(features), features)]), weights=False, file=file
        )
    names = table.column_names
    if label is not None:
        names = [label, *(name for name in names if name != label)]
    if len(names) < 2:
        expected = f"a label and features, or a label and a vector column {features}"
        raise SchemaError("columns are missing", expected=expected, got=", ".join(names) or "none")
    return _checked(np.column_stack([_column(table, name) for name in names]), weights, file)


def _label_of(table: pa.Table, label: str | None, features: str) -> str:
    from nacre.formats import vectors

    if label is not None or "label" in table.column_names:
        return label or "label"
    numbers = [field.name for field in table.schema if vectors.is_number(field.type)]
    if not numbers:
        got = ", ".join(table.column_names)
        raise SchemaError("no label column", expected=f"a column of numbers beside {features}", got=got)
    return str(numbers[0])


def _column(table: pa.Table, name: str) -> np.ndarray:
    from nacre.formats import vectors

    if name not in table.column_names:
        raise SchemaError("a column is missing", expected=name, got=", ".join(table.column_names), field=name)
    kind = table.column(name).type
    if not vectors.is_number(kind):
        raise SchemaError("a column of another type", expected="numbers", got=str(kind), field=name)
    return vectors.numbers(table.column(name))


def _checked(numbers: np.ndarray, weights: bool, file: Path) -> Rows:
    """Label, weight and features out of float64 columns, finite in float32 but for missing features."""
    with np.errstate(over="ignore"):
        rounded = numbers.astype(np.float32)
    known = 2 if weights else 1
    bad = np.isinf(rounded)
    bad[:, :known] |= np.isnan(rounded[:, :known])
    if bad.any():
        row, column = (int(at) for at in np.argwhere(bad)[0])
        what = ("label", "weight")[column] if column < known else "feature"
        got = "nothing" if np.isnan(numbers[row, column]) else float(numbers[row, column])
        where: dict[str, Any] = {"file": str(file), "row": row + 1, "field": column + 1}
        raise RowError(f"a {what} that is no finite number", expected="a number float32 can hold", got=got, **where)
    return Rows(rounded[:, known:], rounded[:, 0], rounded[:, 1] if weights else None)
