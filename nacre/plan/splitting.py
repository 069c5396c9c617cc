"""Texts of ASCII cut at single characters, a whole column at once, on the bytes themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nacre.formats.murmur3 import raw_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

LOWER = np.arange(256, dtype=np.uint8)
LOWER[65:91] += 32
"""Byte -> byte in lower case."""


@dataclass(frozen=True)
class Cuts:
    """How to cut: `separators` has an entry a byte below 128, true for those that part two pieces and are left out.

    `lower`: put into lower case first. `shortest`: pieces of fewer characters are dropped. With 0 the pieces are those
    of Java's split: none empty at the end, but an empty text gives itself.
    """

    separators: npt.NDArray[np.bool_]
    lower: bool
    shortest: int


def split_texts(array: pa.Array, cuts: Cuts, one: Callable[[str], list[str]]) -> pa.Array:
    """Lists of pieces of each text, null for null. Texts beyond ASCII go through `one`, text by text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = pc.or_kleene(pc.string_is_ascii(array), pc.is_null(array)).fill_null(True)
    if pc.all(plain, min_count=0).as_py():
        return _split_ascii(array, cuts)
    odd = array.filter(pc.invert(plain))
    by_hand = pa.array(each_text(odd, one), pa.list_(pa.string()))
    order = np.argsort(~np.asarray(plain), kind="stable")
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_arrays([_split_ascii(array.filter(plain), cuts), by_hand]).take(pa.array(back))


def each_text(array: pa.Array, one: Callable[[str], list[str]]) -> list[list[str] | None]:
    """`one` of each text, worked out once for texts that come again; None for null."""
    known: dict[str | None, list[str] | None] = {None: None}
    out = []
    for text in array.to_pylist():
        if text not in known:
            known[text] = one(text)
        out.append(known[text])
    return out


def _split_ascii(array: pa.Array, cuts: Cuts) -> pa.Array:
    import pyarrow as pa

    rows = len(array)
    if not rows:
        return pa.array([], pa.list_(pa.string()))
    null = np.asarray(array.is_null()) if array.null_count else None
    row_starts, lengths, data = raw_bytes(array.fill_null("") if null is not None else array)
    data = LOWER[data] if cuts.lower else data
    cut = np.append(cuts.separators, np.zeros(128, bool))[data]
    at = np.flatnonzero(cut)
    row_ends = row_starts + lengths
    counts = np.searchsorted(at, row_ends) - np.searchsorted(at, row_starts) + 1
    firsts = np.cumsum(counts) - counts
    starts, ends = _bounds(at, row_starts, row_ends, firsts, counts)
    sizes = ends - starts
    if cuts.shortest > 0:
        keep = sizes >= cuts.shortest
    else:
        number = np.arange(len(sizes))
        last = np.maximum.reduceat(np.where(sizes > 0, number, -1), firsts)
        keep = (number <= np.repeat(last, counts)) | np.repeat(counts == 1, counts)
    pieces = pa.StringArray.from_buffers(
        len(sizes), pa.py_buffer(_offsets(sizes)), pa.py_buffer(np.ascontiguousarray(data[~cut]))
    )
    if not keep.all():
        pieces = pieces.filter(pa.array(keep))
    offsets = pa.array(_offsets(np.add.reduceat(keep, firsts, dtype=np.int64)))
    return pa.ListArray.from_arrays(offsets, pieces, mask=None if null is None else pa.array(null))


def _offsets(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def _bounds(
    at: npt.NDArray[np.intp],
    row_starts: npt.NDArray[np.int64],
    row_ends: npt.NDArray[np.int64],
    firsts: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(start, end) of every piece: the first of a row starts with it, the others behind a cut; ends likewise."""
    total = int(counts.sum())
    first, last = np.zeros(total, bool), np.zeros(total, bool)
    first[firsts], last[firsts + counts - 1] = True, True
    starts, ends = np.empty(total, np.int64), np.empty(total, np.int64)
    starts[first], starts[~first] = row_starts, at + 1
    ends[last], ends[~last] = row_ends, at
    return starts, ends
