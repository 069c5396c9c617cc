"""MLeap's JVM runtime as a peer: `java/MleapBench.java`, compiled here, on the jars that the tests use, too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

# For the tests' own reader and writer of MLeap's frames; first, because the mleap package brings a `tests` of its own
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pyarrow as pa
from _common import Seconds, median

from nacre.doctor import find_java
from nacre.errors import SetupError
from tests.oracle import fetch, frames

if TYPE_CHECKING:
    from _pipelines import Pipeline

SOURCE = Path(__file__).resolve().parent / "java" / "MleapBench.java"
VERSION = fetch.wanted().version
WARM, LENGTH, REPEATS = 3.0, 0.5, 5
"""Seconds each way runs before it is measured, seconds of one measurement, and how many."""


def java_home() -> tuple[str, str]:
    """(java, javac)"""
    java = find_java()
    beside = None if java is None else str(Path(java.path).resolve().parent)
    javac = shutil.which("javac", path=beside) or shutil.which("javac")
    if java is None or javac is None or not fetch.jars():
        raise SetupError(
            "no JVM to compare with", expected="java, javac and MLeap's jars", got=f"{java and java.path}, {javac}",
            fix="Install a JDK and run `make setup`",
        )  # fmt: skip
    return java.path, javac


class Mleap:
    """The Java program, compiled once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.java, javac = java_home()
        self.path = os.pathsep.join([str(folder), *map(str, fetch.jars())])
        subprocess.run(
            [javac, "-cp", self.path, "-d", str(folder), str(SOURCE)], check=True
        )  # fmt: skip

    def run(self, pipeline: Pipeline, sample: pa.Table, rows: int) -> tuple[dict[str, list[Any]], dict[str, Seconds]]:
        """(answers by column, median seconds a row by way)."""
        raw, answers = self.folder / "rows.frame", self.folder / "answers.frame"
        raw.write_bytes(frames.write(leap_columns(sample)))
        command = [self.java, "-Xmx3g", "-cp", self.path, "MleapBench", str(self.folder / f"{pipeline.name}.zip")]
        command += [str(raw), ",".join(pipeline.outputs), str(answers), str(rows), *map(str, (WARM, LENGTH, REPEATS))]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        taken: dict[str, list[Seconds]] = {}
        for line in told.splitlines():
            way, *each = line.split()
            taken.setdefault(way, []).append(Seconds(*map(float, each)))
        return frames.read(answers.read_bytes()), {way: median(each) for way, each in taken.items()}


def leap_columns(table: pa.Table) -> dict[str, frames.Column]:
    kinds = {pa.string(): "string", pa.float64(): "double"}
    return {name: (kinds[table.schema.field(name).type], table[name].to_pylist()) for name in table.column_names}
