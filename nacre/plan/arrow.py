"""Arrow in, Arrow out: a user's data to the columns of a plan, and a plan's columns to a table."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nacre.errors import SchemaError
from nacre.formats.javatext import text_of
from nacre.plan.frame import Bools, Column, Csr, ExplicitVectors, Floats, Lists, Scalars, Texts, Vectors

if TYPE_CHECKING:
    from nacre.plan.types import Type

VECTOR_UDT = pa.struct(
    [("type", pa.int8()), ("size", pa.int32()), ("indices", pa.list_(pa.int32())), ("values", pa.list_(pa.float64()))]
)
"""Spark's VectorUDT as it stands in Parquet: type 0 sparse, 1 dense."""


def as_table(data: Any) -> pa.Table:
    """pyarrow Table or RecordBatch, pandas, polars, anything with an Arrow stream, or a dict of lists, as a table."""
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, Mapping):
        return _from_lists(data)
    if type(data).__module__.startswith("pandas."):
        return _from_pandas(data)
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    if hasattr(data, "to_arrow"):
        return data.to_arrow()
    raise SchemaError(
        "data of an unknown kind",
        expected="a pyarrow, pandas or polars table or a dict of lists",
        got=type(data).__name__,
    )


def _from_lists(data: Mapping[str, Any]) -> pa.Table:
    arrays = {name: _array(name, values) for name, values in data.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise SchemaError("columns of different lengths", expected="as many values in each", got=lengths)
    return pa.table(arrays)


def _array(name: str, values: Any) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise SchemaError("no list of values", expected="a list or an array", got=values, field=name)
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return _odd_array(name, list(values))


def _odd_array(name: str, values: list[Any]) -> pa.Array:
    """What Arrow itself does not take: integers and floats mixed, integers beyond 64 bits, PySpark's vectors."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, (int, float)) for value in known):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if all(hasattr(value, "toArray") for value in known):
        return pa.array([None if value is None else _udt(value) for value in values], VECTOR_UDT)
    raise SchemaError("values of several types in one column", expected="one type", got=values, field=name)


def _udt(vector: Any) -> dict[str, Any]:
    """A PySpark vector as the struct that stands for it."""
    if hasattr(vector, "indices"):
        return {"type": 0, "size": int(vector.size), "indices": vector.indices, "values": vector.values}
    return {"type": 1, "values": vector.toArray()}


def _from_pandas(frame: Any) -> pa.Table:
    """NaN in a float column stays NaN, as Spark has it; None and NaN in an object column are nulls."""
    arrays = {}
    for name in frame.columns:
        series = frame[name]
        floats = isinstance(series.dtype, np.dtype) and series.dtype.kind == "f"
        try:
            arrays[str(name)] = (
                pa.array(series.to_numpy(), from_pandas=False) if floats else pa.Array.from_pandas(series)
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            nulls = series.isna()
            arrays[str(name)] = _odd_array(
                str(name), [None if null else x for x, null in zip(series, nulls, strict=True)]
            )
    return pa.table(arrays)


def column_in(table: pa.Table, name: str, wanted: Type) -> Column:
    """A raw column of the table as the plan wants it. Raises SchemaError on a missing column or another type."""
    if name not in table.column_names:
        close = difflib.get_close_matches(name, table.column_names, 1)
        fix = f"Did you mean {close[0]!r}?" if close else None
        raise SchemaError(
            "a column is missing", expected=f"{name}: {wanted}", got=table.column_names, field=name, fix=fix
        )
    column = table.column(name)
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()  # which copies even a single chunk
    if isinstance(array, pa.ChunkedArray):  # combine_chunks may leave an empty or over-long column chunked
        array = array.chunk(0) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = _decoded(array)
    if pa.types.is_null(array.type):
        array = array.cast(wanted.arrow())
    if wanted.shape == "vector":
        return _vectors(array, name, wanted)
    if wanted.shape == "map":
        return Lists(_maps(array, name, wanted))
    if wanted.shape != "scalar":
        return Lists(_lists(array, name, wanted))
    if wanted.base == "string":
        return Texts(_texts(array, name))
    return _scalars(array, name, wanted)


def _decoded(array: pa.DictionaryArray) -> pa.Array:
    words = array.dictionary
    if pa.types.is_string_view(words.type):  # polars' categories; Arrow cannot take from such an array
        words = words.cast(pa.large_string())
    return pa.DictionaryArray.from_arrays(array.indices, words).dictionary_decode()


def _scalars(array: pa.Array, name: str, wanted: Type) -> Scalars:
    kind = array.type
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    ):
        raise SchemaError("column of another type", expected=f"{name}: {wanted}", got=str(kind), field=name)
    null = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_decimal(kind):  # Arrow's own cast is not correctly rounded
        array = pa.array([None if x is None else float(x) for x in array.to_pylist()], pa.float64())
    try:
        if wanted.base == "long" and pa.types.is_floating(kind) and pc.any(pc.greater_equal(array, 2.0**63)).as_py():
            raise pa.ArrowInvalid("a number beyond 64 bits")  # the one that Arrow's own check lets through
        array = array.cast(wanted.arrow(), safe=wanted.base not in ("double", "float"))
    except pa.ArrowInvalid as error:
        raise SchemaError(
            "column of another type", expected=f"{name}: {wanted}", got=f"{kind}: {error}", field=name
        ) from None
    if null is not None:
        array = array.fill_null(False if wanted.base == "boolean" else 0)
    return Scalars(array.to_numpy(zero_copy_only=False), null)


def _texts(array: pa.Array, name: str) -> pa.Array:
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.string())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        single = pa.types.is_float32(kind)
        values = (None if v is None else text_of(np.float32(v) if single else v) for v in array.to_pylist())
        return pa.array(values, pa.string())
    raise SchemaError("column of another type", expected=f"{name}: string", got=str(kind), field=name)


def _lists(array: pa.Array, name: str, wanted: Type) -> pa.Array:
    kind = array.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise SchemaError("column of another type", expected=f"{name}: {wanted}", got=str(kind), field=name)
    try:
        return array.cast(wanted.arrow())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise SchemaError("column of another type", expected=f"{name}: {wanted}", got=str(kind), field=name) from None


def _maps(array: pa.Array, name: str, wanted: Type) -> pa.Array:
    """Maps; structs count as maps too, as Arrow makes them of dicts."""
    kind = array.type
    if pa.types.is_struct(kind):
        pairs = [None if row is None else list(row.items()) for row in array.to_pylist()]
        return pa.array(pairs, wanted.arrow())
    try:
        return array.cast(wanted.arrow())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise SchemaError("column of another type", expected=f"{name}: {wanted}", got=str(kind), field=name) from None


def _takes(item: pa.DataType) -> bool:
    """Whether lists of such items may be vectors; lists of nothing but nulls or nothing at all have no type."""
    return pa.types.is_integer(item) or pa.types.is_floating(item) or pa.types.is_null(item)  # type: ignore[no-any-return]


def _vectors(array: pa.Array, name: str, wanted: Type) -> Vectors:
    if wanted.strays:
        array = _without_strays(array, wanted.size)
    null = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_struct(array.type) and {field.name for field in array.type} >= {"type", "size", "indices", "values"}:
        return _from_udt(array, name, wanted, null)
    kind = array.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not lists or not _takes(kind.value_type):
        raise SchemaError("column of another type", expected=f"{name}: {wanted}", got=str(kind), field=name)
    size = wanted.size or 0
    lengths = pc.list_value_length(array).fill_null(size).to_numpy()
    _same_size(lengths, size, name)
    flat = pc.list_flatten(array)
    if flat.null_count:
        raise SchemaError("a null inside a vector", expected="numbers", got=None, field=name)
    values = flat.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    matrix = np.zeros((size, len(array)))
    rows = slice(None) if null is None else ~null
    matrix[:, rows] = values.reshape(-1, size).T if size else np.empty((0, len(array)))
    return Vectors(matrix, null)


def _without_strays(array: pa.Array, size: int | None) -> pa.Array:
    """Vectors with those of another size null."""
    if not pa.types.is_struct(array.type):
        lengths = pc.list_value_length(array)
    else:
        sparse = pc.equal(array.field("type"), 0)
        lengths = pc.if_else(sparse, array.field("size"), pc.list_value_length(array.field("values")))
    good = pc.fill_null(pc.equal(lengths, size), False)
    return array if pc.all(good).as_py() else pc.if_else(good, array, pa.nulls(len(array), array.type))


def _same_size(lengths: np.ndarray, size: int, name: str) -> None:
    bad = np.flatnonzero(lengths != size)
    if len(bad):
        row = int(bad[0])
        raise SchemaError(
            "vector of another size", expected=f"{size} entries", got=int(lengths[row]), row=row + 1, field=name
        )


def _from_udt(array: pa.StructArray, name: str, wanted: Type, null: Bools | None) -> Vectors:
    size, total = wanted.size or 0, len(array)
    live = np.arange(total) if null is None else np.flatnonzero(~null)
    part = array if null is None else array.filter(pa.array(~null))
    kind = part.field("type").fill_null(-1).to_numpy()
    values, counts = _flat(part.field("values"))
    indices, index_counts = _flat(part.field("indices"))
    sparse = kind == 0
    lengths = np.where(sparse, part.field("size").fill_null(-1).to_numpy(), counts)
    broken = (counts < 0) | (lengths < 0) | (sparse & (index_counts != counts)) | ((kind != 0) & (kind != 1))
    _refuse_rows(broken, live, array, name)
    all_lengths = np.full(total, size)
    all_lengths[live] = lengths
    _same_size(all_lengths, size, name)
    rows = np.repeat(np.arange(len(live)), counts)
    index_rows = np.repeat(np.arange(len(live)), index_counts.clip(0))
    stray = (indices < 0) | (indices >= size)
    stray[1:] |= (np.diff(indices) <= 0) & (np.diff(index_rows) == 0)
    _refuse_rows(np.bincount(index_rows[stray & sparse[index_rows]], minlength=len(live)) > 0, live, array, name)
    _refuse_rows(np.bincount(rows[_missing(part.field("values"))], minlength=len(live)) > 0, live, array, name)
    matrix, entries, is_sparse = np.zeros((size, total)), np.ones((size, total), bool), np.zeros(total, bool)
    is_sparse[live] = sparse
    entries[:, is_sparse] = False
    at = indices[sparse[index_rows]], live[index_rows[sparse[index_rows]]]
    entries[at] = True
    matrix[at] = values[sparse[rows]]
    matrix[:, live[~sparse]] = (
        values[~sparse[rows]].reshape(-1, size).T if size else np.empty((0, int((~sparse).sum())))
    )
    return ExplicitVectors(matrix, null, is_sparse, entries)


def _flat(lists: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
    """(all items of all lists, number of items of each; -1 for a null list). A null item is arbitrary."""
    counts = pc.list_value_length(lists).fill_null(-1).to_numpy()
    return pc.list_flatten(lists).fill_null(-1).to_numpy(), counts


def _missing(lists: pa.ListArray) -> np.ndarray:
    """Which items of all lists are null."""
    return np.asarray(pc.list_flatten(lists).is_null())


def _refuse_rows(bad: np.ndarray, live: np.ndarray, array: pa.Array, name: str) -> None:
    if bad.any():
        row = int(live[np.argmax(bad)])
        expected = "type 0 with size, ascending indices and as many values, or type 1 with values"
        raise SchemaError("a malformed vector", expected=expected, got=array[row].as_py(), row=row + 1, field=name)


def column_out(column: Column, given: Type, vectors: str, room: Floats | None = None) -> pa.Array:
    """A plan's column as Arrow. `vectors` is "dense" (list<double>) or "sparse" (Spark's VectorUDT struct). `room`, of
    shape (rows, size), takes the numbers of dense vectors."""
    if given.shape == "vectors" and vectors == "sparse":
        return _udt_lists(column.array)  # type: ignore[union-attr]
    if isinstance(column, (Texts, Lists)):
        return column.array
    if isinstance(column, Scalars):
        return pa.array(column.values, given.arrow(), mask=column.null)
    if isinstance(column, Csr) and vectors == "sparse" and column.sparse_rows(np.diff(column.indptr)).all():
        return _csr_out(column)
    return _udt_out(column) if vectors == "sparse" else _dense_out(column, room)


def _udt_lists(lists: pa.ListArray) -> pa.Array:
    """Lists of dense vectors, each vector as Spark's struct."""
    values = lists.values
    kinds, empty = pa.array(np.ones(len(values), np.int8)), pa.nulls(len(values), pa.int32())
    items = [kinds, empty, pa.nulls(len(values), pa.list_(pa.int32())), values]
    vectors = pa.StructArray.from_arrays(items, fields=list(VECTOR_UDT))
    return pa.ListArray.from_arrays(lists.offsets, vectors, mask=lists.is_null() if lists.null_count else None)


def _dense_out(column: Vectors, room: Floats | None) -> pa.Array:
    size, rows = column.size, len(column)
    offsets = np.arange(rows + 1, dtype=np.int64) * size
    if offsets[-1] >= 1 << 31:
        raise SchemaError(
            "too many numbers for one table",
            expected="fewer than 2^31",
            got=int(offsets[-1]),
            fix="Score fewer rows at a time",
        )
    if room is None:
        room = np.empty((rows, size))
    column.write_rows(room)
    values = room.reshape(-1)
    mask = None if column.null is None else pa.array(column.null)
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values), mask=mask)


def _csr_out(column: Csr) -> pa.Array:
    offsets = pa.array(column.indptr.astype(np.int32))
    rows = len(column)
    return pa.StructArray.from_arrays(
        [
            pa.array(np.zeros(rows, np.int8)),
            pa.array(np.full(rows, column.size, np.int32)),
            pa.ListArray.from_arrays(offsets, pa.array(column.indices)),
            pa.ListArray.from_arrays(offsets, pa.array(column.values)),
        ],
        fields=list(VECTOR_UDT),
        mask=None if column.null is None else pa.array(column.null),
    )


def _udt_out(column: Vectors) -> pa.Array:
    sparse, entries = column.stored()
    dense_rows = ~sparse[:, None]
    keep = entries.T | dense_rows
    values = np.ascontiguousarray(column.matrix.T)[keep]
    indices = np.broadcast_to(np.arange(column.size, dtype=np.int32), keep.shape)[keep]
    offsets = np.concatenate([[0], np.cumsum(keep.sum(axis=1))]).astype(np.int32)
    not_sparse = pa.array(~sparse)
    # A null list's offsets must still lie in order: the indices of dense rows are there, behind a null.
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(indices), mask=not_sparse)
    numbers = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
    sizes = pa.array(np.full(len(sparse), column.size, np.int32), mask=~sparse)
    kinds = pa.array((~sparse).astype(np.int8))
    mask = None if column.null is None else pa.array(column.null)
    return pa.StructArray.from_arrays([kinds, sizes, lists, numbers], fields=list(VECTOR_UDT), mask=mask)
