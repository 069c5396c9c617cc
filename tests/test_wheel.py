"""The built wheel: what is in it, and that it works installed elsewhere with the working directory at /."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import nacre
from tests.shared import CHECKOUT

SKIPPED = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "tests", "docs", "notebooks")


def shipped_folders() -> tuple[str, ...]:
    """SHARE in setup.py."""
    found = re.search(r"^SHARE = (\(.*\))$", CHECKOUT.joinpath("setup.py").read_text(), re.MULTILINE)
    assert found
    return tuple(ast.literal_eval(found.group(1)))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout gets no build/ folder, with the setuptools of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(CHECKOUT, folder / "source", ignore=SKIPPED)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, folder / "source"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return next(folder.glob("nacre-*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and nothing else; dependencies come from the environment that runs the tests."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", target, wheel], check=True)
    return target


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run with the working directory at / and the wheel first on the path, before any editable install."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)


def test_it_has_the_package(names: set[str]) -> None:
    modules = {str(path.relative_to(CHECKOUT)) for path in CHECKOUT.joinpath("nacre").rglob("*.py")}
    assert modules - names == set()
    assert "nacre/py.typed" in names


@pytest.mark.parametrize("folder", shipped_folders())
def test_it_carries_the_programs(folder: str, names: set[str]) -> None:
    files = [path.relative_to(CHECKOUT) for path in CHECKOUT.joinpath(folder).rglob("*") if path.is_file()]
    wanted = {f"nacre/share/{path}" for path in files if "__pycache__" not in path.parts}
    assert wanted
    assert wanted - names == set()


def test_it_carries_nothing_else(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert tops == {"nacre", f"nacre-{nacre.__version__}.dist-info"}
    rooms = {name.split("/")[2] for name in names if name.startswith("nacre/share/")}
    assert rooms <= set(shipped_folders())
    assert not [name for name in names if name.endswith((".pyc", ".ipynb")) or "test" in name.split("/")]


def test_its_metadata(wheel: Path, names: set[str]) -> None:
    info = f"nacre-{nacre.__version__}.dist-info"
    assert f"{info}/licenses/LICENSE" in names
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{info}/METADATA").decode()
        scripts = archive.read(f"{info}/entry_points.txt").decode()
    assert "Requires-Python: >=3.11" in metadata
    assert "nacre = nacre.cli:main" in scripts
    base = {line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line}
    assert {re.split(r"[ ><=]+", line)[1] for line in base} == {"numpy", "pyarrow"}


def test_it_runs_from_the_root_folder(installed: Path) -> None:
    script = str(installed / "bin" / "nacre")
    assert run(installed, script, "version").stdout == f"nacre {nacre.__version__}\n"
    ran = run(installed, script, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_it_finds_its_own_folders(installed: Path) -> None:
    program = "import sys, nacre.share as s; print(s.checkout(), *map(s.folder, sys.argv[1:]))"
    ran = run(installed, sys.executable, "-c", program, *shipped_folders())
    assert ran.stdout.split() == ["None", *(f"{installed}/nacre/share/{name}" for name in shipped_folders())]


def test_its_doctor(installed: Path) -> None:
    ran = run(installed, sys.executable, "-m", "nacre", "doctor")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{installed}/nacre/share/jobs" in ran.stdout


def test_a_folder_that_only_a_checkout_has(installed: Path) -> None:
    ran = run(installed, sys.executable, "-m", "nacre", "bench")
    assert ran.returncode == 1
    assert ran.stderr == "nacre: no benchmarks here: Clone the repository and run `make bench` in it\n"


def test_the_checkout_uses_its_own_folders() -> None:
    from nacre.share import checkout, folder

    assert checkout() == CHECKOUT
    assert [folder(name) for name in shipped_folders()] == [CHECKOUT / name for name in shipped_folders()]


def test_an_unknown_folder_is_an_error() -> None:
    from nacre.errors import SetupError
    from nacre.share import folder

    for name in ("nowhere", "..", "nacre/stages", ""):
        with pytest.raises(SetupError, match="has no folder"):
            folder(name)


def test_the_changelog_is_up_to_date() -> None:
    versions = re.findall(r"^## (\S+)", CHECKOUT.joinpath("CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == nacre.__version__
