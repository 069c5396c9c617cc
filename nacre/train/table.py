"""What training data are once they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Rows(NamedTuple):
    """float32: features (rows, columns) with NaN for missing, or scipy's csr_matrix where what is absent is missing;
    label (rows,), weight (rows,) or None; query (rows,) or None, the number of the query each row is ranked in."""

    features: Any
    label: np.ndarray
    weight: np.ndarray | None = None
    query: np.ndarray | None = None

    def part(self, index: np.ndarray) -> Rows:
        """Some rows, by number."""
        weight, query = (None if each is None else each[index] for each in (self.weight, self.query))
        return Rows(self.features[index], self.label[index], weight, query)
