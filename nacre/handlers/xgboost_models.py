"""The model files of an XGBoost container, alone or answering together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nacre import booster
from nacre.errors import ModelError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nacre.booster import Booster

    Score = float | tuple[float, ...]

VOTING = ("multi:softmax", "binary:hinge")
"""Objectives whose score is a class: several models vote, others take the mean."""
ONE = "SAGEMAKER_INFERENCE_ENSEMBLE=false"


class CrashError(RequestError):
    """Where the AWS container has an unhandled exception: 500, and under NACRE_COMPAT=aws its page."""

    def __init__(self, message: str, **known: Any):
        super().__init__(message, status=500, **known)


class Models:
    """`score` takes one row of float32 values, `predict` a block of rows; both give Python floats, or tuples of them
    where the objective has a value a class. `first` speaks for all: they take and give the same."""

    score: Callable[[tuple[float, ...]], Score]

    def __init__(self, models: Sequence[Booster], compat: bool):
        self.models = list(models)
        self.first = self.models[0]
        self.compat = compat
        self.vector = self.first.num_groups > 1 and self.first.objective != "multi:softmax"
        alone = len(self.models) == 1
        self.score = self.first.score if alone else lambda row: self.predict(np.array([row], np.float32))[0]

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str], together: bool, compat: bool) -> Models:
        """Every file of the folder is a model; only the first counts unless they answer `together`."""
        paths = model_files(model_dir, compat)
        models = [load_model(path, env) for path in (paths if together else paths[:1])]
        for path, model in zip(paths, models, strict=False):
            check_same(model, models[0], path)
        return cls(models, compat)

    def predict(self, x: np.ndarray) -> list[Score]:
        if len(self.models) == 1:
            return listed(self.first.predict(x))
        scores = np.stack([model.predict(x) for model in self.models])
        if self.first.objective not in VOTING:
            return listed(np.mean(scores, axis=0))
        if self.compat and len(self.models) == 2:
            raise CrashError("two models cannot vote in the AWS container")
        return [voted(column) for column in scores.T.tolist()]


def listed(scores: np.ndarray) -> list[Score]:
    values: list[Any] = scores.tolist()
    return [tuple(row) for row in values] if scores.ndim == 2 else values


def voted(scores: Sequence[float]) -> float:
    """The most frequent score, the smallest of equals."""
    return min(scores, key=lambda score: (-scores.count(score), score))


def model_files(model_dir: Path, compat: bool) -> list[Path]:
    """Files that must be models, sorted by name; the AWS container takes the order of the folder. Dot files and
    folders are passed over."""
    if model_dir.is_file():
        return [model_dir]
    if not model_dir.is_dir():
        raise ModelError(
            "no model", expected="a folder with an xgboost-model", got="no such folder", file=str(model_dir)
        )
    paths = list(model_dir.iterdir())
    found = [path for path in (paths if compat else sorted(paths)) if path.name[0] != "." and path.is_file()]
    if not found:
        raise ModelError("no model", expected="a file such as xgboost-model", got="no file", file=str(model_dir))
    return found


def load_model(path: Path, env: Mapping[str, str]) -> Booster:
    try:
        return booster.load(path, env)
    except ModelError as error:
        error.fix = error.fix or "Every file of the model folder must be a model: take this one out"
        raise


def check_same(model: Booster, first: Booster, path: Path) -> None:
    for what in ("objective", "num_features", "num_groups"):
        wanted, got = getattr(first, what), getattr(model, what)
        if wanted != got:
            fix = f"Take one of them out, or set {ONE}"
            raise ModelError(f"models with different {what}", expected=wanted, got=got, file=str(path), fix=fix)
