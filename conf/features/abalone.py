"""What is fitted for Abalone. Copy this file, put your own pipeline in it, and pass it with ``--spec``.

A spec is a Python file with these names:

    SCHEMA      Spark DDL of the raw columns, in the order of the file
    LABEL       the column the trainer predicts
    FEATURES    the vector column the pipeline makes for the trainer
    pipeline()  an unfitted pyspark.ml Pipeline

Nulls and unseen values are refused, in fitting and in scoring, with the row and the field named: an abalone is M, F or
I and has been measured. ``handleInvalid="keep"`` would give an unknown sex a slot of its own, ``"skip"`` would drop it.
"""

from pyspark.ml import Pipeline
from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler

SCHEMA = """
    sex STRING, length DOUBLE, diameter DOUBLE, height DOUBLE, whole_weight DOUBLE,
    shucked_weight DOUBLE, viscera_weight DOUBLE, shell_weight DOUBLE, rings DOUBLE
"""
LABEL = "rings"
FEATURES = "features"
NUMBERS = [
    "length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight", "shell_weight",
]  # fmt: skip


def pipeline() -> Pipeline:
    return Pipeline(
        stages=[
            StringIndexer(inputCol="sex", outputCol="sex_index", handleInvalid="error"),
            OneHotEncoder(inputCol="sex_index", outputCol="sex_vec", handleInvalid="error"),
            VectorAssembler(inputCols=["sex_vec", *NUMBERS], outputCol=FEATURES, handleInvalid="error"),
        ]
    )
