"""The proof in a bundle: written at save, scored again by `nacre verify`, and refused where it does not hold."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nacre
from nacre.bundle import read, write
from nacre.bundle.values import pack
from nacre.cli import main
from nacre.errors import BundleError, ModelError
from nacre.plan import rowcode
from nacre.plan.rowcode import Sparse
from nacre.plan.types import Type, vector
from nacre.proof import NOTE, Proof, ProofRow
from nacre.proof.gaps import gap
from nacre.proof.verify import require, verify
from nacre.spark.save import save
from tests.bundles import node, pipeline

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROWS = [("a", 1.0), ("b", -0.0), ("unseen", 2.0), (None, 3.0), ("a", 9.0), ("b", math.nan), ("a", None)]
KINDS = {"splits": "list<double>", "labels_array_0": "list<string>"}


@pytest.fixture(scope="module")
def saved(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose proof has scored, dropped and failed rows."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Bucketizer, StringIndexer, VectorAssembler

    frame = sample(spark)
    stages = [
        StringIndexer(inputCol="s", outputCol="i", handleInvalid="skip"),
        Bucketizer(splits=[-1.0, 1.5, 4.0], inputCol="x", outputCol="b", handleInvalid="keep"),
        VectorAssembler(inputCols=["i", "b", "x"], outputCol="v", handleInvalid="keep"),
    ]
    model = Pipeline(stages=stages).fit(frame.filter("s in ('a', 'b')"))
    spark.sparkContext.setLogLevel("OFF")  # the row that Spark refuses
    path = save(model, tmp_path_factory.mktemp("verify") / "model.zip", frame)
    spark.sparkContext.setLogLevel("ERROR")
    return path


def sample(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(ROWS, "s string, x double").coalesce(1)


def proof_of(path: Path) -> Proof:
    return Proof.decode(read(path).notes[NOTE])


def test_the_proof_holds_what_spark_made(saved: Path) -> None:
    rows = proof_of(saved).rows
    assert [row.outcome for row in rows] == ["scored", "scored", "dropped", "dropped", "failed", "scored", "scored"]
    assert [(row.inputs["s"], row.outputs.get("b")) for row in rows if row.outcome == "scored"] == [
        ("a", 0.0), ("b", 0.0), ("b", 2.0), ("a", None),
    ]  # fmt: skip
    assert rows[0].outputs["v"] == [0.0, 0.0, 1.0] or rows[0].outputs["v"]["indices"] == [2]
    assert math.copysign(1.0, rows[1].inputs["x"]) == -1.0
    assert math.isnan(rows[5].inputs["x"])


def test_verify_says_it_holds(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(saved)]) == 0
    told = capsys.readouterr().out
    assert "7 rows, scored by Spark" in told
    assert "The bundle gives Spark's numbers" in told
    require(saved)


def spoilt(saved: Path, folder: Path, op: str, changed: dict[str, Any]) -> Path:
    """The bundle with an attribute of an op changed after Spark has scored."""
    bundle = read(saved)
    node = next(node for node in bundle.root.walk() if node.op == op)
    node.attributes |= {name: pack(value, KINDS[name]) for name, value in changed.items()}
    return write(bundle, folder / "spoilt.zip")


@pytest.mark.parametrize(
    ("op", "changed", "column"),
    [
        ("bucketizer", {"splits": [-1.0, 0.5, 4.0]}, "b"),
        ("string_indexer", {"labels_array_0": ["b", "a"]}, "i"),
    ],
)
def test_verify_sees_a_changed_artefact(
    saved: Path, tmp_path: Path, op: str, changed: dict[str, Any], column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spoilt(saved, tmp_path, op, changed)
    report = verify(path)
    wrong = {each.column: each for each in report.checked if each.wrong is not None}
    assert set(wrong) == {column}, "the assembler behind it is right, given Spark's own values"
    assert (wrong[column].wrong, wrong[column].columns, wrong[column].rows) == (1, 1.0, 1.0)
    assert main(["verify", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["good"] is False
    with pytest.raises(ModelError) as caught:
        require(path)
    assert f"{column} (row 1)" in str(caught.value)


def test_verify_sees_another_outcome(saved: Path, tmp_path: Path) -> None:
    path = spoilt(saved, tmp_path, "bucketizer", {"splits": [-1.0, 1.5, 10.0]})
    assert verify(path).outcomes == [f"row 5: Spark failed, {plan} plan scored" for plan in ("columns", "rows")]
    assert not verify(path).good


def test_a_server_refuses_on_request(saved: Path, tmp_path: Path) -> None:
    from nacre.handlers.sparkml import SparkML

    path = spoilt(saved, tmp_path, "bucketizer", {"splits": [-1.0, 0.5, 4.0]})
    with pytest.raises(ModelError, match="does not give Spark's numbers"):
        SparkML.load(path, {"NACRE_VERIFY": "true"})
    assert SparkML.load(path, {}).model.outputs
    assert SparkML.load(saved, {"NACRE_VERIFY": "true"}).model.outputs


def test_no_rows_on_request(spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pyspark.ml.feature import Bucketizer

    stage = Bucketizer(splits=[-9.0, 0.0, 9.0], inputCol="x", outputCol="b")
    path = nacre.spark.save(stage, tmp_path / "plain.zip", sample(spark), proof=0)
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if name.startswith("notes/")]
    assert main(["verify", str(path)]) == 1
    assert "a bundle without a proof" in capsys.readouterr().err


def test_a_transformed_sample_is_its_own_proof(spark: SparkSession, tmp_path: Path) -> None:
    from pyspark.ml.feature import Bucketizer

    stage = Bucketizer(splits=[-9.0, 0.0, 10.0], inputCol="x", outputCol="b", handleInvalid="keep")
    transformed = stage.transform(sample(spark).filter("x > 0.5"))
    path = save(stage, tmp_path / "model.zip", transformed, proof=3)
    assert [row.outputs for row in proof_of(path).rows] == [{"b": 1.0}] * 3
    assert verify(path).good
    without_raw = save(stage, tmp_path / "raw_gone.zip", transformed.drop("x"), proof=3)
    assert NOTE not in read(without_raw).notes


def test_the_jvm_ignores_the_note(saved: Path, oracle: Any) -> None:
    found = oracle.transform(saved, {"s": ("string", ["a", "b"]), "x": ("double", [1.0, 2.0])})
    assert found["b"] == [0.0, 1.0]


def test_a_statement_that_keeps_chosen_columns(spark: SparkSession, tmp_path: Path) -> None:
    from pyspark.ml.feature import SQLTransformer

    stage = SQLTransformer(statement="SELECT 1 / x AS y FROM __THIS__ WHERE x < 9")
    frame = spark.createDataFrame([(2.0,), (9.0,), (0.0,), (-4.0,)], "x double").coalesce(1)
    spark.sparkContext.setLogLevel("OFF")  # the row that Spark refuses
    path = save(stage, tmp_path / "model.zip", frame)
    spark.sparkContext.setLogLevel("ERROR")
    rows = proof_of(path).rows
    assert [(row.outcome, row.outputs.get("y")) for row in rows] == [
        ("scored", 0.5), ("dropped", None), ("failed", None), ("scored", -0.25),
    ]  # fmt: skip
    assert verify(path).good


def test_texts_and_wide_sparse_vectors(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists and 2^18 wide vectors are proven with what they store, zeros are never written out."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import IDF, HashingTF, Tokenizer

    frame = spark.createDataFrame([("a b a",), ("",), ("é 😀 b",)], "s string").coalesce(1)
    stages = [
        Tokenizer(inputCol="s", outputCol="t"),
        HashingTF(inputCol="t", outputCol="h"),
        IDF(inputCol="h", outputCol="f"),
    ]
    path = save(Pipeline(stages=stages).fit(frame), tmp_path / "model.zip", frame)
    assert [len(row.outputs["f"]["indices"]) for row in proof_of(path).rows] == [2, 1, 3]
    monkeypatch.setattr(rowcode, "WIDEST", 1 << 17)  # from there on nobody may ask for the zeros
    report = verify(path)
    assert report.good
    assert [each.column for each in report.checked] == ["t", "h", "f"]
    bundle = read(path)
    bundle.notes[NOTE] = bundle.notes[NOTE].replace(b'"values": [2.0', b'"values": [2.5')
    wrong = {each.column: each.columns for each in verify(write(bundle, tmp_path / "other.zip")).checked if each.wrong}
    assert wrong == {"h": 0.5}


def test_round_trip_of_every_kind_of_value() -> None:
    nan, inf = math.nan, math.inf
    types = {
        "d": Type("double"), "f": Type("float"), "s": Type("string"), "v": vector(3), "l": Type("string", "list"),
        "m": Type("double", "map"), "vs": Type("double", "vectors"), "i": Type("long"), "b": Type("boolean"),
    }  # fmt: skip
    values = {
        "d": -0.0, "f": inf, "s": "NaN", "v": {"size": 3, "indices": [1], "values": [nan]}, "l": ["Infinity", None, ""],
        "m": {"é": -inf, "x": None}, "vs": [[1.0], [nan]], "i": 2**62 + 1, "b": True,
    }  # fmt: skip
    rows = [ProofRow(values, "scored", {"d": nan}), ProofRow(dict.fromkeys(types), "dropped", {})]
    proof = Proof(types, rows, "4.1.4")
    assert repr(Proof.decode(proof.encode())) == repr(proof)


GARBAGE = [
    b"", b"[]", b"{}", b'{"version": 2}', b'{"version": 1, "schema": 1, "rows": [], "spark": "4"}', b"\xff", b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused(saved: Path, tmp_path: Path, content: bytes) -> None:
    bundle = read(saved)
    bundle.notes[NOTE] = content
    with pytest.raises(BundleError) as caught:
        verify(write(bundle, tmp_path / "garbage.zip"))
    assert caught.value.where["file"] == f"notes/{NOTE}"


def test_gaps() -> None:
    assert gap((1.0, math.nan), (1.5, math.nan)) == 0.5
    assert gap((1.0,), (1.0, 2.0)) == math.inf
    assert (
        gap(Sparse(3, (1,), (2.0,)), Sparse(3, (0, 1), (0.0, 2.5)))
        == gap((0.0, 2.0, 0.0), Sparse(3, (1,), (2.5,)))
        == 0.5
    )
    assert gap(Sparse(3, (), ()), Sparse(4, (), ())) == gap({"a": 1.0}, {"b": 1.0}) == math.inf
    assert gap({"a": 1.0, "b": math.nan}, {"b": math.nan, "a": 1.5}) == 0.5
    assert gap(1.0, None) == gap("a", "b") == gap(math.inf, 1.0) == math.inf
    assert gap(["a"], ["a"]) == gap(None, None) == gap(-math.inf, -math.inf) == gap((), ()) == 0.0


SPOILT = [
    ("in", "x", 1 << 62 | 1), ("in", "x", "two"), ("in", "x", True), ("in", "x", 10**400),
    ("out", "v", 0), ("out", "v", []), ("out", "v", {}), ("out", "v", [1.0, "x", 0.0, 0.0]), ("out", "v", [[]] * 4),
    ("out", "v", {"size": 4, "indices": [9], "values": [1.0]}), ("out", "v", {"size": 4, "indices": [0, 0], "values": [1.0, 1.0]}),
    ("out", "v", {"size": 4, "indices": [0], "values": []}), ("out", "v", {"size": 1 << 31, "indices": [0], "values": [1.0]}),
    ("out", "v", {"size": None, "indices": [0], "values": [1.0]}), ("out", "v", {"size": 4, "indices": [None], "values": [1.0]}),
]  # fmt: skip


@pytest.mark.parametrize(("side", "name", "value"), SPOILT, ids=str)
def test_a_proof_may_hold_anything(tmp_path: Path, side: str, name: str, value: Any) -> None:
    """It ends in an error of ours, or in a verdict."""
    attributes = {"category_sizes": [4], "drop_last": False, "handle_invalid": "error"}
    bundle = pipeline(node("one_hot_encoder", attributes, ["x"], ["v"]))
    row = ProofRow({"x": 2.0}, "scored", {"v": [0.0, 0.0, 1.0, 0.0]})
    told = json.loads(Proof({"x": Type("double"), "v": vector(4)}, [row], "9.9").encode())
    told["rows"][0][side][name] = value
    bundle.notes[NOTE] = json.dumps(told).encode()
    path = write(bundle, tmp_path / "model.zip")
    try:
        assert not verify(path).good
    except BundleError as error:
        assert error.message == "unreadable proof"
