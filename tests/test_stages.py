"""MLeap's own JVM runtime 0.20.0 is the oracle: it loads and scores what we write, and mode="mleap" gives its numbers."""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyspark.ml.linalg import SparseVector

import nacre
from nacre.bundle import new_bundle, read, write
from nacre.bundle.formats import FORMATS
from nacre.bundle.values import Shape, pack
from nacre.plan.model import Model
from nacre.plan.sparkschema import to_spark_json
from nacre.plan.types import Type
from nacre.stages import REGISTRY
from tests import bundles
from tests.oracle import frames
from tests.oracle.mleap import OracleError
from tests.plans import STRATEGIES
from tests.plans.base import values
from tests.test_plan import PLANS, combinations

if TYPE_CHECKING:
    from tests.oracle.mleap import Mleap

Row = dict[str, Any]


def column(given: Type, items: list[Any]) -> frames.Column:
    """A column of one or more values as MLeap's frame takes it."""
    if given.shape == "vector":
        return "vector", [
            frames.Sparse((int(x.size), tuple(x.indices.tolist()), tuple(x.values.tolist())))
            if isinstance(x, SparseVector)
            else x
            for x in items
        ]
    return (given.base if given.shape == "scalar" else f"{given.shape}<{given.base}>"), items


def asked(oracle: Mleap, path: Path, model: Model, rows: list[Row]) -> list[Any]:
    """What the JVM makes of each row: its columns, None if it drops the row, "failed" if it throws."""
    found: list[Any] = []
    for row in rows:
        try:
            scored = oracle.transform(path, {name: column(kind, [row[name]]) for name, kind in model.inputs.items()})
        except OracleError:
            found.append("failed")
            continue
        kept = {name: scored[name] for name in model.outputs}
        found.append({name: plain(items[0]) for name, items in kept.items()} if all(kept.values()) else None)
    return found


def plain(value: Any) -> Any:
    return (
        tuple(value.dense()) if isinstance(value, frames.Sparse) else tuple(value) if isinstance(value, list) else value
    )


def assert_same_as_jvm(oracle: Mleap, path: Path, rows: list[Row]) -> None:
    model = nacre.load(path, mode="mleap")
    ours = bundles.assert_plans_agree(model, rows)
    for row, one, theirs in zip(rows, ours, asked(oracle, path, model, rows), strict=True):
        kind = "failed" if theirs == "failed" else "dropped" if theirs is None else "scored"
        assert one.kind == kind, f"{row}\nJVM:  {theirs}\nours: {one}"
        for name, value in (one.values or {}).items():
            listed = model.types[name].shape == "vectors"  # in MLeap one tensor
            told = bundles.differ(model, name, tuple(bundles.flat(value)) if listed else value, theirs[name], row)
            assert told is None, f"{name} of {row}\nJVM:  {theirs[name]}\nours: {value}\n{told}"


def fit_for_a_frame(rows: list[Row], kinds: dict[str, Type]) -> list[Row]:
    """A frame of one null vector cannot say how long it is, and a list there holds no null."""

    def fits(value: Any, kind: Type) -> bool:
        if kind.shape == "map":  # such frames are JSON
            return value is not None and all(map(finite, value.values()))
        return value is not None if kind.shape == "vector" else kind.shape != "list" or None not in (value or [])

    def finite(value: Any) -> bool:
        return value is not None and (not isinstance(value, float) or math.isfinite(value))

    return [row for row in rows if all(fits(row[name], kind) for name, kind in kinds.items())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jvm")


NEEDED = {"one_hot_encoder": "handle_invalid"}
"""An attribute that MLeap 0.20 cannot do without; ours may be absent, as in older bundles."""


NOT_THERE = ("nacre.", "xgboost.", "lda_")
"""Ops that this MLeap does not know, our own and those of a jar of its own, which test_xgboost_ops.py has; and the one
that it starts at random."""
NEWER = {(op, attr.name, word) for op, cls in REGISTRY.items() for attr in cls.attributes for word in attr.newer}
"""(op, attribute, word) that MLeap 0.20 does not know."""


def jvm_ops() -> list[str]:
    """The ops that MLeap's runtime has."""
    return [op for op in sorted(STRATEGIES) if not op.startswith(NOT_THERE)]


def jvm_cases() -> list[Any]:
    known = [(case, *case.values) for case in combinations() if case.values[0] in jvm_ops()]
    return [
        case
        for case, op, mode, words in known
        if mode == "mleap"
        and NEEDED.get(op, "") in {"", *words}
        and not NEWER & {(op, *each) for each in words.items()}
    ]


@pytest.mark.oracle
@pytest.mark.parametrize(("op", "mode", "words"), jvm_cases())
@settings(PLANS, max_examples=8)
@given(data=st.data())
def test_numbers_of_mleap(oracle: Mleap, folder: Path, op: str, mode: str, words: dict[str, str], data: Any) -> None:
    """Every op and every choice, drawn as in the plans' own test; `nacre.` attributes are on board, and ignored there."""
    nodes, kinds = data.draw(STRATEGIES[op](words, wild=False))
    row = st.fixed_dictionaries({name: values(kind) for name, kind in kinds.items()})
    rows = fit_for_a_frame(data.draw(st.lists(row, min_size=1, max_size=5)), kinds)
    bundle = bundles.pipeline(*nodes, types=kinds)
    leaves = [node for node in bundle.root.walk() if node.op != "pipeline"]
    assume(all(node.attributes.get("labels_length") != pack(2, "int") for node in leaves))  # MLeap 0.23.3 and later
    assert_same_as_jvm(oracle, write(bundle, folder / "drawn.zip", overwrite=True), rows)


@pytest.mark.oracle
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("op", jvm_ops())
@settings(PLANS, max_examples=4)
@given(data=st.data())
def test_resaved_by_mleap(oracle: Mleap, folder: Path, op: str, form: str, data: Any) -> None:
    """A bundle that the JVM has loaded and written again, both in the same format, loads here and scores the same."""
    words = {attr.name: attr.choices[0] for attr in REGISTRY[op].attributes if attr.choices}
    nodes, kinds = data.draw(STRATEGIES[op](words, wild=False))
    row = st.fixed_dictionaries({name: values(kind) for name, kind in kinds.items()})
    rows = data.draw(st.lists(row, min_size=1, max_size=4))
    bundle = bundles.pipeline(*nodes)
    leaves = [node for node in bundle.root.walk() if node.op != "pipeline"]
    assume(all(node.attributes.get("labels_length") != pack(2, "int") for node in leaves))
    first, again = write(bundle, folder / "first.zip", overwrite=True, format=form), folder / "again.zip"
    again.unlink(missing_ok=True)
    oracle.resave(first, again, form)
    one, other = declared(first, kinds), declared(again, kinds)
    assert other.bundle.format == form
    assert one.inputs == other.inputs == kinds
    for before, after in zip(bundles.by_columns(one, rows), bundles.assert_plans_agree(other, rows), strict=True):
        assert bundles.same(before, after)


def declared(path: Path, kinds: dict[str, Type]) -> Model:
    """A model whose raw columns are of these types: MLeap does not keep the schema that says so."""
    bundle = read(path)
    bundle.root.attributes["nacre.input_schema"] = pack(json.dumps(to_spark_json(kinds)), "string")
    return Model(bundle, "mleap")


def stripped(node: bundles.Node) -> bundles.Node:
    """A node without what MLeap has no slot for."""
    kept = {name: value for name, value in node.attributes.items() if not name.startswith("nacre.")}
    return replace(node, attributes=kept, children=[stripped(child) for child in node.children])


@pytest.mark.oracle
def test_our_attributes_are_ignored_there(oracle: Mleap, tmp_path: Path) -> None:
    """The JVM makes the same of a bundle with `nacre.` attributes and without; here they change the outcome."""
    bundle = bundles.pipeline(
        bundles.node(
            "imputer",
            {"surrogate_value": 2.5, "missing_value": 1.0, "strategy": "mean", "nacre.input_type": "double"},
            ["x"],
            ["filled"],
        ),
        bundles.node("bucketizer", {"splits": [-math.inf, 0.0, math.inf]}, ["filled"], ["bucket"]),
        bundles.node(
            "vector_assembler",
            {"input_shapes": [Shape(), Shape()], "nacre.handle_invalid": "error"},
            ["filled", "bucket"],
            ["features"],
        ),
        types={"x": Type("double")},
    )
    ours = write(bundle, tmp_path / "ours.zip")
    plain = write(new_bundle(stripped(bundle.root)), tmp_path / "plain.zip")
    names = {name for node in read(ours).root.walk() for name in node.attributes}
    assert {"nacre.input_type", "nacre.handle_invalid", "nacre.input_schema"} <= names
    with zipfile.ZipFile(ours) as archive:
        assert any(b"nacre.exact.splits" in archive.read(name) for name in archive.namelist())
    rows = [{"x": x} for x in (1.0, math.nan, -0.0, None, 7.5)]
    model = nacre.load(ours, mode="mleap")
    assert repr(asked(oracle, ours, model, rows)) == repr(asked(oracle, plain, model, rows))
    assert_same_as_jvm(oracle, ours, rows)
    by_spark = bundles.by_rows(nacre.load(ours), rows)
    assert [each.kind for each in by_spark] == ["scored", "failed", "scored", "scored", "scored"]
    assert [each.kind for each in bundles.by_rows(model, rows)] == ["scored"] * 5


@pytest.mark.oracle
def test_a_column_replaced_in_place_is_refused_there(oracle: Mleap, tmp_path: Path) -> None:
    """Spark's Imputer may write over its input; MLeap has no way to, and says so. Here it works."""
    filled = bundles.node("imputer", {"surrogate_value": 2.5, "strategy": "mean"}, ["x"], ["x"])
    path = write(bundles.pipeline(filled), tmp_path / "in_place.zip")
    assert nacre.load(path).row({"x": None}) == {"x": 2.5}
    with pytest.raises(OracleError, match="struct already has field: x"):
        oracle.transform(path, {"x": ("double", [1.0])})
