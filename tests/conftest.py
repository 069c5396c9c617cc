"""Fixtures for all tests, and the rules about tools: a test that needs one says so with a marker.

Without the tool the test is skipped with the reason; where nothing may be skipped (CI=true) that is a failure. Every
run ends with one line a marker: how many ran, how many were skipped, why.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.markers import FORBIDDEN, TOOLS, Tool, nothing_may_be_skipped
from tests.oracle.mleap import oracle
from tests.shared import NO_DATA
from tests.spark_session import JVM, spark

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.terminal import TerminalReporter

__all__ = ["oracle", "spark"]

# Read when the libraries load: idle OpenMP threads sleep, Spark takes loopback for this machine's name and starts fast
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ.setdefault("SPARK_SUBMIT_OPTS", JVM)

BY_MARKER = {tool.marker: tool for tool in TOOLS}
missing = cache(Tool.missing)


def reason(report: pytest.TestReport) -> str:
    """Why a test was skipped."""
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return told.removeprefix("Skipped: ")


class Tally:
    """What became of the tests of each marker."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.skipped: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for marker in getattr(report, "tools", ()):
            if report.skipped:
                self.skipped[marker][reason(report)] += 1
            elif report.when == "call":
                self.ran[marker] += 1

    def lines(self) -> list[str]:
        return [self.line(tool.marker) for tool in TOOLS]

    def line(self, marker: str) -> str:
        skipped = self.skipped[marker]
        why = "".join(f"; {count}: {reason}" for reason, count in skipped.items())
        return f"{marker:<10}{self.ran[marker]:>4} ran {skipped.total():>4} skipped{why}"

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        terminalreporter.section("tests that need a tool")
        terminalreporter.write_line("\n".join(self.lines()))


def pytest_configure(config: pytest.Config) -> None:
    for tool in TOOLS:
        config.addinivalue_line("markers", f"{tool.marker}: {tool.help}")
    config.pluginmanager.register(Tally(), "tally")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for a tool's fixture carries its marker, written down or not."""
    for item in items:
        for name in BY_MARKER.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(name)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers():
        if mark.name in BY_MARKER and (why := missing(BY_MARKER[mark.name])):
            pytest.skip(why)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    # On the report, because it may be counted in another process than the test ran in
    report.tools = sorted({mark.name for mark in item.iter_markers()} & BY_MARKER.keys())  # type: ignore[attr-defined]
    excused = report.skipped and any(why in reason(report) for why in (NO_DATA, FORBIDDEN))
    if report.skipped and report.tools and nothing_may_be_skipped() and not excused:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} may not be skipped with CI=true: {reason(report)}"
    return report
