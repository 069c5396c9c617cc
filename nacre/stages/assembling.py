"""Several columns to one vector: vector_assembler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.plan.frame import Column, Result, Scalars, Vectors, compressed
from nacre.plan.rowcode import Part, Ref, RowCode, ScalarRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, param, stage, vector_of

if TYPE_CHECKING:
    from nacre.bundle.values import Shape

FIX = "Send a number, or fit with handleInvalid keep or skip"


@stage
class VectorAssembler(Stage):
    """Numbers and vectors, end to end. Zeros are not stored, so -0.0 comes out as 0.0.

    handleInvalid looks at nulls everywhere, and at NaN in scalar columns only; a NaN inside a vector passes.
    """

    op = "vector_assembler"
    spark_classes = ("org.apache.spark.ml.feature.VectorAssembler",)
    attributes = (
        Attr("input_shapes", "list<shape>", REQUIRED, "scalar or tensor[n] of each input", spark=lambda s: s.shapes()),
        Attr(
            "nacre.handle_invalid", "string", None,
            "what null and NaN do; absent in foreign bundles: null fails and NaN passes, as in MLeap",
            choices=("error", "skip", "keep"), spark=param("handleInvalid"),
        ),
    )  # fmt: skip
    inputs = (Port("input", None, "inputCols", many="inputCols"),)
    outputs = (Port("output", vector(), "outputCol"),)

    input_shapes: list[Shape]
    handle_invalid: str | None

    def prepare(self) -> None:
        if len(self.input_shapes) != len(self.input_names):
            raise self.bad(
                "ports and shapes do not match",
                "input_shapes",
                f"{len(self.input_names)} shapes",
                len(self.input_shapes),
            )
        for shape in self.input_shapes:
            if shape.base == "list" or (shape.dims is not None and len(shape.dims) > 1):
                raise self.bad(
                    "a shape that cannot be assembled", "input_shapes", "scalars and one-dimensional tensors", shape
                )
        self.policy = "mleap" if self.context.mleap or self.handle_invalid is None else self.handle_invalid

    @property
    def drops(self) -> bool:
        return self.handle_invalid == "skip"

    def wants(self) -> list[Type | None]:
        return [_wanted(shape) for shape in self.input_shapes]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        sizes = []
        for name, given, shape in zip(self.input_names, inputs, self.input_shapes, strict=True):
            if given.shape == "scalar":
                if not given.numeric:
                    raise self.refuse(name, "a number or a vector", given)
                sizes.append(1)
                continue
            size = shape.dims[0] if shape.base == "tensor" and shape.dims else None
            known = vector_of(self, name, given, None if given.size is not None else size).size
            if known is None:
                raise self.refuse(name, "a vector of known size", given)
            sizes.append(known)
        return [vector(sum(sizes))]

    def columns(self, inputs: Sequence[Column]) -> Result:
        rows = len(inputs[0]) if inputs else 0
        sizes = [column.size if isinstance(column, Vectors) else 1 for column in inputs]
        matrix = np.empty((sum(sizes), rows))
        result = Result([Vectors(matrix, None, compressed(self.context.spark_4))])
        start = 0
        for name, column, size in zip(self.input_names, inputs, sizes, strict=True):
            part = matrix[start : start + size]
            if isinstance(column, Vectors):
                column.write(part)
            else:
                assert isinstance(column, Scalars)
                np.add(column.doubles(), 0.0, out=part[0])
            self._judge(result, name, column, part)
            start += size
        return result

    def _judge(self, result: Result, name: str, column: Column, part: np.ndarray) -> None:
        null = column.null if isinstance(column, (Scalars, Vectors)) else None
        nan = np.isnan(part[0]) if isinstance(column, Scalars) else None
        if nan is not None and null is not None:
            nan &= ~null
        if self.policy == "keep":
            if null is not None:
                part[:, null] = np.nan
        elif self.policy == "skip":
            for mask in (null, nan):
                if mask is not None:
                    result.drop(mask)
        else:
            if null is not None:
                result.fail(null, name, _invalid("null"), expected="a number", got=lambda row: None, fix=FIX)
            if nan is not None and self.policy == "error":
                result.fail(nan, name, _invalid("NaN"), expected="a number", got=lambda row: float("nan"), fix=FIX)

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        parts: list[Part] = []
        for name, ref in zip(self.input_names, inputs, strict=True):
            if isinstance(ref, ScalarRef):
                parts.append(_unsigned(self._scalar(code, name, ref)))
            else:
                parts += self._vector(code, name, ref)
        return [VectorRef(tuple(parts), sum(part.width if part.width is not None else 1 for part in parts))]

    def _scalar(self, code: RowCode, name: str, ref: ScalarRef) -> str:
        """A number, its zeros unsigned. One addition both drops the sign of zero and lets NaN show."""
        x = ref.name
        out = code.new("x")
        if ref.nullable:
            with code.block(f"if {x} is None"):
                if self.policy == "keep":
                    code.line(f"{x} = {code.number(float('nan'))}")
                elif self.policy == "skip":
                    code.drop()
                else:
                    code.fail(name, _invalid("null"), "a number", x, FIX)
        code.line(f"{out} = {x} + 0.0")
        if self.policy in ("error", "skip"):
            with code.block(f"if {out} != {out}"):
                if self.policy == "skip":
                    code.drop()
                else:
                    code.fail(name, _invalid("NaN"), "a number", x, FIX)
        return out

    def _vector(self, code: RowCode, name: str, ref: VectorRef) -> list[Part]:
        if ref.null is not None:
            return self._nullable_vector(code, name, ref)
        parts: list[Part] = []
        for part in ref.parts:
            unsigned = (
                [part] if part.unsigned else [_unsigned(code.let(f"{x} + 0.0", "x")) for x in code.unpacked(part)]
            )
            parts += unsigned
        return parts

    def _nullable_vector(self, code: RowCode, name: str, ref: VectorRef) -> list[Part]:
        plain = VectorRef(ref.parts, ref.size)
        out = code.new("z")
        with code.block(f"if {ref.null}"):
            if self.policy == "keep":
                code.line(f"{out} = {code.const((float('nan'),) * ref.size, 'nans')}")
            elif self.policy == "skip":
                code.drop()
            else:
                code.fail(name, _invalid("null"), "a vector", "None", FIX)
        with code.block("else"):
            items = "".join(f"{x} + 0.0, " for x in code.components(plain))
            code.line(f"{out} = ({items})")
        return [Part(out, ref.size, unsigned=True)]


def _unsigned(name: str) -> Part:
    return Part(name, unsigned=True)


def _wanted(shape: Shape) -> Type:
    return DOUBLE if shape.base == "scalar" else vector(shape.dims[0] if shape.dims else None)


def _invalid(what: str) -> str:
    """Spark's own sentence."""
    return f'Encountered {what} while assembling a row with handleInvalid = "error"'
