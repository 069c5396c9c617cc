"""A TensorFlow graph as a stage: tensorflow.

Reading and auditing it imports nothing. A graph is a program, which may read and write files: it runs only where
TensorFlow is installed and `NACRE_ALLOW_TENSORFLOW=true` says that the bundle is trusted.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.bundle.files import LIMITS
from nacre.errors import BundleError, SetupError
from nacre.plan.frame import Column, Result, Scalars, Texts, Vectors
from nacre.plan.rowcode import Part, Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, STRING, Type, vector
from nacre.stages.base import REQUIRED, Attr, Stage, Unfit, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.values import Shape
    from nacre.stages.base import Port

ALLOW = "NACRE_ALLOW_TENSORFLOW"
DTYPES = {"byte": "uint8", "int": "int32", "long": "int64", "float": "float32", "double": "float64", "string": "object"}
"""Basic type -> numpy's, as MLeap converts them."""
FILES = {"graph": "graph.pb", "saved_model": "saved_model.zip"}
NO_SCALAR = "null where a number or a text is needed"


def _feature(name: str) -> tuple[Attr, Attr, Attr]:
    side = f"{name}s"
    return (
        Attr(f"{name}_names", "list<string>", REQUIRED, f"names of the graph's {side}, which are the ports"),
        Attr(f"{name}_types", "list<basic_type>", REQUIRED, "the type of each"),
        Attr(f"{name}_shapes", "list<shape>", REQUIRED, "the shape of each: scalars and vectors are scored"),
    )


@stage
class TensorFlow(Stage):
    """A TensorFlow graph, run a row at a time. Read and shown everywhere; scored where TensorFlow is installed and
    `NACRE_ALLOW_TENSORFLOW=true` trusts the bundle, for a graph is a program."""

    op = "tensorflow"
    exact = "TensorFlow's own numbers; Spark has no such class"
    package = "tensorflow"
    instead = "AWS's image has no jar for it. Serve the graph in a container of its own"
    attributes: ClassVar[tuple[Attr, ...]] = (
        *_feature("input"),
        *_feature("output"),
        Attr("nodes", "list<string>", None, "further operations to run"),
        Attr("format", "string", "graph", "of the file beside it: graph.pb or saved_model.zip", choices=tuple(FILES)),
    )

    input_types: list[str]
    input_shapes: list[Shape]
    output_types: list[str]
    output_shapes: list[Shape]
    nodes: list[str] | None
    format: str

    def prepare(self) -> None:
        self._audit("input", self.fed, self.input_types, self.input_shapes)
        self._audit("output", self.fetched, self.output_types, self.output_shapes)
        file = FILES[self.format]
        if file not in self.node.files:
            place = f"{self.node.path}/{file}"
            raise BundleError(
                "the graph is missing", expected=file, got=sorted(self.node.files), file=place, node=self.name
            )
        self.wanted = [_type(base, shape) for base, shape in zip(self.input_types, self.input_shapes, strict=True)]
        self.made = [_type(base, shape) for base, shape in zip(self.output_types, self.output_shapes, strict=True)]
        self.session = Session(self)

    def _read(self, attr: Attr) -> Any:
        """`input_names` is what a Stage calls its columns; the graph's own names are kept under another."""
        value = super()._read(attr)
        if attr.name == "input_names":
            self.fed: list[str] = value
        elif attr.name == "output_names":
            self.fetched: list[str] = value
        return value

    def _ordered(self, ports: Sequence[tuple[str, str]], declared: Sequence[Port]) -> list[tuple[str, str]]:
        """The ports are the graph's own names, in its order."""
        known = dict(ports)
        wanted = self.fed if ports is self.node.inputs else self.fetched
        if sorted(known) != sorted(wanted):
            raise BundleError(
                "ports and the graph's names differ", expected=wanted, got=sorted(known), file=self.node.file("node"),
                node=self.name,
            )  # fmt: skip
        return [(name, known[name]) for name in wanted]

    def _audit(self, side: str, names: list[str], types: list[str], shapes: list[Shape]) -> None:
        if not len(names) == len(types) == len(shapes):
            got = f"{len(names)} names, {len(types)} types, {len(shapes)} shapes"
            raise self.bad("names, types and shapes do not match", f"{side}_types", "as many of each", got)
        for base, shape in zip(types, shapes, strict=True):
            if base not in DTYPES:
                raise self.bad("a type that is not scored", f"{side}_types", " or ".join(DTYPES), base)
            if shape.base == "list" or (shape.dims is not None and (len(shape.dims) > 1 or -1 in shape.dims)):
                raise self.bad("a shape that is not scored", f"{side}_shapes", "a scalar or a sized vector", shape)
            if base == "string" and shape.dims:
                raise self.bad("a shape that is not scored", f"{side}_shapes", "texts one by one", shape)

    def wants(self) -> list[Type | None]:
        return list(self.wanted)

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given, wanted in zip(self.input_names, inputs, self.wanted, strict=True):
            if wanted.shape == "vector":
                vector_of(self, name, given, wanted.size)
            elif given.shape != "scalar" or (given.base == "string") != (wanted.base == "string"):
                raise self.refuse(name, wanted, given)
        return list(self.made)

    def unfit(self, format: str) -> Iterator[Unfit]:  # noqa: A002 - the word that bundle.json uses
        yield Unfit("op", self.op, self.instead)

    # Both plans run the same function of one row.

    def columns(self, inputs: Sequence[Column]) -> Result:
        import pyarrow as pa

        result, rows = Result([]), len(inputs[0])
        bad = np.zeros(rows, bool)
        given = []
        for name, column, wanted in zip(self.input_names, inputs, self.wanted, strict=True):
            assert isinstance(column, (Scalars, Texts, Vectors))
            null = np.asarray(column.array.is_null()) if isinstance(column, Texts) else column.null
            if null is not None:
                message = NULL if wanted.shape == "vector" else NO_SCALAR
                result.fail(null, name, message, expected=str(wanted), got=lambda row: None)
                bad |= null
            given.append(_values(column))
        blank = tuple((0.0,) * (t.size or 0) if t.shape == "vector" else "" if t == STRING else 0 for t in self.made)
        found = [blank if bad[n] else self.session.run([each[n] for each in given]) for n in range(rows)]
        for n, made in enumerate(self.made):
            values = [row[n] for row in found]
            if made == STRING:
                result.outputs = [*result.outputs, Texts(pa.array(values, pa.string()))]
            elif made.shape == "vector":
                result.outputs = [*result.outputs, Vectors(np.array(values, float).reshape(rows, made.size or 0).T)]
            else:
                result.outputs = [*result.outputs, Scalars(np.array(values, made.arrow().to_pandas_dtype()))]
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        given = []
        for name, ref, wanted in zip(self.input_names, inputs, self.wanted, strict=True):
            assert isinstance(ref, (ScalarRef, VectorRef, SparseRef))
            if isinstance(ref, ScalarRef):
                if ref.nullable:
                    with code.block(f"if {ref.name} is None"):
                        code.fail(name, NO_SCALAR, str(wanted), "None")
            else:
                refuse_null(code, name, ref)
            given.append(ref.expression)
        found = code.let(f"{code.const(self.session.run, 'graph')}(({', '.join(given)},))", "g")
        made: list[Ref] = []
        for n, kind in enumerate(self.made):
            name = code.let(f"{found}[{n}]", "t")
            size = kind.size or 0
            made.append(
                VectorRef((Part(name, size),), size) if kind.shape == "vector" else ScalarRef(name, base=kind.base)
            )
        return made


def _type(base: str, shape: Shape) -> Type:
    if shape.dims:
        return vector(shape.dims[0])
    return STRING if base == "string" else DOUBLE if base == "double" else Type("short" if base == "byte" else base)


def _values(column: Column) -> list[Any]:
    """One Python value a row."""
    if isinstance(column, Texts):
        return list(column.array.to_pylist())
    if isinstance(column, Scalars):
        return list(column.values.tolist())
    assert isinstance(column, Vectors)
    return list(map(tuple, column.matrix.T.tolist()))


class Session:
    """The graph in TensorFlow, loaded with the stage. Raises SetupError where it may not or cannot run."""

    def __init__(self, owner: TensorFlow):
        self.owner = owner
        if os.environ.get(ALLOW) != "true":
            raise SetupError(
                "a TensorFlow graph is a program, which this bundle brings along", expected=f"{ALLOW}=true",
                got=os.environ.get(ALLOW), node=owner.name, fix=f"Set {ALLOW}=true if you trust the bundle",
            )  # fmt: skip
        try:
            import tensorflow
        except ModuleNotFoundError as error:
            raise SetupError(
                "the package tensorflow is not installed", node=owner.name, fix="pip install 'nacre[tensorflow]'"
            ) from error
        self.tf = tensorflow.compat.v1
        self.call = self._loaded()

    def run(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The outputs for one row's inputs, as Python values."""
        owner = self.owner
        arrays = [np.array(x, DTYPES[base]) for x, base in zip(values, owner.input_types, strict=True)]
        made = zip(self.call(*arrays), owner.made, owner.fetched, strict=True)
        return tuple(_checked(np.asarray(array), kind, name) for array, kind, name in made)

    def _loaded(self) -> Callable[..., Sequence[Any]]:
        owner, tf = self.owner, self.tf
        content, graph = owner.node.files[FILES[owner.format]], tf.Graph()
        session = tf.Session(graph=graph)
        try:
            with graph.as_default():
                if owner.format == "graph":
                    definition = tf.GraphDef()
                    definition.ParseFromString(content)
                    tf.import_graph_def(definition, name="")
                else:
                    self._saved_model(session, content)
            fetched = [graph.get_tensor_by_name(_tensor(name)) for name in owner.fetched]
            targets = [graph.get_operation_by_name(name) for name in owner.nodes or ()]
            fed = [graph.get_tensor_by_name(_tensor(name)) for name in owner.fed]
        except Exception as error:  # TensorFlow and protobuf raise classes of their own
            file = f"{owner.node.path}/{FILES[owner.format]}"
            raise BundleError(
                "TensorFlow cannot load the graph", expected="a graph with the named inputs and outputs",
                got=str(error), file=file, node=owner.name,
            ) from error  # fmt: skip
        return lambda *arrays: session.run([fetched, targets], dict(zip(fed, arrays, strict=True)))[0]

    def _saved_model(self, session: Any, content: bytes) -> None:
        """Unpack and load a SavedModel; the folder is gone afterwards."""
        folder = tempfile.mkdtemp(prefix="nacre-")
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                size = sum(each.file_size for each in archive.infolist())
                if size > LIMITS.total_bytes or len(archive.infolist()) > LIMITS.entries:
                    raise ValueError(f"{size} bytes in {len(archive.infolist())} files are beyond the limits")
                archive.extractall(folder)  # zipfile keeps paths inside
            self.tf.saved_model.load(session, ["serve"], folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _tensor(name: str) -> str:
    """`x` is the first output of the operation x."""
    return name if ":" in name else f"{name}:0"


def _checked(array: np.ndarray, kind: Type, name: str) -> Any:
    """An output as a Python value of the type that the bundle declares."""
    if array.shape != ((kind.size,) if kind.shape == "vector" else ()):
        raise BundleError("the graph gives another shape", expected=str(kind), got=list(array.shape), field=name)
    if kind.shape == "vector":
        return tuple(map(float, array.tolist()))
    value = array.item()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
