"""From fitted Spark models to bundles: live, saved, without a schema, and what cannot be written."""

from __future__ import annotations

import shutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import nacre
import nacre.spark
from nacre.bundle.formats import FORMATS
from nacre.errors import BundleError, SchemaError, SetupError, UnsupportedError

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


@pytest.mark.parametrize("form", FORMATS)
def test_both_formats(model: Any, frame: DataFrame, tmp_path: Path, form: str) -> None:
    """Live, saved, and by the verb."""
    saved = nacre.load(nacre.spark.save(model, tmp_path / "live.zip", frame, format=form))
    model.write().save(str(tmp_path / "saved"))
    converted = nacre.load(nacre.spark.convert(tmp_path / "saved", tmp_path / "saved.zip", format=form))
    assert import_module("nacre.spark.convert").main(
        [str(tmp_path / "saved"), str(tmp_path / "verb.zip"), "--format", form]
    ) == 0  # fmt: skip
    for loaded in (saved, converted, nacre.load(tmp_path / "verb.zip")):
        assert loaded.bundle.format == form
        assert loaded.row(ROW, ["features"]) == {"features": FEATURES}


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

    first = SQLTransformer(statement="SELECT *, hash(x) AS y FROM __THIS__")
    second = SQLTransformer(statement="SELECT *, row_number() OVER (ORDER BY y) AS z FROM __THIS__")
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


@pytest.fixture(scope="module")
def saved(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.write().save(str(folder))
    return folder


def test_every_form_of_schema(saved: Path, frame: DataFrame, tmp_path: Path) -> None:
    text = frame.schema.json()
    (tmp_path / "schema.json").write_text(text)
    arrow = pa.schema([("s", pa.large_string()), ("x", pa.float64())])
    for n, schema in enumerate([frame.schema, frame.schema.jsonValue(), text, tmp_path / "schema.json", arrow]):
        loaded = nacre.load(nacre.spark.convert(saved, tmp_path / f"{n}.zip", schema=schema))
        assert {name: str(given) for name, given in loaded.inputs.items()} == {"s": "string", "x": "double"}


def test_the_schema_s_types_are_kept(saved: Path, tmp_path: Path) -> None:
    schema = pa.schema([("s", pa.int32()), ("x", pa.float32())])
    loaded = nacre.load(nacre.spark.convert(saved, tmp_path / "m.zip", schema=schema))
    assert {name: str(given) for name, given in loaded.inputs.items()} == {"s": "int", "x": "float"}


@pytest.mark.parametrize(
    "schema",
    ["no such file", "{", "[1, 2]", "{}", {"fields": 7}, {"fields": [7]}, {"fields": [{"name": "s"}]}, pa.schema([("s", pa.date32())])],
)  # fmt: skip
def test_a_schema_that_is_none(saved: Path, tmp_path: Path, schema: Any) -> None:
    with pytest.raises(SchemaError):
        nacre.spark.convert(saved, tmp_path / "m.zip", schema=schema)
    assert not list(tmp_path.iterdir())


def test_a_single_stage(model: Any, frame: DataFrame, tmp_path: Path) -> None:
    loaded = nacre.load(nacre.spark.save(model.stages[0], tmp_path / "m.zip", frame))
    assert loaded.row({"s": "b"}) == {"s": "b", "i": 1.0}


def test_nested_pipelines_and_a_transformed_sample(model: Any, frame: DataFrame, tmp_path: Path) -> None:
    """PySpark saves these itself, under its own class name."""
    from pyspark.ml import PipelineModel

    nested = PipelineModel([PipelineModel([model]), PipelineModel([])])
    for n, sample in enumerate((frame, nested.transform(frame))):
        loaded = nacre.load(nacre.spark.save(nested, tmp_path / f"{n}.zip", sample))
        assert loaded.row(ROW, ["features"]) == {"features": FEATURES}
    assert [node.op for node in loaded.bundle.root.walk()].count("pipeline") == 4


def test_one_stage_standing_twice(frame: DataFrame, tmp_path: Path) -> None:
    """The same estimator at two places of a pipeline has one uid; a bundle's folders need two names."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Imputer

    imputer = Imputer(inputCol="x", outputCol="x")
    fitted = Pipeline(stages=[imputer, imputer]).fit(frame)
    loaded = nacre.load(nacre.spark.save(fitted, tmp_path / "m.zip", frame))
    assert [stage.op for stage in loaded.stages] == ["imputer", "imputer"]
    assert loaded.row({"x": None}) == {"x": 2.0}


def test_the_best_of_tuned_models(frame: DataFrame, model: Any, tmp_path: Path) -> None:
    """A tuning model is written as its best model, under its own uid."""
    from pyspark.ml.evaluation import RegressionEvaluator
    from pyspark.ml.linalg import Vectors
    from pyspark.ml.regression import DecisionTreeRegressor
    from pyspark.ml.tuning import CrossValidatorModel, TrainValidationSplitModel

    features = model.transform(frame)
    tree = DecisionTreeRegressor(featuresCol="features", labelCol="x")
    best = tree.fit(features)
    evaluator = RegressionEvaluator(labelCol="x")
    shared = {"estimator": tree, "estimatorParamMaps": [{}], "evaluator": evaluator}
    for tuned in (CrossValidatorModel(best, [0.5]), TrainValidationSplitModel(best, [0.5])):
        tuned._set(**shared)
        loaded = nacre.load(nacre.spark.save(tuned, tmp_path / f"{tuned.uid}.zip", features))
        assert [stage.name for stage in loaded.stages] == [tuned.uid]
        assert loaded.row({"features": FEATURES}) == {
            "features": FEATURES,
            "prediction": best.predict(Vectors.dense(FEATURES)),
        }


def test_a_raw_vector_s_size_comes_from_a_row(spark: SparkSession, tmp_path: Path) -> None:
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.linalg import Vectors

    frame = spark.createDataFrame([(Vectors.dense([1.0, 2.0]), 3.0)], ["v", "x"])
    assembler = VectorAssembler(inputCols=["v", "x"], outputCol="features")
    loaded = nacre.load(nacre.spark.save(assembler, tmp_path / "m.zip", frame))
    assert str(loaded.inputs["v"]) == "vector[2]"
    assert loaded.row({"v": (1.0, 2.0), "x": 3.0}, ["features"]) == {"features": (1.0, 2.0, 3.0)}
    with pytest.raises(SetupError, match="Spark cannot transform the sample.*Encountered empty dataframe") as caught:
        nacre.spark.save(assembler, tmp_path / "empty.zip", frame.limit(0))
    assert "\n" not in str(caught.value)


def test_all_that_stands_in_the_way_is_told_at_once(model: Any, frame: DataFrame, tmp_path: Path) -> None:
    """In nested pipelines, too; and a stage that has an op but no form for its settings."""
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import Normalizer, SQLTransformer
    from pyspark.ml.linalg import VectorUDT
    from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

    unsized = Normalizer(inputCol="nothing", outputCol="same")
    unknown = SQLTransformer(statement="SELECT *, hash(x) AS h FROM __THIS__")
    frame = frame.withColumn("nothing", F.lit(None).cast(VectorUDT()))
    with pytest.raises(UnsupportedError) as caught:
        nacre.spark.save(PipelineModel([model, PipelineModel([unknown]), unsized]), tmp_path / "m.zip", frame)
    assert f"{unknown.uid} (SQLTransformer), statement: " in str(caught.value)
    assert f"{unsized.uid} (Normalizer), nothing: the size of a vector is not known" in str(caught.value)


def test_a_saved_model_that_is_damaged(saved: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(saved, spoilt)
    stage = next((spoilt / "stages").glob("0_*"))
    for part in (stage / "data").glob("part-*"):
        part.write_bytes(b"PAR1")
    with pytest.raises(UnsupportedError, match="unreadable"):
        nacre.spark.convert(spoilt, tmp_path / "m.zip")
    shutil.rmtree(stage / "data")
    with pytest.raises(UnsupportedError, match="without its data"):
        nacre.spark.convert(spoilt, tmp_path / "m.zip")
    shutil.rmtree(stage)
    with pytest.raises(BundleError, match="not a saved Spark model"):
        nacre.spark.convert(spoilt, tmp_path / "m.zip")
    assert not (tmp_path / "m.zip").exists()


def test_a_session_on_a_cluster_needs_staging(model: Any, frame: DataFrame, tmp_path: Path) -> None:
    """A path local to the driver would be written to the workers' disks."""

    class Remote:
        """A frame whose session is not local, as Spark Connect's have no SparkContext."""

        columns = frame.columns
        schema = frame.schema
        sparkSession = object()  # noqa: N815 - PySpark's own spelling

    with pytest.raises(SetupError, match="a staging folder is needed"):
        nacre.spark.save(model.stages[0], tmp_path / "m.zip", _with_output(Remote(), model))
    assert nacre.spark.save(model, tmp_path / "m.zip", frame, staging=tmp_path / "staging").exists()
    assert not list((tmp_path / "staging").iterdir())


def _with_output(remote: Any, model: Any) -> Any:
    """Already transformed, so that nothing has to run."""
    remote.columns = [*remote.columns, "i"]
    return remote
