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
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common as common
import numpy as np
from _load import Load, Server, have_wrk, load, nacre, post, running

HERE = Path(__file__).resolve().parent
WORKERS, CONNECTIONS = 2, 8
TREES, DEPTH = 100, 5
SERVERS = ("gunicorn", "granian")
TARGETS = "Targets: one row >= 0.80 of echo; sparkml >= 540 k rows/s (20 times AWS's 27 k), xgboost >= 222 k."


class Subject(NamedTuple):
    """One server under load: what a request holds and what its answer must be."""

    name: str
    server: Server
    rows: int
    bodies: Sequence[str]
    answers: Sequence[str]

    def check(self) -> None:
        for body, wanted in zip(self.bodies, self.answers, strict=True):
            got = post(self.server, body.encode()).decode().strip("\n")
            if got != wanted:
                raise SystemExit(f"{self.name} answers {got[:200]!r} to {body[:200]!r}, expected {wanted[:200]!r}")


class Models(NamedTuple):
    sparkml: Path
    xgboost: Path
    scores: Callable[[np.ndarray], list[float]]


def models(folder: Path) -> Models:
    """The Abalone bundle, and a booster of 100 trees of depth 5 over its features; `scores` is the library's word."""
    import xgboost

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sample = common.rows(4000)
    x = np.array([common.expected(row) for row in sample], np.float32)
    y = x @ np.arange(1, x.shape[1] + 1) + np.sin(8 * x[:, 3])
    settings = {"max_depth": DEPTH, "eta": 0.1, "nthread": 1, "min_child_weight": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(x, y), TREES)
    booster.save_model(folder / "model.ubj")
    bundle = common.abalone_bundle(folder / "abalone.zip")
    return Models(bundle, folder / "model.ubj", lambda x: booster.inplace_predict(x.astype(np.float32)).tolist())


def text(row: Sequence[object]) -> str:
    return ",".join(map(str, row))


def batches(lines: Sequence[str], rows: int) -> list[str]:
    """As many requests as there are whole ones in 1,000 rows, at least one."""
    return ["\n".join(lines[n : n + rows]) for n in range(0, max(1000 - rows, 0) + 1, rows)]


def subjects(made: Models, server: str, rows: dict[str, int], stack: ExitStack, peers: dict[str, int]) -> list[Subject]:
    """Started and checked: echo first, then what `rows` names, then the peers."""
    sample = common.rows(1000)
    features = np.array([common.expected(row) for row in sample])
    raw = [text(list(row.values())) for row in sample]
    ready = [text(row) for row in features.tolist()]
    scores = list(map(repr, made.scores(features)))
    inputs = {"echo": (raw, raw), "sparkml": (raw, ready), "xgboost": (ready, scores), "chain": (raw, scores)}
    own = [sys.executable, str(HERE / "_serve.py")]
    commands = {
        "echo": [*own, "echo", server, str(WORKERS)],
        "sparkml": serve("sparkml", made.sparkml, server),
        "xgboost": serve("xgboost", made.xgboost, server),
        "chain": [*own, "chain", server, str(WORKERS), str(made.sparkml), str(made.xgboost)],
    }
    found = []
    for name, count in rows.items():
        running_one = stack.enter_context(running(name, commands[name]))
        found.append(Subject(name, running_one, count, *(batches(each, count) for each in inputs[name])))
    for name, port in peers.items():
        kind = name.partition("-")[0]
        if kind in rows:
            there = Server(name, port, None)
            found.append(Subject(name, there, rows[kind], *(batches(each, rows[kind]) for each in inputs[kind])))
    for each in found:
        each.check()
    return found


def serve(kind: str, model: Path, server: str) -> list[str]:
    return nacre("serve", kind, "--model", str(model), "--server", server, "--workers", str(WORKERS))


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
            f"| {server} | {name} | {told.rate:,.0f} | {ratio(taken, name):.2f} | {told.p50 / 1e3:.2f} ms "
            f"| {told.p99 / 1e3:.2f} ms | {told.cpu:.1f} µs |"
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
    print(f"{WORKERS} workers, {CONNECTIONS} connections of wrk in one thread, medians of {options.rounds} rounds of")
    print(f"{options.seconds} s that take turns. At the start {before}, at the end {common.load()}.\n{TARGETS}\n")
    if singles:
        print("| server | one row a request | requests/s | of echo | p50 | p99 | processor time a request |")
        print("|---|---|---|---|---|---|---|", *singles, "", sep="\n")
    if many:
        print("| server | container | rows a request | rows/s | p99 | processor time a row |")
        print("|---|---|---|---|---|---|", *many, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
