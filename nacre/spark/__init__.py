"""Spark's saved models to bundles. Reads Spark's own folders, so no JVM is needed and no jar has to match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nacre.spark.convert import convert
    from nacre.spark.save import save

__all__ = ["convert", "save"]


def __getattr__(name: str) -> Any:
    import importlib

    if name in __all__:
        return getattr(importlib.import_module(f"nacre.spark.{name}"), name)
    raise AttributeError(f"module 'nacre.spark' has no attribute {name!r}")
