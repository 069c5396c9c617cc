"""One small Spark for the whole test run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nacre.doctor import check_java

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark import SparkContext
    from pyspark.sql import SparkSession

JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m"
"""Options of Spark's driver, here and in the programs that tests start. Most of its time on tiny data went into
optimizing code that then ran a few times. Without that compiler the JVM reserves 48 MB for compiled code, which a few
hundred plans fill; from then on it would compile nothing."""

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.driver.memory": "1g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session on local[2], without UI and nearly silent, that writes only to temporary folders."""
    if not (java := check_java()).ok:
        pytest.fail(java.sentence(), pytrace=False)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    settings = {**SETTINGS, "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse"))}
    builder = SparkSession.builder.master("local[2]").appName("nacre-tests")
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    spare_workers(session.sparkContext)
    yield session
    session.stop()


def spare_workers(context: SparkContext) -> None:
    """Hand rows that are made here straight to the JVM.

    `createDataFrame` sends them through Python workers, only to be packed in batches as they already are.
    """
    from pyspark.serializers import AutoBatchedSerializer, CPickleSerializer

    plain = context.parallelize

    def parallelize(*arguments: Any, **named: Any) -> Any:
        rows = plain(*arguments, **named)
        rows._jrdd_deserializer = AutoBatchedSerializer(CPickleSerializer())
        return rows

    context.parallelize = parallelize  # type: ignore[method-assign]
