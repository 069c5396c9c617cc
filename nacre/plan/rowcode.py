"""The row plan's source builder: stages write Python lines into it, it makes one function of them.

A column is a compile-time reference to run-time values: a :class:`ScalarRef` names a local variable, a
:class:`VectorRef` is a list of parts, so that assembling a vector costs nothing at run time. Nothing from an
artefact becomes source: texts and tables go in by :meth:`RowCode.const`, under a name made here; only numbers are
written as literals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from nacre.errors import RowError, UnsupportedError
from nacre.plan.types import WIDEST

WIDE = 1 << 18
"""Entries of a vector that become variables of their own; more would take the compiler minutes and gigabytes."""


class Dropped(Exception):  # noqa: N818 - not an error: a row that handleInvalid=skip leaves out
    """Raised by a compiled row function for a row that the pipeline drops."""


@dataclass(frozen=True, slots=True)
class ScalarRef:
    """A scalar column: a local variable's name. `nullable` when it may hold None at run time. `base` is the column's
    basic type; a variable holds a float for float and double, an int for the integers."""

    name: str
    nullable: bool = False
    base: str = "double"

    @property
    def expression(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a vector: the name of a float (`width` None) or of a tuple of `width` floats.

    `unsigned` when no -0.0 can be among them, so that an assembler need not look.
    """

    name: str
    width: int | None = None
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class VectorRef:
    """A vector column of known size. `null` names a variable that is true for a null vector; None: never null.

    `stored` is a source expression that tells, when somebody asks, whether this row is a SparseVector: None at run time
    for a DenseVector, else the set of the indices it stores. No expression: always dense. It matters where a zero that
    is not stored fares otherwise than a stored one: next to a NaN norm, or under a negative factor.
    """

    parts: tuple[Part, ...]
    size: int
    null: str | None = None
    stored: str | None = None

    @property
    def expression(self) -> str:
        """A tuple of the floats."""
        if len(self.parts) == 1 and self.parts[0].width is not None:
            text = self.parts[0].name
        else:
            items = (part.name if part.width is None else f"*{part.name}" for part in self.parts)
            text = f"({', '.join(items)},)" if self.parts else "()"
        return text if self.null is None else f"(None if {self.null} else {text})"


@dataclass(frozen=True, slots=True)
class SparseRef:
    """A sparse vector column: names of two tuples of the same length, ascending indices and their values."""

    indices: str
    values: str
    size: int
    null: str | None = None

    @property
    def expression(self) -> str:
        """A tuple of all the floats, by the function `dense` that every plan knows."""
        return self._shown(f"dense({self.indices}, {self.values}, {self.size})")

    @property
    def compact(self) -> str:
        """A :class:`Sparse`."""
        return self._shown(f"Sparse({self.size}, tuple({self.indices}), tuple({self.values}))")

    def _shown(self, text: str) -> str:
        return text if self.null is None else f"(None if {self.null} else {text})"

    @property
    def stored(self) -> str:
        """As of a VectorRef: always sparse."""
        return f"set({self.indices})"


class Sparse(NamedTuple):
    """A sparse vector of one row: its size, and ascending indices with their values."""

    size: int
    indices: tuple[int, ...]
    values: tuple[float, ...]


def dense(indices: Sequence[int], values: Sequence[float], size: int) -> tuple[float, ...]:
    """A sparse vector with its zeros."""
    if size > WIDEST:
        raise UnsupportedError(
            "a vector too wide to be written out", expected=f"at most {WIDEST} entries", got=size,
            fix='Ask for vectors="sparse"',
        )  # fmt: skip
    out = [0.0] * size
    for index, value in zip(indices, values, strict=True):
        out[index] = value
    return tuple(out)


def nonzero(values: Sequence[float]) -> set[int]:
    """What `VectorRef.stored` gives for a vector that stores no zeros."""
    return {index for index, value in enumerate(values) if value != 0.0}


@dataclass(frozen=True, slots=True)
class ListRef:
    """A list or map column: the name of a Python sequence (a tuple of tuples for vectors), or of a dict.

    `nullable` when it may be None at run time.
    """

    name: str
    nullable: bool = False

    @property
    def expression(self) -> str:
        return self.name


Ref = ScalarRef | VectorRef | SparseRef | ListRef


class RowCode:
    """Collects the lines of one row function."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        known = {"Dropped": Dropped, "dense": dense, "nonzero": nonzero, "Sparse": Sparse}
        self.names: dict[str, Any] = known
        self.field = ""
        self.node = ""
        self._indent = 1
        self._count = 0
        self._by_id: dict[int, str] = {}

    def line(self, text: str) -> None:
        self.lines.append(f"{'    ' * self._indent}{text}")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Lines inside belong to the statement `head`, written without its colon."""
        self.line(f"{head}:")
        self._indent += 1
        yield
        self._indent -= 1

    def new(self, prefix: str = "t") -> str:
        """A fresh variable name."""
        self._count += 1
        return f"{prefix}{self._count}"

    def let(self, expression: str, prefix: str = "t") -> str:
        """Assign an expression to a fresh variable and give its name."""
        name = self.new(prefix)
        self.line(f"{name} = {expression}")
        return name

    def const(self, value: Any, prefix: str = "C") -> str:
        """Bind a Python object and give the name that stands for it."""
        if id(value) not in self._by_id:
            name = self.new(prefix)
            self.names[name] = value
            self._by_id[id(value)] = name
        return self._by_id[id(value)]

    def number(self, value: float) -> str:
        """A float as source: a literal where one exists."""
        value = float(value)
        return repr(value) if math.isfinite(value) else self.const(value)

    def fail(
        self, field: str, message: str | Callable[[Any], str], expected: str, got: str, fix: str | None = None
    ) -> None:
        """Refuse the row. `got` is a source expression; a callable `message` is called with its value."""
        node = self.node

        def build(value: Any) -> RowError:
            text = message(value) if callable(message) else message
            return RowError(text, expected=expected, got=value, fix=fix, field=field, node=node)

        self.line(f"raise {self.const(build, 'fail')}({got})")

    def drop(self) -> None:
        self.line("raise Dropped")

    def double(self, ref: ScalarRef) -> str:
        """The name of a number as a double, as Spark casts integers and booleans first; None stays None."""
        if ref.base in ("double", "float"):
            return ref.name
        return self.let(
            f"{ref.name} if {ref.name} is None else float({ref.name})" if ref.nullable else f"float({ref.name})", "d"
        )

    def total(self, terms: Sequence[str]) -> str:
        """The sum of source terms in order, starting from 0.0, in lines short enough for Python's parser."""
        name = self.let("0.0", "y")
        for start in range(0, len(terms), 50):
            self.line(f"{name} = {' + '.join([name, *terms[start : start + 50]])}")
        return name

    def components(self, vector: VectorRef | SparseRef) -> list[str]:
        """A name for each entry of a vector; tuples are taken apart once, and zeros of sparse ones made."""
        if isinstance(vector, SparseRef):
            vector = VectorRef((Part(self.let(vector.expression, "d"), vector.size),), vector.size)
        return [name for part in vector.parts for name in self.unpacked(part)]

    def stored(self, vector: VectorRef | SparseRef) -> str:
        """A variable that is None where the row is a DenseVector, else the set of the indices it stores; the text
        "None" if it always is dense."""
        return "None" if vector.stored is None else self.let(vector.stored, "e")

    def unpacked(self, part: Part) -> list[str]:
        """A name for each float of one part."""
        if part.width is None:
            return [part.name]
        if part.width > WIDE:
            raise UnsupportedError(
                "a vector too wide to be taken apart row by row", expected=f"at most {WIDE} entries", got=part.width,
                node=self.node, fix="Score whole tables with transform",
            )  # fmt: skip
        fresh = [self.new("v") for _ in range(part.width)]
        if fresh:
            self.line(f"{', '.join(fresh)}{',' if len(fresh) == 1 else ''} = {part.name}")
        return fresh

    def vector(self, names: Sequence[str], null: str | None = None, stored: str | None = None) -> VectorRef:
        """A vector of named floats."""
        return VectorRef(tuple(Part(name) for name in names), len(names), null, stored)

    def compressed(self, vector: VectorRef, rule: Callable[[int, int], bool]) -> VectorRef:
        """The same vector, sparse where `rule` on (number of entries that are not zero, size) says so."""

        def stored(values: Sequence[float]) -> set[int] | None:
            found = nonzero(values)
            return found if rule(len(found), len(values)) else None

        return replace(vector, stored=f"{self.const(stored, 'stored')}({replace(vector, null=None).expression})")

    def source(self, head: str) -> str:
        return "\n".join([f"def {head}:", *(self.lines or ["    pass"])]) + "\n"

    def function(self, name: str, arguments: str) -> Callable[..., Any]:
        """Compile the lines to a function. Its source stays with it as ``__source__``."""
        source = self.source(f"{name}({arguments})")
        namespace = dict(self.names)
        exec(compile(source, f"<nacre {name} plan>", "exec"), namespace)  # noqa: S102 - numbers and own names only
        made: Callable[..., Any] = namespace[name]
        made.__source__ = source  # type: ignore[attr-defined]
        return made
