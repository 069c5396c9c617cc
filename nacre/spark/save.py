"""A fitted PySpark model to a bundle: `nacre.spark.save`."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.bundle.writer import write
from nacre.errors import SetupError
from nacre.plan.model import Model
from nacre.proof import NOTE
from nacre.spark.convert import to_bundle
from nacre.spark.sample import Sample

if TYPE_CHECKING:
    import os


def save(
    model: Any,
    out: str | os.PathLike[str],
    sample: Any,
    staging: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    format: str = "json",  # noqa: A002 - the word that bundle.json uses
    proof: int = 20,
) -> Path:
    """Write a fitted PySpark model (classic or Spark Connect) as a bundle.

    Args:
        model: a fitted transformer, usually a PipelineModel.
        out: ``.zip``, ``.tar.gz``, or a directory on this machine.
        sample: a DataFrame, raw or already transformed by the model; its schema tells column types and vector sizes.
        staging: a folder on a file system that this machine and the whole Spark session share, where Spark saves the
            model first. Not needed on a ``local`` master. Elsewhere it must be given: a path local to the driver would
            be written to the workers' disks.
        overwrite: replace `out` if it exists.
        format: "json" or "protobuf"; MLeap reads both.
        proof: how many rows of the sample go into the bundle, with what Spark makes of them, for `nacre verify` to
            score again. They are data: 0 leaves them out.
    """
    place = _Staging(sample, staging)
    known = Sample(model, sample, proof)
    schema = known.schema()
    with place as folder:
        model.write().overwrite().save(folder.as_uri() if folder.is_absolute() else str(folder))
        bundle = to_bundle(folder, schema)
    told = known.proof(Model(bundle), schema)
    if told is not None:
        bundle.notes[NOTE] = told.encode()
    return write(bundle, out, overwrite, format)


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
