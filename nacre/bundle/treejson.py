"""Tree files of JSON bundles: pre-order nodes, one JSON object a line.

JSON has no infinity: it stands as null, which alone is NaN, and beside it under ``nacre.<name>`` as [[position, word]].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from nacre.bundle import treefast
from nacre.bundle.jsonvalues import dump, load
from nacre.bundle.tree import LEAF, Bounds, ClusterTree, Tree, number
from nacre.errors import BundleError

_INFINITIES = {"inf": math.inf, "-inf": -math.inf}


def is_clusters(content: bytes) -> bool:
    """Whether the first node is that of a cluster tree."""
    start = content[:4096].lstrip().split(b"\n", 1)[0]
    return b'"numChildren"' in start or b'"index"' in start


def decode(content: bytes, bounds: Bounds) -> Tree:
    """A decision tree; not linked yet."""
    return treefast.decode(content, bounds) or decode_lines(content, bounds)


def decode_lines(content: bytes, bounds: Bounds) -> Tree:
    """The same, looking at each line."""
    tree = Tree()
    _each_line(content, lambda node: _node(tree, node, bounds))
    return tree


def decode_clusters(content: bytes) -> ClusterTree:
    """A cluster tree."""
    tree = ClusterTree()
    _each_line(content, lambda node: _cluster(tree, node))
    return tree


def _each_line(content: bytes, take: Callable[[Any], None]) -> None:
    for count, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            take(load(line))
        except BundleError as error:
            raise error.at(field=f"line {count}") from error.__cause__
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            got = line[:120].decode("utf-8", "replace")
            raise BundleError(
                "malformed tree node", expected="an internal or leaf node", got=got, field=f"line {count}"
            ) from error


def _node(tree: Tree, node: dict[str, Any], bounds: Bounds) -> None:
    if node["type"] == "leaf":
        tree.add_leaf(bounds.leaf(_numbers(node, "values")))
        return
    if node["type"] != "internal":
        raise BundleError("malformed tree node", expected="an internal or leaf node", got=node["type"])
    split = node["split"]
    feature = bounds.feature(split["featureIndex"])
    if split["type"] == "continuous":
        tree.add_split(feature, number(_one(split, "threshold"), "threshold"))
    elif split["type"] == "categorical":
        _categorical(tree, feature, split)
    else:
        raise BundleError("unknown kind of split", expected="continuous or categorical", got=split["type"])


def _categorical(tree: Tree, feature: int, split: dict[str, Any]) -> None:
    is_left, count = split["isLeft"], split["numCategories"]
    if not isinstance(is_left, bool):
        raise BundleError("malformed split", expected="isLeft, true or false", got=is_left)
    if not _is_int(count) or count < 0:
        raise BundleError("malformed split", expected="numCategories, the number of categories", got=count)
    stored = tuple(number(each, "categories") for each in _numbers(split, "categories"))
    tree.add_categorical(feature, stored, is_left, count)


def _cluster(tree: ClusterTree, node: dict[str, Any]) -> None:
    index, count = node["index"], node["numChildren"]
    if not _is_int(index) or not _is_int(count):
        raise BundleError("malformed cluster node", expected="index and numChildren, whole numbers", got=(index, count))
    tree.add(index, _one(node, "norm"), _numbers(node, "values"), count)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one(holder: dict[str, Any], name: str) -> float:
    found = _number(holder[name])
    return found if found == found else _exact(holder, name, [found])[0]


def _numbers(holder: dict[str, Any], name: str) -> tuple[float, ...]:
    values = holder[name]
    if not isinstance(values, list):
        raise BundleError("malformed tree node", expected=f"{name}, an array of numbers", got=values)
    if all(type(value) is float for value in values):
        return tuple(values)
    return tuple(_exact(holder, name, [_number(value) for value in values]))


def _exact(holder: dict[str, Any], name: str, values: list[float]) -> list[float]:
    """Put the infinities back."""
    note = f"nacre.{name}"
    if note in holder:
        for at, word in holder[note]:
            if not 0 <= at < len(values):
                raise ValueError(at)
            values[at] = _INFINITIES[word]
    return values


def _number(value: Any) -> float:
    """A JSON number, or null, which stands for NaN."""
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BundleError("malformed tree node", expected="a number", got=value)
    return float(value)


# Writing


def encode(tree: Tree) -> bytes:
    return b"\n".join(map(dump, _nodes(tree))) + b"\n"


def _nodes(tree: Tree) -> Iterator[dict[str, Any]]:
    for node, feature in enumerate(tree.feature):
        if feature == LEAF:
            yield {"type": "leaf", **_plain("values", tree.values[node])}
        elif node in tree.categories:
            stored, is_left, count = tree.categories[node]
            split = {"type": "categorical", "featureIndex": feature, "isLeft": is_left, "numCategories": count}
            yield {"type": "internal", "split": {**split, **_plain("categories", stored)}}
        else:
            threshold = _single("threshold", tree.threshold[node])
            yield {"type": "internal", "split": {"type": "continuous", "featureIndex": feature, **threshold}}


def encode_clusters(tree: ClusterTree) -> bytes:
    nodes = zip(tree.index, tree.norm, tree.center, tree.count, strict=True)
    lines = (
        dump({"index": index, **_single("norm", norm), **_plain("values", center), "numChildren": count})
        for index, norm, center, count in nodes
    )
    return b"\n".join(lines) + b"\n"


def _single(name: str, value: float) -> dict[str, Any]:
    content = _plain(name, (value,))
    return {**content, name: content[name][0]}


def _plain(name: str, values: tuple[float, ...]) -> dict[str, Any]:
    """The numbers under their name, null for those that JSON has not, and the note that says which were infinite."""
    if all(map(math.isfinite, values)):
        return {name: list(values)}
    note = [[at, repr(x)] for at, x in enumerate(values) if math.isinf(x)]
    content = {name: [x if math.isfinite(x) else None for x in values]}
    return {**content, f"nacre.{name}": note} if note else content
