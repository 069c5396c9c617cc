"""What becomes of every transformer and model class of the installed `pyspark.ml`, for the docs and their test."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nacre.spark.convert import TUNED
from nacre.spark.expand import expansions
from nacre.spark.problems import REFUSED
from nacre.stages import by_spark_class

OTHER = ("pyspark.ml.tests", "pyspark.ml.connect", "pyspark.ml.torch", "pyspark.ml.deepspeed")
"""Packages without transformers that a Spark pipeline holds."""


@dataclass(frozen=True)
class Account:
    """A class of pyspark, and how it is written: `kind` is op, expansion, tuned, base, refused or, if nobody says how,
    the empty text."""

    name: str
    kind: str
    text: str


def accounts() -> list[Account]:
    """One for each class, in order of name."""
    found = {f"{cls.__module__}.{cls.__name__}": cls for cls in classes()}
    return [_account(name, found[name]) for name in sorted(found)]


def classes() -> Iterator[type]:
    """Every public class of `pyspark.ml` that transforms a frame."""
    from pyspark import ml
    from pyspark.ml.base import Transformer

    for module in pkgutil.walk_packages(ml.__path__, f"{ml.__name__}."):
        if module.name.startswith(OTHER):
            continue
        content = vars(importlib.import_module(module.name)).values()
        yield from (
            each
            for each in content
            if inspect.isclass(each)
            and issubclass(each, Transformer)
            and each.__module__ == module.name
            and not each.__name__.startswith("_")
        )


def _account(name: str, cls: Any) -> Account:
    spark_class = name.replace("pyspark.", "org.apache.spark.", 1)
    if name.startswith("pyspark.ml.pipeline."):
        spark_class = spark_class.replace("pipeline.", "")
    stage, expand = by_spark_class().get(spark_class), expansions().get(spark_class)
    if expand is not None:
        return Account(name, "expansion", (expand.__doc__ or "").split("\n")[0])
    if stage is not None:
        return Account(name, "op", stage.op)
    if spark_class in TUNED:
        return Account(name, "tuned", "the best model, under the tuning model's name")
    if spark_class in REFUSED:
        reason, fix = REFUSED[spark_class]
        return Account(name, "refused", f"refused: {reason}. {fix}.")
    if inspect.isabstract(cls) or cls.__subclasses__():
        return Account(name, "base", "nothing of its own: a base of other classes")
    return Account(name, "", "")
