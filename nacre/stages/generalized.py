"""Regressions whose mean is a function of one sum: generalized_linear_regression, aft_survival_regression."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.plan.frame import Column, Floats, Result, Scalars, Vectors
from nacre.plan.links import DEFAULT_LINK, PROJECT, ROUGH, UNLINK, Function, fitted, power_unlink
from nacre.plan.maths import EXP, exp, log, mapped
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, data, double_of, param, stage, vector_of
from nacre.stages.classifying import FEATURES, PREDICTION
from nacre.stages.linear import COEFFICIENTS, INTERCEPT, SUM_BOUND, LinearStage
from nacre.stages.scaling import NULL

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

LINK_PREDICTION = Port("link_prediction", DOUBLE, "linkPredictionCol", optional=True)
OFFSET = Port("offset", DOUBLE, "offsetCol", optional=True)
FURTHER_BOUND = f"{SUM_BOUND}, what follows through exp within 1e-12 more"


class MeanStage(LinearStage):
    """The linear predictor eta = x·w + b at one port, and its mean at another."""

    outputs = (LINK_PREDICTION, PREDICTION)
    exact = FURTHER_BOUND
    family: str
    rough: bool = False
    """Whether only the absolute error of a small mean is small."""
    mean: Function
    """Linear predictor to mean, set by `prepare`."""

    def known(self, field: str, word: str, words: Iterable[str]) -> None:
        """Refuse a word that is none of these."""
        if word not in words:
            raise self.bad("unknown word", field, " or ".join(words), word)

    def made(self, eta: Floats) -> dict[str, Column]:
        return {PREDICTION.name: Scalars(mapped(self.mean, eta)), LINK_PREDICTION.name: Scalars(eta)}

    def made_row(self, code: RowCode, eta: str) -> dict[str, Ref]:
        made: dict[str, Ref] = {LINK_PREDICTION.name: ScalarRef(eta)}
        if PREDICTION.name in self.output_ports:
            made[PREDICTION.name] = ScalarRef(code.let(f"{code.const(self.mean)}({eta})", "y"))
        return made

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        if inputs[0] is None:
            return 0.0
        bound = super().slack(port, inputs)
        if port == LINK_PREDICTION.name or bound == math.inf:
            return bound
        eta = self.eta(inputs)
        ends = [self.mean(eta - bound), self.mean(eta), self.mean(eta + bound)]
        if not all(map(math.isfinite, ends)):
            return 0.0
        return max(ends) - min(ends) + EXP * abs(ends[1]) + (1e-15 if self.rough else 0.0)

    def eta(self, inputs: Sequence[Any]) -> float:
        """The linear predictor of one row."""
        return float(self.sums.columns(Vectors(np.array(inputs[0], np.float64).reshape(-1, 1)))[0, 0])


@stage
class GeneralizedLinearRegression(MeanStage):
    """The mean: the inverse link of x·w + b, kept in the family's range."""

    op = "generalized_linear_regression"
    spark_classes = ("org.apache.spark.ml.regression.GeneralizedLinearRegressionModel",)
    attributes = (
        COEFFICIENTS,
        INTERCEPT,
        Attr("family", "string", REQUIRED, "of the distribution", tuple(DEFAULT_LINK), folded=True),
        Attr("link", "string", None, "from the mean to the linear predictor; absent: the family's own", folded=True),
    )
    link: str | None

    def prepare(self) -> None:
        super().prepare()
        link = self.link or DEFAULT_LINK[self.family]
        self.known("link", link, UNLINK)
        self.rough = link in ROUGH
        self.mean = fitted(self.family, UNLINK[link])

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        values: dict[str, Any] = {"coefficients": saved.data("coefficients"), "intercept": saved.data("intercept")}
        family, link = str(saved.param("family")).lower(), saved.param("link", None)
        offset = saved.param("offsetCol", None)
        link_power = None
        if family == "tweedie":
            family, link, link_power = _tweedie(saved)
        outputs = saved.ports(cls.outputs)
        if link_power is not None or offset:
            values |= {"family": family, "link": "power" if link_power is not None else link or DEFAULT_LINK[family]}
            inputs = saved.ports(PowerRegression.inputs)
            return [PowerRegression.make(saved.uid, {**values, "link_power": link_power}, inputs, outputs)]
        values |= {"family": family, "link": str(link).lower() if link else None}
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), outputs)]


def _tweedie(saved: Saved) -> tuple[str, str | None, float | None]:
    """(family, link, link power) with the same means: a special case's own name, or the family of any mean above 0
    where the link is one that has a name; a link power only where there is no name."""
    variance = float(saved.param("variancePower", 0.0))
    family = {0.0: "gaussian", 1.0: "poisson", 2.0: "gamma"}.get(variance)
    chosen = saved.param("linkPower", None)
    if chosen is None and family is not None:
        return family, None, None
    power = 1.0 - variance if chosen is None else float(chosen)
    named = {0.0: "log", 1.0: "identity", -1.0: "inverse", 0.5: "sqrt"}.get(power)
    if named is not None:
        return family or "poisson", named, None
    return family or "tweedie", None, power


@stage
class PowerRegression(MeanStage):
    """A generalized linear model that MLeap has no form for: a link that is a power of the mean, or an offset added to
    x·w + b from a column of its own. A null offset gives nulls."""

    op = "nacre.generalized_linear_regression"
    instead = "Fit it with a named link in place of linkPower, and without offsetCol"
    inputs = (FEATURES, OFFSET)
    attributes = (
        COEFFICIENTS,
        INTERCEPT,
        Attr("family", "string", REQUIRED, "of the distribution"),
        Attr("link", "string", REQUIRED, "from the mean to the linear predictor, or `power`"),
        Attr("link_power", "double", None, "the exponent of the link `power`"),
    )
    link: str
    link_power: float | None

    def prepare(self) -> None:
        super().prepare()
        self.known("family", self.family, PROJECT)
        self.known("link", self.link, (*UNLINK, "power"))
        if self.link == "power" and self.link_power is None:
            raise self.bad("an attribute is missing", "link_power", "double", "nothing")
        self.rough = self.link in ROUGH
        unlink = power_unlink(self.link_power or 0.0) if self.link == "power" else UNLINK[self.link]
        self.mean = fitted(self.family, unlink)

    def wants(self) -> list[Type | None]:
        known: list[Type | None] = [vector(self.sums.size), DOUBLE]
        return known[: len(self.input_names)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given in zip(self.input_names[1:], inputs[1:], strict=True):
            double_of(self, name, given)
        return super().types(inputs[:1])

    def columns(self, inputs: Sequence[Column]) -> Result:
        if len(inputs) == 1 or not self.output_ports:
            return super().columns(inputs)
        column, offset = inputs
        assert isinstance(column, Vectors)
        assert isinstance(offset, Scalars)
        with np.errstate(all="ignore"):
            made = self.made(self.sums.columns(column)[0] + offset.doubles())
        outputs = [made[port] for port in self.output_ports]
        result = Result([Scalars(each.values, offset.null) for each in outputs if isinstance(each, Scalars)])
        if column.null is not None:
            # Spark does not look at the features where the offset is null.
            mask = column.null if offset.null is None else column.null & ~offset.null
            size = f"vector[{self.sums.size}]"
            result.fail(mask, self.input_names[0], NULL, expected=size, got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        if not self.output_ports:
            return []
        if len(inputs) == 1:
            return super().row(code, inputs)
        ref, offset = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        assert isinstance(offset, ScalarRef)
        shift = code.double(offset)
        names = {port: code.let("None", "y") for port in self.output_ports}
        with code.block(f"if {shift} is not None" if offset.nullable else "if True"):
            if ref.null is not None:
                with code.block(f"if {ref.null}"):
                    code.fail(self.input_names[0], NULL, f"vector[{ref.size}]", "None")
            made = self.made_row(code, code.let(f"{self.sums.row(code, ref)[0]} + {shift}", "e"))
            for port, name in names.items():
                code.line(f"{name} = {made[port].expression}")
        return [ScalarRef(name, offset.nullable) for name in names.values()]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        return 0.0 if None in inputs else super().slack(port, inputs)

    def eta(self, inputs: Sequence[Any]) -> float:
        return super().eta(inputs) + (float(inputs[1]) if len(inputs) > 1 else 0.0)


@stage
class AFTSurvivalRegression(LinearStage):
    """exp(x·w + b), and quantiles: that times e^(ln(-ln(1 - q)) * scale) for each probability q."""

    op = "aft_survival_regression"
    spark_classes = ("org.apache.spark.ml.regression.AFTSurvivalRegressionModel",)
    exact = FURTHER_BOUND
    attributes = (
        COEFFICIENTS,
        INTERCEPT,
        Attr(
            "quantile_probabilities", "list<double>", REQUIRED, "of the quantiles", spark=param("quantileProbabilities")
        ),
        Attr("scale", "double", REQUIRED, "of the Weibull distribution", spark=data("scale")),
    )
    outputs = (PREDICTION, Port("quantiles", vector(), "quantilesCol", optional=True))
    quantile_probabilities: list[float]
    scale: float

    def prepare(self) -> None:
        super().prepare()
        self.factors = [exp(self._spread(q)) for q in self.quantile_probabilities]

    def _spread(self, q: float) -> float:
        place = log(-log(1.0 - q))
        if not self.context.mleap:
            return place * self.scale
        shape = 1.0 / self.scale if self.scale else math.copysign(math.inf, self.scale)
        return place / shape if shape else math.nan

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.sums.size)
        return [DOUBLE if port == PREDICTION.name else vector(len(self.factors)) for port in self.output_ports]

    def made(self, eta: Floats) -> dict[str, Column]:
        mean = mapped(exp, eta)
        quantiles = np.array([mean * factor for factor in self.factors]).reshape(len(self.factors), len(mean))
        return {PREDICTION.name: Scalars(mean), "quantiles": Vectors(quantiles)}

    def made_row(self, code: RowCode, eta: str) -> dict[str, Ref]:
        mean = code.let(f"{code.const(exp)}({eta})", "y")
        made: dict[str, Ref] = {PREDICTION.name: ScalarRef(mean)}
        if "quantiles" in self.output_ports:
            made["quantiles"] = code.vector([code.let(f"{mean} * {code.number(each)}", "q") for each in self.factors])
        return made

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        if inputs[0] is None:
            return 0.0
        bound = super().slack(port, inputs)
        if bound == math.inf:
            return bound
        eta = float(self.sums.columns(Vectors(np.array(inputs[0], np.float64).reshape(-1, 1)))[0, 0])
        largest = 1.0 if port == PREDICTION.name else max(map(abs, self.factors), default=0.0)
        found = largest * (exp(eta + bound) - exp(eta - bound) + 3.0 * EXP * exp(eta))
        return found if math.isfinite(found) else 0.0
