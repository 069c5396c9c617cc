"""Cases of nacre.sql and nacre.target_encoder, and RFormula's pipeline of stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import INF, NAN, Case

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def transformed(*statements: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import SQLTransformer

        return [SQLTransformer(statement=statement) for statement in statements]

    return stages


NUMBERS = """SELECT *, x + y AS plus, x - 1 AS minus, x * 2.5 AS times, i + 1L AS wide, i * j AS product, -x AS negative,
    abs(x) AS absolute, sqrt(x) AS root, floor(x) AS down, ceil(x) AS up, round(x, 1) AS rounded, round(x) AS whole,
    exp(y) AS e, log(x) AS ln, pow(y, 2) AS square, CAST(i AS DOUBLE) / 3 AS third, CAST(x AS STRING) AS text,
    CAST(f AS DOUBLE) AS single, CAST(f AS STRING) AS single_text, f * f AS squared, CAST(b AS INT) AS bit
    FROM __THIS__"""
LOGIC = """SELECT *, x > y AS larger, x = y AS same, x <=> y AS alike, x >= y OR NOT b AS either, b AND x < 1 AS both,
    x IS NULL AS missing, isnan(x) AS nan, x BETWEEN 0 AND 1.5 AS between_, i IN (1, 2, NULL) AS known,
    i NOT IN (1, 2) AS strange, i > 1.5 AS past, CASE WHEN x > 1 THEN 'big' WHEN x <= 1 THEN 'small' END AS size,
    CASE i WHEN 1 THEN x ELSE -1 END AS chosen, IF(b, i, j) AS one, coalesce(x, y, 0) AS first, nullif(i, 1) AS none,
    CASE WHEN i <> 0 THEN j / i ELSE 0.0D END AS quotient, CASE WHEN i <> 0 THEN j % i END AS rest FROM __THIS__"""
TEXTS = """SELECT *, upper(s) AS u, lower(s) AS l, trim(s) AS trimmed, concat(s, '-', t) AS c, s || 'é' AS d, length(s) AS n,
    substring(s, 2, 2) AS sub, substr(s, -2) AS tail, substring(s, 0, 1) AS head, s LIKE 'a%' AS starts,
    s LIKE '_b%' AS second, s NOT LIKE '%\\\\%%' AS percent, s = t AS same, s < t AS less, coalesce(s, t, 'none') AS known,
    s IN ('a', 'ab ') AS listed FROM __THIS__"""
REFUSED = "SELECT *, i / j AS quotient, j % i AS rest, CAST(x AS INT) AS cut, i + i AS twice FROM __THIS__"
CHOSEN = "SELECT i, row_number, x * 2 AS doubled FROM __THIS__ WHERE x > 0 OR i IS NULL"
AFTER = "SELECT *, doubled + i AS more FROM __THIS__"


def columns() -> Columns:
    return {
        "x": ("double", [0.0, -0.0, 1.5, NAN, INF, -INF, None, 1e10, 2.25, -1.45, 0.35, 1e300, 0.05]),
        "y": ("double", [0.0, 0.0, 2.0, NAN, 1.0, None, 1.0, -3.7, 2.25, 0.1, 10.5, 700.0, -0.5]),
        "i": ("int", [0, 1, 2, 3, -1, None, 5, 2**31 - 1, 7, -8, 1, 2, 46341]),
        "j": ("int", [1, 2, -3, 7, 0, 5, None, 1, -7, 3, 4, 2, 46340]),
        "f": ("float", [0.1, -0.0, 1.5, NAN, INF, 16777216.0, None, 1e-10, 0.3, 1e20, 3.0, 2.5, 7.0]),
        "b": ("boolean", [True, False, None, True, False, True, True, False, None, True, False, True, True]),
    }


def texts() -> Columns:
    return {
        "s": ("string", ["a", "ab ", "", None, "é😀ß", "xby", "50%", "  a  ", "ABC", "a\nb", "ab ", "\ta"]),
        "t": ("string", ["b", None, "", "x", "é", "xb", "50", "a", "ABc", "a", "ab", "😀"]),
    }


def encoded(policy: str, kind: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import TargetEncoder

        shared = {"handleInvalid": policy, "targetType": kind, "smoothing": 0.7}
        return [
            TargetEncoder(inputCols=["c", "n"], outputCols=["ce", "ne"], labelCol="y", **shared),
            TargetEncoder(inputCol="c", outputCol="plain", labelCol="y", handleInvalid=policy, targetType=kind),
        ]

    return stages


LEARNT: Columns = {
    "c": ("double", [0.0, 1.0, 1.0, 2.0, 0.0, 1.0, 2.0]),
    "n": ("int", [1, 2, None, 1, 2, 1, None]),
    "y": ("double", [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]),
}
ENCODED: Columns = {
    "c": ("double", [0.0, -0.0, 1.0, 2.0, 3.0, NAN, INF, None, 0.5, -1.0, 2147483647.0, 1.0, 1.0]),
    "n": ("int", [1, 2, None, 1, 2, 1, 1, 1, 1, 1, 1, 7, -1]),
    "y": ("double", [0.0]),
}


def formulas(formula: str, policy: str, **more: Any) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import RFormula, VectorSlicer

        return [
            RFormula(formula=formula, featuresCol="features", labelCol="label", handleInvalid=policy, **more),
            VectorSlicer(inputCol="features", outputCol="sliced", names=["x"]),
        ]

    return stages


FITTED: Columns = {
    "s": ("string", ["a", "b", "a", "c", "b", "a"]),
    "t": ("string", ["x", "y", "z", "x", "y", "x"]),
    "x": ("double", [1.0, 2.0, 0.5, 0.25, -1.0, 3.0]),
    "i": ("int", [2, 3, 3, 1, 2, 5]),
    "b": ("boolean", [True, False, True, True, False, False]),
    "y": ("bigint", [1, 0, 1, 1, 0, 0]),
}
ASKED: Columns = {
    "s": ("string", ["a", "b", "c", "new", None, "a", "b", "a"]),
    "t": ("string", ["x", "y", "z", "x", "y", "new", "z", None]),
    "x": ("double", [1.0, NAN, INF, -0.0, 2.0, 1.0, None, 3.0]),
    "i": ("int", [0, 3, -3, 1, 2, 5, 7, 1]),
    "b": ("boolean", [True, False, True, True, False, False, True, None]),
    "y": ("bigint", [1, 0, None, 1, 2**60 + 1, 0, 0, 1]),
}


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {
        "nacre.sql": [
            Case("numbers", transformed(NUMBERS), columns(), columns()),
            Case("logic", transformed(LOGIC), columns(), columns()),
            Case("texts", transformed(TEXTS), texts(), texts()),
            Case("refused", transformed(REFUSED), columns(), columns()),
            Case("chosen", transformed(CHOSEN, AFTER), columns(), columns()),
            Case("formula", formulas("y ~ s + x + s:x + b + t:i", "error"), FITTED, ASKED),
            Case("formula-skip", formulas("y ~ x + s:t", "skip"), FITTED, ASKED),
        ],
        "nacre.target_encoder": [
            Case("keep", encoded("keep", "binary"), LEARNT, ENCODED),
            Case("error", encoded("error", "continuous"), LEARNT, ENCODED),
        ],
        "interaction": [Case("formula", formulas("s ~ x*t + (x+i)^2", "keep"), FITTED, ASKED)],
    }
