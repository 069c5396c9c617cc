"""Bad bodies for the scikit-learn container: an allowed pickle of a linear regression on two named columns."""

from __future__ import annotations

from pathlib import Path

from tests.bad import Wire, post
from tests.bad.common import broken_json
from tests.bad.script import CSV, JSON, LINES, NPY, PARQUET, npy

NEEDS = "sklearn"
GOOD = (CSV, b"1,2")
LIMIT = 8 << 20


def serve(folder: Path) -> tuple[Path, dict[str, str]]:
    import joblib
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 1.0]})
    joblib.dump(LinearRegression().fit(frame, [1.0, 2.0, 3.0]), folder / "model.joblib")
    return folder, {"NACRE_ALLOW_PICKLE": "true", "MAX_CONTENT_LENGTH": str(LIMIT)}


def requests() -> dict[str, Wire]:
    tables = {"csv": (CSV, csv()), "json": (JSON, broken_json() | documents()), "json lines": (LINES, lines())}
    tables |= {"npy": (NPY, npy()), "parquet": (PARQUET, {"no Parquet": b"PAR1 is not all of it"})}
    return {
        f"{kind}: {name}": Wire(post(body, content_type))
        for kind, (content_type, bodies) in tables.items()
        for name, body in bodies.items()
    }


def csv() -> dict[str, bytes | str]:
    return {
        "a word where a number belongs": "1,abc",
        "one field of two": "1",
        "three fields of two": "1,2,3",
        "rows of two widths": "1,2\n1",
        "an empty field": "1,",
        "infinity": "1,inf",
        "line breaks only": "\n\n\n",
        "no UTF-8": b"1,\xff\xfe",
    }


def documents() -> dict[str, bytes | str]:
    return {
        "an empty list": "[]",
        "rows of two widths": "[[1,2],[1]]",
        "a column of another name": '[{"a":1,"c":2}]',
        "a null": "[[1,null]]",
    }


def lines() -> dict[str, bytes | str]:
    return {"the second line is broken": "[1,2]\n{", "the second row has other columns": '{"a":1,"b":2}\n{"a":1}'}
