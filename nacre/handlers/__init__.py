"""Handlers, one a kind of container: a table from the kind to its class, imported when it is asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from nacre.errors import SetupError

if TYPE_CHECKING:
    from nacre.handlers.base import Handler


class Kind(NamedTuple):
    """One kind of container, without importing anything of it."""

    handler: str
    """`module:class` of its Handler."""
    help: str
    extras: tuple[str, ...] = ()
    """Extras of the package that its image holds beside `serving` and `fast`."""
    images: tuple[str, ...] = ()
    """AWS's names for the same image, without registry and tag."""
    trainer: str | None = None
    """`module:main` behind `nacre train KIND`."""
    training: str = ""
    """What that does, in one line."""


KINDS: dict[str, Kind] = {
    "sparkml": Kind(
        "nacre.handlers.sparkml:SparkML",
        "Spark's feature transformers, from a bundle",
        images=("sagemaker-sparkml-serving",),
    ),
    "xgboost": Kind(
        "nacre.handlers.xgboost:XGBoost",
        "XGBoost models, scored without the library",
        extras=("xgboost",),
        images=("sagemaker-xgboost",),
        trainer="nacre.train.xgboost:main",
        training="Train as the xgboost container trains",
    ),
    "scikit-learn": Kind(
        "nacre.handlers.scikit_learn:ScikitLearn",
        "scikit-learn models, by your script or from a bundle without a pickle",
        extras=("scikit-learn",),
        images=("sagemaker-scikit-learn",),
        trainer="nacre.train.script:scikit_learn",
        training="Run a training script with scikit-learn",
    ),
    "script": Kind(
        "nacre.handlers.script:Script",
        "a script of yours: model_fn, input_fn, predict_fn, output_fn or transform_fn",
        trainer="nacre.train.script:main",
        training="Run a training script, as SageMaker runs it",
    ),
    "pytorch": Kind(
        "nacre.handlers.pytorch:PyTorch",
        "PyTorch models: TorchScript, torch.export, or your script",
        extras=("pytorch",),
        images=("pytorch-inference", "pytorch-training"),
        trainer="nacre.train.script:pytorch",
        training="Run a training script with PyTorch",
    ),
    "tensorflow": Kind(
        "nacre.handlers.tensorflow:TensorFlow",
        "TensorFlow models: SavedModel, Keras, or your script",
        extras=("tensorflow",),
        images=("tensorflow-inference", "tensorflow-training"),
        trainer="nacre.train.script:tensorflow",
        training="Run a training script with TensorFlow",
    ),
    "blazingtext": Kind(
        "nacre.handlers.blazingtext:BlazingText",
        "Text classification and word vectors, on fastText",
        extras=("blazingtext",),
        trainer="nacre.train.blazingtext:main",
        training="Train as the blazingtext container trains",
    ),
    "command": Kind(
        "nacre.handlers.command:Command",
        "a program of yours that answers /ping and /invocations, in any language",
    ),
    "postprocess": Kind(
        "nacre.handlers.postprocess:Postprocess",
        "rules, labels, joins and checks after a model, from one YAML",
    ),
}
"""Kinds as `nacre serve KIND` spells them. The CLI, its help, image names and image folders are derived from here."""


def handler_class(kind: str) -> type[Handler]:
    """The class of a kind. Raises SetupError for a kind nobody has."""
    from importlib import import_module

    if kind not in KINDS:
        raise SetupError("no such kind of container", expected=f"one of {', '.join(KINDS)}", got=kind, fix=meant(kind))
    module, name = KINDS[kind].handler.split(":")
    found: type[Handler] = getattr(import_module(module), name)
    return found


def kind_of_image(image: str) -> str:
    """The kind an image name stands for: ours (`nacre/sparkml`, `nacre-xgboost:1`) or AWS's
    (`…amazonaws.com/sagemaker-sparkml-serving:3.3`, `…/sagemaker-xgboost:3.0-5`). Raises SetupError."""
    repository = re.split("[:@]", image.rsplit("/", 1)[-1])[0]
    for kind, known in KINDS.items():
        if repository in (kind, f"nacre-{kind}", *known.images):
            return kind
    known_images = ", ".join(f"nacre/{kind}" for kind in KINDS)
    fix = meant(re.sub("^(nacre|sagemaker)-|-(serving|inference|training)$", "", repository))
    raise SetupError("no container of ours stands for this image", expected=known_images, got=image, fix=fix)


def meant(name: str) -> str | None:
    from difflib import get_close_matches

    close = get_close_matches(name, KINDS, n=1)
    return f"Did you mean {close[0]}?" if close else None
