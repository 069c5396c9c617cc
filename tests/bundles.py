"""Little bundles for tests, made from Python values by the stages' own tables, and rows scored by both plans."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from nacre.bundle import Bundle, Node, new_bundle, trees, write
from nacre.errors import RowError
from nacre.plan.arrow import VECTOR_UDT, column_out
from nacre.plan.sparkschema import to_spark_json
from nacre.plan.types import BASES, Type
from nacre.stages import REGISTRY

if TYPE_CHECKING:
    from nacre.plan.model import Model
    from nacre.stages.base import Port

Row = Mapping[str, Any]


# Bundles


def node(
    op: str, values: Mapping[str, Any], inputs: Sequence[str], outputs: Sequence[str], name: str | None = None
) -> Node:
    """A node of `op` by its attribute table; columns go to its ports in order."""
    cls = REGISTRY[op]
    return cls.make(
        name or f"{op}_{'_'.join(outputs)}", values, _ports(cls.inputs, inputs), _ports(cls.outputs, outputs)
    )


def _ports(declared: Sequence[Port], columns: Sequence[str]) -> list[tuple[str, str]]:
    port = declared[0]
    if port.many and (len(columns) > 1 or port.type is None):
        return [(f"{port.name}{n}", column) for n, column in enumerate(columns)]
    return [(each.name, column) for each, column in zip(declared, columns, strict=True)]


Splits = tuple[Any, Any, Any] | dict[str, tuple[float, ...]] | float
"""A tree: a leaf's value, {"leaf": its values}, or (split, left, right). A split is (feature, threshold), or (feature, stored, is_left, count)."""


def tree_of(tree: Splits) -> trees.Tree:
    flat = trees.Tree()

    def add(each: Splits) -> None:
        if not isinstance(each, tuple):
            flat.add_leaf(each["leaf"] if isinstance(each, dict) else (each,))
            return
        split, left, right = each
        if len(split) == 2:
            flat.add_split(*split)
        else:
            flat.add_categorical(*split)
        add(left)
        add(right)

    add(tree)
    return trees.link(flat)


def tree(content: Splits, features: int, column: str = "features", output: str = "prediction") -> Node:
    made = node("decision_tree_regression", {"num_features": features}, [column], [output])
    made.tree = tree_of(content)
    return made


def ensemble(
    op: str, contents: Sequence[Splits], weights: Sequence[float], features: int, column: str = "features"
) -> Node:
    names = [f"tree{n}" for n in range(len(contents))]
    values = {"num_features": features, "tree_weights": weights, "trees": names}
    made = node(op, values, [column], ["prediction"])
    for name, content in zip(names, contents, strict=True):
        made.members.append(member("decision_tree_regression", {"num_features": features}, name, content))
    return made


def member(op: str, values: Mapping[str, Any], name: str, content: Splits) -> Node:
    """A tree of an ensemble."""
    made = REGISTRY[op].make(name, values, [], [])
    made.tree = tree_of(content)
    return made


def pipeline(*children: Node, name: str = "pipe", types: Mapping[str, Type] | None = None) -> Bundle:
    """A bundle of one pipeline; `types` are the raw columns it declares, as the exporter writes them."""
    values: dict[str, Any] = {"nodes": [child.name for child in children]}
    if types is not None:
        values["nacre.input_schema"] = json.dumps(to_spark_json(types))
    root = REGISTRY["pipeline"].make(name, values, [], [])
    root.children = list(children)
    return new_bundle(root)


def nested(*children: Node, name: str) -> Node:
    return pipeline(*children, name=name).root


def unpacked(bundle: Bundle, folder: Path) -> Path:
    """The bundle as a folder, to be spoilt."""
    return write(bundle, folder)


def edit(file: Path, change: Callable[[Any], Any]) -> None:
    """Change a JSON file in place; `change` alters what it gets, or returns something else."""
    content = json.loads(file.read_text())
    changed = change(content)
    file.write_text(json.dumps(content if changed is None else changed))


# Rows through both plans


class Outcome(NamedTuple):
    """What became of a row: its columns if it was scored, None if dropped, the error if failed."""

    kind: str
    values: dict[str, Any] | None = None
    error: RowError | None = None


def bits(value: Any) -> Any:
    """A value that compares equal only to the same type and the same bits; every NaN is one NaN."""
    if isinstance(value, (tuple, list)):
        return tuple(map(bits, value))
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else struct.pack(">d", value)
    return type(value), value


def by_rows(model: Model, rows: Sequence[Row]) -> list[Outcome]:
    """Each row by the row plan."""
    return [_by_row(model, row) for row in rows]


def _by_row(model: Model, row: Row) -> Outcome:
    try:
        scored = model.row(row)
    except RowError as error:
        return Outcome("failed", None, error)
    if scored is None:
        return Outcome("dropped")
    return Outcome("scored", {name: scored[name] for name in model.outputs})


def by_columns(model: Model, rows: Sequence[Row], vectors: str = "dense") -> list[Outcome]:
    """All rows at once by the columns plan."""
    outcome = model._run(table(model, rows), list(model.outputs))
    errors = {error.where["row"]: error for error in outcome.errors()}
    columns = {
        name: column_out(outcome.columns[name], given, vectors).to_pylist() for name, given in model.outputs.items()
    }

    def one(n: int) -> Outcome:
        if n + 1 in errors:
            return Outcome("failed", None, errors[n + 1])
        if outcome.dropped[n]:
            return Outcome("dropped")
        return Outcome("scored", {name: values[n] for name, values in columns.items()})

    return [one(n) for n in range(len(rows))]


def table(model: Model, rows: Sequence[Row]) -> pa.Table:
    """Rows as the table that the model wants."""
    return pa.table({name: array([row[name] for row in rows], given) for name, given in model.inputs.items()})


def array(values: Sequence[Any], given: Type) -> pa.Array:
    """Python values as an Arrow column of a type, vectors (tuples, or pyspark's own) as Spark's VectorUDT."""
    if given.shape == "vector":
        return pa.array(list(map(udt, values)), VECTOR_UDT)
    if given.shape == "map":
        return pa.array([None if x is None else list(x.items()) for x in values], given.arrow())
    if given.shape == "scalar" and given.base == "float":
        return pa.array([None if x is None else np.float32(x) for x in values], pa.float32())
    return pa.array(values, given.arrow())


def udt(vector: Any) -> dict[str, Any] | None:
    """A vector as the struct that Spark stores for it."""
    if vector is None:
        return None
    if hasattr(vector, "indices"):
        values = {"indices": vector.indices.tolist(), "values": vector.values.tolist()}
        return {"type": 0, "size": int(vector.size), **values}
    return {"type": 1, "size": None, "indices": None, "values": [float(x) for x in vector]}


def same(one: Outcome, other: Outcome) -> bool:
    """Whether both plans made the same of a row, bit for bit; of a failed one the same error but for its row."""
    if one.kind != other.kind:
        return False
    if one.error is not None and other.error is not None:
        return told(one.error) == told(other.error)
    return one.values is None or (
        list(one.values) == list(other.values or {})
        and all(bits(one.values[name]) == bits((other.values or {})[name]) for name in one.values)
    )


def slack(model: Model, column: str, row: Row) -> float:
    """How far this column may be from the oracle's, as its stage says."""
    stage = next(stage for stage in model.stages if column in stage.output_names)
    port = stage.output_ports[stage.output_names.index(column)]
    values = model.row(row, columns=stage.input_names)
    assert values is not None
    given = [values[name] for name in stage.input_names]
    return stage.slack(port, [tuple(each.toArray().tolist()) if hasattr(each, "toArray") else each for each in given])


def differ(model: Model, column: str, ours: Any, theirs: Any, row: Row) -> str | None:
    """What is wrong with our value beside an oracle's: nothing where the bits are equal, or near enough."""
    if bits(ours) == bits(theirs):
        return None
    bound = slack(model, column, row)
    if bound > 0.0 and None not in (ours, theirs) and (bound == math.inf or distance(ours, theirs) <= bound):
        return None
    return f"bound: {bound}"


def distance(ours: Any, theirs: Any) -> float:
    """The largest difference of two values that are not of the same bits, number by number; NaN where one is no number."""
    pairs = [(a, b) for a, b in zip(flat(ours), flat(theirs), strict=True) if bits(a) != bits(b)]
    return max((abs(a - b) for a, b in pairs), key=lambda far: (far != far, far), default=0.0)


def flat(value: Any) -> list[Any]:
    """The numbers of a vector or of a list of vectors, or the one scalar."""
    return [each for item in value for each in flat(item)] if isinstance(value, (list, tuple)) else [value]


def told(error: RowError) -> tuple[Any, ...]:
    where = {key: value for key, value in error.where.items() if key != "row"}
    return error.message, error.expected, bits(error.got), error.fix, where


def assert_plans_agree(model: Model, rows: Sequence[Row]) -> list[Outcome]:
    """Both plans make the same of every row; gives what they make."""
    columns, single = by_columns(model, rows), by_rows(model, rows)
    for row, one, other in zip(rows, columns, single, strict=True):
        assert same(one, other), f"{row}\ncolumns: {one}\nrow:     {other}"
    return columns


def typed(word: str) -> Type:
    """The type that `word` names, as Spark spells it: `double`, `vector`, `array<string>`, `map<string,double>`."""
    if word == "vector":
        return Type("double", "vector")
    shape, _, item = word.removesuffix(">").partition("<")
    return Type(item.removeprefix("string,"), {"array": "list", "map": "map"}[shape]) if item else Type(word)


def word(kind: pa.DataType) -> str:
    """The name of an Arrow type."""
    if kind == VECTOR_UDT:
        return "vector"
    if pa.types.is_map(kind):
        return f"map<string,{word(kind.item_type)}>"
    if pa.types.is_list(kind):
        return f"array<{word(kind.value_type)}>"
    return next(base for base in BASES if Type(base).arrow() == kind)
