"""A fitted PySpark model to a bundle: `nacre.spark.save`."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.errors import SetupError
from nacre.plan.sparkschema import VECTOR_CLASS
from nacre.spark.convert import convert
from nacre.spark.sparkerrors import is_sparks, root_cause

if TYPE_CHECKING:
    import os


def save(
    model: Any,
    out: str | os.PathLike[str],
    sample: Any,
    staging: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    format: str = "json",  # noqa: A002 - the word that bundle.json uses
) -> Path:
    """Write a fitted PySpark model (classic or Spark Connect) as a bundle.

    Args:
        model: a fitted transformer, usually a PipelineModel.
        out: ``.zip``, ``.tar.gz``, or a directory on this machine.
        sample: a DataFrame, raw or already transformed by the model; its schema tells column types and vector sizes,
            and at most one of its rows is read.
        staging: a folder on a file system that this machine and the whole Spark session share, where Spark saves the
            model first. Not needed on a ``local`` master. Elsewhere it must be given: a path local to the driver would
            be written to the workers' disks.
        overwrite: replace `out` if it exists.
        format: "json" or "protobuf"; MLeap reads both.
    """
    schema = _schema(model, sample)
    with _Staging(sample, staging) as folder:
        model.write().overwrite().save(folder.as_uri() if folder.is_absolute() else str(folder))
        return convert(folder, out, schema, overwrite, format)


def _schema(model: Any, sample: Any) -> dict[str, Any]:
    """Spark's schema JSON of the transformed sample, with the sizes of raw vectors filled in from its first row."""
    made = _outputs(model)
    frame = sample if made and made <= set(sample.columns) else _transformed(model, sample)
    schema: dict[str, Any] = json.loads(frame.schema.json())
    unsized = [
        field
        for field in schema["fields"]
        if isinstance(field["type"], dict)
        and field["type"].get("class") == VECTOR_CLASS
        and "ml_attr" not in (field.get("metadata") or {})
        and field["name"] in sample.columns
    ]
    if unsized:
        first = sample.select(*[field["name"] for field in unsized]).first()
        for field in unsized if first is not None else []:
            if first[field["name"]] is not None:
                field["metadata"] = {"ml_attr": {"num_attrs": int(first[field["name"]].size)}}
    return schema


def _transformed(model: Any, sample: Any) -> Any:
    try:
        return model.transform(sample)
    except Exception as error:
        if is_sparks(error):
            raise SetupError(
                "Spark cannot transform the sample", expected="rows as the model was fitted on", got=root_cause(error)
            ) from error
        raise


def _outputs(model: Any) -> set[str]:
    """Names of the columns that the model's last stages make, as far as their params tell."""
    if isinstance(getattr(model, "stages", None), list):
        return {name for stage in model.stages for name in _outputs(stage)}
    names: set[str] = set()
    for stage in [model]:
        for param in ("outputCol", "predictionCol"):
            if hasattr(stage, param) and stage.isDefined(param):
                names.add(stage.getOrDefault(param))
        if hasattr(stage, "outputCols") and stage.isSet("outputCols"):
            names |= set(stage.getOrDefault("outputCols"))
            names -= (
                {stage.getOrDefault("outputCol")}
                if stage.hasParam("outputCol") and not stage.isSet("outputCol")
                else set()
            )
    return names


class _Staging:
    """A fresh folder where Spark saves the model, gone afterwards."""

    def __init__(self, sample: Any, staging: str | os.PathLike[str] | None):
        if staging is None and not _is_local(sample):
            raise SetupError(
                "a staging folder is needed",
                expected="staging=, on a file system the Spark session shares with this machine",
                got="a session that is not local",
                fix="Pass staging='/shared/folder'",
            )
        self.parent = Path(staging).absolute() if staging is not None else Path(tempfile.gettempdir())

    def __enter__(self) -> Path:
        self.parent.mkdir(parents=True, exist_ok=True)
        self.folder = self.parent / f"nacre-{uuid.uuid4().hex}"
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_local(sample: Any) -> bool:
    """Whether driver and executors share this machine's disks. A Connect session has no SparkContext to ask."""
    context = getattr(sample.sparkSession, "_sc", None)
    return context is not None and str(context.master).startswith("local")
