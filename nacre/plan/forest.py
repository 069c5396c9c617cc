"""How decision trees run: over blocks of rows with numpy, and over one row as nested conditionals.

Both send a row left when ``x <= threshold``, in double; a NaN goes right. Both return a payload a leaf: its value, or
its number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.bundle.trees import LEAF, Tree
from nacre.plan.descent import Descent
from nacre.plan.ways import ways

if TYPE_CHECKING:
    from nacre.plan.bitslices import Group
    from nacre.plan.frame import Floats
    from nacre.plan.rowcode import RowCode

BLOCK = 20_000
"""Rows walked at a time: the block's columns stay in the processor's cache."""
NODES = 50_000
"""Nodes of a model up to which trees become Python source; beyond, compiling costs seconds and hundreds of MB."""
MANY = 200
"""Trees from which on one row goes down all of them at once in arrays, rather than through one after the other."""
DEPTH = 60
"""Depth up to which a tree becomes source: Python's own parser ends at 98 nested blocks."""


class TreePlan:
    """One tree, ready to run. `payload` has one number a node; only those of leaves are read."""

    def __init__(self, tree: Tree, payload: Sequence[float], mleap: bool = False):
        self.tree = tree
        self.payload = list(payload)
        self.depth = tree.depth()
        self.left_sets = {node: _left_rule(*known, mleap) for node, known in tree.categories.items()}

    # Columns

    def evaluate(self, matrix: Floats) -> Floats:
        """The payload of the leaf that each row reaches; `matrix` has shape (features, rows)."""
        return Forest([self]).payloads(matrix)[0]

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
        self._parts: list[Group | Descent] | None = None

    def columns(self, matrix: Floats, combine: Callable[[Sequence[Floats]], Floats]) -> Floats:
        """`combine` of all trees' payloads, block by block. It gives a number a row, or several: shape (n, rows)."""
        blocks = [matrix[:, start : start + BLOCK] for start in range(0, matrix.shape[1], BLOCK)] or [matrix]
        parts = [combine(self.payloads(block)) for block in blocks]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def payloads(self, matrix: Floats) -> list[Floats]:
        """The payload of the leaf that each row reaches, a tree; `matrix` has shape (features, rows)."""
        if self._parts is None:
            self._parts = ways(self.plans)
        return [payload for part in self._parts for payload in part.evaluate(matrix)]

    def row(self, code: RowCode, names: Sequence[str]) -> list[str]:
        """The names of variables that hold each tree's payload."""
        if self.nodes > NODES or self.depth > DEPTH:
            features = code.let(f"({', '.join(names)},)", "f")
            if len(self.plans) >= MANY:
                outs = [code.new("p") for _ in self.plans]
                code.line(f"{', '.join(outs)} = {code.const(Descent(self.plans).one, 'walk')}({features})")
                return outs
            return [code.let(f"{code.const(plan.walker(), 'walk')}({features})", "p") for plan in self.plans]
        outs = []
        for plan in self.plans:
            outs.append(code.new("p"))
            plan.write(code, names, outs[-1])
        return outs
