"""xgboost.classifier and xgboost.regression against the XGBoost library, and saved models of both Spark packages."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.ml.linalg import SparseVector

import nacre
from nacre.bundle import read
from nacre.plan.model import Model
from nacre.plan.types import vector
from nacre.stages import REGISTRY
from tests import bundles
from tests.plans.xgboost import FEATURES, KINDS, raw, trained, training

TYPES = {"features": vector(FEATURES)}
X = training(seed=7, rows=40)


def node(kind: str, form: str = "ubj", **values: Any) -> Any:
    """A node with every port that the booster has."""
    op = "xgboost.classifier" if kind in ("binary", "multi") else "xgboost.regression"
    classes = {"num_classes": 2 if kind == "binary" else 3} if op.endswith("classifier") else {}
    ports = [port.name for port in REGISTRY[op].outputs if kind != "linear" or port.name != "leaf_prediction"]
    made = REGISTRY[op].make(
        op, {"num_features": FEATURES, **classes, **values}, [("features", "features")], [(p, p) for p in ports]
    )
    made.files["xgboost.model"] = raw(kind, form)
    return made


def model(kind: str, mode: str = "spark", **values: Any) -> Model:
    return Model(bundles.pipeline(node(kind, **values), types=TYPES), mode)


def library(kind: str, x: np.ndarray, **known: Any) -> dict[str, np.ndarray]:
    """What the library makes of rows: port -> float32 (rows, …)."""
    import xgboost

    rows, booster, count = xgboost.DMatrix(x), trained(kind), len(x)
    margins = booster.predict(rows, output_margin=True, **known).reshape(count, -1)
    scores = booster.predict(rows, **known)
    made = {"contrib_prediction": booster.predict(rows, pred_contribs=True, **known).reshape(count, -1)}
    if kind != "linear":
        made["leaf_prediction"] = booster.predict(rows, pred_leaf=True, **known).reshape(count, -1)
    if kind == "binary":
        both = np.stack([np.float32(1) - scores, scores], axis=1)
        return {**made, "raw_prediction": np.concatenate([-margins, margins], axis=1), "probability": both}
    if kind == "multi":
        return {**made, "raw_prediction": margins, "probability": scores}
    return {**made, "prediction": scores.reshape(count, -1)}


def assert_equal(found: Model, rows: list[Any], theirs: dict[str, np.ndarray]) -> None:
    outcomes = bundles.assert_plans_agree(found, [{"features": row} for row in rows])
    for n, each in enumerate(outcomes):
        assert each.values is not None
        for port, expected in theirs.items():
            ours = each.values[port]
            wanted = [float(x) for x in expected[n]]
            assert bundles.bits(ours if isinstance(ours, list) else [ours]) == bundles.bits(wanted), (port, n)
        if "probability" in theirs:
            assert each.values["prediction"] == float(np.argmax(theirs["raw_prediction"][n]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_port_is_the_librarys(kind: str) -> None:
    assert_equal(model(kind), [tuple(map(float, row)) for row in X], library(kind, X))


@pytest.mark.parametrize("kind", KINDS)
def test_absent_entries_are_missing_and_zeros_are_values(kind: str) -> None:
    """A sparse vector's stored zero is a zero; `nacre.dense` makes zeros of what is absent, but not in MLeap's mode."""
    vectors = [SparseVector(FEATURES, [0, 2], [0.0, 1.5]), SparseVector(FEATURES, [], []), (0.0, 0.0, 1.5, 0.0, 0.0)]
    nan = np.nan
    missing = np.array([[0, nan, 1.5, nan, nan], [nan] * 5, [0, 0, 1.5, 0, 0]], np.float32)
    zeros = np.nan_to_num(missing)
    assert_equal(model(kind), vectors, library(kind, missing))
    assert_equal(model(kind, **{"nacre.dense": True}), vectors, library(kind, zeros))
    assert_equal(model(kind, "mleap", **{"nacre.dense": True}), vectors, library(kind, missing))
    zero_is_missing = np.where(missing == 0, np.float32(nan), missing)
    assert_equal(model(kind, missing=0.0), vectors, library(kind, zero_is_missing))
    assert_equal(model(kind, "mleap", missing=0.0), vectors, library(kind, missing))


@pytest.mark.parametrize("kind", ["binary", "multi", "squared", "dart"])
def test_first_trees_only(kind: str) -> None:
    """`tree_limit` counts trees of a group; the "squared" model has two a round."""
    rounds = 1 if kind == "squared" else 2
    theirs = library(kind, X, iteration_range=(0, rounds))
    assert_equal(model(kind, tree_limit=2), [tuple(map(float, row)) for row in X], theirs)


def test_prediction_of_mleap_is_the_rounded_probability() -> None:
    """At a probability of exactly one half: MLeap rounds it up, Spark takes the first of equal scores."""
    import xgboost

    made = node("binary")
    flat = xgboost.train({"objective": "binary:logistic", "base_score": 0.5}, xgboost.DMatrix(X, label=X[:, 0] > 0), 0)
    made.files["xgboost.model"] = bytes(flat.save_raw("ubj"))
    bundle = bundles.pipeline(made, types=TYPES)
    row = {"features": (1.0,) * FEATURES}
    assert Model(bundle).row(row)["probability"] == (0.5, 0.5)  # type: ignore[index]
    assert [Model(bundle, mode).row(row)["prediction"] for mode in ("spark", "mleap")] == [0.0, 1.0]  # type: ignore[index]


def test_after_an_assembler() -> None:
    """An assembler's vector with many zeros is sparse, so that the booster takes its zeros for missing."""
    from nacre.bundle.values import Shape

    names = [f"x{n}" for n in range(FEATURES)]
    assembler = bundles.node(
        "vector_assembler", {"input_shapes": [Shape()] * FEATURES, "nacre.handle_invalid": "keep"}, names, ["features"]
    )
    found = Model(bundles.pipeline(assembler, node("binary")))
    rows = [[0.0, 0.0, 1.5, 0.0, 0.0], [1.0, 0.0, 1.5, 2.0, 3.0], [0.0] * 5]
    outcomes = bundles.assert_plans_agree(found, [dict(zip(names, row, strict=True)) for row in rows])
    x = np.array([[np.nan, np.nan, 1.5, np.nan, np.nan], rows[1], [np.nan] * 5], np.float32)
    theirs = library("binary", x)
    for n, each in enumerate(outcomes):
        assert bundles.bits(each.values["raw_prediction"]) == bundles.bits(
            theirs["raw_prediction"][n].astype(float).tolist()
        )  # type: ignore[index]


# Saved models


def saved(folder: Path, spark_class: str, params: dict[str, Any], files: dict[str, bytes]) -> Path:
    """A folder as the packages lay it out."""
    metadata = {"class": spark_class, "uid": "xgb", "sparkVersion": "4.1.0", "timestamp": 0, "defaultParamMap": {}}
    for name, content in {
        "metadata/part-00000": json.dumps({**metadata, "paramMap": params}).encode(),
        **files,
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


COLUMNS = {"featuresCol": "features", "predictionCol": "prediction"}
SCORES = {"rawPredictionCol": "raw", "probabilityCol": "probability"}


def test_saved_by_python(tmp_path: Path) -> None:
    """xgboost.spark cuts the booster's JSON into lines, and makes vectors dense."""
    text = raw("binary", "json")
    chunks = b"\n".join(text[start : start + 1000] for start in range(0, len(text), 1000))
    params = {
        **COLUMNS,
        **SCORES,
        "missing": float("nan"),
        "enable_sparse_data_optim": False,
        "pred_contrib_col": "why",
    }
    path = saved(
        tmp_path / "s", "xgboost.spark.estimator.SparkXGBClassifierModel", params, {"model/part-00000": chunks + b"\n"}
    )
    found = nacre.load(nacre.spark.convert(path, tmp_path / "m.zip"))
    assert list(found.outputs) == ["raw", "probability", "prediction", "why"]
    theirs = library("binary", np.zeros((1, FEATURES), np.float32))
    scored = found.row({"features": SparseVector(FEATURES, [], [])})
    assert scored is not None
    for column, port in (("raw", "raw_prediction"), ("probability", "probability"), ("why", "contrib_prediction")):
        assert scored[column] == tuple(theirs[port][0].astype(float).tolist())


@pytest.mark.parametrize("folder", ["data/XGBoostClassificationModel", "model"])
def test_saved_by_the_jvm(tmp_path: Path, folder: str) -> None:
    """xgboost4j-spark writes the number of classes before a classifier's booster."""
    content = struct.pack(">i", 2) + raw("binary", "ubj") if folder.startswith("data") else raw("binary", "ubj")
    params = {
        **COLUMNS,
        **SCORES,
        "treeLimit": 2,
        "missing": "NaN",
        "leafPredictionCol": "leaf",
        "thresholds": [0.5, 0.5],
    }
    name = folder if folder.startswith("data") else "model/part-00000"
    path = saved(tmp_path / "s", "ml.dmlc.xgboost4j.scala.spark.XGBoostClassificationModel", params, {name: content})
    bundle = read(nacre.spark.convert(path, tmp_path / "m.zip"))
    found = Model(bundle)
    theirs = library("binary", X, iteration_range=(0, 2))
    for n, row in enumerate(X):
        scored = found.row(
            {
                "features": SparseVector(
                    FEATURES, *zip(*[(i, float(x)) for i, x in enumerate(row) if x == x], strict=True)
                )
            }
        )
        assert scored is not None
        assert scored["raw"] == tuple(theirs["raw_prediction"][n].astype(float).tolist())
        assert scored["leaf"] == tuple(theirs["leaf_prediction"][n].astype(float).tolist())


def test_a_regressor_saved_by_the_jvm(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "s", "ml.dmlc.xgboost4j.scala.spark.XGBoostRegressionModel", COLUMNS,
        {"data/XGBoostRegressionModel": raw("squared", "ubj")},
    )  # fmt: skip
    found = nacre.load(nacre.spark.convert(path, tmp_path / "m.zip"))
    theirs = library("squared", X)["prediction"][:, 0]
    assert found.transform({"features": X.tolist()})["prediction"].to_pylist() == theirs.astype(float).tolist()
