"""The containers over HTTP, beside an echo on the same server: one row a request, then many.

Echo is a bare WSGI callable that reads the body and returns it. All servers run at once, with two workers, and take
turns under load, so that what else the machine does meets all of them; a ratio is the median of those of the rounds.
Every answer is checked before its speed counts: features by hand, scores with the xgboost library.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common as common
from _containers import WORKERS, Models, Subject, batches, commands, models, requests
from _load import Load, Server, have_wrk, load, running

from nacre.serving.settings import ServerSettings

CONNECTIONS = 8
SERVERS = ("gunicorn", "granian")
TARGETS = "Targets: one row >= 0.80 of echo; sparkml >= 540 k rows/s (20 times AWS's 27 k), xgboost >= 222 k."


def subjects(made: Models, server: str, rows: dict[str, int], stack: ExitStack, peers: dict[str, int]) -> list[Subject]:
    """Started and checked: what `rows` names, then the peers."""
    asked, programs = requests(made), commands(made, server)
    found = []
    for name, count in rows.items():
        started = stack.enter_context(running(name, programs[name]))
        found.append(Subject(name, started, count, *(batches(each, count) for each in asked[name])))
    for name, port in peers.items():
        kind = name.partition("-")[0]
        if kind in rows:
            there = Server(name, port, None)
            found.append(Subject(name, there, rows[kind], *(batches(each, rows[kind]) for each in asked[kind])))
    for each in found:
        each.check()
    return found


def rounds(found: Sequence[Subject], count: int, seconds: int) -> dict[str, list[Load]]:
    """Every subject in turn, `count` times, after one that warms up."""
    taken: dict[str, list[Load]] = {each.name: [] for each in found}
    for number in range(count + 1):
        for each in found:
            one = load(each.server, each.bodies, seconds if number else 1, CONNECTIONS)
            if number:
                taken[each.name].append(one)
    return taken


def ratio(taken: dict[str, list[Load]], name: str) -> float:
    return statistics.median(one.rate / echo.rate for one, echo in zip(taken[name], taken["echo"], strict=True))


def cpu_ratio(taken: dict[str, list[Load]], name: str) -> float:
    """What two whole processors would give, the client's part included."""
    return statistics.median(
        (echo.cpu + echo.client) / (one.cpu + one.client) for one, echo in zip(taken[name], taken["echo"], strict=True)
    )


def middle(taken: Sequence[Load]) -> Load:
    return Load(*map(statistics.median, zip(*taken, strict=True)))


def one_row(made: Models, server: str, options: argparse.Namespace) -> list[str]:
    with ExitStack() as stack:
        rows = dict.fromkeys(("echo", "sparkml", "xgboost", "chain"), 1)
        found = subjects(made, server, rows, stack, options.peer)
        taken = rounds(found, options.rounds, options.seconds)
    lines = []
    for name, each in taken.items():
        told = middle(each)
        lines.append(
            f"| {server} | {name} | {told.rate:,.0f} | {ratio(taken, name):.2f} | {cpu_ratio(taken, name):.2f} "
            f"| {2e6 / (told.cpu + told.client):,.0f} "
            f"| {told.p50 / 1e3:.2f} ms | {told.p99 / 1e3:.2f} ms | {told.cpu:.1f} µs |"
        )
    return lines


def many_rows(made: Models, server: str, options: argparse.Namespace) -> list[str]:
    with ExitStack() as stack:
        found = subjects(made, server, {"sparkml": 500, "xgboost": 1000}, stack, options.peer)
        taken = rounds(found, options.rounds, options.seconds)
    lines = []
    for each in found:
        told = middle(taken[each.name])
        lines.append(
            f"| {server} | {each.name} | {each.rows} | {told.rate * each.rows / 1e3:,.0f} k rows/s "
            f"| {told.p99 / 1e3:.1f} ms | {told.cpu / each.rows:.2f} µs |"
        )
    return lines


def peer(word: str) -> tuple[str, int]:
    name, _, port = word.partition("=")
    if not port.isdigit() or name.partition("-")[0] not in ("sparkml", "xgboost", "chain"):
        raise argparse.ArgumentTypeError("a peer is sparkml-NAME=PORT, xgboost-NAME=PORT or chain-NAME=PORT")
    return name, int(port)


def main() -> int:
    parser = argparse.ArgumentParser(description="The containers over HTTP, beside an echo on the same server.")
    parser.add_argument("what", nargs="*", choices=[[], "one", "many"], help="one row a request, or many; default both")
    parser.add_argument("--server", choices=SERVERS, help="default: both")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=1, help="of load a round and server (default %(default)s)")
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="KIND-NAME=PORT",
                        help="another container of the same kind and model that runs on this machine")  # fmt: skip
    options = parser.parse_args()
    options.peer = dict(options.peer)
    have_wrk()
    servers, what = [options.server] if options.server else SERVERS, options.what or ["one", "many"]
    before = common.load()
    with tempfile.TemporaryDirectory() as folder:
        made = models(Path(folder))
        singles = [line for each in servers for line in one_row(made, each, options)] if "one" in what else []
        many = [line for each in servers for line in many_rows(made, each, options)] if "many" in what else []
    threads = ServerSettings.read(os.environ).threads
    print(f"{WORKERS} workers of {threads} threads, {CONNECTIONS} connections of wrk in one thread, medians of")
    print(f"{options.rounds} rounds of {options.seconds} s that take turns.")
    print(f"At the start {before}, at the end {common.load()}.\n{TARGETS}\n")
    if singles:
        told = "of echo | the same by processor time | on two whole cores"
        print(f"| server | one row | requests/s | {told} | p50 | p99 | server |")
        print("|---|---|---|---|---|---|---|---|---|", *singles, "", sep="\n")
    if many:
        print("| server | container | rows a request | rows/s | p99 | processor time a row |")
        print("|---|---|---|---|---|---|", *many, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
