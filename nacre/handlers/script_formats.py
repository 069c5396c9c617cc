"""What a script's container reads and writes where the script has no input_fn or output_fn of its own.

CSV, JSON and NPY as SageMaker's toolkits have them, and JSON Lines and Parquet. A request becomes an array of shape
(rows, columns), or a pandas DataFrame where columns have names and are not all numbers; nothing that is read or
written runs code (NPY with objects in it is refused).
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import RequestError, RowError, SchemaError
from nacre.formats import headers
from nacre.formats.headers import media_type
from nacre.formats.json import lines, reason

if TYPE_CHECKING:
    import pyarrow as pa

CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"
JSON_LINES, PARQUET = "application/jsonlines", "application/x-parquet"
AS_TEXT = (JSON, CSV)
"""Types whose body a script gets as str; of all others it gets bytes."""
WRAPPERS = ("instances", "inputs", "data")
"""Keys under which a JSON document may hold its rows."""
FEATURES = "features"


def known(header: str) -> str:
    """The type alone, where it is one of ours or there is nothing but a charset behind it; all of it otherwise, since
    a script may need the parameters (the boundary of multipart/form-data)."""
    name, parameters = media_type(header)
    return name if name in DECODERS or set(parameters) <= {"charset"} else header


def text_of(body: bytes, header: str) -> str:
    """The body as text, in the charset of its header, else UTF-8. Raises RequestError."""
    charset = media_type(header)[1].get("charset") or "utf-8"
    try:
        return body.decode(charset).removeprefix("\ufeff")  # a byte order mark is no data
    except LookupError:
        raise RequestError("unknown charset", status=415, expected="utf-8", got=charset) from None
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not {charset}", got=f"byte {error.start + 1}, {error.reason}") from None


# Requests


def from_csv(text: str) -> Any:
    """(rows, columns): float64 where every field is a number or empty (NaN), texts otherwise. Blank lines are none."""
    rows = csv_rows(text)
    try:
        return np.array([[float(field) if field.strip() else math.nan for field in row] for row in rows])
    except ValueError:
        return np.array(rows)


def csv_rows(text: str) -> list[list[str]]:
    """The fields of each row, as many in all. Raises RequestError or RowError."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise RequestError("the body is no CSV", got=str(error)) from None
    check_even(rows)
    return rows


def check_even(rows: Sequence[Any]) -> None:
    """Raises RequestError without rows, RowError for one of another width."""
    if not rows:
        raise RequestError("no rows", expected="one row or more", got="an empty body")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise RowError("a row of another width", expected=f"{len(rows[0])} fields", got=len(row), row=number)


def from_json(text: str) -> Any:
    """A list of rows, `{"instances": …}` (also `inputs`, `data`), or one row; a row is a list of values, one value,
    `{"features": […]}`, or a mapping of columns. A number alone stays one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError("the body is no JSON", got=reason(error)) from None
    if isinstance(document, Mapping):
        key = next((name for name in WRAPPERS if name in document), None)
        document = [document] if key is None else document[key]
    if not isinstance(document, list):
        return np.array(document)
    return from_rows(document)


def from_json_lines(text: str) -> Any:
    """A row a line, as in :func:`from_json`."""
    rows = []
    for number, line in enumerate(lines(text.encode()), 1):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise RowError("a line is no JSON", got=reason(error), row=number) from None
    return from_rows([row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows])


def from_rows(rows: list[Any]) -> Any:
    if not rows:
        raise RequestError("no rows", expected="one row or more", got="an empty list")
    rows = [row[FEATURES] if isinstance(row, Mapping) and FEATURES in row else row for row in rows]
    shapes = {type(row) if isinstance(row, (list, Mapping)) else None for row in rows}
    if len(shapes) > 1:
        raise RequestError("rows of several shapes", expected="all lists, all objects or all values", got="a mixture")
    if isinstance(rows[0], Mapping):
        return from_mappings(rows)
    if isinstance(rows[0], list):
        check_even(rows)
    return from_values(rows)


def from_values(rows: list[Any]) -> Any:
    """Numbers, null being NaN, to float64 or a whole type; what else there is to objects."""
    try:
        return np.array(rows) if not has_null(rows) else np.array(rows, dtype=np.float64)
    except (ValueError, TypeError):
        return np.array(rows, dtype=object)


def has_null(value: Any) -> bool:
    return any(map(has_null, value)) if isinstance(value, list) else value is None


def from_mappings(rows: list[Mapping[str, Any]]) -> Any:
    """Rows by the names of their columns."""
    for number, row in enumerate(rows, 1):
        if row.keys() != rows[0].keys():
            expected, got = ", ".join(rows[0]), ", ".join(row) or "none"
            raise RowError("a row with other columns", expected=expected, got=got, row=number)
    return data_frame({name: [row[name] for row in rows] for name in rows[0]})


def data_frame(columns: Any) -> Any:
    """A pandas DataFrame. Raises RequestError, 415, where pandas is not installed."""
    try:
        import pandas as pd
    except ModuleNotFoundError:
        fix = "Install pandas in the container, or send rows as lists"
        raise RequestError("columns with names need pandas", status=415, expected="rows as lists", fix=fix) from None
    return pd.DataFrame(columns)


def from_npy(body: bytes) -> Any:
    try:
        return np.lib.format.read_array(io.BytesIO(body), allow_pickle=False)
    except Exception as error:  # noqa: BLE001  numpy evaluates the head's text, and raises whatever comes of it
        raise RequestError("the body is no NPY", expected="an array of numbers or texts", got=str(error)) from None


def from_parquet(body: bytes) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(body))
    except (pa.ArrowException, OSError) as error:
        raise RequestError("the body is no Parquet", expected="a Parquet file", got=str(error)) from None
    return from_table(table)


def from_table(table: pa.Table) -> Any:
    """The vector column `features`, or the only one, as float64 (rows, size); else a DataFrame of all columns."""
    from nacre.formats import vectors

    if not table.num_rows:
        raise RequestError("no rows", expected="one row or more", got="an empty table")
    name = FEATURES if FEATURES in table.column_names else table.column_names[0]
    if (name == FEATURES or table.num_columns == 1) and vectors.is_vector(table.column(name).type):
        return vectors.matrix(table.column(name), name)
    return data_frame({name: table.column(name).to_pandas() for name in table.column_names})


DECODERS: dict[str, Callable[[Any], Any]] = {
    CSV: from_csv,
    JSON: from_json,
    JSON_LINES: from_json_lines,
    NPY: from_npy,
    PARQUET: from_parquet,
}
DECODED_AS_TEXT = (CSV, JSON, JSON_LINES)


def decode(body: str | bytes, content_type: str) -> Any:
    """A body to an array or a DataFrame. Raises RequestError (415 for another type) or RowError."""
    name = media_type(content_type)[0]
    check_readable(content_type)
    if name in DECODED_AS_TEXT and isinstance(body, bytes):
        body = text_of(body, content_type)
    return DECODERS[name](body)


def as_toolkit(body: str | bytes, content_type: str) -> Any:
    """The same in the shapes of SageMaker's toolkit: CSV of one row or one column has one dimension."""
    data = decode(body, content_type)
    return data.squeeze() if media_type(content_type)[0] == CSV else data


def check_readable(content_type: str) -> None:
    if media_type(content_type)[0] not in DECODERS:
        fix = "Send one of these, or write an input_fn that reads it"
        raise RequestError(
            f"Content type {content_type} is not supported by this framework", status=415,
            expected=", ".join(DECODERS), got=content_type, fix=fix,
        )  # fmt: skip


def as_numbers(data: Any, dtype: type = np.float32) -> Any:
    """The same rows as numbers. Raises RowError naming the first value that is none; a DataFrame stays what it is."""
    if not isinstance(data, np.ndarray):
        return data
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, which models refuse
            return data.astype(dtype)
    except (ValueError, TypeError):
        for number, row in enumerate(np.atleast_2d(data), 1):
            for column, value in enumerate(row.ravel().tolist(), 1):
                if not is_number(value):
                    raise RowError(
                        "not a number", expected="a number", got=value, row=number, field=f"column {column}"
                    ) from None
        raise


def is_number(value: Any) -> bool:
    try:
        float(value)
    except (ValueError, TypeError):
        return False
    return True


# Replies


def plain(value: Any) -> Any:
    """Arrays, frames, tensors and their like as lists and numbers."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict("records")
    if hasattr(value, "toarray"):  # a sparse matrix of scipy
        value = value.toarray()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def strict(value: Any) -> Any:
    """What JSON has no word for is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    return [strict(item) for item in value] if isinstance(value, list) else value


def document(value: Any, compat: bool = False) -> str:
    value = plain(value)
    try:
        return json.dumps(value, allow_nan=compat)
    except ValueError:
        return json.dumps(strict(value))
    except TypeError as error:
        raise unwritable(JSON, "numbers, texts, lists and mappings", str(error)) from None


def to_array(value: Any, accept: str) -> np.ndarray:
    """A prediction as an array. Raises RequestError, 406, where it has no such shape."""
    if hasattr(value, "toarray"):
        value = value.toarray()
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise unwritable(accept, "rows of the same length", str(error)) from None


def to_csv(value: Any) -> bytes:
    """A value a line of one dimension, a row a line of two; a number alone is one line."""
    array = to_array(value, CSV)
    if array.ndim > 2 or (array.dtype == object and any(isinstance(item, (list, Mapping)) for item in array.flat)):
        raise unwritable(CSV, "one value or one list of values a row", f"{array.ndim} dimensions of {array.dtype}")
    rows = array if array.ndim == 2 else array.reshape(-1, 1)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def to_json_lines(value: Any, compat: bool = False) -> bytes:
    rows = plain(value)
    return "".join(document(row, compat) + "\n" for row in (rows if isinstance(rows, list) else [rows])).encode()


def to_npy(value: Any) -> bytes:
    array = to_array(value, NPY)
    if array.dtype.hasobject:
        raise unwritable(NPY, "numbers or texts", f"objects, which only a pickle could hold ({array.dtype})")
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def to_parquet(value: Any) -> bytes:
    """A DataFrame's own columns, those of a list of mappings, else one column `prediction`, a value or list a row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if hasattr(value, "to_dict") and hasattr(value, "columns"):
            table = pa.Table.from_pandas(value, preserve_index=False)
        else:
            rows = plain(value)
            rows = rows if isinstance(rows, list) else [rows]
            mappings = bool(rows) and isinstance(rows[0], Mapping)
            table = pa.Table.from_pylist(rows) if mappings else pa.table({"prediction": pa.array(rows)})
    except (pa.ArrowException, TypeError, AttributeError) as error:
        raise unwritable(PARQUET, "columns of one type each", str(error)) from None
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def unwritable(accept: str, expected: str, got: str) -> RequestError:
    return RequestError(f"the prediction cannot be written as {accept}", status=406, expected=expected, got=got)


ENCODERS: dict[str, Callable[[Any], bytes]] = {
    JSON: lambda value: document(value).encode(),
    CSV: to_csv,
    NPY: to_npy,
    JSON_LINES: to_json_lines,
    PARQUET: to_parquet,
}
AWS_ENCODERS = ENCODERS | {
    JSON: lambda value: document(value, compat=True).encode(),
    JSON_LINES: lambda value: to_json_lines(value, compat=True),
}


def choices(accept: str) -> list[str]:
    """The types of an Accept header, best first, each as `known` has it."""
    return [known(each) for each in headers.choices(accept)]


def chosen(accept: str, default: str) -> str:
    """The first type that can be written; a wildcard stands for the default. Raises RequestError, 406."""
    for name in choices(accept):
        wildcard = name == "*/*" or (name.endswith("/*") and default.startswith(name[:-1]))
        if (wildcard and default in ENCODERS) or name in ENCODERS:
            return default if wildcard else name
    fix = "Ask for one of these, or write an output_fn that writes it"
    raise RequestError(
        f"Content type {accept} is not supported by this framework", status=406,
        expected=", ".join(ENCODERS), got=accept, fix=fix,
    )  # fmt: skip


__all__ = ["SchemaError", "as_numbers", "choices", "chosen", "decode", "media_type"]
