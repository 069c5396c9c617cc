"""What the benchmarks share: the Abalone bundle, built without Spark, and how a figure is taken and printed."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

from nacre.bundle import new_bundle, write
from nacre.bundle.values import Shape
from nacre.demo.data import generate
from nacre.demo.home import RAW
from nacre.stages import REGISTRY
from nacre.stages.base import numbered

LABELS = ["M", "F", "I"]


def abalone_bundle(path: Path) -> Path:
    """StringIndexer, OneHotEncoder, VectorAssembler over the eight Abalone columns: nine features."""
    indexer, encoder, assembler = (REGISTRY[op] for op in ("string_indexer", "one_hot_encoder", "vector_assembler"))
    shapes = [Shape("tensor", dims=(2,)), *[Shape()] * 7]
    children = [
        indexer.make(
            "indexer",
            {"labels_length": 1, "labels_array_{n}": {0: LABELS}, "handle_invalid": "error"},
            [("input", "sex")],
            [("output", "sex_index")],
        ),
        encoder.make(
            "encoder",
            {"category_sizes": [3], "drop_last": True, "handle_invalid": "error"},
            [("input", "sex_index")],
            [("output", "sex_vec")],
        ),
        assembler.make(
            "assembler",
            {"input_shapes": shapes, "nacre.handle_invalid": "error"},
            numbered(assembler.inputs[0], ["sex_vec", *RAW[1:]]),
            [("output", "features")],
        ),
    ]
    root = REGISTRY["pipeline"].make("abalone", {"nodes": [child.name for child in children]}, [], [])
    root.children = children
    return write(new_bundle(root), path)


def rows(count: int) -> list[dict[str, object]]:
    """Seeded rows with their types."""
    return [
        {name: text if name == "sex" else float(text) for name, text in zip(RAW, row, strict=False)}
        for row in generate(count)
    ]


def expected(row: dict[str, object]) -> tuple[float, ...]:
    """The features by hand, to check answers before their speed counts."""
    hot = tuple(1.0 if row["sex"] == label else 0.0 for label in LABELS[:2])
    return (*hot, *(float(row[name]) for name in RAW[1:]))  # type: ignore[arg-type]


def seconds(action: Callable[[], object], repeats: int = 7) -> float:
    """Median of several runs."""
    taken = []
    for _ in range(repeats):
        start = perf_counter()
        action()
        taken.append(perf_counter() - start)
    return statistics.median(taken)


class Seconds(NamedTuple):
    """By the clock, and of the processor, which a busy machine stretches less."""

    wall: float
    cpu: float

    def over(self, count: int) -> Seconds:
        return Seconds(self.wall / count, self.cpu / count)


def median(taken: Sequence[Seconds]) -> Seconds:
    return Seconds(*map(statistics.median, zip(*taken, strict=True)))


def both(action: Callable[[], object], repeats: int = 7, clock: Callable[[], float] = process_time) -> Seconds:
    """Medians of several runs; `clock` gives the processor time of the process that works."""
    taken = []
    for _ in range(repeats):
        start, cpu = perf_counter(), clock()
        action()
        taken.append(Seconds(perf_counter() - start, clock() - cpu))
    return median(taken)


def load() -> str:
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
