"""One value out of several, ops of MLeap's own: coalesce, map_entry_selector, multinomial_labeler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.bundle.values import pack
from nacre.formats.javatext import float32
from nacre.plan.frame import Bools, Column, Lists, Result, Scalars, Texts, Vectors
from nacre.plan.rowcode import ListRef, Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import BASES, BITS, DOUBLE, STRING, TOKENS, Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, double_of, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node

OWN = "bit for bit MLeap's; Spark has no such class"


@stage
class Coalesce(Stage):
    """The first of several numbers that is not null, else null. NaN is a number."""

    op = "coalesce"
    exact = OWN
    attributes = (Attr("nullable_inputs", "list<boolean>", REQUIRED, "for each input whether it may be null"),)
    inputs = (Port("input", None, "inputCols", many="inputCols"),)
    outputs = (Port("output", DOUBLE, "outputCol"),)

    nullable_inputs: list[bool]

    def prepare(self) -> None:
        if len(self.nullable_inputs) != len(self.input_names):
            raise self.bad(
                "ports and inputs do not match", "nullable_inputs", len(self.input_names), len(self.nullable_inputs)
            )

    def wants(self) -> list[Type | None]:
        return [DOUBLE for _ in self.input_names]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given in zip(self.input_names, inputs, strict=True):
            double_of(self, name, given)
        return [DOUBLE]

    def _strict(self, n: int) -> bool:
        """Whether MLeap fails on a null there: it casts the columns first, all of them."""
        return self.context.mleap and not self.nullable_inputs[n]

    def columns(self, inputs: Sequence[Column]) -> Result:
        result = Result([])
        values = np.zeros(len(inputs[0]))
        null = np.ones(len(inputs[0]), bool)
        for n, column in enumerate(inputs):
            assert isinstance(column, Scalars)
            absent = np.zeros(len(null), bool) if column.null is None else column.null
            if self._strict(n):
                result.fail(absent, self.input_names[n], NO_NULL, expected="a number", got=lambda row: None)
            found = null & ~absent
            values[found] = column.values[found]
            null &= absent
        result.outputs = [Scalars(values, null)]
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        names = []
        for n, ref in enumerate(inputs):
            assert isinstance(ref, ScalarRef)
            names.append(code.double(ref))
            if ref.nullable and self._strict(n):
                with code.block(f"if {ref.name} is None"):
                    code.fail(self.input_names[n], NO_NULL, "a number", "None")
        out = code.let(names[0], "c")
        for name in names[1:]:
            with code.block(f"if {out} is None"):
                code.line(f"{out} = {name}")
        return [ScalarRef(out, nullable=True)]


NO_NULL = "null where the bundle says that there is none"
DEFAULT = "default_value"
KINDS = {base: "int" if base in ("byte", "short") else base for base in BASES}
"""Type of a map's values -> kind of the attribute that holds one."""


@stage
class MapEntrySelector(Stage):
    """The value that a map has under a key, else the default. A null in the map is its value.

    MLeap's class for Spark cannot be saved by Spark, so no saved model holds one.
    """

    op = "map_entry_selector"
    exact = OWN
    since = "0.19"
    attributes = (
        Attr("key_type", "basic_type", "string", "type of the keys: string"),
        Attr("value_type", "basic_type", REQUIRED, "type of the values"),
        Attr(DEFAULT, "of value_type", REQUIRED, "what stands in for a missing key"),
    )
    inputs = (Port("input", Type("double", "map"), "inputCol"), Port("key", STRING, "keyCol"))
    outputs = (Port("output", None, "outputCol"),)

    key_type: str
    value_type: str
    default_value: Any

    def prepare(self) -> None:
        if self.key_type != "string":
            raise self.bad("keys that no map has", "key_type", "string", self.key_type)
        self.given = Type(self.value_type, "map")

    def _value(self, attr: Attr, name: str) -> Any:
        """The default is of the type that another attribute names."""
        if attr.name != DEFAULT:
            return super()._value(attr, name)
        if self.value_type not in KINDS:
            raise self.bad("values that no map has", "value_type", " or ".join(KINDS), self.value_type)
        found = super()._value(replace(attr, kind=KINDS[self.value_type]), name)
        end = 1 << BITS.get(self.value_type, 64) - 1
        if self.value_type in BITS and not -end <= found < end:
            raise self.bad("a number that is none of its type", name, f"{-end} to {end - 1}", found)
        return float32(found) if self.value_type == "float" else found

    @classmethod
    def make(
        cls, name: str, values: Mapping[str, Any], inputs: Sequence[tuple[str, str]], outputs: Sequence[tuple[str, str]]
    ) -> Node:
        node = super().make(name, {**values, DEFAULT: None}, inputs, outputs)
        node.attributes[DEFAULT] = pack(values[DEFAULT], KINDS[values["value_type"]])
        return node

    def wants(self) -> list[Type | None]:
        return [self.given, STRING]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        if inputs[0] != self.given:
            raise self.refuse(self.input_names[0], self.given, inputs[0])
        if inputs[1] != STRING:
            raise self.refuse(self.input_names[1], "a text", inputs[1])
        return [Type(self.value_type)]

    def columns(self, inputs: Sequence[Column]) -> Result:
        import pyarrow as pa

        maps, keys = inputs
        assert isinstance(maps, Lists)
        assert isinstance(keys, Texts)
        result = Result([])
        null = np.asarray(maps.array.is_null())
        result.fail(null, self.input_names[0], NO_MAP, expected=str(self.given), got=lambda row: None)
        if self.context.mleap:
            absent = np.asarray(keys.array.is_null())
            result.fail(absent, self.input_names[1], NO_KEY, expected="a text", got=lambda row: None)
        pairs = zip(maps.array.to_pylist(), keys.array.to_pylist(), strict=True)
        default = self.default_value
        found = [default if items is None else dict(items).get(key, default) for items, key in pairs]
        array = pa.array(found, Type(self.value_type).arrow())
        if self.value_type == "string":
            result.outputs = [Texts(array)]
            return result
        absent = np.asarray(array.is_null())
        values = array.fill_null(False if self.value_type == "boolean" else 0).to_numpy(zero_copy_only=False)
        result.outputs = [Scalars(values, absent if absent.any() else None)]
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        items, key = inputs
        assert isinstance(items, ListRef)
        assert isinstance(key, ScalarRef)
        if items.nullable:
            with code.block(f"if {items.name} is None"):
                code.fail(self.input_names[0], NO_MAP, str(self.given), "None")
        if key.nullable and self.context.mleap:
            with code.block(f"if {key.name} is None"):
                code.fail(self.input_names[1], NO_KEY, "a text", "None")
        default = code.const(self.default_value, "default")
        found = code.let(f"{items.name}.get({key.name}, {default})", "v")
        return [ScalarRef(found, nullable=True, base=self.value_type)]


NO_MAP = "null where a map is needed"
NO_KEY = "null where a key is needed"


@stage
class MultinomialLabeler(Stage):
    """The entries of a vector that reach the threshold, and their labels, in order.

    MLeap's class for Spark cannot be saved by Spark, so no saved model holds one.
    """

    op = "multinomial_labeler"
    exact = OWN
    attributes = (
        Attr("threshold", "double", REQUIRED, "what an entry has to reach"),
        Attr("labels", "list<string>", REQUIRED, "label of each entry"),
    )
    inputs = (Port("features", vector(), "featuresCol"),)
    outputs = (
        Port("probabilities", Type("double", "list"), "probabilitiesCol"),
        Port("labels", TOKENS, "labelsCol"),
    )

    threshold: float
    labels: list[str]

    def wants(self) -> list[Type | None]:
        return [vector(len(self.labels))]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], None)
        return [Type("double", "list"), TOKENS]

    def columns(self, inputs: Sequence[Column]) -> Result:
        import pyarrow as pa

        (column,) = inputs
        assert isinstance(column, Vectors)
        result, values = Result([]), column.matrix.T
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{column.size}]", got=lambda row: None)
        with np.errstate(invalid="ignore"):
            kept: Bools = values >= self.threshold
        beyond: Bools = np.any(kept[:, len(self.labels) :], axis=1)
        result.fail(beyond, self.input_names[0], UNNAMED, expected=self._expected, got=lambda row: column.size)
        kept[:, len(self.labels) :] = False
        offsets = pa.array(np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32))
        names = pa.array(self.labels, pa.string()).take(pa.array(np.nonzero(kept)[1]))
        numbers = pa.array(np.ascontiguousarray(values[kept]))
        result.outputs = [Lists(pa.ListArray.from_arrays(offsets, each)) for each in (numbers, names)]
        return result

    @property
    def _expected(self) -> str:
        return f"entries that reach the threshold among the first {len(self.labels)}"

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        numbers, names = code.new("n"), code.new("s")
        pick = code.const(labeller(self.threshold, self.labels), "pick")
        code.line(f"{numbers}, {names} = {pick}({replace(ref, null=None).expression})")
        with code.block(f"if {names} is None"):
            code.fail(self.input_names[0], UNNAMED, self._expected, str(ref.size))
        return [ListRef(numbers), ListRef(names)]


UNNAMED = "an entry without a label"


def labeller(threshold: float, labels: Sequence[str]) -> Callable[[Sequence[float]], tuple[list[float], Any]]:
    """A function of a vector's entries that gives those that reach the threshold, and their labels; None for these if
    an entry has none."""

    def pick(values: Sequence[float]) -> tuple[list[float], list[str] | None]:
        found = [index for index, x in enumerate(values) if x >= threshold]
        if found and found[-1] >= len(labels):
            return [], None
        return [values[index] for index in found], [labels[index] for index in found]

    return pick
