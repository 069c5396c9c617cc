"""The spelling of the `mleap` package without its jars: for code that writes and reads bundles that way already.

After ``nacre.spark.patch()`` these work, whether or not the `mleap` package is installed::

    from mleap.pyspark.spark_support import SimpleSparkSerializer
    model.serializeToBundle("jar:file:/tmp/model.zip", model.transform(frame))
    again = PipelineModel.deserializeFromBundle("jar:file:/tmp/model.zip")
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from nacre.errors import SetupError
from nacre.spark.convert import convert
from nacre.spark.save import Staging, save

MODULES = ("mleap", "mleap.pyspark", "mleap.pyspark.spark_support")


class SimpleSparkSerializer:
    """mleap's class of that name: writes fitted transformers as bundles, and reads bundles as transformers."""

    def serializeToBundle(self, transformer: Any, path: str, dataset: Any = None) -> None:  # noqa: N802
        """Write `transformer` to a URI, ``jar:file:/x.zip`` or ``file:/folder``.

        `dataset` is a frame, raw or transformed; without one the sizes of raw vectors must be derivable.
        """
        place = local_path(path)
        if dataset is not None:
            save(transformer, place, dataset)
            return
        with Staging(_session()).saved(transformer) as folder:
            convert(folder, place)

    def deserializeFromBundle(self, path: str) -> Any:  # noqa: N802
        """A transformer that scores frames with the bundle at a URI."""
        from nacre.spark.scoring import BundleTransformer

        return BundleTransformer(local_path(path))


def _session() -> Any:
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession()


def local_path(uri: str) -> Path:
    """``jar:file:/x.zip``, ``file:///x`` and plain paths, as a path of this machine. Raises SetupError on others."""
    text = str(uri).removeprefix("jar:")
    scheme, colon, rest = text.partition(":")
    if colon and scheme != "file" and len(scheme) > 1:
        raise SetupError(
            "a bundle at a place that is not on this machine", expected="jar:file:/x.zip or file:/folder", got=str(uri),
            fix="Write to a file and copy it there",
        )  # fmt: skip
    path = unquote(rest) if scheme == "file" and colon else text
    return Path("/" + path.lstrip("/")) if path.startswith("//") else Path(path)


def patch() -> None:
    """Give PySpark's transformers mleap's two methods, and mleap's own module our serializer."""
    from pyspark.ml.base import Transformer

    serializer = SimpleSparkSerializer()
    module = _mleap_module()
    module.SimpleSparkSerializer = SimpleSparkSerializer  # type: ignore[attr-defined]
    Transformer.serializeToBundle = serialize_to_bundle
    Transformer.deserializeFromBundle = staticmethod(serializer.deserializeFromBundle)


def serialize_to_bundle(self: Any, path: str, dataset: Any = None) -> None:
    """Write this fitted transformer as a bundle, as mleap spells it: ``model.serializeToBundle(uri, frame)``."""
    SimpleSparkSerializer().serializeToBundle(self, path, dataset)


def _mleap_module() -> ModuleType:
    """mleap's `spark_support`; imported before it is patched, since its import sets the very same methods. A stand-in
    under that name where the package is not installed."""
    if not _STAND_INS and importlib.util.find_spec("mleap") is not None:
        return importlib.import_module(MODULES[-1])
    for name in MODULES:
        made = sys.modules.setdefault(name, ModuleType(name, "Stand-in made by nacre.spark.patch"))
        made.__dict__.setdefault("__path__", [])
        _STAND_INS[name] = made
    return _STAND_INS[MODULES[-1]]


_STAND_INS: dict[str, ModuleType] = {}
