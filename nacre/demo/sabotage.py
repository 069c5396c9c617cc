"""`nacre demo --sabotage`: change the artefacts after the reference was scored, to see that the table would notice."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nacre.bundle import read, write
from nacre.bundle.values import pack, unpack
from nacre.demo.ways import model_bytes

if TYPE_CHECKING:
    from nacre.demo.home import Home


def label(home: Home) -> str:
    """Exchange the first two labels of the bundle's string indexer."""
    bundle = read(home.bundle)
    node = next(node for node in bundle.root.walk() if node.op == "string_indexer")
    labels = unpack(node.attributes["labels_array_0"], "list<string>")
    labels[0], labels[1] = labels[1], labels[0]
    node.attributes["labels_array_0"] = pack(labels, "list<string>")
    for target in (home.bundle, home.features_model):
        write(bundle, target, overwrite=True)
    return f"label {labels[1]!r} of {node.name} now stands where {labels[0]!r} stood"


def threshold(home: Home) -> str:
    """Move the threshold at the root of the first tree."""
    model = _load(home)
    tree = _first_tree(model)
    before = tree["split_conditions"][0]
    tree["split_conditions"][0] = before * 1.25
    _store(home, model)
    return f"threshold at the root of tree 0 moved from {before} to {before * 1.25}"


def leaf(home: Home) -> str:
    """Add 0.5 to the leaf of the first tree that most rows reach."""
    model = _load(home)
    tree = _first_tree(model)
    leaves = [node for node, child in enumerate(tree["left_children"]) if child == -1]
    node = max(leaves, key=lambda each: tree["sum_hessian"][each])
    tree["split_conditions"][node] += 0.5
    _store(home, model)
    return f"leaf {node} of tree 0 raised by 0.5"


DEEDS: dict[str, Callable[[Home], str]] = {"label": label, "threshold": threshold, "leaf": leaf}
"""What can be done, each on its own; `--sabotage` does all three."""


def _load(home: Home) -> Any:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(model_bytes(home)))
    return json.loads(bytes(booster.save_raw("json")))


def _first_tree(model: Any) -> Any:
    return model["learner"]["gradient_booster"]["model"]["trees"][0]


def _store(home: Home, model: Any) -> None:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(json.dumps(model).encode()))
    content = bytes(booster.save_raw("ubj"))
    with tarfile.open(home.rings_model, "w:gz") as archive:
        info = tarfile.TarInfo("xgboost-model")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
