"""Bad bodies for the sparkml container: a bundle of a label and three doubles, answered as a vector of six."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import tiny_chain
from tests.bad import CSV, JSON, LINES, Wire, nested, post

GOOD = (CSV, b"M,0.1,0.2,0.3")
LIMIT = 100 << 20


def serve(folder: Path) -> tuple[Path, dict[str, str]]:
    tiny_chain.bundle(folder / "model.zip")
    return folder, {"SAGEMAKER_SPARKML_SCHEMA": json.dumps(tiny_chain.SCHEMA)}


def requests() -> dict[str, Wire]:
    return {
        **{f"csv: {name}": Wire(post(body, CSV)) for name, body in csv().items()},
        **{f"json: {name}": Wire(post(body, JSON)) for name, body in documents().items()},
        **{f"json lines: {name}": Wire(post(body, LINES)) for name, body in lines().items()},
        "an Accept with blanks": Wire(post(GOOD[1], CSV, "application/jsonlines; data=text")),
        "an Accept that is a list": Wire(post(GOOD[1], CSV, "text/csv, application/json")),
    }


def csv() -> dict[str, bytes | str]:
    good = "M,0.1,0.2,0.3"
    return {
        "a word where a number belongs": "M,abc,0.2,0.3",
        "no number": "M,,0.2,0.3",
        "a number with underscores": "M,1_000,0.2,0.3",
        "nan in small letters": "M,nan,0.2,0.3",
        "a number of 100,000 digits with a letter": f"M,{'1' * 100_000}x,0.2,0.3",
        "three fields of four": "M,0.1,0.2",
        "1,000,000 fields": ",".join(["x"] * 1_000_000),
        "semicolons": "M;0.1;0.2;0.3",
        "an unseen label": "X,0.1,0.2,0.3",
        "an empty label": ",0.1,0.2,0.3",
        "a byte order mark": f"\ufeff{good}",
        "no UTF-8": b"\xff\xfe\xff,0.1,0.2,0.3",
        "NUL inside a number": "M,0.1\0005,0.2,0.3",
        "a header line": f"sex,length,diameter,weight\n{good}",
        "a quote without its end": f'"{good}',
        "text after a quote": '"M"x,0.1,0.2,0.3',
        "a quoted number with a comma": 'M,"0,1",0.2,0.3',
        "an empty line between rows": f"{good}\n\n{good}",
        "line breaks only": "\n\n\n",
        "blanks only": "   ",
        "the second row of three is bad": f"{good}\nM,x,0.2,0.3\n{good}",
        "the second row of three is short": f"{good}\nM\n{good}",
        "row 77,777 of 100,000 is bad": "\n".join([good] * 77_776 + ["M,0.1,x,0.3"] + [good] * 22_223),
        "markup as a label": "<script>alert(1)</script>,0.1,0.2,0.3",
        "JSON": '{"data":["M",0.1,0.2,0.3]}',
    }


def documents() -> dict[str, bytes | str]:
    def schema(**more: Any) -> str:
        return json.dumps({"schema": {**tiny_chain.SCHEMA, **more}, "data": ["M", 0.1, 0.2, 0.3]})

    return {
        "broken": '{"data":["M",0.1,',
        "nothing but a word": "hello",
        "a list": '["M",0.1,0.2,0.3]',
        "a text": '"M"',
        "null": "null",
        "an empty object": "{}",
        "data is null": '{"data":null}',
        "data is a text": '{"data":"M,0.1,0.2,0.3"}',
        "data is a list of rows": '{"data":[["M",0.1,0.2,0.3],["F",0.1,0.2,0.3]]}',
        "data is an object": '{"data":{"sex":"M"}}',
        "an unknown key": '{"instances":[["M",0.1,0.2,0.3]]}',
        "three values of four": '{"data":["M",0.1,0.2]}',
        "a word where a number belongs": '{"data":["M","abc",0.2,0.3]}',
        "a list where a number belongs": '{"data":["M",[0.1],0.2,0.3]}',
        "an object where a number belongs": '{"data":["M",{"a":1},0.2,0.3]}',
        "true where a number belongs": '{"data":["M",true,0.2,0.3]}',
        "a null": '{"data":["M",null,0.2,0.3]}',
        "a null label": '{"data":[null,0.1,0.2,0.3]}',
        "NaN": '{"data":["M",NaN,0.2,0.3]}',
        "an integer of 5,000 digits": f'{{"data":["M",{"1" * 5000},0.2,0.3]}}',
        "10,000 brackets": f'{{"data":{nested(10_000)}}}',
        "10,000 open brackets": "[" * 10_000,
        "10,000 objects": '{"data":' * 10_000,
        "half a surrogate pair as a label": '{"data":["\\ud800",0.1,0.2,0.3]}',
        "a control character in a text": '{"data":["M\x01",0.1,0.2,0.3]}',
        "single quotes": "{'data':['M',0.1,0.2,0.3]}",
        "no UTF-8": b'{"data":["\xff\xfe",0.1,0.2,0.3]}',
        "a schema that is a text": '{"schema":"x","data":["M",0.1,0.2,0.3]}',
        "a schema without output": '{"schema":{"input":[]},"data":["M",0.1,0.2,0.3]}',
        "a schema with an unknown key": schema(more=1),
        "a schema with an unknown type": schema(input=[{"name": "sex", "type": "text"}]),
        "a schema that lacks a column": schema(input=tiny_chain.SCHEMA["input"][:3]),
        "a schema with a column twice": schema(input=[*tiny_chain.SCHEMA["input"], tiny_chain.SCHEMA["input"][0]]),
        "a schema whose answer nobody makes": schema(output={"name": "nobody", "type": "double"}),
        "a schema with an answer of another type": schema(output={"name": "features", "type": "double"}),
    }


def lines() -> dict[str, bytes | str]:
    good = '{"data":["M",0.1,0.2,0.3]}'
    return {
        "broken": '{"data":',
        "the second line is broken": f"{good}\n{{\n{good}",
        "an empty line between": f"{good}\n\n{good}",
        "line breaks only": "\n\n",
        "a line without data": f"{good}\n{{}}",
        "data is a number": '{"data":1}',
        "no rows": '{"data":[]}',
        "the second row is bad": f'{good}\n{{"data":["M","x",0.2,0.3]}}',
        "the second row is null": '{"data":[["M",0.1,0.2,0.3],null]}',
        "10,000 brackets": f'{{"data":{nested(10_000)}}}',
        "row 2,000 of 3,000 is bad": "\n".join([good] * 1999 + ['{"data":["M",0.1]}'] + [good] * 1000),
    }
