"""From fitted Spark models to bundles: live, saved, without a schema, and what cannot be written."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

import nacre
import nacre.spark
from nacre.errors import BundleError, SetupError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

ROW = {"s": "a", "x": 2.0}
FEATURES = (1.0, 2.0)


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([("a", 1.0), ("b", 2.0), ("a", 3.0)], "s string, x double")


@pytest.fixture(scope="module")
def model(frame: DataFrame) -> Any:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler

    stages = [
        StringIndexer(inputCol="s", outputCol="i"),
        OneHotEncoder(inputCol="i", outputCol="v"),
        VectorAssembler(inputCols=["v", "x"], outputCol="features"),
    ]
    return Pipeline(stages=stages).fit(frame)


@pytest.mark.parametrize("form", ["model.zip", "model.tar.gz", "folder"])
def test_a_raw_and_a_transformed_sample_say_the_same(model: Any, frame: DataFrame, tmp_path: Path, form: str) -> None:
    raw = nacre.load(nacre.spark.save(model, tmp_path / "raw" / form, frame))
    made = nacre.load(nacre.spark.save(model, tmp_path / "made" / form, model.transform(frame)))
    assert raw.inputs == made.inputs
    assert raw.row(ROW, ["features"]) == made.row(ROW, ["features"]) == {"features": FEATURES}


def test_without_a_schema_raw_columns_are_doubles(model: Any, tmp_path: Path) -> None:
    model.write().save(str(tmp_path / "saved"))
    loaded = nacre.load(nacre.spark.convert(tmp_path / "saved", tmp_path / "model.zip"))
    assert {name: str(given) for name, given in loaded.inputs.items()} == {"s": "string", "x": "double"}
    assert loaded.row(ROW, ["features"]) == {"features": FEATURES}


def test_the_verb_takes_a_schema_file(
    model: Any, frame: DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.write().save(str(tmp_path / "saved"))
    (tmp_path / "schema.json").write_text(frame.schema.json())
    converting = import_module("nacre.spark.convert")  # the package's attribute of that name is the function
    arguments = [str(tmp_path / "saved"), str(tmp_path / "model.zip"), "--schema", str(tmp_path / "schema.json")]
    assert converting.main(arguments) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "model.zip")
    with pytest.raises(SetupError, match="the output exists"):
        converting.main(arguments)
    assert converting.main([*arguments, "--overwrite"]) == 0


def test_all_stages_that_cannot_be_written_are_listed(spark: SparkSession, frame: DataFrame, tmp_path: Path) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import SQLTransformer

    first = SQLTransformer(statement="SELECT *, x + 1 AS y FROM __THIS__")
    second = SQLTransformer(statement="SELECT *, y + 1 AS z FROM __THIS__")
    pipeline = PipelineModel(stages=[first, second])
    with pytest.raises(UnsupportedError) as caught:
        nacre.spark.save(pipeline, tmp_path / "model.zip", frame)
    assert first.uid in str(caught.value)
    assert second.uid in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_saved_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.write\(\)\.save"):
        nacre.spark.convert(tmp_path, tmp_path / "model.zip")
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "part-00000").write_text("{")
    with pytest.raises(BundleError, match="unreadable metadata"):
        nacre.spark.convert(tmp_path, tmp_path / "model.zip")
