"""Builds Nacre; metadata and settings are in pyproject.toml, this file holds what a table cannot say.

Two things: the version comes from `nacre/__init__.py`, and the programs and settings that a user runs or copies
(`jobs/`, `serving/`, `containers/`, `conf/`) are shipped as data under `nacre/share/`. An editable install copies
nothing: `nacre.share.folder` finds the same folders in the checkout.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHARE = ("jobs", "serving", "containers", "conf")
"""Folders of the checkout that an installed Nacre carries; `tests/test_wheel.py` reads this line."""

HERE = Path(__file__).resolve().parent


def version() -> str:
    text = (HERE / "nacre" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if not found:
        raise SystemExit('nacre/__init__.py has no line __version__ = "..."')
    return found.group(1)


def shared_files() -> list[Path]:
    """Paths, relative to the checkout, of all files to ship: whatever the folders hold but caches and hidden files."""
    found = [path.relative_to(HERE) for name in SHARE for path in sorted((HERE / name).rglob("*")) if path.is_file()]
    return [path for path in found if not any(part == "__pycache__" or part.startswith(".") for part in path.parts)]


class BuildWithShare(build_py):
    """`build_py` that also copies the shared folders, except into an editable install."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source, target in self._shared():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(HERE / source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *(str(target) for _, target in self._shared())]

    def _shared(self) -> list[tuple[Path, Path]]:
        root = Path(self.build_lib) / "nacre" / "share"
        return [(source, root / source) for source in shared_files()]


setup(version=version(), cmdclass={"build_py": BuildWithShare})
