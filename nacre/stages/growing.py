"""What all tree stages share: reading their trees, and running them over features in whichever form these come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.bundle import trees as treefile
from nacre.bundle.trees import LEAF
from nacre.errors import BundleError
from nacre.plan.forest import Forest, TreePlan
from nacre.plan.frame import Column, Csr, Floats, Scalars, Vectors
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REQUIRED, Attr, Stage

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.bundle.trees import Tree
    from nacre.spark.saved import Saved

NUM_FEATURES = Attr(
    "num_features", "long", REQUIRED, "size of the features vector", spark=lambda s: s.extra("numFeatures")
)
LEAF_COL = Attr(
    "nacre.leaf_col", "string", None, "Spark's leafCol: a column of the number of the leaf reached, counted from the "
    "left, of an ensemble a vector of them; MLeap has no port for it and leaves it out",
    spark=lambda s: s.param("leafCol", "") or None, optional=True,
)  # fmt: skip
LEAF_PORT = "nacre.leaf"
Combine = Callable[[Sequence[Floats]], Floats]


class Grown(Stage):
    """A features vector through trees. Each tree gives a number a row: the value of the leaf, or the leaf's number."""

    num_features: int
    leaf_col: str | None = None
    ensemble: ClassVar[bool] = False

    def grow(self, leaf_size: int, numbered: bool = False) -> None:
        """Read the trees; call from `prepare`. They give leaf numbers if `numbered` or if the leaf is asked for."""
        if not 0 <= self.num_features < 1 << 31:
            raise self.bad("absurd number of features", "num_features", "0 to 2147483647", self.num_features)
        if self.leaf_col is not None:
            self.add_column(LEAF_PORT, self.leaf_col)
        trees = [self._tree(member, leaf_size) for member in self.tree_nodes()]
        self.numbered = numbered or any(port.startswith("nacre.") for port in self.output_ports)
        self.leaf_values = [_values(tree) for tree in trees]
        """By tree, by leaf number: the values that the leaf holds."""
        payload = _numbers if self.numbered else _first_values
        self.forest = Forest([TreePlan(tree, payload(tree), self.context.mleap) for tree in trees])
        self._few: tuple[list[int], Forest] | None = None

    def add_column(self, port: str, column: str) -> None:
        """An output that MLeap has no port for, so that it stands in an attribute; MLeap's own mode leaves it out."""
        if not self.context.mleap:
            self.output_ports.append(port)
            self.output_names.append(column)

    def tree_nodes(self) -> list[Node]:
        """The nodes that hold the trees."""
        return [self.node]

    def _tree(self, member: Node, leaf_size: int) -> Tree:
        try:
            return treefile.read(member, self.num_features, leaf_size)
        except BundleError as error:
            raise error.at(node=self.name) from error.__cause__

    def _narrow(self) -> tuple[list[int], Forest]:
        """The features that some split looks at, and the trees over these alone: what a wide sparse vector needs."""
        if self._few is None:
            plans = self.forest.plans
            used = sorted({feature for plan in plans for feature in plan.tree.feature if feature != LEAF})
            at = {feature: n for n, feature in enumerate(used)} | {LEAF: LEAF}
            trees = [replace(plan.tree, feature=[at[each] for each in plan.tree.feature]) for plan in plans]
            both = zip(trees, plans, strict=True)
            self._few = used, Forest([TreePlan(tree, plan.payload, self.context.mleap) for tree, plan in both])
        return self._few

    def over_columns(self, column: Vectors, combine: Combine) -> Floats:
        """`combine` of what the trees give, for all rows."""
        if not isinstance(column, Csr):
            return self.forest.columns(column.matrix, combine)
        used, forest = self._narrow()
        return forest.columns(_picked(column, used), combine)

    def over_row(self, code: RowCode, ref: VectorRef | SparseRef) -> list[str]:
        """Names of what the trees give, for one row."""
        if not isinstance(ref, SparseRef):
            return self.forest.row(code, code.components(ref))
        used, forest = self._narrow()
        stored = code.let(f"dict(zip({ref.indices}, {ref.values}))", "d")
        return forest.row(code, [code.let(f"{stored}.get({feature}, 0.0)", "v") for feature in used])

    def predictions(self, features: Sequence[float]) -> list[float]:
        """What each tree predicts for one row."""
        found = [plan.walker()(features) for plan in self.forest.plans]
        if not self.numbered:
            return found
        return [table[int(leaf)][0] for table, leaf in zip(self.leaf_values, found, strict=True)]

    # The leaf column

    def leaf_type(self) -> Type:
        return vector(len(self.forest.plans)) if self.ensemble else DOUBLE

    def leaf_column(self, numbers: Floats) -> Column:
        """From leaf numbers, shape (trees, rows)."""
        return Vectors(numbers) if self.ensemble else Scalars(numbers[0])

    def leaf_ref(self, code: RowCode, numbers: Sequence[str]) -> Ref:
        return code.vector(numbers) if self.ensemble else ScalarRef(numbers[0])


def _values(tree: Tree) -> list[tuple[float, ...]]:
    return [values for feature, values in zip(tree.feature, tree.values, strict=True) if feature == LEAF]


def _first_values(tree: Tree) -> list[float]:
    return [values[0] if values else 0.0 for values in tree.values]


def _numbers(tree: Tree) -> list[float]:
    """Leaves counted in pre-order, as Spark counts them."""
    out, count = [0.0] * len(tree), 0
    for node, feature in enumerate(tree.feature):
        if feature == LEAF:
            out[node], count = float(count), count + 1
    return out


def _picked(column: Csr, used: Sequence[int]) -> Floats:
    """Some features of sparse vectors, shape (len(used), rows); the others' zeros are never made."""
    out = np.zeros((len(used), len(column)))
    if used:
        wanted = np.array(used)
        place = np.searchsorted(wanted, column.indices)
        place[place == len(wanted)] = 0
        here = wanted[place] == column.indices
        out[place[here], column.rows()[here]] = column.values[here]
    return out


# Ensembles

ENSEMBLE = (
    Attr("tree_weights", "list<double>", REQUIRED, "weight of each tree"),
    Attr("trees", "list<string>", REQUIRED, "folders of the trees, in order"),
)


class Ensemble(Grown):
    """Several trees, each in a folder of its own."""

    ensemble = True
    tree_weights: list[float]
    trees: list[str]

    def grow(self, leaf_size: int, numbered: bool = False) -> None:
        if not self.trees or len(self.tree_weights) != len(self.trees):
            raise self.bad(
                "trees and weights do not match", "tree_weights", f"{len(self.trees)} weights", len(self.tree_weights)
            )
        super().grow(leaf_size, numbered)

    def tree_nodes(self) -> list[Node]:
        members = {member.name: member for member in self.node.members}
        missing = [name for name in self.trees if name not in members]
        if missing:
            raise self.bad("a tree is missing", "trees", f"the folder {missing[0]}", sorted(members)[:8])
        return [members[name] for name in self.trees]


def planted(cls: type[Stage], saved: Saved, member: type[Stage], regression: bool) -> Node:
    """The node of a saved ensemble, its trees as members of another op."""
    found = saved.trees(regression)
    names = [f"tree{n}" for n in range(len(found))]
    values = {**saved.attributes(cls), "tree_weights": [weight for _, weight in found], "trees": names}
    node = cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))
    known = {attr.name for attr in member.attributes}
    shared: dict[str, Any] = {name: values[name] for name in ("num_features", "num_classes") if name in known}
    for name, (tree, _) in zip(names, found, strict=True):
        node.members.append(member.make(name, shared, [], []))
        node.members[-1].tree = tree
    return node
