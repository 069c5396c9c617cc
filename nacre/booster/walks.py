"""A block of rows through single trees by the nodes' own numbers: which leaf each row reaches, which way it takes.

Slower than `nacre.booster.forest`, for what scores do not need: leaf numbers and contributions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nacre.booster.forest import CATEGORY_LIMIT

if TYPE_CHECKING:
    from nacre.booster.forest import Tree


def rights(tree: Tree, x: np.ndarray) -> np.ndarray:
    """Whether each row goes right at each node: bool (nodes, rows), false at leaves. `x`: float32 (rows, features)."""
    out = np.zeros((len(tree.left), len(x)), bool)
    for node in np.flatnonzero(tree.left >= 0).tolist():
        value = x[:, tree.feature[node]]
        if node in tree.categories:
            valid = (value >= 0) & (value < CATEGORY_LIMIT)
            whole = np.where(valid, value, -1).astype(np.int64)
            right = np.isin(whole, list(tree.categories[node]))
        else:
            right = value >= tree.value[node]
        out[node] = np.where(np.isnan(value), not tree.default_left[node], right)
    return out


def leaves(tree: Tree, x: np.ndarray) -> np.ndarray:
    """The number of the leaf that each row reaches, as the model numbers its nodes."""
    right, rows = rights(tree, x), np.arange(len(x))
    node = np.zeros(len(x), np.int64)
    while (inner := tree.left[node] >= 0).any():
        below = np.where(right[node, rows], tree.right[node], tree.left[node])
        node = np.where(inner, below, node)
    return node
