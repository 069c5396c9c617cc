"""The car evaluation example: features, a model of four classes, and labels back, as artefacts of a chain.

    spark-submit jobs/car_evaluation.py --output out

makes a table of cars (the columns of the UCI data set of that name, every combination of them, with a class by a rule
of our own), fits and trains, and writes

    out/features        Spark's one-hot features, as a bundle
    out/class           XGBoost, multi:softmax: the number of the class
    out/probabilities   XGBoost, multi:softprob: a probability a class
    out/label           IndexToString: the class's name, as a bundle
    out/advice          rules on the probabilities, from conf/postprocess/car-evaluation

for conf/pipelines/car-evaluation.yaml and conf/pipelines/car-evaluation-advice.yaml.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import IndexToString, OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.sql import DataFrame, SparkSession

import nacre.spark
from nacre.errors import NacreError
from nacre.share import folder

PRICES = ("low", "med", "high", "vhigh")
CHOICES = {
    "buying": PRICES, "maint": PRICES, "doors": ("2", "3", "4", "5more"), "persons": ("2", "4", "more"),
    "lug_boot": ("small", "med", "big"), "safety": ("low", "med", "high"),
}  # fmt: skip
CLASSES = ("unacc", "acc", "good", "vgood")


def class_of(car: dict[str, str]) -> str:
    """Two seats or low safety are unacceptable; else what is dear takes points, what is roomy and safe gives some."""
    if car["persons"] == "2" or car["safety"] == "low":
        return "unacc"
    points = 6 - PRICES.index(car["buying"]) - PRICES.index(car["maint"])
    points += ("small", "med", "big").index(car["lug_boot"]) + 2 * (car["safety"] == "high") + (car["doors"] != "2")
    return CLASSES[(points > 3) + (points > 7) + (points > 8)]


def cars(spark: SparkSession) -> DataFrame:
    """Every combination once: 1,728 rows."""
    rows = [dict(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())]
    made = [(*row.values(), class_of(row)) for row in rows]
    return spark.createDataFrame(made, ", ".join(f"{name} STRING" for name in (*CHOICES, "class")))


def features() -> Pipeline:
    """One-hot of the six columns; what is unknown is refused."""
    indexes, vectors = [f"{name}_index" for name in CHOICES], [f"{name}_vector" for name in CHOICES]
    return Pipeline(
        stages=[
            StringIndexer(inputCols=list(CHOICES), outputCols=indexes, handleInvalid="error"),
            OneHotEncoder(inputCols=indexes, outputCols=vectors),
            VectorAssembler(inputCols=vectors, outputCol="features"),
        ]
    )


def write(spark: SparkSession, out: Path) -> dict[str, Any]:
    """Fit, train and write everything; gives the fitted parts, for comparison."""
    table = cars(spark)
    fitted = features().fit(table)
    labels = StringIndexer(inputCol="class", outputCol="label").fit(table)
    rows = labels.transform(fitted.transform(table)).select("features", "label").toPandas()
    nacre.spark.save(fitted, out / "features", table, overwrite=True)
    back = PipelineModel([IndexToString(inputCol="prediction", outputCol="class", labels=labels.labels)])
    predictions = spark.createDataFrame([(float(at),) for at in range(len(labels.labels))], "prediction DOUBLE")
    nacre.spark.save(back, out / "label", predictions, overwrite=True)
    x, y = np.array([vector.toArray() for vector in rows["features"]]), rows["label"].to_numpy()
    models = {name: train(f"multi:{name}", x, y) for name in ("softmax", "softprob")}
    for name, model in zip(("class", "probabilities"), models.values(), strict=True):
        (out / name).mkdir(parents=True, exist_ok=True)
        model.save_model(out / name / "xgboost-model.ubj")
    shutil.copytree(folder("conf") / "postprocess" / "car-evaluation", out / "advice", dirs_exist_ok=True)
    return {"table": table, "features": fitted, "labels": labels.labels, "x": x, **models}


def train(objective: str, x: np.ndarray, y: np.ndarray) -> Any:
    import xgboost

    settings = {"objective": objective, "num_class": len(CLASSES), "max_depth": 6, "nthread": 1, "seed": 1}
    return xgboost.train(settings, xgboost.DMatrix(x, y, nthread=1), num_boost_round=20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, type=Path, help="folder for everything written")
    output = parser.parse_args().output
    spark = SparkSession.builder.appName("nacre-car-evaluation").getOrCreate()
    try:
        write(spark, output)
    except NacreError as error:
        print(f"nacre: {error}", file=sys.stderr)
        return 1
    finally:
        spark.stop()
    for path in sorted(output.iterdir()):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
