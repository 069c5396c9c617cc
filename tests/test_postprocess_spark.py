"""Rules of the postprocess container against Spark: the same columns as the expressions that they stand for."""

from __future__ import annotations

import json
import math

from tests.test_postprocess import made, rows

DATA = [
    (x, y, s)
    for x in (None, math.nan, math.inf, -math.inf, -0.0, 0.0, 0.3, 0.125, 0.5, 2.675, 1e39)
    for y, s in ((None, None), (0.3, ""), (math.nan, "a"), (-1.5, "b,\n"))
]
RULES = [
    {"when": "x > 0.5 or s = 'a'", "set": "label = 'high'", "otherwise": "label = 'low'"},
    {"when": "y < x", "set": ["label = upper(label)", "z = x - y"]},
    {"best": ["x", "y"], "value": "top"},
    {"set": "bounded = x"},
    {"clamp": {"bounded": [-1, 1]}},
    {"set": "rounded = bounded"},
    {"round": {"rounded": 2}},
    {"bands": "x", "to": "band", "edges": [0.0, 0.3, 1.0], "labels": ["a", "b", "c", "d"]},
    {"map": "s", "to": "known", "values": {"a": 1, "": 2}, "otherwise": None},
]
SPARK = {
    "label": "CASE WHEN x > 0.5D OR s = 'a' THEN 'high' ELSE 'low' END",
    "z": "CASE WHEN y < x THEN x - y END",
    "top": "greatest(x, y)",
    "bounded": "CASE WHEN x IS NOT NULL THEN greatest(least(x, 1D), -1D) END",
    "rounded": "round(bounded, 2)",
    "band": "CASE WHEN x < 0D THEN 'a' WHEN x < 0.3D THEN 'b' WHEN x < 1D THEN 'c' WHEN x IS NOT NULL THEN 'd' END",
    "known": "CASE s WHEN 'a' THEN 1 WHEN '' THEN 2 END",
}


def same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    return a == b


def test_rules_are_the_expressions_they_stand_for(spark, tmp_path) -> None:
    frame = spark.createDataFrame(DATA, "x double, y double, s string")
    for name, text in SPARK.items():
        frame = frame.selectExpr("*", f"{text} AS {name}")
        if name == "label":
            frame = frame.selectExpr("* except (label)", "CASE WHEN y < x THEN upper(label) ELSE label END AS label")
    expected = frame.select(*SPARK).collect()
    container = made(tmp_path, {"x": "double", "y": "double", "s": "string"}, RULES, list(SPARK))
    found = rows(container, *DATA)
    wrong = [
        (given, name, ours, theirs)
        for given, mine, row in zip(DATA, found, expected, strict=True)
        for name, ours, theirs in zip(SPARK, mine, row, strict=True)
        if not same(ours, theirs)
    ]
    assert wrong == []


def test_spark_reads_several_columns_as_a_struct(spark, tmp_path) -> None:
    """Batch over a file that Spark wrote: the answer is a column of it, for Spark too."""
    from nacre.transform.command import main

    rule = {"bands": "x", "to": "band", "edges": [0.5], "labels": ["low", "high"]}
    made(tmp_path / "model", {"x": "double"}, [rule], ["band", "x"])
    chain = {"ModelName": "bands", "Containers": [{"Image": "nacre/postprocess", "ModelDataUrl": "model"}]}
    (tmp_path / "chain.yaml").write_text(json.dumps(chain))
    spark.createDataFrame([(0.25, "a"), (0.75, "b")], "x double, s string").coalesce(1).write.parquet(
        str(tmp_path / "in")
    )
    assert main([str(tmp_path / "chain.yaml"), str(tmp_path / "in"), str(tmp_path / "out"), "--no-progress"]) == 0
    frame = spark.read.parquet(str(tmp_path / "out"))
    assert frame.schema.simpleString() == "struct<x:double,s:string,prediction:struct<band:string,x:double>>"
    assert [(row["s"], row["prediction"]["band"]) for row in frame.orderBy("s").collect()] == [
        ("a", "low"),
        ("b", "high"),
    ]
