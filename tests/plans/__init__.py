"""Bundles to draw: for every op a hypothesis strategy of nodes and the raw columns they read.

A module here is a family of ops; its `STRATEGIES` lists the strategies, each named like its op (a dot in the op is an
underscore in the name). A strategy takes `words`, the choices to make (an attribute that is absent is left out), and
`wild`: whether values may be drawn that MLeap's JVM does not take.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nacre.stages import REGISTRY

if TYPE_CHECKING:
    from hypothesis import strategies as st

    from tests.plans.base import Drawn

_OPS = {op.replace(".", "_"): op for op in REGISTRY}


def _strategies() -> dict[str, Callable[..., st.SearchStrategy[Drawn]]]:
    found: dict[str, Any] = {}
    for each in pkgutil.iter_modules(__path__):
        for strategy in getattr(importlib.import_module(f"{__name__}.{each.name}"), "STRATEGIES", []):
            found[_OPS.get(strategy.__name__, strategy.__name__)] = strategy
    return found


SCORED = {op for op, stage in REGISTRY.items() if not stage.package}
"""The ops that need no package besides."""
STRATEGIES = _strategies()
"""op -> strategy."""
