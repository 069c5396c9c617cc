"""CSV and JSON as requests bring them; Python's own csv and json modules are the oracles where the formats agree."""

from __future__ import annotations

import csv as python_csv
import io
import json as python_json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.formats import csv, json

FIELD = st.text(alphabet=st.sampled_from('ab,"\r\n é\t0'), max_size=6)
RECORDS = st.lists(st.lists(FIELD, min_size=1, max_size=4).filter(lambda record: record != [""]), max_size=5)


@given(RECORDS, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
@settings(max_examples=400)
def test_well_formed_csv_reads_as_python_reads_it(records: list[list[str]], end: str, quote_all: bool) -> None:
    out = io.StringIO(newline="")
    quoting = python_csv.QUOTE_ALL if quote_all else python_csv.QUOTE_MINIMAL
    python_csv.writer(out, lineterminator=end, quoting=quoting).writerows(records)
    text = out.getvalue()
    read = [record for record in python_csv.reader(io.StringIO(text, newline=""), strict=True) if record]
    assert csv.records(text) == read
    assert csv.records(text.removesuffix(end)) == read
    if quote_all:  # its writer leaves some lone line breaks without quotes
        assert csv.records(text, keep_empty=True) == read == records


@pytest.mark.parametrize(
    "text, records",
    [
        ("", []),
        ("\n\r\n\r", []),
        ("a", [["a"]]),
        (" a , b ", [[" a ", " b "]]),
        ("a,", [["a", ""]]),
        (",", [["", ""]]),
        ('""', [[""]]),
        ('"a""b"', [['a"b']]),
        ('a"b,c""', [['a"b', 'c""']]),
        (' "a"', [[' "a"']]),
        ('"a" \t,b', [["a", "b"]]),
        ('"a"\x0b\n"b"', [["a"], ["b"]]),
        ('"a,\r\nb",c', [["a,\r\nb", "c"]]),
        ("\n\na\n\n\nb\n\n", [["a"], ["b"]]),
        ("a\rb\r\nc", [["a"], ["b"], ["c"]]),
        ("a\x0bb\x1c\u2028c\x85", [["a\x0bb\x1c\u2028c\x85"]]),
        ("\ufeffa", [["\ufeffa"]]),
    ],
)
def test_csv_records(text: str, records: list[list[str]]) -> None:
    assert csv.records(text) == records


@pytest.mark.parametrize(
    "text, records",
    [
        ("\n\na\n\n\nb\n\n", [["a"], [], [], ["b"]]),
        ('\n"a"\r\n\r\nb\n', [["a"], [], ["b"]]),
        ('"a\n\nb"\nc', [["a\n\nb"], ["c"]]),
        ("\n", []),
    ],
)
def test_empty_lines_between_records_can_be_seen(text: str, records: list[list[str]]) -> None:
    assert csv.records(text, keep_empty=True) == records


@pytest.mark.parametrize(
    "text, message, line",
    [
        ('"a', "(startline 1) EOF reached before encapsulated token finished", 1),
        ('x\r\n\r\ny,"a\nb', "(startline 3) EOF reached before encapsulated token finished", 3),
        ('"a"b', "(line 1) invalid char between encapsulated token and delimiter", 1),
        ('"a\nb" c', "(line 2) invalid char between encapsulated token and delimiter", 2),
        ('"a"\xa0', "(line 1) invalid char between encapsulated token and delimiter", 1),
    ],
)
def test_broken_csv_names_the_line(text: str, message: str, line: int) -> None:
    with pytest.raises(csv.CsvError) as caught:
        csv.records(text)
    assert (str(caught.value), caught.value.line) == (message, line)


@given(st.text(alphabet=st.sampled_from('a,"\n\r '), max_size=12))
def test_any_text_is_records_or_an_error(text: str) -> None:
    found = records_or_line(text)
    if isinstance(found, int):
        assert '"' in text
        assert 1 <= found <= 1 + text.count("\n") + text.count("\r")
    else:
        assert all(found)


def records_or_line(text: str) -> list[list[str]] | int:
    """The records, or the line of the error."""
    try:
        return csv.records(text)
    except csv.CsvError as error:
        return error.line


def test_broken_utf_8_is_replaced() -> None:
    assert csv.decode(b"\xe9\xffx\xe2\x82") == "\ufffd\ufffdx\ufffd"


# JSON

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 is not 1.0."""
    return bool(repr(one) == repr(other))


@given(VALUES, st.sampled_from(["", " ", "\n", " x", "{", "]"]))
@settings(max_examples=300)
def test_json_reads_as_python_reads_it(value: Any, rest: str) -> None:
    for ascii_only in (True, False):
        text = python_json.dumps(value, ensure_ascii=ascii_only)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            text += " "  # what follows must not look like more digits
        body = (text + rest).encode("utf-8", "surrogatepass")
        assert same(json.loads(body), value)
        assert same(json.loads_text(text + rest), value)


@pytest.fixture(params=["orjson", "standard library"])
def both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With orjson and without: the same answers."""
    if request.param == "orjson":
        pytest.importorskip("orjson")
    else:
        monkeypatch.setattr(json, "orjson", None)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    "body, value",
    [
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":1} and more', {"a": 1}),
        (b'\t\r\n [1]{"', [1]),
        (b"[1e400,-1e400]", [math.inf, -math.inf]),
        (b"[12345678901234567890123]", [12345678901234567890123]),
        (b"[18446744073709551616, 0.1000000000000000055]", [18446744073709551616, 0.1]),
        (b"[1.0, 1, -0, -0.0, 1E2]", [1.0, 1, 0, -0.0, 100.0]),
        (b'["\\ud800"]', ["\ud800"]),
        (b'["\\u00e9\xc3\xa9"]', ["éé"]),
        (b"\xef\xbb\xbf[1]", [1]),
        ("[1]".encode("utf-16"), [1]),
        ("[1]".encode("utf-32-le"), [1]),
        (b"null", None),
    ],
)
def test_what_json_is_read(body: bytes, value: Any) -> None:
    assert same(json.loads(body), value)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    "body, place",
    [
        (b"", "line 1, column 0"),
        (b" \n", "line 1, column 0"),
        (b"[1,]", "line 1, column 4"),
        (b'{"a":01}', "line 1, column 7"),
        (b'{\n"a": }', "line 2, column 6"),
        (b"{'a':1}", "line 1, column 2"),
        (b"[.5]", "line 1, column 2"),
        (b"[+5]", "line 1, column 2"),
        (b"[5.]", "line 1, column 3"),
        (b'["a\nb"]', "line 1, column 4"),
        (b"//c\n[1]", "line 1, column 1"),
        (b"[1", "line 1, column 3"),
        (b"[NaN]", None),
        (b"[-Infinity]", None),
        (b'["\xff"]', None),
        (b"[" * 100_000, None),
        (b"[" + b"1" * 5000 + b"]", None),
    ],
)
def test_what_json_is_refused(body: bytes, place: str | None) -> None:
    with pytest.raises(json.JsonError) as caught:
        json.loads(body)
    assert str(caught.value)
    if place != "line 1, column 4" or body != b"[1,]":  # Python 3.13 moved this column
        assert caught.value.place() == place


def test_json_lines() -> None:
    assert json.lines(b'{"a":1}\r\n{"a":2}\n\n') == ['{"a":1}', '{"a":2}']
    assert json.lines(b"a\n\nb\rc") == ["a", "", "b\rc"]
    assert json.lines(b"\n\n") == []
    assert json.lines(b"\xff") == ["\ufffd"]


@given(st.text())
def test_quoted_text_reads_back(text: str) -> None:
    assert python_json.loads(json.quoted(text)) == text


def test_quoted_text_escapes_as_jackson_does() -> None:
    assert json.quoted('a"\\/\n\t\b\f\r\x1f\x7fé\u2028') == '"a\\"\\\\/\\n\\t\\b\\f\\r\\u001F\x7fé\u2028"'
