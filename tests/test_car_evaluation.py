"""The car evaluation example: IndexToString as a third container, and rules in its place, against Spark and XGBoost."""

from __future__ import annotations

import json
import runpy
import shutil

import numpy as np
import pytest

from nacre.chain import FusedChain, HttpChain
from nacre.errors import ContainerError
from nacre.pipeline import Pipeline
from nacre.serving.processes import started
from nacre.share import folder


@pytest.fixture(scope="module")
def made(spark, tmp_path_factory):
    """(what the job fitted, the folder of the pipeline files with the artefacts beside them)."""
    pytest.importorskip("xgboost")
    home = tmp_path_factory.mktemp("cars")
    job = runpy.run_path(str(folder("jobs") / "car_evaluation.py"))
    fitted = job["write"](spark, home / "artefacts")
    for path in (folder("conf") / "pipelines").glob("car-evaluation*.yaml"):
        shutil.copy(path, home)
    rows = fitted["table"].select(*job["CHOICES"]).collect()
    return fitted, home, [",".join(row) for row in rows]


def test_labels_come_back_as_spark_gives_them(made, spark):
    """The last stage is Spark's own: IndexToString of the library's prediction."""
    from pyspark.ml.feature import IndexToString
    from xgboost import DMatrix

    fitted, home, lines = made
    chain = FusedChain.load(Pipeline.read(home / "car-evaluation.yaml"), home / "fused")
    found = chain.invoke("\n".join(lines).encode(), "text/csv").body.decode().split("\n")
    predictions = fitted["softmax"].predict(DMatrix(fitted["x"], nthread=1)).tolist()
    frame = spark.createDataFrame([(each,) for each in predictions], "prediction DOUBLE")
    expected = IndexToString(inputCol="prediction", outputCol="class", labels=fitted["labels"]).transform(frame)
    assert found == [row["class"] for row in expected.collect()]
    assert set(found) == {"unacc", "acc", "good", "vgood"}
    one = chain.invoke(lines[0].encode(), "text/csv", "application/jsonlines")
    assert (one.body.decode(), one.content_type) == (found[0], "application/jsonlines")


def test_the_three_over_http(made):
    _, home, lines = made
    pipeline = Pipeline.read(home / "car-evaluation.yaml")
    fused = FusedChain.load(pipeline, home / "again")
    with started(pipeline, home / "work") as urls, HttpChain(urls) as over_http:
        for body in ("\n".join(lines), lines[0], lines[-1]):
            assert fused.invoke(body.encode(), "text/csv") == over_http.invoke(body.encode(), "text/csv")
        for chain in (fused, over_http):
            with pytest.raises(ContainerError) as caught:
                chain.invoke(b"low,low,2,2,small,none", "text/csv")
            assert (caught.value.where["container"], caught.value.status) == ("features", 400)


def test_rules_on_the_probabilities(made):
    from xgboost import DMatrix

    fitted, home, lines = made
    assert fitted["labels"] == ["unacc", "acc", "good", "vgood"]  # the order that the rules are written in
    chain = FusedChain.load(Pipeline.read(home / "car-evaluation-advice.yaml"), home / "advice")
    found = [json.loads(line) for line in chain.invoke("\n".join(lines).encode(), "text/csv").body.splitlines()]
    probabilities = fitted["softprob"].predict(DMatrix(fitted["x"], nthread=1)).astype(float)
    best, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    for answer, place, value, row in zip(found, best, confidence, probabilities, strict=True):
        label = fitted["labels"][place] if value >= 0.6 else "unsure"
        days = {"unacc": 0, "acc": 7, "good": 14, "vgood": 30, "unsure": 3}[label] + 7 * (
            label == "unacc" and row[1] > 0.2
        )
        assert answer["class"] == label
        assert abs(answer["confidence"] - value) <= 0.0005 + 1e-12
        assert answer["grade"] == "CBA"[int(np.searchsorted([0.6, 0.9], value, side="right"))]
        assert answer["review_days"] == days
    assert found[0]["advice"].startswith("Do not buy")
    assert len({answer["class"] for answer in found}) == 5
    csv = chain.invoke(lines[0].encode(), "text/csv", "text/csv")
    assert csv.body.decode().count(",") == 5  # one of them inside quotes
