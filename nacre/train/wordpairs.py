"""How well word vectors tell what is alike: Spearman's rank correlation with what people said of pairs of words.

BlazingText does this on WordSim-353, which its image holds. Here the files come in a channel, `pairs`: two words and a
score a line, parted by blanks, tabs or commas.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import RowError
from nacre.train.rows import data_files

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = "two words and a score a line"


def evaluate(channel: Path, vectors: Path) -> dict[str, Any]:
    """An entry a file as BlazingText's eval.json has it, and `mean_rho` over the files that have a correlation."""
    files = {file.name: read_pairs(file) for file in data_files(channel, expected=EXPECTED)}
    wanted = {word for pairs in files.values() for first, second, _ in pairs for word in (first, second)}
    known = read_vectors(vectors, wanted)
    found: dict[str, Any] = {name: compare(pairs, known) for name, pairs in files.items()}
    rhos = [each["spearmans_rho"] for each in found.values() if each["spearmans_rho"] is not None]
    return {**found, "mean_rho": sum(rhos) / len(rhos) if rhos else None}


def read_pairs(file: Path) -> list[tuple[str, str, float]]:
    pairs = []
    for row, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = re.split(r"[\s,]+", line.strip())
        try:
            first, second, score = fields
            pairs.append((first.lower(), second.lower(), float(score)))
        except ValueError:
            if row > 1:  # the first may be a head
                raise RowError("not a pair of words", expected=EXPECTED, got=line, file=str(file), row=row) from None
    return pairs


def read_vectors(path: Path, wanted: set[str]) -> dict[str, np.ndarray]:
    """Those of the wanted words, from word2vec's text format."""
    found = {}
    with path.open(encoding="utf-8") as lines:
        dim = int(next(lines).split()[1])
        for line in lines:
            word, *numbers = line.rstrip("\n").rsplit(" ", dim)
            if word in wanted:
                found[word] = np.array(numbers, np.float64)
    return found


def compare(pairs: list[tuple[str, str, float]], known: dict[str, np.ndarray]) -> dict[str, Any]:
    both = [
        (known[first], known[second], score) for first, second, score in pairs if first in known and second in known
    ]
    likeness = np.array([cosine(first, second) for first, second, _ in both])
    rho = spearman(likeness, np.array([score for *_, score in both]))
    return {"not_found": len(pairs) - len(both), "spearmans_rho": rho, "total_pairs": len(pairs)}


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    size = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / size if size else 0.0


def spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """The correlation of the ranks, equal values sharing the mean of theirs; None where one side does not vary."""
    if len(first) < 2:
        return None
    a, b = (ranks(values) - (len(values) + 1) / 2 for values in (first, second))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else None


def ranks(values: np.ndarray) -> np.ndarray:
    """From 1; shape as given."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: np.ndarray = (last - (counts - 1) / 2)[place]
    return means
