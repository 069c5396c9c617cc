"""Request bodies of the XGBoost container to rows of numbers: CSV, libsvm, recordio-protobuf, JSON, JSON Lines.

Every failure here is the container's 415. The contract is `xgboost-serving.md`; what differs under ``NACRE_COMPAT=aws``
says so where it does. Scoring wants float32, so numbers are rounded here and what does not fit is refused, as the
library's own data matrix refuses infinities.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from nacre.errors import NacreError, RequestError
from nacre.formats import decimals, libsvm, recordio
from nacre.formats.json import reason

if TYPE_CHECKING:
    from collections.abc import Sequence

STATUS = 415
PREFERRED = (",", "\t", ";", " ", ":")
"""CSV delimiters, in the order they are looked for in the first line (that of Python's Sniffer)."""

KINDS: dict[str, tuple[str, ...]] = {
    "csv": ("csv", "text/csv"),
    "libsvm": ("libsvm", "text/libsvm", "text/x-libsvm"),
    "parquet": ("parquet", "application/x-parquet"),
    "recordio-protobuf": ("recordio-protobuf", "application/x-recordio-protobuf"),
}
"""Content types the AWS container knows, in the order its error lists them: short names, then the others."""
OURS: dict[str, tuple[str, ...]] = {
    "json": ("application/json",),
    "jsonlines": ("application/jsonlines", "application/x-jsonlines", "application/jsonl", "application/x-ndjson"),
    "parquet": ("application/vnd.apache.parquet",),
}
"""Further ones without ``NACRE_COMPAT=aws``."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
"""Flask parses forms away, so the AWS container sees an empty body."""
UNNAMED = "libsvm"
"""What a request without Content-Type holds."""

MAX_CELLS = 2**27
"""Rows times features of a sparse request; its rows take next to no bytes, laid out they take half a GB."""


class Block(NamedTuple):
    """Rows as they came: float32 (rows, columns), NaN missing. Absent columns of a sparse kind are missing."""

    values: np.ndarray
    columns: int
    """As many as the input had; more than `values` has where those cannot belong to the model."""
    kind: str
    sparse: bool = False


def kind_of(content_type: str | None, compat: bool) -> str:
    """The kind a Content-Type stands for, parameters ignored. Raises RequestError."""
    if content_type is None:
        return UNNAMED
    name, *parameters = [part.strip() for part in content_type.lower().split(";")]
    for kinds in (KINDS,) if compat else (KINDS, OURS):
        for kind, names in kinds.items():
            if name in names:
                _check_label_size(content_type, parameters)
                return kind
    short = [names[0] for names in KINDS.values()]
    known = [*short, *(name for names in KINDS.values() for name in names[1:])]
    if not compat:
        known += [names[0] for kind, names in OURS.items() if kind not in KINDS]
    raise RequestError(f"{content_type} is not an accepted ContentType: {', '.join(known)}.", status=STATUS)


def _check_label_size(content_type: str, parameters: Sequence[str]) -> None:
    sizes = [part.partition("=")[2].strip() for part in parameters if part.startswith("label_size")]
    if sizes and sizes[0] != "1":
        rule = "Optional parameter label_size must be equal to 1"
        raise RequestError(f"{content_type} is not an accepted csv ContentType. {rule}", status=STATUS)


def failed(kind: str, **known: Any) -> NoReturn:
    message = f"Loading {kind} data failed with Exception, please ensure data is in {kind} format"
    raise RequestError(message, status=STATUS, **known) from None


def parse(kind: str, body: bytes, features: int, compat: bool, base: str = "auto") -> Block:
    """The rows of a body. `features` is how many the model has, `base` is libsvm's. Raises RequestError, 415."""
    try:
        if kind == "csv":
            return Block(_float32(csv_rows(body, compat), kind), -1, kind)
        if kind == "libsvm":
            return from_libsvm(body, features, base)
        if kind == "recordio-protobuf":
            return from_recordio(body, features)
        if kind == "parquet":
            failed(kind, fix="This container reads Parquet for training only" if compat else None)
        return Block(_float32((from_json if kind == "json" else from_json_lines)(body), kind), -1, kind)
    except RequestError:
        raise
    except NacreError as error:
        failed(kind, expected=error.expected, got=error.got, fix=error.fix, **error.where)


def as_block(numbers: np.ndarray, kind: str) -> Block:
    """Numbers that need no parsing: float64 (rows, columns) as a block, checked like text."""
    return Block(_float32(numbers, kind), -1, kind)


def _float32(numbers: np.ndarray, kind: str) -> np.ndarray:
    """Rounded as the library rounds. Infinities, and what float32 cannot hold, are refused with row and field."""
    with np.errstate(over="ignore"):
        rounded = numbers.astype(np.float32)
    infinite = np.isinf(rounded)
    if infinite.any():
        row, column = (int(at) for at in np.argwhere(infinite)[0])
        refuse_infinite(kind, float(numbers[row, column]), row, column)
    return rounded


def refuse_infinite(kind: str, value: float, row: int, column: int) -> NoReturn:
    expected = "a number within ±3.4028235e+38, or nothing"
    failed(kind, expected=expected, got=value, row=row + 1, field=column + 1)


def text_of(body: bytes, kind: str) -> str:
    try:
        return body.strip().decode()
    except UnicodeDecodeError as error:
        failed(kind, expected="UTF-8 text", got=f"byte {body.strip()[error.start]:#04x}")


def csv_rows(body: bytes, compat: bool) -> np.ndarray:
    """CSV without header or label to float64 (rows, columns); an empty field is missing."""
    quick = None if compat else decimals.read_lines(body.strip())
    if quick is not None:
        return quick
    lines = text_of(body, "csv").split("\n")
    if not lines[0]:
        failed("csv", expected="rows of numbers", got="blank lines")
    delimiter = sniffed(lines[0]) if compat else chosen(lines[0])
    width = lines[0].count(delimiter) + 1
    for number, line in enumerate(lines):
        if line.count(delimiter) + 1 != width or not line.strip():
            got = f"{line.count(delimiter) + 1}" if line.strip() else "a blank line"
            failed("csv", expected=f"{width} fields, as in row 1", got=got, row=number + 1)
    fields = delimiter.join(lines).split(delimiter)
    try:
        numbers = list(map(float, fields))
    except ValueError:
        numbers = [_number(field, at, width, compat) for at, field in enumerate(fields)]
    return np.array(numbers, np.float64).reshape(len(lines), width)


def _number(field: str, at: int, width: int, compat: bool) -> float:
    """One field; the AWS container goes through numpy's strings, which lose a trailing NUL."""
    bare = field.rstrip("\0") if compat else field.strip()
    if not bare:
        return math.nan
    try:
        return float(bare)
    except ValueError:
        row, column = divmod(at, width)
        fix = "Send no header line and no quotes" if row == 0 else None
        failed("csv", expected="a number", got=repr(field.strip()), row=row + 1, field=column + 1, fix=fix)


def chosen(line: str) -> str:
    return next((delimiter for delimiter in PREFERRED if delimiter in line.strip()), ",")


def sniffed(line: str) -> str:
    """As the AWS container guesses: Python's Sniffer on the first 512 characters, a letter or digit being a comma."""
    import csv

    try:
        found = csv.Sniffer().sniff(line[:512]).delimiter
    except csv.Error as error:
        failed("csv", got=str(error))
    return "," if found.isalnum() else found


def from_libsvm(body: bytes, features: int, base: str) -> Block:
    found = libsvm.parse(text_of(body, "libsvm"), base)
    if not len(found.column):
        failed("libsvm", expected="index:value entries", got="none", fix="Name another format in Content-Type")
    return _sparse(found, "libsvm", features)


def _sparse(found: libsvm.Sparse, kind: str, features: int) -> Block:
    """Columns the model does not have are not laid out: predicting refuses them."""
    with np.errstate(over="ignore"):
        infinite = np.flatnonzero(np.isinf(found.value.astype(np.float32)))
    if len(infinite):
        first = int(infinite[0])
        refuse_infinite(kind, float(found.value[first]), int(found.row[first]), int(found.column[first]))
    if found.columns > features:
        return Block(np.empty((0, 0), np.float32), found.columns, kind, sparse=True)
    if found.rows * features > MAX_CELLS:
        got = f"{found.rows} rows of {features}"
        raise RequestError("Request Entity Too Large", status=413, expected=f"at most {MAX_CELLS} cells", got=got)
    return Block(found.dense(features), features, kind, sparse=True)


def from_recordio(body: bytes, features: int) -> Block:
    kind = "recordio-protobuf"
    tensors = recordio.read(body)
    if any(tensor.keys is not None for tensor in tensors):
        columns = [np.arange(len(t.values)) if t.keys is None else t.keys for t in tensors]
        rows = np.repeat(np.arange(len(tensors)), [len(part) for part in columns])
        values = np.concatenate([tensor.values for tensor in tensors])
        return _sparse(libsvm.Sparse(len(tensors), rows, np.concatenate(columns), values), kind, features)
    return Block(_float32(stacked([tensor.values for tensor in tensors], kind), kind), -1, kind)


def stacked(rows: Sequence[Any], kind: str) -> np.ndarray:
    """Rows of equal length to float64 (rows, columns)."""
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            failed(kind, expected=f"{len(rows[0])} numbers, as in row 1", got=len(row), row=number + 1)
    return np.array(rows, np.float64).reshape(len(rows), -1)


def from_json(body: bytes) -> np.ndarray:
    """`{"instances": [row, …]}`, `[row, …]`, or one row alone; see :func:`_features` for a row."""
    document = _loaded(text_of(body, "json"), "json", None)
    if isinstance(document, dict) and "instances" in document:
        document = document["instances"]
    rows = document if isinstance(document, list) and any(isinstance(item, (list, dict)) for item in document) else None
    if rows is None:
        rows = [document]
    return stacked([_features(row, "json", number) for number, row in enumerate(rows)], "json")


def from_json_lines(body: bytes) -> np.ndarray:
    """One row a line."""
    kind = "jsonlines"
    lines = text_of(body, kind).split("\n")
    rows = [_features(_loaded(line, kind, number), kind, number) for number, line in enumerate(lines)]
    return stacked(rows, kind)


def _loaded(text: str, kind: str, row: int | None) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        failed(kind, expected="JSON", got=reason(error), row=None if row is None else row + 1)


def _features(row: Any, kind: str, number: int) -> list[float]:
    """A row: a list of numbers and nulls, or an object with it under `features`, or as SageMaker's common format
    `{"data": {"features": {"values": […]}}}`."""
    found = row
    for key in ("data", "features", "values"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    if not isinstance(found, list) or not found:
        failed(kind, expected='a list of numbers, or {"features": [numbers]}', got=repr(row), row=number + 1)
    return [_element(value, kind, number, column) for column, value in enumerate(found)]


def _element(value: Any, kind: str, row: int, column: int) -> float:
    if value is None:
        return math.nan
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        pass
    failed(kind, expected="a number or null", got=repr(value), row=row + 1, field=column + 1)
