"""An export knows without Spark what Spark says of the columns it makes: labels, names and levels (`Stage.ml_attrs`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import nacre
from nacre.spark.convert import Expander, read_attrs, read_schema
from nacre.stages import mlattrs
from tests.parity.cases import Case, cases
from tests.parity.frames import frame_of

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

CASES = [
    pytest.param(case, id=f"{op}-{case.name}")
    for op, of_op in cases().items()
    if op in {"interaction", "vector_slicer", "chi_sq_selector", "reverse_string_indexer", "vector_indexer"}
    for case in of_op[-1:]
]


@pytest.mark.parametrize("case", CASES)
def test_same_attributes_as_spark(spark: SparkSession, tmp_path: Path, case: Case) -> None:
    fitted, frame = case.model(spark), frame_of(spark, case.score)
    fitted.write().save(str(tmp_path / "saved"))
    raw = frame.schema.jsonValue()
    expander = Expander(dict(read_schema(raw)), read_attrs(raw))
    expander.nodes(tmp_path / "saved")
    assert not expander.problems
    spark_says = read_attrs(fitted.transform(frame).schema)
    compared = 0
    for column, told in expander.attrs.items():
        if column in spark_says:
            assert seen(told) == seen(spark_says[column]), column
            compared += column not in frame.columns
    assert compared or all("ml_attr" not in field["metadata"] for field in raw["fields"])


def seen(told: Any) -> Any:
    """What a later stage can see. Spark writes a scalar's number of levels only where it has no labels."""
    if "attrs" in told or "num_attrs" in told:
        return told["num_attrs"], [(each.kind, each.name, each.values) for each in mlattrs.entries(told) or []]
    one = mlattrs.scalar(told)
    assert one is not None
    return one.kind, one.name, one.values


def test_a_raw_schema_is_enough(spark: SparkSession, tmp_path: Path) -> None:
    """Labels, names and levels reach the stages that ask for them from the stages that make them."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import IndexToString, Interaction, StringIndexer, VectorAssembler, VectorSlicer

    frame = spark.createDataFrame([("a", 1.0), ("b", 2.0), ("a", 3.0)], "s string, x double")
    stages = [
        StringIndexer(inputCol="s", outputCol="i", handleInvalid="keep"),
        VectorAssembler(inputCols=["x", "i"], outputCol="v"),
        VectorSlicer(inputCol="v", outputCol="sliced", names=["i"]),
        Interaction(inputCols=["i", "x"], outputCol="product"),
        IndexToString(inputCol="i", outputCol="text"),
    ]
    Pipeline(stages=stages).fit(frame).write().save(str(tmp_path / "saved"))
    model = nacre.load(nacre.spark.convert(tmp_path / "saved", tmp_path / "model.zip", schema=frame.schema))
    scored = model.row({"s": "new", "x": 3.0})
    assert scored is not None
    assert (scored["sliced"], scored["product"], scored["text"]) == ((2.0,), (0.0, 0.0, 3.0), "__unknown")


def test_unseen_categories_are_a_level_from_spark_4_3_on(spark: SparkSession, tmp_path: Path) -> None:
    """As Spark 4.3.0 says itself (`make parity SPARK=4.3.0`): the level of unseen ones has a name, however few others."""
    from pyspark.ml.feature import VectorIndexer
    from pyspark.ml.linalg import Vectors

    frame = spark.createDataFrame([(Vectors.dense(a, b, 5.0),) for a, b in ((1.0, 1.0), (3.0, 2.0), (3.0, 7.0))], ["v"])
    indexer = VectorIndexer(inputCol="v", outputCol="i", maxCategories=2, handleInvalid="keep").fit(frame)
    indexer.write().save(str(tmp_path / "saved"))
    (metadata,) = (tmp_path / "saved" / "metadata").glob("part-*")
    (tmp_path / "saved" / "metadata" / f".{metadata.name}.crc").unlink()
    two = ("1.0", "3.0")
    for version, first, last in (
        ("4.2.1", ("binary", None, two), ("nominal", None, ("5.0",))),
        ("4.3.0", ("nominal", None, (*two, "__unknown")), ("nominal", None, ("5.0", "__unknown"))),
    ):
        metadata.write_text(
            metadata.read_text().replace(f'"sparkVersion":"{spark.version}"', f'"sparkVersion":"{version}"')
        )
        expander = Expander({}, {})
        expander.nodes(tmp_path / "saved")
        assert seen(expander.attrs["i"]) == (3, [first, ("numeric", None, None), last])
        metadata.write_text(metadata.read_text().replace(f'"{version}"', f'"{spark.version}"'))
