"""Bad bodies for a script's container: a script with nothing but model_fn, whose model adds up each row."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

import numpy as np

from tests.bad import CSV, JSON, LINES, Wire, post
from tests.bad.common import broken_json

NPY, PARQUET = "application/x-npy", "application/x-parquet"
GOOD = (CSV, b"1,2,3")
LIMIT = 8 << 20
SCRIPT = """
    import numpy as np

    class Sums:
        def predict(self, rows):
            return np.asarray(rows, float).sum(axis=1)

    def model_fn(model_dir):
        return Sums()
"""


def serve(folder: Path) -> tuple[Path, dict[str, str]]:
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text(textwrap.dedent(SCRIPT))
    return folder, {"MAX_CONTENT_LENGTH": str(LIMIT)}


def requests() -> dict[str, Wire]:
    tables = {"csv": (CSV, csv()), "json": (JSON, broken_json() | documents()), "json lines": (LINES, lines())}
    tables |= {"npy": (NPY, npy()), "parquet": (PARQUET, {"no Parquet": b"PAR1 is not all of it"})}
    return {
        f"{kind}: {name}": Wire(post(body, content_type))
        for kind, (content_type, bodies) in tables.items()
        for name, body in bodies.items()
    }


def csv() -> dict[str, bytes | str]:
    good = "1,2,3"
    return {
        "a word where the model wants a number": "1,abc,3",
        "rows of two widths": f"{good}\n1,2",
        "line breaks only": "\n\n\n",
        "a quote without its end": '1,"2,3',
        "no UTF-8": b"1,\xff\xfe,3",
        "row 77,777 of 100,000 is bad": "\n".join([good] * 77_776 + ["1,2"] + [good] * 22_223),
    }


def documents() -> dict[str, bytes | str]:
    return {
        "an empty list": "[]",
        "rows of two widths": '{"instances":[[1,2,3],[1]]}',
        "rows of several shapes": '{"instances":[[1,2,3],4]}',
        "a text where the model wants a number": '{"instances":[["x",2,3]]}',
    }


def lines() -> dict[str, bytes | str]:
    good = "[1,2,3]"
    return {
        "the second line is broken": f"{good}\n{{\n{good}",
        "an empty line between": f"{good}\n\n{good}",
        "the second row is short": f"{good}\n[1]",
    }


def npy() -> dict[str, bytes]:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return {"no NPY": b"\x93NUMPY and no more", "objects": out.getvalue(), "text": b"1,2,3"}
