"""Trees of moderate depth over many rows as logic on packed bits, eight rows a byte.

Each distinct test of a forest ("feature 3 <= 0.5") is made once a block of rows, and its outcomes packed into bits.
The way from the root to a leaf is then a number with one binary digit a level, and each digit of all rows at once is a
few operations on bytes: the digit below a split is the left child's where the split's own bit is set, else the right
child's. Last, the number looks up the payload in a table. No row is followed, no float is chosen between; so a tree of
depth 4 costs the time of some dozen passes over memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from nacre.bundle.trees import LEAF

if TYPE_CHECKING:
    from nacre.plan.forest import TreePlan
    from nacre.plan.frame import Floats

FEW = 8
"""Values of a set up to which comparing with each of them beats a search."""

Bits = npt.NDArray[np.uint8]


class Test(NamedTuple):
    """A split's question about one feature: is it at most `threshold`, or, with `stored`, is being among them
    `inside`?"""

    feature: int
    threshold: float
    stored: frozenset[float] | None = None
    inside: bool = True

    def outcomes(self, matrix: Floats, scratch: npt.NDArray[np.bool_]) -> Bits:
        """One bit a row, set where the row goes left."""
        x = matrix[self.feature]
        if self.stored is None:
            return np.packbits(np.less_equal(x, self.threshold, out=scratch))
        bits = np.packbits(among(x, self.stored, scratch))
        return bits if self.inside else np.invert(bits, out=bits)


def among(x: Floats, stored: frozenset[float], out: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
    """Which values are in the set; NaN is in none."""
    found = np.zeros(x.shape, bool) if out is None else out
    if len(stored) > FEW:
        found[:] = np.isin(x, list(stored))
        return found
    found[:] = False
    for value in stored:
        found |= x == value
    return found


class Logic:
    """One tree compiled: registers 0 to `tests` - 1 hold the outcomes of the group's tests, those after it scratch."""

    __slots__ = ("choices", "digits", "scratch", "table")

    def __init__(self, plan: TreePlan, number: Sequence[int], first: int):
        """`number` has the register of each split's test; scratch starts at register `first`."""
        self.choices, self.digits, self.scratch = _compile(plan, number, first)
        self.table = _table(plan)

    def run(self, registers: Sequence[Bits], rows: int) -> Floats:
        """The payload of the leaf that each row reaches."""
        for test, left, right, out in self.choices.tolist():
            other = registers[right]
            chosen = registers[left] ^ other
            chosen &= registers[test]
            np.bitwise_xor(chosen, other, out=registers[out])
        if not self.digits:
            return np.full(rows, self.table[0])
        at = np.unpackbits(registers[self.digits[0]], count=rows)
        if len(self.digits) > 8:
            at = at.astype(np.uint16)
        for digit in self.digits[1:]:
            at *= 2
            at |= np.unpackbits(registers[digit], count=rows)
        return self.table.take(at.astype(np.intp))


def _compile(plan: TreePlan, number: Sequence[int], first: int) -> tuple[np.ndarray, list[int], int]:
    """(rows of test, left, right, out; the registers of the digits, most significant first; end of the scratch).

    Bottom up: children stand after their parent, so walking backwards meets them first. A subtree has a digit for each
    of its levels, and where one child has no more levels the other's digit stands as it is.
    """
    tree, choices, free, end = plan.tree, [], list[int](), first
    found: dict[int, list[int]] = {}
    for node in range(len(tree) - 1, -1, -1):
        if tree.feature[node] == LEAF:
            continue
        left, right = found.pop(tree.left[node], []), found.pop(tree.right[node], [])
        digits = [number[node]]
        for one, other in zip(left, right, strict=False):
            spare = [each for each in (one, other) if each >= first]
            if not spare:
                if not free:
                    free.append(end)
                    end += 1
                spare.append(free.pop())
            choices.append((number[node], one, other, spare[0]))
            free += spare[1:]
            digits.append(spare[0])
        found[node] = digits + left[len(right) :] + right[len(left) :]
    return np.array(choices, np.int32).reshape(-1, 4), found.get(0, []), end


def _table(plan: TreePlan) -> Floats:
    """Way to payload. A set bit is left, so the rightmost leaf stands first; a leaf above the last level has as many
    entries as ways would pass it."""
    tree, depth = plan.tree, [0] * len(plan.tree)
    leaves = []
    for node in range(len(tree)):
        if tree.feature[node] == LEAF:
            leaves.append(node)
        else:
            depth[tree.left[node]] = depth[tree.right[node]] = depth[node] + 1
    leaves.reverse()
    times = [1 << plan.depth - depth[node] for node in leaves]
    return np.repeat(np.array([plan.payload[node] for node in leaves], np.float64), times)


class Group:
    """Trees that share their tests."""

    def __init__(self, plans: Sequence[TreePlan]):
        numbers: dict[Test, int] = {}
        each = [[numbers.setdefault(test, len(numbers)) if test else LEAF for test in tests_of(plan)] for plan in plans]
        self.tests = list(numbers)
        self.trees = [Logic(plan, number, len(numbers)) for plan, number in zip(plans, each, strict=True)]
        self.registers = max(tree.scratch for tree in self.trees)

    def evaluate(self, matrix: Floats) -> list[Floats]:
        """The payload that each row reaches, a tree; `matrix` has shape (features, rows)."""
        rows = matrix.shape[1]
        scratch = np.empty(rows, bool)
        registers = [test.outcomes(matrix, scratch) for test in self.tests]
        registers += list(np.empty((self.registers - len(self.tests), (rows + 7) // 8), np.uint8))
        return [tree.run(registers, rows) for tree in self.trees]


def tests_of(plan: TreePlan) -> Iterable[Test | None]:
    """The test of each node, None for a leaf."""
    tree = plan.tree
    for node, feature in enumerate(tree.feature):
        if feature == LEAF:
            yield None
        elif node in plan.left_sets:
            yield Test(feature, 0.0, *plan.left_sets[node])
        else:
            yield Test(feature, tree.threshold[node])
