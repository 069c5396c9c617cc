"""Spark classes without a Bundle.ML op of their own that existing ops express: one class into one or more nodes.

A class that is one op's own stands in that Stage's `spark_classes` instead.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from nacre.stages.scaling import scaler

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

Expansion = Callable[["Saved"], list["Node"]]

EXPANSIONS: dict[str, Expansion] = {}
"""Spark class name -> function from the saved stage to its nodes; its docstring's first line goes into the docs."""


def expands(*spark_classes: str) -> Callable[[Expansion], Expansion]:
    """Decorator: the function writes these Spark classes."""

    def register(function: Expansion) -> Expansion:
        for name in spark_classes:
            assert name not in EXPANSIONS, f"two expansions of {name}"
            EXPANSIONS[name] = function
        return function

    return register


@cache
def expansions() -> dict[str, Expansion]:
    """EXPANSIONS, once every module ``expand_<family>`` beside this one has added its own."""
    package = importlib.import_module("nacre.spark")
    for found in pkgutil.iter_modules(package.__path__):
        if found.name.startswith("expand_"):
            importlib.import_module(f"nacre.spark.{found.name}")
    return EXPANSIONS


@expands("org.apache.spark.ml.feature.RobustScalerModel")
def robust_scaler(saved: Saved) -> list[Node]:
    """standard_scaler, with the median for the mean and the range for the standard deviation; equal bit for bit."""
    median, spread = saved.data("median"), saved.data("range")
    shifts = median if saved.param("withCentering") else None
    return [scaler(saved, shifts, spread if saved.param("withScaling") else None, len(spread.values))]
