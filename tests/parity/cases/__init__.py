"""The parity table: for every op, pipelines that Spark fits, and rows that try everything it may meet.

A module here is a family of ops; its `cases()` gives op -> cases. A new op needs an entry: `test_parity.py` fails while
it has none, or while a word of a choice is met by none.
"""

from __future__ import annotations

import importlib
import pkgutil

from tests.parity.cases.base import Case


def cases() -> dict[str, list[Case]]:
    """op -> its cases, from all modules of this package."""
    merged: dict[str, list[Case]] = {}
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        for op, of_op in getattr(module, "cases", dict)().items():
            merged.setdefault(op, []).extend(of_op)
    return merged


__all__ = ["Case", "cases"]
