"""Vectors times a matrix: pca, dct."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.plan.frame import Column, Floats, Result, Vectors
from nacre.plan.products import bound, finite, times, times_row
from nacre.plan.rowcode import Ref, RowCode, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, data, param, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.values import Tensor

WIDEST = 4096
"""Entries of a vector whose matrix of cosines is made; 128 MB of doubles."""


SIGN = 5e-324
"""A bound for sums of zeros: the order decides on the sign of theirs."""


LARGEST = 1e300
"""Sum of sizes up to which no step of a fast transform overflows."""


class Projection(Stage):
    """One vector in, its products with the rows of a matrix out, as a dense vector."""

    inputs = (Port("input", vector(), "inputCol"),)
    outputs = (Port("output", vector(), "outputCol"),)

    def matrix(self, size: int) -> Floats:
        """The matrix for vectors of this size, shape (outputs, size)."""
        raise NotImplementedError

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        with np.errstate(all="ignore"):
            result = Result([Vectors(times(self.matrix(column.size), column))])
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{column.size}]", got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        return [code.vector(times_row(code, self.matrix(ref.size), ref))]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        (values,) = inputs
        return max((bound(row, values) for row in self.matrix(len(values)).tolist()), default=0.0) or SIGN


@stage
class Pca(Projection):
    """The vector's products with the principal components; nothing is centred."""

    op = "pca"
    spark_classes = ("org.apache.spark.ml.feature.PCAModel",)
    attributes = (
        Attr(
            "principal_components", "tensor", REQUIRED,
            "a column a component, shape (features, k), column-major; of scikit-learn's exporter a row, row-major",
            spark=data("pc"),
        ),
    )  # fmt: skip
    exact = (
        "each component within 1e-12 of the sum of its terms' sizes (Spark's BLAS adds in another order); a zero of "
        "either sign"
    )

    principal_components: Tensor

    def prepare(self) -> None:
        dims, values = self.principal_components.dims, self.principal_components.values
        if len(dims) != 2 or not finite(values):
            got = f"{list(dims)} {'with' if not finite(values) else 'without'} NaN or infinities"
            raise self.bad("no matrix of components", "principal_components", "[features, k] finite numbers", got)
        self.features, self.k = reversed(dims) if self.context.row_major else dims  # scikit-learn's is transposed
        self.components = np.array(values).reshape(self.k, self.features)

    def matrix(self, size: int) -> Floats:
        return self.components

    def wants(self) -> list[Type | None]:
        return [vector(self.features)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.features)
        return [vector(self.k)]


@stage
class Dct(Projection):
    """The discrete cosine transform of type II with orthonormal scaling, or its inverse, that of type III."""

    op = "dct"
    spark_classes = ("org.apache.spark.ml.feature.DCT",)
    attributes = (
        Attr("inverse", "boolean", False, "whether to transform back", spark=param("inverse")),
        Attr("input_size", "int", None, "number of entries", spark=lambda saved: saved.size_of("inputCol")),
    )
    exact = (
        "for numbers up to 1e300, each entry within 1e-12 of the sum of its terms' sizes (Spark's fast transform adds "
        "in another order); a zero of either sign"
    )

    inverse: bool
    input_size: int | None

    def matrix(self, size: int) -> Floats:
        return cosines(size, self.inverse)

    def wants(self) -> list[Type | None]:
        return [vector(self.input_size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        found = vector_of(self, self.input_names[0], inputs[0], self.input_size)
        if found.size is None or not 0 < found.size <= WIDEST:
            raise self.refuse(self.input_names[0], f"a vector of 1 to {WIDEST} entries", found)
        return [found]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        """None where Spark's transform meets infinities, its own steps' too, that a plain sum does not meet."""
        return super().slack(port, inputs) if sum(map(abs, inputs[0])) <= LARGEST else math.inf


@lru_cache(maxsize=8)
def cosines(size: int, inverse: bool) -> Floats:
    """The orthonormal matrix of the type II transform, shape (size, size): entry (k, i) is
    sqrt(2 / size) * cos(pi * (2 * i + 1) * k / (2 * size)), and sqrt(1 / size) for k = 0; transposed for the inverse.
    """
    wave = [math.sqrt(2.0 / size) * _cosine(m, size) for m in range(4 * size)]
    table = np.array(wave)[np.outer(np.arange(size), 2 * np.arange(size) + 1) % (4 * size)]
    table[0] = math.sqrt(1.0 / size)
    table.flags.writeable = False
    made: Floats = table.T if inverse else table
    return made


def _cosine(m: int, size: int) -> float:
    """cos(pi * m / (2 * size)), exactly 0 and symmetric where it should be."""
    if m > 2 * size:
        return _cosine(4 * size - m, size)
    if m > size:
        return -_cosine(2 * size - m, size)
    return 0.0 if m == size else math.cos(math.pi * m / (2 * size))
