"""The pipeline op: children in execution order. It has no kernel; a model runs the children."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nacre.stages.base import REQUIRED, Attr, Stage, stage

if TYPE_CHECKING:
    from nacre.bundle.node import Node


@stage
class Pipeline(Stage):
    """Children run one after the other, each on the columns of those before it. Pipelines nest."""

    op = "pipeline"
    spark_classes = ("org.apache.spark.ml.PipelineModel", "pyspark.ml.pipeline.PipelineModel")
    attributes = (
        Attr("nodes", "list<string>", REQUIRED, "names of the children, in execution order"),
        Attr(
            "nacre.input_schema", "string", None, "the raw columns the pipeline was fitted on, as Spark's schema JSON"
        ),
        Attr("nacre.hidden_columns", "list<string>", (), "columns that stages take off the frame: computed, not shown"),
        Attr("nacre.spark_version", "string", None, "the Spark that fitted the pipeline"),
    )

    input_schema: str | None
    spark_version: str | None
    hidden_columns: Sequence[str]


def leaves(root: Node) -> Iterator[Node]:
    """The nodes with a kernel, in execution order."""
    for node in root.walk():
        if node.op != Pipeline.op:
            yield node
