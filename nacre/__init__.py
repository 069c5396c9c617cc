"""Nacre: Spark's feature transformers as one MLeap bundle, scored with Spark's own numbers and no JVM.

>>> import nacre
>>> model = nacre.load("model.zip")                               # doctest: +SKIP
>>> model.row({"sex": "M", "length": 0.455})["features"]          # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nacre.bundle.show import show
    from nacre.plan.model import Model, load

__all__ = ["Model", "__version__", "load", "show", "spark"]

_LAZY = {"load": "nacre.plan.model", "Model": "nacre.plan.model", "show": "nacre.bundle.show"}


def __getattr__(name: str) -> Any:
    """Names are imported on first use: `import nacre` costs next to nothing and loads no other package."""
    import importlib

    if name == "spark":
        return importlib.import_module("nacre.spark")
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'nacre' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
