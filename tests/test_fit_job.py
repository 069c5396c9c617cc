"""The Spark job: what it reads, what it refuses, what it writes."""

from __future__ import annotations

import csv
import importlib.util
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

import nacre
from nacre.demo import data, steps
from nacre.errors import NacreError, RowError, SchemaError, SetupError
from nacre.share import folder
from nacre.spark import fit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPEC = folder("conf") / "features" / "abalone.py"
GOOD = [",".join(row) for row in data.generate(60)]


@pytest.fixture
def spec() -> fit.Spec:
    return fit.Spec.read(SPEC)


def source(tmp_path: Path, lines: list[str]) -> str:
    path = tmp_path / "abalone.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def submit(*arguments: str) -> subprocess.CompletedProcess[str]:
    found = importlib.util.find_spec("pyspark")
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / "bin" / "spark-submit"
    command = [str(program), "--master", "local[1]", "--conf", "spark.ui.enabled=false"]
    job = str(folder("jobs") / "fit_features.py")
    return subprocess.run([*command, job, *arguments], capture_output=True, text=True, env=steps.environment())


def test_the_job_writes_bundle_and_training_data(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = submit("--input", source(tmp_path, GOOD), "--output", str(out), "--reference")
    assert done.returncode == 0, done.stdout[-3000:]
    rows = list(csv.reader(GOOD))
    model = nacre.load(out / "features.zip")
    assert list(model.inputs) == ["sex", *(name for name in model.inputs if name != "sex")]
    assert nacre.load(out / "features" / "model.tar.gz").inputs == model.inputs
    parts = {name: pq.read_table(out / name / "parquet") for name in ("train", "validation")}
    assert sum(part.num_rows for part in parts.values()) == len(rows)
    for name, part in parts.items():
        written = sorted(line for file in (out / name / "csv").glob("part-*") for line in file.read_text().splitlines())
        labels, vectors = part["rings"].to_pylist(), part["features"].to_pylist()
        both = zip(labels, vectors, strict=True)
        expected = sorted(",".join(map(str, [label, *features])) for label, features in both)
        assert [list(map(float, line.split(","))) for line in written] == [
            list(map(float, line.split(","))) for line in expected
        ]
        for row, features in zip(part["_row"].to_pylist(), vectors, strict=True):
            values = dict(zip(model.inputs, rows[row], strict=False))
            given = {key: text if key == "sex" else float(text) for key, text in values.items()}
            assert list(model.row(given)["features"]) == features  # type: ignore[index]


def test_a_refused_input_leaves_nothing_behind(tmp_path: Path) -> None:
    bad = [*GOOD[:5], "M,0.4,0.3"]
    done = submit("--input", source(tmp_path, bad), "--output", str(tmp_path / "out"))
    assert done.returncode == 1
    told = [line for line in done.stdout.splitlines() if line.startswith("nacre: ")]
    assert len(told) == 1, done.stdout[-3000:]
    assert "row 6" in told[0]
    assert "expected 9 fields" in told[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("lines", "kind", "told"),
    [
        ([], SetupError, "empty"),
        (
            ["sex,length,diameter,height,whole_weight,shucked_weight,viscera_weight,shell_weight,rings"],
            RowError,
            "--header",
        ),
        ([*GOOD[:3], "M,much,0.3,0.1,0.5,0.2,0.1,0.15,15"], RowError, "row 4"),
        ([*GOOD[:3], "M,0.4,0.3,0.1,0.5,0.2,0.1,0.15,15,16"], RowError, "got 10 fields"),
    ],
)
def test_a_record_that_does_not_fit(
    spark: SparkSession, spec: fit.Spec, tmp_path: Path, lines: list[str], kind: type[NacreError], told: str
) -> None:
    with pytest.raises(kind) as caught:
        fit.read_input(spark, source(tmp_path, lines), spec.schema)
    assert told in str(caught.value)
    assert "abalone.csv" in str(caught.value)


def test_a_header_that_is_expected(spark: SparkSession, spec: fit.Spec, tmp_path: Path) -> None:
    head = "sex,length,diameter,height,whole_weight,shucked_weight,viscera_weight,shell_weight,rings"
    frame = fit.read_input(spark, source(tmp_path, [head, *GOOD]), spec.schema, header=True)
    assert frame.count() == len(GOOD)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("M,,0.3,0.1,0.5,0.2,0.1,0.15,15", "null"),
        (",0.4,0.3,0.1,0.5,0.2,0.1,0.15,15", "NULL"),
        ("M,0.4,0.3,0.1,0.5,0.2,0.1,0.15,", "without its label: expected a number, got null, at row 61, field rings"),
    ],
)
def test_nulls_are_refused(spark: SparkSession, spec: fit.Spec, tmp_path: Path, line: str, told: str) -> None:
    frame = fit.read_input(spark, source(tmp_path, [*GOOD, line]), spec.schema)
    with pytest.raises(RowError, match=told):
        fit.fit(spec, frame, 0.8, 0)


def test_every_refusal_names_the_file(spark: SparkSession, spec: fit.Spec, tmp_path: Path) -> None:
    """Nothing is written before all rows have been fitted and transformed."""
    for line in ("M,,0.3,0.1,0.5,0.2,0.1,0.15,15", "M,0.4,0.3,0.1,0.5,0.2,0.1,0.15,"):
        path = source(tmp_path, [*GOOD, line])
        with pytest.raises(RowError) as caught:
            run(spark, spec, path, tmp_path / "out")
        assert caught.value.where["file"] == path
        assert not (tmp_path / "out").exists()


def run(spark: SparkSession, spec: fit.Spec, path: str, out: Path) -> dict[str, str]:
    options = {"header": False, "form": "auto", "split": 0.8, "seed": 0, "staging": None, "reference": False}
    return fit.run(spark, spec, path, str(out), **options)  # type: ignore[arg-type]


def test_an_input_that_cannot_be_read(spark: SparkSession, spec: fit.Spec, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    for path in (str(tmp_path / "missing.csv"), str(tmp_path / "missing.parquet"), str(broken)):
        with pytest.raises(SetupError) as caught:
            fit.read_input(spark, path, spec.schema)
        assert caught.value.where["file"] == path
        assert "\n" not in str(caught.value)


def test_a_spec_whose_columns_are_not_there(spark: SparkSession, spec: fit.Spec, tmp_path: Path) -> None:
    path = source(tmp_path, GOOD)
    for wrong in (replace(spec, label="ring"), replace(spec, features="feature")):
        with pytest.raises(SetupError) as caught:
            run(spark, wrong, path, tmp_path / "out")
        assert caught.value.expected in ("ring", "feature")
        assert not (tmp_path / "out").exists()


def test_parquet_is_read_by_its_schema(spark: SparkSession, spec: fit.Spec, tmp_path: Path) -> None:
    frame = fit.read_input(spark, source(tmp_path, GOOD), spec.schema).drop(fit.ROW)
    frame.write.parquet(str(tmp_path / "rows.parquet"))
    again = fit.read_input(spark, str(tmp_path / "rows.parquet"), spec.schema)
    assert again.count() == len(GOOD)
    frame.withColumn("height", frame["height"].cast("string")).write.parquet(str(tmp_path / "other.parquet"))
    with pytest.raises(SchemaError, match="height"):
        fit.read_input(spark, str(tmp_path / "other.parquet"), spec.schema)


def test_a_spec_lacks_a_name(tmp_path: Path) -> None:
    (tmp_path / "spec.py").write_text("SCHEMA = 'a STRING'\nLABEL = 'a'\n")
    with pytest.raises(SetupError, match="no FEATURES"):
        fit.Spec.read(tmp_path / "spec.py")
    with pytest.raises(SetupError, match="no such spec"):
        fit.Spec.read(tmp_path / "missing.py")
