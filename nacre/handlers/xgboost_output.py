"""Scores of the XGBoost container to reply bodies: CSV, JSON, JSON Lines, recordio-protobuf, and selectable output.

A score is a float, or a list of floats a class; float32 widened to float64, so that text is Python's repr of it.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, cast

from nacre.errors import RequestError
from nacre.formats import decimals, recordio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Score = float | Sequence[float]
    Selected = dict[str, Any]

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
RECORDIO = "application/x-recordio-protobuf"
NPY = "application/x-npy"
ACCEPTED = (JSON, JSON_LINES, RECORDIO, CSV)
"""What Accept may name, in the order the AWS container lists it."""

CLASSES = ("predicted_label", "labels", "probability", "probabilities", "raw_score", "raw_scores")
NO_PROBABILITY = ("predicted_label", "labels", "raw_score", "raw_scores")
SELECTABLE: dict[str, tuple[str, ...]] = {
    "reg:squarederror": ("predicted_score",),
    "reg:logistic": ("predicted_score",),
    "reg:gamma": ("predicted_score",),
    "reg:absoluteerror": ("predicted_score",),
    "reg:tweedie": ("predicted_score",),
    "binary:logistic": CLASSES,
    "binary:logitraw": NO_PROBABILITY,
    "binary:hinge": NO_PROBABILITY,
    "multi:softmax": NO_PROBABILITY,
    "multi:softprob": CLASSES,
}
"""Objective -> the keys of ``SAGEMAKER_INFERENCE_OUTPUT`` it has, in the order they are written."""


def accepted(accept: str | None, default: str) -> str:
    """The type to answer in. Raises RequestError, 406, for any but the four: lists and wildcards too, as AWS does."""
    if accept is None or accept in ("*/*", ""):
        return default
    name = accept.split(";")[0].strip()
    if name in ("", "*/*"):
        return default
    if name.lower() not in ACCEPTED:
        known = f"Please use supported accept types: {list(ACCEPTED)}."
        raise RequestError(f"Accept type {name} is not supported. {known}", status=406)
    return name.lower()


def allows_json(accept: str | None) -> bool:
    """Whether a client says that it reads JSON; a bare ``*/*`` does not say so."""
    names = [part.split(";")[0].strip().lower() for part in (accept or "").split(",")]
    return any(name in (JSON, "application/*") or name.endswith("+json") for name in names)


def csv_text(scores: Sequence[Score]) -> bytes:
    """A row a line, classes joined by commas, with a last newline."""
    quick = decimals.python_lines(cast("Sequence[float]", scores)) if type(scores[0]) is float else None
    if quick is not None:
        return quick
    lines = [repr(score) if isinstance(score, float) else ",".join(map(repr, score)) for score in scores]
    return ("\n".join(lines) + "\n").encode()


def batch_text(scores: Sequence[Score], accept: str) -> bytes:
    """`SAGEMAKER_BATCH`: a row a line whatever Accept says, a vector as a list; in a JSON or recordio type several
    rows are one list."""
    if accept in (JSON, RECORDIO) and len(scores) > 1:
        return f"{list(scores)}\n".encode()
    return ("\n".join(map(str, scores)) + "\n").encode()


def json_text(entries: Sequence[Any], strict: bool) -> bytes:
    return _dumped({"predictions": entries}, strict).encode()


def json_lines(entries: Iterable[Any], strict: bool) -> bytes:
    return "".join(_dumped(entry, strict) + "\n" for entry in entries).encode()


def _dumped(document: Any, strict: bool) -> str:
    """JSON; with `strict` a NaN is null, otherwise it is written bare, which JSON has no word for."""
    try:
        return json.dumps(document, allow_nan=not strict)
    except ValueError:
        return json.dumps(_without_nan(document))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def npy(scores: Sequence[Score]) -> bytes:
    import io

    import numpy as np

    out = io.BytesIO()
    np.save(out, np.array(scores, np.float64))
    return out.getvalue()


def scored(scores: Sequence[Score]) -> list[Selected]:
    """The entries of a reply without selectable output."""
    return [{"score": score} for score in scores]


def encoders(strict: bool) -> dict[str, Callable[[Sequence[Score]], bytes]]:
    """Type -> encoder of plain scores. The AWS container (`strict` off) has none for JSON Lines and recordio."""
    plain: dict[str, Callable[[Sequence[Score]], bytes]] = {
        CSV: csv_text,
        JSON: lambda scores: json_text(scored(scores), strict),
        NPY: npy,
    }
    if strict:
        plain[JSON_LINES] = lambda scores: json_lines(scored(scores), strict)
        plain[RECORDIO] = lambda scores: recordio.write({"score": _listed(score)} for score in scores)
    return plain


def select(scores: Sequence[Score], keys: Sequence[str], objective: str, num_class: int) -> list[Selected]:
    """The chosen keys of every row; NaN for those the objective lacks. Raises RequestError, 500, for an objective
    without selectable output."""
    if objective not in SELECTABLE:
        message = f"Objective `{objective}` unsupported for selectable inference predictions."
        raise RequestError(message, status=500)
    known = [key for key in SELECTABLE[objective] if key in keys]
    lacking = {key: math.nan for key in keys if key not in known}
    return [{**{key: _value(key, score, objective, num_class) for key in known}, **lacking} for score in scores]


def _value(key: str, score: Score, objective: str, num_class: int) -> Any:
    if key == "predicted_label":
        return _label(score, objective)
    if key == "labels":
        return [0, 1] if objective.startswith("binary:") else list(range(num_class))
    if not isinstance(score, float):  # multi:softprob
        return max(score) if key in ("probability", "raw_score") else list(score)
    return [1.0 - score, score] if key in ("probabilities", "raw_scores") else score


def _label(score: Score, objective: str) -> int | float:
    if not isinstance(score, float):
        return max(range(len(score)), key=score.__getitem__)
    if objective == "binary:logistic":
        return int(score > 0.5)
    return int(score > 0) if objective == "binary:logitraw" else score


def encode_selected(rows: Sequence[Selected], keys: Sequence[str], accept: str, batch: bool, strict: bool) -> bytes:
    if accept == JSON:
        return json_text(rows, strict)
    if accept == JSON_LINES:
        return json_lines(rows, strict)
    if accept == RECORDIO:
        return recordio.write({key: _listed(value) for key, value in row.items()} for row in rows)
    if accept == CSV:
        lines = [",".join(_cell(row[key]) for key in keys) for row in rows]
        return ("\n".join(lines) + "\n" * batch).encode()
    message = f"Cannot encode selected predictions into accept type '{accept}'."
    raise RequestError(message, status=500)


def _cell(value: Any) -> str:
    return f'"{value}"' if isinstance(value, list) else str(value)


def _listed(value: Any) -> Sequence[float]:
    return [value] if isinstance(value, (int, float)) else value
