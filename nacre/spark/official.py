"""MLeap's own writer, where its jar is: `nacre.spark.save(…, writer="mleap")` and `nacre convert --writer mleap`.

The class is the one that the `mleap` package calls through py4j; it is called here without the package, whose import
would change PySpark's classes. It writes what MLeap writes: nothing that a bundle has no slot for is kept. Beside its
files, which stay as they are, stand the proof and, in the meta of `bundle.json`, the Spark that fitted the
model and the types of its columns.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.bundle.files import open_bundle
from nacre.bundle.formats import FORMATS, json_object
from nacre.bundle.jsonvalues import dump, encode
from nacre.bundle.reader import HEAD, read_files
from nacre.bundle.values import pack
from nacre.bundle.writer import write_files
from nacre.errors import SetupError, UnsupportedError
from nacre.plan.model import INPUT_SCHEMA, SPARK_VERSION, Model
from nacre.plan.sparkschema import from_spark_json, to_spark_json
from nacre.proof import NOTE
from nacre.spark.sparkerrors import is_sparks, root_cause

if TYPE_CHECKING:
    from nacre.spark.sample import Sample

WRITERS = ("nacre", "mleap")
PACKAGE = "ml.combust.mleap.spark"
SERIALIZER = "SimpleSparkSerializer"


def check_writer(writer: str, target: str | None = None) -> None:
    """Refuse a writer that is none, and a target that only Nacre's own writer can write for."""
    if writer not in WRITERS:
        raise SetupError("unknown writer", expected=" or ".join(WRITERS), got=writer)
    if writer == "mleap" and target is not None:
        raise SetupError(
            "MLeap's writer writes for its own version of MLeap", expected="no target", got=target,
            fix="Leave out the target, or let Nacre write: writer nacre",
        )  # fmt: skip


def serializer(session: Any) -> Any:
    """MLeap's SimpleSparkSerializer in the session's JVM. Raises SetupError where there is none, with the way out."""
    from py4j.java_gateway import JavaClass

    jvm = getattr(session, "_jvm", None)
    found: Any = jvm
    for name in (*PACKAGE.split("."), SERIALIZER) if jvm is not None else ():
        found = getattr(found, name)
    if isinstance(found, JavaClass):
        return found()
    raise SetupError(
        "MLeap's writer is not in this Spark session",
        expected=f"{PACKAGE}.{SERIALIZER}, from the jar ml.combust.mleap:mleap-spark made for Spark {session.version}",
        got="no such class" if jvm is not None else "a Spark Connect session, which has no JVM on this machine",
        fix="Start Spark with that jar (PYSPARK_SUBMIT_ARGS='--packages ml.combust.mleap:mleap-spark_2.12:VERSION "
        "pyspark-shell'), or leave out the writer: Nacre's own needs no jar",
    )


def save_official(out: Path, sample: Sample, overwrite: bool, form: str) -> Path:
    """Let MLeap write the sample's model to `out` (.zip, .tar.gz or a directory), with the proof beside its files."""
    if form not in FORMATS:
        raise SetupError("unknown bundle format", expected=" or ".join(FORMATS), got=form)
    mleap = serializer(sample.frame.sparkSession)
    with tempfile.TemporaryDirectory(prefix="nacre-") as folder:
        made = Path(folder) / "mleap.zip"
        _serialize(mleap, sample, made, form)
        with open_bundle(made) as files:
            bundle = read_files(files)
            contents = {name: files.read(name) for name in files}
    known = from_spark_json(sample.schema())
    inputs = {name: known[name] for name in sample.frame.columns if name in known}
    bundle.meta |= {
        SPARK_VERSION: pack(str(sample.frame.sparkSession.version), "string"),
        INPUT_SCHEMA: pack(json.dumps(to_spark_json(inputs)), "string"),
    }
    told = sample.proof(Model(bundle), sample.schema())
    if told is not None:
        contents[f"notes/{NOTE}"] = told.encode()
    head = json_object(contents[HEAD])
    head["meta"] = {name: encode(value) for name, value in bundle.meta.items()}
    contents[HEAD] = dump(head)
    return write_files(contents.items(), out, overwrite)


def _serialize(mleap: Any, sample: Sample, made: Path, form: str) -> None:
    jvm = sample.frame.sparkSession._jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    name = f"ml.combust.bundle.serializer.SerializationFormat${form.capitalize()}$"
    spelt = jvm.java.lang.Class.forName(name, True, loader).getField("MODULE$").get(None)
    try:
        mleap.serializeToBundleWithFormat(sample.model._to_java(), f"jar:{made.as_uri()}", sample.result._jdf, spelt)
    except Exception as error:
        if not is_sparks(error):
            raise
        raise UnsupportedError(
            "MLeap's writer refuses the model", expected="stages that this version of MLeap writes",
            got=root_cause(error), fix="Let Nacre write it: leave out the writer",
        ) from error  # fmt: skip


def convert_official(saved: Path, out: Path, schema: Any, overwrite: bool, form: str) -> Path:
    """Load a saved model in Spark and let MLeap write it; for `nacre convert`, whose own writer needs no Spark.

    The session is the active one, or one as the user's Spark settings make it, which is stopped again.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SetupError(
            "MLeap's writer needs PySpark", expected="pyspark and the mleap-spark jar", got=str(error),
            fix="Install pyspark, or leave out the writer: Nacre's own needs no Spark",
        ) from error  # fmt: skip
    if not isinstance(schema, dict):
        raise SetupError(
            "MLeap's writer needs the columns' types", expected="a schema: --schema FILE with df.schema.json()",
            got="none", fix="Name one, or leave out the writer",
        )  # fmt: skip
    active = SparkSession.getActiveSession()
    session = active or SparkSession.builder.appName("nacre convert").getOrCreate()
    try:
        serializer(session)
        return _converted(session, saved, out, schema, overwrite, form)
    finally:
        if active is None:
            session.stop()


def _converted(session: Any, saved: Path, out: Path, schema: Any, overwrite: bool, form: str) -> Path:
    from pyspark.ml.util import DefaultParamsReader
    from pyspark.sql.types import StructType

    from nacre.spark.sample import Sample

    model = DefaultParamsReader.loadParamsInstance(saved.absolute().as_uri(), session.sparkContext)
    frame = session.createDataFrame([], StructType.fromJson(schema))
    return save_official(out, Sample(model, frame, 0), overwrite, form)
