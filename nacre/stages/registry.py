"""op -> Stage class. A family's module is imported when one of its ops is first asked for.

A container starts for one bundle; importing all families would take longer than loading it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacre.stages.base import Stage

FOLDER = Path(__file__).parent
PACKAGE = __name__.rpartition(".")[0]
DECLARED = re.compile(rb'^    op = "([^"\n]+)"', re.MULTILINE)
"""The line by which a class declares its op."""


class Registry(Mapping[str, "type[Stage]"]):
    """All ops. Whoever walks through it gets every family imported, and the ops in order."""

    def __init__(self) -> None:
        self.imported: dict[str, type[Stage]] = {}

    def add(self, cls: type[Stage]) -> None:
        assert cls.op not in self.imported, f"two classes for op {cls.op}"
        self.imported[cls.op] = cls

    @cached_property
    def places(self) -> dict[str, str]:
        """op -> module, as far as the source tells; what it does not tell, importing everything does."""
        files = sorted(FOLDER.glob("*.py"))
        return {op.decode(): file.stem for file in files for op in DECLARED.findall(file.read_bytes())}

    def import_all(self) -> None:
        for module in pkgutil.iter_modules([str(FOLDER)]):
            importlib.import_module(f"{PACKAGE}.{module.name}")

    def __getitem__(self, op: str) -> type[Stage]:
        if op not in self.imported and op in self.places:
            importlib.import_module(f"{PACKAGE}.{self.places[op]}")
        if op not in self.imported:
            self.import_all()
        return self.imported[op]

    def __iter__(self) -> Iterator[str]:
        self.import_all()
        return iter(sorted(self.imported))

    def __len__(self) -> int:
        self.import_all()
        return len(self.imported)
