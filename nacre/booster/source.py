"""A forest as Python source: nested conditional expressions that give one row's leaves.

The generated function takes the row as a sequence of float32 values and returns the float32 terms of the sum,
`width` a group: the base score, a leaf a tree, and ``-0.0`` (which adds nothing) where a group has fewer trees.
Only numbers of the model reach the source, never its strings. NaN is missing: every comparison with it is false, so
a split is written with the default branch last.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nacre.booster.forest import CATEGORY_LIMIT, NO_TERM, Forest

MAX_NODES = 50_000
"""Beyond, compiling costs more time and memory at start than the rows win."""
MAX_DEPTH = 60
"""Python's parser gives up at about 98 nested conditionals."""
PART = 600
"""Nodes a function: larger ones need wide constant and jump arguments and run slower."""

Terms = Callable[[Sequence[float]], np.ndarray]


def fits(forest: Forest) -> bool:
    return forest.size <= MAX_NODES and forest.depth <= MAX_DEPTH


def generate(forest: Forest, base: Sequence[float]) -> tuple[str, dict[str, Any], int]:
    """The source, the names it uses, and the terms a group."""
    writer = _Writer(forest)
    width = 1 + max(stop - start for start, stop in forest.spans)
    terms: list[_Term] = []
    for first, (start, stop) in zip(base, forest.spans, strict=True):
        terms.append(writer.constant(first))
        terms += [writer.tree(int(root)) for root in forest.roots[start:stop]]
        terms += [writer.constant(float(NO_TERM))] * (width - 1 - (stop - start))
    return _module(terms, writer.names), writer.names, width


def compile_terms(source: str, names: dict[str, Any]) -> Terms:
    """Turn generated source into the function. The source holds nothing but numbers and its own names."""
    scope = dict(names)
    exec(compile(source, "<xgboost row plan>", "exec"), scope)  # noqa: S102 - only what _Writer wrote
    terms: Terms = scope["terms"]
    return terms


class _Term:
    """One element of the sum: its expression, the features it looks at and how many nodes it has."""

    def __init__(self, text: str, features: frozenset[int] = frozenset(), nodes: int = 1):
        self.text = text
        self.features = features
        self.nodes = nodes


class _Writer:
    def __init__(self, forest: Forest):
        self.left = forest.left.tolist()
        self.inner = forest.inner.tolist()
        self.feature = forest.feature.tolist()
        self.threshold = forest.threshold.tolist()
        self.default_right = forest.default_right.tolist()
        self.leaf = forest.leaf.tolist()
        self.categories = forest.categories
        self.names: dict[str, Any] = {"inf": math.inf, "nan": math.nan}

    def constant(self, value: float) -> _Term:
        return _Term(repr(value))

    def tree(self, root: int) -> _Term:
        used: list[int] = []
        text = self.node(root, used)
        return _Term(text, frozenset(used), 2 * len(used) + 1)

    def node(self, node: int, used: list[int]) -> str:
        if not self.inner[node]:
            return repr(self.leaf[node])
        feature = self.feature[node]
        used.append(feature)
        left, right = self.node(self.left[node], used), self.node(self.left[node] + 1, used)
        if node in self.categories:
            return f"({right} if {self.chosen(node, feature)} else {left})"
        threshold = repr(self.threshold[node])
        if self.default_right[node]:
            return f"({left} if a{feature} < {threshold} else {right})"
        return f"({right} if a{feature} >= {threshold} else {left})"

    def chosen(self, node: int, feature: int) -> str:
        self.names[f"c{node}"] = self.categories[node]
        among = f"0.0 <= a{feature} < {CATEGORY_LIMIT}.0 and int(a{feature}) in c{node}"
        return f"a{feature} != a{feature} or {among}" if self.default_right[node] else among


def _module(terms: Sequence[_Term], names: dict[str, Any]) -> str:
    parts: list[list[_Term]] = [[]]
    for term in terms:
        if parts[-1] and sum(other.nodes for other in parts[-1]) + term.nodes > PART:
            parts.append([])
        parts[-1].append(term)
    functions = [_function(number, part) for number, part in enumerate(parts)]
    for number, part in enumerate(parts):
        names[f"pack{number}"] = struct.Struct(f"{len(part)}f").pack
    names |= {"frombuffer": np.frombuffer, "single": np.dtype(np.float32)}
    calls = " + ".join(f"part{number}(row)" for number in range(len(parts)))
    return "\n\n".join([*functions, f"def terms(row):\n    return frombuffer({calls}, single)"]) + "\n"


def _function(number: int, part: Sequence[_Term]) -> str:
    features = sorted(frozenset().union(*(term.features for term in part)))
    loads = "".join(f"    a{feature} = row[{feature}]\n" for feature in features)
    body = ",\n".join(f"        {term.text}" for term in part)
    return f"def part{number}(row):\n{loads}    return pack{number}(\n{body},\n    )"
