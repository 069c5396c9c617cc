"""The tree of a node, whichever file holds it: ``tree.json`` or ``tree.pb``, or ``nodes.*`` in a bundle that MLeap
0.20 saved again. Stages ask :func:`read` and :func:`read_clusters`; to write, they put a tree into ``node.tree``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from nacre.bundle import treejson, treepb
from nacre.bundle.tree import LEAF, Bounds, ClusterTree, Tree, link
from nacre.errors import BundleError

if TYPE_CHECKING:
    from nacre.bundle.node import Node

__all__ = ["LEAF", "ClusterTree", "Tree", "encode", "files", "link", "read", "read_clusters"]

T = TypeVar("T")
CODECS: dict[str, Any] = {"json": treejson, "pb": treepb}
STEMS = ("tree", "nodes")
NAMES = tuple(f"{stem}.{suffix}" for stem in STEMS for suffix in CODECS)


def read(node: Node, num_features: int | None = None, leaf_size: int | None = None) -> Tree:
    """The decision tree of a node. `num_features` bounds the feature indexes, `leaf_size` is the number of values of a
    leaf. Raises BundleError with the file and the line or node in it."""
    bounds = Bounds(num_features, leaf_size)
    if isinstance(node.tree, Tree):
        return bounds.hold(node.tree)
    name, codec = _found(node)
    return _at(node, name, lambda: link(codec.decode(node.files[name], bounds)))


def read_clusters(node: Node) -> tuple[ClusterTree, list[list[int]]]:
    """The cluster tree of a node, and the children of each of its nodes."""
    if isinstance(node.tree, ClusterTree):
        return node.tree, node.tree.children()
    name, codec = _found(node)

    def decoded() -> tuple[ClusterTree, list[list[int]]]:
        tree = codec.decode_clusters(node.files[name])
        return tree, tree.children()

    return _at(node, name, decoded)


def _found(node: Node) -> tuple[str, Any]:
    name = next((name for name in NAMES if name in node.files), None)
    if name is None:
        expected = " or ".join(f"{STEMS[0]}.{suffix}" for suffix in CODECS)
        raise BundleError("a tree without its nodes", expected=expected, got=list(node.files), file=node.path)
    return name, CODECS[name.rpartition(".")[2]]


def _at(node: Node, name: str, action: Callable[[], T]) -> T:
    try:
        return action()
    except BundleError as error:
        raise error.at(file=f"{node.path}/{name}") from error.__cause__


def files(node: Node, suffix: str) -> dict[str, bytes]:
    """The extra files of a node as a bundle of another format has them: its tree encoded anew, the rest as they are."""
    kept = {name: content for name, content in node.files.items() if name not in NAMES}
    name = f"{STEMS[0]}.{suffix}"
    if node.tree is not None:
        return {**kept, name: encode(node.tree, suffix)}
    trees = [each for each in NAMES if each in node.files]
    if not trees:
        return kept
    if trees[0].endswith(f".{suffix}"):
        return {**kept, name: node.files[trees[0]]}
    return {**kept, name: encode(_any(node, trees[0]), suffix)}


def _any(node: Node, name: str) -> Tree | ClusterTree:
    """A tree of either kind, told by its first node."""
    codec = CODECS[name.rpartition(".")[2]]
    clusters = _at(node, name, lambda: codec.is_clusters(node.files[name]))
    return read_clusters(node)[0] if clusters else read(node)


def encode(tree: Tree | ClusterTree, suffix: str = "json") -> bytes:
    """The content of a tree file."""
    codec = CODECS[suffix]
    content: bytes = codec.encode_clusters(tree) if isinstance(tree, ClusterTree) else codec.encode(tree)
    return content
