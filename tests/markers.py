"""The tools that some tests need: one marker each, how to see whether the tool is here, and how Debian installs it.

Standard library only: `.ci/run` runs `python -m tests.markers` before anything is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent


FORBIDDEN = "which this machine forbids"
"""Ends the reason of a skip that no installation can cure, so that it is none of the build machine's faults."""


class Tool(NamedTuple):
    """`programs`: any one of these on PATH will do; `trial`: a command that must succeed besides."""

    marker: str
    help: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]
    trial: tuple[str, ...] = ()
    forbidding: int | None = None
    """The trial's exit code when all is installed and the kernel forbids it, as it may inside another container."""

    def missing(self) -> str | None:
        """Why tests with this marker cannot run here, or None."""
        if not any(map(shutil.which, self.programs)):
            return f"no {' or '.join(self.programs)} on PATH: apt-get install {' '.join(self.packages)}"
        ran = subprocess.run(self.trial, capture_output=True, text=True) if self.trial else None
        if ran and ran.returncode:
            why = f"`{' '.join(self.trial)}` fails here"
            return f"{why}: {ran.stderr.strip()}, {FORBIDDEN}" if ran.returncode == self.forbidding else why
        return None


PODMAN = (sys.executable, str(HERE / "images" / "trial.py"))

TOOLS = (
    Tool("go", "builds a Go program", ("go",), ("golang-go",)),
    Tool("oracle", "asks MLeap's JVM runtime", ("java",), ("openjdk-17-jre-headless",)),
    Tool("maven", "resolves jars with Maven", ("mvn",), ("maven",)),
    Tool("chromium", "drives a browser", ("chromium", "chromium-browser"), ("chromium", "fonts-dejavu-core")),
    Tool("podman", "builds or runs images", ("podman",), ("podman", "buildah", "runc", "mmdebstrap"), PODMAN, 3),
    Tool("netns", "makes a network namespace", ("unshare",), ("util-linux", "iproute2"), ("unshare", "--net", "true")),
)


def in_use() -> set[str]:
    """Markers that some test carries, found in the text so that it works before pytest is installed."""
    texts = [path.read_text(encoding="utf-8") for path in HERE.rglob("test_*.py")]
    return {name for text in texts for name in re.findall(r"pytest\.mark\.(\w+)", text)}


def packages() -> list[str]:
    """Debian packages of the tools that are in use and not here."""
    used = in_use()
    return [name for tool in TOOLS if tool.marker in used and tool.missing() for name in tool.packages]


def nothing_may_be_skipped() -> bool:
    """True on the build machine, where `.ci/run` installs every tool."""
    return os.environ.get("CI") == "true"


if __name__ == "__main__":
    print(" ".join(packages()))
