"""How a decision tree runs: over blocks of rows with numpy, and over one row as nested conditionals.

Both send a row left when ``x <= threshold``, in double; a NaN goes right. Both return a payload a leaf: its value, or
its number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.bundle.trees import LEAF, Tree

if TYPE_CHECKING:
    from nacre.plan.frame import Floats
    from nacre.plan.rowcode import RowCode

BLOCK = 8192
"""Rows walked at a time: the block's columns stay in the processor's cache."""
SMALL = 32
"""Splits up to which evaluating every split of a tree beats following each row down it (depth 5 when full)."""
NODES = 50_000
"""Nodes of a model up to which trees become Python source; beyond, compiling costs seconds and hundreds of MB."""
DEPTH = 60
"""Depth up to which a tree becomes source: Python's own parser ends at 98 nested blocks."""


class TreePlan:
    """One tree, ready to run. `payload` has one number a node; only those of leaves are read."""

    def __init__(self, tree: Tree, payload: Sequence[float], mleap: bool = False):
        self.tree = tree
        self.payload = list(payload)
        self.depth = tree.depth()
        self.left_sets = {node: _left_rule(*known, mleap) for node, known in tree.categories.items()}
        self.splits = sum(feature != LEAF for feature in tree.feature)
        self._arrays: tuple[np.ndarray, ...] | None = None

    # Columns

    def evaluate(self, matrix: Floats) -> Floats:
        """The payload of the leaf that each row reaches; `matrix` has shape (features, rows)."""
        return self._every_split(matrix) if self.splits <= SMALL else self._follow(matrix)

    def _every_split(self, matrix: Floats) -> Floats:
        """Bottom up: children stand after their parent, so walking backwards meets them first."""
        tree = self.tree
        found: dict[int, Floats | float] = {}
        for node in range(len(tree) - 1, -1, -1):
            if tree.feature[node] == LEAF:
                found[node] = self.payload[node]
            else:
                left, right = found.pop(tree.left[node]), found.pop(tree.right[node])
                found[node] = np.where(self._goes_left(node, matrix[tree.feature[node]]), left, right)
        root = found[0]
        return root if isinstance(root, np.ndarray) else np.full(matrix.shape[1], root)

    def _goes_left(self, node: int, x: Floats) -> np.ndarray:
        if node in self.left_sets:
            stored, left_if_stored = self.left_sets[node]
            found: np.ndarray = np.isin(x, list(stored)) == left_if_stored
            return found
        below: np.ndarray = x <= self.tree.threshold[node]
        return below

    def _follow(self, matrix: Floats) -> Floats:
        """Level by level: each row holds its node's number; leaves point at themselves."""
        if self._arrays is None:
            self._arrays = self._flat()
        feature, threshold, left, right, payload = self._arrays
        rows = np.arange(matrix.shape[1])
        node = np.zeros(len(rows), np.intp)
        for _ in range(self.depth):
            x = matrix[feature[node], rows]
            goes_left = x <= threshold[node]
            for split in self.left_sets:
                here = node == split
                goes_left[here] = self._goes_left(split, x[here])
            node = np.where(goes_left, left[node], right[node])
        return payload[node]

    def _flat(self) -> tuple[np.ndarray, ...]:
        tree, own = self.tree, range(len(self.tree))
        leaf = [feature == LEAF for feature in tree.feature]
        left = [node if leaf[node] else tree.left[node] for node in own]
        right = [node if leaf[node] else tree.right[node] for node in own]
        feature = [max(each, 0) for each in tree.feature]
        return (np.array(feature), np.array(tree.threshold), np.array(left), np.array(right), np.array(self.payload))

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


class Forest:
    """Trees in order and how their payloads combine."""

    def __init__(self, plans: Sequence[TreePlan]):
        self.plans = list(plans)
        self.nodes = sum(len(plan.tree) for plan in self.plans)
        self.depth = max((plan.depth for plan in self.plans), default=0)

    def columns(self, matrix: Floats, combine: Callable[[Sequence[Floats]], Floats]) -> Floats:
        """`combine` of all trees' payloads, block by block."""
        rows = matrix.shape[1]
        out = np.empty(rows)
        for start in range(0, rows, BLOCK):
            block = matrix[:, start : start + BLOCK]
            out[start : start + BLOCK] = combine([plan.evaluate(block) for plan in self.plans])
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
