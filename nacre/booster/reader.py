"""XGBoost model bytes to a checked :class:`Model`: which format it is, and every field that scoring needs.

Layout after XGBoost's `doc/model.schema` (JSON since 1.0, UBJSON since 1.6 with the same keys; the binary format
before them is `legacy.py`). Reading runs no code: a pickle is refused unless the caller's environment allows it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nacre.booster import legacy, ubjson
from nacre.booster.forest import Tree
from nacre.booster.libm import f32
from nacre.booster.objectives import OBJECTIVES
from nacre.errors import ModelError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

SAVE = 'load it with xgboost and write it with booster.save_model("xgboost-model.ubj")'
OLD = f"Load it with xgboost 3.0 or older, which still reads that format: {SAVE}"
PICKLE = f"Unpickling runs code: {SAVE}, or set NACRE_ALLOW_PICKLE=true if you trust its origin"

TREE_KEYS: dict[str, str] = {
    "left_children": "int",
    "right_children": "int",
    "split_indices": "int",
    "split_conditions": "float",
    "default_left": "int",
}
"""What is read of a tree, each an array with one element a node. A leaf has left child -1, its value in
`split_conditions`."""


MAX_GROUPS = 65_536
"""Classes or targets; each takes memory before a row is scored, whatever little the file holds."""


class Model(NamedTuple):
    """What the artefact says, checked. `base_score` is as saved (a probability where the objective has a link)."""

    objective: str
    num_features: int
    num_class: int
    num_groups: int
    base_score: tuple[float, ...]
    fitted: bool
    """False for a model without trees whose base score was never fitted, and for one of versions before 1.0, which
    saved a margin; the library then applies no link."""
    trees: tuple[Tree, ...]
    weights: np.ndarray | None
    """gblinear only: float32 (num_features + 1, num_groups), the last row being the bias."""
    feature_names: tuple[str, ...]
    feature_types: tuple[str, ...]
    pickled: bool = False
    parallel: int = 1
    """Trees that a round of boosting adds for each group."""

    def limited(self, tree_limit: int) -> Model:
        """Only the first rounds, as the library's `ntree_limit` counts them; 0: all."""
        rounds = tree_limit // self.parallel
        return self._replace(trees=self.trees[: rounds * self.parallel * self.num_groups]) if rounds else self


def read(data: bytes, env: Mapping[str, str]) -> Model:
    """Any artefact XGBoost writes. Raises ModelError or UnsupportedError with the way out."""
    pickled = data[:1] == b"\x80"
    if pickled:
        data = _unpickle(data, env)
    try:
        return _model(_Reader(_document(data), ""), pickled)
    except RecursionError:
        raise ModelError("broken XGBoost model", expected="JSON of at most some hundred levels", got="more") from None


def _document(data: bytes) -> Any:
    """The parsed text. JSON and UBJSON begin with an opening brace; UBJSON goes on with a key's length."""
    head = data.lstrip(b" \t\r\n")[:2]
    if not head:
        raise ModelError("not an XGBoost model", expected="JSON or UBJSON", got="an empty file")
    if legacy.recognised(data):
        return legacy.loads(data)
    if head[:1] != b"{":
        old = data[:4] == b"bs64" or b"\0" in data[:64]
        what = "XGBoost's old binary format" if old else f"{data[:16]!r}…"
        raise ModelError("not an XGBoost model", expected="JSON or UBJSON", got=what, fix=OLD if old else None)
    if head[1:] and head[1] in ubjson.INTEGERS:
        return ubjson.loads(data)
    try:
        return json.loads(data)
    except ValueError as error:
        raise ModelError("broken XGBoost model", expected="JSON or UBJSON", got=str(error)) from None


def _unpickle(data: bytes, env: Mapping[str, str]) -> bytes:
    """The UBJSON of a pickled Booster or XGBModel. Runs the pickle's code, so only where it is allowed by name."""
    if env.get("NACRE_ALLOW_PICKLE", "").lower() != "true":
        raise ModelError("a pickled model is refused", expected="JSON or UBJSON", got="a pickle", fix=PICKLE)
    import pickle

    import xgboost

    try:
        found = pickle.loads(data)  # noqa: S301 - allowed by name just above
    except Exception as error:  # noqa: BLE001 - whatever the pickle's code raises
        raise ModelError("the pickled model cannot be loaded", got=f"{type(error).__name__}: {error}") from None
    booster = found.get_booster() if hasattr(found, "get_booster") else found
    if not isinstance(booster, xgboost.Booster):
        raise ModelError("not an XGBoost model", expected="a pickled xgboost.Booster", got=type(found).__name__)
    return bytes(booster.save_raw("ubj"))


class _Reader:
    """One object of the document and where it stands, so that every complaint names its field."""

    def __init__(self, value: Any, path: str):
        if not isinstance(value, dict):
            raise self.wrong("an object", value, path or "the document")
        self.value = value
        self.path = path

    @staticmethod
    def wrong(expected: str, got: Any, path: str) -> ModelError:
        found = got if isinstance(got, str) and len(got) > 20 else f"{type(got).__name__} {got!r}"
        return ModelError("not an XGBoost model this reads", expected=expected, got=found, field=path)

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        return key in self.value

    def get(self, key: str, kind: type, expected: str) -> Any:
        if key not in self.value:
            raise ModelError("not an XGBoost model this reads", expected=expected, got="nothing", field=self.at(key))
        value = self.value[key]
        if not isinstance(value, kind):
            raise self.wrong(expected, value, self.at(key))
        return value

    def child(self, key: str) -> _Reader:
        return _Reader(self.get(key, dict, "an object"), self.at(key))

    def text(self, key: str) -> str:
        return str(self.get(key, str, "a string"))

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number of 0 or more; XGBoost writes its parameters as strings."""
        if default is not None and key not in self.value:
            return default
        value = self.get(key, object, "a whole number")
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = -1
        if not 0 <= number < 2**31:
            raise self.wrong("a whole number of 0 or more", value, self.at(key))
        return number

    def children(self, key: str) -> list[_Reader]:
        items = self.get(key, list, "an array of objects")
        return [_Reader(item, f"{self.at(key)}[{number}]") for number, item in enumerate(items)]

    def strings(self, key: str) -> tuple[str, ...]:
        items = self.value.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise self.wrong("an array of strings", items, self.at(key))
        return tuple(items)

    def array(self, key: str, kind: str) -> np.ndarray:
        """A flat array as int64 or float32; an array of a text format comes as a list, of UBJSON as numpy's."""
        value = self.value.get(key)
        expected = f"an array of {kind}s"
        if not isinstance(value, (list, np.ndarray)):
            raise self.wrong(expected, value, self.at(key))
        try:
            found = np.asarray(value) if len(value) else np.zeros(0, np.int64)
        except (ValueError, OverflowError):
            raise self.wrong(expected, value, self.at(key)) from None
        if found.ndim != 1 or found.dtype.kind not in ("biu" if kind == "int" else "iuf"):
            raise self.wrong(expected, value, self.at(key))
        with np.errstate(over="ignore"):
            return found.astype(np.int64 if kind == "int" else np.float32)


def _model(document: _Reader, pickled: bool) -> Model:
    learner = document.child("learner")
    params = learner.child("learner_model_param")
    objective = learner.child("objective").text("name")
    if objective not in OBJECTIVES:
        known = ", ".join(sorted(OBJECTIVES))
        raise UnsupportedError(f"unsupported XGBoost objective {objective}", fix=f"Known are {known}")
    num_class, num_target = params.integer("num_class"), params.integer("num_target", 1)
    groups = max(num_class, num_target, 1)
    if groups > MAX_GROUPS:
        raise UnsupportedError("too many classes or targets", expected=f"at most {MAX_GROUPS}", got=groups)
    booster = learner.child("gradient_booster")
    num_features = params.integer("num_feature")
    trees, weights = _booster(booster, groups, num_features)
    return Model(
        objective=objective,
        num_features=num_features,
        num_class=num_class,
        num_groups=groups,
        base_score=_base_score(params, groups),
        fitted=_fitted(params, bool(trees) or weights is not None),
        trees=trees,
        weights=weights,
        feature_names=learner.strings("feature_names"),
        feature_types=learner.strings("feature_types"),
        pickled=pickled,
        parallel=_parallel(booster),
    )


def _fitted(params: _Reader, grown: bool) -> bool:
    if params.value.get("base_margin") is True:
        return False
    return grown or params.integer("boost_from_average", 0) == 0


def _parallel(booster: _Reader) -> int:
    """Random forests inside boosting, `num_parallel_tree`."""
    for key in ("gbtree", "model", "gbtree_model_param"):
        if booster.has(key):
            booster = booster.child(key)
    return max(booster.integer("num_parallel_tree", 1), 1)


def _base_score(params: _Reader, groups: int) -> tuple[float, ...]:
    """`"5E-1"`, and since 3.1 a vector `"[5E-1]"` with one value a group."""
    text = params.text("base_score")
    path = params.at("base_score")
    try:
        found = [float(part) for part in text.strip().strip("[]()").split(",")]
        values = tuple(f32(value) for value in found)
    except ValueError:
        raise _Reader.wrong("numbers", text, path) from None
    if not np.isfinite(values).all():
        raise _Reader.wrong("finite numbers", text, path)
    if len(values) not in (1, groups):
        raise _Reader.wrong(f"1 or {groups} numbers", text, path)
    return values * groups if len(values) == 1 else values


def _booster(booster: _Reader, groups: int, features: int) -> tuple[tuple[Tree, ...], np.ndarray | None]:
    name = booster.text("name")
    if name == "gblinear":
        return (), _weights(booster.child("model"), groups, features)
    if name == "dart":
        trees = _trees(booster.child("gbtree").child("model"), groups, features)
        scales = booster.array("weight_drop", "float")
        if len(scales) != len(trees):
            raise _Reader.wrong(f"{len(trees)} weights", f"{len(scales)} weights", booster.at("weight_drop"))
        return tuple(tree.scaled(scale) for tree, scale in zip(trees, scales, strict=True)), None
    if name != "gbtree":
        raise UnsupportedError("unsupported XGBoost booster", expected="gbtree, dart or gblinear", got=name)
    return _trees(booster.child("model"), groups, features), None


def _weights(model: _Reader, groups: int, features: int) -> np.ndarray:
    weights = model.array("weights", "float")
    if len(weights) != (features + 1) * groups:
        expected = f"{(features + 1) * groups} weights"
        raise _Reader.wrong(expected, f"{len(weights)} weights", model.at("weights"))
    return weights.reshape(features + 1, groups)


def _trees(model: _Reader, groups: int, features: int) -> tuple[Tree, ...]:
    found = model.children("trees")
    info = model.array("tree_info", "int")
    if len(info) != len(found) or ((info < 0) | (info >= groups)).any():
        raise _Reader.wrong(f"{len(found)} groups from 0 to {groups - 1}", "others", model.at("tree_info"))
    numbers = [tree.integer("id", number) for number, tree in enumerate(found)]
    if sorted(numbers) != list(range(len(found))):
        raise _Reader.wrong("each tree's number once", "others", model.at("trees"))
    ordered = sorted(zip(numbers, found, strict=True), key=lambda pair: pair[0])
    return tuple(_tree(tree, int(info[number]), features) for number, tree in ordered)


def _tree(tree: _Reader, group: int, features: int) -> Tree:
    if tree.has("tree_param") and tree.child("tree_param").integer("size_leaf_vector", 1) > 1:
        raise UnsupportedError(
            "trees with vector leaves are not supported",
            got="size_leaf_vector > 1",
            fix='Train with multi_strategy="one_output_per_tree"',
            field=tree.at("tree_param"),
        )
    arrays = {key: tree.array(key, kind) for key, kind in TREE_KEYS.items()}
    size = len(arrays["left_children"])
    for key, array in arrays.items():
        if len(array) != size or not size:
            raise _Reader.wrong(f"{size or 'one or more'} nodes", f"{len(array)} nodes", tree.at(key))
    left, right, feature = arrays["left_children"], arrays["right_children"], arrays["split_indices"]
    inner = left != -1
    for key, array, limit in (("left_children", left, size), ("right_children", right, size)):
        if ((array[inner] < 0) | (array[inner] >= limit)).any():
            raise _Reader.wrong(f"nodes 0 to {limit - 1}", "others", tree.at(key))
    if ((feature[inner] < 0) | (feature[inner] >= features)).any():
        raise _Reader.wrong(f"features 0 to {features - 1}", "others", tree.at("split_indices"))
    categories = _categories(tree, size) if tree.has("categories_nodes") else {}
    compared = inner.copy()
    compared[list(categories)] = False  # XGBoost 1 and 2 write NaN where a node asks for categories
    if np.isnan(arrays["split_conditions"][compared]).any():
        raise _Reader.wrong("thresholds that are numbers", "NaN", tree.at("split_conditions"))
    return Tree(
        left=np.where(inner, left, -1),
        right=np.where(inner, right, -1),
        feature=np.where(inner, feature, 0),
        value=arrays["split_conditions"],
        default_left=arrays["default_left"] != 0,
        categories=categories,
        group=group,
        path=tree.path,
        cover=_cover(tree, size),
    )


def _cover(tree: _Reader, size: int) -> np.ndarray:
    """Hessians, where the model has them."""
    found = tree.array("sum_hessian", "float") if tree.has("sum_hessian") else np.zeros(0, np.float32)
    if len(found) not in (0, size):
        raise _Reader.wrong(f"{size} nodes", f"{len(found)} nodes", tree.at("sum_hessian"))
    return found


def _categories(tree: _Reader, size: int) -> Mapping[int, frozenset[int]]:
    """Node -> the categories that go right (the library's bit field)."""
    nodes = tree.array("categories_nodes", "int")
    if not len(nodes):
        return {}
    starts, counts = tree.array("categories_segments", "int"), tree.array("categories_sizes", "int")
    every = tree.array("categories", "int")
    fits = len(starts) == len(counts) == len(nodes) and (nodes >= 0).all() and (nodes < size).all()
    if not fits or (starts < 0).any() or (counts <= 0).any() or counts.sum() > len(every):
        raise _Reader.wrong("a segment of categories a node", "others", tree.at("categories_segments"))
    if (starts + counts > len(every)).any():
        raise _Reader.wrong("a segment of categories a node", "others", tree.at("categories_segments"))
    if ((every < 0) | (every >= 2**24)).any():
        raise _Reader.wrong("categories from 0 to 16777215", "others", tree.at("categories"))
    return {int(node): _segment(every, start, count) for node, start, count in zip(nodes, starts, counts, strict=True)}


def _segment(every: np.ndarray, start: int, count: int) -> frozenset[int]:
    return frozenset(every[start : start + count].tolist())
