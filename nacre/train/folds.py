"""Cross validation as SageMaker's container does it: `_kfold` models, `_num_cv_round` times, and one prediction a row.

Folds are drawn from `seed`, so that the same job gives the same models; for classes each fold has its share of each.
The container measures every fold on the whole training data; here `train` and `validation` in the log are the fold's
own rows, so that the validation metric is of rows the model has not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.train.metrics import classes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nacre.train.table import Rows


def of_classes(settings: Mapping[str, Any]) -> bool:
    return "num_class" in settings or str(settings.get("objective", "")).startswith("binary:")


def split(label: np.ndarray, settings: Mapping[str, Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row numbers to train on and to validate on, fold by fold, repetition by repetition."""
    chance = np.random.default_rng(abs(int(settings.get("seed", 0))))
    folds = settings["_kfold"]
    for _ in range(settings.get("_num_cv_round", 1)):
        order = chance.permutation(len(label))
        if of_classes(settings):  # dealt out class by class
            order = order[np.argsort(label[order], kind="stable")]
        fold = np.empty(len(label), int)
        fold[order] = np.arange(len(label)) % folds
        for number in range(folds):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


class Predictions:
    """What models said about rows they had not seen; every row as often as there are repetitions."""

    def __init__(self, label: np.ndarray, settings: Mapping[str, Any]):
        self.label = label
        self.classes = of_classes(settings)
        self.objective = str(settings.get("objective", ""))
        self.said: list[list[float]] = [[] for _ in label]
        self.sure: list[list[float]] = [[] for _ in label]

    def record(self, rows: np.ndarray, scores: np.ndarray) -> None:
        """Scores (rows,) or (rows, classes)."""
        said = classes_of(scores, self.objective) if self.classes else scores
        sure = scores.max(axis=1) if scores.ndim == 2 else scores
        for row, one, other in zip(rows.tolist(), said.tolist(), sure.tolist(), strict=True):
            self.said[row].append(one)
            self.sure[row].append(other)

    def text(self) -> str:
        """`predictions.csv`: label and mean prediction; for classes label, mean probability and the usual class."""
        lines = []
        for label, said, sure in zip(self.label.tolist(), self.said, self.sure, strict=True):
            mean = float(np.mean(sure))
            numbers = (
                [label, mean, min(said, key=lambda one: (-said.count(one), one))] if self.classes else [label, mean]
            )
            lines.append(",".join(f"{number:f}" for number in numbers))
        return "\n".join(lines) + "\n"


def parts(rows: Rows, settings: Mapping[str, Any]) -> Iterator[tuple[dict[str, Rows], np.ndarray]]:
    """Data sets of each fold, and which rows validate."""
    for train, validation in split(rows.label, settings):
        yield {"train": rows.part(train), "validation": rows.part(validation)}, validation


def means(histories: Sequence[Mapping[str, Mapping[str, Sequence[float]]]]) -> dict[str, float]:
    """The mean of what each fold ended with, by data set and metric."""
    return {
        f"{data}-{metric}": float(np.mean([each[data][metric][-1] for each in histories]))
        for data, of in histories[0].items()
        for metric in of
    }


def mean_line(rounds: int, histories: Sequence[Mapping[str, Mapping[str, Sequence[float]]]]) -> str:
    """The log line of several folds."""
    return "\t".join([f"[{rounds}]", *[f"{name}:{value:.5f}" for name, value in means(histories).items()]])
