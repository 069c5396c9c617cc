"""Products of a vector's entries: polynomial_expansion, sklearn_polynomial_expansion."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from nacre.plan.frame import Column, Floats, Result, Vectors
from nacre.plan.maths import mapped, power
from nacre.plan.rowcode import Part, Ref, RowCode, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages import mlattrs
from nacre.stages.base import REQUIRED, Attr, Port, Stage, param, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null

MOST = 1 << 20
"""Products beyond which a bundle is refused."""
INLINE = 500
"""Products up to which the row plan has a line for each; more are computed in a loop."""


class ExpandingStage(Stage):
    """A vector in, a vector of products out."""

    inputs = (Port("input", vector(), "inputCol"),)
    outputs = (Port("output", vector(), "outputCol"),)

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        with np.errstate(all="ignore"):
            result = Result([self.expand(column)])
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{column.size}]", got=lambda row: None)
        return result

    def expand(self, column: Vectors) -> Vectors:
        raise NotImplementedError

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        return [self.expand_row(code, ref)]

    def expand_row(self, code: RowCode, ref: VectorRef | SparseRef) -> VectorRef:
        raise NotImplementedError


@stage
class PolynomialExpansion(ExpandingStage):
    """All products of up to `degree` entries, for (x, y) and 3: x, x², x³, y, xy, x²y, y², xy², y³.

    A product is built from the last entry to the first, one factor at a time. One that is zero stays 0.0 whatever
    comes after, so 0·NaN is 0.0 and NaN·0 is NaN, as in Spark's recursion, which stops there. An entry that a sparse
    vector does not store makes no product at all: 0.0 even beside NaN.
    """

    op = "polynomial_expansion"
    spark_classes = ("org.apache.spark.ml.feature.PolynomialExpansion",)
    attributes = (
        Attr("degree", "long", REQUIRED, "largest number of factors", spark=param("degree")),
        Attr("input_size", "long", REQUIRED, "number of entries", spark=mlattrs.size_of_input),
    )

    degree: int
    input_size: int

    def prepare(self) -> None:
        if self.degree < 1 or self.input_size < 0:
            raise self.bad("no polynomial", "degree", "a degree of 1 or more", self.degree)
        if self.degree > MOST or self.input_size > MOST or _count(self.input_size, self.degree) > MOST:
            got = f"{self.input_size} entries to degree {self.degree}"
            raise self.bad("absurd number of products", "degree", f"at most {MOST} products", got)
        self.program = products(self.input_size, self.degree)

    def wants(self) -> list[Type | None]:
        return [vector(self.input_size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.input_size)
        return [vector(len(self.program))]

    def expand(self, column: Vectors) -> Vectors:
        matrix, out = column.matrix, np.empty((len(self.program), len(column)))
        sparse, entries = column.stored() if column.sparse is not False else (None, None)
        there = None if sparse is None or entries is None else entries | ~sparse
        for place, (parent, factor) in enumerate(self.program):
            if parent < 0:
                out[place] = matrix[factor] + 0.0
                continue
            more = out[parent] != 0.0
            if there is not None:
                more &= there[factor]
            out[place] = np.where(more, out[parent] * matrix[factor] + 0.0, 0.0)
        return Vectors(out, None, lambda counts, size: column.stored()[0])

    def expand_row(self, code: RowCode, ref: VectorRef | SparseRef) -> VectorRef:
        size, given = len(self.program), replace(ref, null=None).expression
        loop, stored = code.const(partial(multiplied, self.program), "products"), code.stored(ref)
        if stored == "None" and size <= INLINE:
            return code.vector(self._terms(code, ref))
        found = code.new("p")
        if size <= INLINE:
            with code.block(f"if {stored} is None"):
                code.line(f"{found} = ({', '.join(self._terms(code, ref))},)")
            with code.block("else"):
                code.line(f"{found} = {loop}({given}, {stored})")
        else:
            code.line(f"{found} = {loop}({given}, {stored})")
        after = None if stored == "None" else f"None if {stored} is None else nonzero({found})"
        return VectorRef((Part(found, size, unsigned=True),), size, None, after)

    def _terms(self, code: RowCode, ref: VectorRef | SparseRef) -> list[str]:
        """A line for each product."""
        names, terms = code.components(replace(ref, null=None)), list[str]()
        for parent, factor in self.program:
            x = names[factor]
            text = f"{x} + 0.0" if parent < 0 else f"{terms[parent]} and {terms[parent]} * {x} + 0.0"
            terms.append(code.let(text, "p"))
        return terms


def products(size: int, degree: int) -> list[tuple[int, int]]:
    """(place of the product without its last factor, or -1; that factor), in the order of the output.

    A product is the descending list of its factors; Spark's order is the order of these lists.
    """
    program: list[tuple[int, int]] = []
    open_products = [(-1, iter(range(size)))]  # the product before, and the factors still to follow it
    while open_products:
        parent, factors = open_products[-1]
        factor = next(factors, None)
        if factor is None:
            open_products.pop()
            continue
        program.append((parent, factor))
        if len(open_products) < degree:
            open_products.append((len(program) - 1, iter(range(factor + 1))))
    return program


def multiplied(program: Sequence[tuple[int, int]], values: Sequence[float], stored: Any = None) -> tuple[float, ...]:
    """The products of one row; `stored` are the indices a sparse one stores."""
    out: list[float] = []
    for parent, factor in program:
        if parent < 0:
            out.append(values[factor] + 0.0)
        else:
            before = out[parent]
            there = before != 0.0 and (stored is None or factor in stored)
            out.append(before * values[factor] + 0.0 if there else 0.0)
    return tuple(out)


def _count(size: int, degree: int) -> int:
    return math.comb(size + degree, min(degree, size)) - 1


TERM = re.compile(r"x(\d+)(?:\^(\d+))?", re.ASCII)
PIECE = re.compile(rf"1?|{TERM.pattern}( {TERM.pattern})*", re.ASCII)
MOST_TERMS = 1 << 18


@stage
class SklearnPolynomialExpansion(ExpandingStage):
    """scikit-learn's PolynomialFeatures: the products that `combinations` lists, each x<i> to a power.

    Products multiply from left to right, starting from 1.0; a combination without any x is 1.0.
    """

    op = "sklearn_polynomial_expansion"
    since = "0.9.3"
    attributes = (Attr("combinations", "string", REQUIRED, 'the products, such as "[x0,x1,x0^2,x0 x1]"'),)

    combinations: str

    def prepare(self) -> None:
        pieces = self.combinations.split(",")
        while len(pieces) > 1 and not pieces[-1]:
            pieces.pop()
        strange = next((each for each in pieces if not PIECE.fullmatch(each.strip("[] "))), None)
        if strange is not None and not self.context.mleap:  # MLeap takes what it cannot read for 1.0
            raise self.bad("a product of unknown names", "combinations", "x0, x1^2, x0 x1 or 1", strange)
        found = [TERM.findall(piece) for piece in pieces]
        if any(len(number) > 9 for terms in found for term in terms for number in term):
            raise self.bad("absurd number", "combinations", "numbers of up to 9 digits", self.combinations[:80])
        self.terms = [[(int(x), int(times or "1")) for x, times in terms] for terms in found]
        indices = {x for terms in self.terms for x, _ in terms}
        self.needed = max(indices, default=-1) + 1
        self.size = max(len(indices), self.needed)
        if self.needed > MOST_TERMS or len(self.terms) > MOST:
            raise self.bad("absurd dimensions", "combinations", f"entries below {MOST_TERMS}", self.needed)

    def wants(self) -> list[Type | None]:
        return [vector(self.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        size = vector_of(self, self.input_names[0], inputs[0], None).size
        if size is None or size < self.needed:
            raise self.refuse(self.input_names[0], f"a vector of at least {self.needed} entries", inputs[0])
        return [vector(len(self.terms))]

    def expand(self, column: Vectors) -> Vectors:
        matrix, out = column.matrix, np.ones((len(self.terms), len(column)))
        for place, terms in enumerate(self.terms):
            for x, times in terms:
                out[place] *= _raised(matrix[x], times)
        return Vectors(out)

    def expand_row(self, code: RowCode, ref: VectorRef | SparseRef) -> VectorRef:
        names, out = code.components(replace(ref, null=None)), []
        for terms in self.terms:
            factors = ["1.0"]
            for x, times in terms:
                given = names[x]
                plain = {0: "1.0", 1: given, 2: f"({given} * {given})"}
                factors.append(plain.get(times) or f"{code.const(power, 'power')}({given}, {code.number(times)})")
            out.append(code.let(" * ".join(factors), "p"))
        return code.vector(out)


def _raised(values: Floats, times: int) -> Floats:
    """Powers as Java's Math.pow gives them: up to the square without error."""
    if times <= 2:
        return (np.ones_like(values), values, values * values)[times]
    return mapped(_power(float(times)), values)


def _power(times: float) -> Callable[[float], float]:
    return lambda x: power(x, times)
