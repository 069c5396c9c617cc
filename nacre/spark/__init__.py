"""Spark's saved models to bundles. Reads Spark's own folders, so no JVM is needed and no jar has to match."""

from __future__ import annotations

# At once, not on use: the functions are named like their modules, and a module imported later would take the name.
from nacre.spark.convert import convert
from nacre.spark.save import save

__all__ = ["convert", "save"]
