"""How decision trees run: over blocks of rows with numpy, and over one row as nested conditionals.

Both send a row left when ``x <= threshold``, in double; a NaN goes right. Both return a payload a leaf: its value, or
its number.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.bundle.trees import LEAF, Tree
from nacre.plan.bitslices import DEEPEST, Group, among, groups

if TYPE_CHECKING:
    from nacre.plan.frame import Floats
    from nacre.plan.rowcode import RowCode

BLOCK = 20_000
"""Rows walked at a time: the block's columns stay in the processor's cache."""
NODES = 50_000
"""Nodes of a model up to which trees become Python source; beyond, compiling costs seconds and hundreds of MB."""
CATEGORIES = 1 << 12
"""Categories of one split that are held as a table."""
DEPTH = 60
"""Depth up to which a tree becomes source: Python's own parser ends at 98 nested blocks."""


class TreePlan:
    """One tree, ready to run. `payload` has one number a node; only those of leaves are read."""

    def __init__(self, tree: Tree, payload: Sequence[float], mleap: bool = False):
        self.tree = tree
        self.payload = list(payload)
        self.depth = tree.depth()
        self.left_sets = {node: _left_rule(*known, mleap) for node, known in tree.categories.items()}
        self._group: Group | None = None
        self._arrays: Arrays | None = None

    # Columns

    def evaluate(self, matrix: Floats) -> Floats:
        """The payload of the leaf that each row reaches; `matrix` has shape (features, rows)."""
        if self.depth > DEEPEST:
            return self.walk_down(matrix)
        if self._group is None:
            self._group = Group([self])
        return self._group.evaluate(matrix)[0]

    def walk_down(self, matrix: Floats) -> Floats:
        """Level by level: each row holds its node's number, and is done when that is a leaf."""
        if self._arrays is None:
            self._arrays = Arrays(self)
        return self._arrays.walk(matrix)

    # One row

    def write(self, code: RowCode, names: Sequence[str], out: str) -> None:
        """Nested conditionals that leave the payload in the variable `out`; `names` are the features' variables."""
        self._write(code, names, out, 0)

    def _write(self, code: RowCode, names: Sequence[str], out: str, node: int) -> None:
        tree = self.tree
        if tree.feature[node] == LEAF:
            code.line(f"{out} = {code.number(self.payload[node])}")
            return
        with code.block(f"if {self._test(code, names[tree.feature[node]], node)}"):
            self._write(code, names, out, tree.left[node])
        with code.block("else"):
            self._write(code, names, out, tree.right[node])

    def _test(self, code: RowCode, x: str, node: int) -> str:
        if node in self.left_sets:
            stored, left_if_stored = self.left_sets[node]
            return f"{x} {'in' if left_if_stored else 'not in'} {code.const(stored, 'set')}"
        return f"{x} <= {code.number(self.tree.threshold[node])}"

    def walker(self) -> Callable[[Sequence[float]], float]:
        """The same walk as a loop over flat lists, for trees too big to become source."""
        tree, payload, sets = self.tree, self.payload, self.left_sets
        feature, threshold, left, right = tree.feature, tree.threshold, tree.left, tree.right

        def walk(x: Sequence[float]) -> float:
            node = 0
            while (column := feature[node]) >= 0:
                if node in sets:
                    stored, left_if_stored = sets[node]
                    goes_left = (x[column] in stored) == left_if_stored
                else:
                    goes_left = x[column] <= threshold[node]
                node = left[node] if goes_left else right[node]
            return payload[node]

        return walk


def _left_rule(stored: Sequence[float], is_left: bool, count: int, mleap: bool) -> tuple[frozenset[float], bool]:
    """(values, whether they go left) of a categorical split, so that values outside them go the other way.

    A bundle stores one side. Spark stores the left side when it has at most half of the categories, so an unseen
    value goes right then, and left otherwise; MLeap's writer decides ties the other way. The left side is rebuilt
    here and Spark's rule applied; mode "mleap" takes the stored side as it is.
    """
    values = frozenset(stored)
    left = len(values) if is_left else count - len(values)
    if mleap or is_left == (left <= count // 2):
        return values, is_left
    # The other side has as many values as this one at most, or one more, so a count that lies costs nothing.
    return frozenset(float(i) for i in range(count)) - values, not is_left


class Arrays:
    """A tree too deep for bit slices, as flat arrays that rows are followed through.

    A categorical split asks a table: from `start` on, one entry a category, whether it goes left, then one for all
    other values. A set with values that are no small whole numbers is looked through instead.
    """

    def __init__(self, plan: TreePlan):
        tree = plan.tree
        self.feature, self.threshold = np.array(tree.feature), np.array(tree.threshold)
        self.left, self.right = np.array(tree.left), np.array(tree.right)
        self.payload = np.array(plan.payload, np.float64)
        self.start, self.size = np.full(len(tree), -1), np.zeros(len(tree), np.intp)
        self.odd: dict[int, tuple[frozenset[float], bool]] = {}
        answers: list[bool] = []
        for node, (stored, inside) in plan.left_sets.items():
            if not all(0 <= value < CATEGORIES and value == int(value) for value in stored):
                self.odd[node] = (stored, inside)
                continue
            self.start[node], self.size[node] = len(answers), int(max(stored, default=-1)) + 1
            answers += [(value in stored) == inside for value in range(self.size[node])]
            answers.append(not inside)
        self.answers = np.array(answers, bool)

    def walk(self, matrix: Floats) -> Floats:
        """The payload of the leaf that each row reaches."""
        out = np.empty(matrix.shape[1])
        rows, node = np.arange(len(out)), np.zeros(len(out), np.intp)
        while len(rows):
            feature = self.feature[node]
            if (done := feature == LEAF).any():
                out[rows[done]] = self.payload[node[done]]
                rows, node, feature = rows[~done], node[~done], feature[~done]
            x = matrix[feature, rows]
            goes_left = x <= self.threshold[node]
            if len(self.answers):
                self._ask(goes_left, node, x)
            for split, (stored, inside) in self.odd.items():
                here = node == split
                goes_left[here] = among(x[here], stored) == inside
            node = np.where(goes_left, self.left[node], self.right[node])
        return out

    def _ask(self, goes_left: np.ndarray, node: np.ndarray, x: Floats) -> None:
        here = np.flatnonzero(self.start[node] >= 0)
        split, values = node[here], x[here]
        size = self.size[split]
        with np.errstate(invalid="ignore"):
            known = (values >= 0.0) & (values < size) & (values == np.floor(values))
        at = np.where(known, values, size).astype(np.intp)
        goes_left[here] = self.answers[self.start[split] + at]


class Forest:
    """Trees in order and how their payloads combine."""

    def __init__(self, plans: Sequence[TreePlan]):
        self.plans = list(plans)
        self.nodes = sum(len(plan.tree) for plan in self.plans)
        self.depth = max((plan.depth for plan in self.plans), default=0)
        self._parts: list[Group | TreePlan] | None = None

    def columns(self, matrix: Floats, combine: Callable[[Sequence[Floats]], Floats]) -> Floats:
        """`combine` of all trees' payloads, block by block. It gives a number a row, or several: shape (n, rows)."""
        if self._parts is None:
            self._parts = self._split()
        blocks = [matrix[:, start : start + BLOCK] for start in range(0, matrix.shape[1], BLOCK)] or [matrix]
        parts = [combine(self._evaluate(self._parts, block)) for block in blocks]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def _split(self) -> list[Group | TreePlan]:
        """The trees in order: neighbours that are run as bit slices in groups, deep ones alone."""
        parts: list[Group | TreePlan] = []
        for deep, some in itertools.groupby(self.plans, lambda plan: plan.depth > DEEPEST):
            plans = list(some)
            parts += plans if deep else groups(plans)
        return parts

    def _evaluate(self, parts: Sequence[Group | TreePlan], block: Floats) -> list[Floats]:
        out: list[Floats] = []
        for part in parts:
            out += part.evaluate(block) if isinstance(part, Group) else [part.walk_down(block)]
        return out

    def row(self, code: RowCode, names: Sequence[str]) -> list[str]:
        """The names of variables that hold each tree's payload."""
        if self.nodes > NODES or self.depth > DEPTH:
            features = code.let(f"({', '.join(names)},)", "f")
            return [code.let(f"{code.const(plan.walker(), 'walk')}({features})", "p") for plan in self.plans]
        outs = []
        for plan in self.plans:
            outs.append(code.new("p"))
            plan.write(code, names, outs[-1])
        return outs
