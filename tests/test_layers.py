"""The rooms know each other in one direction, and heavy packages are imported only where they are used."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import CHECKOUT

PACKAGE = CHECKOUT / "nacre"

HEAVY = {
    "boto3": (),
    "botocore": (),
    "flask": ("serving/",),
    "gunicorn": ("serving/",),
    "matplotlib": (),
    "mleap": (),
    "pandas": (),
    "polars": (),
    "pyspark": ("spark/scoring.py",),  # a subclass of Spark's own; imported when somebody asks for it
    "xgboost": (),
}
"""Packages, and where they may be imported at the top of a module; everybody else imports them in a function."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports_command as run; sys.path.insert(0, ''); run()"
    command = [sys.executable, "-c", program, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and the contract, to be spoilt."""
    shutil.copytree(PACKAGE, tmp_path / "nacre", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


def test_arrows_point_one_way() -> None:
    ran = lint_imports(CHECKOUT)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("upward", ["from nacre.cli import usage", "def f():\n    import nacre.handlers.base"])
def test_an_upward_arrow_is_found(copy: Path, upward: str) -> None:
    with copy.joinpath("nacre", "stages", "base.py").open("a") as module:
        module.write(f"\n{upward}\n")
    ran = lint_imports(copy)
    assert ran.returncode == 1
    assert "nacre.stages is not allowed to import" in ran.stdout


def test_a_new_room_must_be_placed(copy: Path) -> None:
    copy.joinpath("nacre", "attic.py").touch()
    ran = lint_imports(copy)
    assert ran.returncode == 1
    assert "attic" in ran.stdout


def at_the_top(tree: ast.Module) -> set[str]:
    """Packages imported when the module is: not inside functions, not for type checkers only."""
    found: set[str] = set()
    left: list[ast.AST] = list(tree.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            left += node.orelse
        elif isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        else:
            left += ast.iter_child_nodes(node)
    return found


def test_heavy_packages_are_imported_in_functions() -> None:
    wrong = [
        f"{path.relative_to(CHECKOUT)} imports {package}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for package in sorted(at_the_top(ast.parse(path.read_text(encoding="utf-8"))) & HEAVY.keys())
        if not path.relative_to(PACKAGE).as_posix().startswith(HEAVY[package])
    ]
    assert wrong == []


def test_what_counts_as_the_top() -> None:
    source = """
import flask
if TYPE_CHECKING:
    import pandas
else:
    import boto3
try:
    from pyspark.sql import Row
except ImportError:
    def f():
        import xgboost
class C:
    import matplotlib.pyplot
"""
    assert at_the_top(ast.parse(source)) == {"flask", "boto3", "pyspark", "matplotlib"}
