"""Bad requests to the containers that run scripts: each has its status, its sentence, its place, and one line in the log.

A script's table is sent to a model without any function of the user but model_fn; scikit-learn's own is below it.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression

from tests.scripts import SUMS, model, serving

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
NPY, PARQUET = "application/x-npy", "application/x-parquet"
MOST = 1_000_000


def npy(values: Any, pickled: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, values, allow_pickle=pickled)
    return out.getvalue()


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


class Bad(NamedTuple):
    """A request and what comes of it; `where` is what the error names beside the container."""

    body: bytes
    content_type: str | None
    status: int
    said: str
    where: str | None = None
    accept: str | None = None


READING: dict[str, Bad] = {
    # types
    "unknown type": Bad(b"1,2", "text/html", 415, "Content type text/html is not supported by this framework"),
    "no type is JSON": Bad(b"1,2", None, 400, "the body is no JSON"),
    "a blank type is none": Bad(b"1,2", " ", 400, "the body is no JSON"),
    "broken type": Bad(b"1,2", ";;;", 415, "is not supported"),
    "xml": Bad(b"<a/>", "application/xml", 415, "Content type application/xml"),
    "libsvm": Bad(b"1 0:1", "text/libsvm", 415, "Content type text/libsvm"),
    "recordio": Bad(b"\n\x23\xd7\xce", "application/x-recordio-protobuf", 415, "is not supported"),
    "npz": Bad(b"PK", "application/x-npz", 415, "is not supported"),
    "octets": Bad(b"\0\1", "application/octet-stream", 415, "is not supported"),
    "form": Bad(b"a=1", "application/x-www-form-urlencoded", 415, "is not supported"),
    "multipart": Bad(b"--x--", "multipart/form-data; boundary=x", 415, "is not supported"),
    "unknown charset": Bad(b"1,2", "text/csv; charset=klingon", 415, "unknown charset"),
    "unknown accept": Bad(b"1,2", CSV, 406, "Content type text/html is not supported by this framework", None, "text/html"),
    "accept of several": Bad(b"1,2", CSV, 406, "is not supported", None, "text/html, image/png;q=0.5"),
    "accept with q=0": Bad(b"1,2", CSV, 406, "is not supported", None, "text/csv;q=0"),
    "accept with broken q": Bad(b"1,2", CSV, 406, "is not supported", None, "text/csv;q=x"),
    "accept of a family": Bad(b"1,2", CSV, 406, "is not supported", None, "image/*"),
    "both unknown": Bad(b"1,2", "a/b", 415, "Content type a/b", None, "c/d"),
    # CSV
    "empty": Bad(b"", CSV, 400, "no rows"),
    "blank lines": Bad(b"\n\r\n\n", CSV, 400, "no rows"),
    "fewer fields": Bad(b"1,2\n3", CSV, 400, "a row of another width", "row 2"),
    "more fields": Bad(b"1,2\n3,4\n5,6,7", CSV, 400, "a row of another width", "row 3"),
    "a comma at the end": Bad(b"1,2\n3,4,", CSV, 400, "a row of another width", "row 2"),
    "open quote": Bad(b'"1,2', CSV, 400, "the body is no CSV"),
    "text after a quote": Bad(b'"1"x,2', CSV, 400, "the body is no CSV"),
    "not UTF-8": Bad(b"1,\xff", CSV, 400, "the body is not utf-8"),
    "not UTF-16": Bad(b"1,2\n", "text/csv; charset=utf-16-le-x", 415, "unknown charset"),
    "half a character of UTF-16": Bad(b"1\x00,", "text/csv; charset=utf-16-le", 400, "the body is not utf-16-le"),
    "not ASCII": Bad("é,1".encode(), "text/csv; charset=ascii", 400, "the body is not ascii"),
    "no codec of texts": Bad(b"1,2", "text/csv; charset=hex", 415, "unknown charset"),
    # JSON
    "empty JSON": Bad(b"", JSON, 400, "the body is no JSON"),
    "blank JSON": Bad(b"  \n", JSON, 400, "the body is no JSON"),
    "truncated JSON": Bad(b"[[1,2],[3,", JSON, 400, "the body is no JSON"),
    "two documents": Bad(b"[[1,2]] [[3,4]]", JSON, 400, "the body is no JSON"),
    "single quotes": Bad(b"{'a': 1}", JSON, 400, "the body is no JSON"),
    "CSV as JSON": Bad(b"a,b", JSON, 400, "the body is no JSON"),
    "too deep": Bad(b"[" * 100_000, JSON, 400, "the body is no JSON"),
    "a long number": Bad(b"1" * 5000, JSON, 400, "the body is no JSON"),
    "binary as JSON": Bad(bytes(range(128, 256)), JSON, 400, "the body is not utf-8"),
    "no row": Bad(b"[]", JSON, 400, "no rows"),
    "no instance": Bad(b'{"instances": []}', JSON, 400, "no rows"),
    "ragged": Bad(b"[[1,2],[3]]", JSON, 400, "a row of another width", "row 2"),
    "ragged instances": Bad(b'{"instances": [[1],[2],[3,4]]}', JSON, 400, "a row of another width", "row 3"),
    "mixed rows": Bad(b"[[1,2],3]", JSON, 400, "rows of several shapes"),
    "lists and objects": Bad(b'[[1],{"a":1}]', JSON, 400, "rows of several shapes"),
    "other columns": Bad(b'[{"a":1},{"a":1,"b":2}]', JSON, 400, "a row with other columns", "row 2"),
    "one features only": Bad(b'[{"features":[1,2]},{"features":[1]}]', JSON, 400, "a row of another width", "row 2"),
    # JSON Lines
    "empty lines": Bad(b"", LINES, 400, "no rows"),
    "a broken line": Bad(b"[1,2]\n[1,", LINES, 400, "a line is no JSON", "row 2"),
    "a blank line between": Bad(b"[1,2]\n\n[3,4]", LINES, 400, "a line is no JSON", "row 2"),
    "ragged lines": Bad(b"[1,2]\n[3,4,5]\n", LINES, 400, "a row of another width", "row 2"),
    "mixed lines": Bad(b'[1,2]\n{"a":3}\n', LINES, 400, "rows of several shapes"),
    "binary lines": Bad(b"\xff\xfe\n", LINES, 400, "the body is not utf-8"),
    # NPY
    "empty NPY": Bad(b"", NPY, 400, "the body is no NPY"),
    "truncated NPY": Bad(npy(np.ones((3, 2)))[:-5], NPY, 400, "the body is no NPY"),
    "head of NPY": Bad(b"\x93NUMPY", NPY, 400, "the body is no NPY"),
    "objects in NPY": Bad(npy(np.array([{}], dtype=object), pickled=True), NPY, 400, "the body is no NPY"),
    "a zip as NPY": Bad(b"PK\x03\x04" + bytes(50), NPY, 400, "the body is no NPY"),
    "a pickle as NPY": Bad(b"\x80\x04N.", NPY, 400, "the body is no NPY"),
    "a lying head": Bad(npy(np.ones(2)).replace(b"(2,)", b"(9,)"), NPY, 400, "the body is no NPY"),
    # Parquet
    "empty Parquet": Bad(b"", PARQUET, 400, "the body is no Parquet"),
    "head of Parquet": Bad(b"PAR1", PARQUET, 400, "the body is no Parquet"),
    "truncated Parquet": Bad(parquet(a=[1.0, 2.0])[:-9], PARQUET, 400, "the body is no Parquet"),
    "CSV as Parquet": Bad(b"1,2\n3,4\n", PARQUET, 400, "the body is no Parquet"),
    "no row in Parquet": Bad(parquet(a=pa.array([], pa.float64())), PARQUET, 400, "no rows"),
    "vectors of several sizes": Bad(parquet(features=[[1.0], [1.0, 2.0]]), PARQUET, 400, "vectors of different sizes", "row 2, field features"),
    "a null vector": Bad(parquet(features=[[1.0], None]), PARQUET, 400, "no features", "row 2, field features"),
    # size
    "too large": Bad(b"1,2\n" * (MOST // 4 + 1), CSV, 413, "Request Entity Too Large"),
}  # fmt: skip
SCRIPT = READING | {
    "texts": Bad(b"a,b", CSV, 500, "predict failed"),
    "an object": Bad(b'{"a": "x"}', JSON, 500, "predict failed"),
    "a number alone": Bad(b"7", JSON, 200, "[7.0]"),
    "NaN, as Python writes it": Bad(b"[[NaN, 1], [2, null]]", JSON, 200, "[null, null]"),
}
SCIKIT = READING | {
    "texts": Bad(b"1,b", CSV, 400, "not a number", "row 1, field column 2"),
    "a header": Bad(b"a,b\n1,2", CSV, 400, "not a number", "row 1, field column 1"),
    "a text in JSON": Bad(b'[[1,2],[3,"x"]]', JSON, 400, "not a number", "row 2, field column 2"),
    "nested too deep": Bad(b"[[[1]],[[2]]]", JSON, 400, "another shape"),
    "too few": Bad(b"1", CSV, 400, "another number of columns"),
    "too many": Bad(b"1,2,3", CSV, 400, "another number of columns"),
    "missing": Bad(b"1,", CSV, 400, "the model refuses these rows"),
    "null": Bad(b"[[1,null]]", JSON, 400, "the model refuses these rows"),
    "NaN in JSON": Bad(b"[[NaN, 1]]", JSON, 400, "the model refuses these rows"),
    "infinite": Bad(b"1,inf", CSV, 400, "the model refuses these rows"),
    "beyond float32": Bad(b"1,1e39", CSV, 400, "the model refuses these rows"),
    "a column is lacking": Bad(b'{"a": 1}\n{"a": 2}', LINES, 400, "columns are missing", "field b"),
    "Parquet lacks one": Bad(parquet(a=[1.0]), PARQUET, 400, "columns are missing", "field b"),
    "dates": Bad(parquet(a=pa.array([1], pa.timestamp("ns")), b=[1.0]), PARQUET, 400, "the model refuses these rows"),
    "complex NPY": Bad(npy(np.ones((1, 2), complex)), NPY, 400, "the model refuses these rows"),
    "a cube": Bad(npy(np.ones((1, 2, 2))), NPY, 400, "another shape"),
}


class Answer(NamedTuple):
    status: int
    content_type: str | None
    body: bytes


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Answer], dict[str, list[str]]]]:
    """Of each kind: the answer to each bad request, and the lines that it left in the log."""
    folder = tmp_path_factory.mktemp("models")
    model(folder / "script", SUMS)
    (folder / "scikit-learn").mkdir()
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [1.0, 0.0, 1.0]})
    joblib.dump(LinearRegression().fit(frame, [1.0, 2.0, 3.0]), folder / "scikit-learn" / "model.joblib")
    env = {"NACRE_ALLOW_PICKLE": "true", "MAX_CONTENT_LENGTH": str(MOST)}
    found = {}
    for kind, table in TABLES.items():
        with serving(kind, folder / kind, env) as call:
            given = {name: Answer(*call(bad.body, bad.content_type, bad.accept)) for name, bad in table.items()}
            assert call(b"1,2", accept=CSV)[0] == 200
        found[kind] = (given, logged(call.log, table))
    return found


def logged(log: str, table: dict[str, Bad]) -> dict[str, list[str]]:
    """The lines between one request's answer and the next's."""
    lines = iter(log.splitlines())
    assert "listening on" in next(lines)
    found: dict[str, list[str]] = {}
    for name, bad in table.items():
        found[name] = list(until(lines, bad.status)) if bad.status != 200 else []
    assert list(lines) == []
    return found


def until(lines: Iterator[str], status: int) -> Iterator[str]:
    for line in lines:
        yield line
        if re.match(rf"nacre [a-z-]+: {status} POST '/invocations' \w+Error", line):
            return
    raise AssertionError(f"no line of status {status}")


TABLES = {"script": SCRIPT, "scikit-learn": SCIKIT}
CASES = [(kind, name) for kind, table in TABLES.items() for name in table]


def test_the_tables_are_long() -> None:
    assert all(len(table) >= 60 for table in TABLES.values())


@pytest.mark.parametrize("kind, name", CASES)
def test_a_bad_request(answers: Any, kind: str, name: str) -> None:
    bad = TABLES[kind][name]
    given, log = answers[kind]
    answer = given[name]
    assert (answer.status, answer.content_type) == (bad.status, JSON), answer.body[:300]
    if bad.status == 200:
        assert answer.body.decode() == bad.said
        return
    error = json.loads(answer.body)["error"]
    assert bad.said in error["message"]
    where = dict(error["where"])
    assert where.pop("container") == kind
    if bad.where is not None:
        assert ", ".join(f"{key} {value}" for key, value in where.items()) == bad.where
    assert b"Traceback" not in answer.body
    *trace, last = log[name]
    assert last.startswith(f"nacre {kind}: {bad.status} POST '/invocations' {error['type']}")
    assert bool(trace) == (bad.status == 500), trace
    assert len(answer.body) < 2000


def test_requests_that_are_no_http(tmp_path: Path) -> None:
    """A client that is slow, goes away, lies about the length or sends a huge header; the next one is served."""
    with serving("script", model(tmp_path, SUMS)) as call:
        head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
        for sent in (
            head + b"Content-Length: 9\r\n\r\n1,2",
            head + b"Content-Length: x\r\n\r\n1,2",
            head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n1,2",
            head + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
            head,
            bytes(range(256)),
        ):
            with socket.create_connection(("127.0.0.1", call.port), timeout=20) as peer, contextlib.suppress(OSError):
                peer.sendall(sent)
                peer.shutdown(socket.SHUT_WR)
                assert b" 200 " not in peer.recv(65536).split(b"\r\n")[0]
        slow = http.client.HTTPConnection("127.0.0.1", call.port, timeout=20)
        slow.putrequest("POST", "/invocations")
        slow.putheader("Content-Type", CSV)
        slow.putheader("Content-Length", "3")
        slow.endheaders()
        slow.send(b"1,")
        assert call(b"1,2", accept=CSV)[2] == b"3.0\n"  # while the other one is still sending
        slow.send(b"4")
        assert slow.getresponse().read() == b"[5.0]"
        slow.close()
