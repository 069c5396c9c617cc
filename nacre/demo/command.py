"""The verb itself: what is run, in order, and what is printed."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from time import perf_counter

import numpy as np

from nacre import doctor
from nacre.demo import data, steps
from nacre.demo.compare import Verdict, compare, rmse
from nacre.demo.home import Home
from nacre.demo.sabotage import DEEDS
from nacre.errors import NacreError, SetupError
from nacre.share import folder


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="nacre demo",
        description="Fit features on Spark, write one bundle, train XGBoost, serve both as a chain, score in real time "
        "and in batch, and compare every number with Spark's and XGBoost's own.",
    )
    made.add_argument(
        "--data", type=Path, metavar="FILE", help="the real UCI abalone.data (CSV, no header); default: seeded rows"
    )
    made.add_argument(
        "--rows", type=int, default=data.ROWS, metavar="N", help="rows to make without --data (default %(default)s)"
    )
    made.add_argument(
        "--home", type=Path, default=default_home(), metavar="DIR", help="where the files go (default %(default)s)"
    )
    made.add_argument(
        "--sabotage", action="store_true",
        help="change one label, one threshold and one leaf after Spark has scored: the table must show it, exit code 1",
    )  # fmt: skip
    return made


def default_home() -> Path:
    """A folder here or, where nobody may write, among the temporary ones."""
    return Path("nacre-demo") if os.access(Path.cwd(), os.W_OK) else Path(gettempdir(), "nacre-demo")


def main(argv: list[str]) -> int:
    """0 when every way gives Spark's and XGBoost's own numbers, 1 when one does not."""
    args = parser().parse_args(argv)
    java = doctor.check_java()
    if not java.ok:
        raise SetupError(java.sentence().rstrip("."))
    home = Home(args.home.resolve())
    _clear(home)
    with step("rows"):
        count = data.prepare(home, args.data, args.rows)
    build(home)
    deeds = [deed(home) for deed in DEEDS.values()] if args.sabotage else []
    for text in deeds:
        print(f"  sabotage: {text}")
    with step("six ways to a score"):
        steps.all_ways(home)
    return conclude(home, count, args.data)


def _clear(home: Home) -> None:
    """Start from an empty folder, but only from one that a demo made."""
    if home.path.exists() and any(home.path.iterdir()):
        if not home.logs.is_dir():
            raise SetupError(
                "the folder holds other things", expected="a new folder or an earlier demo's", got=str(home.path)
            )
        shutil.rmtree(home.path)
    home.logs.mkdir(parents=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    print(f"  {name:<44}", end="", flush=True)
    start = perf_counter()
    try:
        yield
    except NacreError:
        print("failed", flush=True)
        raise
    print(f"{perf_counter() - start:6.1f} s", flush=True)


def build(home: Home) -> None:
    """Everything up to the artefacts and the reference."""
    shutil.copyfile(folder("conf") / "pipelines" / "abalone.yaml", home.pipeline)
    with step("fit on Spark, write the bundle"):
        steps.spark_submit(
            home, "fit_features", "--input", str(home.data), "--output", str(home.artefacts), "--reference"
        )
    with step("train XGBoost"):
        steps.spark_submit(
            home, "train_xgboost", "--train", str(home.artefacts / "train" / "parquet"),
            "--validation", str(home.validation), "--output", str(home.artefacts / "rings"),
        )  # fmt: skip
    with step("reference: Spark's features, XGBoost's score"):
        steps.way(home, "reference", required=True)


def conclude(home: Home, count: int, source: Path | None) -> int:
    """Print the table and what follows from it; the exit code."""
    verdicts = compare(home)
    print()
    print_table(verdicts)
    complete = all(verdict.equal and verdict.rows == count for verdict in verdicts)
    if complete or all(home.result(name).exists() for name in ("http", "reference")):
        from nacre.demo.report import write

        error, actual, predicted = rmse(home)
        seconds = json.loads(home.latencies.read_text())
        write(home, verdicts, error, actual, predicted, seconds, source)
        print(f"\nRMSE on {len(actual)} validation rows: {error:.4f} rings")
        for name, took in seconds.items():
            p50, p99 = np.percentile(took, [50, 99]) * 1e3
            print(f"{name:<10} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   ({len(took)} real-time requests, one at a time)")
    if not complete:
        print("\nNot every number is Spark's and XGBoost's own.", file=sys.stderr)
        return 1
    print(f"\nEvery number is Spark's and XGBoost's own, to the bit.\n\n{how_to_go_on(home)}")
    return 0


def print_table(verdicts: list[Verdict]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Largest difference against Spark's features and the XGBoost library's score")
    table.add_column("way")
    for heading in ("rows compared", "features", "score"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for verdict in verdicts:
        shown: Callable[[float | None], str] = lambda x: "" if x is None else f"{x:g}"  # noqa: E731
        word = "equal" if verdict.equal else verdict.problem or "DIFFERENT"
        table.add_row(verdict.way, str(verdict.rows), shown(verdict.features), shown(verdict.score), word)
    Console(width=None if sys.stdout.isatty() else 110, highlight=False).print(table)


def how_to_go_on(home: Home) -> str:
    line = home.requests_csv.read_text().splitlines()[0]
    try:
        at = home.path.relative_to(Path.cwd())
    except ValueError:
        at = home.path
    here = Path(sys.executable).parent
    activate = [] if shutil.which("nacre") == str(here / "nacre") else [f"Shell    . {here / 'activate'}"]
    return "\n".join(
        [
            *activate,
            f"Files    {at}: the bundle is artefacts/features.zip, the pictures are in report.html",
            f"Serve    nacre serve sparkml --model {at}/artefacts/features.zip --port 8080",
            f"curl     curl -H 'Content-Type: text/csv' -d '{line}' http://127.0.0.1:8080/invocations",
            f"Python   import nacre; nacre.load('{at}/artefacts/features.zip').input_schema",
            f"Batch    nacre transform {at}/pipeline.yaml {at}/data/requests.parquet scored.parquet",
        ]
    )
