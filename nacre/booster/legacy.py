"""XGBoost's binary format of versions 0.4 to 3.0, which SageMaker's training containers 1.3 to 1.7 left as
`xgboost-model`, to the document that JSON and UBJSON hold.

C structs one after the other, little-endian, nothing named; layouts after `src/learner.cc`, `src/gbm/*` and
`src/tree/tree_model.cc` of version 1.7. Every length is checked against what is left before anything is allocated.
Attributes and metrics at the end are not needed for scores and not read.
"""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np

from nacre.errors import ModelError

MAGIC = b"binf"
LEARNER = struct.Struct("<fIi2iII2i100x")
"""base_score, num_feature, num_class, two flags, major and minor version, num_target and boost_from_average (0 before
they came)."""
FOREST = struct.Struct("<2i152x")
"""The number of trees, and how many of them a round adds for each group (0 before version 1.0)."""
TREE = struct.Struct("<ii12xi124x")
"""Roots (always 1), nodes, size of a leaf's vector."""
LINEAR_SIZE = 136
NODE = np.dtype([("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("index", "<u4"), ("value", "<f4")])
STATISTICS = np.dtype([("gain", "<f4"), ("cover", "<f4"), ("weight", "<f4"), ("leaves", "<i4")])
DEFAULT_LEFT = np.uint32(1 << 31)
"""The highest bit of a node's feature index."""
LENGTH = struct.Struct("<Q")
OBJECTIVE = re.compile(b"(reg|binary|multi|count|rank|survival):[a-z]+")


def recognised(data: bytes) -> bool:
    """Whether `data` is in this format: by its magic, which versions up to 1.2 left out, or by an objective's name
    where one must stand."""
    if data.startswith(MAGIC):
        return True
    start = LEARNER.size + LENGTH.size
    return LENGTH.size <= len(data) - LEARNER.size and OBJECTIVE.match(data, start) is not None


def loads(data: bytes) -> dict[str, Any]:
    """The model in `data`. Raises ModelError naming the byte where it stops making sense."""
    cursor = _Cursor(data, len(MAGIC) if data.startswith(MAGIC) else 0)
    base_score, features, classes, _, _, major, minor, targets, from_average = cursor.unpack(LEARNER)
    objective, booster = cursor.text(), cursor.text()
    return {
        "version": [major, minor, 0],
        "learner": {
            "learner_model_param": {
                "base_score": repr(base_score),
                "num_feature": features,
                "num_class": classes,
                "num_target": max(targets, 1),
                "boost_from_average": from_average,
                "base_margin": major == 0,
            },
            "objective": {"name": objective},
            "gradient_booster": _booster(cursor, booster),
        },
    }


def _booster(cursor: _Cursor, name: str) -> dict[str, Any]:
    if name == "gblinear":
        cursor.skip(LINEAR_SIZE)
        return {"name": name, "model": {"weights": cursor.floats()}}
    if name == "dart":
        forest = _forest(cursor)
        dropped = cursor.floats() if forest["trees"] else np.zeros(0, np.float32)
        return {"name": name, "gbtree": {"model": forest}, "weight_drop": dropped}
    if name == "gbtree":
        return {"name": name, "model": _forest(cursor)}
    raise cursor.broken("the booster gbtree, dart or gblinear", repr(name))


def _forest(cursor: _Cursor) -> dict[str, Any]:
    count, parallel = cursor.unpack(FOREST)
    if not 0 <= count <= cursor.left // TREE.size:
        raise cursor.broken("the number of trees", str(count))
    trees = [_tree(cursor, number) for number in range(count)]
    return {
        "gbtree_model_param": {"num_parallel_tree": max(parallel, 1)},
        "trees": trees,
        "tree_info": cursor.array(np.dtype("<i4"), count),
    }


def _tree(cursor: _Cursor, number: int) -> dict[str, Any]:
    _, size, leaf_size = cursor.unpack(TREE)
    nodes = cursor.array(NODE, size)
    statistics = cursor.array(STATISTICS, size)
    return {
        "id": number,
        "tree_param": {"size_leaf_vector": max(leaf_size, 1)},
        "left_children": nodes["left"],
        "right_children": nodes["right"],
        "split_indices": nodes["index"] & ~DEFAULT_LEFT,
        "split_conditions": nodes["value"],
        "default_left": (nodes["index"] & DEFAULT_LEFT) != 0,
        "sum_hessian": statistics["cover"],
    }


class _Cursor:
    """Where in the bytes we are."""

    def __init__(self, data: bytes, at: int):
        self.data = data
        self.at = at

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def broken(self, expected: str, got: str) -> ModelError:
        return ModelError(f"broken XGBoost model at byte {self.at}", expected=expected, got=got)

    def skip(self, size: int) -> int:
        """Claim `size` bytes and return where they begin."""
        if not 0 <= size <= self.left:
            raise self.broken(f"{size} bytes", f"{self.left} left in the file")
        self.at += size
        return self.at - size

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack_from(self.data, self.skip(layout.size))

    def array(self, kind: np.dtype[Any], count: int) -> np.ndarray:
        return np.frombuffer(self.data, kind, count, self.skip(count * kind.itemsize))

    def floats(self) -> np.ndarray:
        (count,) = self.unpack(LENGTH)
        return self.array(np.dtype("<f4"), count)

    def text(self) -> str:
        (size,) = self.unpack(LENGTH)
        start = self.skip(size)
        try:
            return self.data[start : self.at].decode()
        except UnicodeDecodeError:
            raise self.broken("UTF-8 text", "other bytes") from None
