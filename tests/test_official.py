"""MLeap's own writer: what is said where its jar is not, and how Nacre takes what it wrote.

Its bundles themselves are tested where it runs: `make parity SPARK=3.5.9 ARGS="--writer mleap"`, a step of `.ci/run`.
"""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import nacre
import nacre.spark
from nacre.bundle import write
from nacre.bundle.values import pack
from nacre.errors import SetupError
from nacre.plan.model import SPARK_VERSION, Model
from nacre.spark.official import serializer
from tests.bundles import node, pipeline
from tests.parity import official

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

convert = import_module("nacre.spark.convert")


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(0.5,), (2.5,)], "x double")


@pytest.fixture(scope="module")
def model() -> Any:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import Binarizer

    return PipelineModel([Binarizer(inputCol="x", outputCol="y", threshold=1.0)])


def test_without_its_jar(model: Any, frame: DataFrame, tmp_path: Path) -> None:
    told = (
        r"MLeap's writer is not in this Spark session: .*mleap-spark made for Spark 4.*--packages.*leave out the writer"
    )
    with pytest.raises(SetupError, match=told):
        nacre.spark.save(model, tmp_path / "model.zip", frame, writer="mleap")
    model.write().save(str(tmp_path / "saved"))
    (tmp_path / "schema.json").write_text(frame.schema.json())
    arguments = [str(tmp_path / "saved"), str(tmp_path / "model.zip"), "--writer", "mleap"]
    with pytest.raises(SetupError, match=told):
        convert.main([*arguments, "--schema", str(tmp_path / "schema.json")])
    with pytest.raises(SetupError, match=r"needs the columns' types: .*--schema"):
        convert.main(arguments)
    assert not (tmp_path / "model.zip").exists()
    assert frame.count() == 2, "the session that was there before is still there"


def test_a_connect_session_has_no_jvm() -> None:
    with pytest.raises(SetupError, match="a Spark Connect session"):
        serializer(SimpleNamespace(version="4.1.0"))


@pytest.mark.parametrize(
    ("writer", "target", "told"),
    [("mleap", "mleap-0.20", "its own version of MLeap"), ("mlep", None, "unknown writer")],
)
def test_what_is_no_writer(tmp_path: Path, writer: str, target: str | None, told: str) -> None:
    with pytest.raises(SetupError, match=told):
        nacre.spark.convert(tmp_path, tmp_path / "model.zip", writer=writer, target=target)
    with pytest.raises(SetupError, match=told):
        nacre.spark.save(None, tmp_path / "model.zip", None, writer=writer, target=target)


def test_the_spark_that_fitted_it_stands_in_the_meta(tmp_path: Path) -> None:
    """A bundle of MLeap 0.16 says neither Spark nor hash; beside its files `nacre.spark.save` writes the Spark."""
    bundle = pipeline(
        node("hashing_term_frequency", {"num_features": 1000, "binary": False}, ["words"], ["counts"]),
        node("reverse_string_indexer", {"labels": ["a"]}, ["index"], ["label"]),
    )
    row = {"words": ["a", "Größe"], "index": float("nan")}
    columns = ["counts"]
    plain = Model(bundle)
    assert [stage.context.spark for stage in plain.stages] == [(4, 1)] * 2
    bundle.meta[SPARK_VERSION] = pack("3.5.9", "string")
    told = nacre.load(write(bundle, tmp_path / "told.zip"))
    assert [stage.context.spark for stage in told.stages] == [(3, 5)] * 2
    assert told.row(row, columns) == Model(bundle, hash_version=2).row(row, columns) != plain.row(row, columns)
    assert Model(bundle, mode="mleap").row(row, columns) == plain.row(row, columns)
    bundle.meta[SPARK_VERSION] = pack("2.4.5", "string")
    assert Model(bundle).row(row, columns) == plain.row(row, columns)


def test_losses_are_told_from_differences() -> None:
    lost, worse = "vector_assembler@error: row 5: Spark failed", "idf@plain: w: 1, 1 off"
    assert official.judged([lost, worse], official.ENOUGH) == [worse]
    assert "MLeap wrote bundles of 0 ops" in official.judged([], 0)[0]
