"""Train XGBoost as SageMaker's container trains in algorithm mode, and pack the model as it packs it.

The library runs in this process, reading through Arrow; it is imported on training only.
"""

from __future__ import annotations

import argparse
import gzip
import os
import signal
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import NacreError, SetupError
from nacre.handlers.base import as_aws
from nacre.store import local_path
from nacre.train import script
from nacre.train.boosting import MODEL, Boosted, Job, boosted
from nacre.train.channels import TRAIN, VALIDATION, Channel, channels, checkpoint_folder
from nacre.train.checkpoints import StoppedError, replace
from nacre.train.environment import Folders, read_json
from nacre.train.hyperparameters import ABALONE, HYPERPARAMETERS, validated
from nacre.train.rows import data_files, one_kind, read
from nacre.train.sparse import libsvm_base, widened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nacre.train.table import Rows

__all__ = ["MODEL", "Trained", "fit", "main", "parser", "train"]


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
    checkpoints: str | Path | None = None,
) -> Trained:
    """Train on a file or folder of CSV, libsvm, Parquet or recordio-protobuf, and write `output`/model.tar.gz.

    `hyperparameters` are SageMaker's, as numbers or text. `log` gets one line a round,
    ``[n]\\ttrain-rmse:v\\tvalidation-rmse:v``. Raises SetupError, RequestError, SchemaError or RowError; nothing is
    left under the final name then. Rounds found in `checkpoints` are not trained again.
    """
    kept = None if checkpoints is None else local_path(str(checkpoints))
    done = fit(train_path, hyperparameters, validation, label=label, features=features, log=log, checkpoints=kept)
    target = local_path(str(output)) / "model.tar.gz"
    write_archive(target, done.models)
    for name, text in done.files.items():
        replace(target.with_name(name), text.encode())
    return Trained(target, done.rounds, done.metrics)


def fit(
    train_path: str | Path | Channel,
    hyperparameters: Mapping[str, Any],
    validation: str | Path | Channel | None,
    *,
    label: str | None = None,
    features: str = "features",
    **job: Any,
) -> Boosted:
    """The models and what to report of them; `job` are further fields of a Job."""
    settings = validated(hyperparameters)
    given = {"train": train_path} | ({} if validation is None else {"validation": validation})
    sources = {
        name: each if isinstance(each, Channel) else Channel(local_path(str(each)), None)
        for name, each in given.items()
    }
    known = Job(settings, **job)
    base = "0" if known.compat else "auto"  # the container trains on libsvm counted from 0, whatever it serves
    return boosted(known, read_all(sources, settings, label, features, base))


def read_all(
    sources: Mapping[str, Channel], settings: Mapping[str, Any], label: str | None, features: str, base: str
) -> dict[str, Rows]:
    """The rows of each channel, all of one width; csv_weights counts for training data only, as in the container."""
    data: dict[str, Rows] = {}
    for name, (path, told) in sources.items():
        weights = name == "train" and bool(settings.get("csv_weights"))
        kind = told or one_kind(data_files(path), path)
        if kind == "libsvm" and base == "auto":  # validation data may lack the first feature
            base = libsvm_base(data_files(path))
        data[name] = read(path, kind=kind, weights=weights, label=label, features=features, base=base)
    if "validation" in data:
        check_width(data, str(sources["validation"].path))
    return data


def check_width(data: dict[str, Rows], path: str) -> None:
    """Sparse data of another width are widened: what no row names is missing."""
    rows, other = data["train"], data["validation"]
    expected, got = rows.features.shape[1], other.features.shape[1]
    if expected == got:
        return
    if isinstance(rows.features, np.ndarray) or isinstance(other.features, np.ndarray):
        raise SetupError("validation data of another width", expected=f"{expected} features", got=got, file=path)
    for each in (rows, other):
        widened(each.features, max(expected, got))


def write_archive(target: Path, models: Mapping[str, bytes]) -> None:
    """model.tar.gz with a file a model; the same models give the same bytes. It gets its name only when it is
    complete."""
    import io

    packed = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", fileobj=packed, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, raw in models.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(raw), 0o644
            archive.addfile(entry, io.BytesIO(raw))
    replace(target, packed.getvalue())


# The program


def parser() -> argparse.ArgumentParser:
    """Options for data and output, and one a hyperparameter, derived from their table."""
    found = argparse.ArgumentParser(
        prog="nacre train xgboost",
        description="Train XGBoost as SageMaker's container does; writes model.tar.gz.",
        epilog="With --script FILE a script of yours trains instead: see `nacre train script --help`.",
    )
    found.add_argument("--train", help="CSV (label first, no header), libsvm, Parquet or recordio-protobuf")
    found.add_argument("--validation", help="data for the metrics and for early stopping")
    found.add_argument("--output", help="folder for model.tar.gz")
    found.add_argument("--checkpoints", help="folder for the newest rounds; training goes on from what is there")
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
    options = {"label": args.label, "features": args.features, "checkpoints": args.checkpoints}
    trained = train(args.train, args.output, {**ABALONE, **given}, args.validation, **options)
    print(f"{trained.rounds} rounds, {trained.model}")
    return 0


def in_container(base: Path) -> int:
    """`/opt/ml`: channels under input/data, hyperparameters.json, the models to model/, a failure to output/failure.

    With save_model_on_termination the model is in place after every round, and SIGTERM ends the job as done.
    """
    where = Folders(base)
    try:
        settings = container_settings(base)
        compat = as_aws(os.environ)
        found = channels(where.data, where.config, compat)
        keep = where.model if settings.get("save_model_on_termination") == "true" else None
        with stopped_by_signal(keep is not None):
            done = fit(
                found[TRAIN],
                settings,
                found.get(VALIDATION),
                checkpoints=checkpoint_folder(where.config, where.checkpoints),
                keep=keep,
                compat=compat,
            )
        for name, raw in done.models.items():
            replace(where.model / name, raw)
        for name, text in done.files.items():
            replace(where.output_data / name, text.encode())
    except StoppedError:
        print("stopped: the model of the last round is in place", flush=True)
    except Exception as error:
        where.output.mkdir(parents=True, exist_ok=True)
        text = str(error) if isinstance(error, NacreError) else f"AlgorithmError: {type(error).__name__}: {error}"
        (where.output / "failure").write_text(text[:1024])
        raise
    return 0


@contextmanager
def stopped_by_signal(wanted: bool) -> Iterator[None]:
    """SIGTERM raises StoppedError inside, if wanted."""
    if not wanted:
        yield
        return

    def stop(*_: object) -> None:
        raise StoppedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def container_settings(base: Path) -> dict[str, Any]:
    """The job's hyperparameters. Raises SetupError."""
    return read_json(Folders(base).config / "hyperparameters.json")
