"""A pipeline of texts in process: tokens, stop words, pairs of words, 2^18 hashed features, IDF. Both plans must agree
on every row first, and on a row whose places are known from Spark."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pyarrow as pa
from _common import load, seconds

from nacre.bundle import Node, new_bundle
from nacre.bundle.values import Tensor
from nacre.plan.model import Model
from nacre.stages import REGISTRY

WIDTH = 1 << 18
ROWS = 200_000


def node(op: str, values: dict[str, Any], column: str, output: str) -> Node:
    return REGISTRY[op].make(op, values, [("input", column)], [("output", output)])


def pipeline(stops: list[str], n: int) -> Model:
    weights = random.Random(1)
    children = [
        node("tokenizer", {}, "text", "tokens"),
        node("stopwords_remover", {"stop_words": stops}, "tokens", "kept"),
        node("ngram", {"n": n}, "kept", "grams"),
        node("hashing_term_frequency", {"num_features": WIDTH, "hashUnsafeBytesVersion": 2}, "grams", "counts"),
        node("idf", {"idf": Tensor([weights.random() for _ in range(WIDTH)], (WIDTH,))}, "counts", "features"),
    ]
    root = REGISTRY["pipeline"].make("texts", {"nodes": [child.name for child in children]}, [], [])
    root.children = children
    return Model(new_bundle(root))


def texts(words: list[str], count: int) -> list[str]:
    """Five to fifteen words each, the n-th of them 1/n as frequent as the first."""
    seeded = random.Random(2)
    shares = [1.0 / (n + 1) for n in range(len(words))]
    chosen = iter(seeded.choices(words, shares, k=15 * count))
    return [" ".join(next(chosen) for _ in range(seeded.randint(5, 15))).capitalize() for _ in range(count)]


def main() -> int:
    seeded = random.Random(3)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(seeded.choices(letters, k=seeded.randint(2, 10))) for _ in range(20_000)]
    model, given = pipeline(words[:30], 2), texts(words, ROWS)
    table, sample = pa.table({"text": given}), [{"text": text} for text in given[:5000]]

    scored = model.transform(table.slice(0, len(sample)), columns=["features"], vectors="sparse")["features"]
    for row, vector in zip(sample, scored.to_pylist(), strict=True):
        alone = model.row(row, ["features"], vectors="sparse")
        assert alone is not None
        assert alone["features"] == (vector["size"], tuple(vector["indices"]), tuple(vector["values"]))
    known = pipeline([], 1).row({"text": "A ab abc"}, ["counts"], vectors="sparse")
    assert known == {"counts": (WIDTH, (69191, 107107, 204392), (1.0, 1.0, 1.0))}  # Spark 4.1's

    def rows() -> None:
        for row in sample:
            model.row(row, ["features"], vectors="sparse")

    print(f"Texts of 10 words to 2^18 features, one process, {load()}; medians of 7")
    print(f"  model.row, sparse                 {seconds(rows) / len(sample) * 1e6:8.2f} µs a row")
    took = seconds(lambda: model.transform(table, columns=["features"], vectors="sparse"))
    print(f"  columns plan, {ROWS:,} rows        {table.num_rows / took / 1e3:8.1f} thousand rows/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
