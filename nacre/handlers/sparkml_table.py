"""Whole columns through a model, for the SparkML container: large requests, and batch over Parquet. Needs Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nacre.errors import NacreError, RowError, SchemaError
from nacre.handlers.sparkml_text import dropped_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nacre.handlers.sparkml_schema import Schema
    from nacre.plan.model import Model, Scored
    from nacre.plan.types import Type


def score_columns(model: Model, columns: Mapping[str, Sequence[Any]], output: str) -> list[Any] | np.ndarray:
    """A value a row, of columns already cast to the model's types. Raises RowError for the first bad row."""
    wanted = {name: values for name, values in columns.items() if name in model.inputs}
    arrays = {name: pa.array(values, model.inputs[name].arrow()) for name, values in wanted.items()}
    return _values(model.score(arrays, output))


def score_table(model: Model, table: pa.Table, output: str) -> list[Any] | np.ndarray:
    """A value a row of a table. Raises RowError for the first bad row, SchemaError for a column."""
    if output not in model.outputs:
        return table.column(output).to_pylist()  # type: ignore[no-any-return]
    return _values(model.score(table, output))


def _values(scored: Scored) -> list[Any] | np.ndarray:
    raise_first(scored)
    if scored.null is None or not scored.null.any():
        return scored.values  # type: ignore[no-any-return]
    return [None if null else value for value, null in zip(scored.values.tolist(), scored.null, strict=True)]


def raise_first(scored: Scored) -> None:
    """Raise for the first row that failed or was dropped: line counts never change."""
    errors: list[RowError] = [*scored.failed, *(dropped_row(row + 1) for row in scored.dropped)]
    if errors:
        raise min(errors, key=row_of)


def row_of(error: NacreError) -> int:
    return int(error.where["row"])


def declared_types(table: pa.Table, schema: Schema, model: Model) -> pa.Table:
    """The table with single values of the types the schema declares, so that a number is the same as in a request.

    Only numbers are cast: a double that the schema calls float is rounded, one it calls int must be whole.
    """
    from nacre.plan.types import Type

    for column in schema.input:
        if column.name not in table.column_names or not column.basic or column.type in ("string", "boolean"):
            continue
        index, kind = table.column_names.index(column.name), Type(column.type).arrow()
        array = table.column(index)
        if array.type == kind or not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
            continue
        if column.type == "double" and model.inputs.get(column.name) == Type("double"):
            continue  # the plan widens by itself
        try:
            table = table.set_column(index, column.name, array.cast(kind, safe=not pa.types.is_floating(kind)))
        except pa.ArrowInvalid as error:
            raise SchemaError(
                "column of another type", expected=column.type, got=str(error), field=column.name
            ) from None
    return table


def to_arrow(values: Any, kind: Type) -> pa.Array:
    """Scores as one Arrow array: scalars as they are, vectors and arrays as lists."""
    if isinstance(values, np.ndarray) and values.ndim == 2:
        rows, size = values.shape
        if rows * size >= 1 << 31:
            raise SchemaError("too many numbers for one table", expected="fewer than 2^31", got=rows * size)
        offsets = np.arange(rows + 1, dtype=np.int32) * size
        flat = np.ascontiguousarray(values).reshape(-1)
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(flat, pa.float64()))
    return pa.array(values, kind.arrow())
