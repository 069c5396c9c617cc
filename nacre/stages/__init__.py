"""Every op that Nacre knows. A module here is a family of ops; `REGISTRY` imports it when an op of it is wanted."""

from __future__ import annotations

from nacre.stages.base import REGISTRY, Context, Stage, by_spark_class

__all__ = ["REGISTRY", "Context", "Stage", "by_spark_class"]
