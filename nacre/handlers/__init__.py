"""Handlers, one a kind of container: a table from the kind to its class, imported when it is asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nacre.errors import SetupError

if TYPE_CHECKING:
    from nacre.handlers.base import Handler

KINDS: dict[str, str] = {
    "sparkml": "nacre.handlers.sparkml:SparkML",
    "xgboost": "nacre.handlers.xgboost:XGBoost",
}
"""Kind, as `nacre serve KIND` spells it -> `module:class`."""


def handler_class(kind: str) -> type[Handler]:
    """The class of a kind. Raises SetupError for a kind nobody has."""
    from importlib import import_module

    if kind not in KINDS:
        raise SetupError("no such kind of container", expected=f"one of {', '.join(KINDS)}", got=kind, fix=meant(kind))
    module, name = KINDS[kind].split(":")
    found: type[Handler] = getattr(import_module(module), name)
    return found


def kind_of_image(image: str) -> str:
    """The kind an image name stands for: ours (`nacre/sparkml`, `nacre-xgboost:1`) or AWS's
    (`…amazonaws.com/sagemaker-sparkml-serving:3.3`, `…/sagemaker-xgboost:3.0-5`). Raises SetupError."""
    repository = re.split("[:@]", image.rsplit("/", 1)[-1])[0]
    name = re.sub("^(nacre|sagemaker)-|-serving$", "", repository)
    if name not in KINDS:
        known = ", ".join(f"nacre/{kind}" for kind in KINDS)
        raise SetupError("no container of ours stands for this image", expected=known, got=image, fix=meant(name))
    return name


def meant(name: str) -> str | None:
    from difflib import get_close_matches

    close = get_close_matches(name, KINDS, n=1)
    return f"Did you mean {close[0]}?" if close else None
