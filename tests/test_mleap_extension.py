"""The ops of MLeap's own: Spark's saved form of its extension's classes, and functions newer than the JVM oracle."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nacre
import nacre.spark
from nacre.errors import BundleError, RowError
from nacre.plan.model import Model
from nacre.stages import REGISTRY
from tests import bundles

EXTENSION = "org.apache.spark.ml.mleap.feature."


def saved(folder: Path, name: str, params: dict[str, Any], data: dict[str, Any] | None = None) -> Path:
    """A stage as the extension's MLWriter leaves it: a line of metadata and a one-row table."""
    (folder / "metadata").mkdir(parents=True)
    content = {"class": EXTENSION + name, "uid": f"{name}_1", "sparkVersion": "3.2.0", "paramMap": params}
    (folder / "metadata" / "part-00000").write_text(json.dumps({**content, "timestamp": 1, "defaultParamMap": {}}))
    if data is not None:
        (folder / "data").mkdir()
        pq.write_table(
            pa.table({key: pa.array([value]) for key, value in data.items()}), folder / "data" / "part-00000.parquet"
        )
    return folder


COLUMNS = {"inputCol": "x", "outputCol": "out"}
FORMS: list[tuple[str, dict[str, Any], dict[str, Any] | None, dict[str, Any], Any]] = [
    ("MathUnary", COLUMNS, {"operation": "sqrt"}, {"x": 6.25}, 2.5),
    ("MathUnary", COLUMNS, {"operation": "sqrt"}, {"x": None}, None),
    (
        "MathBinary", {"inputA": "x", "inputB": "y", "outputCol": "out"},
        {"operation": "sub", "da": pa.scalar(None, pa.float64()), "db": pa.scalar(None, pa.float64())},
        {"x": 3.0, "y": 1.0}, 2.0,
    ),
    (
        "MathBinary", {"inputB": "y", "outputCol": "out"},
        {"operation": "sub", "da": 0.0, "db": pa.scalar(None, pa.float64())}, {"y": 1.0}, -1.0,
    ),
    ("ImputerModel", COLUMNS, {"imputeValue": 2.5, "missingValue": 1.0, "strategy": "mean"}, {"x": 1.0}, 2.5),
    ("ImputerModel", COLUMNS, {"imputeValue": 2.5, "missingValue": 1.0, "strategy": "mean"}, {"x": None}, 2.5),
]  # fmt: skip


@pytest.mark.parametrize(("name", "params", "data", "row", "expected"), FORMS)
def test_saved_forms(tmp_path: Path, name: str, params: Any, data: Any, row: dict[str, Any], expected: Any) -> None:
    folder = saved(tmp_path / "saved", name, params, data)
    model = nacre.load(nacre.spark.convert(folder, tmp_path / "model.zip"))
    (made,) = bundles.assert_plans_agree(model, [row])
    assert made.values == {"out": expected}


ROUNDED = {
    "floor": [(1.5, 1.0), (-1.5, -2.0), (-0.0, -0.0), (math.inf, math.inf), (math.nan, math.nan)],
    "ceil": [(1.5, 2.0), (-1.5, -1.0), (-0.5, -0.0), (-math.inf, -math.inf), (math.nan, math.nan)],
    "round": [
        (0.5, 1.0), (2.5, 3.0), (-0.5, 0.0), (-1.5, -1.0), (-0.0, 0.0), (0.49999999999999994, 0.0),
        (2.0**52 + 1.0, 2.0**52 + 1.0), (2.0**53 + 2.0, 2.0**53 + 2.0), (math.nan, 0.0),
        (math.inf, 2.0**63), (-math.inf, -(2.0**63)), (1e300, 2.0**63), (-1e300, -(2.0**63)),
    ],
}  # fmt: skip
"""Java's Math.floor, Math.ceil and Math.round, by their documentation; MLeap has them since 0.21."""


@pytest.mark.parametrize("operation", ROUNDED)
def test_functions_newer_than_the_oracle(operation: str) -> None:
    model = Model(bundles.pipeline(bundles.node("math_unary", {"operation": operation}, ["x"], ["out"])))
    found = bundles.assert_plans_agree(model, [{"x": x} for x, _ in ROUNDED[operation]])
    made = [each.values["out"] for each in found if each.values is not None]
    assert bundles.bits(made) == bundles.bits([y for _, y in ROUNDED[operation]])


def test_logit_is_of_shares() -> None:
    model = Model(bundles.pipeline(bundles.node("math_unary", {"operation": "logit"}, ["x"], ["out"])))
    assert model.row({"x": 0.5}) == {"x": 0.5, "out": 0.0}
    with pytest.raises(RowError, match="a number from 0 to 1"):
        model.row({"x": 1.5})


@pytest.mark.parametrize(
    ("held", "ports"),
    [({}, [("input_a", "x")]), ({"da": 1.0}, [("input_a", "x"), ("input_b", "y")]), ({"db": 1.0}, [("input_b", "y")])],
)
def test_an_operand_is_a_column_or_a_constant(held: dict[str, float], ports: list[tuple[str, str]]) -> None:
    node = REGISTRY["math_binary"].make("math", {"operation": "add", **held}, ports, [("output", "out")])
    with pytest.raises(BundleError, match="an operand needs a column or a constant"):
        Model(bundles.pipeline(node))
