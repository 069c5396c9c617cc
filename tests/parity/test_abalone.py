"""The main job's features, fitted by the project's own spec: Spark, both plans and MLeap's JVM agree on every row."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nacre
from nacre.demo.data import generate
from nacre.share import folder
from nacre.spark.fit import ROW, Spec, fit, read_input
from nacre.spark.save import save
from tests.bundles import bits
from tests.shared import shared_folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tests.oracle.mleap import Mleap

TYPES = {"sex": "string"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real UCI file where it is, else rows of the same schema."""
    real = shared_folder() / "data" / "abalone.csv"
    if real.is_file():
        return real
    made = tmp_path_factory.mktemp("data") / "abalone.csv"
    with made.open("w", newline="") as file:
        csv.writer(file).writerows(generate())
    return made


@pytest.fixture(scope="module")
def fitted(spark: SparkSession, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The bundle, and Spark's rows."""
    spec = Spec.read(folder("conf") / "features" / "abalone.py")
    model, transformed, _, _ = fit(spec, read_input(spark, str(data), spec.schema), 0.8, 0)
    path = tmp_path_factory.mktemp("abalone") / "features.zip"
    save(model, path, transformed)
    return path, transformed.orderBy(ROW).collect()


def columns(rows: list[Any], names: list[str]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names}


def vectors(rows: list[Any]) -> list[Any]:
    return [bits(row["features"].toArray().tolist()) for row in rows]


def test_both_plans_give_sparks_features(fitted: tuple[Path, list[Any]]) -> None:
    path, rows = fitted
    model = nacre.load(path)
    names = list(model.inputs)
    assert len(rows) == 4177
    scored = model.transform(columns(rows, names), columns=["features"])
    assert [bits(each) for each in scored.column("features").to_pylist()] == vectors(rows)
    single = [model.row({name: row[name] for name in names}, columns=["features"]) for row in rows]
    assert [bits(each["features"]) for each in single if each] == vectors(rows)


def test_sparse_and_dense_as_spark_has_them(fitted: tuple[Path, list[Any]]) -> None:
    path, rows = fitted
    model = nacre.load(path)
    scored = model.transform(columns(rows, list(model.inputs)), columns=["sex_vec", "features"], vectors="sparse")
    for name in ("sex_vec", "features"):
        kinds = [int(not hasattr(row[name], "indices")) for row in rows]
        assert [each["type"] for each in scored.column(name).to_pylist()] == kinds


@pytest.mark.oracle
def test_mleaps_jvm_scores_our_bundle(fitted: tuple[Path, list[Any]], oracle: Mleap) -> None:
    path, rows = fitted
    model = nacre.load(path)
    given = columns(rows, list(model.inputs))
    frame = {name: (TYPES.get(name, "double"), values) for name, values in given.items()}
    found = oracle.transform(path, frame, ["sex_index", "features"])
    ours = model.transform(given, columns=["sex_index", "features"])
    assert [bits(x.dense() if hasattr(x, "dense") else x) for x in found["features"]] == vectors(rows)
    assert bits(found["sex_index"]) == bits(ours.column("sex_index").to_pylist())


@pytest.mark.oracle
def test_the_jvms_own_copy_scores_the_same(fitted: tuple[Path, list[Any]], oracle: Mleap, tmp_path: Path) -> None:
    path, rows = fitted
    oracle.resave(path, tmp_path / "again.zip", "json")
    again = nacre.load(tmp_path / "again.zip")
    assert list(again.inputs) == list(nacre.load(path).inputs)
    scored = again.transform(columns(rows, list(again.inputs)), columns=["features"])
    assert [bits(each) for each in scored.column("features").to_pylist()] == vectors(rows)
