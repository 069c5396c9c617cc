"""SQLTransformer and RFormula: columns computed by a text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nacre.errors import UnsupportedError
from nacre.plan.types import DOUBLE
from nacre.spark.expand import expands
from nacre.spark.saved import Saved
from nacre.stages import mlattrs
from nacre.stages.sql import Sql
from nacre.stages.sqlparser import Parser
from nacre.stages.sqltypes import Expr, SqlError, columns_of, infer

if TYPE_CHECKING:
    from nacre.bundle.node import Node


def sql_node(name: str, items: list[tuple[Expr, str]], where: Expr | None = None) -> Node:
    """A node of nacre.sql that makes the named expressions."""
    parts = [expr for expr, _ in items] + ([] if where is None else [where])
    names = list(dict.fromkeys(column for expr in parts for column in columns_of(expr)))
    values = {
        "expressions": [json.dumps(expr) for expr, _ in items],
        "where": None if where is None else json.dumps(where),
        "names": names,
    }
    inputs = [(f"input{n}", column) for n, column in enumerate(names)]
    return Sql.make(name, values, inputs, [(f"output{n}", output) for n, (_, output) in enumerate(items)])


@expands("org.apache.spark.ml.feature.SQLTransformer")
def sql_transformer(saved: Saved) -> list[Node]:
    """nacre.sql, for SELECT … FROM __THIS__ of plain expressions."""
    statement = str(saved.param("statement"))
    try:
        parsed = Parser(statement, list(saved.types)).select()
        made = [item for item in parsed.items if item is not None and item[0] != ["col", item[1]]]
        star = None in parsed.items
        for expr, _ in [*made, *([] if parsed.where is None else [(parsed.where, "WHERE")])]:
            bases = {name: saved.types[name] for name in columns_of(expr)}
            vectors = [name for name, given in bases.items() if given.shape != "scalar"]
            if vectors:
                raise SqlError(f"{vectors[0]}: expressions of vectors and lists are not offered")
            infer(expr, {name: given.base for name, given in bases.items()})
    except SqlError as error:
        raise UnsupportedError(
            "an SQL statement that is not offered", expected="SELECT … FROM __THIS__ of plain expressions",
            got=str(error), node=saved.uid, field="statement", fix="Compute the column before the pipeline",
        ) from error  # fmt: skip
    if not star:
        kept = {item[1] for item in parsed.items if item is not None}
        saved.hide([name for name in saved.types if name not in kept])
    return [sql_node(saved.uid, made, parsed.where)] if made or parsed.where is not None else []


@expands("org.apache.spark.ml.feature.RFormulaModel")
def r_formula(saved: Saved) -> list[Node]:
    """The stages of its pipeline, and nacre.sql for a label that is a number; no label where the schema has none."""
    inner = saved.child("pipelineModel")
    label, output = saved.data("label"), saved.param("labelCol")
    there = label in saved.types
    uids = inner.metadata["paramMap"]["stageUids"]
    width = len(str(len(uids)))
    nodes: list[Node] = []
    assert saved.expand is not None, "set by the exporter"
    for n, uid in enumerate(uids):
        folder = inner.path / "stages" / f"{n:0{width}d}_{uid}"
        stage = Saved(folder)
        if stage.param("outputCol", None) == output and not there:
            continue  # Spark leaves the label out, too, where a frame has none
        nodes += saved.expand(folder)
    indexed = any(output == column for node in nodes for _, column in node.outputs)
    if there and label != output and not indexed:
        made = (["cast", "double", ["col", label]], output)
        if saved.type_of(label, DOUBLE).numeric:
            nodes.append(sql_node(f"{saved.uid}_label", [made]))
    return nodes


@expands("org.apache.spark.ml.feature.ColumnPruner")
def column_pruner(saved: Saved) -> list[Node]:
    """The columns that RFormula makes on its way are computed and not shown."""
    saved.hide(saved.data("columnsToPrune"))
    return []


@expands("org.apache.spark.ml.feature.VectorAttributeRewriter")
def vector_attribute_rewriter(saved: Saved) -> list[Node]:
    """Names of a vector's entries, which need no node."""
    column, prefixes = saved.data("vectorCol"), dict(saved.data("prefixesToRewrite"))
    known = mlattrs.entries(saved.attrs.get(column))
    if known is not None:
        saved.attrs[column] = mlattrs.entries_json([_renamed(entry, prefixes) for entry in known])
    return []


def _renamed(entry: mlattrs.Entry, prefixes: dict[str, Any]) -> mlattrs.Entry:
    """Spark puts the new text in the place of every occurrence of an old prefix."""
    name = entry.name
    for old, new in prefixes.items():
        name = None if name is None else name.replace(old, new)
    return entry if name is None else entry.named(name)
