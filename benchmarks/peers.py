"""Nacre, MLeap's JVM runtime and Spark on the same bundles: one row, and a million. Answers are checked first.

All three make the same output columns of the same rows. MLeap runs in a JVM of its own, warmed up, in the three ways a
Java program can use it (`java/MleapBench.java`); Spark is asked for its columns with a write that goes nowhere. Nacre
runs in one thread, and over many rows takes turns with Spark.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pyarrow as pa
from _common import Seconds, both, load, median
from _mleap import VERSION, Mleap
from _pipelines import PIPELINES, Pipeline, fit, frame, processor_seconds, spark_session

import nacre

SAMPLE = 2000
"""Rows scored one by one, and compared."""
TARGETS = """\
Targets: one row <= 0.50 of MLeap's frame (stretch: <= 1.00 of its row transformer); a million rows, features: >= 20
times MLeap and >= 8 times Spark; with GBT >= 4 times Spark."""
PAGE = Path(__file__).resolve().parents[1] / "docs" / "speed.md"
START, END = "<!-- peers: start -->\n", "<!-- peers: end -->\n"


class Figures(NamedTuple):
    """Seconds a row. Spark's processor time is that of both its threads."""

    title: str
    row: Seconds
    mleap_row: Seconds
    mleap_frame: Seconds
    columns: Seconds
    mleap_batch: Seconds
    spark: Seconds


def plain(value: Any) -> Any:
    """A vector of any of the three, or a number, as a tuple of floats."""
    value = value.dense() if hasattr(value, "dense") else value
    value = value.toArray().tolist() if hasattr(value, "toArray") else value
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def check(who: str, found: Sequence[Sequence[Any]], wanted: Sequence[Sequence[Any]], exact: bool) -> None:
    """Features bit for bit, predictions as far as sums in another order allow."""
    for row, (one, other) in enumerate(zip(found, wanted, strict=True)):
        for a, b in zip(map(plain, one), map(plain, other), strict=True):
            if exact:
                near = a == b
            else:
                near = len(a) == len(b) and all(
                    abs(x - y) <= 1e-11 * max(1.0, abs(y)) for x, y in zip(a, b, strict=True)
                )
            if not near:
                raise SystemExit(f"{who} differs in row {row + 1}: {a} and {b}")


def tiled(table: pa.Table, rows: int) -> pa.Table:
    copies = pa.concat_tables([table] * -(-rows // table.num_rows))
    return copies.slice(0, rows).combine_chunks()


def measure(pipeline: Pipeline, spark: Any, mleap: Mleap, rows: int, batch: int) -> Figures:
    fitted = fit(spark, pipeline, mleap.folder)
    model = nacre.load(mleap.folder / f"{pipeline.name}.zip")
    table = pipeline.data(max(rows // 10, SAMPLE), 2).select(list(model.inputs))
    sample, whole, outputs = table.slice(0, SAMPLE), tiled(table, rows), list(pipeline.outputs)
    records = sample.to_pylist()

    singles = [[made[name] for name in outputs] for made in (model.row(row, outputs) for row in records) if made]
    scored = model.transform(sample, columns=outputs)
    check("the columns plan", list(zip(*(scored[name].to_pylist() for name in outputs), strict=True)), singles, True)
    answers, jvm = mleap.run(pipeline, sample, batch)
    exact = outputs == ["features"]
    check("MLeap", list(zip(*(answers[name] for name in outputs), strict=True)), singles, exact)
    small = spark.createDataFrame(records, schema=", ".join(f"{n} {_ddl(sample, n)}" for n in sample.column_names))
    check("Spark", [tuple(row) for row in fitted.transform(small).select(outputs).collect()], singles, exact)

    def by_row() -> None:
        for row in records:
            model.row(row, outputs)

    def by_spark(rows_in: Any) -> Callable[[], None]:
        return lambda: fitted.transform(rows_in).select(outputs).write.format("noop").mode("overwrite").save()

    row = both(by_row, 15).over(len(records))
    cached = frame(spark, whole, mleap.folder)
    job = by_spark(cached)
    job()
    turns = [
        (turn(lambda: model.transform(whole, columns=outputs)), turn(job, lambda: processor_seconds(spark)))
        for _ in range(5)
    ]
    columns, sparks = (median(each).over(rows) for each in zip(*turns, strict=True))
    cached.unpersist()
    return Figures(pipeline.title, row, jvm["row"], jvm["frame"], columns, jvm["batch"], sparks)


def turn(action: Callable[[], Any], clock: Callable[[], float] = process_time) -> Seconds:
    """The second run of two: where the machine is a virtual one, its host may have taken back the memory freed before
    the other's turn, and giving it again costs more than the work."""
    action()
    return both(action, 1, clock)


def _ddl(table: pa.Table, name: str) -> str:
    return "string" if pa.types.is_string(table.schema.field(name).type) else "double"


def report(found: Sequence[Figures]) -> str:
    """Markdown tables, by the clock and by processor time."""
    return "\n".join([
        "By the clock:\n", *tables(found, lambda each: each.wall, lambda each: each.wall),
        "\nBy processor time, which a busy machine stretches less; Spark's is halved, for its two threads:\n",
        *tables(found, lambda each: each.cpu, lambda each: each.cpu / 2),
    ]) + "\n"  # fmt: skip


def tables(found: Sequence[Figures], of: Callable[[Seconds], float], of_spark: Callable[[Seconds], float]) -> list[str]:
    one = [
        "| one row | Nacre, dict to dict | MLeap, frame | MLeap, row transformer | of frame | of row transformer |",
        "|---|---|---|---|---|---|",
    ]
    many = [
        "| a million rows | Nacre, one thread | MLeap, one frame | Spark, local[2] | times MLeap | times Spark |",
        "|---|---|---|---|---|---|",
    ]
    for each in found:
        row, frames, compiled = of(each.row), of(each.mleap_frame), of(each.mleap_row)
        one.append(
            f"| {each.title} | {row * 1e6:.1f} µs | {frames * 1e6:.1f} µs | {compiled * 1e6:.1f} µs "
            f"| {row / frames:.2f} | {row / compiled:.2f} |"
        )
        columns, batch, sparks = of(each.columns), of(each.mleap_batch), of_spark(each.spark)
        many.append(
            f"| {each.title} | {rate(columns)} | {rate(batch)} | {rate(sparks)} "
            f"| {batch / columns:.0f} | {sparks / columns:.1f} |"
        )
    return [*one, "", *many]


def rate(each: float) -> str:
    return f"{1e-6 / each:.1f} M rows/s" if each < 2e-6 else f"{1e-3 / each:.0f} k rows/s"


def write_page(told: str) -> None:
    """Put the tables into docs/speed.md, between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}\n{told}\n{END}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Nacre against MLeap's JVM runtime and Spark, on the same bundles.")
    parser.add_argument("name", nargs="*", help=f"pipelines: {', '.join(each.name for each in PIPELINES)}; default all")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the big table (default %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    given = parser.parse_args()
    wanted = [each for each in PIPELINES if each.known and (not given.name or each.name in given.name)]
    pa.set_cpu_count(1)
    start, before = perf_counter(), load()
    with tempfile.TemporaryDirectory() as folder, spark_session() as spark:
        mleap = Mleap(Path(folder))
        found = [measure(each, spark, mleap, given.rows, min(100_000, given.rows)) for each in wanted]
    told = report(found)
    print(f"Nacre, MLeap {VERSION} and Spark on the same bundles, medians, {perf_counter() - start:.0f} s.")
    print(f"At the start {before}, at the end {load()}.")
    print(f"{TARGETS}\n")
    print(told)
    if given.write:
        write_page(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
