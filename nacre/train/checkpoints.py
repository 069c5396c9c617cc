"""The booster after each round, on disk: checkpoints to go on from, and a model in place if the job is stopped.

Names are those of SageMaker's container: `xgboost-checkpoint.<round>`, the newest five.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from nacre.booster import load
from nacre.errors import ModelError, SetupError

NAME = "xgboost-checkpoint"
KEPT = 5
_NAMED = re.compile(rf"{NAME}\.(\d+)")


class StoppedError(Exception):
    """SIGTERM came while training."""


def rounds_in(folder: Path) -> dict[int, Path]:
    """Round (from 0) -> its checkpoint, oldest first."""
    if not folder.is_dir():
        return {}
    found = {int(named[1]): path for path in folder.iterdir() if (named := _NAMED.fullmatch(path.name))}
    return dict(sorted(found.items()))


def newest(xgboost: Any, folder: Path | None) -> tuple[Any, int]:
    """The booster to go on with and how many rounds it has; None and 0 for none. A checkpoint that cannot be read is
    passed over for the one before. Raises SetupError if none can."""
    found = rounds_in(folder) if folder else {}
    for number in reversed(found):
        try:
            load(found[number], {})  # the library ends the process on a file that is cut off
        except (ModelError, OSError):
            continue
        booster = xgboost.Booster()
        booster.load_model(bytearray(found[number].read_bytes()))
        return booster, number + 1
    if found:
        fix = "Empty the folder to train from the start"
        raise SetupError("no checkpoint can be read", expected="a booster", got=", ".join(
            path.name for path in found.values()
        ), file=str(folder), fix=fix)  # fmt: skip
    return None, 0


def replace(target: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def saver(xgboost: Any, folder: Path | None, model: Path | None, start: int) -> Any:
    """A callback that writes a checkpoint, and the model itself, after each round; None for neither. The
    first round of this run is number `start`."""
    if folder is None and model is None:
        return None

    class Save(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, trained: Any, epoch: int, evals_log: Any) -> bool:
            raw = bytes(trained.save_raw("ubj"))
            if folder is not None:
                replace(folder / f"{NAME}.{start + epoch}", raw)
                for old in list(rounds_in(folder).values())[:-KEPT]:
                    old.unlink(missing_ok=True)
            if model is not None:
                replace(model, raw)
            return False

    return Save()
