"""A loaded model: a bundle's stages with their types resolved, and the two plans over them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.bundle.files import within_memory
from nacre.bundle.reader import read
from nacre.bundle.writers import by_sklearn
from nacre.errors import BundleError, RowError, SchemaError, SetupError, UnsupportedError
from nacre.formats.murmur3 import VERSIONS
from nacre.plan import rows
from nacre.plan.columns import Outcome, needed, raise_first, run
from nacre.plan.frame import Lists, Scalars, Texts
from nacre.plan.loading import undisturbed
from nacre.plan.refused import REFUSED
from nacre.plan.rowcode import Dropped
from nacre.plan.sparkschema import from_spark_json
from nacre.plan.types import STRING, Type
from nacre.stages import REGISTRY, Context, Stage
from nacre.stages.pipeline import Pipeline, leaves

if TYPE_CHECKING:
    import os

    import pyarrow as pa

    from nacre.bundle.node import Bundle, Node
    from nacre.plan.frame import Floats

MODES = ("spark", "mleap")
VECTORS = ("dense", "sparse")
MATRICES = ("rows", "columns")
SPARK_VERSION, INPUT_SCHEMA = "nacre.spark_version", "nacre.input_schema"
"""What the root of a bundle says; in one that MLeap's writer wrote for `nacre.spark.save`, its meta does."""
BLOCK = 20_000
"""Rows that `transform` takes through all stages at a time, so that memory grows with the result only. No power of
two: the columns of a block would all lie at the same place in the processor's cache, and turning them into rows
would be slow."""
ROOM = 1 << 29
"""Numbers of a column up to which they are put into one array."""


def load(
    path: str | os.PathLike[str], mode: str = "spark", hash_version: int | None = None, matrices: str | None = None
) -> Model:
    """Load a bundle: a zip, a tar.gz or a directory.

    Args:
        path: the bundle.
        mode: "spark" gives Spark's numbers, "mleap" MLeap's own where the two differ.
        hash_version: hash of hashing_term_frequency where the bundle does not name it: 2 for a model of Spark 3 or
            later that MLeap 0.16 or 0.17 wrote, 1 (the default) for one of Spark 2.
        matrices: how matrices stand in the bundle: "rows" if row by row, as MLeap's package for scikit-learn writes
            them, "columns" if column by column, as all others do. Without it, as the names of the nodes tell; in mode
            "mleap" by columns, since MLeap reads every bundle so.

    Raises:
        BundleError: the artefact is broken or unsafe; names the file and the field.
        UnsupportedError: it holds an op that nothing here can score; names the op, its node and the known ops.
    """
    if mode not in MODES:
        raise SetupError("unknown mode", expected=" or ".join(MODES), got=mode)
    if matrices not in (None, *MATRICES):
        raise SetupError("unknown order of matrices", expected=" or ".join(MATRICES), got=matrices)
    if hash_version not in (None, *VERSIONS):
        raise SetupError("unknown version of the hash", expected="1 or 2", got=hash_version)
    with undisturbed(), within_memory(path):
        return Model(read(path), mode, hash_version, matrices)


def build(root: Node, context: Context) -> list[Stage]:
    """The stages of a node tree, in execution order."""
    nodes = list(leaves(root))
    unknown = [node for node in nodes if node.op not in REGISTRY]
    if unknown:
        node = next((each for each in unknown if each.op in REFUSED), unknown[0])
        if node.op in REFUSED:
            raise UnsupportedError(
                f"op {node.op!r} cannot be scored", expected="an op that Nacre scores", got=node.op,
                fix=REFUSED[node.op], file=node.file("model"), node=node.name,
            )  # fmt: skip
        raise UnsupportedError(
            f"unknown op {node.op!r}", expected="an op that Nacre scores",
            got=", ".join(f"{each.op} (node {each.name})" for each in unknown),
            fix=f"Known are {', '.join(sorted(REGISTRY))}", file=node.file("model"), node=node.name,
        )  # fmt: skip
    return [REGISTRY[node.op](node, context) for node in nodes]


@dataclass(frozen=True)
class Scored:
    """One output column of many rows, for callers that want numbers rather than a table.

    `values` has an entry a row, dropped and failed ones included (theirs are arbitrary): float64 of shape (rows,), for
    vectors (rows, size), for texts a list. `dropped` counts rows from 0; the errors in `failed` count from 1.
    """

    values: Any
    null: np.ndarray | None
    dropped: list[int]
    failed: list[RowError]


class Model:
    """A bundle ready to score. It never changes and may be used from many threads."""

    def __init__(
        self, bundle: Bundle, mode: str = "spark", hash_version: int | None = None, matrices: str | None = None
    ):
        self.bundle = bundle
        self.mode = mode
        root = bundle.root
        own = Pipeline(root, Context()) if root.op == Pipeline.op else None
        fitted = getattr(own, "spark_version", None) or _told(bundle, SPARK_VERSION)
        rules = spark_rules(mode, fitted)
        if fitted and mode == "spark" and rules >= (3, 0) and hash_version is None:
            hash_version = 2  # for a bundle of a writer that does not say it
        by_rows = matrices == "rows" or (matrices is None and mode != "mleap" and by_sklearn(root))
        self.stages = build(root, Context(mode, rules, hash_version, by_rows))
        self.inputs: dict[str, Type] = raw_columns(self.stages, _declared(bundle, own))
        """Type of each raw column the model needs."""
        self.types = dict(self.inputs)
        for stage in self.stages:
            types = stage.types([self.types[name] for name in stage.input_names])
            if len(types) != len(stage.output_names):
                raise BundleError(
                    "inputs and outputs do not match", expected=f"{len(types)} output ports",
                    got=stage.output_names, file=stage.node.file("node"), node=stage.name, field="outputs",
                )  # fmt: skip
            self.types.update(zip(stage.output_names, types, strict=True))
        _sized(self.stages, self.inputs)
        made = [name for stage in self.stages for name in stage.output_names]
        self.hidden = frozenset(own.hidden_columns) if own is not None else frozenset[str]()
        self.made: dict[str, Type] = {name: self.types[name] for name in dict.fromkeys(made)}
        """The same with the columns that stages take off the frame, which are given to who asks for them by name."""
        self.outputs: dict[str, Type] = {name: given for name, given in self.made.items() if name not in self.hidden}
        """Type of each column the model makes, in Spark's order."""
        self._functions: dict[tuple[tuple[str, ...] | None, str], Callable[..., Any]] = {}

    def __repr__(self) -> str:
        ops = ", ".join(stage.op for stage in self.stages)
        return f"Model({self.bundle.source!r}, mode={self.mode!r}: {ops})"

    @property
    def default_output(self) -> str | None:
        """The last column the model makes."""
        return next(reversed(self.outputs), None)

    @cached_property
    def input_schema(self) -> pa.Schema:
        """The raw columns the model needs; vectors are list<double>."""
        import pyarrow as pa

        return pa.schema([(name, given.arrow()) for name, given in self.inputs.items()])

    # Many rows

    def transform(self, data: Any, columns: Sequence[str] | None = None, vectors: str = "dense") -> pa.Table:
        """Score a table: its own columns, then each stage's outputs, as Spark orders them.

        Args:
            data: pyarrow Table or RecordBatch, pandas, polars, or a dict of lists. Vectors may be list<double> or
                Spark's VectorUDT struct.
            columns: the columns to return, in this order; default all.
            vectors: "dense" gives list<double>, "sparse" Spark's VectorUDT struct.

        Rows that handleInvalid=skip drops are left out. Raises RowError for the first row that fails (rows count from
        1), SchemaError for a missing column or one of another type.
        """
        import pyarrow as pa

        from nacre.plan.arrow import as_table, column_out

        if vectors not in VECTORS:
            raise SetupError("unknown form of vectors", expected="dense or sparse", got=vectors)
        table = as_table(data)
        shown = [name for name in table.column_names if name not in self.hidden]
        names = list(dict.fromkeys([*shown, *self.outputs])) if columns is None else list(columns)
        self._known(names, table.column_names)
        made: dict[str, list[pa.Array]] = {name: [] for name in names if name in self.made}
        rooms = self._rooms(made, table.num_rows) if vectors == "dense" else {}
        alive, errors = [], list[RowError]()
        for start in range(0, max(table.num_rows, 1), BLOCK):
            outcome = self._run(table.slice(start, BLOCK), list(made), start=start)
            alive.append(outcome.alive)
            errors += outcome.errors()
            for name, parts in made.items() if not errors else ():
                room = rooms[name][start : start + BLOCK] if name in rooms else None
                parts.append(column_out(outcome.columns[name], self.types[name], vectors, room))
        raise_first(errors)
        result = pa.table(
            [pa.chunked_array(made[name]) if name in made else table.column(name) for name in names], names=names
        )
        kept = np.concatenate(alive)
        return result if kept.all() else result.filter(pa.array(kept))

    def _rooms(self, names: Iterable[str], rows: int) -> dict[str, Floats]:
        """One array for all blocks of a dense vector column, shape (rows, size). Blocks that each kept an array of
        their own would leave the memory between them in pieces, and every block would have to ask for more."""
        sizes = {name: self.types[name].size or 0 for name in names if self.types[name].shape == "vector"}
        return {name: np.empty((rows, size)) for name, size in sizes.items() if rows > BLOCK and rows * size < ROOM}

    def score(self, data: Any, output: str) -> Scored:
        """Score a table for one column, bad rows reported rather than raised. See `Scored`."""
        from nacre.plan.arrow import as_table

        table = as_table(data)
        self._known([output], table.column_names)
        if output in self.made:
            outcome = self._run(table, [output])
        else:
            outcome = self._run(table, [output], also=output)
        column = outcome.columns[output]
        dropped = np.flatnonzero(outcome.dropped).tolist()
        null = None if isinstance(column, (Texts, Lists)) else column.null
        if isinstance(column, (Texts, Lists)):
            values: Any = column.array.to_pylist()
        elif isinstance(column, Scalars):
            values = column.values if self.types[output].base != "double" else column.doubles()
        else:
            values = np.empty((len(column), column.size))
            column.write_rows(values)
        return Scored(values, null, dropped, outcome.errors())

    def warm(self) -> None:
        """Build now what the first table would build: imports Arrow, and sets up trees for many rows."""
        self.transform(self.input_schema.empty_table())

    def _run(self, table: pa.Table, outputs: Sequence[str], also: str | None = None, start: int = 0) -> Outcome:
        """`start` is the number of the table's first row in what the user gave, for errors."""
        from nacre.plan.arrow import column_in

        stages = needed(self.stages, outputs)
        raw = list(raw_columns(stages, self.inputs))
        if also is not None and also not in raw:
            raw.append(also)
        try:
            columns = {name: column_in(table, name, self.inputs.get(name, STRING)) for name in raw}
        except SchemaError as error:
            if start and "row" in error.where:
                error.where["row"] += start
            raise
        return run(stages, columns, table.num_rows, start)

    def _known(self, names: Sequence[str], given: Sequence[str]) -> None:
        for name in names:
            if name not in self.made and name not in given:
                known = [*given, *(each for each in self.outputs if each not in given)]
                raise SchemaError("no such column", expected=f"one of {', '.join(known)}", got=name, field=name)

    # One row

    def row(
        self, values: Mapping[str, Any], columns: Sequence[str] | None = None, vectors: str = "dense"
    ) -> dict[str, Any] | None:
        """Score one row, dict to dict: its own values and the model's columns (or only `columns`), vectors as tuples.

        With ``vectors="sparse"`` those that the plan never makes dense, such as hashed terms, come as
        `nacre.plan.rowcode.Sparse` (size, indices, values): a tuple of 2^18 numbers takes longer than all the rest.

        None for a row that the pipeline drops. Raises RowError and SchemaError as `transform` does.
        """
        key = None if columns is None else tuple(columns)
        function = self._functions.get((key, vectors)) or self._compile(key, vectors)
        try:
            result: dict[str, Any] = function(values)
        except Dropped:
            return None
        if key is None:
            return result
        try:
            return {name: result[name] for name in key}
        except KeyError:
            self._known(key, list(values))
            raise

    def _compile(self, columns: tuple[str, ...] | None, vectors: str) -> Callable[..., Any]:
        if vectors not in VECTORS:
            raise SetupError("unknown form of vectors", expected="dense or sparse", got=vectors)
        outputs = list(self.outputs) if columns is None else [name for name in columns if name in self.made]
        stages = needed(self.stages, outputs)  # a column that is replaced before anybody reads it is made by no plan
        function = rows.compile_dict(stages, self.inputs, outputs, compact=vectors == "sparse")
        self._functions[columns, vectors] = function
        return function

    def compile_row(self, inputs: Sequence[str], output: str) -> Callable[[Sequence[Any]], Any]:
        """A function of positional values, for callers that cast by themselves and want no dict.

        Values come in the order of `inputs` and are of the model's input types (float, int, str, bool, tuple of float)
        or None. Raises `nacre.plan.rowcode.Dropped` for a dropped row and RowError for a failed one. Its source is
        kept as ``__source__``.
        """
        stages = needed(self.stages, [output])
        missing = [name for name in raw_columns(stages, self.inputs) if name not in inputs]
        if missing or (output not in self.made and output not in inputs):
            name = missing[0] if missing else output
            raise SchemaError("a column is missing", expected=name, got=list(inputs), field=name)
        return rows.compile_positional(stages, self.inputs, inputs, output)

    def trace(self, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Each stage's outputs for one row, by stage name. A stage that refuses or drops the row has "error" or
        "dropped" in their place, and those after it are left out."""
        out: dict[str, dict[str, Any]] = {}
        function = rows.compile_dict(self.stages, self.inputs, list(self.outputs), trace=True)
        try:
            function(values, out)
        except Dropped:
            out[next(reversed(out))] = {"dropped": True}
        except RowError as error:
            out[next(reversed(out))] = {"error": str(error)}
        return out


def spark_rules(mode: str, version: str | None) -> tuple[int, int]:
    """(major, minor) of the Spark whose rules hold: the one that fitted the model; MLeap 0.20 carries Spark 3.2's."""
    if mode == "mleap":
        return 3, 2
    parts = (version or "").split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else (4, 1)


def _told(bundle: Bundle, name: str) -> str | None:
    told = bundle.meta.get(name)
    return str(told.data) if told is not None and told.form == "scalar" and told.data else None


def _declared(bundle: Bundle, own: Pipeline | None) -> dict[str, Type]:
    """The types of the raw columns that the exporter wrote into a bundle."""
    schema = (own.input_schema if own is not None else None) or _told(bundle, INPUT_SCHEMA)
    if not schema:
        return {}
    try:
        return from_spark_json(json.loads(schema))
    except (ValueError, RecursionError, SchemaError) as error:
        raise BundleError(
            "unreadable schema", expected="Spark's schema JSON", got=schema, file=bundle.root.file("model"),
            node=bundle.root.name, field=INPUT_SCHEMA,
        ) from error  # fmt: skip


def raw_columns(stages: Sequence[Stage], known: Mapping[str, Type]) -> dict[str, Type]:
    """The columns that the stages read and none of them makes, with their types: those known, else what the stages
    want. A stage that takes texts also takes numbers, so where stages disagree the number or vector wins."""
    made: set[str] = set()
    raw: dict[str, Type] = {}
    for stage in stages:
        for name, want in zip(stage.input_names, stage.wants(), strict=True):
            if name in made:
                continue
            told = known.get(name)
            if told is not None and (told.shape != "vector" or told.size is not None):
                raw[name] = told
            elif name not in raw or _vaguer(raw[name], want or STRING):
                raw[name] = want or STRING
        made.update(stage.output_names)
    strays = {name for stage in stages if stage.drops_strays for name in stage.input_names}
    return {name: replace(given, strays=True) if name in strays else given for name, given in raw.items()}


def _sized(stages: Sequence[Stage], raw: Mapping[str, Type]) -> None:
    """Refuse raw vectors of unknown size: both plans are made for vectors of one size."""
    for stage in stages:
        for name in stage.input_names:
            if name in raw and raw[name].shape == "vector" and raw[name].size is None:
                raise BundleError(
                    "a vector of unknown size", expected="nacre.input_schema, or a stage, that tells its size",
                    got=str(raw[name]), fix="Export with a schema or a sample, or with the stage that makes the vector",
                    file=stage.node.file("node"), node=stage.name, field=name,
                )  # fmt: skip


def _vaguer(known: Type, want: Type) -> bool:
    """Whether another stage's wish says more: a number or vector than a text, a size than none."""
    return known == STRING or (known.shape == want.shape == "vector" and known.size is None)
