"""Arrow columns that hold a vector a row, as a numpy matrix: lists of numbers, and Spark's VectorUDT."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from nacre.errors import RowError, SchemaError

SPARSE, DENSE = 0, 1
"""VectorUDT's `type` field."""
UDT_FIELDS = ("type", "size", "indices", "values")


def is_vector(kind: pa.DataType) -> bool:
    """Whether :func:`matrix` can read a column of this type."""
    if pa.types.is_struct(kind):
        return {kind.field(i).name for i in range(kind.num_fields)} == set(UDT_FIELDS)
    return is_list(kind) and is_number(kind.value_type)


def is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A column of numbers as float64 (rows,); nulls are NaN."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values: np.ndarray = column.cast(pa.float64()).to_numpy()
    return values


def matrix(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """A vector column as float64 (rows, size); null elements are NaN. Raises RowError, rows counted from 1, for a
    null vector or one of another size than the first; SchemaError for a column that holds no vectors."""
    if not is_vector(column.type):
        raise SchemaError("not a vector column", expected="list<double> or a Spark vector", got=column.type, field=name)
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # a table without chunks
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    if array.null_count:
        row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise RowError("no features", expected="a vector", got="null", row=row + 1, field=name)
    return _from_udt(array, name) if pa.types.is_struct(array.type) else _from_lists(array, name)


def _from_lists(array: pa.Array, name: str) -> np.ndarray:
    lengths = array.value_lengths().to_numpy(zero_copy_only=False)
    size = _one_size(lengths, name)
    values = numbers(pa.chunked_array([array.flatten()]))
    return values.reshape(len(array), size)


def _from_udt(array: pa.StructArray, name: str) -> np.ndarray:
    """Dense rows come with `values` alone; sparse ones with `size`, `indices` and the values at these."""
    fields = {array.type.field(i).name: field for i, field in enumerate(array.flatten())}
    dense = fields["type"].to_numpy(zero_copy_only=False) == DENSE
    lengths = np.nan_to_num(fields["values"].value_lengths().to_numpy(zero_copy_only=False)).astype(np.int64)
    declared = np.nan_to_num(fields["size"].cast(pa.float64()).to_numpy(zero_copy_only=False)).astype(np.int64)
    size = _one_size(np.where(dense, lengths, declared), name)
    values = numbers(pa.chunked_array([fields["values"].flatten()]))
    indices = fields["indices"].flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    out = np.zeros((len(array), size))
    rows = np.repeat(np.arange(len(array)), lengths)
    from_dense = np.repeat(dense, lengths)
    out[dense] = values[from_dense].reshape(-1, size)
    if len(indices) != int((~from_dense).sum()) or (indices < 0).any() or (indices >= size).any():
        raise SchemaError("broken sparse vectors", expected=f"an index from 0 to {size - 1} a value", field=name)
    out[rows[~from_dense], indices] = values[~from_dense]
    return out


def _one_size(lengths: np.ndarray, name: str) -> int:
    if not len(lengths):
        return 0
    other = np.flatnonzero(lengths != lengths[0])
    if len(other):
        row = int(other[0])
        raise RowError(
            "vectors of different sizes",
            expected=f"{int(lengths[0])} numbers as in row 1",
            got=f"{int(lengths[row])} numbers",
            row=row + 1,
            field=name,
        )
    return int(lengths[0])
