"""Every op that Nacre knows. A module here is a family of ops; importing the package registers them all."""

from __future__ import annotations

import importlib
import pkgutil

from nacre.stages.base import REGISTRY, Context, Stage, by_spark_class

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["REGISTRY", "Context", "Stage", "by_spark_class"]
