"""The Makefile on machines that lack something: one sentence, exit code not 0, nothing made or downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import CHECKOUT

MAKE = shutil.which("make") or "make"


class Machine:
    """A checkout in a folder of its own, and a PATH with nothing but the programs put there."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "bin"
        self.path.mkdir()
        for name in ("Makefile", "setup.py", "pyproject.toml", "constraints.txt", "nacre/doctor.py"):
            folder.joinpath(name).parent.mkdir(exist_ok=True)
            shutil.copy(CHECKOUT / name, folder / name)

    def program(self, name: str, script: str) -> None:
        self.path.joinpath(name).write_text(f"#!/bin/sh\n{script}\n")
        self.path.joinpath(name).chmod(0o755)

    def python(self, name: str = "python3") -> None:
        self.program(name, f'exec "{sys.executable}" "$@"')

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [MAKE, *arguments]
        environment = {"PATH": str(self.path)}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def refuses(self, *arguments: str) -> str:
        """The one sentence with which make stops, before its own line about the target."""
        ran = self.make(*arguments)
        assert ran.returncode == 2  # make's own code for "a command failed"
        sentence, *rest = ran.stderr.splitlines()
        assert all("Error 1" in line for line in rest), ran.stderr
        assert not self.folder.joinpath(".venv").exists()
        return sentence


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("verb", ["demo", "test", "bench", "setup"])
def test_no_java(machine: Machine, verb: str) -> None:
    machine.python()
    sentence = machine.refuses(verb)
    assert sentence.startswith("Java: no Java on PATH. Spark needs Java 17 or 21: ")


def test_an_old_java(machine: Machine) -> None:
    machine.python()
    machine.program("java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    assert machine.refuses("demo").startswith(f"Java: 11.0.2 at {machine.path}/java. Spark needs Java 17 or 21: ")


def test_no_python(machine: Machine) -> None:
    assert "Nacre needs Python 3.11 or newer (python3 here: none)" in machine.refuses("test")


def test_an_old_python(machine: Machine) -> None:
    machine.program("python3", '[ "$1" = -V ] && echo Python 3.9.2')
    assert "Nacre needs Python 3.11 or newer (python3 here: Python 3.9.2)" in machine.refuses("test")
    old = f"PYTHON={machine.path}/python3"
    assert machine.refuses("test", old) == f"Nacre needs Python 3.11 or newer; {old[7:]} is Python 3.9.2"


def test_a_newer_python_beside_an_old_one_is_found(machine: Machine) -> None:
    machine.program("python3", '[ "$1" = -V ] && echo Python 3.9.2')
    machine.python("python3.12")
    assert machine.refuses("test").startswith("Java: ")


def test_a_python_without_venv() -> None:
    """As Debian's without its python3-venv package."""
    program = "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv[1:] = ['--bare']"
    program += "; runpy.run_path('nacre/doctor.py', run_name='__main__')"
    ran = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True)
    assert ran.returncode == 1
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"apt-get install python{version}-venv" in ran.stderr


def test_help_lists_the_verbs() -> None:
    ran = subprocess.run([MAKE], cwd=CHECKOUT, capture_output=True, text=True, env={"PATH": os.defpath})
    assert ran.returncode == 0
    listed = {line.split()[1] for line in ran.stdout.splitlines()}
    assert {"setup", "demo", "test", "lint", "format", "docs", "bench"} <= listed
