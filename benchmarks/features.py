"""Abalone features in process: one row at a time, and a million rows in columns. Answers are checked first."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pyarrow as pa
from _common import abalone_bundle, expected, load, rows, seconds

import nacre


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        model = nacre.load(abalone_bundle(Path(folder, "abalone.zip")))
    sample = rows(2000)
    names = list(model.inputs)
    positional = model.compile_row(names, "features")
    values = [tuple(row[name] for name in names) for row in sample]
    columns = {name: [row[name] for row in sample] * 500 for name in names}
    table = pa.table(columns)

    wanted = [expected(row) for row in sample]
    assert [model.row(row)["features"] for row in sample] == wanted  # type: ignore[index]
    assert [positional(each) for each in values] == wanted
    scored = model.transform(table, columns=["features"])["features"]
    assert [tuple(each) for each in scored.slice(0, len(sample)).to_pylist()] == wanted

    def dicts() -> None:
        for row in sample:
            model.row(row, ["features"])

    def tuples() -> None:
        for each in values:
            positional(each)

    print(f"Abalone features, one process, {load()}; medians of 7")
    print(f"  model.row, dict to dict           {seconds(dicts) / len(sample) * 1e6:8.2f} µs a row   (target <= 15)")
    print(f"  compiled row function, positional {seconds(tuples) / len(sample) * 1e6:8.2f} µs a row")
    took = seconds(lambda: model.transform(table, columns=["features"]))
    print(f"  columns plan, 1,000,000 rows      {table.num_rows / took / 1e6:8.2f} million rows/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
