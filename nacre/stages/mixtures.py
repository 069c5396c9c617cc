"""Points to shares of clusters or topics: gaussian_mixture, lda_local_model_op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.plan.frame import Column, Csr, Floats, Result, Scalars, Vectors
from nacre.plan.maths import EXP
from nacre.plan.mixtures import EPSILON, Gaussian, Topics
from nacre.plan.rowcode import Part, Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, data, stage, vector_of
from nacre.stages.classifying import FEATURES, PROBABILITY, first_largest
from nacre.stages.linear import matrix_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.values import Tensor

CLUSTER = Type("int")
SEED = 1421925485
"""What Spark's local model starts from, whatever its seed param says: the hash of its class's name."""
RANDOM = 1e-2
"""Bound where Spark itself starts from another seed in every process: it stops at a mean change of 1e-3."""
LDA_SLACK = 1e-8
"""The steps contract towards the answer, so that last bits of each step do not add up; they may end a step apart."""


@stage
class GaussianMixture(Stage):
    """Weight times density of each Gaussian, plus 2^-52, divided by their sum; the largest is the prediction."""

    op = "gaussian_mixture"
    spark_classes = ("org.apache.spark.ml.clustering.GaussianMixtureModel",)
    attributes = (
        Attr("means", "list<tensor>", REQUIRED, "mean of each Gaussian", spark=data("mus")),
        Attr("covs", "list<tensor>", REQUIRED, "covariance of each, column by column", spark=data("sigmas")),
        Attr("weights", "list<double>", REQUIRED, "share of each", spark=data("weights")),
    )
    inputs = (FEATURES,)
    outputs = (PROBABILITY, Port("prediction", CLUSTER, "predictionCol", optional=True))
    exact = "1e-12 of the exponent's terms: another library's eigendecomposition; a prediction may differ on such a tie"

    means: list[Tensor]
    covs: list[Tensor]
    weights: list[float]

    def prepare(self) -> None:
        if not len(self.means) == len(self.covs) == len(self.weights) > 0:
            raise self.bad(
                "means, covariances and weights do not match", "weights", f"{len(self.means)}", len(self.weights)
            )
        self.size = len(self.means[0].values)
        self.gaussians = [self._gaussian(mean, cov) for mean, cov in zip(self.means, self.covs, strict=True)]

    def _gaussian(self, mean: Tensor, cov: Tensor) -> Gaussian:
        matrix = matrix_of(self, "covs", cov)
        if len(mean.values) != self.size or matrix.shape != (self.size, self.size):
            raise self.bad("a Gaussian of another size", "covs", f"{self.size} by {self.size}", list(matrix.shape))
        try:
            return Gaussian(mean.values, matrix)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise self.bad(
                "a covariance without a density", "covs", "a positive semidefinite matrix", str(error)
            ) from None

    def wants(self) -> list[Type | None]:
        return [vector(self.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.size)
        return [vector(len(self.weights)) if port == PROBABILITY.name else CLUSTER for port in self.output_ports]

    def columns(self, inputs: Sequence[Column]) -> Result:
        column = inputs[0]
        assert isinstance(column, Vectors)
        with np.errstate(all="ignore"):
            shares = self._shares(column.matrix)
            made: dict[str, Column] = {
                PROBABILITY.name: Vectors(shares),
                "prediction": Scalars(first_largest(shares).astype(np.int32)),
            }
        result = Result([made[port] for port in self.output_ports])
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{self.size}]", got=lambda row: None)
        return result

    def _shares(self, matrix: Floats) -> Floats:
        found = [
            EPSILON + weight * each.columns(matrix) for weight, each in zip(self.weights, self.gaussians, strict=True)
        ]
        total = np.zeros(matrix.shape[1])
        for share in found:
            total += share
        return np.array([share / total for share in found])

    def _shares_row(self, point: Sequence[float]) -> tuple[float, ...]:
        found = [EPSILON + weight * each.row(point) for weight, each in zip(self.weights, self.gaussians, strict=True)]
        total = 0.0
        for share in found:
            total += share
        return tuple(share / total for share in found)

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        ref = inputs[0]
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        shares = code.let(f"{code.const(self._shares_row)}({replace(ref, null=None).expression})", "p")
        made: dict[str, Ref] = {
            PROBABILITY.name: VectorRef((Part(shares, len(self.weights), unsigned=True),), len(self.weights)),
            "prediction": ScalarRef(code.let(f"{code.const(largest)}({shares})", "k"), base="int"),
        }
        return [made[port] for port in self.output_ports]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        if port != PROBABILITY.name or inputs[0] is None or not np.isfinite(inputs[0]).all():
            return 0.0
        return EXP * (1.0 + max(each.slack(inputs[0]) for each in self.gaussians))


def largest(shares: Sequence[float]) -> int:
    """Index of the first largest; a NaN neither beats nor is beaten."""
    best, found = shares[0], 0
    for index, share in enumerate(shares):
        if share > best:
            best, found = share, index
    return found


@stage
class LocalLDA(Stage):
    """The share of each topic in a document of term counts, by variational inference; zeros for an empty document."""

    op = "lda_local_model_op"
    spark_classes = ("org.apache.spark.ml.clustering.LocalLDAModel",)
    attributes = (
        Attr("vocabSize", "int", REQUIRED, "number of terms", spark=data("vocabSize")),
        Attr(
            "docConcentration", "list<double>", REQUIRED, "prior of each topic in a document",
            spark=lambda saved: saved.data("docConcentration").values,
        ),
        Attr("topicConcentration", "double", REQUIRED, "prior of terms in topics; not used in scoring",
             spark=data("topicConcentration")),
        Attr("topicMatrix", "tensor", REQUIRED, "weight of each term in each topic, column by column",
             spark=data("topicsMatrix")),
        Attr("nacre.seed", "long", None, "of the draws that a document starts from; absent: Spark's vary",
             spark=lambda saved: SEED),
        Attr("nacre.gamma_shape", "double", 100.0, "shape of these draws", spark=data("gammaShape")),
    )  # fmt: skip
    inputs = (FEATURES,)
    outputs = (Port("prediction", vector(), "topicDistributionCol", optional=True),)
    exact = "within 1e-8; a model fitted by EM within 1e-2: Spark starts it at random, as MLeap starts every one"

    vocabSize: int  # noqa: N815 - the attribute's own spelling
    docConcentration: list[float]  # noqa: N815
    topicConcentration: float  # noqa: N815
    topicMatrix: Tensor  # noqa: N815
    seed: int | None
    gamma_shape: float

    def prepare(self) -> None:
        matrix = matrix_of(self, "topicMatrix", self.topicMatrix)
        if matrix.shape != (self.vocabSize, len(self.docConcentration)):
            expected = f"{self.vocabSize} by {len(self.docConcentration)}"
            raise self.bad("a matrix of another size", "topicMatrix", expected, list(matrix.shape))
        if not self.gamma_shape > 1.0:
            raise self.bad("a shape that cannot be drawn", "nacre.gamma_shape", "more than 1", self.gamma_shape)
        seed = SEED if self.seed is None else self.seed
        self.topics = Topics(matrix, self.docConcentration, seed, self.gamma_shape)

    def wants(self) -> list[Type | None]:
        return [vector(self.vocabSize)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.vocabSize)
        return [vector(self.topics.k) for _ in self.output_ports]

    def columns(self, inputs: Sequence[Column]) -> Result:
        column = inputs[0]
        assert isinstance(column, Vectors)
        mixtures = [self.topics.mixture(*document) for document in _documents(column)]
        out = np.array(mixtures, np.float64).reshape(len(column), self.topics.k).T
        result = Result([Vectors(np.ascontiguousarray(out)) for _ in self.output_ports])
        if column.null is not None:
            size = f"vector[{self.vocabSize}]"
            result.fail(column.null, self.input_names[0], NULL, expected=size, got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        ref = inputs[0]
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        if isinstance(ref, SparseRef):
            document = f"{ref.indices}, {ref.values}"
        else:
            document = f"range({ref.size}), {replace(ref, null=None).expression}"
        shares = code.let(f"{code.const(self.topics.mixture)}({document})", "p")
        return [VectorRef((Part(shares, self.topics.k),), self.topics.k) for _ in self.output_ports]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        return RANDOM if self.seed is None else LDA_SLACK


def _documents(column: Vectors) -> Any:
    """(indices, counts) of each row."""
    if isinstance(column, Csr):
        bounds = zip(column.indptr[:-1].tolist(), column.indptr[1:].tolist(), strict=True)
        return [(column.indices[a:b].tolist(), column.values[a:b].tolist()) for a, b in bounds]
    every = range(column.size)
    return [(every, row) for row in column.matrix.T.tolist()]
