"""What a bundle says, whichever format says it: two bundles of the same contents compare equal, bit for bit."""

from __future__ import annotations

import math
from typing import Any

from nacre.bundle import Bundle, Node, trees
from nacre.bundle.tree import ClusterTree, Tree
from nacre.bundle.values import Shape, SubModel, Value
from tests.bundles import bits


def contents(bundle: Bundle) -> Any:
    """A bundle but for its format and its place."""
    head = (bundle.uid, bundle.name, bundle.version, bundle.timestamp)
    return (*head, node(bundle.root), attributes(bundle.meta), dict(bundle.notes))


def node(each: Node) -> Any:
    """A node with all below it."""
    return {
        "op": each.op,
        "name": each.name,
        "attributes": attributes(each.attributes),
        "ports": (each.inputs, each.outputs),
        "tree": tree(each),
        "files": {name: content for name, content in each.files.items() if name not in trees.NAMES},
        "children": [node(child) for child in each.children],
        "members": [node(member) for member in each.members],
    }


def tree(each: Node) -> Any:
    if each.tree is None and not set(each.files) & set(trees.NAMES):
        return None
    name = next((name for name in trees.NAMES if name in each.files), "")
    found = each.tree if each.tree is not None else trees._any(each, name)
    if isinstance(found, ClusterTree):
        return [*map(bits, (found.index, found.norm, found.center, found.count))]
    assert isinstance(found, Tree)
    return [*map(bits, (found.feature, found.threshold, found.values)), found.left, found.right, found.categories]


def attributes(held: dict[str, Value]) -> dict[str, Any]:
    return {name: value(each) for name, each in held.items()}


def value(each: Value) -> Any:
    """A default scalar has no kind in either format; a list without items neither."""
    if each.form == "scalar":
        found = item(each.tag, each.data)
        return "default" if each.tag is None or found in map(bits, (False, 0, 0.0, "", b"")) else (_tag(each), found)
    if each.form == "list":
        return [(_tag(each), item(each.tag, data)) for data in each.data]
    dims = each.dims if each.dims is not None else (len(each.data),)
    return "tensor", each.tag or "double", dims, [item(each.tag, data) for data in each.data]


def _tag(each: Value) -> str | None:
    return "int" if each.tag in ("byte", "short") else each.tag


def item(tag: str | None, data: Any) -> Any:
    if isinstance(data, Value):
        return value(data)
    if isinstance(data, SubModel):
        return data.op, attributes(data.attributes)
    if isinstance(data, Shape):
        return data.base, data.nullable, data.dims
    return bits(math.nan if data is None and tag in ("double", "float") else data)
