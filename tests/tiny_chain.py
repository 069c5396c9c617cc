"""A two-container chain made by hand: a bundle of three stages in MLeap's JSON, and a small XGBoost model.

Nothing of ours writes the bundle, so that batch tests stand on the format and not on our writer.
"""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

LABELS = ["M", "F", "I"]
NUMBERS = ["length", "diameter", "weight"]
COLUMNS = ["sex", *NUMBERS]
SIZE = len(LABELS) + len(NUMBERS)
SCHEMA = {
    "input": [{"name": "sex", "type": "string"}, *({"name": name, "type": "double"} for name in NUMBERS)],
    "output": {"name": "features", "type": "double", "struct": "vector"},
}


def rows(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Rows of raw columns; the same for the same seed."""
    chance = random.Random(seed)
    numbers = [[round(chance.uniform(0.1, 0.9), 4) for _ in NUMBERS] for _ in range(count)]
    return [{"sex": chance.choice(LABELS), **dict(zip(NUMBERS, each, strict=True))} for each in numbers]


def csv_lines(data: list[dict[str, Any]]) -> list[str]:
    return [",".join(str(row[name]) for name in COLUMNS) for row in data]


def matrix(data: list[dict[str, Any]]) -> np.ndarray:
    """The features as the stages define them, by hand: one-hot sex, then the numbers; shape (rows, SIZE)."""
    return np.array(
        [[*(float(row["sex"] == label) for label in LABELS), *(row[name] for name in NUMBERS)] for row in data]
    )


def bundle(path: Path, handle_invalid: str = "error") -> Path:
    """A Bundle.ML zip: string_indexer, one_hot_encoder, vector_assembler."""
    nodes = {
        "indexer": (
            "string_indexer",
            {
                "labels_length": {"int": 1},
                "labels_array_0": {"type": "list", "string": LABELS},
                "handle_invalid": {"string": handle_invalid},
            },
            [("input", "sex")],
            "sex_index",
        ),
        "encoder": (
            "one_hot_encoder",
            {
                "category_sizes": {"type": "list", "int": [len(LABELS)]},
                "drop_last": {"boolean": False},
                "handle_invalid": {"string": "error"},
            },
            [("input0", "sex_index")],
            "sex_vector",
        ),
        "assembler": (
            "vector_assembler",
            {
                "input_shapes": {
                    "type": "list",
                    "data_shape": [
                        {
                            "base": "tensor",
                            "isNullable": False,
                            "tensorShape": {"dimensions": [{"size": len(LABELS), "name": ""}]},
                        },
                        *({"base": "scalar", "isNullable": False} for _ in NUMBERS),
                    ],
                }
            },
            [(f"input{at}", name) for at, name in enumerate(["sex_vector", *NUMBERS])],
            "features",
        ),
    }
    root = {"op": "pipeline", "attributes": {"nodes": {"type": "list", "string": list(nodes)}}}
    head = {"uid": "0f2a4a3e-7a53-4a4c-9d3e-111111111111", "name": "pipe", "format": "json", "version": "0.20.0",
            "timestamp": "2026-01-01T00:00:00.000"}  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", json.dumps(head))
        archive.writestr("root/model.json", json.dumps(root))
        archive.writestr("root/node.json", json.dumps({"name": "pipe", "shape": {"inputs": [], "outputs": []}}))
        for name, (op, attributes, inputs, output) in nodes.items():
            port = "output0" if op == "one_hot_encoder" else "output"
            shape = {
                "inputs": [{"port": key, "name": column} for key, column in inputs],
                "outputs": [{"port": port, "name": output}],
            }
            model = {"op": op, "attributes": attributes}
            archive.writestr(f"root/{name}.node/model.json", json.dumps(model))
            archive.writestr(f"root/{name}.node/node.json", json.dumps({"name": name, "shape": shape}))
    return path


def booster(path: Path, data: list[dict[str, Any]]) -> Any:
    """An XGBoost regression on those features, saved as `path`; returns the library's own model."""
    import xgboost

    features = matrix(data)
    target = 3 + 10 * features[:, -1] + 4 * features[:, 0] * features[:, 3]
    parameters = {"objective": "reg:squarederror", "max_depth": 4, "nthread": 1, "seed": 1}
    trained = xgboost.train(parameters, xgboost.DMatrix(features, target, nthread=1), num_boost_round=10)
    trained.save_model(path)
    return trained


def pipeline(folder: Path) -> Path:
    """A pipeline file over `model.zip` and `model.json` of the folder."""
    definition = {
        "ModelName": "tiny",
        "Containers": [
            {
                "ContainerHostname": "features",
                "Image": "sagemaker-sparkml-serving:3.3",
                "ModelDataUrl": "model.zip",
                "Environment": {"SAGEMAKER_SPARKML_SCHEMA": json.dumps(SCHEMA)},
            },
            {"ContainerHostname": "score", "Image": "sagemaker-xgboost:3.0-5", "ModelDataUrl": "model.json"},
        ],
    }
    path = folder / "pipeline.yaml"
    path.write_text(json.dumps(definition))
    return path
