"""Whole columns through a model, for the SparkML container: large requests, and batch over Parquet. Needs Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from nacre.errors import NacreError, RowError, SchemaError
from nacre.formats.javatext import parse_double, parse_string
from nacre.handlers.sparkml_text import dropped_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nacre.handlers.sparkml_binding import Binding
    from nacre.handlers.sparkml_schema import Schema
    from nacre.plan.model import Model, Scored
    from nacre.plan.types import Type

ARROW: dict[object, pa.DataType] = {parse_double: pa.float64(), parse_string: pa.string()}
"""Java's parser of a value -> the Arrow type whose reader agrees with it wherever both take a text."""


def score_columns(model: Model, columns: Mapping[str, Sequence[Any]], output: str) -> list[Any] | np.ndarray:
    """A value a row, of columns already cast to the model's types. Raises RowError for the first bad row."""
    wanted = {name: values for name, values in columns.items() if name in model.inputs}
    arrays = {name: pa.array(values, model.inputs[name].arrow()) for name, values in wanted.items()}
    return _values(model.score(arrays, output))


def read_csv(body: str, binding: Binding) -> pa.Table | None:
    """The records of a CSV without quotes and carriage returns, a line each, as typed columns.

    None for whatever Arrow reads otherwise than Java, or might: columns other than strings and doubles, records of
    another length, empty lines, numbers that are not finite or not plain.
    """
    steps = binding.csv.steps
    kinds = [ARROW.get(step.read) if step.cast is None else None for step in steps]
    if None in kinds or len(steps) != binding.width or binding.width < 2:
        return None
    names = list(binding.schema.names)
    raw = body.encode("utf-8", "replace")
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(raw),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(raw) + 1, column_names=names),
            parse_options=arrow_csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict(zip(names, kinds, strict=True)), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowException:
        return None
    doubles = (column for column in table.columns if column.type == pa.float64())
    if any(column.null_count or not np.isfinite(column.to_numpy()).all() for column in doubles):
        return None
    return table


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
