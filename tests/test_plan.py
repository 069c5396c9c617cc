"""The two plans are one: whatever the bundle and whatever the rows, columns and rows come to the same bits.

No Spark here: hypothesis draws bundles of every op and every choice of words, and rows with everything nasty in them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.ml.linalg import SparseVector

from nacre.bundle import Node
from nacre.bundle.values import Shape, Tensor
from nacre.errors import RowError
from nacre.formats.javatext import float32
from nacre.plan.model import MODES, Model
from nacre.plan.rowcode import Dropped
from nacre.plan.types import DOUBLE, INTEGERS, STRING, Type, vector
from nacre.stages import REGISTRY
from tests import bundles
from tests.bundles import bits

Draw = Callable[..., Any]
Drawn = tuple[list[Node], dict[str, Type]]
"""Nodes in order, and the types of the raw columns they read."""

NASTY = [0.0, -0.0, 1.0, 2.0, -1.0, 0.5, 2.5, math.nan, math.inf, -math.inf, 5e-324, 1e308, 0.1, 2.0**53, 1e-5]
LABELS = ["a", "b", "", "é😀", "0.0", "-0.0", "0", "1", "2.5", "NaN", "1.0E-5", "Infinity", 'q"\\\n']
RANGES = {"byte": 7, "short": 15, "int": 31, "long": 63}
NUMBERS = ("double", "float", "boolean", *INTEGERS)

doubles = st.one_of(st.sampled_from(NASTY), st.floats())
singles = st.one_of(st.sampled_from(NASTY).map(float32), st.floats(width=32))
finite = st.floats(-1e9, 1e9).map(lambda x: x + 0.0)
texts = st.one_of(st.sampled_from(LABELS), st.text(st.characters(codec="utf-8"), max_size=4))


def integers(base: str) -> st.SearchStrategy[int]:
    top = 1 << RANGES[base]
    return st.one_of(st.integers(-3, 5), st.sampled_from([top - 1, -top]), st.integers(-top, top - 1))


def values(given: Type) -> st.SearchStrategy[Any]:
    """Values of a column: null among them."""
    if given.shape == "vector":
        assert given.size is not None
        return st.none() | st.lists(doubles, min_size=given.size, max_size=given.size).map(tuple) | sparse(given.size)
    plain = {"string": texts, "double": doubles, "float": singles, "boolean": st.booleans()}
    return st.none() | (integers(given.base) if given.base in INTEGERS else plain[given.base])


@st.composite
def sparse(draw: Draw, size: int) -> SparseVector:
    stored = sorted(draw(st.sets(st.integers(0, size - 1)))) if size else []
    return SparseVector(size, stored, [draw(doubles) for _ in stored])


def number_types() -> st.SearchStrategy[Type]:
    return st.sampled_from(NUMBERS).map(Type)


# Nodes, an op each. `words` are the choices to make, None for an attribute that is left out.


@st.composite
def string_indexer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    count = draw(st.integers(1, 2))
    kinds = {
        f"x{n}": draw(st.sampled_from([*NUMBERS, "string"]).filter(lambda b: b != "boolean").map(Type))
        for n in range(count)
    }
    labels = {n: draw(st.lists(texts, max_size=8)) for n in range(count)}
    held = {"labels_length": count, "labels_array_{n}": labels, **words}
    return [bundles.node("string_indexer", held, list(kinds), [f"i{n}" for n in range(count)])], kinds


@st.composite
def one_hot_encoder(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    count = draw(st.integers(1, 2))
    kinds = {f"x{n}": draw(number_types()) for n in range(count)}
    sizes = [draw(st.sampled_from([0, 1, 2, 3, 17, 300] if wild else [1, 2, 3, 17])) for _ in range(count)]
    held = {"category_sizes": sizes, "drop_last": draw(st.booleans()), **words}
    return [bundles.node("one_hot_encoder", held, list(kinds), [f"v{n}" for n in range(count)])], kinds


@st.composite
def vector_assembler(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    kind = st.one_of(number_types(), st.integers(0 if wild else 1, 3).map(vector))
    kinds = {f"x{n}": draw(kind) for n in range(draw(st.integers(1, 5)))}
    columns = [*kinds, *(draw(st.lists(st.sampled_from(list(kinds)), max_size=2)) if wild else [])]
    held = {"input_shapes": [shape(kinds[column]) for column in columns], **words}
    return [bundles.node("vector_assembler", held, columns, ["out"])], kinds


def shape(given: Type) -> Shape:
    return Shape("scalar") if given.shape == "scalar" else Shape("tensor", dims=(given.size or 0,))


def tensors(size: int, each: st.SearchStrategy[float]) -> st.SearchStrategy[Tensor]:
    return st.lists(each, min_size=size, max_size=size).map(lambda numbers: Tensor(numbers, (size,)))


@st.composite
def standard_scaler(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 4))
    known = draw(st.sampled_from([("mean",), ("std",), ("mean", "std")]))
    each = {"mean": doubles if wild else finite, "std": st.one_of(st.just(0.0), st.floats(0, 1e9))}
    held = {name: draw(tensors(size, each[name])) for name in known}
    return [bundles.node("standard_scaler", held, ["v"], ["out"])], {"v": vector(size)}


@st.composite
def min_max_scaler(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 4))
    held = {name: draw(tensors(size, st.one_of(st.just(1.0), finite))) for name in ("min", "max")}
    held |= {name: draw(finite) for name in ("minValue", "maxValue")}
    return [bundles.node("min_max_scaler", held, ["v"], ["out"])], {"v": vector(size)}


@st.composite
def imputer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    base = draw(st.sampled_from([None, "double", "float", *INTEGERS]))
    number = doubles if wild else finite
    held = {
        "surrogate_value": draw(number),
        "missing_value": draw(st.just(math.nan) | number),
        "strategy": "mean",
        "nacre.input_type": base,
    }
    kind = draw(number_types()) if base is None else Type(base)
    column = draw(st.sampled_from(["x", "filled"])) if wild else "filled"
    return [bundles.node("imputer", held, ["x"], [column])], {"x": kind}


@st.composite
def bucketizer(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    inner = draw(st.sets(st.one_of(finite, st.sampled_from([0.0, 1.0, 2.0, 2.0**53])), min_size=2, max_size=5))
    splits = sorted(draw(st.sampled_from([0.0, -0.0])) if x == 0.0 else x for x in inner)
    splits = [*([-math.inf] if draw(st.booleans()) else []), *splits, *([math.inf] if draw(st.booleans()) else [])]
    return [bundles.node("bucketizer", {"splits": splits, **words}, ["x"], ["out"])], {"x": draw(number_types())}


FEATURES = 3
features = st.integers(0, FEATURES - 1)


@st.composite
def categorical(draw: Draw) -> tuple[Any, ...]:
    count = draw(st.integers(2, 6))
    stored = draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=count - 1))
    return draw(features), tuple(map(float, sorted(stored))), draw(st.booleans()), count


def grown(wild: bool) -> st.SearchStrategy[Any]:
    thresholds = doubles.filter(lambda x: x == x) if wild else finite
    splits = st.one_of(st.tuples(features, thresholds), categorical())
    return st.recursive(finite, lambda below: st.tuples(splits, below, below), max_leaves=12)


@st.composite
def decision_tree_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    return [bundles.tree(draw(grown(wild)), FEATURES)], {"features": vector(FEATURES)}


@st.composite
def random_forest_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    contents = draw(st.lists(grown(wild), min_size=1, max_size=4))
    weights = [1.0] * len(contents)
    return [bundles.ensemble("random_forest_regression", contents, weights, FEATURES)], {"features": vector(FEATURES)}


@st.composite
def gbt_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    contents = draw(st.lists(grown(wild), min_size=1, max_size=4))
    weights = [draw(finite) for _ in contents]
    return [bundles.ensemble("gbt_regression", contents, weights, FEATURES)], {"features": vector(FEATURES)}


@st.composite
def pipeline(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    """A chain through every kind of column, its stages in nested pipelines: nulls made on the way, a column replaced in
    place between two that read it, numbers indexed as texts."""
    policies = st.sampled_from(["error", "skip", "keep"])

    def policy(name: str) -> dict[str, str]:
        return {name: draw(policies)}

    base = draw(st.sampled_from(["double", "float", *INTEGERS]))
    filled = "x" if wild else "filled"
    keep = draw(st.sampled_from(["error", "keep"]))
    first = [
        bundles.node("bucketizer", {"splits": [-math.inf, 0.0, 1.0, math.inf], **policy("handle_invalid")}, ["x"], ["b"]),
        bundles.node("one_hot_encoder", {"category_sizes": [3, 4], "drop_last": True, "handle_invalid": keep}, ["b", "x"], ["bv", "xv"]),
        bundles.node("vector_assembler", {"input_shapes": [Shape(), Shape()], **policy("nacre.handle_invalid")}, ["b", "x"], ["early"], "early"),
    ]  # fmt: skip
    labels = {"labels_length": 1, "labels_array_{n}": {0: LABELS}, **policy("handle_invalid")}
    second = [
        bundles.node(
            "imputer",
            {"surrogate_value": draw(doubles if wild else finite), "strategy": "mean", "nacre.input_type": base},
            ["x"],
            [filled],
        ),
        bundles.node("string_indexer", labels, [filled], ["i"]),
        bundles.node(
            "one_hot_encoder",
            {"category_sizes": [2], "drop_last": False, "handle_invalid": "keep"},
            ["i"],
            ["iv"],
            "third",
        ),
    ]
    encoded = {"bv": vector(2 + (keep == "keep")), "xv": vector(3 + (keep == "keep")), "iv": vector(3)}
    parts = {"early": vector(2), **encoded, "b": DOUBLE, filled: DOUBLE, "s": DOUBLE}
    shapes = [Shape("tensor") if wild and given.shape == "vector" else shape(given) for given in parts.values()]
    texts = {"labels_length": 1, "labels_array_{n}": {0: LABELS[:3]}, **policy("handle_invalid")}
    last = [
        bundles.node("string_indexer", texts, ["text"], ["s"], "texts"),
        bundles.node("vector_assembler", {"input_shapes": shapes, **policy("nacre.handle_invalid")}, list(parts), ["all"], "last"),
    ]  # fmt: skip
    nodes = [
        bundles.nested(*first, name="first"),
        bundles.nested(bundles.nested(*second, name="inner"), name="outer"),
        *last,
    ]
    return nodes, {"x": Type(base), "text": STRING}


STRATEGIES: dict[str, Callable[..., st.SearchStrategy[Drawn]]] = {
    strategy.__name__: strategy
    for strategy in (
        string_indexer, one_hot_encoder, vector_assembler, standard_scaler, min_max_scaler, imputer, bucketizer,
        decision_tree_regression, random_forest_regression, gbt_regression, pipeline,
    )
}  # fmt: skip


def test_every_op_is_drawn() -> None:
    assert set(STRATEGIES) == set(REGISTRY)


def combinations() -> Iterator[Any]:
    """(op, mode, words) for every mode and every word of every choice, and its absence."""
    for op, mode in itertools.product(sorted(STRATEGIES), MODES):
        chosen = [attr for attr in REGISTRY[op].attributes if attr.choices]
        for words in itertools.product(*([*attr.choices, None] for attr in chosen)):
            named = {attr.name: word for attr, word in zip(chosen, words, strict=True) if word is not None}
            yield pytest.param(op, mode, named, id="-".join([op, mode, *(word or "absent" for word in words)]))


@st.composite
def models(draw: Draw, op: str, mode: str, words: dict[str, str]) -> tuple[Model, list[dict[str, Any]]]:
    nodes, kinds = draw(STRATEGIES[op](words))
    row = st.fixed_dictionaries({name: values(given) for name, given in kinds.items()})
    return Model(bundles.pipeline(*nodes, types=kinds), mode), draw(st.lists(row, min_size=1, max_size=10))


settings.register_profile(
    "plans", deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
PLANS = settings.get_profile("plans")


@pytest.mark.parametrize(("op", "mode", "words"), list(combinations()))
@settings(PLANS, max_examples=25)
@given(data=st.data())
def test_plans_agree(op: str, mode: str, words: dict[str, str], data: st.DataObject) -> None:
    model, rows = data.draw(models(op, mode, words))
    bundles.assert_plans_agree(model, rows)


@pytest.mark.parametrize("op", sorted(STRATEGIES))
@settings(PLANS, max_examples=12)
@given(data=st.data())
def test_whole_tables(op: str, data: st.DataObject) -> None:
    """`transform` gives the rows that are scored, raises the first that fails; a positional function agrees."""
    model, rows = data.draw(models(op, "spark", {}))
    table = bundles.table(model, rows)
    outcomes = bundles.by_columns(model, rows)
    failed = next((each.error for each in outcomes if each.error), None)
    if failed is not None:
        with pytest.raises(RowError) as caught:
            model.transform(table)
        assert bundles.told(caught.value)[1:] == bundles.told(failed)[1:]
        assert caught.value.message.startswith(failed.message)
        assert caught.value.where["row"] == failed.where["row"]
    else:
        scored = model.transform(table)
        kept = [each.values for each in outcomes if each.values is not None]
        assert {name: bits(scored.column(name).to_pylist()) for name in model.outputs} == {
            name: bits([each[name] for each in kept]) for name in model.outputs
        }
    last = model.default_output
    assert last is not None
    single = model.compile_row(list(model.inputs), last)
    for row in rows:
        raw = [row[name] for name in model.inputs]
        positional = [tuple(x.toArray().tolist()) if isinstance(x, SparseVector) else x for x in raw]
        assert attempt(lambda given=positional: single(given)) == attempt(lambda row=row: chosen(model, row, last))  # type: ignore[misc]


def chosen(model: Model, row: dict[str, Any], column: str) -> Any:
    found = model.row(row, columns=[column])
    if found is None:
        raise Dropped
    return found[column]


def attempt(action: Callable[[], Any]) -> Any:
    try:
        return bits(action())
    except Dropped:
        return "dropped"
    except RowError as error:
        return bundles.told(error)
