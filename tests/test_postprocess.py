"""The postprocess container: rules, joins, formats and checks that one YAML declares."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from nacre.errors import ModelError, NacreError, RequestError, RowError, SchemaError, SetupError
from nacre.handlers.container import Container
from nacre.handlers.postprocess_config import BASES, RULES

CSV, JSON, LINES, PARQUET = "text/csv", "application/json", "application/jsonlines", "application/x-parquet"
SCORE = {"input": {"columns": {"score": "double"}}, "output": {"columns": ["score"]}}


def handler(folder, document, env=(), **files):
    """The container of a configuration, with tables beside it: `customers_csv="…"`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
    (folder / "postprocess.yaml").write_text(text)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Container.load("postprocess", folder, dict(env)).handler


def made(folder, inputs, rules, outputs, **more):
    return handler(folder, {"input": {"columns": inputs}, "rules": rules, "output": {"columns": outputs}}, **more)


def rows(container, *given):
    """What the rules make of rows of typed values."""
    return [tuple(row) for row in container.predict(list(given))]


EXAMPLE = """
input:
  columns:
    score: {type: double, min: 0, max: 1}
    customer: {type: string, nullable: false}
tables:
  customers:
    file: customers.csv
    key: id
    columns: {id: string, segment: string, limit: double}
rules:
  - when: score > 0.5 and customer like 'C%'
    set: label = 'high'
    otherwise: label = 'low'
  - join: customers
    by: customer
    missing: {segment: unknown}
  - bands: score
    to: band
    edges: [0.3, 0.7]
    labels: [cold, warm, hot]
  - set: amount = coalesce(limit, 0D) * score
  - round: {amount: 2}
  - check: amount < 1000
    message: the amount is too large
output:
  columns: [customer, score, label, band, segment, amount]
"""
CUSTOMERS = 'id,segment,limit\nC1,gold,1000\n"C,2",silver,\n'


@pytest.fixture
def example(tmp_path):
    return handler(tmp_path, EXAMPLE, customers_csv=CUSTOMERS)


def test_the_whole_of_it(example):
    reply = example.invoke(b'0.25,C1\n0.8123,"C,2"\n0.7,X\n', CSV, None)
    assert reply == (
        b'C1,0.25,low,cold,gold,250.0\n"C,2",0.8123,high,hot,silver,0.0\nX,0.7,low,hot,unknown,0.0\n',
        "text/csv; charset=utf-8", 200, (),
    )  # fmt: skip
    reply = example.invoke(b'{"predictions": [{"customer": "C1", "score": 0.9}]}', JSON, JSON)
    assert json.loads(reply.body) == {
        "predictions": [
            {"customer": "C1", "score": 0.9, "label": "high", "band": "hot", "segment": "gold", "amount": 900.0}
        ]
    }


REFUSED = {
    "out of bounds": (b"0.5,C1\n2,C1", CSV, 400, {"row": 2, "field": "score", "node": "input"}, "at most 1", "2.0"),
    "nan is in no bounds": (b"nan,C1", CSV, 400, {"row": 1, "field": "score", "node": "input"}, "at least 0", "nan"),
    "missing": (b'{"score": 0.5}', LINES, 400, {"row": 1, "field": "customer", "node": "input"}, "a string", "None"),
    "no number": (b"0.5,C1\nx,C1", CSV, 400, {"row": 2, "field": "score"}, "a double", "x"),
    "a text for a number": (b'[["0.5", "C1"]]', JSON, 400, {"row": 1, "field": "score"}, "a double or null", "0.5"),
    "too few": (b"0.5", CSV, 400, {"row": 1}, "2: score, customer", "1"),
    "too many": (b"0.5,C1,x", CSV, 400, {"row": 1}, "2: score, customer", "1 more"),
    "unknown key": (b'{"score": 1, "customer": "C", "x": 1}', LINES, 400, {"row": 1}, "2: score, customer", "also x"),
    "a check": (b"1.0,C1", CSV, 400, {"row": 1, "field": "amount", "node": "rules[6]"}, "amount < 1000", "amount = 1000.0"),
    "empty": (b"", CSV, 400, {}, "at least one record", "none"),
    "a line break": (b"\n", CSV, 400, {"row": 1}, "a record", "nothing"),
    "an empty line first": (b"\n0.5,C1", CSV, 400, {"row": 1}, "a record", "nothing"),
    "an empty line": (b"0.5,C1\r\n\r\n0.5,C1", CSV, 400, {"row": 2}, "a record", "nothing"),
    "an empty line last": (b"0.5,C1\n\n", CSV, 400, {"row": 2}, "a record", "nothing"),
    "no csv": (b'0.5,"C1', CSV, 400, {}, "CSV as in RFC 4180", "line 1"),
    "no utf-8": (b"0.5,\xff", CSV, 400, {}, "UTF-8 text", "byte 5"),
    "no json": (b'{"score"', JSON, 400, {"field": "line 1, column 9"}, "JSON", None),
    "no json in line 2": (b'[0.5, "C1"]\n[', LINES, 400, {"row": 2}, "JSON", None),
    "no records": (b"[]", JSON, 400, {}, "at least one record", "none"),
    "no parquet": (b"PAR1", PARQUET, 400, {}, "a Parquet file", None),
    "content type": (b"x", "image/png", 415, {}, None, "image/png"),
    "no content type": (b"x", None, 415, {}, None, "None"),
    "charset": (b"x", "text/csv; charset=latin-1", 415, {}, None, "text/csv; charset=latin-1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(example, case):
    body, kind, status, where, expected, got = case
    with pytest.raises(NacreError) as caught:
        example.invoke(body, kind, None)
    error = caught.value
    assert (error.status, error.where) == (status, where)
    assert expected is None or error.expected == expected
    assert got is None or str(error.got) == got
    reply = example.failure(error, JSON)
    assert (reply.status, json.loads(reply.body)["error"]["message"]) == (status, error.message)


def test_accept(tmp_path):
    container = handler(tmp_path, SCORE)
    kinds = {
        None: CSV, "*/*": CSV, "text/*": CSV, "application/*": JSON, "application/json; q=0.5": JSON, "TEXT/CSV": CSV,
        "image/png, application/jsonlines": LINES, "application/x-ndjson": LINES, "image/png, */*": CSV,
        "text/csv;q=0, application/json": JSON, "text/csv;q=0.1, application/json;q=0.9": JSON,
    }  # fmt: skip
    for accept, kind in kinds.items():
        assert container.invoke(b"1", CSV, accept).content_type.split(";")[0] == kind
    for accept in ("image/png", PARQUET):
        with pytest.raises(RequestError) as caught:
            container.invoke(b"1", CSV, accept)
        assert caught.value.status == 406
    default = handler(tmp_path, SCORE, {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": JSON})
    assert default.invoke(b"1", CSV, "*/*").content_type == JSON
    with pytest.raises(SetupError, match="SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"):
        handler(tmp_path, SCORE, {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "image/png"})


ALL = {base: base for base in BASES}


def test_every_type_through_every_format(tmp_path):
    """CSV, JSON Lines and Parquet of the same values make the same rows, and what is written is read again."""
    container = made(tmp_path, ALL, [], list(ALL))
    values = {
        "boolean": True, "byte": -128, "short": 32767, "int": -(2**31), "long": 2**63 - 1, "float": 0.1, "double": 1e39,
        "string": 'a "b",\nc',
    }  # fmt: skip
    nothing = dict.fromkeys(BASES)
    arrays = [pa.array([values[base], None], {"boolean": pa.bool_(), "byte": pa.int8(), "short": pa.int16(),
              "int": pa.int32(), "long": pa.int64(), "float": pa.float32(), "double": pa.float64(),
              "string": pa.string()}[base]) for base in BASES]  # fmt: skip
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays, names=list(BASES)), sink)
    lines = f"{json.dumps(values)}\n{json.dumps(nothing)}\n".encode()
    first = container.invoke(sink.getvalue(), PARQUET, LINES)
    assert first.body == container.invoke(lines, LINES, LINES).body
    text = container.invoke(lines, LINES, CSV).body
    assert text == b'true,-128,32767,-2147483648,9223372036854775807,0.1,1.0E39,"a ""b"",\nc"\n,,,,,,,\n'
    again = json.loads(container.invoke(text, CSV, JSON).body)["predictions"]
    assert again == [values, nothing | {"string": ""}]  # CSV has no null text


def test_numbers_that_json_has_not(tmp_path):
    container = handler(tmp_path, SCORE)
    body = b'["NaN"]\n["-Infinity"]\n1e400\n-0.0\n[null]'
    assert container.invoke(body, LINES, CSV).body == b'NaN\n-Infinity\nInfinity\n-0.0\n""\n'
    expected = b'{"score": null}\n{"score": null}\n{"score": null}\n{"score": -0.0}\n{"score": null}\n'
    assert container.invoke(body, LINES, LINES).body == expected


def test_integers_of_json(tmp_path):
    container = made(tmp_path, {"n": "byte"}, [], ["n"])
    assert container.decode(b"[127, 1.0, null]", JSON) == [[127], [1], [None]]
    for wrong in (b"[128]", b"[1.5]", b'["1"]', b"[true]"):
        with pytest.raises(RowError):
            container.decode(wrong, JSON)


def test_records_of_other_containers(tmp_path):
    """XGBoost's JSON, BlazingText's, SparkML's JSON Lines: a path names what stands deeper."""
    columns = {"label": {"type": "string", "from": "label.0"}, "p": {"type": "double", "from": "prob.0"}}
    text = made(tmp_path, columns, [], ["label", "p"])
    assert text.invoke(b'[{"label": ["__label__a"], "prob": [0.75]}]', JSON, CSV).body == b"__label__a,0.75\n"
    features = made(tmp_path, {"b": {"type": "double", "from": "features.1"}}, [], ["b"])
    assert features.invoke(b'{"features":[1.0,2.0]}', LINES, CSV).body == b"2.0\n"
    assert features.invoke(b'{"features":[1.0]}', LINES, CSV).body == b'""\n'
    score = handler(tmp_path, SCORE)
    assert score.invoke(b'{"predictions": [{"score": 0.5}, {"score": 1}]}', JSON, CSV).body == b"0.5\n1.0\n"
    keyed = handler(
        tmp_path,
        {"input": {"columns": {"score": "double"}, "key": "rows"}, "output": {"columns": ["score"], "key": "scores"}},
    )
    assert keyed.invoke(b'{"rows": [1], "n": 1}', JSON, JSON).body == b'{"scores": [{"score": 1.0}]}'
    with pytest.raises(RequestError):
        keyed.invoke(b"[1]", JSON, JSON)


def test_vectors_in_brackets(tmp_path):
    """As XGBoost's container writes them in batch."""
    container = made(tmp_path, {"a": "double", "b": "double"}, [], ["b"])
    assert container.invoke(b"[0.25, 0.5]\r\n[1e-05, nan]\n", CSV, CSV).body == b"0.5\nNaN\n"
    text = made(tmp_path, {"a": "string", "b": "string"}, [], ["a"])
    assert text.invoke(b"[x,y]\n", CSV, CSV).body == b"[x\n"


def test_headers_of_csv(tmp_path):
    document = {
        "input": {
            "columns": {"a": "double", "b": {"type": "string", "from": "B b"}},
            "header": True,
            "extra": "ignore",
        },
        "output": {"columns": {"x,y": {"from": "b"}, "a": None}, "header": True},
    }
    container = handler(tmp_path, document)
    assert container.invoke(b"z,B b,a\n1,t,2\n", CSV, CSV).body == b'"x,y",a\nt,2.0\n'
    with pytest.raises(SchemaError, match="B b once in the header"):
        container.invoke(b"a\n1", CSV, CSV)
    with pytest.raises(RowError, match="too few fields"):
        container.invoke(b"a,B b\n1", CSV, CSV)
    with pytest.raises(RequestError, match="no records"):
        container.invoke(b"a,B b\n", CSV, CSV)


# rules


def test_when_and_otherwise(tmp_path):
    rules = [
        {"when": "x > 1", "set": ["y = 'big'", "z = x * 2"], "otherwise": {"y": "concat('not ', 'big')"}},
        {"when": "y = 'big'", "set": {"x": 0, "flag": True}},
    ]
    container = made(tmp_path, {"x": "double"}, rules, ["x", "y", "z", "flag"])
    assert rows(container, [2.0], [1.0], [None]) == [
        (0.0, "big", 4.0, True), (1.0, "not big", None, None), (None, "not big", None, None),
    ]  # fmt: skip


def test_what_spark_4_refuses_and_spark_3_does_not(tmp_path):
    document = {"input": {"columns": {"n": "int"}}, "rules": [{"set": "m = 10 / n"}], "output": {"columns": ["m"]}}
    with pytest.raises(RowError) as caught:
        rows(handler(tmp_path, document), [5], [0])
    assert caught.value.where == {"node": "rules[1]", "row": 2, "field": "m"}
    assert rows(handler(tmp_path, document | {"ansi": False}), [5], [0]) == [(2.0,), (None,)]


def test_map(tmp_path):
    by_index = {"map": "i", "to": "label", "values": {0: "low", 1: 'a "quoted", one', 2: None}}
    container = made(tmp_path, {"i": "double"}, [by_index], ["label"])
    assert rows(container, [0.0], [1.0], [2.0], [None]) == [("low",), ('a "quoted", one',), (None,), (None,)]
    with pytest.raises(RowError) as caught:
        rows(container, [0.0], [3.0])
    assert (caught.value.expected, caught.value.got, caught.value.where["row"]) == ("0, 1, 2", 3.0, 2)
    other = made(tmp_path, {"s": "string"}, [{"map": "s", "values": {"a": 1, "b": 2.5}, "otherwise": -1}], ["s"])
    assert rows(other, ["a"], ["b"], ["c"], [None]) == [(1.0,), (2.5,), (-1.0,), (-1.0,)]


def test_bands(tmp_path):
    rule = {"bands": "x", "to": "b", "edges": [0, 1], "labels": ["neg", "unit", "big"]}
    container = made(tmp_path, {"x": "double"}, [rule], ["b"])
    given = [-1.0, -0.0, 0.5, 1.0, math.nan, None, -math.inf]
    assert [b for (b,) in rows(container, *([x] for x in given))] == ["neg", "unit", "unit", "big", "big", None, "neg"]


def test_best(tmp_path):
    rule = {"best": ["a", "b", "c"], "index": "i", "value": "v", "label": "l", "labels": ["x", "y", "z"]}
    container = made(tmp_path, dict.fromkeys("abc", "double"), [rule], ["i", "v", "l"])
    assert rows(container, [1.0, 3.0, 3.0], [None, -1.0, None], [None] * 3) == [
        (1, 3.0, "y"), (1, -1.0, "y"), (None, None, None),
    ]  # fmt: skip
    assert rows(container, [1.0, math.nan, math.inf])[0][::2] == (1, "y")
    named = made(tmp_path, dict.fromkeys("abc", "int"), [{"best": ["b", "a"], "label": "l"}], ["l"])
    assert rows(named, [1, 2, 3]) == [("b",)]


def test_clamp_and_round(tmp_path):
    rules = [{"clamp": {"x": [0, 1.5], "n": [None, 10]}}, {"round": {"x": 1, "n": -1}}]
    container = made(tmp_path, {"x": "double", "n": "int"}, rules, ["x", "n"])
    assert rows(container, [-1.0, 4], [0.25, 15], [9.0, 5], [None, None]) == [
        (0.0, 0), (0.3, 10), (1.5, 10), (None, None),
    ]  # fmt: skip


def test_join(tmp_path):
    table = {
        "t": {
            "file": "t.jsonl",
            "key": ["k", "n"],
            "columns": {"k": "string", "n": "long", "v": "double", "w": "string"},
        }
    }
    text = '{"k": "a", "n": 1, "v": 1, "w": "x"}\n{"k": "a", "n": 2, "w": null}\n'
    document = {
        "input": {"columns": {"k": "string", "m": "int"}}, "tables": table, "output": {"columns": ["v", "found"]},
        "rules": [{"join": "t", "by": {"k": "k", "n": "m"}, "take": {"v": "v", "found": "w"}, "missing": {"found": "none"}}],
    }  # fmt: skip
    container = handler(tmp_path, document, t_jsonl=text)
    assert rows(container, ["a", 1], ["a", 2], ["a", 3], [None, 1]) == [
        (1.0, "x"),
        (None, None),
        (None, "none"),
        (None, "none"),
    ]
    document["rules"][0]["missing"] = "refuse"
    with pytest.raises(RowError) as caught:
        rows(handler(tmp_path, document), ["a", 1], ["b", 1])
    assert (caught.value.expected, caught.value.where) == (
        "a key of the table t",
        {"node": "rules[1]", "row": 2, "field": "k, n"},
    )


def test_a_parquet_table_has_its_own_types(tmp_path):
    sink = io.BytesIO()
    pq.write_table(pa.table({"k": pa.array([1, 2], pa.int32()), "v": [0.5, None], "other": [[1], [2]]}), sink)
    document = {
        "input": {"columns": {"k": "long"}}, "tables": {"t": {"file": "t.parquet", "key": "k"}},
        "rules": [{"join": "t"}], "output": {"columns": ["v"]},
    }  # fmt: skip
    assert rows(handler(tmp_path, document, t_parquet=sink.getvalue()), [1], [2], [3]) == [(0.5,), (None,), (None,)]


def test_checks_of_what_goes_out(tmp_path):
    column = {"values": ["a", "b"], "pattern": "[a-z]+", "max_length": 1, "nullable": False}
    container = made(tmp_path, {"s": "string"}, [], {"s": column})
    assert rows(container, ["a"]) == [("a",)]
    with pytest.raises(RowError) as caught:
        rows(container, ["c"])
    assert (caught.value.expected, caught.value.where["node"]) == ("one of a, b", "output")
    with pytest.raises(RowError, match="a value is missing"):
        rows(container, [None])


# batch


def test_typed_columns(tmp_path):
    container = made(tmp_path, {"x": "double", "s": "string"}, [], ["s", "x"])
    table = pa.table(
        {"x": pa.array([1, None], pa.int32()), "s": pa.array(["a", "b"]).dictionary_encode(), "more": [1, 2]}
    )
    array = container.to_array(container.predict(container.from_table(table)))
    assert array.to_pylist() == [{"s": "a", "x": 1.0}, {"s": "b", "x": None}]
    one = made(tmp_path, {"x": "double"}, [], ["x"])
    assert one.to_array(one.predict(one.from_table(table))).equals(pa.array([1.0, None], pa.float64()))
    empty = one.to_array(one.predict(one.from_table(table.slice(0, 0))))
    assert (len(empty), empty.type) == (0, pa.float64())
    with pytest.raises(SchemaError, match="a column s"):
        container.from_table(table.select(["x"]))
    with pytest.raises(SchemaError, match="another type"):
        one.from_table(pa.table({"x": ["a"]}))


def test_numbers_are_handed_over_only_where_the_text_is_these_numbers(tmp_path):
    doubles = handler(tmp_path, SCORE)
    assert doubles.hand_over([(0.5,), (math.inf,)]).tolist() == [[0.5], [math.inf]]
    assert doubles.hand_over([(None,)]) is None
    assert doubles.take_over(np.array([[0.5]])) == [[0.5]]
    for error in (lambda: doubles.take_over(np.array([[0.5, 1.0]])), lambda: doubles.decode(b"0.5,1.0", CSV)):
        with pytest.raises(RowError, match="fields that are not declared: expected 1: score, got 1 more, at row 1"):
            error()
    mixed = made(tmp_path, {"x": "double", "n": "int"}, [], ["x", "n"])
    assert mixed.hand_over([(0.5, 1)]) is None
    assert mixed.take_over(np.array([[0.5, 1.0]])) is None


# what is refused at the load

BAD = {
    "no mapping": ("[]", "not a mapping", ""),
    "not yaml": ("input: [", "not YAML", ""),
    "a tag": ("input: !!python/object:os.system {}\noutput: {columns: [a]}", "not YAML", ""),
    "a key twice": ("input: 1\ninput: 2", "a key stands twice", ""),
    "an alias": ("input: &a {columns: {x: double}}\noutput: *a", "an alias in the file", ""),
    "unknown key": ("inputs: 1\ninput: {columns: {x: double}}\noutput: {columns: [x]}", "unknown key", "inputs"),
    "no output": ("input: {columns: {x: double}}", "missing", "output"),
    "no columns": ("input: {columns: {}}\noutput: {columns: [x]}", "a wrong number of columns", "input.columns"),
    "no type": ("input: {columns: {x: number}}\noutput: {columns: [x]}", "no such type", "input.columns.x.type"),
    "case": ("input: {columns: {x: double, X: double}}\noutput: {columns: [x]}", "two columns that differ", "input.columns.X"),
    "no field": ("input: {columns: {x: double}}\noutput: {columns: [y]}", "no such field", "output.columns.y"),
    "another type": ("input: {columns: {x: double}}\noutput: {columns: {x: string}}", "the field has another type", "output.columns.x.type"),
    "a check that does not fit": ("input: {columns: {x: {type: string, min: 1}}}\noutput: {columns: [x]}", "a check that a string cannot have", "input.columns.x.min"),
    "a slow pattern": ("input: {columns: {x: {type: string, pattern: '(a+)+'}}}\noutput: {columns: [x]}", "a pattern that some texts can hold up", "input.columns.x.pattern"),
    "no pattern": ("input: {columns: {x: {type: string, pattern: '('}}}\noutput: {columns: [x]}", "not a regular expression", "input.columns.x.pattern"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_bad_file(tmp_path, case):
    text, message, where = case
    with pytest.raises(ModelError) as caught:
        handler(tmp_path, text)
    assert message in caught.value.message
    assert caught.value.where.get("field", "") == where
    assert caught.value.where["file"] == "postprocess.yaml"


BAD_RULES = {
    "two kinds": ({"map": "x", "round": {"x": 1}}, "not a rule", "rules[1]"),
    "unknown key": ({"set": "y = 1", "then": "y = 2"}, "unknown key", "rules[1].then"),
    "boolean key": ({"map": "s", "values": {True: "a"}}, "a key of another type", "rules[1].values"),
    "no sql": ({"set": "y = x +"}, "an expression that is not offered", "rules[1].set"),
    "more than an expression": ({"set": "y = x) or (x"}, "an expression that is not offered", "rules[1].set"),
    "unknown column": ({"set": "y = z"}, "an expression that is not offered", "rules[1].set"),
    "unknown function": ({"set": "y = system('x')"}, "an expression that is not offered", "rules[1].set"),
    "types that do not go together": ({"set": "y = x + s"}, "an expression that is not offered", "rules[1].set"),
    "a null without a type": ({"set": "y = null"}, "a field without a type", "rules[1].set.y"),
    "no assignment": ({"set": "y"}, "not an assignment", "rules[1].set"),
    "another case": ({"set": "X = 1"}, "not a name for a field", "rules[1].set.X"),
    "no condition": ({"when": "x + 1", "set": "y = 1"}, "not a condition", "rules[1].when"),
    "otherwise to nothing": ({"set": "y = 1", "otherwise": "y = 2"}, "no condition", "rules[1].otherwise"),
    "labels of two types": ({"map": "s", "values": {"a": "b", "c": 1}}, "values of several types", "rules[1].values"),
    "edges": ({"bands": "x", "to": "y", "edges": [1, 1], "labels": [1, 2, 3]}, "not usable", "rules[1].edges"),
    "labels": ({"bands": "x", "to": "y", "edges": [1], "labels": ["a"]}, "a wrong number of labels", "rules[1].labels"),
    "best of texts": ({"best": ["x", "s"], "index": "i"}, "the field s has another type", "rules[1].best"),
    "best of nothing": ({"best": ["x"], "index": "i"}, "not usable", "rules[1].best"),
    "bounds": ({"clamp": {"x": [2, 1]}}, "bounds in the wrong order", "rules[1].clamp.x"),
    "digits": ({"round": {"x": 1.5}}, "not usable", "rules[1].round.x"),
    "no table": ({"join": "t"}, "no such table", "rules[1].join"),
    "no check": ({"check": "x"}, "not a condition", "rules[1].check"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_RULES.values(), ids=BAD_RULES)
def test_a_bad_rule(tmp_path, case):
    rule, message, where = case
    with pytest.raises(ModelError) as caught:
        made(tmp_path, {"x": "double", "s": "string"}, [rule], ["x"])
    assert message in caught.value.message
    assert caught.value.where["field"] == where
    assert caught.value.expected is not None


def test_every_rule_has_a_bad_one():
    assert {next(kind for kind in RULES if kind in rule) for rule, _, _ in BAD_RULES.values()} == set(RULES)


TABLE = {"file": "t.csv", "key": "k", "columns": {"k": "string", "v": "double"}}
BAD_TABLES = {
    "outside": (TABLE | {"file": "../t.csv"}, "", "a file outside the model"),
    "absolute": (TABLE | {"file": "/etc/passwd"}, "", "a file outside the model"),
    "none": (TABLE | {"file": "u.csv"}, "", "no such file"),
    "format": (TABLE | {"file": "postprocess.yaml"}, "", "unknown format"),
    "no types": ({"file": "t.csv", "key": "k"}, "k,v\n", "missing"),
    "no key": (TABLE | {"key": "z"}, "k,v\n", "no such column"),
    "a key of doubles": (TABLE | {"key": "v"}, "k,v\n", "a type that cannot be looked up"),
    "no column": (TABLE, "k\na\n", "no such column"),
    "a key twice": (TABLE, "k,v\na,1\na,2\n", "a key stands twice"),
    "a number": (TABLE, "k,v\na,x\n", "a value of another type"),
    "fields": (TABLE, "k,v\na,1,2\n", "another number of fields"),
    "rows": (TABLE, "k,v\na,1\nb,1\nc,1\nd,1\n", "too many rows"),
    "bytes": (TABLE, "k,v\n" + "a" * (1 << 20), "the table is too large"),
}


@pytest.mark.parametrize("case", BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_bad_table(tmp_path, case):
    table, text, message = case
    with pytest.raises(ModelError) as caught:
        handler(
            tmp_path, SCORE | {"tables": {"t": table}}, {"NACRE_TABLE_ROWS": "3", "NACRE_TABLE_MB": "1"}, t_csv=text
        )
    assert message in caught.value.message
    assert caught.value.where["file"] in ("postprocess.yaml", "t.csv")


def test_a_link_out_of_the_model_is_not_followed(tmp_path):
    (tmp_path / "secret.csv").write_text("k,v\na,1\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "t.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(ModelError, match="no such file in the model"):
        handler(tmp_path / "model", SCORE | {"tables": {"t": TABLE}})


def test_no_file(tmp_path):
    with pytest.raises(
        ModelError, match=r"no postprocess.yaml in the model: expected a file postprocess.yaml, got a.txt"
    ):
        (tmp_path / "a.txt").touch()
        Container.load("postprocess", tmp_path, {})


def test_texts_of_the_file_are_never_source(tmp_path):
    """Names, labels and messages full of code do nothing."""
    evil = '\'); raise SystemExit(1)#\n"""{0}'
    rules = [
        {"map": evil[:20], "to": "y", "values": {evil: evil}, "otherwise": evil},
        {"check": "y is not null", "message": evil},
    ]
    container = made(tmp_path, {evil[:20]: "string"}, rules, {evil[:10]: {"from": "y", "values": [evil]}})
    assert rows(container, [evil], ["x"]) == [(evil,), (evil,)]
