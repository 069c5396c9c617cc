"""Metrics that SageMaker's XGBoost container adds to the library's: of classes, and two of numbers.

Formulas are scikit-learn's, which the container calls: what has no case counts 0, macro is the mean over the classes
seen in labels or predictions. The container compares what it gets with 0, which since XGBoost 2 are probabilities, so
that all rows are class 1; here a class is what the container replies with as `predicted_label`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Metric = Callable[[np.ndarray, np.ndarray], float]

OF_CLASSES = (
    *("accuracy", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "precision", "precision_macro"),
    *("precision_micro", "recall", "recall_macro", "recall_micro"),
)
OF_NUMBERS = ("mse", "r2")
ADDED = (*OF_CLASSES, *OF_NUMBERS)
"""`rmse` and `mae` are the library's own here."""
MAXIMIZED = (*OF_CLASSES, "r2", "auc", "aucpr", "map", "ndcg")
"""Higher is better; all others are minimized."""


def classes_of(scores: np.ndarray, objective: str) -> np.ndarray:
    """The predicted class of each row; scores (rows,) or (rows, classes) as the library's predict gives them."""
    if scores.ndim == 2:
        best: np.ndarray = np.argmax(scores, axis=1)
        return best
    if objective.startswith("multi:") or objective == "binary:hinge":
        return scores.astype(int)
    return (scores > (0.0 if objective == "binary:logitraw" else 0.5)).astype(int)


def value_of(name: str, label: np.ndarray, scores: np.ndarray, objective: str) -> float:
    """One metric. Raises SetupError for a metric of two classes where there are more."""
    if name == "mse":
        return float(np.mean((label - scores.astype(np.float64)) ** 2))
    if name == "r2":
        return _r2(label.astype(np.float64), scores.astype(np.float64))
    got = classes_of(scores, objective)
    if name == "accuracy":
        return float(np.mean(label == got))
    if name == "balanced_accuracy":
        return float(np.mean([np.mean(got[label == each] == each) for each in np.unique(label)]))
    measure, _, average = name.partition("_")
    return _averaged(measure, average or ("macro" if measure == "f1" else "binary"), label, got)


def _r2(label: np.ndarray, scores: np.ndarray) -> float:
    left = float(np.sum((label - scores) ** 2))
    spread = float(np.sum((label - label.mean()) ** 2))
    if spread == 0.0:
        return 1.0 if left == 0.0 else 0.0
    return 1.0 - left / spread


def _averaged(measure: str, average: str, label: np.ndarray, got: np.ndarray) -> float:
    known = np.union1d(label, got)
    if average == "binary":
        if len(known) > 2 or not set(known) <= {0, 1}:
            message = "Target is multiclass but average='binary'. Please choose another average setting"
            raise SetupError(message, expected="labels 0 and 1", got=", ".join(f"{each:g}" for each in known[:10]))
        return _measure(measure, *_counts(label, got, 1))
    counts = [_counts(label, got, each) for each in known]
    if average == "macro":
        return float(np.mean([_measure(measure, *each) for each in counts]))
    return _measure(measure, *np.sum(counts, axis=0))


def _counts(label: np.ndarray, got: np.ndarray, one: float) -> tuple[int, int, int]:
    """Rows that are this class and found, that are predicted so, that are so."""
    return int(np.sum((label == one) & (got == one))), int(np.sum(got == one)), int(np.sum(label == one))


def _measure(measure: str, found: int, predicted: int, actual: int) -> float:
    if measure == "precision":
        return float(found / predicted) if predicted else 0.0
    if measure == "recall":
        return float(found / actual) if actual else 0.0
    return float(2 * found / (predicted + actual)) if predicted + actual else 0.0


def evaluation(names: Sequence[str], objective: str) -> Callable[[Any, Any], list[tuple[str, float]]] | None:
    """What `xgboost.train` calls after each round on each data set; None for no metric of ours."""
    if not names:
        return None

    def evaluate(scores: np.ndarray, data: Any) -> list[tuple[str, float]]:
        label = data.get_label()
        return [(name, value_of(name, label, scores, objective)) for name in names]

    return evaluate
