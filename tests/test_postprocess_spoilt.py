"""Spoilt files and bodies of the postprocess container: an error that says where, or an answer; nothing else."""

from __future__ import annotations

import copy
import math
import random

import pytest
import yaml

from nacre.errors import ModelError, NacreError
from nacre.handlers import postprocess_config
from nacre.handlers.postprocess import WRITTEN
from nacre.handlers.postprocess_bodies import Reader, Writer
from nacre.handlers.postprocess_rules import Compiled
from nacre.handlers.postprocess_tables import Limits, load
from nacre.share import folder

MODEL = folder("conf") / "postprocess" / "car-evaluation"
MORE = [
    {"map": "class", "to": "n", "values": {"acc": 1, "good": 2}, "otherwise": 0},
    {"clamp": {"acc": [0, 1]}},
    {"check": "acc < 2", "message": "m"},
    {"set": ["a = acc + 1", "b = upper(class)"], "when": "acc > 0", "otherwise": "a = 1"},
]
JUNK = [
    None, True, False, 0, -1, 1.5, math.nan, math.inf, 10**30, -5, 400, "", "x", "acc", "class", "double", "é", "\0",
    "a\nb", "`", "'", "a = ", "a = acc", "a = (", "acc >", "a = `acc`", "a = 1e999", "a = cast(acc as int)", "a = 0.1",
    "a = 99999999999999999999", f"a = {'(' * 50}1{')' * 50}", f"a = {'+'.join(['1'] * 6000)}", [], {}, [1], ["acc"],
    [None], [[]], [0, None], [None, None], ["a", "b"], {"a": 1}, {1: 2}, {True: 1}, {"acc": None},
]  # fmt: skip
VALUES = [None, 0.0, -0.0, 1.0, 0.5, 0.2, math.nan, math.inf]


def places(value, path=()):
    """Paths to everything inside a document."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(each, (*path, key))


def spoilt(document, chance):
    document = copy.deepcopy(document)
    *way, last = chance.choice(list(places(document)))
    inside = document
    for key in way:
        inside = inside[key]
    how = chance.random()
    if how < 0.75:
        inside[last] = copy.deepcopy(chance.choice(JUNK))
    elif how < 0.85 or not isinstance(inside, dict):
        del inside[last]
    else:
        inside[chance.choice([key for key in JUNK if not isinstance(key, (list, dict))])] = inside.pop(last)
    return document


@pytest.mark.parametrize("seed", range(4))
def test_spoilt_files(seed):
    chance = random.Random(seed)
    whole = yaml.safe_load((MODEL / "postprocess.yaml").read_text())
    whole["rules"] += MORE
    loaded = answered = 0
    for _ in range(500):
        document = spoilt(whole, chance)
        try:
            config = postprocess_config.config(document)
            tables = {name: load(table, MODEL, Limits(1000, 1 << 20)) for name, table in config.tables.items()}
            compiled = Compiled(config, tables)
        except ModelError as error:
            assert error.message
            assert str(error)
            continue
        loaded += 1
        for _ in range(5):
            row = [chance.choice(VALUES) if column.type == "double" else None for column in config.input.columns]
            try:
                rows = [compiled.function(*row)]
            except NacreError as error:
                assert error.where["node"]
                continue
            answered += 1
            for kind in WRITTEN:
                assert Writer(config.output, compiled.types).write(rows, kind)
    assert loaded > 20
    assert answered > 20


BODIES = {
    "text/csv": b'0.1,"a ""b"",\n",true\n,,\n-1e400,x,f\r\n',
    "application/json": b'{"predictions": [{"x": 0.1, "s": "a", "b": true}, [null, "", false], [1e999, "\\ud800", null]]}',
    "application/jsonlines": b'{"x": "NaN", "s": "a", "b": true}\n[null, null, null]\n',
    "application/x-parquet": b"PAR1\x15\x04\x15\x10PAR1",
}
BYTES = [
    b"",
    b"\0",
    b"\n",
    b'"',
    b",",
    b"[",
    b"{",
    b"}",
    b"]",
    b"\xff",
    b"\xef\xbb\xbf",
    b"9" * 400,
    b"[" * 100_000,
    b"e",
    b"-",
    b"\r",
]


@pytest.mark.parametrize("kind", BODIES)
def test_spoilt_bodies(kind):
    chance = random.Random(kind)
    columns = {"x": "double", "s": "string", "b": "boolean"}
    config = postprocess_config.config({"input": {"columns": columns}, "output": {"columns": list(columns)}})
    reader, compiled = Reader(config.input), Compiled(config, {})
    refused = 0
    for _ in range(600):
        body = bytearray(BODIES[kind])
        for _ in range(chance.choice((0, 1, 1, 3))):
            at = chance.randrange(len(body) + 1)
            body[at : at + chance.randrange(3)] = chance.choice(BYTES)
        try:
            rows = [compiled.function(*row) for row in reader.read(bytes(body), kind)]
        except NacreError as error:
            assert str(error)
            refused += 1
            continue
        for written in WRITTEN:
            assert Writer(config.output, compiled.types).write(rows, written)
    assert refused > 100
