"""Spark's saved models to bundles, and bundles inside Spark.

Writing reads Spark's own folders, so no JVM is needed and no jar has to match.
"""

from __future__ import annotations

from typing import Any

# At once, not on use: the functions are named like their modules, and a module imported later would take the name.
from nacre.spark.convert import convert
from nacre.spark.patch import patch
from nacre.spark.save import save

__all__ = ["BundleTransformer", "convert", "patch", "save", "udf"]


def __getattr__(name: str) -> Any:
    """What needs PySpark is imported on first use."""
    if name in ("BundleTransformer", "udf"):
        from nacre.spark import scoring

        return getattr(scoring, name)
    raise AttributeError(f"module 'nacre.spark' has no attribute {name!r}")
