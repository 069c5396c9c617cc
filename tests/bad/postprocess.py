"""Bad bodies for the postprocess container: a score between 0 and 1 and a customer, joined to a table."""

from __future__ import annotations

import io
from pathlib import Path

from tests.bad import CSV, JSON, LINES, Wire, post
from tests.bad.common import broken_json

PARQUET = "application/x-parquet"
GOOD = (CSV, b"0.25,C1")
LIMIT = 8 << 20
RULES = """
input:
  columns:
    score: {type: double, min: 0, max: 1}
    customer: {type: string, nullable: false}
tables:
  customers: {file: customers.csv, key: id, columns: {id: string, limit: double}}
rules:
  - {join: customers, by: customer}
  - {set: amount = limit * score}
  - {check: amount < 900, message: the amount is too large}
output:
  columns: [customer, amount]
"""


def serve(folder: Path) -> tuple[Path, dict[str, str]]:
    (folder / "postprocess.yaml").write_text(RULES)
    (folder / "customers.csv").write_text("id,limit\nC1,1000\n")
    return folder, {"MAX_CONTENT_LENGTH": str(LIMIT)}


def requests() -> dict[str, Wire]:
    tables = {"csv": (CSV, csv()), "json": (JSON, broken_json() | documents()), "json lines": (LINES, lines())}
    tables["parquet"] = (PARQUET, parquet())
    return {
        f"{kind}: {name}": Wire(post(body, content_type))
        for kind, (content_type, bodies) in tables.items()
        for name, body in bodies.items()
    }


def csv() -> dict[str, bytes | str]:
    good = "0.25,C1"
    return {
        "a word where a number belongs": "abc,C1",
        "no number": ",C1",
        "a number too large for the rule": "1.5,C1",
        "a number below the rule": "-0.1,C1",
        "nan": "NaN,C1",
        "one field of two": "0.25",
        "three fields of two": "0.25,C1,x",
        "1,000,000 fields": ",".join(["1"] * 1_000_000),
        "a customer nobody knows": "0.25,X",
        "a row that the check refuses": "0.95,C1",
        "an empty line between rows": f"{good}\n\n{good}",
        "line breaks only": "\n\n\n",
        "a quote without its end": '0.25,"C1',
        "no UTF-8": b"0.25,\xff\xfe",
        "a byte order mark": f"\ufeff{good}",
        "row 77,777 of 100,000 is bad": "\n".join([good] * 77_776 + ["x,C1"] + [good] * 22_223),
        "a header line": f"score,customer\n{good}",
    }


def documents() -> dict[str, bytes | str]:
    return {
        "null": "null",
        "a number": "1",
        "an empty list": "[]",
        "no predictions": '{"instances":[]}',
        "a record without a column": '{"predictions":[{"score":0.25}]}',
        "a text where a number belongs": '{"predictions":[{"score":"x","customer":"C1"}]}',
        "a null that may not be": '{"predictions":[{"score":0.25,"customer":null}]}',
        "a list where a number belongs": '{"predictions":[{"score":[1],"customer":"C1"}]}',
        "NaN": '{"predictions":[{"score":NaN,"customer":"C1"}]}',
        "half a surrogate pair": '{"predictions":[{"score":0.25,"customer":"\\ud800"}]}',
    }


def lines() -> dict[str, bytes | str]:
    good = '{"score":0.25,"customer":"C1"}'
    return {
        "the second line is broken": f"{good}\n{{\n{good}",
        "an empty line between": f"{good}\n\n{good}",
        "the second row lacks a column": f'{good}\n{{"score":0.25}}',
    }


def parquet() -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"score": ["x"], "customer": ["C1"]}), out)
    return {"no Parquet": b"PAR1 is not all of it", "a column of another type": out.getvalue()}
