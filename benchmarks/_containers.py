"""The models of the container benchmarks, what their requests hold and what the answers must be."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import _common as common
import numpy as np
from _load import Server, nacre, post

HERE = Path(__file__).resolve().parent
WORKERS = 2
TREES, DEPTH = 100, 5


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


def requests(made: Models) -> dict[str, tuple[list[str], list[str]]]:
    """Container -> lines of CSV and the line that answers each."""
    sample = common.rows(1000)
    features = np.array([common.expected(row) for row in sample])
    raw = [text(list(row.values())) for row in sample]
    ready = [text(row) for row in features.tolist()]
    scores = list(map(repr, made.scores(features)))
    return {"echo": (raw, raw), "sparkml": (raw, ready), "xgboost": (ready, scores), "chain": (raw, scores)}


def commands(made: Models, server: str) -> dict[str, list[str]]:
    """Container -> the program that serves it with two workers."""
    own = [sys.executable, str(HERE / "_serve.py")]
    return {
        "echo": [*own, "echo", server, str(WORKERS)],
        "sparkml": serve("sparkml", made.sparkml, server),
        "xgboost": serve("xgboost", made.xgboost, server),
        "chain": [*own, "chain", server, str(WORKERS), str(made.sparkml), str(made.xgboost)],
    }


def serve(kind: str, model: Path, server: str) -> list[str]:
    return nacre("serve", kind, "--model", str(model), "--server", server, "--workers", str(WORKERS))
