"""The demo's verdict, read from the result files only: rows compared and the largest difference of each way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nacre.demo.home import LABEL, Home
from nacre.demo.ways import WAYS

if TYPE_CHECKING:
    import pyarrow as pa

TITLES = {
    "columns": "columns plan", "row": "row plan", "fused": "fused chain", "http": "HTTP chain",
    "batch_csv": "batch CSV", "batch_parquet": "batch Parquet",
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """One line of the table. Differences are absolute; None where that way does not end in this number.

    `problem` says why there is nothing to compare, else None.
    """

    way: str
    rows: int
    features: float | None
    score: float | None
    problem: str | None = None

    @property
    def equal(self) -> bool:
        """Whether every row was there and every number was the same to the bit."""
        return self.problem is None and self.rows > 0 and self.score == 0.0 and self.features in (None, 0.0)


def compare(home: Home) -> list[Verdict]:
    """A verdict for each way."""
    import pyarrow.parquet as pq

    expected = pq.read_table(home.result("reference"))
    return [_verdict(home, way, expected) for way in WAYS]


def _verdict(home: Home, way: str, expected: pa.Table) -> Verdict:
    import pyarrow.parquet as pq

    title = TITLES[way]
    if not home.result(way).exists():
        log = home.logs / f"{way}.log"
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
        return Verdict(title, 0, None, None, lines[-1] if lines else "no result")
    found = pq.read_table(home.result(way))
    if found.num_rows != expected.num_rows:
        return Verdict(title, 0, None, None, f"{found.num_rows} rows where the reference has {expected.num_rows}")
    score = _largest(found["prediction"], expected["prediction"])
    features = _largest(found["features"], expected["features"]) if "features" in found.column_names else None
    return Verdict(title, found.num_rows, features, score)


def _largest(found: pa.ChunkedArray, expected: pa.ChunkedArray) -> float:
    """The largest absolute difference; a NaN on one side only counts as infinite."""
    a, b = (np.array(column.to_pylist(), np.float64) for column in (found, expected))
    if a.shape != b.shape:
        return float("inf")
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    difference = np.where(same, 0.0, np.abs(a - b))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))


def rmse(home: Home) -> tuple[float, np.ndarray, np.ndarray]:
    """(root mean squared error, actual, predicted) on the validation rows, by the HTTP chain."""
    import pyarrow.parquet as pq

    order = pq.read_table(home.reference, columns=["_row"]).sort_by("_row")["_row"].to_numpy()
    held_out = pq.read_table(home.validation)
    actual = held_out[LABEL].to_numpy()
    scores = pq.read_table(home.result("http"))["prediction"].to_numpy()
    predicted = scores[np.searchsorted(order, held_out["_row"].to_numpy())]
    return float(np.sqrt(np.mean((predicted - actual) ** 2))), actual, predicted
