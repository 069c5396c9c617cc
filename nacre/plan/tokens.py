"""Lists of texts as numbers: every distinct text once, and the lists as codes into them.

A pipeline of texts does its work once for each distinct word: whether it is a stop word, its place in a vocabulary,
its hash. The texts themselves are put together only when somebody asks for the column (:attr:`Tokens.array`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nacre.plan.frame import Bools, Csr, Lists

if TYPE_CHECKING:
    import pyarrow as pa

Codes = npt.NDArray[np.int64]


class Tokens(Lists):
    """`words` is an Arrow string array of distinct texts; row r holds those at ``codes[offsets[r]:offsets[r + 1]]``.

    A null item has the code `len(words)`. `null` marks null lists, which have no codes; None if there are none.
    """

    __slots__ = ("codes", "null", "offsets", "words")

    def __init__(self, offsets: Codes, codes: Codes, words: pa.Array, null: Bools | None):
        super().__init__(None)
        self.offsets = offsets
        self.codes = codes
        self.words = words
        self.null = null

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def array(self) -> pa.Array:
        if self._array is None:
            import pyarrow as pa

            items = self.words.take(pa.array(self.codes, mask=self.codes == len(self.words)))
            mask = None if self.null is None else pa.array(self.null)
            self._array = pa.ListArray.from_arrays(pa.array(self.offsets.astype(np.int32)), items, mask=mask)
        return self._array

    @property
    def counts(self) -> Codes:
        """Number of items of each row."""
        return np.diff(self.offsets)

    def rows(self) -> Codes:
        """The row of each code."""
        return np.repeat(np.arange(len(self)), self.counts)

    def kept(self, keep: Bools) -> Tokens:
        """The lists with only those items whose word is kept; `keep` has an entry a word, and one more for null."""
        chosen = keep[self.codes]
        before = np.concatenate([[0], np.cumsum(chosen)])
        return Tokens(before[self.offsets], self.codes[chosen], self.words, self.null)

    def per_word(self, values: Any, null: Any) -> Any:
        """A value of each code, from a value a word and one for null items."""
        return np.append(values, null)[self.codes]


def tokens_of(column: Lists) -> Tokens:
    """A column of lists of texts as tokens; worked out once for a column."""
    if isinstance(column, Tokens):
        return column
    if column.tokens is None:
        column.tokens = _encoded(column.array)
    return column.tokens


def _encoded(array: pa.ListArray) -> Tokens:
    import pyarrow.compute as pc

    counts = pc.list_value_length(array).fill_null(0).to_numpy()
    null = np.asarray(array.is_null()) if array.null_count else None
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    known = array.flatten().dictionary_encode()
    codes = known.indices.fill_null(len(known.dictionary)).to_numpy().astype(np.int64)
    return Tokens(offsets, codes, known.dictionary, null)


def term_counts(tokens: Tokens, places: Codes, width: int) -> Csr:
    """How often each row has each place, as sparse vectors. `places` has one for each code; -1 counts nowhere."""
    known = places >= 0
    keys = np.sort(tokens.rows()[known] * width + places[known])
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    values = np.diff(first, append=len(keys)).astype(np.float64)
    rows, indices = np.divmod(keys[first], width) if width else (keys[:0], keys[:0])
    indptr = np.searchsorted(rows, np.arange(len(tokens) + 1))
    return Csr(indptr.astype(np.int64), indices.astype(np.int32), values, width)
