"""Classes of MLeap's extension of Spark that existing ops express, as its own writer lays them out.

Those with an op of their own stand in that Stage's `spark_classes`. MapEntrySelectorModel, MultinomialLabeler and
SVMModel cannot be saved by Spark at all, so no saved pipeline holds one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nacre.plan.types import DOUBLE
from nacre.spark.expand import expands
from nacre.stages.imputing import Imputer

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved


@expands("org.apache.spark.ml.mleap.feature.ImputerModel")
def imputer(saved: Saved) -> list[Node]:
    """imputer of one column."""
    values = {
        "surrogate_value": saved.data("imputeValue"),
        "missing_value": saved.data("missingValue"),
        "strategy": saved.data("strategy"),
        "nullable_input": True,
        "nacre.input_type": saved.type_of(saved.columns(Imputer.inputs[0])[0], DOUBLE).base,
    }
    return [Imputer.make(saved.uid, values, saved.ports(Imputer.inputs), saved.ports(Imputer.outputs))]
