"""What a Stage is: one class per Bundle.ML op, and the whole truth about it.

The reader, writer, Spark exporter, support table and parity cases are derived from what a class declares here: its
op, the Spark classes it stands for, its attributes, its ports, its two kernels. Adding an op is adding a class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from nacre.bundle.node import Node
from nacre.bundle.values import Value, pack, unpack
from nacre.errors import BundleError, SchemaError
from nacre.plan.types import DOUBLE, Type
from nacre.stages.registry import Registry

if TYPE_CHECKING:
    from nacre.plan.frame import Column, Result
    from nacre.plan.rowcode import Ref, RowCode
    from nacre.spark.saved import Saved

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "required"})()


@dataclass(frozen=True)
class Attr:
    """One attribute of an op.

    Args:
        name: as in the model file; ``nacre.`` ones are ours, for facts that MLeap has no slot for. A name with
            ``{n}`` in it stands for as many attributes as there are numbers; its value is {number: value}.
        kind: see `nacre.bundle.values`.
        default: its value when the attribute is absent; REQUIRED if it must be there.
        meaning: one line for the docs.
        choices: the words allowed, for texts that are a choice.
        spark: where Spark's saved model keeps it: a function of the saved stage, made by `param` or `data`.
        optional: not written when the value equals the default.
        foreign: only other makers' bundles have it; no Spark stage gives it.
        folded: a word whose letters' case does not matter; its value is in small ones.
        newer: those of the choices that MLeap 0.20 does not know, each with the version that does ("" for none).
        ignored: of a ``nacre.`` attribute, what MLeap does instead, for those who write for MLeap.
    """

    name: str
    kind: str
    default: Any
    meaning: str
    choices: tuple[str, ...] = ()
    spark: Callable[[Saved], Any] | None = None
    optional: bool = False
    foreign: bool = False
    folded: bool = False
    newer: Mapping[str, str] = field(default_factory=dict)
    ignored: str = ""

    @property
    def key(self) -> str:
        """The name of the Python attribute that holds the value."""
        return self.name.replace("nacre.", "").replace("_{n}", "").replace("{n}", "")

    def matches(self, nodes: Mapping[str, Value]) -> dict[int, str]:
        """Number -> attribute name, for a name with ``{n}``."""
        head, _, tail = self.name.partition("{n}")
        found = {}
        for name in nodes:
            number = name[len(head) : len(name) - len(tail)]
            if name.startswith(head) and name.endswith(tail) and number.isascii() and number.isdigit():
                found[int(number)] = name
        return dict(sorted(found.items()))


def param(name: str) -> Callable[[Saved], Any]:
    """An attribute that is a Spark param."""
    return lambda saved: saved.param(name)


def data(column: str) -> Callable[[Saved], Any]:
    """An attribute that is a column of the saved model's one-row Parquet table."""
    return lambda saved: saved.data(column)


@dataclass(frozen=True)
class Port:
    """A port. `type` is what the stage takes or gives there; base "any" takes whatever text or number comes.

    `many`: a second Spark param that lists several columns; the ports are then `name0`, `name1`, … With `split` such a
    stage becomes several nodes, and the op itself has one port of the name.
    """

    name: str
    type: Type | None
    param: str
    many: str | None = None
    optional: bool = False
    split: bool = False


class Unfit(NamedTuple):
    """Why MLeap 0.20 cannot load a node: the attribute at fault, what it holds, and the way out."""

    field: str
    got: Any
    fix: str


@dataclass(frozen=True)
class Context:
    """What a stage may know beyond its own node: whose numbers are wanted, and which Spark fitted it."""

    mode: str = "spark"
    spark: tuple[int, int] = (4, 1)
    """Version (major, minor) of the Spark whose rules hold where versions differ."""
    hash_version: int | None = None
    """Version of the hash of terms where a bundle does not name it; None: as MLeap has it."""
    row_major: bool = False
    """Whether matrices stand row by row, as scikit-learn's exporter writes them; see `nacre.bundle.writers`."""

    @property
    def spark_4(self) -> bool:
        return self.spark >= (4, 0)

    @property
    def mleap(self) -> bool:
        return self.mode == "mleap"


class Stage:
    """Base of all ops. Instances are built from a node by :func:`build` and never change."""

    op: ClassVar[str]
    spark_classes: ClassVar[tuple[str, ...]] = ()
    attributes: ClassVar[tuple[Attr, ...]] = ()
    inputs: ClassVar[tuple[Port, ...]] = ()
    outputs: ClassVar[tuple[Port, ...]] = ()
    exact: ClassVar[str] = "bit for bit"
    """The bound against Spark, for the support table; :meth:`slack` computes it."""
    since: ClassVar[str] = ""
    """The MLeap version that reads the op first; "" for all since 0.8. Ops named ``nacre.`` are read by none."""
    package: ClassVar[str] = ""
    """The package, and the extra that brings it, without which the op is read and not scored."""
    instead: ClassVar[str] = ""
    """The way out for those who write for MLeap, of an op that its runtime 0.20 does not have."""
    repaired: ClassVar[tuple[str, ...]] = ()
    """Attributes whose infinities MLeap restores from JSON, which has none."""
    void: ClassVar[tuple[str, ...]] = ()
    """Output ports that some writer names though the op has nothing for them; their columns are not made."""
    unlike: ClassVar[str] = ""
    """What MLeap itself scores otherwise than Spark, whatever the bundle says; for those who write for MLeap."""

    recast: frozenset[str] = frozenset()
    """Columns that a stage gives back in another type, each value the same; MLeap leaves them as they are."""

    def __init__(self, node: Node, context: Context):
        self.node = node
        self.context = context
        self.name = node.name
        for attr in self.attributes:
            setattr(self, attr.key, self._read(attr))
        self.input_names = [column for _, column in self._ordered(node.inputs, self.inputs)]
        given = [(port, column) for port, column in node.outputs if port not in self.void]
        made = self._ordered(given, self.outputs)
        self.output_ports = [port for port, _ in made]
        self.output_names = [column for _, column in made]
        self.prepare()

    def prepare(self) -> None:
        """Check the attributes and derive what the kernels need, once."""

    @property
    def drops(self) -> bool:
        """Whether this stage may drop rows (handleInvalid = skip)."""
        return False

    @property
    def drops_strays(self) -> bool:
        """Whether a raw vector of another size than the stage was fitted for is a null to it, and dropped."""
        return False

    # What the kernels are given and give. Types are asked for before any kernel runs.

    def wants(self) -> list[Type | None]:
        """The type of each input column, for raw columns whose type nobody else tells; None: any scalar."""
        single = {port.name: port.type for port in self.inputs}
        return [
            single.get(port) or _many_type(self.inputs, port)
            for port, _ in self._ordered(self.node.inputs, self.inputs)
        ]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        """The types of the output columns for these inputs. Raises SchemaError where an input cannot be taken."""
        raise NotImplementedError

    def columns(self, inputs: Sequence[Column]) -> Result:
        """The vectorised kernel: whole columns in, whole columns out, bad rows listed rather than raised."""
        raise NotImplementedError

    def constant(self, rows: int) -> Result:
        """What stands for :meth:`columns` in a node without inputs, which has to be told the number of rows."""
        raise self.bad("a node without inputs", "inputs", [port.name for port in self.inputs], "none")

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        """The same computation as Python lines for one row, bit-equal to :meth:`columns`."""
        raise NotImplementedError

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        """How far an entry of the output at `port` may be from Spark's, in absolute terms; 0.0: equal bit for bit.

        Args:
            port: name of the output port.
            inputs: this row's input values, as `Model.row` gives them (vectors as tuples).
        """
        return 0.0

    def ml_attrs(self, inputs: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
        """ML attributes (Spark's ``ml_attr`` metadata) of the output columns, for those of the inputs, as far as known.

        Only what later stages of an export ask for: labels of indexes, names and levels of a vector's entries.
        """
        return [None] * len(self.output_names)

    # Writing for MLeap 0.20, the version that AWS's image has. What the tables cannot say is said here.

    def unfit(self, format: str) -> Iterator[Unfit]:  # noqa: A002 - the word that bundle.json uses
        """Why MLeap 0.20 cannot load this node from a bundle of this format."""
        if self.op.startswith(FOREIGN):
            yield Unfit("op", self.op, self.instead or "Leave the stage out, or score the bundle with Nacre")
            return
        for attr in self.attributes:
            if format == "json" and not attr.name.startswith("nacre.") and attr.name not in self.repaired:
                value = self.node.attributes.get(attr.name)
                if value is not None and _infinite(value.data):
                    yield Unfit(attr.name, "an infinity, which JSON does not hold", "Write with format protobuf")
            word = getattr(self, attr.key) if attr.newer else None
            if isinstance(word, str) and word in attr.newer:
                known = [each for each in attr.choices if each not in attr.newer]
                later = f"MLeap {attr.newer[word]} and later read it" if attr.newer[word] else "No MLeap reads it"
                yield Unfit(attr.name, word, f"{later}; 0.20 knows {', '.join(known)}")

    def ignored(self) -> Iterator[str]:
        """What MLeap 0.20 scores otherwise, one sentence each: facts that it has no slot for."""
        for attr in self.attributes:
            if attr.name.startswith("nacre.") and attr.name in self.node.attributes:
                value = getattr(self, attr.key)
                if value != attr.default:
                    does = f"; there {attr.ignored}" if attr.ignored else ""
                    yield f"{attr.name} = {_brief(value)} ({attr.meaning}) is ignored{does}"
        if self.unlike:
            yield self.unlike

    # Reading and writing, derived from the tables.

    def _read(self, attr: Attr) -> Any:
        if "{n}" in attr.name:
            return {n: self._value(attr, name) for n, name in attr.matches(self.node.attributes).items()}
        if attr.name in self.node.attributes:
            return self._value(attr, attr.name)
        if attr.default is REQUIRED:
            raise self.bad("an attribute is missing", attr.name, attr.kind, "nothing")
        return attr.default

    def _value(self, attr: Attr, name: str) -> Any:
        try:
            content = unpack(self.node.attributes[name], attr.kind)
        except BundleError as error:
            raise error.at(file=self.node.file("model"), node=self.name, field=name) from error.__cause__
        if attr.folded:
            content = content.lower()
        if attr.choices and content not in attr.choices:
            raise self.bad("unknown word", name, " or ".join(attr.choices), content)
        return content

    def bad(self, message: str, field: str, expected: Any, got: Any) -> BundleError:
        """An error about this node's artefact."""
        where = self.node.file("model")
        return BundleError(message, expected=expected, got=got, file=where, node=self.name, field=field)

    def refuse(self, column: str, expected: Any, got: Any) -> SchemaError:
        """An error about the type of an input column."""
        file = self.node.file("node")
        return SchemaError(
            "column of another type", expected=expected, got=str(got), file=file, node=self.name, field=column
        )

    def _ordered(self, ports: Sequence[tuple[str, str]], declared: Sequence[Port]) -> list[tuple[str, str]]:
        """The node's ports in the order of the class: single ones as declared, numbered ones by number."""
        known: dict[tuple[int, int], tuple[str, str]] = {}
        for port, column in ports:
            rank = _rank(declared, port)
            if rank is None:
                names = [each.name + ("N" if each.many else "") for each in declared]
                where = self.node.file("node")
                raise BundleError("unknown port", expected=names, got=port, file=where, node=self.name, field=port)
            if rank in known:
                twice = f"{known[rank][0]} and {port}"
                raise BundleError(
                    "a port stands twice", expected="each once", got=twice, file=self.node.file("node"),
                    node=self.name, field=port,
                )  # fmt: skip
            known[rank] = (port, column)
        for index, each in enumerate(declared):
            if not each.optional and not any(rank[0] == index for rank in known):
                where = self.node.file("node")
                raise BundleError(
                    "a port is missing", expected=each.name, got=[p for p, _ in ports], file=where, node=self.name
                )
        return [known[rank] for rank in sorted(known)]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """The nodes that stand for a saved Spark stage; one, unless a family overrides this."""
        return [cls.make(saved.uid, saved.attributes(cls), saved.ports(cls.inputs), saved.ports(cls.outputs))]

    @classmethod
    def make(
        cls, name: str, values: Mapping[str, Any], inputs: Sequence[tuple[str, str]], outputs: Sequence[tuple[str, str]]
    ) -> Node:
        """A node of this op from Python values, by the attribute table."""
        unknown = set(values) - {attr.name for attr in cls.attributes}
        assert not unknown, f"{cls.op} has no attribute {unknown}"
        attributes: dict[str, Value] = {}
        for attr in cls.attributes:
            value = values.get(attr.name)
            if value is None or (attr.optional and value == attr.default):
                continue
            many = (
                {attr.name.format(n=n): each for n, each in value.items()} if "{n}" in attr.name else {attr.name: value}
            )
            attributes |= {name: pack(each, attr.kind) for name, each in many.items()}
        return Node(op=cls.op, name=name, attributes=attributes, inputs=list(inputs), outputs=list(outputs))


FOREIGN = ("nacre.", "xgboost.")
"""How the ops are named that MLeap's runtime does not know: our own, and those that come with a jar of their own, which
AWS's image has not."""


def _infinite(data: Any) -> bool:
    if isinstance(data, list):
        return any(map(_infinite, data))
    return _infinite(data.data) if isinstance(data, Value) else isinstance(data, float) and math.isinf(data)


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _rank(declared: Sequence[Port], port: str) -> tuple[int, int] | None:
    """(index of the declared port, number of a repeated one). Bundles call one port `input` or, newer, `input0`."""
    for index, each in enumerate(declared):
        if port == each.name:
            return (index, 0)
        number = port[len(each.name) :]
        many = each.many is not None and not each.split
        if port.startswith(each.name) and number.isascii() and number.isdigit() and (many or number == "0"):
            return (index, int(number))
    return None


def _many_type(declared: Sequence[Port], port: str) -> Type | None:
    rank = _rank(declared, port)
    return None if rank is None else declared[rank[0]].type


def numbered(port: Port, columns: Sequence[str]) -> list[tuple[str, str]]:
    """Several columns at one port: `input0`, `input1`, …"""
    return [(f"{port.name}{index}", column) for index, column in enumerate(columns)]


def vector_of(stage: Stage, column: str, given: Type, size: int | None) -> Type:
    """Check that an input is a vector of `size` entries; fills in a size that the column did not tell."""
    if given.shape == "list" and given.base in ("double", "float"):
        given = Type("double", "vector", given.size)
    if given.shape != "vector" or (size is not None and given.size not in (None, size)):
        raise stage.refuse(column, f"vector[{size if size is not None else '?'}]", given)
    return replace(given, size=size if size is not None else given.size)


def double_of(stage: Stage, column: str, given: Type) -> Type:
    """Check that an input is a number that Spark casts to double."""
    if not given.numeric:
        raise stage.refuse(column, "a number", given)
    return DOUBLE


REGISTRY = Registry()
"""op -> Stage class, filled by :func:`stage`."""


def stage(cls: type[Stage]) -> type[Stage]:
    """Class decorator: make the op known."""
    REGISTRY.add(cls)
    return cls


def by_spark_class() -> dict[str, type[Stage]]:
    """Spark class name -> the Stage that writes it."""
    return {name: cls for cls in REGISTRY.values() for name in cls.spark_classes}


def walk_ports(stages: Sequence[Stage]) -> Iterator[str]:
    """All column names, in order of first use."""
    seen: dict[str, None] = {}
    for each in stages:
        for name in (*each.input_names, *each.output_names):
            seen.setdefault(name)
    return iter(seen)
