"""An MLeap bundle with the face of a scikit-learn model: `predict` takes rows, scored by our own plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import ModelError, RowError, SchemaError
from nacre.handlers.base import as_aws

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from nacre.plan.model import Model

PREDICTION = "prediction"
"""The column that is the answer, where the bundle makes one of this name; else the last it makes."""


class BundleModel:
    """Takes arrays of the bundle's raw columns in their order, or frames and tables with these columns by name."""

    def __init__(self, model: Model):
        self.model = model
        output = PREDICTION if PREDICTION in model.outputs else model.default_output
        if output is None:
            raise ModelError("the bundle computes nothing", expected="one stage or more", got="none")
        self.output = output

    @classmethod
    def load(cls, path: Path, env: Mapping[str, str]) -> BundleModel:
        from nacre.plan.model import load

        return cls(load(path, mode="mleap" if as_aws(env) else "spark"))

    def predict(self, data: Any) -> np.ndarray:
        """(rows,) for numbers and texts, (rows, size) for vectors. Raises SchemaError, or RowError for the first row
        that the pipeline refuses or would drop."""
        scored = self.model.score(self.table(data), self.output)
        if scored.failed:
            raise scored.failed[0]
        if scored.dropped:
            row = scored.dropped[0] + 1
            raise RowError("the pipeline drops this row", expected="a row that it keeps", got="a dropped one", row=row)
        values = scored.values
        if isinstance(values, list):
            return np.array(values, dtype=object)
        values = np.asarray(values)
        if scored.null is not None and values.ndim == 1 and np.any(scored.null):
            return np.where(scored.null, np.nan, values.astype(np.float64))
        return values

    def table(self, data: Any) -> Any:
        """What the plans take."""
        if hasattr(data, "columns") or hasattr(data, "schema"):
            return data
        import pyarrow as pa

        schema = self.model.input_schema
        rows = np.asarray(data)
        rows = rows.reshape(len(rows), -1) if rows.ndim else rows.reshape(1, 1)
        if len(schema) == 1 and pa.types.is_list(schema.field(0).type):
            return pa.table({schema.field(0).name: pa.array(rows.astype(np.float64).tolist(), schema.field(0).type)})
        if rows.shape[1] != len(schema):
            expected = ", ".join(schema.names)
            raise SchemaError("another number of columns", expected=f"{len(schema)}: {expected}", got=rows.shape[1])
        return pa.table([column(rows[:, at], field) for at, field in enumerate(schema)], schema=schema)


def column(values: np.ndarray, field: pa.Field) -> pa.Array:
    """Values of a request as the bundle's type; an empty text is null to a number. Raises RowError."""
    import pyarrow as pa

    if pa.types.is_string(field.type):
        return pa.array([None if value is None else str(value) for value in values.tolist()], field.type)
    found = []
    for number, value in enumerate(values.tolist(), 1):
        try:
            found.append(None if value is None or value == "" else float(value))
        except (TypeError, ValueError):
            raise RowError("not a number", expected=str(field.type), got=value, row=number, field=field.name) from None
    try:
        return pa.array(found, pa.float64()).cast(field.type)
    except pa.ArrowInvalid as error:
        raise SchemaError(
            "a column of another type", expected=str(field.type), got=str(error), field=field.name
        ) from None
