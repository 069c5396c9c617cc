"""Every objective behind the XGBoost container: its reply in every form is the library's own prediction, and selectable
output has the keys that the AWS container has for it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nacre.formats import recordio
from nacre.handlers.xgboost import XGBoost
from nacre.train.hyperparameters import OBJECTIVES
from tests.test_booster import data, train
from tests.test_xgboost_handler import labels, respond

if TYPE_CHECKING:
    from nacre.handlers.base import Reply

xgb = pytest.importorskip("xgboost")

FORMS = ("text/csv", "application/json", "application/jsonlines", "application/x-recordio-protobuf")
CLASSES = ("predicted_label", "labels", "probability", "probabilities", "raw_score", "raw_scores")
RAW = ("predicted_label", "labels", "raw_score", "raw_scores")
KEYS = {
    **dict.fromkeys(
        ("reg:squarederror", "reg:logistic", "reg:gamma", "reg:absoluteerror", "reg:tweedie"), ("predicted_score",)
    ),
    **dict.fromkeys(("binary:logistic", "multi:softprob"), CLASSES),
    **dict.fromkeys(("binary:logitraw", "binary:hinge", "multi:softmax"), RAW),
}
"""As sagemaker-contract.md, 5.6, has them."""
ALL = (*CLASSES, "predicted_score")
KNOWN = sorted({"reg:squarederror" if each == "reg:linear" else each for each in OBJECTIVES})


@pytest.fixture(scope="module", params=KNOWN)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, bytes, Any]:
    """(objective, folder of the model, three rows as CSV, the library's predictions as Python values)."""
    folder = tmp_path_factory.mktemp("model")
    model = train(request.param, 8)
    model.save_model(folder / "model.ubj")
    (folder / "model.ubj").rename(folder / "xgboost-model")
    rows = data(1)[0][:3]
    body = "\n".join(",".join("" if math.isnan(x) else repr(float(x)) for x in row) for row in rows).encode()
    return request.param, folder, body, model.predict(xgb.DMatrix(rows)).astype(float).tolist()


def entries(reply: Reply, form: str) -> Any:
    """A value a row, out of any form."""
    assert reply.status == 200, reply.body
    if form == "text/csv":
        assert reply.content_type == "text/csv; charset=utf-8"
        lines = [[float(x) for x in line.split(",")] for line in reply.body.decode().splitlines()]
        return [line if len(line) > 1 else line[0] for line in lines]
    assert reply.content_type == form
    if form == "application/json":
        return [each["score"] for each in json.loads(reply.body)["predictions"]]
    if form == "application/jsonlines":
        return [json.loads(line)["score"] for line in reply.body.splitlines()]
    found = [labels(record)["score"] for record in recordio.records(reply.body)]
    return [each if len(each) > 1 else each[0] for each in found]


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", ";charset=UTF-8"])
def test_every_form_has_the_library_s_numbers(served: tuple[str, Path, bytes, Any], charset: str) -> None:
    _, folder, body, truth = served
    handler = XGBoost.load(folder, {})
    for form in FORMS:
        assert entries(respond(handler, body, f"text/csv{charset}", form + charset), form) == truth


def test_batch_mode_has_a_line_a_row(served: tuple[str, Path, bytes, Any]) -> None:
    _, folder, body, truth = served
    for value in ("true", "false"):
        handler = XGBoost.load(folder, {"SAGEMAKER_BATCH": value, "NACRE_COMPAT": "aws"})
        assert respond(handler, body).body.decode() == "".join(f"{each}\n" for each in truth)


def wanted(key: str, objective: str, score: Any, classes: int) -> Any:
    """A key of one row, as the AWS container's source has it."""
    if key not in KEYS[objective]:
        return None
    several = isinstance(score, list)
    if key == "predicted_label":
        by_objective = {"binary:logistic": lambda: int(score > 0.5), "binary:logitraw": lambda: int(score > 0)}
        return int(np.argmax(score)) if several else by_objective.get(objective, lambda: score)()
    if key == "labels":
        return [0, 1] if objective.startswith("binary:") else list(range(classes))
    if key in ("probability", "raw_score"):
        return max(score) if several else score
    if key in ("probabilities", "raw_scores"):
        return score if several else [1.0 - score, score]
    return score


@pytest.mark.parametrize("accept", FORMS[:3])
def test_selectable_keys(served: tuple[str, Path, bytes, Any], accept: str) -> None:
    objective, folder, body, truth = served
    reply = respond(XGBoost.load(folder, {"SAGEMAKER_INFERENCE_OUTPUT": ",".join(ALL)}), body, "text/csv", accept)
    if objective not in KEYS:
        assert reply.status == 500
        assert b"unsupported for selectable inference predictions" in reply.body
        return
    classes = XGBoost.load(folder, {}).model.num_class
    expected = [{key: wanted(key, objective, score, classes) for key in ALL} for score in truth]
    if accept == "application/json":
        assert json.loads(reply.body)["predictions"] == expected
    elif accept == "application/jsonlines":
        assert [json.loads(line) for line in reply.body.splitlines()] == expected
    else:
        cells = [[each[key] for key in ALL] for each in expected]
        lines = [
            ",".join(f'"{x}"' if isinstance(x, list) else "nan" if x is None else str(x) for x in row) for row in cells
        ]
        assert reply.body.decode() == "\n".join(lines)
