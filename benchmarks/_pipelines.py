"""The pipelines that the speed benchmarks compare, fitted by Spark, and seeded rows for them.

Each is saved as a bundle, and as Spark's own saved model. `outputs` are the columns that every runtime has to make.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nacre.demo.data import generate
from nacre.demo.home import RAW
from nacre.spark.save import save
from nacre.stages import REGISTRY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CATEGORIES = {"s0": 3, "s1": 4, "s2": 6, "s3": 8, "s4": 12, "s5": 20}
"""Text columns of the 16-stage pipeline and how many labels each has."""
NUMBERS = [f"x{n}" for n in range(6)]
FITTED_ON = 20_000


@dataclass(frozen=True)
class Pipeline:
    """`stages` gives fresh unfitted Spark stages, `data` seeded rows as a table; `needs` is an op it cannot do
    without."""

    name: str
    title: str
    data: Callable[[int, int], pa.Table]
    stages: Callable[[], Sequence[Any]]
    outputs: tuple[str, ...]
    needs: str | None = None

    @property
    def known(self) -> bool:
        return self.needs is None or self.needs in REGISTRY


def abalone(rows: int, seed: int) -> pa.Table:
    """Sex and seven measures, as the demo makes them."""
    named = dict(zip(RAW, zip(*generate(rows, seed), strict=True), strict=False))
    return pa.table({name: list(each) if name == "sex" else list(map(float, each)) for name, each in named.items()})


def mixed(rows: int, seed: int) -> pa.Table:
    """Six text columns, six numbers, and two targets that depend on both."""
    random = np.random.default_rng(seed)
    codes = {name: random.zipf(1.5, rows) % count for name, count in CATEGORIES.items()}
    numbers = {name: np.round(random.normal(n, n + 1.0, rows), 3) for n, name in enumerate(NUMBERS)}
    score = numbers["x0"] - 0.3 * numbers["x1"] * (codes["s2"] > 1) + np.sin(numbers["x2"]) + 0.7 * (codes["s4"] % 3)
    score = score + random.normal(0, 0.5, rows)
    texts = {
        name: pa.array([f"{name}-label-{n}" for n in range(count)]).take(pa.array(codes[name]))
        for name, count in CATEGORIES.items()
    }
    return pa.table({**texts, **numbers, "target": score, "label": (score > np.median(score)).astype(float)})


def abalone_stages() -> Sequence[Any]:
    from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler

    return [
        StringIndexer(inputCol="sex", outputCol="sex_index"),
        OneHotEncoder(inputCol="sex_index", outputCol="sex_vec"),
        VectorAssembler(inputCols=["sex_vec", *RAW[1:8]], outputCol="features"),
    ]


def sixteen() -> Sequence[Any]:
    """Six indexers, six encoders, a bucketizer, two assemblers, a scaler."""
    from pyspark.ml.feature import Bucketizer, OneHotEncoder, StandardScaler, StringIndexer, VectorAssembler

    bucketizer = Bucketizer(inputCol="x0", outputCol="bucket", splits=[-np.inf, -1.0, 0.0, 1.0, 2.0, np.inf])
    return [
        *(StringIndexer(inputCol=name, outputCol=f"{name}_index", handleInvalid="keep") for name in CATEGORIES),
        *(OneHotEncoder(inputCol=f"{name}_index", outputCol=f"{name}_vec") for name in CATEGORIES),
        bucketizer,
        VectorAssembler(inputCols=[*NUMBERS, "bucket"], outputCol="numbers"),
        StandardScaler(inputCol="numbers", outputCol="scaled", withMean=True, withStd=True),
        VectorAssembler(inputCols=[*(f"{name}_vec" for name in CATEGORIES), "scaled"], outputCol="features"),
    ]


def with_regression() -> Sequence[Any]:
    from pyspark.ml.classification import LogisticRegression

    return [*sixteen(), LogisticRegression(maxIter=20, regParam=0.01)]


def with_trees() -> Sequence[Any]:
    from pyspark.ml.regression import GBTRegressor

    return [*sixteen(), GBTRegressor(labelCol="target", maxIter=20, maxDepth=4, seed=7)]


PIPELINES = [
    Pipeline("abalone", "Abalone features", abalone, abalone_stages, ("features",)),
    Pipeline("sixteen", "16 feature stages", mixed, sixteen, ("features",)),
    Pipeline("logistic", "16 + logistic regression", mixed, with_regression, ("probability", "prediction"),
             "logistic_regression"),
    Pipeline("gbt", "16 + GBT, 20 trees of depth 4", mixed, with_trees, ("prediction",), "gbt_regression"),
]  # fmt: skip


@contextmanager
def spark_session() -> Iterator[SparkSession]:
    """Spark on local[2], as the tests start it, with room for the tables."""
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("nacre-bench")
    settings = {
        "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.sql.shuffle.partitions": "2",
        "spark.default.parallelism": "2", "spark.driver.memory": "3g", "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }  # fmt: skip
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def processor_seconds(spark: SparkSession) -> float:
    """What Spark's JVM has used of the processor since it started, all its threads together."""
    process = spark._jvm.java.lang.ProcessHandle.current()  # type: ignore[union-attr]
    return float(process.info().totalCpuDuration().get().toNanos()) / 1e9


def frame(spark: SparkSession, table: pa.Table, folder: Path) -> Any:
    """The table as a cached frame of two partitions."""
    path = folder / f"rows-{abs(hash(tuple(table.column_names)))}-{table.num_rows}.parquet"
    pq.write_table(table, path)
    made = spark.read.parquet(str(path)).repartition(2).cache()
    made.count()
    return made


def fit(spark: SparkSession, pipeline: Pipeline, folder: Path) -> Any:
    """Fit on seeded rows and save `<name>.zip`; gives Spark's model."""
    from pyspark.ml import Pipeline as SparkPipeline

    rows = frame(spark, pipeline.data(FITTED_ON, 1), folder)
    model = SparkPipeline(stages=list(pipeline.stages())).fit(rows)
    save(model, folder / f"{pipeline.name}.zip", rows.limit(5), overwrite=True)
    rows.unpersist()
    return model
