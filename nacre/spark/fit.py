"""Fit a declared pipeline on Spark and write what comes next: the bundle, and the data for the trainer."""

from __future__ import annotations

import runpy
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.bundle import read, write
from nacre.errors import NacreError, RowError, SchemaError, SetupError
from nacre.spark.ddl import struct_of
from nacre.spark.save import save
from nacre.spark.sparkerrors import is_sparks, root_cause

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CORRUPT = "_corrupt_record"
ROW = "_row"
"""Number of a row in the input, kept beside the features so that results can be compared row by row."""
NAMES = ("SCHEMA", "LABEL", "FEATURES", "pipeline")


@dataclass(frozen=True)
class Spec:
    """What is fitted; see ``conf/features/abalone.py``."""

    schema: str
    label: str
    features: str
    pipeline: Callable[[], Any]

    @classmethod
    def read(cls, path: str | Path) -> Spec:
        """Run a spec file (the user's own code) and take its names."""
        if not Path(path).is_file():
            raise SetupError("no such spec", expected="a Python file", got=str(path))
        names = runpy.run_path(str(path))
        missing = [name for name in NAMES if name not in names]
        if missing:
            raise SetupError("the spec lacks a name", expected=", ".join(NAMES), got=f"no {missing[0]}", file=str(path))
        return cls(*(names[name] for name in NAMES))


def read_input(spark: SparkSession, path: str, schema: str, header: bool = False, form: str = "auto") -> DataFrame:
    """CSV or Parquet, a file or a folder, with the declared schema.

    `form`: csv, parquet, or auto, which takes ``….parquet`` and local folders of such files for Parquet.

    Spark would turn a malformed CSV record into nulls without a word; here the first one is an error that names it.
    """
    from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

    declared = struct_of(schema)
    with _reading(path):
        if form == "parquet" or (form == "auto" and _is_parquet(path)):
            frame = spark.read.parquet(path)
            _check_types(frame, declared, path)
            frame = frame.select(*declared.names)
        else:
            with_corrupt = struct_of(f"{schema.strip()}, {CORRUPT} STRING")
            reader = spark.read.schema(with_corrupt).option("columnNameOfCorruptRecord", CORRUPT)
            # cached, so that the corrupt column is filled whatever is asked for
            frame = reader.option("header", header).csv(path).cache()
            _check_records(frame, declared.names, path)
            frame = frame.drop(CORRUPT)
        frame = frame.withColumn(ROW, F.monotonically_increasing_id()).cache()
        if frame.isEmpty():
            raise SetupError("the input is empty", expected="at least one row", got="none", file=path)
    return frame


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Spark's own errors while it reads `path`, such as a file that is not there, as one sentence."""
    try:
        yield
    except Exception as error:
        if is_sparks(error):
            raise SetupError(
                "cannot read the input", expected="CSV or Parquet", got=root_cause(error), file=path
            ) from error
        raise


def _is_parquet(path: str) -> bool:
    folder = Path(path.removeprefix("file://"))
    return path.rstrip("/").endswith(".parquet") or (folder.is_dir() and any(folder.rglob("*.parquet")))


def _check_types(frame: DataFrame, declared: Any, path: str) -> None:
    for field in declared:
        if field.name not in frame.columns:
            raise SchemaError(
                "a column is missing", expected=field.name, got=frame.columns, file=path, field=field.name
            )
        got = frame.schema[field.name].dataType
        if got != field.dataType:
            raise SchemaError(
                "column of another type",
                expected=field.dataType.simpleString(),
                got=got.simpleString(),
                file=path,
                field=field.name,
            )


def _check_records(frame: DataFrame, names: list[str], path: str) -> None:
    if frame.filter(frame[CORRUPT].isNotNull()).isEmpty():
        return
    record, row = frame.select(CORRUPT).rdd.zipWithIndex().filter(lambda pair: pair[0][0] is not None).first()
    fields = record[CORRUPT].split(",")
    header = row == 0 and {field.strip(' "').lower() for field in fields} & {name.lower() for name in names}
    raise RowError(
        "a record that does not fit the schema", expected=f"{len(names)} fields: {', '.join(names)}",
        got=f"{len(fields)} fields: {record[CORRUPT]}", file=path, row=row + 1,
        fix="This looks like a header line: pass --header" if header else "Correct or remove the record",
    )  # fmt: skip


def fit(spec: Spec, frame: DataFrame, split: float, seed: int) -> tuple[Any, DataFrame, DataFrame, DataFrame]:
    """Fit on all rows; (model, all rows transformed, train, validation)."""
    _check_labels(spec, frame)
    try:
        model = spec.pipeline().fit(frame)
        transformed = model.transform(frame).cache()
        transformed.count()
    except Exception as error:
        if is_sparks(error):
            raise RowError(f"Spark could not fit or transform the data: {root_cause(error)}") from error
        raise
    if spec.features not in transformed.columns:
        got = transformed.columns
        raise SetupError("the pipeline does not make its features", expected=spec.features, got=got, field="FEATURES")
    train, validation = transformed.randomSplit([split, 1.0 - split], seed)
    return model, transformed, train, validation


def _check_labels(spec: Spec, frame: DataFrame) -> None:
    if spec.label not in frame.columns:
        raise SetupError("the label is not in the schema", expected=spec.label, got=frame.columns, field="LABEL")
    missing = frame.filter(frame[spec.label].isNull()).select(ROW).first()
    if missing is not None:
        row = frame.filter(frame[ROW] < missing[ROW]).count() + 1
        fix = "Remove such rows"
        raise RowError("a row without its label", expected="a number", got="null", row=row, field=spec.label, fix=fix)


def write_training(frame: DataFrame, spec: Spec, folder: str) -> None:
    """`folder`/parquet: label, features as an array, row number. `folder`/csv: label and features, no header."""
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql import functions as F  # noqa: N812

    array = vector_to_array(spec.features)
    frame.select(spec.label, array.alias(spec.features), ROW).write.mode("overwrite").parquet(f"{folder}/parquet")
    line = F.concat_ws(",", F.col(spec.label).cast("string"), array.cast("array<string>"))
    frame.select(line).write.mode("overwrite").text(f"{folder}/csv")


def run(
    spark: SparkSession, spec: Spec, source: str, output: str, *, header: bool, form: str, split: float, seed: int,
    staging: str | None, reference: bool,
) -> dict[str, str]:  # fmt: skip
    """The whole job. Returns what was written, by name."""
    frame = read_input(spark, source, spec.schema, header, form)
    try:
        model, transformed, train, validation = fit(spec, frame, split, seed)
    except NacreError as error:
        raise error.at(file=source) from error.__cause__
    output = output.rstrip("/")
    written = {"bundle": f"{output}/features.zip", "model": f"{output}/features/model.tar.gz"}
    _save(spark, model, frame.drop(ROW), list(written.values()), staging)
    for name, part in (("train", train), ("validation", validation)):
        written[name] = f"{output}/{name}"
        write_training(part, spec, written[name])
    if reference:
        written["reference"] = f"{output}/reference"
        transformed.write.mode("overwrite").parquet(written["reference"])
    return written


def _save(spark: SparkSession, model: Any, sample: DataFrame, targets: list[str], staging: str | None) -> None:
    """Write one bundle under several names, local or on a file system that only Hadoop knows (s3a://…)."""
    folder = Path(tempfile.mkdtemp(prefix="nacre-"))
    try:
        bundle = read(save(model, folder / "model.zip", sample, staging))
        for target in targets:
            if "://" not in target or target.startswith("file://"):
                write(bundle, target.removeprefix("file://"), overwrite=True)
                continue
            local = write(bundle, folder / target.rsplit("/", 1)[1])
            jvm = spark._jvm
            to = jvm.org.apache.hadoop.fs.Path(target)
            system = to.getFileSystem(spark._jsc.hadoopConfiguration())
            system.copyFromLocalFile(False, True, jvm.org.apache.hadoop.fs.Path(local.as_uri()), to)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
