"""Abalone-like rows from a seed: the schema, ranges and dependencies of the UCI data set, none of its rows."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np

from nacre.demo.home import RAW, Home
from nacre.errors import RowError, SetupError

ROWS = 4177
"""As many as the UCI set has."""


def generate(rows: int = ROWS, seed: int = 0) -> list[list[str]]:
    """Rows of nine texts: sex, seven measurements (mm/200 and g/200, as UCI scales them), rings."""
    random = np.random.default_rng(seed)
    sex = random.choice(["M", "F", "I"], rows, p=[0.366, 0.313, 0.321])
    infant = sex == "I"
    rings = np.clip(np.rint(np.where(infant, 7.9, 11.0) * np.exp(random.normal(0, 0.27, rows))), 1, 29)
    length = np.clip(
        0.64 * (1 - np.exp(-rings / np.where(infant, 6.0, 5.2))) + random.normal(0, 0.05, rows), 0.075, 0.815
    )
    diameter = length * random.normal(0.79, 0.02, rows)
    height = length * random.normal(0.265, 0.03, rows)
    whole = 4.75 * length**2.95 * np.exp(random.normal(0, 0.12, rows))
    parts = [whole * random.normal(mean, spread, rows) for mean, spread in ((0.43, 0.05), (0.22, 0.025), (0.29, 0.04))]
    steps = [(length, 0.005), (diameter, 0.005), (height, 0.005), (whole, 0.0005), *((part, 0.0005) for part in parts)]
    numbers = [[f"{round(max(x, step) / step) * step:.4f}".rstrip("0") for x in values] for values, step in steps]
    return [list(map(str, row)) for row in zip(sex, *numbers, rings.astype(int), strict=True)]


def prepare(home: Home, source: Path | None, rows: int) -> int:
    """Write the data and the requests; the number of rows. `source`: the real UCI file, else rows are generated."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    home.data.parent.mkdir(parents=True, exist_ok=True)
    if source is None:
        with home.data.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(generate(rows))
    else:
        if not source.is_file():
            raise SetupError(
                "no such data", expected="the UCI file abalone.data, comma-separated, no header", got=str(source)
            )
        shutil.copyfile(source, home.data)
    with home.data.open(newline="") as file:
        records = [record for record in csv.reader(file) if record]
    _check(records, source or home.data)
    with home.requests_csv.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(record[:-1] for record in records)
    columns = list(zip(*records, strict=True))
    arrays = {name: columns[i] if i == 0 else [float(x) for x in columns[i]] for i, name in enumerate(RAW)}
    pq.write_table(pa.table(arrays), home.requests_parquet)
    return len(records)


def _check(records: list[list[str]], source: Path) -> None:
    """The demo's own look at its input; the Spark job judges it again by its schema."""
    expected = f"{len(RAW) + 1} fields: sex, seven numbers, rings"
    if not records:
        raise SetupError("the data is empty", expected="at least one row", got="none", file=str(source))
    for row, record in enumerate(records, 1):
        header = row == 1 and record[0].strip().lower() == RAW[0]
        if header or len(record) != len(RAW) + 1:
            fix = "Remove the header line" if header else None
            raise RowError(
                "a record that does not fit",
                expected=expected,
                got=",".join(record),
                file=str(source),
                row=row,
                fix=fix,
            )
        for name, text in zip((*RAW[1:], "rings"), record[1:], strict=True):
            try:
                float(text)
            except ValueError:
                raise RowError(
                    "not a number", expected="a number", got=text, file=str(source), row=row, field=name
                ) from None
