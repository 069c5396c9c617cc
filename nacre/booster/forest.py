"""Trees as flat arrays, and the walk of a block of rows through all of them at once.

Nodes are renumbered breadth first over the whole forest, siblings next to each other, so one step of the walk is
``node = left[node] + goes_right``. A leaf is its own left child and has the threshold NaN, which nothing reaches, so
rows that arrived stay where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nacre.errors import ModelError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_DEPTH = 10_000
"""Levels of a tree this walks; bounds the time a hostile model can take."""
EVEN_LEVELS = 12
"""Levels walked by all rows together; below that only those still on their way."""
BLOCK = 32_768
"""Rows times trees walked at once: what fits a second-level cache."""
CATEGORY_LIMIT = 2**24
"""The library's OutOfRangeCat: from here on float32 cannot hold every integer."""
NO_TERM = np.float32(-0.0)
"""Added to any float32 it leaves the same bits."""


class Tree(NamedTuple):
    """One tree as saved; arrays have one element a node. A leaf has left -1 and its leaf value in `value`."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    value: np.ndarray
    default_left: np.ndarray
    categories: Mapping[int, frozenset[int]]
    """Node -> the categories that go right; such a node has no threshold."""
    group: int
    path: str
    """Where it stands in the model document, for errors."""
    cover: np.ndarray = np.zeros(0, np.float32)
    """Sum of hessians of each node, which contributions need; empty where the model does not tell."""
    plain: np.ndarray | None = None
    """`value` before it was multiplied by dart's `weight`."""
    weight: np.float32 = np.float32(1)

    def scaled(self, weight: np.float32) -> Tree:
        """With leaves multiplied by dart's weight, rounded to float32 as the library's ``h * w`` is."""
        with np.errstate(over="ignore"):
            value = np.where(self.left < 0, self.value * weight, self.value).astype(np.float32)
            return self._replace(value=value, plain=self.value, weight=weight)


class Forest:
    """All trees of a model, ordered by group and, within one, as the library adds them."""

    def __init__(self, trees: Sequence[Tree], groups: int):
        ordered = sorted(trees, key=lambda tree: tree.group)
        counts = np.bincount([tree.group for tree in trees], minlength=groups)
        stops = np.cumsum(counts).tolist()
        self.spans: list[tuple[int, int]] = list(zip([0, *stops[:-1]], stops, strict=True))
        """Group -> its first tree and the one after its last, in the order of `roots`."""
        self.roots = np.arange(len(trees))
        self._number(ordered)

    def _number(self, trees: Sequence[Tree]) -> None:
        """Breadth-first numbers for all nodes that a root reaches, and the arrays in that order."""
        offsets = np.cumsum([0, *(len(tree.left) for tree in trees)])
        left = _joined([np.where(tree.left < 0, -1, tree.left + at) for tree, at in zip(trees, offsets, strict=False)])
        right = _joined([tree.right + at for tree, at in zip(trees, offsets, strict=False)])
        levels, first_children = _levels(left, right, offsets, trees)
        order = _joined(levels)
        inner = left[order] >= 0
        value = _joined([tree.value for tree in trees], np.float32)[order]
        self.depth = max(len(levels) - 1, 0)
        self.size = len(order)
        self.inner = inner
        self.left = np.where(inner, _joined(first_children), np.arange(self.size))
        self.feature = _joined([tree.feature for tree in trees])[order]
        self.default_right = inner & ~_joined([tree.default_left for tree in trees], bool)[order]
        self.leaf = np.where(inner, np.float32(0), value)
        self.categories = _renumbered(trees, offsets, order)
        threshold = np.where(inner, value, np.float32(np.nan))
        threshold[list(self.categories)] = np.nan
        self.threshold = threshold
        self._categorical = np.zeros(self.size, bool)
        self._categorical[list(self.categories)] = True
        keys = [node * CATEGORY_LIMIT + category for node, those in self.categories.items() for category in those]
        self._category_keys = np.sort(np.array(keys, np.int64))

    def blocks(self, rows: int) -> Iterator[slice]:
        """Slices of the rows that are walked at once."""
        size = max(16, BLOCK // max(len(self.roots), 1))
        return (slice(start, min(start + size, rows)) for start in range(0, rows, size))

    def margins(self, x: np.ndarray, base: np.ndarray) -> np.ndarray:
        """Base scores plus every tree's leaf, rounded to float32 after each tree: float32 (rows, groups)."""
        out = np.empty((len(x), len(self.spans)), np.float32)
        for block in self.blocks(len(x)):
            rows = np.ascontiguousarray(x[block])
            for group, (start, stop) in enumerate(self.spans):
                out[block, group] = self._sum(rows, base[group], start, stop)
        return out

    def _sum(self, x: np.ndarray, base: np.float32, start: int, stop: int) -> np.ndarray:
        """One group's running sum, some thousand trees at a time."""
        total = np.full(len(x), base, np.float32)
        step = max(BLOCK // max(len(x), 1), 64)
        for first in range(start, stop, step):
            leaves = self.leaves(x, self.roots[first : min(first + step, stop)])
            terms = np.concatenate([total[None], leaves])
            with np.errstate(over="ignore", invalid="ignore"):
                # accumulate adds in the order of the trees by definition; reduce promises no order
                total = np.add.accumulate(terms, axis=0)[-1]
        return total

    def leaves(self, x: np.ndarray, roots: np.ndarray) -> np.ndarray:
        """The leaf value each row reaches in each tree: float32 (trees, rows). `x` is float32 (rows, features)."""
        rows, features = x.shape
        if not features:
            x, features = np.zeros((rows, 1), np.float32), 1
        missing = bool(np.isnan(x).any())
        flat = x.ravel()
        start = np.tile(np.arange(rows) * features, len(roots))
        node = np.repeat(roots, rows)
        for _ in range(min(self.depth, EVEN_LEVELS)):
            node = self._step(node, start, flat, missing)
        if self.depth > EVEN_LEVELS:
            self._finish(node, start, flat, missing)
        return self.leaf.take(node).reshape(len(roots), rows)

    def _finish(self, node: np.ndarray, start: np.ndarray, flat: np.ndarray, missing: bool) -> None:
        active = np.flatnonzero(self.inner.take(node))
        while len(active):
            moved = self._step(node.take(active), start.take(active), flat, missing)
            node[active] = moved
            active = active[self.inner.take(moved)]

    def _step(self, node: np.ndarray, start: np.ndarray, flat: np.ndarray, missing: bool) -> np.ndarray:
        at = self.feature.take(node)
        at += start
        value = flat.take(at)
        right = value >= self.threshold.take(node)
        if self.categories:
            self._choose(node, value, right)
        if missing:
            right |= np.isnan(value) & self.default_right.take(node)
        below = self.left.take(node)
        below += right
        return below

    def _choose(self, node: np.ndarray, value: np.ndarray, right: np.ndarray) -> None:
        """Categorical splits: right if the value's whole part is among the node's categories."""
        here = np.flatnonzero(self._categorical.take(node))
        category = value.take(here)
        valid = (category >= 0) & (category < CATEGORY_LIMIT)
        here, category = here[valid], category[valid]
        key = node.take(here) * CATEGORY_LIMIT + category.astype(np.int64)
        found = np.searchsorted(self._category_keys, key)
        found[found == len(self._category_keys)] = 0
        right[here] = self._category_keys[found] == key


def _joined(parts: Sequence[np.ndarray], dtype: type = np.int64) -> np.ndarray:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype)


def _levels(
    left: np.ndarray, right: np.ndarray, offsets: np.ndarray, trees: Sequence[Tree]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Old node numbers level by level, and for each the new number of its left child (0 for a leaf).

    Every node may be reached once only: a tree with a loop or a shared branch is refused.
    """
    frontier = offsets[: len(trees)].copy()
    seen = np.zeros(len(left), bool)
    levels: list[np.ndarray] = []
    first_children: list[np.ndarray] = []
    following = len(frontier)
    while len(frontier):
        if len(levels) > MAX_DEPTH:
            raise UnsupportedError("XGBoost tree too deep", expected=f"at most {MAX_DEPTH} levels", got="more")
        seen[frontier] = True
        levels.append(frontier)
        inner = left[frontier] >= 0
        first_children.append(np.where(inner, following + 2 * (np.cumsum(inner) - 1), 0))
        parents = frontier[inner]
        frontier = np.stack([left[parents], right[parents]], axis=1).ravel()
        following += len(frontier)
        _check_once(frontier, seen, offsets, trees)
    return levels, first_children


def _check_once(frontier: np.ndarray, seen: np.ndarray, offsets: np.ndarray, trees: Sequence[Tree]) -> None:
    again = frontier[seen[frontier]]
    if not len(again):
        nodes, times = np.unique(frontier, return_counts=True)
        again = nodes[times > 1]
    if len(again):
        tree = int(np.searchsorted(offsets, again[0], side="right")) - 1
        node = int(again[0] - offsets[tree])
        raise ModelError(
            "broken XGBoost tree",
            expected="each node under one parent",
            got=f"node {node} twice",
            field=trees[tree].path,
        )


def _renumbered(trees: Sequence[Tree], offsets: np.ndarray, order: np.ndarray) -> dict[int, frozenset[int]]:
    if not any(tree.categories for tree in trees):
        return {}
    new = {int(old): number for number, old in enumerate(order)}
    pairs = [
        (int(at) + node, those)
        for tree, at in zip(trees, offsets, strict=False)
        for node, those in tree.categories.items()
        if tree.left[node] >= 0
    ]
    return {new[old]: those for old, those in pairs if old in new}
