"""What each feature adds to a row's margin (``pred_contribs``): the path-dependent TreeSHAP of Lundberg et al.

Algorithm 2 of "Consistent Individualized Feature Attribution for Tree Ensembles" (arXiv 1802.03888), all in float32 and
in the library's order of operations: a path is extended and unwound as there, the branch that the row takes comes
before the other one, and so on. Here all rows go down a tree together: what depends on the row is whether it follows a
branch (the "one fraction", 0 or 1), so these and the weights are arrays over the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import ModelError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nacre.booster.forest import Tree

F = np.float32
Floats = np.ndarray[Any, np.dtype[np.float32]]
DEEPEST = 64
"""Levels of a tree that are followed; the work grows with the square of the depth."""


class Path:
    """The features on the way to a node: for each its index, the share of cover that goes the same way without
    knowing it (a number), whether the row goes this way (an array), and the weight of its subsets (an array)."""

    def __init__(self, rows: int):
        self.rows = rows
        self.features: list[int] = []
        self.zero: list[np.float32] = []
        self.one: list[Floats] = []
        self.weight: list[Floats] = []

    def copy(self) -> Path:
        made = Path(self.rows)
        made.features, made.zero, made.one = list(self.features), list(self.zero), list(self.one)
        made.weight = list(self.weight)
        return made

    def extend(self, zero: np.float32, one: Floats, feature: int) -> None:
        depth = len(self.features)
        self.features.append(feature)
        self.zero.append(zero)
        self.one.append(one)
        self.weight.append(np.full(self.rows, 1.0 if depth == 0 else 0.0, F))
        count = F(depth + 1)
        for i in range(depth - 1, -1, -1):
            self.weight[i + 1] = self.weight[i + 1] + one * self.weight[i] * F(i + 1) / count
            self.weight[i] = zero * self.weight[i] * F(depth - i) / count

    def unwind(self, index: int) -> None:
        depth = len(self.features) - 1
        one, zero = self.one[index], self.zero[index]
        count, portion = F(depth + 1), self.weight[depth]
        followed = one != 0
        for i in range(depth - 1, -1, -1):
            old = self.weight[i]
            if_followed = portion * count / (F(i + 1) * one)
            if_not = old * count / (zero * F(depth - i))
            portion = np.where(followed, old - if_followed * zero * F(depth - i) / count, portion)
            self.weight[i] = np.where(followed, if_followed, if_not)
        del self.features[index], self.zero[index], self.one[index], self.weight[depth]

    def unwound_sum(self, index: int) -> Floats:
        depth = len(self.features) - 1
        one, zero = self.one[index], self.zero[index]
        count, portion, total = F(depth + 1), self.weight[depth], np.zeros(self.rows, F)
        followed = one != 0
        for i in range(depth - 1, -1, -1):
            share = F(depth - i) / count
            if_followed = portion * count / (F(i + 1) * one)
            if_not = self.weight[i] / zero / share if zero != 0 else np.zeros(self.rows, F)
            portion = np.where(followed, self.weight[i] - if_followed * zero * share, portion)
            total = total + np.where(followed, if_followed, if_not)
        return total


class _Walk:
    """One tree over one block of rows. Terms are kept by the leaf's place in each row's own order, then added up."""

    def __init__(self, tree: Tree, rows: int, rights: np.ndarray):
        self.tree = tree
        self.rows = rows
        self.rights = rights
        self.leaf_counts = _leaf_counts(tree)
        self.used = sorted({int(f) for f in tree.feature[tree.left >= 0]})
        self.at = {feature: n for n, feature in enumerate(self.used)}
        self.terms = np.full((self.leaf_counts[0], len(self.used), self.rows), F(-0.0))
        self.every = np.arange(self.rows)

    def run(self) -> Floats:
        """Contributions of the used features, shape (used, rows)."""
        self.visit(0, Path(self.rows), F(1.0), np.ones(self.rows, F), -1, np.zeros(self.rows, np.intp))
        out = np.zeros((len(self.used), self.rows), F)
        for terms in self.terms:
            out += terms
        return out

    def visit(self, node: int, above: Path, zero: np.float32, one: Floats, feature: int, place: np.ndarray) -> None:
        path = above.copy()
        path.extend(zero, one, feature)
        tree = self.tree
        if tree.left[node] < 0:
            value = F(_leaf_values(tree)[node])
            for i in range(1, len(path.features)):
                term = path.unwound_sum(i) * (path.one[i] - path.zero[i]) * value
                self.terms[place, self.at[path.features[i]], self.every] = term
            return
        split, left, right = int(tree.feature[node]), int(tree.left[node]), int(tree.right[node])
        cover = _covers(tree)
        came_zero, came_one = F(1.0), np.ones(self.rows, F)
        if split in path.features[1:]:
            index = path.features.index(split, 1)
            came_zero, came_one = path.zero[index], path.one[index]
            path.unwind(index)
        goes_right = self.rights[node]
        for child, here, other in ((left, ~goes_right, right), (right, goes_right, left)):
            share = F(cover[child] / cover[node])
            # the branch that the row takes is visited first
            begin = place + np.where(here, 0, self.leaf_counts[other])
            self.visit(child, path, F(share * came_zero), np.where(here, came_one, F(0.0)), split, begin)


def contributions(tree: Tree, x: Floats, rights: np.ndarray) -> tuple[list[int], Floats, np.float32]:
    """(features used, what each adds to every row: float32 (used, rows), what the tree gives on average).

    `rights` tells for each node which rows go right, shape (nodes, rows).
    """
    depth = _depth(tree)
    if depth > DEEPEST:
        raise UnsupportedError(
            "XGBoost tree too deep for contributions", expected=f"at most {DEEPEST} levels", got=depth
        )
    walk = _Walk(tree, len(x), rights)
    with np.errstate(all="ignore"):
        return walk.used, walk.run(), mean(tree)


def mean(tree: Tree) -> np.float32:
    """The mean of the leaves, each weighted with its cover, from the bottom up in float32."""
    values, cover = _leaf_values(tree), _covers(tree)

    def below(node: int) -> np.float32:
        if tree.left[node] < 0:
            return F(values[node])
        left, right = int(tree.left[node]), int(tree.right[node])
        weighed = F(F(below(left) * cover[left]) + F(below(right) * cover[right]))
        return F(weighed / cover[node])

    return below(0)


def _leaf_values(tree: Tree) -> np.ndarray:
    return tree.value if tree.plain is None else tree.plain


def _covers(tree: Tree) -> np.ndarray:
    if len(tree.cover) != len(tree.left):
        raise ModelError("no contributions", expected="sum_hessian of each node", got="nothing", field=tree.path)
    return tree.cover


def _leaf_counts(tree: Tree) -> dict[int, int]:
    """Node -> leaves below it."""
    counts: dict[int, int] = {}
    for node in _bottom_up(tree):
        left = int(tree.left[node])
        counts[node] = 1 if left < 0 else counts[left] + counts[int(tree.right[node])]
    return counts


def _bottom_up(tree: Tree) -> Sequence[int]:
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        if tree.left[node] >= 0:
            stack += [int(tree.left[node]), int(tree.right[node])]
    return order[::-1]


def _depth(tree: Tree) -> int:
    depths: dict[int, int] = {}
    for node in _bottom_up(tree):
        left = int(tree.left[node])
        depths[node] = 0 if left < 0 else 1 + max(depths[left], depths[int(tree.right[node])])
    return depths[0]
