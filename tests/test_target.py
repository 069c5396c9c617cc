"""`--for mleap-0.20`: what it writes loads in that JVM, what it refuses does not, and all is said at once."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nacre
import nacre.spark
import nacre.stages
from nacre.bundle import write
from nacre.bundle.formats import FORMATS
from nacre.bundle.values import Shape, Tensor
from nacre.errors import SetupError
from nacre.plan.model import Model
from nacre.spark.problems import UnwritableError
from nacre.spark.target import differences, unfit
from nacre.stages import REGISTRY
from tests import bundles
from tests.oracle.mleap import OracleError
from tests.plans import STRATEGIES
from tests.test_plan import PLANS
from tests.test_stages import jvm_ops

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from tests.oracle.mleap import Mleap

TARGET = "mleap-0.20"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("target")


@pytest.mark.oracle
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("op", jvm_ops())
@settings(PLANS, max_examples=4)
@given(data=st.data())
def test_what_is_fit_loads_there(oracle: Mleap, folder: Path, op: str, form: str, data: Any) -> None:
    """Any bundle that no op calls unfit, with `nacre.` attributes on board."""
    words = {attr.name: data.draw(st.sampled_from(attr.choices)) for attr in REGISTRY[op].attributes if attr.choices}
    nodes, kinds = data.draw(STRATEGIES[op](words, wild=False))
    bundle = bundles.pipeline(*nodes, types=kinds)
    assume(not unfit(Model(bundle).stages, {}, form))
    oracle.load(write(bundle, folder / "fit.zip", overwrite=True, format=form))


ONE = Tensor([1.0], (1,))
UNFIT: dict[str, Any] = {
    "math_unary": ({"operation": "floor"}, ["x"], ["out"], "operation"),
    "string_indexer": ({"labels_length": 2, "labels_array_{n}": {0: ["a"], 1: ["b"]}}, ["x", "y"], ["i", "j"], "labels_length"),
    "binarizer": ({"thresholds": [0.0, 1.0], "input_shapes_list": [Shape(), Shape()]}, ["x", "y"], ["i", "j"], "thresholds"),
    "standard_scaler": ({}, ["v"], ["out"], "std"),
    "naive_bayes": (
        {"num_features": 1, "num_classes": 2, "pi": [0.0, 0.0], "theta": Tensor([1.0, 2.0], (2, 1)),
         "model_type": "gaussian", "sigma": Tensor([1.0, 1.0], (2, 1))},
        ["v"], ["raw", "probability", "prediction"], "model_type",
    ),
}  # fmt: skip
"""op -> attributes, inputs, outputs, and which attribute is at fault."""


@pytest.mark.oracle
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("op", UNFIT)
def test_what_is_unfit_does_not_load_there(oracle: Mleap, tmp_path: Path, op: str, form: str) -> None:
    held, inputs, outputs, field = UNFIT[op]
    made = bundles.node(op, held, inputs, outputs)
    stage = REGISTRY[op](made, nacre.stages.Context())
    assert [each.field for each in unfit([stage], {}, form)] == [field]
    path = write(bundles.pipeline(made), tmp_path / "unfit.zip", format=form)
    with pytest.raises(OracleError):
        oracle.load(path)


def test_infinities_are_for_protobuf() -> None:
    made = bundles.node("normalizer", {"p_norm": math.inf, "input_size": 2}, ["v"], ["out"])
    stage = REGISTRY["normalizer"](made, nacre.stages.Context())
    assert [(each.field, each.fix) for each in unfit([stage], {}, "json")] == [("p_norm", "Write with format protobuf")]
    assert not unfit([stage], {}, "protobuf")
    splits = bundles.node("bucketizer", {"splits": [-math.inf, 0.0, math.inf]}, ["x"], ["out"])
    assert not unfit([REGISTRY["bucketizer"](splits, nacre.stages.Context())], {}, "json"), "MLeap restores these"


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([("a", 1.0, 4), ("b", 2.0, 5), ("a", 3.0, 6)], "s string, x double, n int")


def test_all_problems_at_once(spark: SparkSession, frame: DataFrame, tmp_path: Path) -> None:
    """Stages of unknown classes, of params that cannot be written, and of facts that nobody tells."""
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import (
        IndexToString,
        Normalizer,
        SQLTransformer,
        VectorAssembler,
        VectorSizeHint,
        VectorSlicer,
    )  # fmt: skip

    stages = [
        VectorAssembler(inputCols=["x", "n"], outputCol="v"),
        VectorSizeHint(inputCol="v", size=2),
        Normalizer(inputCol="v", outputCol="largest", p=math.inf),
        VectorSlicer(inputCol="v", outputCol="slice", names=["nobody"]),
        IndexToString(inputCol="x", outputCol="label"),
        SQLTransformer(statement="SELECT count(*) AS total FROM __THIS__ GROUP BY s"),
    ]
    pipeline = PipelineModel(stages=stages)
    pipeline.write().save(str(tmp_path / "saved"))
    with pytest.raises(UnwritableError) as caught:
        nacre.spark.convert(tmp_path / "saved", tmp_path / "model.zip", schema=frame.schema, target=TARGET)
    told = {problem.stage: problem for problem in caught.value.problems}
    assert set(told) == {stage.uid for stage in stages[1:]}
    assert told[stages[1].uid].fix.startswith("Leave VectorSizeHint out")
    assert told[stages[2].uid].field == "p_norm"
    assert told[stages[3].uid].field in ("names", "v")
    assert told[stages[4].uid].field == "x"
    assert all(problem.fix for problem in told.values())
    assert all(uid in str(caught.value) for uid in told)
    assert not (tmp_path / "model.zip").exists()


def test_what_hangs_on_a_bad_stage_is_no_problem_of_its_own(frame: DataFrame, tmp_path: Path) -> None:
    """An indexer that cannot be read, and the encoder of what it would have made."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import IndexToString, StringIndexer

    indexer = StringIndexer(inputCol="s", outputCol="i")
    model = Pipeline(stages=[indexer, IndexToString(inputCol="i", outputCol="t")]).fit(frame)
    model.write().save(str(tmp_path / "saved"))
    (stage,) = (tmp_path / "saved" / "stages").glob("0_*")
    for part in (stage / "data").iterdir():
        part.unlink()
    with pytest.raises(UnwritableError) as caught:
        nacre.spark.convert(tmp_path / "saved", tmp_path / "model.zip")
    (problem,) = caught.value.problems
    assert problem.stage == indexer.uid
    assert "without its data" in problem.reason


@pytest.mark.oracle
def test_what_differs_is_said_once(
    frame: DataFrame, tmp_path: Path, oracle: Mleap, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Imputer, MaxAbsScaler, StringIndexer, VectorAssembler

    stages = [
        StringIndexer(inputCols=["s", "n"], outputCols=["i", "j"], handleInvalid="keep"),
        Imputer(inputCols=["x", "n"], outputCols=["xx", "nn"], missingValue=2.0),
        VectorAssembler(inputCols=["i", "j", "xx", "nn"], outputCol="v", handleInvalid="skip"),
        MaxAbsScaler(inputCol="v", outputCol="w"),
    ]
    path = nacre.spark.save(Pipeline(stages=stages).fit(frame), tmp_path / "model.zip", frame, target=TARGET)
    told = capsys.readouterr().err
    assert told.count("MLeap 0.20 will score some of this otherwise") == 1
    for word in ("handle_invalid = skip", "cut off there", "NaN is replaced too", "not of the input's type int"):
        assert word in told
    assert told.strip().splitlines()[1:] == [f"  {each}" for each in differences(nacre.load(path).stages)]
    columns = {"s": ("string", ["a"]), "x": ("double", [4.0]), "n": ("int", [4])}
    assert oracle.transform(path, columns)["w"] == [
        tuple_of(nacre.load(path, mode="mleap").row({"s": "a", "x": 4.0, "n": 4}))
    ]


def tuple_of(row: dict[str, Any] | None) -> list[float]:
    assert row is not None
    return list(row["w"])


def test_a_column_in_place_is_refused(frame: DataFrame, tmp_path: Path) -> None:
    from pyspark.ml.feature import Imputer

    model = Imputer(inputCol="x", outputCol="x").fit(frame)
    assert nacre.spark.save(model, tmp_path / "ours.zip", frame).exists()
    with pytest.raises(UnwritableError, match="MLeap cannot replace a column"):
        nacre.spark.save(model, tmp_path / "theirs.zip", frame, target=TARGET)


def test_the_verb(frame: DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pyspark.ml.feature import VectorSizeHint

    VectorSizeHint(inputCol="v", size=2).write().save(str(tmp_path / "saved"))
    arguments = [str(tmp_path / "saved"), str(tmp_path / "model.zip")]
    converting = import_module("nacre.spark.convert")
    with pytest.raises(UnwritableError):
        converting.main([*arguments, "--for", TARGET])
    assert converting.main(arguments) == 0
    with pytest.raises(SystemExit):
        converting.main([*arguments, "--for", "mleap-0.1"])
    with pytest.raises(SetupError, match="unknown target"):
        nacre.spark.convert(*arguments, target="mleap-0.1")
    assert capsys.readouterr().err


def test_every_class_of_pyspark_is_accounted_for() -> None:
    """The table in docs/ops.md: an op, an expansion, or a refusal with its reason."""
    from nacre.spark.accounts import accounts

    found = {account.name: account for account in accounts()}
    assert [name for name, account in found.items() if not account.text] == []
    assert len(found) > 70
    by_kind = {kind: {a.name.rpartition(".")[2] for a in found.values() if a.kind == kind} for kind in KINDS}
    assert set.union(*by_kind.values()) == {name.rpartition(".")[2] for name in found}
    assert "StringIndexerModel" in by_kind["op"]
    assert "RFormulaModel" in by_kind["expansion"]
    assert by_kind["tuned"] == {"CrossValidatorModel", "TrainValidationSplitModel"}
    assert by_kind["refused"] == {"FPGrowthModel"}
    bases = "ClassificationModel JavaModel JavaPredictionModel JavaTransformer LDAModel Model PredictionModel"
    more = "ProbabilisticClassificationModel RegressionModel Transformer UnaryTransformer"
    assert by_kind["base"] == set(f"{bases} {more}".split())


KINDS = ("op", "expansion", "tuned", "refused", "base")


def test_a_refusal_is_of_a_class_that_nothing_writes() -> None:
    from nacre.spark.expand import expansions
    from nacre.spark.problems import REFUSED

    assert not REFUSED.keys() & {*nacre.stages.by_spark_class(), *expansions()}


def test_a_class_that_is_refused_says_why(spark: SparkSession, tmp_path: Path) -> None:
    from pyspark.ml.fpm import FPGrowth

    baskets = spark.createDataFrame([(["a", "b"],), (["a"],)], "items array<string>")
    FPGrowth(itemsCol="items", minSupport=0.4).fit(baskets).write().save(str(tmp_path / "saved"))
    with pytest.raises(UnwritableError, match="no function of one row"):
        nacre.spark.convert(tmp_path / "saved", tmp_path / "model.zip")
