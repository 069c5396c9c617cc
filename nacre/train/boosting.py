"""The XGBoost library at work: rounds, log lines, early stopping, checkpoints, folds."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nacre.errors import SetupError
from nacre.train import checkpoints, folds
from nacre.train.hyperparameters import library_parameters, metrics_of, watched_metric
from nacre.train.metrics import MAXIMIZED, evaluation
from nacre.train.rows import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from nacre.train.table import Rows

    History = dict[str, dict[str, list[float]]]

MODEL = "xgboost-model"
"""The model's file name, without suffix, holding UBJSON."""


@dataclass(frozen=True)
class Job:
    """Validated hyperparameters, where lines go, and what is kept while it runs. `compat`: early stopping only where
    a metric is named, as the container has it."""

    settings: Mapping[str, Any]
    log: Callable[[str], object] = print
    checkpoints: Path | None = None
    keep: Path | None = None
    """Folder that has the model after every round."""
    compat: bool = False


@dataclass
class Boosted:
    """Models by file name, as UBJSON; rounds of the (last) model; the last or best value of each metric;
    other files to deliver."""

    models: dict[str, bytes]
    rounds: int
    metrics: dict[str, float]
    files: dict[str, str] = field(default_factory=dict)


def library() -> Any:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads cost a hundredfold on busy cores
    try:
        import xgboost
    except ModuleNotFoundError:
        raise SetupError("the package xgboost is not installed", fix="pip install 'nacre[xgboost]'") from None
    return xgboost


def boosted(job: Job, data: Mapping[str, Rows]) -> Boosted:
    """Train on `data["train"]`, measured on all. Raises SetupError."""
    xgboost = library()
    try:
        return _folds(xgboost, job, data) if "_kfold" in job.settings else _one(xgboost, job, data)
    except xgboost.core.XGBoostError as error:
        raise SetupError("XGBoost refuses to train", got=first_line(str(error))) from None


def _one(xgboost: Any, job: Job, data: Mapping[str, Rows]) -> Boosted:
    booster, history, start = _run(xgboost, job, data, job.checkpoints, MODEL)
    rounds = booster.num_boosted_rounds()
    metrics = {
        f"{name}-{metric}": values[rounds - start - 1] for name, of in history.items() for metric, values in of.items()
    }
    return Boosted({MODEL: raw(booster)}, rounds, metrics)


def _folds(xgboost: Any, job: Job, data: Mapping[str, Rows]) -> Boosted:
    """A model a fold over all rows, training and validation; each said what it thinks of the rows it has not seen."""
    rows = joined(list(data.values()))
    count, settings = job.settings["_kfold"], job.settings
    predictions = folds.Predictions(rows.label, settings)
    models: dict[str, bytes] = {}
    histories: list[History] = []
    rounds = 0
    for fold, (part, unseen) in enumerate(folds.parts(rows, settings)):
        name = f"{MODEL}-{fold}"
        where = job.checkpoints / f"model-{fold}" if job.checkpoints else None
        booster, history, _ = _run(xgboost, job, part, where, name)
        predictions.record(unseen, booster.predict(matrix(xgboost, part["validation"])))
        models[name], rounds = raw(booster), booster.num_boosted_rounds()
        histories.append(history)
        if len(histories) % count == 0 and history:
            job.log(folds.mean_line(settings["num_round"], histories[-count:]))
    if len(histories) > count and histories[0]:
        job.log(folds.mean_line(settings["num_round"], histories))
    metrics = folds.means(histories)
    return Boosted(models, rounds, metrics, {"predictions.csv": predictions.text()})


def _run(xgboost: Any, job: Job, data: Mapping[str, Rows], where: Path | None, name: str) -> tuple[Any, History, int]:
    """One model: the booster, each metric of each new round, and how many rounds a checkpoint had."""
    settings = job.settings
    begun, start = checkpoints.newest(xgboost, where)
    if start:
        job.log(f"Resuming from iteration {start}: {where}")
    matrices = {each: matrix(xgboost, rows) for each, rows in data.items()}
    history: History = {}
    ours = metrics_of(settings)[1]
    parameters = {"verbosity": 1, **library_parameters(settings)}
    booster = xgboost.train(
        parameters,
        matrices["train"],
        max(settings["num_round"] - start, 0),
        evals=[(found, each) for each, found in matrices.items()],
        evals_result=history,
        custom_metric=evaluation(ours, settings.get("objective", "reg:squarederror")),
        verbose_eval=False,
        callbacks=[
            *filter(None, [checkpoints.saver(xgboost, where, job.keep and job.keep / name, start)]),
            *callbacks(xgboost, job, "validation" in data, start),
        ],  # a round is kept before it is told of
        xgb_model=begun,
    )
    return booster, history, start


def raw(booster: Any) -> bytes:
    return bytes(booster.save_raw("ubj"))


def first_line(text: str) -> str:
    """The sentence of a library error, without time, source line and stack."""
    line = text.strip().splitlines()[0]
    return line.split(": ", 2)[-1] if line.startswith("[") else line


def matrix(xgboost: Any, rows: Rows) -> Any:
    return xgboost.DMatrix(rows.features, label=rows.label, weight=rows.weight, qid=rows.query)


def callbacks(xgboost: Any, job: Job, validation: bool, start: int) -> list[Any]:
    """One that writes the lines AWS's metric patterns read, and early stopping where validation data are."""

    class Log(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
            fields = [
                f"{name}-{metric}:{values[-1]:.5f}" for name, of in evals_log.items() for metric, values in of.items()
            ]
            job.log("\t".join([f"[{start + epoch}]", *fields]))
            return False

    found: list[Any] = [Log()]
    rounds = job.settings.get("early_stopping_rounds")
    metric = watched_metric(job.settings)
    if rounds and validation and (metric or not job.compat):
        linear = job.settings.get("booster") == "gblinear"  # its rounds cannot be taken back
        known = {"metric_name": metric, "maximize": metric.partition("@")[0] in MAXIMIZED} if metric else {}
        stopping = xgboost.callback.EarlyStopping
        found.append(stopping(rounds=rounds, data_name="validation", save_best=not linear, **known))
    return found
