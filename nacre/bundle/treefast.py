"""Tree files of JSON bundles that hold nothing out of the ordinary, read at once rather than line by line.

It never judges: whatever it does not take for granted it leaves to :mod:`nacre.bundle.treejson`, which reads it again
and finds the line and the words.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from itertools import chain
from typing import Any

from nacre.bundle.tree import LEAF, Bounds, Tree


def decode(content: bytes, bounds: Bounds) -> Tree | None:
    """A decision tree, not linked yet; None for a file that has to be looked at line by line."""
    lines = [line for line in content.split(b"\n") if line]
    if not all(line[:1] == b"{" and line[-1:] == b"}" for line in lines):
        return None
    try:
        nodes = _loads()(b"[" + b",".join(lines) + b"]")
        if len(nodes) != len(lines):
            return None
        tree = _tree(nodes)
        if tree is None or content.count(b'"') != _quotes(tree):  # more: a name that stands twice
            return None
        return tree if _plain(tree, bounds) else None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


@cache
def _loads() -> Callable[[bytes], Any]:
    """orjson, where it is installed, is twice as fast."""
    try:
        return import_module("orjson").loads  # type: ignore[no-any-return]
    except ImportError:
        return json.loads


def _tree(nodes: Sequence[dict[str, Any]]) -> Tree | None:
    feature, threshold, values, categories = list[int](), list[float](), list[tuple[float, ...]](), {}
    for node in nodes:
        if len(node) != 2:
            return None
        if node["type"] == "leaf":
            feature.append(LEAF)
            threshold.append(0.0)
            values.append(tuple(node["values"]))
            continue
        split = node["split"]
        if node["type"] != "internal" or len(split) != _KEYS.get(split["type"]):
            return None
        if split["type"] == "continuous":
            threshold.append(split["threshold"])
        else:
            categories[len(feature)] = (tuple(split["categories"]), split["isLeft"], split["numCategories"])
            threshold.append(0.0)
        feature.append(split["featureIndex"])
        values.append(())
    ends = [LEAF] * len(feature)
    return Tree(feature, threshold, ends, ends.copy(), values, categories)


_KEYS = {"continuous": 3, "categorical": 5}
"""How many keys a split of each kind has; more say something that is not known here."""


def _quotes(tree: Tree) -> int:
    """How many quotes a file of this tree has: two for each name and each word."""
    leaves = tree.feature.count(LEAF)
    return 6 * leaves + 14 * (len(tree.feature) - leaves) + 4 * len(tree.categories)


def _plain(tree: Tree, bounds: Bounds) -> bool:
    """Whether every number is of its type, finite and within bounds."""
    leaves = [values for values, feature in zip(tree.values, tree.feature, strict=True) if feature == LEAF]
    most = 1 << 32 if bounds.num_features is None else bounds.num_features
    # A leaf has values and a split has none, so a split on feature -1 cannot pass for a leaf.
    return (
        _all(tree.feature, int)
        and min(tree.feature, default=LEAF) >= LEAF
        and max(tree.feature, default=LEAF) < most
        and all(leaves)
        and (bounds.leaf_size is None or {len(values) for values in leaves} <= {bounds.leaf_size})
        and _finite(tree.threshold)
        and _finite(list(chain.from_iterable(leaves)))
        and all(map(_plain_set, tree.categories.values()))
    )


def _plain_set(known: tuple[tuple[Any, ...], Any, Any]) -> bool:
    stored, is_left, count = known
    return type(is_left) is bool and type(count) is int and count >= 0 and _finite(stored)


def _all(values: Sequence[Any], kind: type) -> bool:
    return set(map(type, values)) <= {kind}


def _finite(values: Sequence[Any]) -> bool:
    """Whether all are floats, and finite; a sum that overflows counts as not."""
    return _all(values, float) and math.isfinite(sum(values))
