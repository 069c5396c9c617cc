"""Hyperparameters of SageMaker's BlazingText: names, ranges, defaults, and what fastText gets of them.

The one table below is the whole truth: validation, the options of the training job and its help are derived from it.
Names, ranges and defaults are those of AWS's guide; `seed` and `threads` are ours.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import SetupError
from nacre.train.hyperparameters import Hyperparameter, choice, number, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SUPERVISED = "supervised"
VECTORS = ("batch_skipgram", "skipgram", "cbow")
MODES = (SUPERVISED, *VECTORS)
FASTTEXT_MODEL = {"batch_skipgram": "skipgram"}
"""fastText knows no batches with shared negative samples: the same objective, trained word by word."""
TRUTH = choice("True", "False", "true", "false")


class Known(NamedTuple):
    """One name: what values it takes, its default, and in which modes it means something."""

    values: Hyperparameter
    default: Any
    modes: tuple[str, ...] = MODES
    fasttext: str | None = None
    """fastText's name for it; None: read here."""


HYPERPARAMETERS: dict[str, Known] = {
    "mode": Known(choice(*MODES), None),
    "epochs": Known(whole(1), 5, fasttext="epoch"),
    "learning_rate": Known(number(0, above=True), 0.05, fasttext="lr"),
    "vector_dim": Known(whole(1), 100, fasttext="dim"),
    "min_count": Known(whole(0), 5, fasttext="minCount"),
    "buckets": Known(whole(1, 2**31 - 1), 2_000_000, fasttext="bucket"),
    "word_ngrams": Known(whole(1), 2, (SUPERVISED,), "wordNgrams"),
    "early_stopping": Known(TRUTH, False, (SUPERVISED,)),
    "min_epochs": Known(whole(1), 5, (SUPERVISED,)),
    "patience": Known(whole(1), 4, (SUPERVISED,)),
    "window_size": Known(whole(1), 5, VECTORS, "ws"),
    "negative_samples": Known(whole(1), 5, VECTORS, "neg"),
    "sampling_threshold": Known(number(0, 1, above=True), 0.0001, VECTORS, "t"),
    "subwords": Known(TRUTH, False, VECTORS),
    "min_char": Known(whole(1, 64), 3, VECTORS),
    "max_char": Known(whole(1, 64), 6, VECTORS),
    "evaluation": Known(TRUTH, True, VECTORS),
    "batch_size": Known(whole(1), 11, ("batch_skipgram",)),
    "seed": Known(whole(0, 2**31 - 1), 0, fasttext="seed"),
    "threads": Known(whole(1), None, fasttext="thread"),
}
IGNORED = ("_tuning_objective_metric",)
"""What SageMaker itself adds."""


def validated(given: Mapping[str, Any], log: Callable[[str], object] = print) -> dict[str, Any]:
    """All hyperparameters of the given mode, defaults filled in. Raises SetupError.

    What means nothing in that mode is left out, and `log` is told so.
    """
    from difflib import get_close_matches

    for name in given:
        if name not in HYPERPARAMETERS and name not in IGNORED:
            close = get_close_matches(name, HYPERPARAMETERS, 1)
            fix = f"Did you mean {close[0]}?" if close else None
            raise SetupError(f"Extraneous hyperparameter found: {name}", fix=fix)
    parsed = {name: parse(name, value) for name, value in given.items() if name in HYPERPARAMETERS}
    if "mode" not in parsed:
        raise SetupError("Missing required hyperparameter: mode", expected=HYPERPARAMETERS["mode"].values.expected())
    mode = parsed["mode"]
    for name in [name for name in parsed if mode not in HYPERPARAMETERS[name].modes]:
        log(f"The hyperparameter {name} means nothing in mode {mode}: left out")
        del parsed[name]
    defaults = {name: known.default for name, known in HYPERPARAMETERS.items() if mode in known.modes}
    found = defaults | {"threads": os.cpu_count() or 1} | parsed
    if mode != SUPERVISED and found["min_char"] > found["max_char"]:
        raise SetupError("min_char is above max_char", expected=f"up to {found['max_char']}", got=found["min_char"])
    return found


def parse(name: str, value: Any) -> Any:
    known = HYPERPARAMETERS[name].values
    try:
        found = known.parse(value)
    except (ValueError, TypeError):
        raise SetupError(f"Hyperparameter {name} is out of range", expected=known.expected(), got=value) from None
    return found in ("True", "true") if known is TRUTH else found


def fasttext_arguments(found: Mapping[str, Any]) -> dict[str, Any]:
    """What fastText gets of validated hyperparameters."""
    passed = {HYPERPARAMETERS[name].fasttext: value for name, value in found.items() if HYPERPARAMETERS[name].fasttext}
    mode = found["mode"]
    grams = (found["min_char"], found["max_char"]) if found.get("subwords") else (0, 0)
    passed |= {"minn": grams[0], "maxn": grams[1]}
    if mode != SUPERVISED:
        passed["model"] = FASTTEXT_MODEL.get(mode, mode)
    return {str(name): value for name, value in passed.items()}
