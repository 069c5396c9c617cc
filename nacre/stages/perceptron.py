"""multi_layer_perceptron_classifier: layers of sums with a sigmoid between them, softmax on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.plan.frame import Floats, Vectors
from nacre.plan.linear import Sums
from nacre.plan.maths import EXP, SUM, exp, mapped
from nacre.plan.softmax import divided, divided_row, softmax_slack
from nacre.stages.base import REQUIRED, Attr, data, param, stage
from nacre.stages.classifying import PREDICTION, THRESHOLDS, ClassifierStage
from nacre.stages.linear import SUM_BOUND

if TYPE_CHECKING:
    from nacre.bundle.values import Tensor
    from nacre.plan.rowcode import RowCode, SparseRef, VectorRef


@stage
class MultiLayerPerceptronClassifier(ClassifierStage):
    """For each layer W·x + b, then 1 / (1 + e^-x) between layers. Raw scores are the last layer's sums; probabilities
    their exp, the largest subtracted first, divided by the sum."""

    op = "multi_layer_perceptron_classifier"
    spark_classes = ("org.apache.spark.ml.classification.MultilayerPerceptronClassificationModel",)
    exact = f"{SUM_BOUND}, carried through the layers; sigmoids and probabilities within 1e-12 more"
    attributes = (
        Attr("layers", "list<long>", REQUIRED, "sizes from the features to the classes", spark=param("layers")),
        Attr("weights", "tensor", REQUIRED, "layer after layer: (outputs, inputs) column by column, then a number an "
             "output", spark=data("weights")),
        THRESHOLDS,
    )  # fmt: skip
    layers: list[int]
    weights: Tensor

    def prepare(self) -> None:
        if len(self.layers) < 2 or min(self.layers) < 1:
            raise self.bad("no layers", "layers", "two sizes or more, each at least 1", self.layers)
        pairs = list(zip(self.layers, self.layers[1:], strict=False))
        expected = sum((inputs + 1) * outputs for inputs, outputs in pairs)
        if len(self.weights.values) != expected:
            raise self.bad("weights do not fit the layers", "weights", f"{expected} values", len(self.weights.values))
        numbers, start = np.array(self.weights.values), 0
        self.sums: list[Sums] = []
        for inputs, outputs in pairs:
            middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
            matrix = numbers[start:middle].reshape((outputs, inputs), order="F")
            self.sums.append(Sums(matrix, numbers[middle:end].tolist()))
            start = end
        self.check_thresholds()
        if self._alone:
            self.thresholds = None

    @property
    def _alone(self) -> bool:
        """Whether the prediction stands alone: Spark then takes the most probable class, whatever the thresholds."""
        return self.output_ports == [PREDICTION.name] and not self.context.mleap

    @property
    def by_probability(self) -> bool:
        return self._alone or super().by_probability

    @property
    def size(self) -> int | None:
        return self.layers[0]

    @property
    def classes(self) -> int:
        return self.layers[-1]

    def raw(self, features: Vectors) -> Floats:
        made = self.sums[0].columns(features)
        for each in self.sums[1:]:
            made = each.columns(Vectors(_sigmoids(made)))
        return made

    def raw_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[str]:
        names = self.sums[0].row(code, features)
        for each in self.sums[1:]:
            hidden = [code.let(f"1.0 / (1.0 + {code.const(exp)}(-{x}))", "h") for x in names]
            names = each.row(code, code.vector(hidden))
        return names

    def probability(self, raw: Floats) -> Floats:
        return divided(raw)

    def probability_row(self, code: RowCode, raw: Sequence[str]) -> list[str]:
        return divided_row(code, raw)

    def raw_slack(self, values: Sequence[float]) -> list[float]:
        made = np.array(values, np.float64).reshape(-1, 1)
        bounds = np.array(self.sums[0].slack(values))
        made = self.sums[0].columns(Vectors(made))
        for each in self.sums[1:]:
            hidden = _sigmoids(made)
            # A sigmoid is nowhere steeper than 1/4.
            carried = np.abs(each.weights) @ (bounds / 4.0 + EXP * hidden[:, 0])
            bounds = carried * (1.0 + SUM) + np.array(each.slack(hidden[:, 0].tolist()))
            made = each.columns(Vectors(hidden))
        return [float(bound) for bound in bounds]

    def probability_slack(self, raw: Floats, bounds: Sequence[float]) -> float:
        return softmax_slack(bounds)


def _sigmoids(values: Floats) -> Floats:
    with np.errstate(all="ignore"):
        found: Floats = 1.0 / (1.0 + mapped(exp, -values))
    return found
