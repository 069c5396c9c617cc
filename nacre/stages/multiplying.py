"""Vectors times fitted or given factors: max_abs_scaler, elementwise_product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nacre.bundle.values import Tensor
from nacre.errors import UnsupportedError
from nacre.stages.base import REQUIRED, Attr, data, stage
from nacre.stages.scaling import Multiplier

if TYPE_CHECKING:
    import numpy as np

    from nacre.spark.saved import Saved


@stage
class MaxAbsScaler(Multiplier):
    """x * (1 / largest size of the entry when fitted), 0 counting as 1. MLeap divides, and cuts off at -1 and 1."""

    op = "max_abs_scaler"
    unlike = "what goes beyond -1 to 1 is cut off there"
    spark_classes = ("org.apache.spark.ml.feature.MaxAbsScalerModel",)
    attributes = (
        Attr("maxAbs", "tensor", REQUIRED, "largest absolute value of each entry when fitted", spark=data("maxAbs")),
    )

    maxAbs: Tensor  # noqa: N815 - the attribute's own spelling

    def prepare(self) -> None:
        self.size = len(self.maxAbs.values)
        tops = [1.0 if top == 0.0 else top for top in self.maxAbs.values]
        self.factors = tops if self.context.mleap else [1.0 / top for top in tops]

    def product(self, values: np.ndarray, factors: Any) -> np.ndarray:
        made: np.ndarray = values / factors if self.context.mleap else values * factors
        if self.context.mleap:  # NaN passes
            made[made > 1.0], made[made < -1.0] = 1.0, -1.0
        return made

    def product_row(self, x: str, factor: str) -> str:
        return f"max(min({x} / {factor}, 1.0), -1.0)" if self.context.mleap else f"{x} * {factor}"


def weights(saved: Saved) -> Tensor:
    """The param scalingVec: {"type": 1, "values": […]}, or type 0 with size and indices."""
    given = saved.param("scalingVec", None)
    if given is None:
        raise UnsupportedError(
            "an ElementwiseProduct without weights", expected="scalingVec", got="nothing", node=saved.uid,
            fix="Set scalingVec",
        )  # fmt: skip
    if given["type"] == 1:
        return Tensor([float(x) for x in given["values"]], (len(given["values"]),))
    full = [0.0] * given["size"]
    for i, x in zip(given["indices"], given["values"], strict=True):
        full[i] = float(x)
    return Tensor(full, (len(full),))


@stage
class ElementwiseProduct(Multiplier):
    """Each entry times its weight. A zero that a sparse vector does not store stays 0.0, whatever the weight."""

    op = "elementwise_product"
    spark_classes = ("org.apache.spark.ml.feature.ElementwiseProduct",)
    attributes = (Attr("scaling_vec", "tensor", REQUIRED, "weight of each entry", spark=weights),)

    scaling_vec: Tensor

    def prepare(self) -> None:
        self.size = len(self.scaling_vec.values)
        self.factors = self.scaling_vec.values
