"""Train XGBoost as SageMaker's container trains in algorithm mode, and pack the model as it packs it.

The library runs in this process, reading through Arrow; it is imported on training only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.errors import NacreError, SetupError
from nacre.store import local_path
from nacre.train import script
from nacre.train.hyperparameters import ABALONE, HYPERPARAMETERS, library_parameters, validated
from nacre.train.rows import Rows, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MODEL = "xgboost-model"
"""The model's file name inside the archive, without suffix, holding UBJSON."""


@dataclass(frozen=True)
class Trained:
    """What came out: where the model is, how many rounds it has, and the last (or best) value of each metric."""

    model: Path
    rounds: int
    metrics: dict[str, float]


def train(
    train_path: str | Path,
    output: str | Path,
    hyperparameters: Mapping[str, Any],
    validation: str | Path | None = None,
    *,
    label: str | None = None,
    features: str = "features",
    log: Callable[[str], object] = print,
) -> Trained:
    """Train on a file or folder of CSV or Parquet, and write `output`/model.tar.gz.

    `hyperparameters` are SageMaker's, as numbers or text. `log` gets one line a round,
    ``[n]\\ttrain-rmse:v\\tvalidation-rmse:v``. Raises SetupError, RequestError, SchemaError or RowError; nothing is
    left under the final name then.
    """
    raw, trained = fit(train_path, hyperparameters, validation, label=label, features=features, log=log)
    target = local_path(str(output)) / "model.tar.gz"
    write_archive(target, raw)
    return trained(target)


def fit(
    train_path: str | Path,
    hyperparameters: Mapping[str, Any],
    validation: str | Path | None,
    *,
    label: str | None = None,
    features: str = "features",
    log: Callable[[str], object] = print,
) -> tuple[bytes, Callable[[Path], Trained]]:
    """The model as UBJSON, and what to report once it is written."""
    settings = validated(hyperparameters)
    weights = bool(settings.get("csv_weights"))
    data = {"train": read(local_path(str(train_path)), weights=weights, label=label, features=features)}
    if validation is not None:
        data["validation"] = read(local_path(str(validation)), weights=weights, label=label, features=features)
        check_width(data["train"], data["validation"], str(validation))
    booster, history = boosted(settings, data, log)
    rounds = booster.num_boosted_rounds()
    metrics = {f"{name}-{metric}": values[rounds - 1] for name, of in history.items() for metric, values in of.items()}
    return bytes(booster.save_raw("ubj")), lambda path: Trained(path, rounds, metrics)


def check_width(rows: Rows, other: Rows, path: str) -> None:
    expected, got = rows.features.shape[1], other.features.shape[1]
    if expected != got:
        raise SetupError("validation data of another width", expected=f"{expected} features", got=got, file=path)


def boosted(settings: Mapping[str, Any], data: Mapping[str, Rows], log: Callable[[str], object]) -> tuple[Any, Any]:
    """Run the library: the booster, and the metrics of each round."""
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # idle threads sleep: spinning costs a hundredfold on busy cores
    try:
        import xgboost
    except ModuleNotFoundError:
        raise SetupError("the package xgboost is not installed", fix="pip install 'nacre[xgboost]'") from None
    parameters = {"verbosity": 1, **library_parameters(settings)}
    matrices = {name: matrix(xgboost, rows) for name, rows in data.items()}
    history: dict[str, dict[str, list[float]]] = {}
    try:
        booster = xgboost.train(
            parameters,
            matrices["train"],
            settings["num_round"],
            evals=[(found, name) for name, found in matrices.items()],
            evals_result=history,
            verbose_eval=False,
            callbacks=callbacks(xgboost, settings, "validation" in data, log),
        )
    except xgboost.core.XGBoostError as error:
        raise SetupError("XGBoost refuses to train", got=first_line(str(error))) from None
    return booster, history


def first_line(text: str) -> str:
    """The sentence of a library error, without time, source line and stack."""
    line = text.strip().splitlines()[0]
    return line.split(": ", 2)[-1] if line.startswith("[") else line


def matrix(xgboost: Any, rows: Rows) -> Any:
    return xgboost.DMatrix(rows.features, label=rows.label, weight=rows.weight)


def callbacks(xgboost: Any, settings: Mapping[str, Any], validation: bool, log: Callable[[str], object]) -> list[Any]:
    """One that writes the lines AWS's metric patterns read, and early stopping where validation data are."""

    class Log(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
            fields = [
                f"{name}-{metric}:{values[-1]:.5f}" for name, of in evals_log.items() for metric, values in of.items()
            ]
            log("\t".join([f"[{epoch}]", *fields]))
            return False

    found: list[Any] = [Log()]
    rounds = settings.get("early_stopping_rounds")
    if rounds and validation:
        linear = settings.get("booster") == "gblinear"  # its rounds cannot be taken back
        found.append(xgboost.callback.EarlyStopping(rounds=rounds, data_name="validation", save_best=not linear))
    return found


def write_archive(target: Path, raw: bytes) -> None:
    """model.tar.gz with one file; the same model gives the same bytes. It gets its name only when it is complete."""
    import io

    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    entry = tarfile.TarInfo(MODEL)
    entry.size, entry.mode = len(raw), 0o644
    try:
        with (
            partial.open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
        ):
            archive.addfile(entry, io.BytesIO(raw))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


# The program


def parser() -> argparse.ArgumentParser:
    """Options for data and output, and one a hyperparameter, derived from their table."""
    found = argparse.ArgumentParser(
        prog="nacre train xgboost",
        description="Train XGBoost as SageMaker's container does; writes model.tar.gz.",
        epilog="With --script FILE a script of yours trains instead: see `nacre train script --help`.",
    )
    found.add_argument("--train", help="CSV (label first, no header) or Parquet: a file or a folder")
    found.add_argument("--validation", help="data for the metrics and for early stopping")
    found.add_argument("--output", help="folder for model.tar.gz")
    found.add_argument("--label", help="label column of Parquet data (default: label, else the first of numbers)")
    found.add_argument("--features", default="features", help="vector column of Parquet data (default %(default)s)")
    group = found.add_argument_group("hyperparameters", "SageMaker's; what is not given is AWS's Abalone sample's")
    for name, known in HYPERPARAMETERS.items():
        if name[0] != "_":
            default = f" (default {ABALONE[name]})" if name in ABALONE else ""
            group.add_argument(f"--{name.replace('_', '-')}", metavar="V", help=known.expected() + default)
    return found


def main(argv: Sequence[str]) -> int:
    """`nacre train xgboost`. Without --train: channels, hyperparameters and output of a SageMaker container; with a
    script (--script, or `sagemaker_program` in a container) that trains instead."""
    if script.asked_for(argv, os.environ):
        return script.train("xgboost", argv)
    arguments = parser()
    args = arguments.parse_args(argv)
    if args.train is None and args.output is None:
        return in_container(Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml"))
    if args.train is None or args.output is None:
        arguments.error("--train and --output belong together")
    given = {name: value for name in HYPERPARAMETERS if (value := getattr(args, name, None)) is not None}
    options = {"label": args.label, "features": args.features}
    trained = train(args.train, args.output, {**ABALONE, **given}, args.validation, **options)
    print(f"{trained.rounds} rounds, {trained.model}")
    return 0


def in_container(base: Path) -> int:
    """`/opt/ml`: channels under input/data, hyperparameters.json, the model to model/, a failure to output/failure."""
    try:
        channels = base / "input" / "data"
        validation = channels / "validation"
        raw, _ = fit(channels / "train", container_settings(base), validation if validation.is_dir() else None)
        (base / "model").mkdir(parents=True, exist_ok=True)
        (base / "model" / MODEL).write_bytes(raw)
    except NacreError as error:
        (base / "output").mkdir(parents=True, exist_ok=True)
        (base / "output" / "failure").write_text(str(error)[:1024])
        raise
    return 0


def container_settings(base: Path) -> dict[str, Any]:
    file = base / "input" / "config" / "hyperparameters.json"
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise SetupError("no hyperparameters", expected="a JSON object", got=str(error), file=str(file)) from None
    if not isinstance(found, dict):
        raise SetupError("no hyperparameters", expected="a JSON object", got=type(found).__name__, file=str(file))
    return found
