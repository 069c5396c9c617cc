"""Spark itself is the oracle: what it makes of every row, and what both plans make of the saved bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import nacre
from nacre.bundle import read
from nacre.plan import forest, ways
from nacre.spark.save import save
from nacre.stages import REGISTRY
from tests import bundles
from tests.bundles import Outcome, bits
from tests.parity.cases import Case, cases
from tests.parity.frames import NUMBER, Transformed, frame_of, rows_of, spark_failures

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from nacre.plan.model import Model

CASES = cases()
SPARK = "org.apache.spark.ml."
NAMES = [(op, case.name) for op, of_op in CASES.items() for case in of_op]


@dataclass
class Prepared:
    """A case, fitted and saved, with what Spark made of its rows."""

    case: Case
    path: Path
    model: Model
    rows: list[dict[str, Any]]
    types: list[tuple[str, str]]
    spark: list[dict[str, Any] | str | None]
    """A scored row, None for a dropped one, "failed" for one that Spark refuses."""


@dataclass
class Parity:
    """Fits and saves each case once, and scores it once."""

    spark: SparkSession
    folder: Path
    known: dict[tuple[str, str], Prepared] = field(default_factory=dict)
    models: dict[tuple[str, str], tuple[Any, Path]] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)

    def prepared(self, op: str, name: str) -> Prepared:
        if (op, name) not in self.known:
            self.known[op, name] = self._prepare(next(case for case in CASES[op] if case.name == name), op)
        return self.known[op, name]

    def saved(self, case: Case, op: str) -> Path:
        """The bundle of a case, whether or not another test has scored it."""
        return self._fitted(case, op)[1]

    def _fitted(self, case: Case, op: str) -> tuple[Any, Path]:
        if (op, case.name) not in self.models:
            fitted, path = case.model(self.spark), self.folder / f"{op}-{case.name}.zip"
            save(fitted, path, frame_of(self.spark, case.score), proof=0)
            self.models[op, case.name] = fitted, path
        return self.models[op, case.name]

    def _prepare(self, case: Case, op: str) -> Prepared:
        fitted, path = self._fitted(case, op)
        model, rows = nacre.load(path), rows_of(case.score)
        transformed = Transformed(fitted.transform(frame_of(self.spark, case.score)))
        found = together(transformed, rows) if case.whole else outcomes(transformed, model, rows)
        return Prepared(case, path, model, rows, transformed.types(), found)


def together(transformed: Transformed, rows: list[dict[str, Any]]) -> list[Any]:
    """What Spark makes of all rows at once."""
    found = {row[NUMBER]: row.asDict() for row in transformed.frame.collect()}
    return [found.get(n) for n in range(len(rows))]


def outcomes(transformed: Transformed, model: Model, rows: list[dict[str, Any]]) -> list[Any]:
    """What Spark makes of each row. Rows that Nacre refuses are asked for one by one, the others together."""
    suspected = {n for n, each in enumerate(bundles.by_rows(model, rows)) if each.kind == "failed"}
    found: list[Any] = ["failed" if n in suspected and transformed.fails(n) else None for n in range(len(rows))]
    asked = [n for n in range(len(rows)) if found[n] is None]
    for n, scored in scored_rows(transformed, asked, rows):
        found[n] = scored
    return found


def scored_rows(transformed: Transformed, asked: list[int], rows: list[dict[str, Any]]) -> Iterator[tuple[int, Any]]:
    """(number of the input row, its columns or "failed"): one job if all goes well, halves of it if not."""
    try:
        found = transformed.run(asked)
    except spark_failures():
        if len(asked) == 1:
            yield asked[0], "failed"
            return
        for half in (asked[: len(asked) // 2], asked[len(asked) // 2 :]):
            yield from scored_rows(transformed, half, rows)
        return
    for row in found:
        yield row[NUMBER], row.asDict()


@pytest.fixture(scope="module")
def parity(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parity]:
    spark.sparkContext.setLogLevel("OFF")  # every refused row is an error that Spark would log
    made = Parity(spark, tmp_path_factory.mktemp("parity"))
    yield made
    print("\nlargest difference from Spark:", {op: far for op, far in made.worst.items() if far})  # shown by pytest -s
    spark.sparkContext.setLogLevel("ERROR")


def from_spark(value: Any) -> Any:
    """A value of Spark's row: vectors as tuples."""
    if isinstance(value, list):
        return [from_spark(each) for each in value]
    return tuple(value.toArray().tolist()) if hasattr(value, "toArray") else value


@pytest.mark.parametrize(("op", "name"), NAMES)
def test_same_as_spark(parity: Parity, op: str, name: str) -> None:
    ready = parity.prepared(op, name)
    for row, ours, theirs in zip(ready.rows, both_plans(ready), ready.spark, strict=True):
        kind = "failed" if theirs == "failed" else "dropped" if theirs is None else "scored"
        assert ours.kind == kind, f"{row}\nSpark: {theirs}\nours:  {ours}"
        for column, value in (ours.values or {}).items():
            spark = from_spark(theirs[column])
            compare(ready.model, column, value, spark, row)
            if spark is not None:
                parity.worst[op] = max(parity.worst.get(op, 0.0), bundles.distance(value, spark))


def both_plans(ready: Prepared) -> list[Outcome]:
    return bundles.assert_plans_agree(ready.model, ready.rows)


def compare(model: Model, column: str, ours: Any, theirs: Any, row: dict[str, Any]) -> None:
    told = bundles.differ(model, column, ours, theirs, row)
    assert told is None, f"{column} of {row}\nSpark: {theirs!r}\nours:  {ours!r}\n{told}"


@pytest.mark.parametrize(("op", "name"), NAMES)
def test_same_table_as_spark(parity: Parity, op: str, name: str) -> None:
    """Columns, their order, their types, and which vectors are sparse with which entries."""
    ready = parity.prepared(op, name)
    good = [n for n, each in enumerate(ready.spark) if each != "failed"]
    raw = [(column, bundles.typed(word)) for column, word in ready.types if column in ready.rows[0]]
    raw += [each for each in ready.model.inputs.items() if each[0] not in dict(ready.types)]  # taken off on the way
    given = pa.table({column: bundles.array([ready.rows[n][column] for n in good], kind) for column, kind in raw})
    found = ready.model.transform(given, vectors="sparse")
    assert [(field.name, bundles.word(field.type)) for field in found.schema] == ready.types
    kept = [each for each in ready.spark if isinstance(each, dict)]
    assert found.num_rows == len(kept)
    for column in ready.model.outputs:
        if any(bundles.slack(ready.model, column, ready.rows[each[NUMBER]]) for each in kept):
            continue
        theirs = [bundles.udt(each[column]) if hasattr(each[column], "toArray") else each[column] for each in kept]
        assert list(map(stored, found.column(column).to_pylist())) == list(map(stored, theirs)), column


def stored(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: bits(each) for key, each in value.items()}
    if isinstance(value, list):
        return [stored(bundles.udt(each) if hasattr(each, "toArray") else each) for each in value]
    return bits(value)


@pytest.mark.parametrize("name", [case.name for case in CASES["decision_tree_regression"]])
def test_trees_past_the_budget(parity: Parity, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too big to become source or bit slices, a tree is walked as flat arrays, with the same result."""
    ready = parity.prepared("decision_tree_regression", name)
    monkeypatch.setattr(forest, "NODES", 0)
    monkeypatch.setattr(ways, "DEEPEST", -1)
    walked = bundles.assert_plans_agree(nacre.load(ready.path), ready.rows)
    monkeypatch.undo()
    nested = bundles.assert_plans_agree(nacre.load(ready.path), ready.rows)
    assert all(bundles.same(*pair) for pair in zip(walked, nested, strict=True))


def test_the_deep_tree_is_deep(parity: Parity) -> None:
    stage = parity.prepared("decision_tree_regression", "deep").model.stages[-1]
    assert stage.forest.depth == 12  # type: ignore[attr-defined]
    categorical = parity.prepared("decision_tree_regression", "unseen-categories").model.stages[-1]
    sides = {left for plan in categorical.forest.plans for _, left in plan.left_sets.values()}  # type: ignore[attr-defined]
    assert sides == {True, False}, "splits that store either side are met"


def test_every_op_has_a_case() -> None:
    """Every op that stands for a class of Spark's; what only MLeap has is compared to its JVM."""
    of_spark = {op for op, stage in REGISTRY.items() if any(map(is_sparks, stage.spark_classes))}
    assert of_spark <= set(CASES) <= set(REGISTRY)


def is_sparks(name: str) -> bool:
    """Whether a class comes with Spark, not with MLeap's extension of it."""
    return name.startswith(SPARK) and ".mleap." not in name


@pytest.mark.parametrize("op", CASES)
def test_every_choice_is_met(parity: Parity, op: str) -> None:
    """The op stands in each bundle of its cases, and each word of its choices in one of them."""
    saved = [read(parity.saved(case, op)) for case in CASES[op]]
    nodes = [[node for node in bundle.root.walk() if node.op == op] for bundle in saved]
    assert all(nodes), "a case without its op"
    met = {
        (name, value.data)
        for node in (node for found in nodes for node in found)
        for name, value in node.attributes.items()
        if value.form == "scalar"
    }
    wanted = {(attr.name, word) for attr in REGISTRY[op].attributes if not attr.foreign for word in attr.choices}
    assert wanted <= met, f"no parity case meets {sorted(wanted - met)}"
