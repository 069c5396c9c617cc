"""Bad bodies for the blazingtext container: a classifier of two labels."""

from __future__ import annotations

from pathlib import Path

from tests.bad import CSV, JSON, LINES, Wire, post
from tests.bad.common import broken_json

NEEDS = "fasttext"
GOOD = (JSON, b'{"instances":["nice fine"]}')
LIMIT = 8 << 20


def serve(folder: Path) -> tuple[Path, dict[str, str]]:
    from nacre.train.blazingtext import Data, train

    text = folder.parent / "text"
    text.write_text("".join(f"__label__{'good nice' if n % 2 else 'bad poor'} w{n % 5}\n" for n in range(40)))
    small = {"mode": "supervised", "vector_dim": 4, "buckets": 50, "min_count": 1, "threads": 1, "epochs": 5}
    train(Data(text), folder, small, str)
    return folder, {"MAX_CONTENT_LENGTH": str(LIMIT)}


def requests() -> dict[str, Wire]:
    tables = {"json": (JSON, broken_json() | documents()), "json lines": (LINES, lines()), "csv": (CSV, csv())}
    return {
        f"{kind}: {name}": Wire(post(body, content_type))
        for kind, (content_type, bodies) in tables.items()
        for name, body in bodies.items()
    }


def documents() -> dict[str, bytes | str]:
    return {
        "a list": '["nice"]',
        "null": "null",
        "no instances": '{"instances":[]}',
        "instances that are a text": '{"instances":"nice"}',
        "a number where a sentence belongs": '{"instances":["nice",1]}',
        "a null where a sentence belongs": '{"instances":[null]}',
        "k is zero": '{"instances":["nice"],"configuration":{"k":0}}',
        "k is a text": '{"instances":["nice"],"configuration":{"k":"2"}}',
        "k is no whole number": '{"instances":["nice"],"configuration":{"k":1.5}}',
        "configuration is a list": '{"instances":["nice"],"configuration":[1]}',
        "half a surrogate pair": '{"instances":["\\ud800"]}',
    }


def lines() -> dict[str, bytes | str]:
    good = '{"source":"nice"}'
    return {
        "the second line is broken": f"{good}\n{{\n{good}",
        "an empty line between": f"{good}\n\n{good}",
        "a line that is a list": f"{good}\n[1]",
        "no source": "{}",
        "k below zero": '{"source":"nice","k":-1}',
        "no UTF-8": b'{"source":"\xff"}',
    }


def csv() -> dict[str, bytes | str]:
    return {"a quote without its end": '"nice', "no UTF-8": b"nice \xff"}
