"""Bundles inside Spark: mleap's spelling without its jars, a Transformer over frames, a UDF over columns."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nacre
from nacre.errors import SchemaError, SetupError
from nacre.spark.patch import local_path
from tests.bundles import bits

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

ROWS = [("a", 1.0, [0.1, 2.0]), ("b", -0.0, [0.0, 0.0]), ("zz", math.nan, [1.0, -1.0]), ("a", None, [5.0, 0.0])]


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    from pyspark.ml.linalg import Vectors, VectorUDT
    from pyspark.sql.types import DoubleType, StringType, StructField, StructType

    size = {"ml_attr": {"num_attrs": 2}}
    fields = [StructField("s", StringType()), StructField("x", DoubleType()), StructField("w", VectorUDT(), True, size)]
    rows = [(s, x, Vectors.dense(w)) for s, x, w in ROWS]
    return spark.createDataFrame(rows, StructType(fields)).coalesce(1)


@pytest.fixture(scope="module")
def fitted(frame: DataFrame) -> PipelineModel:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler

    stages = [
        StringIndexer(inputCol="s", outputCol="i", handleInvalid="skip"),
        OneHotEncoder(inputCols=["i"], outputCols=["o"]),
        VectorAssembler(inputCols=["o", "x", "w"], outputCol="v", handleInvalid="keep"),
    ]
    return Pipeline(stages=stages).fit(frame.filter("s != 'zz'"))


@pytest.fixture(scope="module")
def bundle(fitted: PipelineModel, frame: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spark") / "a model.zip"
    nacre.spark.patch()
    fitted.serializeToBundle(f"jar:{path.as_uri()}", fitted.transform(frame))
    return path


def collected(frame: DataFrame) -> list[Any]:
    def plain(value: Any) -> Any:
        return (type(value).__name__, tuple(value.toArray())) if hasattr(value, "toArray") else value

    return [{name: bits(plain(value)) for name, value in row.asDict().items()} for row in frame.collect()]


def test_written_and_read_as_mleap_spells_it(fitted: PipelineModel, frame: DataFrame, bundle: Path) -> None:
    from pyspark.ml import PipelineModel

    again = PipelineModel.deserializeFromBundle(f"jar:{bundle.as_uri()}")
    ours, theirs = again.transform(frame), fitted.transform(frame)
    assert collected(ours) == collected(theirs)
    assert ours.schema["v"].metadata["ml_attr"]["num_attrs"] == 4
    assert [(field.name, field.dataType) for field in ours.schema] == [(f.name, f.dataType) for f in theirs.schema]


def test_mleaps_serializer(fitted: PipelineModel, frame: DataFrame, bundle: Path, tmp_path: Path) -> None:
    nacre.spark.patch()
    module = importlib.import_module("mleap.pyspark.spark_support")
    serializer = module.SimpleSparkSerializer()
    serializer.serializeToBundle(fitted, f"file:{tmp_path}/folder", fitted.transform(frame))
    assert (tmp_path / "folder" / "bundle.json").is_file()
    assert collected(serializer.deserializeFromBundle(f"file:{tmp_path}/folder").transform(frame)) == collected(
        fitted.transform(frame)
    )
    sizes_known = fitted.stages[0]
    sizes_known.serializeToBundle(f"jar:file:{tmp_path}/alone.zip")
    assert nacre.load(tmp_path / "alone.zip").row({"s": "b"})["i"] == 1.0


def test_patched_in_a_fresh_process(bundle: Path) -> None:
    """The order of a user's imports: patch first, mleap's modules after it."""
    program = (
        "import nacre.spark; nacre.spark.patch(); import mleap.pyspark\n"
        "from mleap.pyspark.spark_support import SimpleSparkSerializer as S\n"
        "from pyspark.ml import PipelineModel as P\n"
        "assert S.__module__ == 'nacre.spark.patch' and callable(P.deserializeFromBundle)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_udf(spark: SparkSession, fitted: PipelineModel, frame: DataFrame, bundle: Path) -> None:
    features = nacre.spark.udf(spark, bundle)
    found = [row.v for row in frame.withColumn("v", features()).collect()]
    kept = [tuple(row.v.toArray()) for row in fitted.transform(frame).collect()]
    assert bits([tuple(v.toArray()) for v in found if v is not None]) == bits(kept)
    assert [v is None for v in found] == [False, False, True, False], "a dropped row is null"
    index = nacre.spark.udf(spark, nacre.load(bundle), "i")
    renamed = frame.withColumnRenamed("s", "text")
    assert [row.i for row in renamed.select(index("text", "x", "w").alias("i")).collect()] == [0.0, 1.0, None, 0.0]
    with pytest.raises(SchemaError, match="no such column"):
        nacre.spark.udf(spark, bundle, "nothing")


def test_what_a_transformer_refuses(frame: DataFrame, bundle: Path) -> None:
    with pytest.raises(SchemaError, match="a column is missing"):
        nacre.spark.BundleTransformer(bundle).transform(frame.drop("x"))


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("jar:file:/x/m.zip", "/x/m.zip"),
        ("jar:file:///x/m%20n.zip", "/x/m n.zip"),
        ("file:/x/folder", "/x/folder"),
        ("file:rel/m.zip", "rel/m.zip"),
        ("/x/m.zip", "/x/m.zip"),
        ("rel.zip", "rel.zip"),
    ],
)
def test_uris(uri: str, path: str) -> None:
    assert local_path(uri) == Path(path)


@pytest.mark.parametrize("uri", ["hdfs://host/m.zip", "jar:s3a://bucket/m.zip"])
def test_places_elsewhere_are_refused(uri: str) -> None:
    with pytest.raises(SetupError, match="not on this machine"):
        local_path(uri)
