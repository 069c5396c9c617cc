"""The command line: its table, its exit codes, what it prints when something goes wrong; and `nacre doctor`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nacre import cli, doctor
from nacre.errors import SchemaError
from tests.shared import CHECKOUT


def nacre(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nacre", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=os.environ | environment, capture_output=True, text=True)


def verb(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `nacre version` fail with `error`."""

    def fail(argv: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "version", fail)


@pytest.mark.parametrize("name", cli.VERBS)
def test_every_verb_has_help(name: str) -> None:
    ran = nacre(*name.split(), "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"usage: nacre {name}")


def test_help_lists_every_verb() -> None:
    ran = nacre("--help")
    assert ran.returncode == 0
    assert all(f"  {name} " in ran.stdout for name in cli.VERBS)


def test_version() -> None:
    assert nacre("--version").stdout == nacre("version").stdout == f"nacre {cli_version()}\n"


def cli_version() -> str:
    import nacre as package

    return package.__version__


@pytest.mark.parametrize(
    "arguments, told",
    [
        ((), "Usage: nacre"),
        (("train",), "Usage: nacre [--json] train [arguments]"),
        (("train", "xgbost"), "unknown verb 'train xgbost', did you mean 'train xgboost'"),
        (("tranform",), "unknown verb 'tranform', did you mean 'transform'"),
        (("version", "--loud"), "unrecognized arguments: --loud"),
        (("bench", "no-such"), "unknown benchmark no-such"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], told: str) -> None:
    ran = nacre(*arguments)
    assert ran.returncode == 2
    assert told in ran.stderr


def test_an_expected_failure_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    verb(monkeypatch, SchemaError("column sex is missing", expected="string", got=None, row=3, fix="Add it"))
    assert cli.main(["version"]) == 1
    assert capsys.readouterr().err == "nacre: column sex is missing: expected string, got None, at row 3. Add it\n"


def test_json_prints_the_canonical_body(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = SchemaError("column sex is missing", expected="string", got=None, file=Path("a.csv"))
    verb(monkeypatch, error)
    assert cli.main(["--json", "version"]) == 1
    body = json.loads(capsys.readouterr().err)
    assert body["error"]["where"] == {"file": "a.csv"}
    assert body["error"]["type"] == "SchemaError"


@pytest.mark.parametrize(
    "error, told",
    [
        (FileNotFoundError(2, "No such file or directory", "x.zip"), "No such file or directory: at file x.zip"),
        (ModuleNotFoundError("no", name="yaml"), "pip install 'nacre[serving]'"),
        (ModuleNotFoundError("no", name="xgboost.core"), "pip install 'nacre[xgboost]'"),
        (ZeroDivisionError("division by zero"), "NACRE_TRACEBACK=1"),
    ],
)
def test_an_unexpected_failure_is_one_line_too(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb(monkeypatch, error)
    assert cli.main(["version"]) == 1
    printed = capsys.readouterr().err
    assert told in printed
    assert printed.count("\n") == 1


def test_the_trace_is_there_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACRE_TRACEBACK", "1")
    verb(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(["version"])


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    verb(monkeypatch, KeyboardInterrupt())
    assert cli.main(["version"]) == 130


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`nacre --help | true`: the pipe is closed before anything is written."""
    inward, outward = os.pipe()
    os.close(inward)
    command = [sys.executable, "-m", "nacre", "--help"]
    with os.fdopen(outward, "wb") as closed:
        ran = subprocess.run(command, cwd=CHECKOUT, stdout=closed, stderr=subprocess.PIPE, text=True)
    assert ran.stderr == ""


def java(folder: Path, told: str) -> str:
    """A PATH on which `java -version` prints `told`."""
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho '{told}' >&2\n")
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    "told, major, ok",
    [
        ('openjdk version "17.0.15" 2025-04-15', 17, True),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21" 2023-09-19', 21, True),
        ('java version "1.8.0_392"', 8, False),
        ('openjdk version "11.0.2" 2019-01-15', 11, False),
        ('openjdk version "25-ea" 2025-09-16', 25, False),
    ],
)
def test_java_versions(told: str, major: int, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", java(tmp_path, told))
    found = doctor.find_java()
    assert found is not None
    assert found.major == major
    assert doctor.check_java().ok is ok


def bare(**environment: str) -> subprocess.CompletedProcess[str]:
    """The check of the Makefile: a Python that sees no installed package, and only this environment."""
    command = [sys.executable, "-I", "-S", "nacre/doctor.py", "--bare"]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)


def test_no_java_is_one_sentence_with_the_package(tmp_path: Path) -> None:
    ran = bare(PATH=str(tmp_path))
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "Java 17 or 21" in ran.stderr
    assert doctor.java_package() in ran.stderr


def test_the_wrong_java_is_named(tmp_path: Path) -> None:
    ran = bare(PATH=java(tmp_path, 'openjdk version "11.0.2" 2019-01-15'))
    assert ran.returncode == 1
    assert f"11.0.2 at {tmp_path}/java" in ran.stderr


def test_a_java_home_without_java_is_named(tmp_path: Path) -> None:
    ran = bare(PATH=os.environ["PATH"], JAVA_HOME=str(tmp_path))
    assert ran.returncode == 1
    assert f"JAVA_HOME at it or unset it (it is {tmp_path})" in ran.stderr


def test_the_right_java_is_silent(tmp_path: Path) -> None:
    ran = bare(PATH=java(tmp_path, 'openjdk version "17.0.1" 2021-10-19'))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "version, versions, ok",
    [("2.3.3", ">=2,<3", True), ("3.0.0", ">=2,<3", False), ("3.10", ">=3.8", True), ("1.9", ">=1.24", False)],
)
def test_versions(version: str, versions: str, ok: bool) -> None:
    assert doctor.fits(version, versions) is ok


def test_doctor_counts_what_the_demo_needs() -> None:
    found = {finding.name: finding for finding in doctor.findings()}
    needed = {name for name, finding in found.items() if finding.needed}
    assert {"Python", "Java", "disk", "loopback", "spark", "xgboost", "serving", "report"} <= needed
    assert needed.isdisjoint({"port", "aws", "fast", "mleap"})


def test_doctor_here() -> None:
    """The machine that runs the tests can run the demo."""
    ran = nacre("doctor")
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.endswith("nacre demo can run here\n")


def test_doctor_without_java(tmp_path: Path) -> None:
    ran = nacre("doctor", JAVA_HOME=str(tmp_path))
    assert ran.returncode == 1
    assert "MISSING  Java" in ran.stdout
    assert "cannot run: see Java" in ran.stdout


def test_a_taken_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        error = doctor.bind_error(taken.getsockname()[1])
    assert error is not None
    assert error.strerror == "Address already in use"


@pytest.mark.netns
def test_doctor_where_loopback_is_down() -> None:
    """A new network namespace has a loopback interface without an address."""
    command = ["unshare", "--net", sys.executable, "-m", "nacre", "doctor"]
    ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "MISSING  loopback" in ran.stdout
