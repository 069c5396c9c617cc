"""The rules about tests that need a tool, tried on a test run of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.markers import TOOLS, in_use
from tests.shared import CHECKOUT

Run = Callable[..., subprocess.CompletedProcess[str]]

# `mark` alone, so that `in_use` does not take these for tests of ours
CASES = """
import pytest
from pytest import mark
from tests.shared import shared

@mark.go
def test_needs_go():
    pass

@mark.netns
def test_finds_out_late():
    pytest.skip("no namespaces today")

@mark.netns
def test_wants_data():
    shared("no", "such", "file")

def test_without_marker():
    pass
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A test run, with the project's conftest, on a machine without Go but with an `unshare` that works."""
    folder = tmp_path / "bin"
    folder.mkdir()
    folder.joinpath("unshare").write_text("#!/bin/sh\n")
    folder.joinpath("unshare").chmod(0o755)
    tmp_path.joinpath("test_cases.py").write_text(CASES)
    pytest_run = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        CHECKOUT,
    ]

    def start(**more: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(folder), "PYTHONPATH": str(CHECKOUT), **more}
        command = [*pytest_run, "-c", CHECKOUT / "pyproject.toml", tmp_path / "test_cases.py"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return start


def test_a_missing_tool_is_a_skip_with_its_reason(run: Run) -> None:
    ran = run()
    assert ran.returncode == 0, ran.stdout
    assert "go           0 ran    1 skipped; 1: no go on PATH: apt-get install golang-go" in ran.stdout
    assert "netns        0 ran    2 skipped; 1: no namespaces today; 1: no no/such/file" in ran.stdout
    assert "1 passed, 3 skipped" in ran.stdout


def test_on_the_build_machine_it_is_a_failure(run: Run) -> None:
    ran = run(CI="true")
    assert ran.returncode == 1
    assert "test_needs_go may not be skipped with CI=true: no go on PATH" in ran.stdout
    assert "test_finds_out_late may not be skipped with CI=true: no namespaces today" in ran.stdout
    # Data is no tool: nothing that could be installed brings it
    assert "1 failed, 1 passed, 1 skipped, 1 error" in ran.stdout


def test_what_the_machine_forbids_is_no_fault_of_the_build_machine(run: Run, tmp_path: Path) -> None:
    """Installed and useless, as podman is where the kernel grants no namespaces."""
    for name in ("podman", "buildah", "runc", "mmdebstrap"):
        tmp_path.joinpath("bin", name).write_text("#!/bin/sh\necho no namespaces >&2; exit 125\n")
        tmp_path.joinpath("bin", name).chmod(0o755)
    tmp_path.joinpath("test_cases.py").write_text("from pytest import mark\n\n@mark.podman\ndef test_it():\n    pass\n")
    ran = run(CI="true")
    assert ran.returncode == 0, ran.stdout
    assert "fails here: no namespaces, which this machine forbids" in ran.stdout
    assert "1 skipped" in ran.stdout


def test_tools_are_looked_for_in_the_tests() -> None:
    assert in_use() & {tool.marker for tool in TOOLS} >= {"maven", "netns"}
    assert "chromium" not in in_use()  # when a test needs it, another name that none does must stand here


def test_what_to_install_is_said_with_a_bare_python(tmp_path: Path) -> None:
    """`.ci/run` asks before anything is installed."""
    command = [sys.executable, "-S", "-m", "tests.markers"]
    ran = subprocess.run(command, cwd=CHECKOUT, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert {"maven", "iproute2"} <= set(ran.stdout.split())
    everything = subprocess.run([*command], cwd=CHECKOUT, env=os.environ, capture_output=True, text=True)
    assert set(everything.stdout.split()) < set(ran.stdout.split())
