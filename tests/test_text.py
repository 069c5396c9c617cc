"""Texts and tokens beyond the parity cases: load options, sparse rows, what is refused, MLeap's own Spark classes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nacre
import nacre.spark
from nacre.bundle import write
from nacre.bundle.values import Tensor
from nacre.errors import BundleError, RowError, SchemaError, SetupError, UnsupportedError
from nacre.plan.model import Model
from nacre.plan.types import STRING
from tests import bundles

if TYPE_CHECKING:
    from nacre.bundle import Node

WIDE = 1 << 18


def model_of(*nodes: Node, **types: Any) -> Model:
    return Model(bundles.pipeline(*nodes, types=types))


def counts(**values: Any) -> Node:
    return bundles.node("hashing_term_frequency", {"num_features": WIDE, **values}, ["tokens"], ["counts"])


def test_the_hash_of_old_bundles_can_be_chosen(tmp_path: Path) -> None:
    """MLeap 0.16 does not say which hash it was: 1 as in MLeap, unless the caller knows better."""
    path = write(bundles.pipeline(counts()), tmp_path / "old.zip")
    row = {"tokens": ["ab"]}
    at = [
        nacre.load(path, **options).row(row, vectors="sparse")["counts"].indices  # type: ignore[index]
        for options in ({}, {"hash_version": 1}, {"hash_version": 2})
    ]
    assert at[0] == at[1] != at[2] == (69191,)
    told = write(bundles.pipeline(counts(hashUnsafeBytesVersion=1)), tmp_path / "told.zip")
    assert nacre.load(told, hash_version=2).row(row, vectors="sparse")["counts"].indices == at[0]  # type: ignore[index]
    with pytest.raises(SetupError, match="version of the hash"):
        nacre.load(path, hash_version=3)


def test_wide_vectors_stay_sparse_in_both_plans() -> None:
    """2^18 features for many rows would take gigabytes as numbers, and each row a millisecond."""
    weights = bundles.node("idf", {"idf": Tensor([2.0] * WIDE, (WIDE,))}, ["counts"], ["weighted"])
    model = model_of(
        bundles.node("tokenizer", {}, ["text"], ["tokens"]), counts(hashUnsafeBytesVersion=2), weights, text=STRING
    )
    texts = ["a ab a", "", "abc"] * 1000
    found = model.transform({"text": texts}, columns=["weighted"], vectors="sparse")
    first = found.column("weighted")[0].as_py()
    assert first == {"type": 0, "size": WIDE, "indices": [69191, 107107], "values": [2.0, 4.0]}
    row = model.row({"text": texts[0]}, columns=["weighted"], vectors="sparse")
    assert row == {"weighted": (WIDE, (69191, 107107), (2.0, 4.0))}
    with pytest.raises(SetupError, match="dense or sparse"):
        model.row({"text": ""}, vectors="other")


def test_a_vector_of_absurd_width_is_not_written_out() -> None:
    model = model_of(counts(num_features=2**31 - 1), tokens=bundles.typed("array<string>"))
    row = {"tokens": ["a", "a"]}
    with pytest.raises(UnsupportedError, match="too wide to be written out"):
        model.row(row)
    with pytest.raises(SchemaError, match="too many numbers"):
        model.transform({"tokens": [["a", "a"]]})
    found = model.row(row, vectors="sparse")
    assert found is not None
    assert found["counts"].values == (2.0,)
    assert model.transform({"tokens": [["a", "a"]]}, vectors="sparse").column("counts")[0].as_py()["values"] == [2.0]


@pytest.mark.parametrize(
    "op, values, ports, message",
    [
        ("regex_tokenizer", {"regex": "(a"}, 1, "a pattern that cannot be run"),
        ("regex_indexer", {"regexes": ["(?<=a|bc)"], "indices": [1]}, 1, "a pattern that cannot be run"),
        ("ngram", {"n": 0}, 1, "a run of no tokens"),
        ("hashing_term_frequency", {"num_features": 0}, 1, "absurd number of features"),
        ("hashing_term_frequency", {"hashUnsafeBytesVersion": 3}, 1, "unknown version"),
        ("count_vectorizer", {"vocabulary": ["a", "b", "a"]}, 1, "a word stands twice"),
        ("idf", {"idf": Tensor([1.0, math.nan], (2,))}, 1, "factors that no logarithm"),
        ("word_to_vector", {"words": ["a", "b"], "word_vectors": [1.0]}, 1, "vectors of no common size"),
        ("word_to_vector", {"words": ["a"], "indices": [3], "word_vectors": [1.0]}, 1, "an index without a vector"),
        ("stopwords_remover", {"stop_words": []}, 2, "more than one column"),
        ("string_map", {"labels": ["a"], "values": []}, 1, "labels and values do not match"),
        (
            "feature_hasher",
            {"categorical_cols": [], "input_shapes": [], "basic_types": [], "input_names": []},
            2,
            "ports and columns do not match",
        ),
    ],
)
def test_broken_attributes_are_named(op: str, values: dict[str, Any], ports: int, message: str) -> None:
    node = bundles.node(op, values, [f"x{n}" for n in range(ports)], ["out"] if op == "feature_hasher" else [f"o{n}" for n in range(ports)])  # fmt: skip
    with pytest.raises(BundleError, match=message) as caught:
        model_of(node)
    assert {"file", "node", "field"} <= set(caught.value.where)


def test_what_is_no_text_and_no_list_of_texts() -> None:
    model = model_of(counts(), tokens=bundles.typed("array<string>"))
    for wrong in (["a", 1], "a b", 3, [["a"]]):
        with pytest.raises(SchemaError, match="value of another type"):
            model.row({"tokens": wrong})
    with pytest.raises(RowError, match="null where a list is needed"):
        model.row({"tokens": None})
    with pytest.raises(SchemaError, match="column of another type"):
        model_of(counts(), tokens=STRING)


def saved_stage(folder: Path, name: str, params: dict[str, Any], table: pa.Table | None = None) -> Path:
    """A stage as MLeap's Spark extension saves it; its jars are not at hand to do so."""
    (folder / "metadata").mkdir(parents=True)
    head = {"class": f"org.apache.spark.ml.mleap.feature.{name}", "uid": name, "sparkVersion": "3.4.0"}
    (folder / "metadata" / "part-00000").write_text(json.dumps(head | {"paramMap": params, "defaultParamMap": {}}))
    if table is not None:
        (folder / "data").mkdir()
        pq.write_table(table, folder / "data" / "part-00000.parquet")
    return folder


def test_mleap_s_own_spark_stages_are_written(tmp_path: Path) -> None:
    ports = {"inputCol": "x", "outputCol": "y"}
    labels = pa.array([[("a", 1.5), ("b", -2.0)]], pa.map_(pa.string(), pa.float64()))
    table = pa.table({"labels": labels, "handleInvalid": ["keep"], "defaultValue": [7.0]})
    saved = saved_stage(tmp_path / "map", "StringMap", ports, table)
    mapped = nacre.load(nacre.spark.convert(saved, tmp_path / "map.zip"))
    assert [mapped.row({"x": x}, ["y"]) for x in ("a", "b", None)] == [{"y": 1.5}, {"y": -2.0}, {"y": 7.0}]
    saved = saved_stage(tmp_path / "filter", "WordLengthFilter", {**ports, "wordLength": 4})
    filtered = nacre.load(nacre.spark.convert(saved, tmp_path / "filter.zip"))
    assert filtered.row({"x": ["abcd", "abcde", "abc d", "éàüöß"]}, ["y"]) == {"y": ["abcde", "éàüöß"]}


def test_a_hasher_needs_the_types_of_its_columns(tmp_path: Path) -> None:
    """Only the frame knows which columns are numbers."""
    saved = saved_stage(tmp_path / "hasher", "x", {"inputCols": ["a"], "outputCol": "h", "numFeatures": 8})
    head = saved / "metadata" / "part-00000"
    head.write_text(head.read_text().replace("org.apache.spark.ml.mleap.feature.x", "org.apache.spark.ml.feature.FeatureHasher"))  # fmt: skip
    with pytest.raises(UnsupportedError, match="the type of a column is not known"):
        nacre.spark.convert(saved, tmp_path / "h.zip")
    assert nacre.spark.convert(saved, tmp_path / "h.zip", schema=pa.schema([("a", pa.int32())])).exists()


def test_runs_longer_than_any_list_take_no_time() -> None:
    """Only lists as long as a run have one, and both plans cut long runs alike."""
    rows = [{"tokens": [f"w{n % 7}" for n in range(length)]} for length in (0, 3, 101, 150)]
    for n, counts in ((2**31 - 1, [0, 0, 0, 0]), (101, [0, 0, 1, 50])):
        model = Model(bundles.pipeline(bundles.node("ngram", {"n": n}, ["tokens"], ["grams"])))
        found = bundles.assert_plans_agree(model, [*rows, {"tokens": None}])
        assert [len((each.values or {}).get("grams", ())) for each in found] == [*counts, 0]
