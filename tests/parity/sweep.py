"""The parity cases on another Spark: `make parity SPARK=3.5.9`.

The other Spark lives in an environment of its own, in the cache. There each case is fitted and saved with the proof of
all its rows (`nacre.spark.save`); here each bundle's proof is scored again in both plans (`nacre verify`). Prints a
line for each op: cases, rows, and the largest difference from that Spark.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from nacre.bundle import read
from nacre.plan.model import Model
from nacre.proof import NOTE, Proof
from nacre.proof.notes import SCORED, array
from nacre.proof.verify import Report, verify
from nacre.spark.official import WRITERS
from tests.parity import official
from tests.spark_session import JVM

ROOT = Path(__file__).resolve().parents[2]
NEEDS = {"3": ["numpy<2", "pandas<3", "pyarrow<20", "pytest"], "4": ["numpy", "pandas<3", "pyarrow", "pytest"]}
"""Packages beside pyspark, by its major version: 3.5 wants numpy 1."""


BRIEF = {"spark.sql.adaptive.enabled": "false"}
"""Thousands of jobs of a few rows: other plans halfway would cost more than they save."""


def environment(version: str) -> Path:
    """The Python of an environment that has this pyspark: this one, or one made at the first call."""
    if version == metadata.version("pyspark"):
        return Path(sys.executable)
    home = Path(os.environ.get("NACRE_CACHE", ROOT / ".cache")) / f"spark-{version}"
    python = home / "bin" / "python"
    if not (home / ".complete").exists():
        print(f"installing pyspark {version} into {home}: about a minute", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, f"pyspark=={version}", *NEEDS[version.split(".")[0]]], check=True)
        (home / ".complete").touch()
    return python


LACKING = (ImportError, AttributeError, TypeError)
"""What an older Spark's Python raises for a class or an argument that it does not have."""
TOLD = "told.json"


@dataclass
class Told:
    """The cases of which there is no bundle: those that this Spark cannot fit, and those that could not be saved."""

    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def fit_all(out: Path, ops: list[str], sample: bool, writer: str) -> None:
    """In the other environment: fit and save each case. What that Spark cannot fit is written down with its reason."""
    from pyspark.sql import SparkSession

    from tests.spark_session import SETTINGS, spare_workers

    builder = SparkSession.builder.master("local[2]").appName("nacre-parity")
    for key, value in {**SETTINGS, **BRIEF}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    spare_workers(spark.sparkContext)
    logging.disable()  # Spark 4 writes the whole stack of each row it refuses
    told = Told()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda named: fit_one(spark, *named, out, told, writer), chosen(ops, sample)))
    (out / TOLD).write_text(json.dumps(asdict(told)))
    spark.stop()


def chosen(ops: list[str], sample: bool) -> list[tuple[str, Any]]:
    """("op@case", case) of the cases to run."""
    from tests.parity.cases import cases

    return [
        (f"{op}@{case.name}", case)
        for op, of_op in cases().items()
        if not ops or op in ops
        for case in (of_op[:1] if sample else of_op)
    ]


def fit_one(spark: Any, name: str, case: Any, out: Path, told: Told, writer: str) -> None:
    from nacre.errors import UnsupportedError
    from nacre.spark.save import save
    from nacre.spark.sparkerrors import is_sparks
    from tests.parity.frames import rows_of, schema_of

    try:
        fitted = case.model(spark)
    except Exception as error:
        if not isinstance(error, LACKING) and not is_sparks(error):
            raise
        told.skipped[name] = sentence(error)
        return
    rows = [tuple(row.values()) for row in rows_of(case.score)]
    frame = spark.createDataFrame(rows, schema_of(case.score)).coalesce(1)
    form = "protobuf" if writer == "mleap" else "json"  # MLeap's JSON loses infinities, Nacre's does not
    try:
        save(fitted, out / f"{name}.zip", frame, proof=len(rows), writer=writer, format=form)
    except Exception as error:  # noqa: BLE001 - what that Spark fitted can be saved: anything else is a difference
        refused = writer == "mleap" and isinstance(error, UnsupportedError)
        (told.skipped if refused else told.failed)[name] = sentence(error)
        return
    if writer == "mleap" and name == official.BY_VERB:
        (folder := out / "verb").mkdir()
        if wrong := official.verb_differs(fitted, frame, out / f"{name}.zip", folder):
            told.failed[name] = wrong


def sentence(error: Exception) -> str:
    return "".join(traceback.format_exception_only(error)).strip()[:300]


@dataclass
class Figures:
    """What the sweep found of one op: its cases and rows, and how far its own columns are from Spark's."""

    cases: int = 0
    rows: int = 0
    difference: float = 0.0
    bound: float = 0.0

    def add(self, report: Report, op: str) -> None:
        own = [each for each in report.checked if each.op == op]  # those before it in the case have cases of their own
        self.cases += 1
        self.rows += report.rows
        self.difference = max([self.difference, *(max(each.columns, each.rows) for each in own)])
        self.bound = max([self.bound, *(each.bound for each in own)])


@dataclass
class Sweep:
    """One Spark's: op -> figures, the differences beyond a bound, and what that Spark could not do."""

    spark: str
    ops: dict[str, Figures]
    bad: list[str]
    skipped: dict[str, str]

    def text(self) -> str:
        lines = [f"Spark {self.spark}:", f"{'op':<40}{'cases':>6}{'rows':>7}{'largest difference':>20}{'bound':>10}"]
        lines += [
            f"{op:<40}{each.cases:>6}{each.rows:>7}{each.difference:>20.3g}{each.bound:>10.2g}"
            for op, each in self.ops.items()
        ]
        cases, rows = (sum(getattr(each, name) for each in self.ops.values()) for name in ("cases", "rows"))
        total = f"{len(self.ops)} ops, {cases} cases, {rows} rows; {len(self.bad)} differences"
        lines += [f"{total}; {len(self.skipped)} cases not run there", *self.bad]
        return "\n".join([*lines, *(f"not run: {name}: {why}" for name, why in self.skipped.items())])


def check_all(out: Path, spark: str) -> Sweep:
    """Verify each bundle."""
    without = Told(**json.loads((out / TOLD).read_text()))
    bad = [f"{name}: not saved: {why}" for name, why in without.failed.items()]
    found = Sweep(spark, {}, bad, without.skipped)
    for path in sorted(out.glob("*.zip")):
        op = path.stem.split("@")[0]
        report = verify(path)
        found.ops.setdefault(op, Figures()).add(report, op)
        found.bad += [f"{path.stem}: {line}" for line in [*told(report), *forms(path, report)]]
    return found


def told(report: Report) -> list[str]:
    wrong = [each for each in report.checked if each.wrong is not None]
    return report.outcomes + [
        f"{each.column} ({each.op}): {each.columns:.3g}, {each.rows:.3g} off, bound {each.bound:.2g}, row {each.wrong}"
        for each in wrong
    ]


def forms(path: Path, report: Report) -> list[str]:
    """Exact vectors that are not stored as that Spark stores them: sparse or dense, and with which entries."""
    bundle = read(path)
    model, proof = Model(bundle), Proof.decode(bundle.notes[NOTE])
    kept = [row for row in proof.rows if row.outcome == SCORED]
    exact = {each.column for each in report.checked if max(each.columns, each.rows, each.bound) == 0.0}
    fresh = {name: kind for name, kind in model.outputs.items() if name not in model.inputs}
    wanted = [name for name, kind in fresh.items() if kind.shape == "vector" and name in exact]
    if report.outcomes or not kept or not wanted:
        return []
    raw = {name: array([row.inputs[name] for row in kept], kind) for name, kind in model.inputs.items()}
    made = model.transform(raw, columns=wanted, vectors="sparse")
    forms = [
        (name, form(made[name][n].as_py()), form(row.outputs[name])) for name in wanted for n, row in enumerate(kept)
    ]
    return [f"{name}: stored as {ours}, Spark stores {theirs}" for name, ours, theirs in forms if ours != theirs]


def form(vector: Any) -> Any:
    """The stored indices of a sparse vector, "dense" for a dense one."""
    if isinstance(vector, dict) and vector.get("type") != 1:
        return list(vector["indices"])
    return vector if vector is None else "dense"


def main() -> int:
    parser = argparse.ArgumentParser(description="The parity cases on another Spark.")
    parser.add_argument("--spark", default="3.5.9", help="version of pyspark; default: %(default)s")
    parser.add_argument("--sample", action="store_true", help="one case an op")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures there too, for tests.parity.figures"
    )
    parser.add_argument(
        "--writer", choices=WRITERS, default="nacre", help="who writes the bundles; default: %(default)s"
    )
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("ops", nargs="*", help="default: all")
    args = parser.parse_args()
    if args.fit:
        fit_all(args.fit, args.ops, args.sample, args.writer)
        return 0
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        command = [str(environment(args.spark)), "-m", "tests.parity.sweep", "--fit", folder, *args.ops]
        given = {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": command[0], "SPARK_LOCAL_IP": "127.0.0.1"}
        given["SPARK_SUBMIT_OPTS"] = JVM
        if args.writer == "mleap":
            given |= official.settings()
        options = ["--writer", args.writer, *(["--sample"] if args.sample else [])]
        subprocess.run([*command, *options], check=True, cwd=ROOT, env=os.environ | given)
        found = check_all(Path(folder), args.spark)
    if args.writer == "mleap":
        found.bad = official.judged(found.bad, len(found.ops) if not args.ops else official.ENOUGH)
    print(found.text())
    if args.json:
        args.json.write_text(json.dumps(asdict(found)))
    return 1 if found.bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
