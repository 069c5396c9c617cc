"""Every product of several columns' entries: interaction."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import UnsupportedError
from nacre.formats.javatext import double_text
from nacre.plan.frame import Bools, Column, Floats, Result, Scalars, Vectors, compressed, compressed_row
from nacre.plan.rowcode import Part, Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages import mlattrs
from nacre.stages.base import REQUIRED, Attr, Port, Stage, stage, vector_of

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.bundle.values import Shape
    from nacre.spark.saved import Saved

MOST = 1 << 20
"""Products beyond which a bundle is refused."""
NULL = "Values to interact cannot be null."
FIX = "Send an index of a level the model was fitted on"
Pairs = list[tuple[int, float]]


class Encoder:
    """One input: a number stays, an index of `levels` levels becomes as many indicators. `plain` for a scalar."""

    def __init__(self, levels: Sequence[int], plain: bool, mleap: bool):
        self.levels = list(levels)
        self.plain = plain
        self.mleap = mleap
        self.offsets = [0, *np.cumsum(self.levels).tolist()]
        self.size: int = self.offsets[-1]
        self.expected = "an index of a level" if max(self.levels, default=1) > 1 else "a number"

    def columns(self, column: Column) -> tuple[Floats, Bools | None, Bools, Floats]:
        """(values by place; which of them are there, None: all; rows with a value that is no level; that value)."""
        if isinstance(column, Scalars):
            matrix, sparse, entries = column.doubles()[None, :], None, None
        else:
            assert isinstance(column, Vectors)
            matrix = column.matrix
            sparse, entries = column.stored() if column.sparse is not False else (None, None)
        rows = matrix.shape[1]
        if self.size == len(self.levels) and (sparse is None or not self.mleap):
            there = None if sparse is None or entries is None else entries | ~sparse
            return matrix, there, np.zeros(rows, bool), np.zeros(rows)
        out, filled = np.zeros((self.size, rows)), np.zeros((self.size, rows), bool)
        bad, got = np.zeros(rows, bool), np.zeros(rows)
        position = np.zeros(rows, np.int64)
        for index, count in enumerate(self.levels):
            values = matrix[index]
            there = np.ones(rows, bool) if sparse is None or entries is None else entries[index] | ~sparse
            if count > 1:
                with np.errstate(invalid="ignore"):
                    wrong = there & ~((values >= 0.0) & (values < count) & (values == np.floor(values)))
                got[wrong & ~bad] = values[wrong & ~bad]
                bad |= wrong
                there = there & ~wrong
            at = np.flatnonzero(there)
            places = np.full(len(at), self.offsets[index])
            if self.mleap and sparse is not None:
                places = np.where(sparse[at], np.asarray(self.offsets)[position[at]], places)
                position += there
            if count > 1:
                places = places + values[at].astype(np.int64)
            out[places, at] = 1.0 if count > 1 else values[at]
            filled[places, at] = True
        return out, filled, bad, got

    def pairs(self, values: Sequence[float], stored: Any) -> Pairs | float:
        """(place, value) of what is there in one row, or the value that is no level."""
        out: dict[int, float] = {}
        position = 0
        for index, count in enumerate(self.levels):
            if stored is not None and index not in stored:
                continue
            x = values[index]
            place = self.offsets[position if self.mleap and stored is not None else index]
            position += 1
            if count > 1:
                if not (0.0 <= x < count and x == x // 1.0):
                    return x
                out[place + int(x)] = 1.0
            else:
                out[place] = x
        return sorted(out.items())


@stage
class Interaction(Stage):
    """The outer product of all inputs, the last one's entries varying fastest; an index counts as its indicators.

    An entry that a sparse vector does not store takes part in no product, so it stays 0.0 beside NaN. A zero index that
    is not stored gives no indicator. MLeap puts the entries of a sparse vector one after the other, as if those not
    stored were not there, and gives a sparse vector always.
    """

    op = "interaction"
    unlike = "entries of a sparse vector are taken by their place among the stored ones"
    spark_classes = ("org.apache.spark.ml.feature.Interaction",)
    attributes = (
        Attr("num_inputs", "int", REQUIRED, "number of inputs"),
        Attr("input_shapes", "list<shape>", REQUIRED, "scalar or tensor[n] of each input", spark=lambda s: s.shapes()),
        Attr("num_features{n}", "list<int>", None, "levels of each entry of input n; 1 for a number"),
    )
    inputs = (Port("input", None, "inputCols", many="inputCols"),)
    outputs = (Port("output", vector(), "outputCol"),)

    num_inputs: int
    input_shapes: list[Shape]
    num_features: dict[int, list[int]]

    def prepare(self) -> None:
        if not self.num_inputs == len(self.input_names) == len(self.input_shapes):
            got = f"{self.num_inputs} with {len(self.input_shapes)} shapes"
            raise self.bad("ports and inputs do not match", "num_inputs", f"{len(self.input_names)} inputs", got)
        missing = [n for n in range(self.num_inputs) if n not in self.num_features]
        if missing:
            raise self.bad("an attribute is missing", f"num_features{missing[0]}", "list<int>", "nothing")
        for n in range(self.num_inputs):
            if any(count < 1 for count in self.num_features[n]):
                raise self.bad(
                    "numbers of levels must be positive", f"num_features{n}", "1 or more", self.num_features[n]
                )
        plain = [shape.base == "scalar" for shape in self.input_shapes]
        levels = [self.num_features[n] for n in range(self.num_inputs)]
        odd = [n for n in range(self.num_inputs) if plain[n] and len(levels[n]) != 1]
        if odd:
            raise self.bad("a scalar of several entries", f"num_features{odd[0]}", "one number", levels[odd[0]])
        self.size = math.prod(map(sum, levels))
        if self.size > MOST:
            raise self.bad("absurd number of products", "num_features0", f"at most {MOST}", self.size)
        self.encoders = [Encoder(each, scalar, self.context.mleap) for each, scalar in zip(levels, plain, strict=True)]
        self.rule = compressed(self.context.spark_4)

    def wants(self) -> list[Type | None]:
        return [DOUBLE if each.plain else vector(len(each.levels)) for each in self.encoders]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given, encoder in zip(self.input_names, inputs, self.encoders, strict=True):
            if not encoder.plain:
                vector_of(self, name, given, len(encoder.levels))
            elif not given.numeric:
                raise self.refuse(name, "a number", given)
        self.vectors = [given.shape != "scalar" for given in inputs]
        return [vector(self.size)]

    def columns(self, inputs: Sequence[Column]) -> Result:
        result, rows = Result([]), len(inputs[0])
        encoded = []
        for name, column, encoder in zip(self.input_names, inputs, self.encoders, strict=True):
            values, there, bad, values_there = encoder.columns(column)
            assert isinstance(column, (Scalars, Vectors))
            if column.null is not None:
                result.fail(column.null, name, NULL, expected=encoder.expected, got=lambda row: None)
                bad &= ~column.null
            self._no_levels(result, name, encoder.expected, bad, values_there)
            encoded.append((values, there))
        values, present = np.ones((1, rows)), None
        with np.errstate(all="ignore"):
            for more, there in reversed(encoded):
                size = len(more) * len(values)
                values = (more[:, None, :] * values[None, :, :]).reshape(size, rows)
                if there is not None or present is not None:
                    one = np.ones_like(more, bool) if there is None else there
                    other = np.ones((size // len(more), rows), bool) if present is None else present
                    present = (one[:, None, :] & other[None, :, :]).reshape(size, rows)
        if present is not None:
            values[~present] = 0.0
        result.outputs = [self._compressed(values, present)]
        return result

    def _no_levels(self, result: Result, name: str, expected: str, bad: Bools, values: Floats) -> None:
        def got(row: int) -> float:
            return float(values[row])

        result.fail(bad, name, lambda row: no_level(got(row)), expected=expected, got=got, fix=FIX)

    def _compressed(self, values: Floats, present: Bools | None) -> Vectors:
        if self.context.mleap:
            pattern = None if present is None else Vectors(present.astype(np.float64), None, True)
            pattern = Vectors(np.ones_like(values), None, True) if pattern is None else pattern
            return Vectors(values, None, True, pattern)
        sparse = self.rule((values != 0.0).sum(axis=0), self.size)
        values[:, sparse] += 0.0  # zeros are not stored, and so lose their sign
        return Vectors(values, None, self.rule)

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        pairs = [self._pairs(code, *each) for each in zip(self.input_names, inputs, self.encoders, strict=True)]
        build = code.const(multiplier([each.size for each in self.encoders], self.size, self._settle()), "interact")
        found = code.let(f"{build}({', '.join(pairs)})", "p")
        made = VectorRef((Part(found, self.size),), self.size)
        if self.context.mleap:
            return [replace(made, stored=f"{found}.indices")]
        return [code.compressed(made, compressed_row(self.context.spark_4))]

    def _settle(self) -> Callable[[int], bool] | None:
        """Whether so many stored entries make Spark's vector a sparse one; None in MLeap, which keeps every entry."""
        return None if self.context.mleap else lambda count: bool(self.rule(count, self.size))  # type: ignore[arg-type]

    def _pairs(self, code: RowCode, name: str, ref: Ref, encoder: Encoder) -> str:
        assert isinstance(ref, (ScalarRef, VectorRef, SparseRef))
        null = f"{ref.name} is None" if isinstance(ref, ScalarRef) and ref.nullable else getattr(ref, "null", None)
        if null is not None:
            with code.block(f"if {null}"):
                code.fail(name, NULL, encoder.expected, "None")
        if isinstance(ref, ScalarRef):
            given, stored = f"({code.double(ref)},)", "None"
        else:
            given, stored = replace(ref, null=None).expression, code.stored(ref)
        pairs = code.let(f"{code.const(encoder.pairs, 'pairs')}({given}, {stored})", "e")
        if max(encoder.levels, default=1) > 1:
            with code.block(f"if {pairs}.__class__ is float"):
                code.fail(name, no_level, encoder.expected, pairs, FIX)
        return pairs

    def ml_attrs(self, inputs: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
        return [mlattrs.interacted(self.input_names, self.vectors, inputs)]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        columns = saved.columns(cls.inputs[0])
        levels = {n: _levels(saved, column) for n, column in enumerate(columns)}
        values = {**saved.attributes(cls), "num_inputs": len(columns), "num_features{n}": levels}
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


def _levels(saved: Saved, column: str) -> list[int]:
    """The levels of each entry of an input column."""
    told = saved.attrs.get(column)
    if saved.type_of(column, DOUBLE).shape == "scalar":
        known = [mlattrs.scalar(told) or mlattrs.Entry()]
    else:
        known = mlattrs.entries(told) or []
        if not known:
            raise UnsupportedError(
                "ML attributes of a vector that nobody tells", expected="the levels of its entries", got=column,
                node=saved.uid, field=column, fix="Give a sample that carries them",
            )  # fmt: skip
    counts = [entry.levels for entry in known]
    if None in counts:
        raise UnsupportedError(
            "an index of unknown levels", expected="the number of its levels", got=column, node=saved.uid, field=column
        )
    return [count for count in counts if count is not None]


class Kept(tuple[float, ...]):
    """A vector with the indices of its stored entries."""

    indices: set[int]


def multiplier(
    sizes: Sequence[int], size: int, settle: Callable[[int], bool] | None
) -> Callable[..., tuple[float, ...]]:
    """A function of each input's pairs that gives the vector of their products."""

    def multiply(*inputs: Pairs) -> tuple[float, ...]:
        found, width = [(0, 1.0)], 1
        for pairs, more in zip(reversed(inputs), reversed(sizes), strict=True):
            found = [(place + at * width, value * x) for at, x in pairs for place, value in found]
            width *= more
        out = [0.0] * size
        for place, value in found:
            out[place] = value
        if settle is None:
            kept = Kept(out)
            kept.indices = {place for place, _ in found}
            return kept
        if settle(sum(value != 0.0 for value in out)):
            return tuple(value + 0.0 for value in out)
        return tuple(out)

    return multiply


def no_level(value: float) -> str:
    """Spark's own sentence."""
    return f"assertion failed: Values from column must be indices, but got {double_text(value)}."
