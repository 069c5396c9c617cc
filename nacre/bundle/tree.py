"""Trees in memory: decision trees and cluster trees in flat arrays, one entry a node, root first, pre-order.

Whatever file they come from, they are grown through one set of checks: a node that splits on no feature or at no
number, a leaf of the wrong size, a node without its children or one too many is a BundleError.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nacre.errors import BundleError

LEAF = -1


@dataclass
class Tree:
    """A decision tree.

    `feature` is LEAF (-1) for a leaf. A continuous split sends a row left when ``x <= threshold``. A categorical
    split has an entry in `categories`: (stored values, whether they are the left side, number of categories).
    `values` are a leaf's: one prediction for regression, class counts for classification.
    """

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    values: list[tuple[float, ...]] = field(default_factory=list)
    categories: dict[int, tuple[tuple[float, ...], bool, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.feature)

    def add_leaf(self, values: tuple[float, ...]) -> int:
        return self._add(LEAF, 0.0, values)

    def add_split(self, feature: int, threshold: float) -> int:
        return self._add(feature, threshold, ())

    def add_categorical(self, feature: int, stored: tuple[float, ...], is_left: bool, count: int) -> int:
        self.categories[len(self)] = (stored, is_left, count)
        return self._add(feature, 0.0, ())

    def _add(self, feature: int, threshold: float, values: tuple[float, ...]) -> int:
        self.feature.append(feature)
        self.threshold.append(threshold)
        self.left.append(LEAF)
        self.right.append(LEAF)
        self.values.append(values)
        return len(self.feature) - 1

    def depth(self) -> int:
        """Splits on the longest way from the root to a leaf."""
        depth = [0] * len(self)
        for node in range(len(self)):  # children stand after their parent
            if self.feature[node] != LEAF:
                depth[self.left[node]] = depth[self.right[node]] = depth[node] + 1
        return max(depth, default=0)


@dataclass(frozen=True)
class Bounds:
    """What a decision tree must keep to; None for what is not known."""

    num_features: int | None = None
    leaf_size: int | None = None

    def feature(self, feature: object) -> int:
        """The index of a feature that is there."""
        most = 1 << 32 if self.num_features is None else self.num_features
        if isinstance(feature, bool) or not isinstance(feature, int) or not 0 <= feature < most:
            expected = "a feature index" if self.num_features is None else f"a feature index below {self.num_features}"
            raise BundleError("a split on a feature that is not there", expected=expected, got=feature)
        return feature

    def leaf(self, values: tuple[float, ...]) -> tuple[float, ...]:
        if self.leaf_size is not None and len(values) != self.leaf_size:
            expected = f"{self.leaf_size} values"
            raise BundleError("leaf of another size", expected=expected, got=f"{len(values)} values")
        return values

    def hold(self, tree: Tree) -> Tree:
        """Check a tree that was not read from a file."""
        for node, feature in enumerate(tree.feature):
            try:
                if feature == LEAF:
                    self.leaf(tree.values[node])
                else:
                    self.feature(feature)
                    number(tree.threshold[node], "threshold")
            except BundleError as error:
                raise error.at(field=f"node {node + 1}") from None
        return tree


def number(value: float, name: str) -> float:
    """A number to compare with, which NaN is not."""
    if value != value:
        raise BundleError("a split at no number", expected=f"{name}: a number", got=value)
    return value


def link(tree: Tree) -> Tree:
    """Find each split's children in the pre-order. Raises BundleError on dangling or surplus nodes."""
    open_splits: list[int] = []
    tree.left, tree.right = left, right = [LEAF] * len(tree), [LEAF] * len(tree)
    for node, feature in enumerate(tree.feature):
        if node:
            if not open_splits:
                raise BundleError("nodes after the end of the tree", expected=f"{node} nodes", got=f"{len(tree)} nodes")
            parent = open_splits[-1]
            if left[parent] == LEAF:
                left[parent] = node
            else:
                right[parent] = node
                open_splits.pop()
        if feature != LEAF:
            open_splits.append(node)
    if open_splits or not tree.feature:
        raise BundleError(
            "a tree with dangling nodes", expected="two children for each split", got=f"{len(tree)} nodes"
        )
    return tree


@dataclass
class ClusterTree:
    """The tree of a bisecting k-means: a center a node.

    `index` is the cluster that a leaf stands for, and negative inside; `norm` is the length of the center;
    `count` the number of children, whose nodes :meth:`children` gives.
    """

    index: list[int] = field(default_factory=list)
    norm: list[float] = field(default_factory=list)
    center: list[tuple[float, ...]] = field(default_factory=list)
    count: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.index)

    def add(self, index: int, norm: float, center: tuple[float, ...], count: int) -> int:
        """The next node in pre-order; its `count` children follow, each with all below it."""
        if not -(1 << 31) <= index < 1 << 31:
            raise BundleError("malformed cluster node", expected="index, a 32-bit number", got=index)
        if not 0 <= count < 1 << 32:
            raise BundleError("malformed cluster node", expected="numChildren of 0 or more", got=count)
        if self.center and len(center) != len(self.center[0]):
            expected = f"{len(self.center[0])} values"
            raise BundleError("center of another size", expected=expected, got=f"{len(center)} values")
        self.index.append(index)
        self.norm.append(norm)
        self.center.append(center)
        self.count.append(count)
        return len(self.index) - 1

    def children(self) -> list[list[int]]:
        """The children of each node. Raises BundleError on dangling or surplus nodes."""
        found: list[list[int]] = [[] for _ in self.index]
        parents: list[int] = []  # those that still miss a child
        for node, count in enumerate(self.count):
            if node:
                if not parents:
                    expected = f"{node} nodes"
                    raise BundleError("nodes after the end of the tree", expected=expected, got=f"{len(self)} nodes")
                parent = parents[-1]
                found[parent].append(node)
                if len(found[parent]) == self.count[parent]:
                    parents.pop()
            if count:
                parents.append(node)
        if parents or not self.index:
            expected = "as many children as each node counts"
            raise BundleError("a tree with dangling nodes", expected=expected, got=f"{len(self)} nodes")
        return found
