"""Several columns to one vector: vector_assembler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.plan.frame import Assembled, Column, Csr, OneHot, Result, Scalars, Vectors, compressed, compressed_row
from nacre.plan.rowcode import Part, Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages import mlattrs
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
            choices=("error", "skip", "keep"), spark=param("handleInvalid"), ignored="null fails and NaN passes",
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
        self.sizes = [None if given.shape == "scalar" else size for given, size in zip(inputs, sizes, strict=True)]
        return [vector(sum(sizes))]

    def ml_attrs(self, inputs: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
        return [mlattrs.assembled(self.input_names, self.sizes, inputs)]

    def columns(self, inputs: Sequence[Column]) -> Result:
        rows = len(inputs[0]) if inputs else 0
        if any(isinstance(column, Csr) for column in inputs):
            return self._sparse_columns(inputs, rows)
        if any(isinstance(column, OneHot) for column in inputs) and not any(map(_has_nulls, inputs)):
            return self._hot_columns(inputs, rows)
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

    def _hot_columns(self, inputs: Sequence[Column], rows: int) -> Result:
        """With one-hot vectors: they stay what they are, codes, for whoever wants less than all their zeros."""
        result, start = Result([]), 0
        parts: list[tuple[int, OneHot | np.ndarray]] = []
        for name, column in zip(self.input_names, inputs, strict=True):
            if isinstance(column, OneHot):
                parts.append((start, column))
                start += column.size
                continue
            part = np.empty((column.size if isinstance(column, Vectors) else 1, rows))
            if isinstance(column, Vectors):
                column.write(part)
            else:
                assert isinstance(column, Scalars)
                np.add(column.doubles(), 0.0, out=part[0])
            self._judge(result, name, column, part)
            parts.append((start, part))
            start += len(part)
        result.outputs = [Assembled(parts, start, rows, compressed(self.context.spark_4))]
        return result

    def _sparse_columns(self, inputs: Sequence[Column], rows: int) -> Result:
        """With a wide sparse input: the stored entries end to end, no zeros made."""
        result, start = Result([]), 0
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for name, column in zip(self.input_names, inputs, strict=True):
            if isinstance(column, Csr) and column.null is None:
                self._judge(result, name, column, np.empty((0, rows)))
                found.append((column.rows(), column.indices + start, column.values))
                start += column.size
                continue
            part = np.empty((column.size if isinstance(column, Vectors) else 1, rows))
            if isinstance(column, Vectors):
                column.write(part)
            else:
                assert isinstance(column, Scalars)
                np.add(column.doubles(), 0.0, out=part[0])
            self._judge(result, name, column, part)
            at, where = np.nonzero(part.T)
            found.append((at, where + start, part.T[at, where]))
            start += len(part)
        at, indices, values = (np.concatenate(each) for each in zip(*found, strict=True))
        keep = values != 0.0
        order = np.argsort(at[keep], kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(at[keep], minlength=rows))]).astype(np.int64)
        entries = indices[keep][order].astype(np.int32), values[keep][order]
        result.outputs = [Csr(indptr, *entries, start, None, compressed(self.context.spark_4))]
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
                result.fail(null, name, _invalid("null"), expected=_a(column), got=lambda row: None, fix=FIX)
            if nan is not None and self.policy == "error":
                result.fail(nan, name, _invalid("NaN"), expected="a number", got=lambda row: float("nan"), fix=FIX)

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        if any(isinstance(ref, SparseRef) for ref in inputs):
            return [self._sparse_row(code, inputs)]
        parts: list[Part] = []
        for name, ref in zip(self.input_names, inputs, strict=True):
            if isinstance(ref, ScalarRef):
                parts.append(_unsigned(self._scalar(code, name, ref)))
            elif isinstance(ref, VectorRef):
                parts += self._vector(code, name, ref)
        made = VectorRef(tuple(parts), sum(part.width if part.width is not None else 1 for part in parts))
        return [code.compressed(made, compressed_row(self.context.spark_4))]

    def _sparse_row(self, code: RowCode, inputs: Sequence[Ref]) -> SparseRef:
        indices, values, start = code.let("[]", "ix"), code.let("[]", "vx"), 0
        extend = code.const(extend_sparse, "extend")
        for name, ref in zip(self.input_names, inputs, strict=True):
            if isinstance(ref, SparseRef):
                known = ref if ref.null is None else self._no_null(code, name, ref)
                code.line(f"{extend}({indices}, {values}, {start}, {known.indices}, {known.values})")
                start += ref.size
                continue
            parts = [_unsigned(self._scalar(code, name, ref))] if isinstance(ref, ScalarRef) else []
            if isinstance(ref, VectorRef):
                parts = self._vector(code, name, ref)
            for part in parts:
                width = 1 if part.width is None else part.width
                given = f"({part.name},)" if part.width is None else part.name
                code.line(f"{extend}({indices}, {values}, {start}, range({width}), {given})")
                start += width
        return SparseRef(indices, values, start)

    def _no_null(self, code: RowCode, name: str, ref: SparseRef) -> SparseRef:
        nans = VectorRef((Part(code.const((float("nan"),) * ref.size, "nans"), ref.size),), ref.size)
        with code.block(f"if {ref.null}"):
            if self.policy == "keep":
                code.line(f"{ref.indices} = range({ref.size})")
                code.line(f"{ref.values} = {nans.expression}")
            elif self.policy == "skip":
                code.drop()
            else:
                code.fail(name, _invalid("null"), "a vector", "None", FIX)
        return SparseRef(ref.indices, ref.values, ref.size)

    def _scalar(self, code: RowCode, name: str, ref: ScalarRef) -> str:
        """A number, its zeros unsigned. One addition both drops the sign of zero and lets NaN show."""
        x, out = ref.name, code.new("x")
        plain = f"{out} = {x} + 0.0"
        if ref.nullable:
            with code.block(f"if {x} is None"):
                if self.policy == "keep":
                    code.line(f"{out} = {code.number(float('nan'))}")
                elif self.policy == "skip":
                    code.drop()
                else:
                    code.fail(name, _invalid("null"), "a number", x, FIX)
            with code.block("else"):
                code.line(plain)
        else:
            code.line(plain)
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


def _has_nulls(column: Column) -> bool:
    return isinstance(column, (Scalars, Vectors)) and column.null is not None


def extend_sparse(
    into: list[int], numbers: list[float], start: int, indices: Sequence[int], values: Sequence[float]
) -> None:
    """Append the entries that are not zero, their indices moved by `start`."""
    for index, value in zip(indices, values, strict=True):
        if value != 0.0:
            into.append(index + start)
            numbers.append(value)


def _a(column: Column) -> str:
    return "a vector" if isinstance(column, Vectors) else "a number"


def _unsigned(name: str) -> Part:
    return Part(name, unsigned=True)


def _wanted(shape: Shape) -> Type:
    return DOUBLE if shape.base == "scalar" else vector(shape.dims[0] if shape.dims else None)


def _invalid(what: str) -> str:
    """Spark's own sentence."""
    return f'Encountered {what} while assembling a row with handleInvalid = "error"'
