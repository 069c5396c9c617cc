"""libsvm text: ``[label] index:value index:value …``, a row a line; what a row does not name is missing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nacre.errors import RowError

BASES = ("auto", "0", "1")
"""Number of the first feature; ``auto`` is 1 where a text names no feature 0, as SageMaker's container has it."""


class Sparse(NamedTuple):
    """Entries of a sparse matrix: which row, which column (both from 0), what value (float64)."""

    rows: int
    row: np.ndarray
    column: np.ndarray
    value: np.ndarray

    @property
    def columns(self) -> int:
        return int(self.column.max()) + 1 if len(self.column) else 0

    def dense(self, columns: int) -> np.ndarray:
        """float32 (rows, columns) with NaN where there is no entry. No entry may lie beyond `columns`."""
        out = np.full((self.rows, columns), np.nan, np.float32)
        out[self.row, self.column] = self.value
        return out


def parse(text: str, base: str = "auto") -> Sparse:
    """Entries of every line; tokens without a colon are labels and weights, and ignored; a blank line is a row
    without entries. Raises RowError naming row and token."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        seen: set[int] = set()
        for token in line.split():
            if ":" not in token:
                continue
            index, value = _entry(token, number)
            if index in seen:
                raise RowError("the same feature twice", expected="each index once", got=token, row=number + 1)
            seen.add(index)
            rows.append(number)
            columns.append(index)
            values.append(value)
    first = _first(columns, base)
    if first and 0 in columns:
        number = rows[columns.index(0)]
        raise RowError("a feature before the first", expected="indices from 1", got="index 0", row=number + 1)
    return Sparse(len(lines), np.array(rows, np.int64), np.array(columns, np.int64) - first, np.array(values))


def _first(columns: list[int], base: str) -> int:
    if base == "auto":
        return int(bool(columns) and min(columns) >= 1)
    return int(base)


def _entry(token: str, number: int) -> tuple[int, float]:
    name, _, text = token.partition(":")
    try:
        index, value = int(name), float(text)
    except ValueError:
        index, value = -1, 0.0
    if not 0 <= index < 2**31:
        raise RowError("not a libsvm entry", expected="index:value", got=token, row=number + 1)
    return index, value
