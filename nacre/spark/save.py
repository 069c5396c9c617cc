"""A fitted PySpark model to a bundle: `nacre.spark.save`."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.bundle.writer import write
from nacre.errors import SetupError
from nacre.plan.model import Model
from nacre.proof import NOTE
from nacre.spark.convert import to_bundle
from nacre.spark.official import check_writer, save_official, serializer
from nacre.spark.sample import Sample
from nacre.spark.target import check_target

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
    target: str | None = None,
    writer: str = "nacre",
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
        target: "mleap-0.20" for a bundle that MLeap 0.20 has to load; see `convert`.
        writer: "mleap" lets MLeap's own writer write, whose jar the session must have. It keeps less: see
            `docs/bundles.md`.
    """
    check_target(target)
    check_writer(writer, target)
    if writer == "mleap":
        serializer(sample.sparkSession)  # before any job runs
        return save_official(Path(out), Sample(model, sample, proof), overwrite, format)
    place = Staging(sample.sparkSession, staging)
    known = Sample(model, sample, proof)
    schema = known.schema()
    with place.saved(model) as folder:
        bundle = to_bundle(folder, schema, target, format)
    told = known.proof(Model(bundle), schema)
    if told is not None:
        bundle.notes[NOTE] = told.encode()
    return write(bundle, out, overwrite, format)


class Staging:
    """A fresh folder where Spark saves a model, gone afterwards. Raises SetupError where one must be named."""

    def __init__(self, session: Any, staging: str | os.PathLike[str] | None = None):
        if staging is None and not _is_local(session):
            raise SetupError(
                "a staging folder is needed",
                expected="staging=, on a file system the Spark session shares with this machine",
                got="a session that is not local",
                fix="Pass staging='/shared/folder'",
            )
        self.parent = Path(staging).absolute() if staging is not None else Path(tempfile.gettempdir())

    @contextmanager
    def saved(self, model: Any) -> Iterator[Path]:
        """The folder of the saved model."""
        self.parent.mkdir(parents=True, exist_ok=True)
        folder = self.parent / f"nacre-{uuid.uuid4().hex}"
        try:
            model.write().overwrite().save(folder.as_uri())
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _is_local(session: Any) -> bool:
    """Whether driver and executors share this machine's disks. A Connect session has no SparkContext to ask."""
    context = getattr(session, "_sc", None)
    return context is not None and str(context.master).startswith("local")
