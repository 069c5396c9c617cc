"""A saved Spark model to a bundle, with no JVM: `nacre convert` and `nacre.spark.convert`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.bundle.formats import FORMATS
from nacre.bundle.values import pack
from nacre.bundle.writer import new_bundle, write
from nacre.errors import NacreError, SchemaError
from nacre.plan.model import Model, raw_columns, spark_rules
from nacre.plan.sparkschema import from_spark_json, to_spark_json
from nacre.plan.types import Type
from nacre.spark.expand import expansions
from nacre.spark.official import WRITERS, check_writer, convert_official
from nacre.spark.problems import BROKEN, Problem, UnwritableError, refused, unknown
from nacre.spark.saved import Saved
from nacre.spark.target import TARGETS, check_target, differences, unfit, warn
from nacre.stages import REGISTRY, Context, Stage, by_spark_class
from nacre.stages.pipeline import Pipeline, leaves

if TYPE_CHECKING:
    import os

    from nacre.bundle.node import Bundle, Node

TUNED = tuple(
    f"{package}.{name}"
    for package in ("org.apache.spark.ml.tuning", "pyspark.ml.tuning")
    for name in ("CrossValidatorModel", "TrainValidationSplitModel")
)
"""PySpark writes a model itself, under its own class, when a stage in it is no plain wrapper of a Java one."""


def convert(
    saved: str | os.PathLike[str],
    out: str | os.PathLike[str],
    schema: Any = None,
    overwrite: bool = False,
    format: str = "json",  # noqa: A002 - the word that bundle.json uses
    target: str | None = None,
    writer: str = "nacre",
) -> Path:
    """Write the bundle of a model that Spark saved with ``model.write().save(saved)``.

    Args:
        saved: the saved folder.
        out: ``.zip``, ``.tar.gz``, or a directory.
        schema: types of the columns, raw ones at least: Spark's schema JSON (dict, text, or a file's path), a PySpark
            StructType, or a pyarrow Schema. Without it raw columns of an assembler are taken for doubles.
        overwrite: replace `out` if it exists.
        format: "json" or "protobuf"; MLeap reads both.
        target: "mleap-0.20" refuses what that version of MLeap, the one in AWS's image, cannot load, and prints on
            stderr what it will score otherwise.
        writer: "mleap" loads the model in Spark, where MLeap's jar must be, and lets MLeap's own writer write.

    Raises UnwritableError that lists every stage that cannot be written, all at once.
    """
    check_writer(writer, target)
    if writer == "mleap":
        return convert_official(Path(saved), Path(out), _spark_json(schema), overwrite, format)
    return write(to_bundle(saved, schema, target, format), out, overwrite, format)


def to_bundle(
    saved: str | os.PathLike[str],
    schema: Any = None,
    target: str | None = None,
    format: str = "json",  # noqa: A002 - the word that bundle.json uses
) -> Bundle:
    """The bundle of a saved Spark model, in memory; the arguments are those of `convert`."""
    check_target(target)
    types = read_schema(schema)
    expander = Expander(dict(types), read_attrs(schema) if types else {})
    nodes = expander.nodes(Path(saved))
    problems = expander.problems
    if target is not None:
        problems = [*problems, *unfit(expander.stages, expander.origins, format)]
    if problems:
        raise UnwritableError(problems, str(saved))
    if len(nodes) == 1 and nodes[0].op == Pipeline.op:
        root = nodes[0]
    else:  # no node at all where a stage only names columns anew
        root = _pipeline(f"pipeline_{nodes[0].name if nodes else Saved(Path(saved)).uid}", nodes)
    inputs = raw_columns(expander.stages, types)
    root.attributes["nacre.input_schema"] = pack(json.dumps(to_spark_json(inputs)), "string")
    root.attributes["nacre.spark_version"] = pack(str(Saved(Path(saved)).metadata.get("sparkVersion", "")), "string")
    if expander.hidden:
        root.attributes["nacre.hidden_columns"] = pack(sorted(expander.hidden), "list<string>")
    bundle = new_bundle(root)
    Model(bundle)  # what cannot be loaded is not written
    if target is not None:
        shown = [f"the column {name} is among the outputs" for name in sorted(expander.hidden)]
        warn([*differences(expander.stages), *shown])
    return bundle


class Expander:
    """Walks the saved stages in order and carries the columns' types along."""

    def __init__(self, types: dict[str, Type], attrs: dict[str, Mapping[str, Any]]):
        self.types = types
        self.attrs = attrs
        self.known = by_spark_class()
        self.stages: list[Stage] = []
        self.followed: set[int] = set()
        self.hidden: set[str] = set()
        self.problems: list[Problem] = []
        self.origins: dict[str, tuple[str, str]] = {}
        """Node name -> (uid, class) of the Spark stage it was made of."""
        self.spoilt: set[str] = set()
        """Columns of stages that cannot be written: what is unknown about them is no problem of its own."""

    def nodes(self, path: Path) -> list[Node]:
        saved = Saved(path, self.types, self.attrs, self.nodes, self.hidden)
        if saved.spark_class in Pipeline.spark_classes:
            uids = saved.metadata["paramMap"]["stageUids"]
            width = len(str(len(uids)))
            folders = [path / "stages" / f"{n:0{width}d}_{uid}" for n, uid in enumerate(uids)]
            return [_pipeline(saved.uid, [node for folder in folders for node in self.nodes(folder)])]
        if saved.spark_class in TUNED:
            best = self.nodes(path / "bestModel")
            if len(best) == 1:
                best[0].name = saved.uid
            return best
        return self._stage(saved)

    def _stage(self, saved: Saved) -> list[Node]:
        expand = expansions().get(saved.spark_class) or getattr(self.known.get(saved.spark_class), "from_spark", None)
        if expand is None:
            return self._give_up(saved, unknown(saved))
        context = Context(spark=spark_rules("spark", saved.metadata.get("sparkVersion")))
        try:
            nodes: list[Node] = expand(saved)
            for node in (leaf for each in nodes for leaf in leaves(each)):
                if id(node) not in self.followed:  # those of a nested saved stage have been followed already
                    self.followed.add(id(node))
                    self.origins[node.name] = (saved.uid, saved.spark_class)
                    self._follow(REGISTRY[node.op](node, context))
        except (NacreError, *BROKEN) as error:
            consequence = not self.spoilt.isdisjoint(saved.reads())
            return self._give_up(saved, None if consequence else refused(saved, error))
        return nodes

    def _give_up(self, saved: Saved, problem: Problem | None) -> list[Node]:
        if problem is not None:
            self.problems.append(problem)
        self.spoilt.update(name for name in saved.makes() if name not in self.types)
        return []

    def _follow(self, stage: Stage) -> None:
        self.stages.append(stage)
        inputs = raw_columns([stage], self.types)
        self.types.update({name: given for name, given in inputs.items() if name not in self.types})
        outputs = stage.types([self.types[name] for name in stage.input_names])
        known = stage.ml_attrs([self.attrs.get(name) for name in stage.input_names])
        self.types.update(zip(stage.output_names, outputs, strict=True))
        self.hidden.difference_update(stage.output_names)
        self.attrs.update({name: told for name, told in zip(stage.output_names, known, strict=True) if told})


def _pipeline(name: str, children: list[Node]) -> Node:
    taken: set[str] = set()
    for child in children:  # the same stage may stand in a pipeline twice
        plain, n = child.name, 2
        while child.name in taken:
            child.name, n = f"{plain}_{n}", n + 1
        taken.add(child.name)
    node = Pipeline.make(name, {"nodes": [child.name for child in children]}, [], [])
    node.children = children
    return node


def read_attrs(schema: Any) -> dict[str, Mapping[str, Any]]:
    """Column -> ML attributes, where a Spark schema tells them."""
    content = _spark_json(schema)
    fields = content["fields"] if content else []
    known = {field["name"]: (field.get("metadata") or {}).get("ml_attr") for field in fields}
    return {name: told for name, told in known.items() if isinstance(told, Mapping)}


def _spark_json(schema: Any) -> Mapping[str, Any] | None:
    """Spark's schema JSON from any form that holds it; None for no schema and for Arrow's."""
    if schema is None or isinstance(schema, Mapping):
        return schema
    if hasattr(schema, "jsonValue"):
        return schema.jsonValue()  # type: ignore[no-any-return]
    if hasattr(schema, "field") and hasattr(schema, "names"):
        return None
    text = str(schema)
    try:
        content = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
    except (OSError, ValueError) as error:
        raise SchemaError(
            "unreadable schema", expected="Spark's schema JSON", got=str(error), file=text[:200]
        ) from error
    return content if isinstance(content, dict) else {}


def read_schema(schema: Any) -> dict[str, Type]:
    """Column types from any of the forms that `convert` takes."""
    if schema is None:
        return {}
    content = _spark_json(schema)
    return {field.name: _from_arrow(field) for field in schema} if content is None else from_spark_json(content)


def _from_arrow(field: Any) -> Type:
    import pyarrow as pa

    words: dict[Any, str] = {
        pa.bool_(): "boolean", pa.int8(): "byte", pa.int16(): "short", pa.int32(): "int", pa.int64(): "long",
        pa.float32(): "float", pa.float64(): "double", pa.string(): "string", pa.large_string(): "string",
    }  # fmt: skip
    kind = field.type
    if kind in words:
        return Type(words[kind])
    if pa.types.is_fixed_size_list(kind):
        return Type("double", "vector", kind.list_size)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if pa.types.is_list(kind.value_type):
            return Type("double", "vectors")
        item = words.get(kind.value_type, "string")
        return Type("double", "vector") if item == "double" else Type(item, "list")
    if pa.types.is_map(kind) and kind.key_type == pa.string() and kind.item_type in words:
        return Type(words[kind.item_type], "map")
    raise SchemaError(
        "a column of a type that no stage takes",
        expected="a number, a text, or a list",
        got=str(kind),
        field=field.name,
    )


def main(argv: list[str]) -> int:
    """`nacre convert`."""
    parser = argparse.ArgumentParser(
        prog="nacre convert", description="A saved Spark model to an MLeap bundle, with no JVM."
    )
    parser.add_argument("saved", help="the folder that model.write().save(…) made")
    parser.add_argument("out", help="the bundle: .zip, .tar.gz, or a directory")
    parser.add_argument("--schema", help="file with Spark's schema JSON (df.schema.json()) of the columns")
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    parser.add_argument("--format", choices=tuple(FORMATS), default="json", help="how models and nodes are written")
    parser.add_argument(
        "--for", dest="target", choices=TARGETS, help="refuse what this version of MLeap, the one in AWS's image, "
        "cannot load, and say what it will score otherwise",
    )  # fmt: skip
    parser.add_argument(
        "--writer", choices=WRITERS, default="nacre", help="mleap: MLeap's own writer, in Spark with its jar (needs "
        "--schema); default: %(default)s",
    )  # fmt: skip
    args = parser.parse_args(argv)
    path = convert(args.saved, args.out, args.schema, args.overwrite, args.format, args.target, args.writer)
    print(path)
    return 0
