"""TensorFlow Serving's REST API of predictions: JSON to arrays, and arrays to its very text.

A request has rows (`instances`) or columns (`inputs`), a `signature_name` if not the default's, and bytes as
`{"b64": …}`. The answer to rows is `predictions`, that to columns `outputs`. Numbers are written with six digits if
that gives them back, else with nine or seventeen, whole ones with `.0`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nacre.errors import RequestError, RowError, SchemaError

if TYPE_CHECKING:
    from nacre.handlers.tensorflow_models import Servable, Signature, Spec

EXPECTED = '{"instances": [row, …]} or {"inputs": columns}'


class Asked(NamedTuple):
    """Arrays by input, and how they came: rows or columns."""

    signature: Signature
    arrays: Mapping[str, np.ndarray]
    rows: bool = True


class Answered(NamedTuple):
    """Arrays by output, and how to answer."""

    arrays: Mapping[str, np.ndarray]
    rows: bool = True


def asked(document: Any, servable: Servable) -> Asked:
    """Raises RequestError, SchemaError or RowError."""
    if not isinstance(document, Mapping):
        raise RequestError("the body is no object", expected=EXPECTED, got=type(document).__name__)
    name = document.get("signature_name")
    if name is not None and not isinstance(name, str):
        raise RequestError("signature_name is no text", expected="a name", got=name, field="signature_name")
    signature = servable.signature(name)
    both = [key for key in ("instances", "inputs") if key in document]
    if len(both) != 1:
        raise RequestError("rows or columns", expected=EXPECTED, got=" and ".join(both) or list(document))
    if both == ["instances"]:
        return Asked(signature, from_rows(document["instances"], signature))
    return Asked(signature, from_columns(document["inputs"], signature), rows=False)


def from_rows(rows: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not isinstance(rows, list) or not rows:
        raise RequestError("no rows", expected=EXPECTED, got=rows, field="instances")
    if not is_named(rows[0]):
        return {only(signature): array_of(rows, signature.inputs[only(signature)], None)}
    columns: dict[str, list[Any]] = {name: [] for name in signature.inputs}
    for number, row in enumerate(rows, 1):
        if not is_named(row) or row.keys() != columns.keys():
            got = ", ".join(row) if isinstance(row, Mapping) else type(row).__name__
            raise RowError("a row with other inputs", expected=", ".join(columns), got=got, row=number)
        for name, value in row.items():
            columns[name].append(value)
    return {name: array_of(values, signature.inputs[name], name) for name, values in columns.items()}


def from_columns(given: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not is_named(given):
        return {only(signature): array_of(given, signature.inputs[only(signature)], None)}
    if given.keys() != signature.inputs.keys():
        raise SchemaError("other inputs", expected=", ".join(signature.inputs), got=", ".join(given) or "none")
    return {name: array_of(value, signature.inputs[name], name) for name, value in given.items()}


def is_named(value: Any) -> bool:
    return isinstance(value, Mapping) and not is_bytes(value)


def is_bytes(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"b64"}


def only(signature: Signature) -> str:
    """The input of a row that names none. Raises SchemaError if there are several."""
    if len(signature.inputs) != 1:
        raise SchemaError(
            "the model has several inputs",
            expected="objects with " + ", ".join(signature.inputs),
            got="lists or values",
        )
    return next(iter(signature.inputs))


def array_of(values: Any, spec: Spec, field: str | None) -> np.ndarray:
    """Nested lists as an array of the input's type and shape. Raises RowError or SchemaError."""
    try:
        return fitted(typed(values, spec), spec, field)
    except UNFIT as error:
        if isinstance(values, list):
            find_row(values, spec, field)
        raise SchemaError("values of another type", expected=words(spec), got=str(error), field=field) from None


UNFIT = (ValueError, TypeError, OverflowError, RecursionError)


def typed(values: Any, spec: Spec) -> np.ndarray:
    return texts_of(values) if spec.dtype == "object" else numbers_of(values, spec.dtype)


def find_row(rows: list[Any], spec: Spec, field: str | None) -> None:
    """Raises RowError for the first row of another type, or of another shape than the first one's."""
    first: tuple[int, ...] | None = None
    for number, row in enumerate(rows, 1):
        try:
            shape = typed(row, spec).shape
        except UNFIT as error:
            got = "rows of several shapes" if "inhomogeneous" in str(error) else str(error)
            raise RowError("a value of another type", expected=words(spec), got=got, row=number, field=field) from None
        if first is not None and shape != first:
            raise RowError("a row of another shape", expected=shown(first), got=shown(shape), row=number, field=field)
        first = shape


def numbers_of(values: Any, dtype: str) -> np.ndarray:
    """Raises ValueError for what is no such number, or beyond the type's range."""
    raw = np.array(values)
    kind = np.dtype(dtype).kind
    if raw.size and (
        raw.dtype.kind not in {"f": "iuf", "b": "b"}.get(kind, "iu") or (kind != "b" and has_truth(values))
    ):
        raise ValueError(f"{json.dumps(values)[:100]}")
    with np.errstate(over="ignore"):
        made = raw.astype(dtype)
    if kind == "f" and (np.isinf(made) & ~np.isinf(raw.astype(np.float64))).any():
        raise ValueError(f"a number beyond {dtype}")
    if kind in "iu" and (made != raw).any():
        raise ValueError(f"a number beyond {dtype}")
    return made


def has_truth(values: Any) -> bool:
    """Whether true or false is among numbers, where numpy takes it for 1 or 0."""
    if not isinstance(values, list):
        return isinstance(values, bool)
    kinds = set(map(type, values))
    return bool in kinds or (list in kinds and any(map(has_truth, values)))


def texts_of(values: Any) -> np.ndarray:
    """Bytes of texts and of `{"b64": …}`; raises ValueError for all else."""
    if isinstance(values, list):
        parts = [texts_of(each) for each in values]
        return np.stack(parts) if parts else np.empty(0, object)
    made = np.empty((), object)
    if isinstance(values, str):
        made[()] = values.encode()
    elif is_bytes(values) and isinstance(values["b64"], str):
        try:
            made[()] = base64.b64decode(values["b64"], validate=True)
        except binascii.Error as error:
            raise ValueError(f"b64: {error}") from None
    else:
        raise ValueError(json.dumps(values)[:100])
    return made


def words(spec: Spec) -> str:
    kind = "texts" if spec.dtype == "object" else spec.dtype
    return f"{kind} of shape {shown(spec.shape)}" if spec.shape is not None else kind


def shown(shape: Sequence[int | None] | None) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape or ()) + ")"


def fitted(made: np.ndarray, spec: Spec, field: str | None) -> np.ndarray:
    """The array in the input's shape; one value a row is a row of one. Raises SchemaError."""
    if spec.shape is None:
        return made
    if made.ndim + 1 == len(spec.shape) and spec.shape[-1] == 1:
        made = made[..., np.newaxis]
    same = made.ndim == len(spec.shape)
    if not same or any(size not in (None, got) for size, got in zip(spec.shape, made.shape, strict=True)):
        raise SchemaError("another shape", expected=shown(spec.shape), got=shown(made.shape), field=field)
    return made


# Answers


def answer(found: Answered, nan: bool) -> str:
    """The text, with its line breaks. `nan`: NaN and infinities as they are, else null."""
    if not found.rows:
        value = {name: value_of(array, name) for name, array in found.arrays.items()}
        inner = value if len(value) > 1 else next(iter(value.values()))
        return f'{{\n    "outputs": {written(inner, 1, nan, single=False)}\n}}'
    texts = [written(row, 2, nan, single=True) for row in rows_of(found)]
    joint = ",\n        " if len(found.arrays) > 1 else ", "
    start = "\n        " if len(found.arrays) > 1 and texts else ""
    end = "\n    " if texts else ""
    return f'{{\n    "predictions": [{start}{joint.join(texts)}{end}]\n}}'


def rows_of(found: Answered) -> list[Any]:
    """A value a row, or with several outputs an object. Raises RequestError where not every output has all rows."""
    sizes = {name: array.shape[0] if array.ndim else None for name, array in found.arrays.items()}
    if len(set(sizes.values())) > 1 or None in sizes.values():
        got = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise RequestError(
            "outputs without a row for each row", expected="as many in each", got=got, fix="Ask by inputs"
        )
    columns = {name: value_of(array, name) for name, array in found.arrays.items()}
    if len(columns) == 1:
        only_one: list[Any] = next(iter(columns.values()))
        return only_one
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


class Decimal(float):
    """A number that was float32."""


def value_of(array: np.ndarray, name: str) -> Any:
    """Nested lists; bytes of an output whose name ends in `_bytes` as `{"b64": …}`."""
    if array.dtype.kind in "OS":
        return text_of(array.tolist(), name.endswith("_bytes"))
    if (array.dtype.kind == "f" and array.dtype.itemsize < 8) or array.dtype.name == "bfloat16":
        return singles(array.astype(np.float64).tolist())
    return array.tolist()


def singles(value: Any) -> Any:
    return [singles(each) for each in value] if isinstance(value, list) else Decimal(value)


def text_of(value: Any, encoded: bool) -> Any:
    if isinstance(value, list):
        return [text_of(each, encoded) for each in value]
    raw = value if isinstance(value, bytes) else str(value).encode()
    return {"b64": base64.b64encode(raw).decode()} if encoded else raw.decode("utf-8", "replace")


def written(value: Any, level: int, nan: bool, single: bool) -> str:
    """As RapidJSON's PrettyWriter: objects over several lines, lists too unless `single`."""
    if isinstance(value, Mapping):
        indent = "    " * (level + 1)
        inside = ",\n".join(
            f"{indent}{json.dumps(key)}: {written(each, level + 1, nan, single)}" for key, each in value.items()
        )
        return f"{{\n{inside}\n{'    ' * level}}}"
    if isinstance(value, list):
        parts = [written(each, level + 1, nan, single) for each in value]
        if single or not parts:
            return f"[{', '.join(parts)}]"
        indent = "    " * (level + 1)
        return "[\n" + ",\n".join(f"{indent}{part}" for part in parts) + f"\n{'    ' * level}]"
    if isinstance(value, float):
        return decimal(value, nan)
    return json.dumps(value, ensure_ascii=False)


def decimal(value: float, nan: bool) -> str:
    if not math.isfinite(value):
        return {True: "NaN", False: "Infinity" if value > 0 else "-Infinity"}[value != value] if nan else "null"
    text = f"{value:.6g}"
    if isinstance(value, Decimal):
        text = text if np.float32(text) == np.float32(value) else f"{value:.9g}"
    elif float(text) != value:
        text = f"{value:.17g}"
    return text if "." in text or "e" in text else f"{text}.0"
