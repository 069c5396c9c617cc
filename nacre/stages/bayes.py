"""naive_bayes: log priors and, for each class, a sum over the features."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.plan.frame import Bools, Column, Csr, Floats, Result, Vectors
from nacre.plan.linear import Sums
from nacre.plan.maths import EXP, SUM, exp, log, mapped, total
from nacre.plan.rowcode import Ref, RowCode, SparseRef, VectorRef
from nacre.plan.softmax import divided, divided_row, softmax, softmax_row, softmax_slack
from nacre.stages.base import REQUIRED, Attr, data, param, stage
from nacre.stages.classifying import THRESHOLDS, ClassifierStage
from nacre.stages.linear import SUM_BOUND, matrix_of
from nacre.stages.scaling import refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.bundle.values import Tensor
    from nacre.spark.saved import Saved

WORDS = ("multinomial", "bernoulli", "complement", "gaussian")


@stage
class NaiveBayes(ClassifierStage):
    """Raw scores by kind of model. multinomial: pi + theta·x; bernoulli: the same with log(1 - e^theta) for a feature
    that is 0; complement: theta·x less its log-sum-exp, without priors; gaussian: pi less half of
    sum((x - theta)^2 / sigma + ln sigma). Probabilities are their softmax.

    MLeap 0.20 loads only multinomial and bernoulli, and spells them with a capital when it writes them again.
    """

    op = "naive_bayes"
    spark_classes = ("org.apache.spark.ml.classification.NaiveBayesModel",)
    exact = f"{SUM_BOUND}, logarithms and probabilities within 1e-12 more"
    attributes = (
        Attr("num_features", "long", REQUIRED, "size of the features vector"),
        Attr("num_classes", "long", REQUIRED, "number of classes"),
        Attr("pi", "tensor", REQUIRED, "logarithm of each class's prior probability", spark=data("pi")),
        Attr("theta", "tensor", REQUIRED, "(classes, features), column by column: logarithms, or means if gaussian",
             spark=data("theta")),
        Attr("model_type", "string", REQUIRED, "kind of model", WORDS, spark=param("modelType"), folded=True,
             newer={"complement": "", "gaussian": ""}),
        THRESHOLDS,
        Attr("sigma", "tensor", None, "variances of a gaussian model, in the form of theta; [0, 0] for others"),
    )  # fmt: skip
    num_features: int
    num_classes: int
    pi: Tensor
    theta: Tensor
    model_type: str
    sigma: Tensor | None

    def prepare(self) -> None:
        self.kind = self.model_type
        theta, expected = matrix_of(self, "theta", self.theta), (self.num_classes, self.num_features)
        if theta.shape != expected or len(self.pi.values) != self.num_classes or not self.num_classes:
            raise self.bad("theta of another size", "theta", list(expected), list(theta.shape))
        self.check_thresholds()
        self.sums = Sums(*self._weights(theta))
        if self.kind == "gaussian":
            self.means, self.variances = theta, self._variances()
            self.logs = [total_of([log(s) for s in row]) for row in self.variances.tolist()]
            self.log_sizes = [math.fsum(abs(log(s)) for s in row) for row in self.variances.tolist()]

    def _weights(self, theta: Floats) -> tuple[Floats, list[float] | None]:
        if self.kind == "bernoulli":
            absent = mapped(self._log_of_rest, theta)
            priors = [pi + total_of(row) for pi, row in zip(self.pi.values, absent.tolist(), strict=True)]
            with np.errstate(all="ignore"):
                return theta - absent, priors
        return theta, self.pi.values if self.kind == "multinomial" else None

    def _log_of_rest(self, theta: float) -> float:
        """ln(1 - e^theta), to the last bit that the other side has."""
        rest = exp(theta)
        if self.context.mleap:
            return log(1.0 - rest)
        return math.log1p(-rest) if rest < 1.0 else log(1.0 - rest)

    def _variances(self) -> Floats:
        if self.sigma is None or self.sigma.dims != self.theta.dims:
            got = "nothing" if self.sigma is None else list(self.sigma.dims)
            raise self.bad("a gaussian model needs its variances", "sigma", list(self.theta.dims), got)
        return matrix_of(self, "sigma", self.sigma)

    @property
    def size(self) -> int | None:
        return self.num_features

    @property
    def classes(self) -> int:
        return self.num_classes

    # Values that a model of counts does not take

    @property
    def _refusal(self) -> tuple[str, str, Callable[[float], bool]] | None:
        """(message, expected, whether a value is good) of the kinds that look at their values."""
        if self.kind == "bernoulli":
            return "Bernoulli naive Bayes takes 0 and 1 only", "0 or 1", _is_flag
        if self.kind == "gaussian" or self.context.mleap:
            return None
        return "naive Bayes takes no negative value", "0 or more", _is_count

    def columns(self, inputs: Sequence[Column]) -> Result:
        result = super().columns(inputs)
        (column,) = inputs
        assert isinstance(column, Vectors)
        if self._refusal is not None and self.output_ports:
            message, expected, _ = self._refusal
            bad, got = self._bad(column)
            result.fail(bad, self.input_names[0], message, expected=expected, got=got)
        return result

    def _bad(self, column: Vectors) -> tuple[Bools, Callable[[int], float]]:
        """(which rows hold a value that is refused, its first such value)."""
        values = column.values if isinstance(column, Csr) else column.matrix
        if self.kind == "bernoulli":
            wrong = (values != 0.0) & (values != 1.0)
        else:
            wrong = ~(values >= 0.0)
        if isinstance(column, Csr):
            rows = column.rows()
            bad = np.bincount(rows[wrong], minlength=len(column)) > 0
            return bad, lambda row: float(values[wrong & (rows == row)][0])
        return wrong.any(axis=0), lambda row: float(values[int(np.argmax(wrong[:, row])), row])

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        if not self.output_ports:
            return []
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        if self._refusal is not None:
            message, expected, good = self._refusal
            values = ref.values if isinstance(ref, SparseRef) else code.let(replace(ref, null=None).expression, "x")
            bad = code.let(f"{code.const(_first_bad)}({values}, {code.const(good)})", "bad")
            with code.block(f"if {bad} is not None"):
                code.fail(self.input_names[0], message, expected, bad)
        return super().row(code, [replace(ref, null=None)])

    # Scores

    def raw(self, features: Vectors) -> Floats:
        if self.kind == "gaussian":
            return self._gaussian(features.matrix)
        sums = self.sums.columns(features)
        if self.kind != "complement":
            return sums
        powers = mapped(exp, sums - _largest(sums))
        return sums - (mapped(log, total(list(powers))) + _largest(sums))

    def _gaussian(self, matrix: Floats) -> Floats:
        out = np.empty((self.classes, matrix.shape[1]))
        for k, (means, variances) in enumerate(zip(self.means, self.variances, strict=True)):
            s = np.zeros(matrix.shape[1])
            for x, mean, variance in zip(matrix, means, variances, strict=True):
                d = x - mean
                s += d * d / variance
            out[k] = self.pi.values[k] - (s + self.logs[k]) / 2.0
        return out

    def raw_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[str]:
        if self.kind == "gaussian":
            x, distance = code.let(replace(features, null=None).expression, "x"), code.const(_distance)
            names = []
            for pi, means, variances, logs in zip(
                self.pi.values, self.means.tolist(), self.variances.tolist(), self.logs, strict=True
            ):
                s = f"{distance}({x}, {code.const(means)}, {code.const(variances)})"
                names.append(code.let(f"{code.number(pi)} - ({s} + {code.number(logs)}) / 2.0", "r"))
            return names
        sums = self.sums.row(code, features)
        if self.kind != "complement":
            return sums
        part = code.let(f"{code.const(_log_sum_exp)}(({', '.join(sums)},))", "l")
        return [code.let(f"{x} - {part}", "r") for x in sums]

    def probability(self, raw: Floats) -> Floats:
        return divided(raw) if self.context.mleap else softmax(raw)

    def probability_row(self, code: RowCode, raw: Sequence[str]) -> list[str]:
        return divided_row(code, raw) if self.context.mleap else softmax_row(code, raw)

    # Bounds

    def raw_slack(self, values: Sequence[float]) -> list[float]:
        if self.kind == "gaussian":
            return self._gaussian_slack(values)
        bounds = self.sums.slack(values)
        if self.kind != "complement":
            return bounds
        size = max(abs(x) for x in self.sums.columns(Vectors(np.array(values, np.float64).reshape(-1, 1)))[:, 0])
        return [max(bounds) * 2.0 + EXP * size * 3.0 if math.isfinite(size) else 0.0] * self.classes

    def _gaussian_slack(self, values: Sequence[float]) -> list[float]:
        values = [float(x) for x in values]
        rows = zip(self.pi.values, self.means.tolist(), self.variances.tolist(), self.log_sizes, strict=True)
        sizes = [abs(pi) + _distance(values, means, variances) + logs for pi, means, variances, logs in rows]
        return [SUM * size if math.isfinite(size) else 0.0 for size in sizes]

    def probability_slack(self, raw: Floats, bounds: Sequence[float]) -> float:
        return softmax_slack(bounds)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        values = saved.attributes(cls)
        values["num_classes"], values["num_features"] = values["theta"].dims
        if saved.has("sigma"):
            values["sigma"] = saved.data("sigma")
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


def total_of(values: Sequence[float]) -> float:
    """The sum in order."""
    out = 0.0
    for x in values:
        out += x
    return out


def _is_flag(x: float) -> bool:
    return x in (0.0, 1.0)


def _is_count(x: float) -> bool:
    return x >= 0.0


def _first_bad(values: Sequence[float], good: Callable[[float], bool]) -> float | None:
    return next((x for x in values if not good(x)), None)


def _largest(scores: Floats) -> Floats:
    best: Any = scores[0]
    for each in scores[1:]:
        best = np.where(each > best, each, best)
    return best  # type: ignore[no-any-return]


def _log_sum_exp(scores: Sequence[float]) -> float:
    top = scores[0]
    for x in scores:
        if x > top:
            top = x
    return log(total_of([exp(x - top) for x in scores])) + top


def _distance(values: Sequence[float], means: Sequence[float], variances: Sequence[float]) -> float:
    """The sum of (x - mean)^2 / variance in order."""
    s = 0.0
    for x, mean, variance in zip(values, means, variances, strict=True):
        d = x - mean
        square = d * d
        if variance:
            s += square / variance
        else:
            s += math.copysign(math.inf, variance) if square > 0.0 else math.nan
    return s
