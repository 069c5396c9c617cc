"""What users meet: every form of table and row going in, and what they are told when it is the wrong one."""

from __future__ import annotations

import decimal
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyspark.ml.linalg import DenseVector, SparseVector

import nacre
from nacre.bundle import write
from nacre.bundle.values import Shape, Tensor
from nacre.errors import BundleError, NacreError, RowError, SchemaError, SetupError, UnsupportedError
from nacre.plan.arrow import VECTOR_UDT
from nacre.plan.model import Model
from nacre.plan.rowcode import WIDE
from nacre.plan.types import INTEGERS, STRING, Type, vector
from tests import bundles
from tests.bundles import bits

INDEXER = bundles.node(
    "string_indexer", {"labels_length": 1, "labels_array_{n}": {0: ["M", "F"]}}, ["sex"], ["sex_index"], "indexer"
)
ASSEMBLER = bundles.node(
    "vector_assembler",
    {"input_shapes": [Shape(), Shape(), Shape("tensor", dims=(2,))], "nacre.handle_invalid": "error"},
    ["sex_index", "length", "extra"],
    ["features"],
    "assembler",
)
TYPES = {"sex": STRING, "length": Type("double"), "extra": vector(2)}
ROWS = [
    {"sex": "M", "length": 0.455, "extra": (1.0, 0.0)},
    {"sex": "F", "length": -0.0, "extra": (0.0, 2.0)},
    {"sex": "M", "length": 1e10, "extra": (-0.0, math.inf)},
]
EXPECTED = [(0.0, 0.455, 1.0, 0.0), (1.0, 0.0, 0.0, 2.0), (0.0, 1e10, 0.0, math.inf)]


def model(mode: str = "spark") -> Model:
    return Model(bundles.pipeline(INDEXER, ASSEMBLER, types=TYPES), mode)


def columns() -> dict[str, list[Any]]:
    return {name: [row[name] for row in ROWS] for name in TYPES}


def features(table: pa.Table) -> list[tuple[float, ...]]:
    return [tuple(each) for each in table.column("features").to_pylist()]


# Tables in


def arrow(**types: pa.DataType) -> pa.Table:
    plain = {"sex": pa.string(), "length": pa.float64(), "extra": pa.list_(pa.float64())} | types
    return pa.table({name: pa.array(values, plain[name]) for name, values in columns().items()})


def udts() -> pa.Array:
    sparse = {"type": 0, "size": 2, "indices": [0], "values": [1.0]}
    return pa.array([sparse, *(bundles.udt(row["extra"]) for row in ROWS[1:])], VECTOR_UDT)


def pyspark_vectors() -> list[Any]:
    """As toPandas() of a Spark frame has them."""
    return [SparseVector(2, [0], [1.0]), *(DenseVector(row["extra"]) for row in ROWS[1:])]


TABLES: dict[str, Callable[[], Any]] = {
    "pyarrow": arrow,
    "record batch": lambda: arrow().combine_chunks().to_batches()[0],
    "dict": columns,
    "dict of arrays": lambda: {name: pa.array(values) for name, values in columns().items()},
    "dict of numpy": lambda: columns() | {"length": np.array(columns()["length"])},
    "pandas": lambda: pd.DataFrame(columns()),
    "pandas arrow strings": lambda: pd.DataFrame(columns()).astype({"sex": "string"}),
    "pandas category": lambda: pd.DataFrame(columns()).astype({"sex": "category"}),
    "pandas numpy vectors": lambda: pd.DataFrame(columns() | {"extra": [np.array(x) for x in columns()["extra"]]}),
    "dict of PySpark's vectors": lambda: columns() | {"extra": pyspark_vectors()},
    "pandas of PySpark's vectors": lambda: pd.DataFrame(columns() | {"extra": pyspark_vectors()}),
    "polars": lambda: pl.DataFrame(columns()),
    "polars categorical": lambda: pl.DataFrame(columns()).with_columns(pl.col("sex").cast(pl.Categorical)),
    "chunks": lambda: pa.concat_tables([arrow().slice(0, 1), arrow().slice(1, 0), arrow().slice(1)]),
    "large strings": lambda: arrow(sex=pa.large_string()),
    "string views": lambda: arrow(sex=pa.string_view()),
    "dictionary": lambda: arrow(sex=pa.dictionary(pa.int32(), pa.string())),
    "dictionary of large": lambda: arrow(sex=pa.dictionary(pa.int8(), pa.large_string())),
    "large lists": lambda: arrow(extra=pa.large_list(pa.float64())),
    "fixed lists": lambda: arrow(extra=pa.list_(pa.float64(), 2)),
    "VectorUDT": lambda: arrow().set_column(2, "extra", udts()),
    "sliced": lambda: pa.concat_tables([arrow(), arrow()]).slice(3, 3),
    "more columns": lambda: arrow().append_column("unused", pa.array([None] * 3)),
}  # fmt: skip


@pytest.mark.parametrize("form", TABLES)
def test_every_form_of_table(form: str) -> None:
    given = TABLES[form]()
    found = model().transform(given)
    assert bits(features(found)) == bits(EXPECTED)
    names = list(given) if isinstance(given, dict) else list(getattr(given, "column_names", None) or given.columns)
    assert found.column_names == [*names, "sex_index", "features"]


@pytest.mark.parametrize("form", TABLES)
def test_no_rows(form: str) -> None:
    given = TABLES[form]()
    if isinstance(given, dict):
        kinds = arrow().schema
        given = pa.table({name: pa.array([], kinds.field(name).type) for name in given})
    else:
        given = given[:0] if hasattr(given, "iloc") else given.slice(0, 0) if hasattr(given, "slice") else given.head(0)
    found = model().transform(given)
    assert found.num_rows == 0
    assert found.schema.field("features").type == pa.list_(pa.float64())
    assert model().transform(given, vectors="sparse").schema.field("features").type == VECTOR_UDT
    assert model().score(given, "features").values.shape == (0, 4)


def test_columns_asked_for() -> None:
    found = model().transform(arrow(), columns=["features", "sex"])
    assert found.column_names == ["features", "sex"]
    lengths_only = pa.table({"sex": ["M"]})
    assert model().transform(lengths_only, columns=["sex_index"]).to_pydict() == {"sex_index": [0.0]}, "no more is read"


def test_an_input_that_has_the_name_of_an_output() -> None:
    """As a row that has been scored before: the model's own column comes out, in its old place."""
    again = model().transform(model().transform(arrow()))
    assert again.column_names == ["sex", "length", "extra", "sex_index", "features"]
    assert bits(features(again)) == bits(EXPECTED)


def test_numbers_of_every_type() -> None:
    """Integers, floats, booleans and decimals come as Spark's cast to double has them."""
    for kind, value, wanted in [
        (pa.int8(), -7, -7.0), (pa.int64(), 2**53 + 1, 2.0**53), (pa.uint64(), 2**64 - 1, 2.0**64),
        (pa.float32(), 0.1, float(np.float32(0.1))), (pa.float16(), 0.5, 0.5), (pa.bool_(), True, 1.0),
        (pa.decimal128(38, 20), decimal.Decimal("0.1"), 0.1),
        (pa.decimal128(38, 18), decimal.Decimal("12345678901234567890.123456789012345678"), 12345678901234567890.123456789012345678),
        (pa.decimal256(50, 30), decimal.Decimal("3.3"), 3.3),
    ]:  # fmt: skip
        given = (
            arrow()
            .slice(0, 1)
            .set_column(1, "length", pa.array([np.float16(value) if kind == pa.float16() else value], kind))
        )
        assert features(model().transform(given))[0][1] == wanted, kind
        row = {**ROWS[0], "length": value}
        if kind not in (pa.float32(), pa.float16()):
            assert model().row(row)["features"][1] == wanted, kind  # type: ignore[index]


def test_pandas_nan_and_none() -> None:
    """NaN in a float column is NaN; None and NaN among objects are nulls."""
    kept = bundles.node(
        "imputer", {"surrogate_value": 7.0, "missing_value": 0.0, "nacre.input_type": "double"}, ["x"], ["y"]
    )
    model = Model(bundles.pipeline(kept, types={"x": Type("double")}))
    floats = model.transform(pd.DataFrame({"x": [math.nan, 1.0]})).column("y").to_pylist()
    assert bits(floats) == bits([math.nan, 1.0])
    objects = model.transform(pd.DataFrame({"x": pd.Series([None, 1.0], dtype=object)})).column("y").to_pylist()
    assert objects == [7.0, 1.0]


# Tables that do not fit


def refused(given: Any, kind: type[NacreError] = SchemaError, **options: Any) -> NacreError:
    with pytest.raises(kind) as caught:
        model().transform(given, **options)
    return caught.value


def test_a_missing_column() -> None:
    error = refused(arrow().rename_columns(["sex", "lenght", "extra"]))
    assert (error.expected, error.where["field"]) == ("length: double", "length")
    assert "Did you mean 'lenght'?" in str(error)
    assert "lenght" in str(error.got)


def test_an_unknown_output() -> None:
    error = refused(arrow(), columns=["feature"])
    assert error.got == "feature"
    assert all(name in str(error.expected) for name in ("sex", "length", "extra", "sex_index", "features"))


@pytest.mark.parametrize(
    ("name", "array", "expected"),
    [
        ("length", pa.array(["0.4", "x", "y"]), "length: double"),
        ("length", pa.array([[1.0]] * 3), "length: double"),
        ("length", pa.array([1, 2, 3], pa.date32()), "length: double"),
        ("sex", pa.array([True, False, True]), "sex: string"),
        ("sex", pa.array([["M"]] * 3), "sex: string"),
        ("sex", pa.array([b"M"] * 3), "sex: string"),
        ("extra", pa.array([1.0] * 3), "extra: vector[2]"),
        ("extra", pa.array([["a", "b"]] * 3), "extra: vector[2]"),
        ("extra", pa.array([[1.0, None]] * 3), "numbers"),
        ("extra", pa.array([{"a": 1}] * 3), "extra: vector[2]"),
        ("extra", pa.array([[[1.0], [2.0]]] * 3), "extra: vector[2]"),
    ],
)
def test_a_column_of_another_type(name: str, array: pa.Array, expected: str) -> None:
    at = list(TYPES).index(name)
    error = refused(arrow().set_column(at, name, array))
    assert error.where["field"] == name
    assert error.expected == expected
    assert "Traceback" not in str(error)


@pytest.mark.parametrize("wrong", [[1.0], [1.0, 2.0, 3.0], []])
def test_a_vector_of_another_size(wrong: list[float]) -> None:
    error = refused(columns() | {"extra": [[1.0, 2.0], wrong, [1.0, 2.0]]})
    assert (error.expected, error.got, error.where) == ("2 entries", len(wrong), {"row": 2, "field": "extra"})


SPOILT = {
    "another size": {"size": 3},
    "no size": {"size": None},
    "an index too far": {"indices": [2]},
    "a negative index": {"indices": [-1]},
    "no indices": {"indices": None},
    "more values than indices": {"values": [1.0, 2.0]},
    "no values": {"values": None},
    "a null value": {"values": [None]},
    "a null index": {"indices": [None]},
    "descending indices": {"indices": [1, 0], "values": [1.0, 2.0]},
    "an unknown kind": {"type": 7},
    "dense of another size": {"type": 1, "values": [1.0]},
    "dense without values": {"type": 1, "values": None},
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_malformed_vector(name: str) -> None:
    good = {"type": 0, "size": 2, "indices": [0], "values": [1.0]}
    given = pa.array([good, {**good, **SPOILT[name]}, good], VECTOR_UDT)
    error = refused(arrow().set_column(2, "extra", given))
    assert error.where["field"] == "extra"
    assert error.where["row"] == 2


def test_no_table() -> None:
    for thing in (
        [1, 2],
        "text",
        None,
        7,
        {"sex": ["M", 1, None]},
        {"sex": [object()]},
        pd.DataFrame({"sex": ["M", 1]}),
        pd.DataFrame({"sex": [object()]}),
        {"sex": "M"},
        {"sex": [1], "length": [1, 2]},
    ):
        refused(thing)


def test_options() -> None:
    assert "dense or sparse" in str(refused(arrow(), SetupError, vectors="odd"))
    with pytest.raises(SetupError, match="spark or mleap"):
        Model(bundles.pipeline(INDEXER)) and nacre.load("x.zip", mode="fast")


# Rows


def test_what_a_row_may_hold() -> None:
    plain = ROWS[0]
    for values in [
        {"length": np.float64(0.455)}, {"length": np.float32(0.5)}, {"length": 1}, {"length": np.int64(1)}, {"length": True},
        {"length": decimal.Decimal("0.455")}, {"extra": [1, 0]}, {"extra": np.array([1.0, 0.0])}, {"extra": DenseVector([1.0, 0.0])},
        {"extra": SparseVector(2, [0], [1.0])}, {"sex": np.str_("M")}, {"extra": (np.float32(1), 0)}, {"extra": pa.scalar([1.0, 0.0]).as_py()},
    ]:  # fmt: skip
        found = model().row({**plain, **values})
        assert found is not None
        wanted = float(values.get("length", 0.455))
        assert bits(found["features"]) == bits((0.0, wanted, 1.0, 0.0)), values


def test_a_row_keeps_what_it_holds() -> None:
    found = model().row({**ROWS[0], "more": "kept"})
    assert found == {**ROWS[0], "more": "kept", "sex_index": 0.0, "features": EXPECTED[0]}
    assert model().row(ROWS[0], columns=["features", "sex"]) == {"features": EXPECTED[0], "sex": "M"}
    assert model().row({"sex": "F"}, columns=["sex_index"]) == {"sex_index": 1.0}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"length": "0.4"}, "length: double"),
        ({"length": [1.0]}, "length: double"),
        ({"length": np.array([1.0, 2.0])}, "length: double"),
        ({"length": 1j}, "length: double"),
        ({"length": 10**400}, "length: double"),
        ({"length": {}}, "length: double"),
        ({"length": pd.NA}, "length: double"),
        ({"sex": True}, "sex: string"),
        ({"sex": decimal.Decimal(1)}, "sex: string"),
        ({"sex": ["M"]}, "sex: string"),
        ({"sex": b"M"}, "sex: string"),
        ({"extra": 1.0}, "extra: vector[2]"),
        ({"extra": "12"}, "extra: vector[2]"),
        ({"extra": (None, 1.0)}, "extra: vector[2]"),
        ({"extra": {0: 1.0, 1: 2.0}}, "extra: vector[2]"),
        ({"extra": [1.0]}, "2 entries"),
        ({"extra": SparseVector(3, [0], [1.0])}, "2 entries"),
    ],
)
def test_a_value_of_another_type(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(SchemaError) as caught:
        model().row({**ROWS[0], **change})
    assert caught.value.expected == expected
    assert caught.value.where["field"] in change


def test_a_missing_key() -> None:
    with pytest.raises(SchemaError) as caught:
        model().row({"sex": "M", "extra": (1.0, 2.0)})
    assert (caught.value.expected, caught.value.got) == ("length", ["extra", "sex"])
    assert "Pass None for a null" in str(caught.value)


def test_an_unknown_column_of_a_row() -> None:
    with pytest.raises(SchemaError) as caught:
        model().row(ROWS[0], columns=["feature"])
    assert caught.value.got == "feature"


@pytest.mark.parametrize("base", INTEGERS)
def test_integers_out_of_range(base: str) -> None:
    """A column that was fitted as an integer takes no fraction and nothing out of its range, in either plan."""
    node = bundles.node("imputer", {"surrogate_value": 1.0, "nacre.input_type": base}, ["n"], ["m"])
    model = Model(bundles.pipeline(node, types={"n": Type(base)}))
    top = {"byte": 1 << 7, "short": 1 << 15, "int": 1 << 31, "long": 1 << 63}[base]
    for value in (0.5, math.nan, math.inf, float(top), -float(top) * 2, top, -top * 2):
        for action in (lambda v=value: model.row({"n": v}), lambda v=value: model.transform({"n": [v]})):
            with pytest.raises(SchemaError) as caught:
                action()
            assert caught.value.where["field"] == "n"
    assert model.row({"n": 3.0}) == {"n": 3.0, "m": 3}
    assert model.transform({"n": [3.0, None]}).column("m").to_pylist() == [3, 1]


def test_what_fails_is_told() -> None:
    row = {**ROWS[0], "sex": "X"}
    with pytest.raises(RowError) as single:
        model().row(row)
    assert single.value.where == {"node": "indexer", "field": "sex"}
    assert "Unseen label: X" in str(single.value)
    assert single.value.expected == "one of 'M', 'F'"
    given = columns() | {"sex": ["M", "X", None], "length": [1.0, 1.0, math.nan]}
    with pytest.raises(RowError) as whole:
        model().transform(given)
    assert whole.value.where == {"node": "indexer", "row": 2, "field": "sex"}
    assert "2 rows failed" in whole.value.message
    scored = model().score(given, "features")
    assert [error.where["row"] for error in scored.failed] == [2, 3]
    assert scored.values.shape == (3, 4)
    assert bits(scored.values[0].tolist()) == bits(tuple(model().row({**ROWS[0], "length": 1.0})["features"]))  # type: ignore[index]


def test_trace() -> None:
    traced = model().trace(ROWS[0])
    assert traced == {"indexer": {"sex_index": 0.0}, "assembler": {"features": EXPECTED[0]}}
    failing = model().trace({**ROWS[0], "length": math.nan})
    assert list(failing) == ["indexer", "assembler"]
    assert "Encountered NaN" in failing["assembler"]["error"]
    assert list(model().trace({**ROWS[0], "sex": None})) == ["indexer"]
    skipping = bundles.node(
        "bucketizer", {"splits": [0.0, 1.0, 2.0], "handle_invalid": "skip"}, ["x"], ["b"], "buckets"
    )
    assert Model(bundles.pipeline(skipping)).trace({"x": math.nan}) == {"buckets": {"dropped": True}}


def test_dropped_rows() -> None:
    node = bundles.node("bucketizer", {"splits": [0.0, 1.0, 2.0], "handle_invalid": "skip"}, ["x"], ["b"])
    model = Model(bundles.pipeline(node))
    assert model.row({"x": None}) is None
    found = model.transform({"x": [0.5, None, 1.5], "id": [1, 2, 3]})
    assert found.to_pydict() == {"x": [0.5, 1.5], "id": [1, 3], "b": [0.0, 1.0]}
    assert model.transform({"x": [0.5, None]}, columns=["x"]).num_rows == 1, "a filter is never pruned"
    assert model.score({"x": [0.5, None]}, "b").dropped == [1]


def test_a_column_replaced_by_one_of_another_type() -> None:
    """`x` is a text before its stage and a number after it."""
    node = bundles.node("string_indexer", {"labels_length": 1, "labels_array_{n}": {0: ["M", "F"]}}, ["x"], ["x"])
    model = Model(bundles.pipeline(node))
    assert model.row({"x": "F"}) == {"x": 1.0}
    assert model.transform({"x": ["F"]}).to_pydict() == {"x": [1.0]}
    assert model.compile_row(["x"], "x")(["F"]) == 1.0
    assert model.trace({"x": "F"}) == {"string_indexer_x": {"x": 1.0}}


def test_the_schema_tells_types() -> None:
    assert model().input_schema == pa.schema(
        [("sex", pa.string()), ("length", pa.float64()), ("extra", pa.list_(pa.float64()))]
    )
    foreign = Model(bundles.pipeline(INDEXER, ASSEMBLER))
    assert foreign.inputs == TYPES, "without a declared schema the stages tell"


def test_two_columns_of_unknown_size() -> None:
    """A bundle that does not say how long its raw vectors are, and no later stage does."""
    node = bundles.node("vector_assembler", {"input_shapes": [Shape("tensor"), Shape()]}, ["v", "x"], ["out"])
    with pytest.raises(SchemaError, match="a vector of known size"):
        Model(bundles.pipeline(node))
    scaler = bundles.node("standard_scaler", {"std": Tensor([1.0, 2.0], (2,))}, ["v"], ["scaled"])
    assert Model(bundles.pipeline(node, scaler)).inputs["v"] == vector(2)


def test_stages_that_do_not_fit_together() -> None:
    tree = bundles.tree(1.0, 3, "features")
    with pytest.raises(SchemaError) as caught:
        Model(bundles.pipeline(INDEXER, ASSEMBLER, tree, types=TYPES))
    assert (caught.value.expected, caught.value.got) == ("vector[3]", "vector[4]")
    place = {"file": "root/node.json", "node": "decision_tree_regression_prediction", "field": "features"}
    assert caught.value.where == place


def test_a_vector_too_wide_to_unpack() -> None:
    """Two million variables would take the compiler minutes and gigabytes."""
    wide = Model(bundles.pipeline(bundles.tree(((0, 0.5), 1.0, 2.0), WIDE + 1)))
    with pytest.raises(UnsupportedError, match="transform"):
        wide.row({"features": [0.0] * (WIDE + 1)})
    values = np.zeros((1, WIDE + 1))
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), WIDE + 1)
    assert wide.transform({"features": fixed}, columns=["prediction"]).to_pydict() == {"prediction": [1.0]}


def test_threads_share_a_model(tmp_path: Path) -> None:
    shared = nacre.load(write(bundles.pipeline(INDEXER, ASSEMBLER, types=TYPES), tmp_path / "m.zip"))
    found: list[Any] = []

    def work() -> None:
        for row, wanted in zip(ROWS * 20, EXPECTED * 20, strict=True):
            found.append(bits(shared.row(row)["features"]) == bits(wanted))  # type: ignore[index]

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 * len(ROWS) * 20
    assert all(found)


def test_blocks_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table longer than a block: same rows, same bits, same errors, counted from the table's first row."""
    splits = bundles.node("bucketizer", {"splits": [0.0, 1.0, 2.0], "handle_invalid": "skip"}, ["x"], ["b"])
    made = Model(bundles.pipeline(splits, types={"x": Type("double")}))
    rows = {"x": [0.5, math.nan, 1.5, 2.0, 0.0, math.nan, 1.0]}
    whole, wrong = made.transform(rows), {"x": [*rows["x"], 3.0, 0.0, -1.0]}
    monkeypatch.setattr("nacre.plan.model.BLOCK", 3)
    assert made.transform(rows).equals(whole)
    with pytest.raises(RowError) as caught:
        made.transform(wrong)
    assert caught.value.where["row"] == 8
    assert "2 rows failed" in caught.value.message
    scaler = bundles.node("standard_scaler", {"std": Tensor([1.0, 2.0], (2,))}, ["v"], ["s"])
    sized = Model(bundles.pipeline(scaler, types={"v": vector(2)}))
    with pytest.raises(SchemaError) as caught_too:
        sized.transform({"v": [*[[0.0, 1.0]] * 4, [0.0]]})
    assert caught_too.value.where["row"] == 5


def test_dense_vectors_of_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks share one array for their vectors; what is dropped or null in one does not shift the others."""
    assembler = bundles.node(
        "vector_assembler", {"input_shapes": [Shape(), Shape()], "nacre.handle_invalid": "skip"}, ["x", "y"], ["v"]
    )
    made = Model(bundles.pipeline(assembler, types={"x": Type("double"), "y": Type("double")}))
    rows = {"x": [float(n) if n % 4 else None for n in range(25)], "y": [0.5 * n for n in range(25)]}
    whole = made.transform(rows)
    monkeypatch.setattr("nacre.plan.model.BLOCK", 7)
    blocks = made.transform(rows)
    assert blocks.equals(whole)
    assert blocks["v"].to_pylist() == [[float(n), 0.5 * n] for n in range(25) if n % 4]
    monkeypatch.setattr("nacre.plan.model.ROOM", 10)
    assert made.transform(rows).equals(whole)


def test_a_raw_vector_of_unknown_size() -> None:
    """Nobody tells how long it is: neither a schema nor a stage."""
    lone = bundles.node("normalizer", {"p_norm": 1.0}, ["v"], ["n"])
    with pytest.raises(BundleError, match="a vector of unknown size") as caught:
        Model(bundles.pipeline(lone))
    assert caught.value.where["field"] == "v"
    assert Model(bundles.pipeline(lone, types={"v": vector(2)})).row({"v": [1.0, 3.0]}) is not None


def test_warm_builds_what_tables_need() -> None:
    content = ((0, 0.5), 1.0, ((1, 1.5), 2.0, 3.0))
    made = Model(bundles.pipeline(bundles.tree(content, 2), types={"features": vector(2)}))
    (stage,) = made.stages
    assert stage.forest._parts is None  # type: ignore[attr-defined]
    made.warm()
    assert len(stage.forest._parts) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("policy", ["error", "keep", "skip"])
@pytest.mark.parametrize("sizes", [(3, 21), (1, 40), (2, 0)])
@pytest.mark.parametrize("vectors", ["dense", "sparse"])
def test_assembled_one_hot_vectors(
    monkeypatch: pytest.MonkeyPatch, policy: str, sizes: tuple[int, int], vectors: str
) -> None:
    """Codes until they are written: over tiles and blocks, nulls among them, and read by a stage that wants numbers."""
    monkeypatch.setattr("nacre.plan.model.BLOCK", 50)
    monkeypatch.setattr("nacre.plan.frame.HOT_TILE", 7)
    encoder = bundles.node(
        "one_hot_encoder",
        {"category_sizes": list(sizes), "handle_invalid": "keep"},
        ["a", "b"],
        ["av", "bv"],
        "encoder",
    )
    shapes = [Shape("tensor", dims=(sizes[0],)), Shape(), Shape("tensor", dims=(sizes[1],)), Shape("tensor", dims=(2,))]
    assembler = bundles.node(
        "vector_assembler", {"input_shapes": shapes, "nacre.handle_invalid": policy}, ["av", "x", "bv", "extra"],
        ["features"], "assembler",
    )  # fmt: skip
    normalizer = bundles.node("normalizer", {"p_norm": 2.0}, ["features"], ["unit"], "normalizer")
    types = {"a": Type("double"), "b": Type("double"), "x": Type("double"), "extra": vector(2)}
    made = Model(bundles.pipeline(encoder, assembler, normalizer, types=types))
    numbers = [0.5, -0.0, math.inf, -1.5, 0.0]
    rows: list[dict[str, Any]] = [
        {"a": float(n % 3), "b": float(n % 50), "x": numbers[n % 5], "extra": (-0.0, float(n % 2))} for n in range(120)
    ]
    bundles.assert_plans_agree(made, rows)
    table = made.transform(bundles.table(made, rows), columns=["features"], vectors=vectors)
    wanted = bundles.by_columns(made, rows, vectors)
    assert bits(table["features"].to_pylist()) == bits([(each.values or {})["features"] for each in wanted])
    scored = made.score(bundles.table(made, rows), "features").values
    assert bits([tuple(row) for row in scored.tolist()]) == bits([made.row(row)["features"] for row in rows])  # type: ignore[index]
    odd = [{**rows[0], **each} for each in ({"x": None}, {"x": math.nan}, {"a": None}, {"extra": None}, {"b": -1.0})]
    for start in range(len(odd) + 1):
        bundles.assert_plans_agree(made, rows[:9] + odd[start : start + 1] + rows[9:12])
