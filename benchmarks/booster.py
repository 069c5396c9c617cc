"""One row through an XGBoost model in process, beside the library: the same float32 bits, then the time."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common as common
import numpy as np
from _containers import DEPTH, TREES, models

from nacre import booster

ROWS = 500


def main() -> int:
    import xgboost

    with tempfile.TemporaryDirectory() as folder:
        made = models(Path(folder))
        ours, theirs = booster.load(made.xgboost), xgboost.Booster(model_file=made.xgboost)
    theirs.set_param("nthread", 1)
    x = np.array([common.expected(row) for row in common.rows(ROWS)], np.float32)
    x[::7, 3], x[::11, 5] = np.nan, np.nan
    rows, blocks = x.tolist(), [x[n : n + 1] for n in range(ROWS)]
    wanted = np.concatenate([theirs.inplace_predict(block) for block in blocks])
    found = np.array([ours.row(row) for row in rows], np.float32)
    assert found.tobytes() == wanted.tobytes(), "the scores differ"

    one = common.both(lambda: [ours.row(row) for row in rows], 15).over(ROWS)
    library = common.both(lambda: [theirs.inplace_predict(block) for block in blocks], 5).over(ROWS)
    print(f"One row, {TREES} trees of depth {DEPTH}, bit-equal, {common.load()}; medians")
    print(f"  nacre's Booster.row                  {one.wall * 1e6:8.1f} µs, processor {one.cpu * 1e6:.1f} µs")
    print(f"  xgboost's Booster.inplace_predict    {library.wall * 1e6:8.1f} µs, processor {library.cpu * 1e6:.1f} µs")
    print(f"  ratio                                {one.cpu / library.cpu:8.3f}      (target <= 0.1)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
