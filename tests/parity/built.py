"""Spark models made from numbers rather than fitted: what scores is the same, and a fit takes seconds."""

from __future__ import annotations

import itertools
from typing import Any


def built(name: str, *numbers: Any, **params: Any) -> Any:
    """A PySpark model around a new JVM object of class `name` (after ``org.apache.spark.ml.``).

    `numbers` are the constructor's arguments after the uid; vectors and matrices are PySpark's own. `params` are set
    by their names.
    """
    from pyspark.ml.common import _py2java
    from pyspark.ml.wrapper import JavaParams
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    assert session is not None
    context = session.sparkContext
    made = context._jvm
    for part in f"org.apache.spark.ml.{name}".split("."):
        made = getattr(made, part)
    short = name.rpartition(".")[2]
    model = JavaParams._from_java(made(f"{short}_{next(NUMBERS)}", *(_py2java(context, each) for each in numbers)))
    for param, value in params.items():
        model._set(**{param: value})
    return model


NUMBERS = itertools.count()
