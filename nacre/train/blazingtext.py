"""Train as SageMaker's BlazingText trains, on fastText: text classification, and vectors of words.

fastText runs in a process of its own (`fasttext_process.py` says why). What it cannot do is told in the log:
`batch_skipgram` is trained as skipgram, and early stopping trains anew for every number of epochs, because fastText
cannot stop on the way.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import NacreError, SetupError
from nacre.store import local_path
from nacre.train import fasttext_process
from nacre.train.archive import write_folder
from nacre.train.blazingtext_settings import FASTTEXT_MODEL, HYPERPARAMETERS, SUPERVISED, fasttext_arguments, validated
from nacre.train.texts import write_lines
from nacre.train.wordpairs import evaluate
from nacre.train.xgboost import container_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Log = Callable[[str], object]

CLASSIFIER, VECTORS, VECTORS_TEXT, EVALUATION = "model.bin", "vectors.bin", "vectors.txt", "eval.json"
CLEARED = {"MALLOC_PERTURB_": "255"}
"""glibc fills what it allocates with the complement of this byte: zeros."""


class Trained(NamedTuple):
    """What came out: the values of the metrics, and of how many epochs the kept model is."""

    metrics: dict[str, float]
    epochs: int


class Data(NamedTuple):
    """The channels: files or folders."""

    train: Path
    validation: Path | None = None
    pairs: Path | None = None


def train(data: Data, folder: Path, hyperparameters: Mapping[str, Any], log: Log = print) -> Trained:
    """Train on `data` and write the model's files into `folder`.

    `log` gets BlazingText's lines, among them `#train_accuracy:`, `#validation_accuracy:` and `#mean_rho:`. Raises
    SetupError, RequestError or RowError.
    """
    settings = validated(hyperparameters, log)
    if importlib.util.find_spec("fasttext") is None:
        raise SetupError("the package fasttext-numpy2 is not installed", fix="pip install 'nacre[blazingtext]'")
    supervised = settings["mode"] == SUPERVISED
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="nacre-") as scratch:
        files = {"train": Path(scratch, "train.txt")}
        count = write_lines(data.train, files["train"], labelled=supervised)
        log(f"Number of sentences: {count}")
        if supervised and data.validation is not None:
            files["validation"] = Path(scratch, "validation.txt")
            write_lines(data.validation, files["validation"], labelled=True)
        log(f"Using {settings['threads']} threads")
        if supervised:
            return classifier(settings, files, folder, log)
        return word_vectors(settings, files, data.pairs, folder, log)


def classifier(settings: Mapping[str, Any], files: Mapping[str, Path], folder: Path, log: Log) -> Trained:
    """model.bin, and the share of examples whose first label is one of theirs."""
    partial = folder / f".{CLASSIFIER}.partial"
    task = {"arguments": fasttext_arguments(settings), "output": str(partial)}
    if settings["early_stopping"]:
        epochs, told, seconds = best_of(settings, task, files, log)
    else:
        epochs, told = settings["epochs"], run_fasttext(task, files)
        seconds = told["seconds"]
        partial.replace(folder / CLASSIFIER)
    finished(seconds, log)
    for name, (examples, share) in told["accuracy"].items():
        log(f"\n#{name}_accuracy: {share:.4f}\nNumber of {name} examples: {examples}")
    return Trained({f"{name}:accuracy": share for name, (_, share) in told["accuracy"].items()}, epochs)


def best_of(
    settings: Mapping[str, Any], task: dict[str, Any], files: Mapping[str, Path], log: Log
) -> tuple[int, dict[str, Any], float]:
    """From min_epochs on, the epochs with the best accuracy on validation data, what came of them, and the seconds of
    all; stops where `patience` numbers of epochs brought nothing."""
    if "validation" not in files:
        raise SetupError("early_stopping needs the channel validation", expected="validation data", got="none")
    partial = Path(task["output"])
    best, kept, told, seconds = -1.0, 0, {}, 0.0
    for epochs in range(min(settings["min_epochs"], settings["epochs"]), settings["epochs"] + 1):
        came = run_fasttext({**task, "arguments": {**task["arguments"], "epoch": epochs}}, files)
        seconds += came["seconds"]
        reached = came["accuracy"]["validation"][1]
        log(f"-------------- End of epoch: {epochs}\nValidation accuracy: {reached:.6f}")
        if reached > best:
            log("Validation accuracy improved! Storing best weights...")
            partial.replace(partial.with_name(CLASSIFIER))
            best, kept, told = reached, epochs, came
            continue
        partial.unlink()
        if epochs - kept == settings["patience"]:
            log(f"Validation accuracy has not improved for {epochs - kept} epochs: stopped")
            break
    return kept, told, seconds


def word_vectors(
    settings: Mapping[str, Any], files: Mapping[str, Path], pairs: Path | None, folder: Path, log: Log
) -> Trained:
    """vectors.bin, vectors.txt and, where there are pairs of words to compare with, eval.json."""
    mode = settings["mode"]
    if mode in FASTTEXT_MODEL:
        log(f"{mode} is trained as {FASTTEXT_MODEL[mode]}: fastText shares no negative samples in batches")
    task = {"arguments": fasttext_arguments(settings), "output": str(folder / VECTORS)}
    told = run_fasttext({**task, "vectors": str(folder / VECTORS_TEXT)}, files, tested=False)
    finished(told["seconds"], log)
    log(f"Vocabulary size: {told['words']}")
    found: dict[str, Any] = {"mean_rho": None}
    if settings["evaluation"] and pairs is None:
        log("No evaluation: no channel pairs with pairs of words (WordSim-353 or your own)")
    elif settings["evaluation"] and pairs is not None:
        found = evaluate(pairs, folder / VECTORS_TEXT)
        text = json.dumps(found, indent=4, sort_keys=True)
        (folder / EVALUATION).write_text(f"{text}\n")
        log(f"Evaluating word embeddings....\n{text}\n#mean_rho: {found['mean_rho']}")
    rho = found["mean_rho"]
    return Trained({} if rho is None else {"train:mean_rho": rho}, settings["epochs"])


def finished(seconds: float, log: Log) -> None:
    log(f"Training finished!\nTotal training time in seconds: {seconds:.2f}")


FIXES = {
    "Empty vocabulary": "Lower min_count, or train on more text",
    "Encountered NaN": "Lower learning_rate",
}


def run_fasttext(task: dict[str, Any], files: Mapping[str, Path], tested: bool = True) -> dict[str, Any]:
    """One training, tested on all files. Raises SetupError with fastText's reason."""
    task = {**task, "input": str(files["train"])}
    if tested:
        task["test"] = {name: str(path) for name, path in files.items()}
    program = fasttext_process.__file__
    # -P: the folder of that file is no place to import from
    ran = subprocess.run(
        [sys.executable, "-P", program],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        env=os.environ | CLEARED,
        check=False,
    )
    try:
        told: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = ran.stderr.strip().splitlines()[-1:] or [f"exit code {ran.returncode}"]
        raise SetupError("fastText ended without a model", got=last[0]) from None
    if "error" in told:
        reason = told["error"]
        fix = next((fix for words, fix in FIXES.items() if words in reason), None)
        raise SetupError("fastText refuses to train", got=reason, fix=fix)
    return told


# The program


def parser() -> argparse.ArgumentParser:
    """Options for data and output, and one a hyperparameter, derived from their table."""
    found = argparse.ArgumentParser(
        prog="nacre train blazingtext",
        description="Train text classification or word vectors as BlazingText does; writes model.tar.gz.",
    )
    found.add_argument("--train", help="sentences, a line each, or JSON Lines: a file or a folder")
    found.add_argument("--validation", help="labelled sentences for the accuracy and for early stopping")
    found.add_argument("--pairs", help="two words and a score a line, such as WordSim-353")
    found.add_argument("--output", help="folder for model.tar.gz")
    group = found.add_argument_group("hyperparameters", "BlazingText's; seed and threads are Nacre's")
    for name, known in HYPERPARAMETERS.items():
        modes = "" if len(known.modes) > 3 else f"; {', '.join(known.modes)}"
        default = "" if known.default is None else f" (default {known.default})"
        text = "True or False" if known.values.choices[:2] == ("True", "False") else known.values.expected()
        group.add_argument(f"--{name.replace('_', '-')}", metavar="V", help=text + default + modes)
    return found


def main(argv: Sequence[str]) -> int:
    """`nacre train blazingtext`. Without --train: channels, hyperparameters and output of a SageMaker container."""
    arguments = parser()
    args = arguments.parse_args(argv)
    if args.train is None and args.output is None:
        return in_container(Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml"))
    if args.train is None or args.output is None:
        arguments.error("--train and --output belong together")
    given = {name: value for name in HYPERPARAMETERS if (value := getattr(args, name)) is not None}
    others = [None if path is None else local_path(path) for path in (args.validation, args.pairs)]
    data = Data(local_path(args.train), *others)
    target = local_path(args.output) / "model.tar.gz"
    with TemporaryDirectory(prefix="nacre-") as scratch:
        trained = train(data, Path(scratch), given)
        write_folder(target, Path(scratch))
    print(f"{trained.epochs} epochs, {target}")
    return 0


def in_container(base: Path) -> int:
    """`/opt/ml`: channels under input/data, hyperparameters.json, the model to model/, a failure to output/failure."""
    channels = base / "input" / "data"
    try:
        others = [channels / name if (channels / name).is_dir() else None for name in ("validation", "pairs")]
        train(Data(channels / "train", *others), base / "model", container_settings(base))
    except NacreError as error:
        (base / "output").mkdir(parents=True, exist_ok=True)
        (base / "output" / "failure").write_text(str(error)[:1024])
        raise
    return 0
