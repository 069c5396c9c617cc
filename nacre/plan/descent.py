"""Trees as flat arrays that rows are followed down through, all at once: for trees too big for bit slices, and for one
row through a big forest.

Nodes of all trees stand end to end, in pre-order, so a left child is the node after its parent. A leaf is its own
right child and compares with NaN, which no value is below: a row that has reached its leaf stays there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.bundle.trees import LEAF
from nacre.plan.bitslices import among

if TYPE_CHECKING:
    from nacre.plan.forest import TreePlan
    from nacre.plan.frame import Bools, Floats, Rows

AT_ONCE = 1 << 15
"""Rows times trees that are followed at a time."""
CATEGORIES = 1 << 12
"""Categories of one split that are held as a table."""
LEVELS = 4
"""Levels after which rows that have reached their leaf may be left out."""


class Descent:
    """Trees in order.

    A categorical split asks a table: from `start` on an entry a category, whether it goes left, then one for all other
    values. A set with values that are no small whole numbers is looked through instead.
    """

    def __init__(self, plans: Sequence[TreePlan]):
        sizes = [len(plan.tree) for plan in plans]
        self.roots = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.intp)
        self.depth = max(plan.depth for plan in plans)
        own = np.arange(sum(sizes))
        feature = np.concatenate([np.array(plan.tree.feature, np.intp) for plan in plans])
        right = np.concatenate([np.array(plan.tree.right, np.intp) for plan in plans])
        self.inner = feature != LEAF
        self.feature = np.where(self.inner, feature, 0)
        self.right = np.where(self.inner, right + np.repeat(self.roots, sizes), own)
        self.threshold = np.concatenate([np.array(plan.tree.threshold, np.float64) for plan in plans])
        self.threshold[~self.inner] = np.nan
        self.payload = np.concatenate([np.array(plan.payload, np.float64) for plan in plans])
        self._sets(plans)

    def _sets(self, plans: Sequence[TreePlan]) -> None:
        self.start, self.size = np.full(len(self.inner), -1), np.zeros(len(self.inner), np.intp)
        self.odd: dict[int, tuple[frozenset[float], bool]] = {}
        answers: list[bool] = []
        for root, plan in zip(self.roots.tolist(), plans, strict=True):
            for node, (stored, inside) in plan.left_sets.items():
                if not all(0 <= value < CATEGORIES and value == int(value) for value in stored):
                    self.odd[root + node] = (stored, inside)
                    continue
                size = int(max(stored, default=-1)) + 1
                self.start[root + node], self.size[root + node] = len(answers), size
                answers += [(value in stored) == inside for value in range(size)]
                answers.append(not inside)
        self.answers = np.array(answers, bool)

    def evaluate(self, matrix: Floats) -> list[Floats]:
        """The payload that each row reaches, a tree; `matrix` has shape (features, rows)."""
        rows = matrix.shape[1]
        flat, numbers, out = np.ascontiguousarray(matrix).reshape(-1), np.arange(rows), list["Floats"]()
        each = max(1, AT_ONCE // max(rows, 1))
        for first in range(0, len(self.roots), each):
            roots = self.roots[first : first + each]
            leaves = self._follow(flat, rows, np.repeat(roots, rows), np.tile(numbers, len(roots)))
            out += list(self.payload.take(leaves).reshape(len(roots), rows))
        return out

    def one(self, x: Sequence[float]) -> list[float]:
        """The payload that one row reaches, a tree."""
        leaves = self._follow(np.array(x, np.float64), 1, self.roots, np.zeros(len(self.roots), np.intp))
        found: list[float] = self.payload.take(leaves).tolist()
        return found

    def _follow(self, flat: Floats, rows: int, node: Rows, row: Rows) -> Rows:
        """From each node down to a leaf; feature f of row r is ``flat[f * rows + r]``."""
        leaves, live = node, None
        for level in range(1, self.depth + 1):
            x = flat.take(self.feature.take(node) * rows + row)
            left = x <= self.threshold.take(node)
            if len(self.answers):
                self._ask(left, node, x)
            for split, (stored, inside) in self.odd.items():
                here = node == split
                left[here] = among(x[here], stored) == inside
            node = np.where(left, node + 1, self.right.take(node))
            if level % LEVELS == 0 and level < self.depth:
                busy = np.flatnonzero(self.inner.take(node))
                if 2 * len(busy) < len(node):
                    leaves, live = self._put(leaves, live, node), busy if live is None else live[busy]
                    node, row = node[busy], row[busy]
        return self._put(leaves, live, node)

    @staticmethod
    def _put(leaves: Rows, live: Rows | None, node: Rows) -> Rows:
        if live is None:
            return node
        leaves[live] = node
        return leaves

    def _ask(self, left: Bools, node: Rows, x: Floats) -> None:
        start = self.start.take(node)
        here = np.flatnonzero(start >= 0)
        values, size = x[here], self.size.take(node[here])
        with np.errstate(invalid="ignore"):
            known = (values >= 0.0) & (values < size) & (values == np.floor(values))
        left[here] = self.answers.take(start[here] + np.where(known, values, size).astype(np.intp))
