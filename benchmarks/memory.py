"""Memory of a container's workers over a million requests of one row: it has to stay flat."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common as common
from _containers import WORKERS, Subject, commands, models, requests
from _load import have_wrk, load, memory, running, workers

STEP = 5
"""Seconds of load between two looks."""


def watch(name: str, command: list[str], bodies: list[str], answers: list[str], wanted: int) -> None:
    """Print a line at the start and whenever the requests have doubled, until there are enough."""
    with running(name, command) as server:
        Subject(name, server, 1, bodies, answers).check()
        sent, following = len(bodies), 0
        while True:
            if sent >= following or sent >= wanted:
                found = [memory(pid) for pid in workers(server)]
                assert len(found) == WORKERS, found
                worst = [max(each) for each in zip(*found, strict=True)]
                print(f"| {name} | {sent:,} | {worst[0]:.0f} MB | {worst[1]:.0f} MB | {worst[2]:.0f} MB |", flush=True)
                following = 2 * sent if sent > 50_000 else 50_000
            if sent >= wanted:
                return
            sent += round(load(server, bodies, STEP).rate * STEP)


def main() -> int:
    parser = argparse.ArgumentParser(description="Memory of a container's workers over many requests.")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--server", choices=("gunicorn", "granian"), default="granian")
    options = parser.parse_args()
    have_wrk()
    print(
        f"Memory of the larger of {WORKERS} workers, {options.server}, {common.load()} (target: RSS <= 150 MB, flat)\n"
    )
    print("| container | requests so far | RSS | its share (PSS) | its own |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        made = models(Path(folder))
        for name in ("sparkml", "xgboost"):
            watch(name, commands(made, options.server)[name], *requests(made)[name], options.requests)
    return 0


if __name__ == "__main__":
    sys.exit(main())
