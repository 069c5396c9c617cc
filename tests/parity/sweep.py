"""The parity cases on another Spark: `make parity SPARK=3.5.9`.

The other Spark lives in an environment of its own, in the cache. There each case is fitted and saved with the proof of
all its rows (`nacre.spark.save`); here each bundle's proof is scored again in both plans (`nacre verify`). Prints a
line for each op: cases, rows, and the largest difference from that Spark.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import traceback
from collections import defaultdict
from pathlib import Path
from typing import Any

from nacre.proof.verify import Report, verify

ROOT = Path(__file__).resolve().parents[2]
NEEDS = {"3": ["numpy<2", "pandas<3", "pyarrow<20", "pytest"], "4": ["numpy", "pandas<3", "pyarrow", "pytest"]}
"""Packages beside pyspark, by its major version: 3.5 wants numpy 1."""


def environment(version: str) -> Path:
    """The Python of an environment that has this pyspark, made at the first call."""
    home = Path(os.environ.get("NACRE_CACHE", ROOT / ".cache")) / f"spark-{version}"
    python = home / "bin" / "python"
    if not (home / ".complete").exists():
        print(f"installing pyspark {version} into {home}: about a minute", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, f"pyspark=={version}", *NEEDS[version.split(".")[0]]], check=True)
        (home / ".complete").touch()
    return python


def fit_all(out: Path, ops: list[str], sample: bool) -> None:
    """In the other environment: fit and save each case. What that Spark cannot do is written down with its reason."""
    from pyspark.sql import SparkSession

    from tests.parity.cases import cases
    from tests.spark_session import SETTINGS

    builder = SparkSession.builder.master("local[2]").appName("nacre-parity")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    skipped = {}
    for op, of_op in cases().items():
        for case in (of_op[:1] if sample else of_op) if not ops or op in ops else []:
            try:
                fit_one(spark, case, out / f"{op}@{case.name}.zip")
            except Exception as error:  # noqa: BLE001 - whatever that Spark says is reported, and judged there
                skipped[f"{op}@{case.name}"] = "".join(traceback.format_exception_only(error)).strip()[:300]
    (out / "skipped.json").write_text(json.dumps(skipped))
    spark.stop()


def fit_one(spark: Any, case: Any, path: Path) -> None:
    from nacre.spark.save import save
    from tests.parity.frames import rows_of, schema_of

    rows = [tuple(row.values()) for row in rows_of(case.score)]
    frame = spark.createDataFrame(rows, schema_of(case.score)).coalesce(1)
    save(case.model(spark), path, frame, proof=len(rows))


def check_all(out: Path) -> int:
    """Verify each bundle and print the table; the number of cases that fail."""
    by_op: dict[str, list[Report]] = defaultdict(list)
    bad: list[str] = []
    for path in sorted(out.glob("*.zip")):
        report = verify(path)
        by_op[path.stem.split("@")[0]].append(report)
        if not report.good:
            bad += [f"{path.stem}: {line}" for line in told(report)]
    skipped = json.loads((out / "skipped.json").read_text())
    print(f"{'op':<36}{'cases':>6}{'rows':>7}{'largest difference':>20}{'bound':>10}")
    for op, reports in sorted(by_op.items()):
        columns = [each for report in reports for each in report.checked]
        worst = max((max(each.columns, each.rows) for each in columns), default=0.0)
        bound = max((each.bound for each in columns), default=0.0)
        rows = sum(report.rows for report in reports)
        print(f"{op:<36}{len(reports):>6}{rows:>7}{worst:>20.3g}{bound:>10.2g}")
    total = sum(map(len, by_op.values()))
    rows = sum(report.rows for reports in by_op.values() for report in reports)
    print(f"{len(by_op)} ops, {total} cases, {rows} rows; {len(bad)} differences; {len(skipped)} cases not run there")
    print("\n".join([*bad, *(f"not run: {name}: {why}" for name, why in skipped.items())]))
    return len(bad)


def told(report: Report) -> list[str]:
    wrong = [each for each in report.checked if each.wrong is not None]
    lines = [
        f"{each.column} ({each.op}): {each.columns:.3g} and {each.rows:.3g} from Spark, bound {each.bound:.2g}, row {each.wrong}"
        for each in wrong
    ]
    return lines + report.outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description="The parity cases on another Spark.")
    parser.add_argument("--spark", default="3.5.9", help="version of pyspark; default: %(default)s")
    parser.add_argument("--sample", action="store_true", help="one case an op")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("ops", nargs="*", help="default: all")
    args = parser.parse_args()
    if args.fit:
        fit_all(args.fit, args.ops, args.sample)
        return 0
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        command = [str(environment(args.spark)), "-m", "tests.parity.sweep", "--fit", folder, *args.ops]
        paths = {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": command[0], "SPARK_LOCAL_IP": "127.0.0.1"}
        subprocess.run([*command, *(["--sample"] if args.sample else [])], check=True, cwd=ROOT, env=os.environ | paths)
        print(f"Spark {args.spark}:")
        return 1 if check_all(Path(folder)) else 0


if __name__ == "__main__":
    raise SystemExit(main())
