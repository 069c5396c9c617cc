"""Tree files (``tree.json``): pre-order nodes, one JSON object a line, to flat arrays and back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from nacre.errors import BundleError

LEAF = -1


@dataclass
class Tree:
    """A decision tree in flat arrays, one entry a node, root first, pre-order.

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


def link(tree: Tree) -> Tree:
    """Fill in left and right from the pre-order. Raises BundleError on dangling or surplus nodes."""
    open_splits: list[int] = []
    for node, feature in enumerate(tree.feature):
        if node:
            if not open_splits:
                raise BundleError("nodes after the end of the tree", expected=f"{node} nodes", got=f"{len(tree)} nodes")
            parent = open_splits[-1]
            if tree.left[parent] == LEAF:
                tree.left[parent] = node
            else:
                tree.right[parent] = node
                open_splits.pop()
        if feature != LEAF:
            open_splits.append(node)
    if open_splits or not tree.feature:
        raise BundleError(
            "a tree with dangling nodes", expected="two children for each split", got=f"{len(tree)} nodes"
        )
    return tree


def decode(content: bytes, num_features: int | None, leaf_size: int | None) -> Tree:
    """Read ``tree.json``. `num_features` bounds the feature indexes, `leaf_size` is the number of values of a leaf."""
    tree = Tree()
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            _decode_node(tree, json.loads(line), num_features, leaf_size)
        except BundleError as error:
            raise error.at(field=f"line {number}") from error.__cause__
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            got = line[:120].decode("utf-8", "replace")
            raise BundleError(
                "malformed tree node", expected="an internal or leaf node", got=got, field=f"line {number}"
            ) from error
    return link(tree)


def _decode_node(tree: Tree, node: dict[str, Any], num_features: int | None, leaf_size: int | None) -> None:
    if node["type"] == "leaf":
        values = tuple(_number(each) for each in node["values"])
        if leaf_size is not None and len(values) != leaf_size:
            raise BundleError("leaf of another size", expected=f"{leaf_size} values", got=f"{len(values)} values")
        tree.add_leaf(values)
        return
    split = node["split"]
    feature = split["featureIndex"]
    if not _is_int(feature) or feature < 0 or (num_features is not None and feature >= num_features):
        expected = "a feature index" if num_features is None else f"a feature index below {num_features}"
        raise BundleError("a split on a feature that is not there", expected=expected, got=feature)
    if split["type"] == "continuous":
        tree.add_split(feature, _real(split["threshold"], "threshold"))
    elif split["type"] == "categorical":
        _add_categorical(tree, feature, split)
    else:
        raise BundleError("unknown kind of split", expected="continuous or categorical", got=split["type"])


def _add_categorical(tree: Tree, feature: int, split: dict[str, Any]) -> None:
    is_left, count, stored = split["isLeft"], split["numCategories"], split["categories"]
    if not isinstance(is_left, bool):
        raise BundleError("malformed split", expected="isLeft, true or false", got=is_left)
    if not _is_int(count) or count < 0:
        raise BundleError("malformed split", expected="numCategories, the number of categories", got=count)
    if not isinstance(stored, list):
        raise BundleError("malformed split", expected="categories, an array", got=stored)
    tree.add_categorical(feature, tuple(_real(each, "categories") for each in stored), is_left, count)


def _real(value: Any, name: str) -> float:
    """A number to compare with. NaN, which is null in JSON, is none."""
    number = _number(value)
    if value is None or number != number:
        raise BundleError("a split at no number", expected=f"{name}: a number", got=value)
    return number


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> float:
    """A JSON number, or null, which stands for NaN."""
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BundleError("malformed tree node", expected="a number", got=value)
    return float(value)


def encode(tree: Tree) -> bytes:
    """Write ``tree.json``."""
    lines = []
    for node, feature in enumerate(tree.feature):
        if feature == LEAF:
            content: dict[str, Any] = {"type": "leaf", "values": list(tree.values[node])}
        elif node in tree.categories:
            stored, is_left, count = tree.categories[node]
            split = {"type": "categorical", "featureIndex": feature, "isLeft": is_left, "numCategories": count}
            content = {"type": "internal", "split": {**split, "categories": list(stored)}}
        else:
            split = {"type": "continuous", "featureIndex": feature, "threshold": tree.threshold[node]}
            content = {"type": "internal", "split": split}
        lines.append(json.dumps(content, separators=(",", ":")))
    return ("\n".join(lines) + "\n").encode()
