"""Tree files of protobuf bundles: pre-order nodes, each a 4-byte big-endian length and a message."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from nacre.bundle import wire
from nacre.bundle.tree import LEAF, Bounds, ClusterTree, Tree, number
from nacre.bundle.wire import FIXED64, VARINT, Field
from nacre.errors import BundleError

_LENGTH = struct.Struct(">i")
_DOUBLE = struct.Struct("<d")
_LEAF = b"\x12\x0a\x0a\x08"
"""How a leaf of one value begins: field 2 of 10 bytes, in it field 1 of 8 bytes."""
_SPLIT = b"\x0a\x0f\x0a\x0d\x12\x0b\x08"
"""How a split on a number begins, all fields there and the feature, which comes next, below 128."""


def messages(content: bytes) -> Iterator[bytes]:
    """The messages of a tree file. Raises BundleError on a length that is not there."""
    at, end = 0, len(content)
    while at < end:
        size = _LENGTH.unpack_from(content, at)[0] if end - at >= 4 else -1
        at += 4
        if not 0 <= size <= end - at:
            got = f"{size} at byte {at - 4} of {end}"
            raise BundleError("malformed tree file", expected="the length of a node that is there", got=got)
        yield content[at : at + size]
        at += size


def is_clusters(content: bytes) -> bool:
    """Whether the first node is that of a cluster tree: its first two fields are numbers."""
    first = next(messages(content), b"")
    return any(kind != wire.BYTES for _, kind, _ in wire.fields(first)) or any(n > 2 for n, *_ in wire.fields(first))


def decode(content: bytes, bounds: Bounds) -> Tree:
    """A decision tree; not linked yet."""
    tree = Tree()
    single = bounds.leaf_size in (None, 1)
    most = 128 if bounds.num_features is None else bounds.num_features
    unpack = _DOUBLE.unpack
    for count, message in enumerate(messages(content), 1):
        # Nearly all nodes are of these two forms; a forest has a million of them.
        if single and len(message) == 12 and message[:4] == _LEAF:
            tree.add_leaf(unpack(message[4:]))
            continue
        if len(message) == 17 and message[:7] == _SPLIT and message[7] < min(most, 128) and message[8] == 17:
            (threshold,) = unpack(message[9:])
            if threshold == threshold:
                tree.add_split(message[7], threshold)
                continue
        try:
            _node(tree, message, bounds)
        except BundleError as error:
            raise error.at(field=f"node {count}") from error.__cause__
    return tree


def _one_of(message: bytes, what: str) -> tuple[int, bytes]:
    """A message that holds one of two messages: which, and its content."""
    found = [field for field in wire.fields(message) if field[0] in (1, 2)]
    if len(found) != 1:
        raise BundleError("malformed tree node", expected=what, got=f"{len(found)} of them")
    return found[0][0], wire.raw(found[0])


def _node(tree: Tree, message: bytes, bounds: Bounds) -> None:
    number_, content = _one_of(message, "an internal or leaf node")
    if number_ == 2:
        tree.add_leaf(bounds.leaf(_doubles(content, 1)))
        return
    inner = dict[int, Field]((field[0], field) for field in wire.fields(content))
    if 1 not in inner:
        raise BundleError("malformed tree node", expected="a split", got="none")
    kind, split = _one_of(wire.raw(inner[1]), "a categorical or continuous split")
    found = {field[0]: field for field in wire.fields(split)}
    feature = bounds.feature(wire.whole(found[1]) if 1 in found else 0)
    if kind == 2:
        tree.add_split(feature, number(wire.double(found[2]) if 2 in found else 0.0, "threshold"))
        return
    stored = tuple(number(each, "categories") for each in _doubles(split, 4))
    is_left = wire.whole(found[2]) != 0 if 2 in found else False
    tree.add_categorical(feature, stored, is_left, wire.whole(found[3]) & 0xFFFFFFFF if 3 in found else 0)


def _doubles(content: bytes, field: int) -> tuple[float, ...]:
    found: list[Any] = wire.numbers([each for each in wire.fields(content) if each[0] == field], FIXED64)
    return tuple(found)


def decode_clusters(content: bytes) -> ClusterTree:
    """A cluster tree. Indexes are unsigned in the file and signed in their meaning."""
    tree = ClusterTree()
    for count, message in enumerate(messages(content), 1):
        try:
            found = {field[0]: field for field in wire.fields(message)}
            index, children = (wire.whole(found.get(n, (n, VARINT, 0))) for n in (1, 4))
            norm = wire.double(found[2]) if 2 in found else 0.0
            tree.add(wire.int32(index), norm, _doubles(message, 3), children)
        except BundleError as error:
            raise error.at(field=f"node {count}") from error.__cause__
    return tree


# Writing


def encode(tree: Tree) -> bytes:
    return b"".join(_LENGTH.pack(len(message)) + message for message in _nodes(tree))


def _nodes(tree: Tree) -> Iterator[bytes]:
    for node, feature in enumerate(tree.feature):
        if feature == LEAF:
            yield wire.chunk(2, _packed(1, tree.values[node]))
            continue
        if node in tree.categories:
            stored, is_left, count = tree.categories[node]
            fields = wire.number(1, feature) + wire.number(2, int(is_left)) + wire.number(3, count)
            split = wire.chunk(1, fields + _packed(4, stored))
        else:
            split = wire.chunk(2, wire.number(1, feature) + wire.fixed64(2, tree.threshold[node]))
        yield wire.chunk(1, wire.chunk(1, split))


def encode_clusters(tree: ClusterTree) -> bytes:
    nodes = zip(tree.index, tree.norm, tree.center, tree.count, strict=True)
    found = (
        wire.number(1, index & 0xFFFFFFFF) + wire.fixed64(2, norm) + _packed(3, center) + wire.number(4, count)
        for index, norm, center, count in nodes
    )
    return b"".join(_LENGTH.pack(len(message)) + message for message in found)


def _packed(field: int, values: tuple[float, ...]) -> bytes:
    return wire.chunk(field, struct.pack(f"<{len(values)}d", *values)) if values else b""
