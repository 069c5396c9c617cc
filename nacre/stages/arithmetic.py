"""Arithmetic on numbers, ops of MLeap's own: math_unary, math_binary."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nacre.plan.frame import Bools, Column, Floats, Result, Scalars, either
from nacre.plan.maths import EXP, exp, log, mapped, power
from nacre.plan.rowcode import Ref, RowCode, ScalarRef
from nacre.plan.types import DOUBLE, Type
from nacre.stages.base import REQUIRED, Attr, Port, Stage, Unfit, data, double_of, stage
from nacre.stages.binarizing import NO_NUMBER

OPERATION = "operation"
EXTENSION = "org.apache.spark.ml.mleap.feature."
ROUNDED = "bit for bit MLeap's, but for exp, log and their like: within 1e-12, relative; Spark has no such class"


class ArithmeticStage(Stage):
    """Doubles in, one double out. MLeap fails on null; its classes for Spark give null for null."""

    exact = ROUNDED
    outputs = (Port("output", DOUBLE, "outputCol"),)

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given in zip(self.input_names, inputs, strict=True):
            double_of(self, name, given)
        return [DOUBLE]

    def nulls(self, result: Result, inputs: Sequence[Column]) -> Bools | None:
        """The rows whose result is null; in MLeap none, because a null fails."""
        masks = [column.null for column in inputs if isinstance(column, Scalars)]
        if not self.context.mleap:
            return either(*masks)
        for name, mask in zip(self.input_names, masks, strict=True):
            if mask is not None:
                result.fail(mask, name, NO_NUMBER, expected="a number", got=lambda row: None)
        return None

    def given(self, code: RowCode, inputs: Sequence[Ref]) -> tuple[list[str], str | None]:
        """(names of the inputs as doubles; a test whether one of them is null, None: no)."""
        names, tests = [], []
        for column, ref in zip(self.input_names, inputs, strict=True):
            assert isinstance(ref, ScalarRef)
            names.append(code.double(ref))
            if ref.nullable and self.context.mleap:
                with code.block(f"if {ref.name} is None"):
                    code.fail(column, NO_NUMBER, "a number", "None")
            elif ref.nullable:
                tests.append(f"{ref.name} is None")
        return names, " or ".join(tests) or None

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        if self.operation not in INEXACT or None in inputs:
            return 0.0
        value = self.value(*map(float, inputs))
        return abs(value) * EXP if math.isfinite(value) else 0.0

    operation: str

    def value(self, *inputs: float) -> float:
        """The result for one row without null."""
        raise NotImplementedError


def domain(function: Callable[[float], float]) -> Callable[[float], float]:
    """A function of `math` that gives NaN where that one raises."""

    def safe(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return math.nan

    return safe


def divide(x: float, y: float) -> float:
    """x / y as IEEE 754 has it."""
    if y != 0.0:
        return x / y
    if x == 0.0 or x != x:
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def logit(x: float) -> float:
    """ln(x / (1 - x)); NaN outside of 0 to 1."""
    return log(divide(x, 1.0 - x)) if 0.0 <= x <= 1.0 else math.nan


def whole(function: Callable[[float], int]) -> Callable[[float], float]:
    """floor or ceil as Java has them: doubles, with infinities, NaN and the sign of zero."""
    return lambda x: math.copysign(float(function(x)), x) if math.isfinite(x) else x


def nearest(x: float) -> float:
    """Java's Math.round, widened: halves go up, NaN is 0, what 64 bits do not hold is their nearest."""
    if x != x:
        return 0.0
    if math.isinf(x):
        return math.copysign(2.0**63, x)
    below = math.floor(x)
    return max(-(2.0**63), min(2.0**63, float(below + (x - below >= 0.5))))


UNARY: dict[str, Callable[[float], float]] = {
    "log": log, "exp": exp, "sqrt": domain(math.sqrt), "sin": domain(math.sin), "cos": domain(math.cos),
    "tan": domain(math.tan), "abs": abs, "logit": logit, "floor": whole(math.floor), "ceil": whole(math.ceil),
    "round": nearest,
}  # fmt: skip


@stage
class MathUnary(ArithmeticStage):
    """A function of one number."""

    op = "math_unary"
    spark_classes = (f"{EXTENSION}MathUnary",)
    attributes = (
        Attr(
            OPERATION, "string", REQUIRED, "the function", choices=tuple(UNARY), spark=data(OPERATION),
            newer={"floor": "0.21", "ceil": "0.21", "round": "0.21"},
        ),
    )  # fmt: skip
    inputs = (Port("input", DOUBLE, "inputCol"),)

    def value(self, *inputs: float) -> float:
        return UNARY[self.operation](*inputs)

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Scalars)
        result = Result([])
        null = self.nulls(result, inputs)
        result.outputs = [Scalars(mapped(UNARY[self.operation], column.doubles()), null)]
        if self.operation == "logit":
            self._outside(result, column)
        return result

    def _outside(self, result: Result, column: Scalars) -> None:
        values = column.doubles()
        bad = (values < 0.0) | (values > 1.0)
        result.fail(bad, self.input_names[0], OUTSIDE, expected=RANGE, got=lambda row: float(values[row]))

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (x,), null = self.given(code, inputs)
        if self.operation == "logit":
            there = f"{x} is not None and " if null else ""
            with code.block(f"if {there}({x} < 0.0 or {x} > 1.0)"):
                code.fail(self.input_names[0], OUTSIDE, RANGE, x)
        text = f"{code.const(UNARY[self.operation], 'f')}({x})"
        return [ScalarRef(code.let(f"None if {null} else {text}" if null else text, "m"), nullable=null is not None)]


OUTSIDE = "a number without logit"
RANGE = "a number from 0 to 1"


def remainder(x: float, y: float) -> float:
    """Java's %, which is C's fmod."""
    if math.isinf(x) or y == 0.0:
        return math.nan
    return math.fmod(x, y)


def smaller(x: float, y: float) -> float:
    """Java's Math.min: NaN if either is, -0.0 below 0.0."""
    if x != x or y != y:
        return math.nan
    return min(x, y, key=lambda z: (z, math.copysign(1.0, z)))


def larger(x: float, y: float) -> float:
    """Java's Math.max."""
    return -smaller(-x, -y)


BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": divide, "rem": remainder,
    "log_n": lambda x, y: divide(log(x), log(y)), "pow": power, "min": smaller, "max": larger,
}  # fmt: skip
INEXACT = frozenset({"log", "exp", "sin", "cos", "tan", "logit", "log_n", "pow"})
"""What Java's own libraries compute otherwise than C's."""
PLAIN = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
SIGNS = {"add": "+", "sub": "-", "mul": "*"}
"""The operations that IEEE 754 settles, so that numpy and Python agree."""


@stage
class MathBinary(ArithmeticStage):
    """An operation on two numbers, each from a column or a constant: add, sub, mul, div, rem (which has the sign of the
    first), log_n (logarithm of the first to the base of the second), pow, min, max."""

    op = "math_binary"
    spark_classes = (f"{EXTENSION}MathBinary",)
    attributes = (
        Attr(OPERATION, "string", REQUIRED, "the operation", choices=tuple(BINARY), spark=data(OPERATION)),
        Attr("da", "double", None, "the first number, where it has no column", spark=data("da")),
        Attr("db", "double", None, "the second number, where it has no column", spark=data("db")),
    )
    inputs = (Port("input_a", DOUBLE, "inputA", optional=True), Port("input_b", DOUBLE, "inputB", optional=True))

    da: float | None
    db: float | None

    def prepare(self) -> None:
        self.places: list[float | None] = []
        """For each operand its constant, or None where it has a column."""
        given = {port[:7] for port, _ in self.node.inputs}
        for port, constant in (("input_a", "da"), ("input_b", "db")):
            value: float | None = getattr(self, constant)
            if (port in given) == (value is not None):
                got = "both" if port in given else "neither"
                raise self.bad("an operand needs a column or a constant", constant, f"a column at {port} or it", got)
            self.places.append(value)

    def unfit(self, format: str) -> Iterator[Unfit]:  # noqa: A002 - the word that bundle.json uses
        yield from super().unfit(format)
        if len(set(self.input_names)) < len(self.input_names):
            yield Unfit("input_b", self.input_names[0], "MLeap takes no column twice: copy it under another name")

    def value(self, *inputs: float) -> float:
        return BINARY[self.operation](*self._operands(inputs))

    def _operands(self, inputs: Sequence[Any]) -> list[Any]:
        """The inputs with the constants in their places."""
        rest = iter(inputs)
        return [next(rest) if constant is None else constant for constant in self.places]

    def constant(self, rows: int) -> Result:
        return Result([Scalars(np.full(rows, self.value()))])

    def columns(self, inputs: Sequence[Column]) -> Result:
        result = Result([])
        null = self.nulls(result, inputs)
        x, y = self._operands([column.doubles() for column in inputs if isinstance(column, Scalars)])
        result.outputs = [Scalars(self._of(x, y), null)]
        return result

    def _of(self, x: Floats | float, y: Floats | float) -> Floats:
        if self.operation in PLAIN:
            with np.errstate(all="ignore"):
                found: Floats = PLAIN[self.operation](x, y)
            return found
        function, (x, y) = BINARY[self.operation], np.broadcast_arrays(x, y)
        return np.array([function(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)], np.float64)

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        names, null = self.given(code, inputs)
        x, y = (code.number(each) if isinstance(each, float) else each for each in self._operands(names))
        sign = SIGNS.get(self.operation)
        text = f"{x} {sign} {y}" if sign else f"{code.const(BINARY[self.operation], 'f')}({x}, {y})"
        return [ScalarRef(code.let(f"None if {null} else {text}" if null else text, "m"), nullable=null is not None)]
