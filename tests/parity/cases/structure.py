"""Cases of pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.parity.cases.base import INF, Case
from tests.parity.cases.trees import FELLED, GROWN


def nested_pipelines() -> Sequence[Any]:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Bucketizer, Imputer, MinMaxScaler, OneHotEncoder, StringIndexer, VectorAssembler

    texts = Pipeline(
        stages=[
            StringIndexer(inputCol="kind", outputCol="kx", handleInvalid="skip"),
            OneHotEncoder(inputCols=["kx"], outputCols=["kv"]),
        ]
    )
    numbers = Pipeline(
        stages=[
            Imputer(inputCols=["x", "y"], outputCols=["x", "y"]),
            Pipeline(stages=[Bucketizer(splits=[-INF, 0.0, INF], inputCol="x", outputCol="xb")]),
        ]
    )
    assembler = VectorAssembler(inputCols=["kv", "x", "xb", "y"], outputCol="raw", handleInvalid="error")
    return [texts, numbers, assembler, Pipeline(stages=[]), MinMaxScaler(inputCol="raw", outputCol="features")]


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {"pipeline": [Case("nested", nested_pipelines, GROWN, FELLED)]}
