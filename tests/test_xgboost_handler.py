"""The XGBoost container's contract: what it takes, what it answers, and how it fails."""

from __future__ import annotations

import io
import json
import math
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from nacre.errors import ModelError, NacreError, RequestError, SchemaError, SetupError
from nacre.formats import decimals, libsvm, recordio
from nacre.handlers import xgboost_input as inputs
from nacre.handlers.container import body_limit
from nacre.handlers.xgboost import XGBoost

if TYPE_CHECKING:
    from nacre.handlers.base import Reply

xgb = pytest.importorskip("xgboost")
pa = pytest.importorskip("pyarrow")

FEATURES = 4
HTML = "text/html; charset=utf-8"
CSV = "text/csv; charset=utf-8"
JSON = "application/json"
AWS = {"NACRE_COMPAT": "aws"}
ROWS = [[0.5, -1.25, 3.0, 0.125], [math.nan, 2.0, -0.5, 1e-3], [1.5, 0.0, math.nan, -7.0]]


def train(objective: str, rounds: int = 12, **params: Any) -> Any:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, FEATURES)).astype(np.float32)
    y = np.abs(x[:, 0] - x[:, 1] * x[:, 2]) + 0.1
    settings: dict[str, Any] = {"objective": objective, "nthread": 1, "max_depth": 3, "verbosity": 0, **params}
    if objective.startswith("multi:"):
        y, settings["num_class"] = np.minimum(y * 2, 2).astype(int), 3
    if objective.startswith("binary:") or objective == "reg:logistic":
        y = y > 1
    return xgb.train(settings, xgb.DMatrix(x, label=y), rounds)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Objective -> a folder with its xgboost-model."""
    found = {}
    for objective in ("reg:squarederror", "binary:logistic", "multi:softprob", "multi:softmax", "count:poisson"):
        folder = tmp_path_factory.mktemp(objective.replace(":", "-"))
        train(objective).save_model(folder / "model.ubj")
        (folder / "model.ubj").rename(folder / "xgboost-model")
        found[objective] = folder
    return found


@pytest.fixture(scope="module")
def handler(models: dict[str, Path]) -> XGBoost:
    return XGBoost.load(models["reg:squarederror"], {})


@pytest.fixture(scope="module")
def compat(models: dict[str, Path]) -> XGBoost:
    return XGBoost.load(models["reg:squarederror"], AWS)


def truth(folder: Path, rows: Any) -> list[Any]:
    """The library's own scores, widened to doubles."""
    model = xgb.Booster(model_file=folder / "xgboost-model")
    return model.predict(xgb.DMatrix(np.array(rows, np.float32)), validate_features=False).tolist()


def field(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def csv(rows: Any) -> bytes:
    return "\n".join(",".join(map(field, row)) for row in rows).encode()


def respond(handler: XGBoost, body: bytes, content_type: str | None = "text/csv", accept: str | None = "*/*") -> Reply:
    """As the HTTP app answers: errors become replies."""
    try:
        return handler.invoke(body, content_type, accept)
    except NacreError as error:
        return handler.failure(error, accept)


# Output


def test_csv_is_one_repr_a_line(handler: XGBoost, models: dict[str, Path]) -> None:
    expected = truth(models["reg:squarederror"], ROWS)
    for content_type in ("text/csv", "csv", "TEXT/CSV", "text/csv; charset=utf-8", "text/csv;label_size=1"):
        reply = respond(handler, csv(ROWS), content_type)
        assert reply.body.decode() == "".join(f"{score!r}\n" for score in expected)
        assert reply.content_type == CSV
        assert reply.status == 200
    one = respond(handler, csv(ROWS[:1]), "text/csv", None)
    assert one.body.decode() == f"{expected[0]!r}\n"


def test_vectors_are_joined_by_commas(models: dict[str, Path]) -> None:
    folder = models["multi:softprob"]
    expected = truth(folder, ROWS)
    reply = respond(XGBoost.load(folder, {}), csv(ROWS))
    assert reply.body.decode() == "".join(",".join(map(repr, row)) + "\n" for row in expected)


def test_json_json_lines_and_recordio(handler: XGBoost, models: dict[str, Path]) -> None:
    expected = truth(models["reg:squarederror"], ROWS)
    reply = respond(handler, csv(ROWS), "text/csv", "Application/JSON; q=1")
    assert reply.body.decode() == json.dumps({"predictions": [{"score": score} for score in expected]})
    assert reply.content_type == JSON
    lines = respond(handler, csv(ROWS), "text/csv", "application/jsonlines")
    assert lines.content_type == "application/jsonlines"
    assert [json.loads(line)["score"] for line in lines.body.splitlines()] == expected
    records = respond(handler, csv(ROWS), "text/csv", "application/x-recordio-protobuf")
    assert records.content_type == "application/x-recordio-protobuf"
    assert [labels(record)["score"] for record in recordio.records(records.body)] == [[score] for score in expected]


def labels(record: bytes) -> dict[str, list[float]]:
    """The label map, read as features by renumbering the field."""
    found = {}
    for number, _, entry in recordio.fields(record):
        assert number == recordio.LABEL
        feature = bytes([recordio.FEATURES << 3 | recordio.BYTES]) + recordio._number(len(entry)) + entry
        found.update({key: tensor.values.tolist() for key, tensor in recordio.features(feature).items()})
    return found


@pytest.mark.parametrize("accept", ["text/plain", "text/*", "image/png", "text/csv, application/json", "application/*"])
def test_other_accepts_are_406_after_predicting(handler: XGBoost, accept: str) -> None:
    assert respond(handler, csv(ROWS), "text/csv", accept).status == 406
    assert respond(handler, b"1,2,3,4,5", "text/csv", accept).status == 400
    assert respond(handler, b"a,b,c,d", "text/csv", accept).status == 415
    assert respond(handler, b"", "text/csv", accept).status == 204


def test_406_has_the_container_s_words(handler: XGBoost) -> None:
    reply = respond(handler, csv(ROWS), "text/csv", "text/plain")
    known = "['application/json', 'application/jsonlines', 'application/x-recordio-protobuf', 'text/csv']"
    assert (
        reply.body.decode() == f"Accept type text/plain is not supported. Please use supported accept types: {known}."
    )
    assert reply.content_type == HTML


def test_the_default_accept(models: dict[str, Path]) -> None:
    folder = models["reg:squarederror"]
    handler = XGBoost.load(folder, {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": JSON})
    assert respond(handler, csv(ROWS)).content_type == JSON
    assert respond(handler, csv(ROWS), accept=None).content_type == JSON
    assert respond(handler, csv(ROWS), accept="text/csv").content_type == CSV
    assert handler.hand_over(handler.predict(handler.decode(csv(ROWS), "text/csv"))) is None
    npy = XGBoost.load(folder, {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/x-npy"})
    assert np.load(io.BytesIO(respond(npy, csv(ROWS)).body)).tolist() == truth(folder, ROWS)
    with pytest.raises(SetupError, match="text/plain"):
        XGBoost.load(folder, {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/plain"})
    for value in ("text/plain", "", "TEXT/CSV"):
        aws = XGBoost.load(folder, {**AWS, "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": value})
        assert respond(aws, csv(ROWS)).status == 500


def test_batch_mode_ignores_accept_for_the_body(models: dict[str, Path]) -> None:
    for value in ("true", "false", "True"):
        scalar = XGBoost.load(models["reg:squarederror"], {"SAGEMAKER_BATCH": value})
        expected = truth(models["reg:squarederror"], ROWS)
        for accept, content_type in (("text/csv", CSV), ("application/jsonlines", "application/jsonlines")):
            reply = respond(scalar, csv(ROWS), "text/csv", accept)
            assert reply.body.decode() == "".join(f"{score}\n" for score in expected)
            assert reply.content_type == content_type
        assert respond(scalar, csv(ROWS), accept=JSON).body.decode() == f"{expected}\n"
        assert respond(scalar, csv(ROWS[:1]), accept=JSON).body.decode() == f"{expected[0]}\n"
    vector = XGBoost.load(models["multi:softprob"], {"SAGEMAKER_BATCH": "true"})
    expected = truth(models["multi:softprob"], ROWS)
    assert respond(vector, csv(ROWS)).body.decode() == "".join(f"{row}\n" for row in expected)
    assert vector.hand_over(vector.predict(vector.decode(csv(ROWS), "text/csv"))) is None


# Selectable output


def selected(folder: Path, keys: str, accept: str, **env: str) -> Reply:
    handler = XGBoost.load(folder, {"SAGEMAKER_INFERENCE_OUTPUT": keys, **env})
    return respond(handler, csv(ROWS[:1]), "text/csv", accept)


def test_selectable_keys_of_each_objective(models: dict[str, Path]) -> None:
    keys = "predicted_label, Labels,probability,probabilities,raw_score,raw_scores"

    def row(objective: str) -> dict[str, Any]:
        return json.loads(selected(models[objective], keys, JSON).body)["predictions"][0]

    p = truth(models["binary:logistic"], ROWS)[0]
    pair = [1.0 - p, p]
    assert row("binary:logistic") == {
        "predicted_label": int(p > 0.5),
        "labels": [0, 1],
        "probability": p,
        "probabilities": pair,
        "raw_score": p,
        "raw_scores": pair,
    }
    each = truth(models["multi:softprob"], ROWS)[0]
    assert row("multi:softprob") == {
        "predicted_label": int(np.argmax(each)),
        "labels": [0, 1, 2],
        "probability": max(each),
        "probabilities": each,
        "raw_score": max(each),
        "raw_scores": each,
    }
    label = truth(models["multi:softmax"], ROWS)[0]
    softmax = row("multi:softmax")
    assert softmax["predicted_label"] == label
    assert softmax["raw_scores"] == [1.0 - label, label]
    assert softmax["probability"] is None
    score = truth(models["reg:squarederror"], ROWS)[0]
    assert selected(models["reg:squarederror"], "predicted_score", "text/csv").body.decode() == repr(score)


def test_selectable_forms(models: dict[str, Path]) -> None:
    folder = models["binary:logistic"]
    p = truth(folder, ROWS)[0]
    keys = "probabilities,predicted_label,predicted_score"
    line = f'"{[1.0 - p, p]}",{int(p > 0.5)},nan'
    assert selected(folder, keys, "text/csv").body.decode() == line
    assert selected(folder, keys, "text/csv", SAGEMAKER_BATCH="true").body.decode() == line + "\n"
    lines = selected(folder, keys, "application/jsonlines").body
    assert lines.endswith(b'"predicted_score": null}\n')
    record = next(recordio.records(selected(folder, keys, "application/x-recordio-protobuf").body))
    assert labels(record)["probabilities"] == [np.float32(1.0 - p), p]
    assert math.isnan(labels(record)["predicted_score"][0])


def test_selectable_oddities(models: dict[str, Path]) -> None:
    aws = selected(models["reg:squarederror"], "", JSON, **AWS)
    assert aws.body == b'{"predictions": [{"": NaN}]}'
    assert json.loads(selected(models["reg:squarederror"], "", JSON).body) == {"predictions": [{"": None}]}
    reply = selected(models["count:poisson"], "predicted_score", JSON, **AWS)
    assert reply.status == 500
    assert reply.body == b"Objective `count:poisson` unsupported for selectable inference predictions."


# Input


def test_an_empty_body_is_204(handler: XGBoost, compat: XGBoost) -> None:
    for container in (handler, compat):
        for content_type in (None, "text/csv", JSON, "text/plain"):
            reply = respond(container, b"", content_type)
            assert (reply.status, reply.body) == (204, b"")
        assert respond(container, csv(ROWS), "application/x-www-form-urlencoded").status == 204


@pytest.mark.parametrize(
    "body, row, number",
    [
        (b"a,b,c,d\n1,2,3,4", 1, 1),
        (b"1,2,3,4\n1,2,3", 2, None),
        (b"1,2,3,4\n\n1,2,3,4", 2, None),
        (b'1,2,"3",4', 1, 3),
        (b"1,2,inf,4", 1, 3),
        (b"1,2,3,4\n-Infinity,2,3,4", 2, 1),
        (b"1,2,3,1e39", 1, 4),
        (b"1|2|3|4", 1, 1),
        (b"1,x,3,4", 1, 2),
        (b"1,2,3,4,\xff", None, None),
        (b"  \n ", None, None),
        (b"1,2\n,3,4", 2, None),
        (b"1,\n2,3,4", 2, None),
    ],
)
def test_broken_csv_is_415_naming_row_and_field(
    handler: XGBoost, body: bytes, row: int | None, number: int | None
) -> None:
    with pytest.raises(RequestError) as caught:
        handler.invoke(body, "text/csv", "*/*")
    error = caught.value
    assert error.status == 415
    assert error.where.get("row") == row
    assert error.where.get("field") == number
    assert error.expected is not None
    reply = handler.failure(error.at(container="xgb"), "*/*")
    assert reply.content_type == HTML
    assert reply.body.startswith(
        b"Loading csv data failed with Exception, please ensure data is in csv format: expected"
    )
    assert b"container" not in reply.body


def test_markup_of_a_request_does_not_come_back(handler: XGBoost) -> None:
    assert b"&lt;script&gt;" in respond(handler, b"<script>,2,3,4").body


@pytest.mark.parametrize("delimiter", [",", "\t", ";", " ", ":", ", "])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_delimiters(handler: XGBoost, compat: XGBoost, delimiter: str, end: str) -> None:
    body = (delimiter.join(map(repr, ROWS[0])) + end).encode()
    plain = respond(handler, csv(ROWS[:1]))
    assert respond(handler, body) == plain
    assert respond(compat, body) == plain


def test_numbers_as_the_container_reads_them(handler: XGBoost, compat: XGBoost) -> None:
    plain = respond(handler, b"10,2,3,4")
    for container in (handler, compat):
        assert respond(container, b"1_0,2,3,4") == plain
        assert respond(container, b"+1e1,2.,3,4") == plain
        assert respond(container, b"nan,2,3,4") == respond(container, b",2,3,4")
    assert respond(compat, b"10,2,3,4\x00") == plain
    assert respond(handler, b"10,2,3,4\x00").status == 415
    assert respond(compat, b"-4.86e-01").status == 415  # what the Sniffer makes of two minus signs


ODD_ROWS = [
    *(
        f"{each},2,3,4"
        for each in [
            "-0",
            "-0.0",
            "07",
            "1e39",
            "-1e39",
            "1e400",
            "1e-50",
            "1E5",
            ".5",
            "1.",
            "+1",
            "nan",
            "NaN",
            "inf",
            "true",
            "null",
            "[1]",
            "1;2",
        ]
    ),
    *(
        "12345678901234567890,0.1,16777217,3.4028236e38",
        "1_0,2,3,4",
        '"1",2,3,4',
        "1,2],[3,4",
        " 1,2 ,3,4",
        "1,2,3,4\r",
    ),
    *(
        "1,2,3",
        "1,2,3,4,5",
        "1,2,3,",
        ",,,",
        "1",
        "",
        "-1,-2,-3,-4",
        "1\t2\t3\t4",
        "1;2;3;4",
        "1,2,3,4\x00",
        "1,2,3,\v4",
    ),
]


def test_the_quick_ways_answer_as_the_ordinary_one(
    models: dict[str, Path], handler: XGBoost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without orjson, and without the shortest way."""
    bodies = [line + end for line in ODD_ROWS for end in ("", "\n", "\n1,2,3,4", "\n\n1,2,3,4")]
    bodies += [f"1,2,3,4\n{line}" for line in ODD_ROWS]
    asked = [(body.encode(), accept) for body in bodies for accept in (None, "text/csv", "application/json")]
    handlers = [handler, XGBoost.load(models["multi:softprob"], {})]
    quick = [respond(each, body, accept=accept) for each in handlers for body, accept in asked]
    monkeypatch.setattr(decimals, "orjson", None)
    for each in handlers:
        monkeypatch.setattr(each, "_usual", False)
    assert quick == [respond(each, body, accept=accept) for each in handlers for body, accept in asked]


def test_column_counts(handler: XGBoost, compat: XGBoost, models: dict[str, Path]) -> None:
    for rows in ([[1, 2, 3, 4, 5]], [[1, 2, 3, 4, 5]] * 30):
        for container in (handler, compat):
            reply = respond(container, csv(rows))
            assert reply.status == 400
            assert reply.body.startswith(b"Unable to evaluate payload provided: Number of columns does not match")
            assert b"expected 4, got 5" in reply.body
    for rows in ([[1.0]], [[1.0, 2.0, 3.0]] * 30):
        reply = respond(handler, csv(rows))
        assert reply.status == 400
        assert f"expected 4, got {len(rows[0])}" in reply.body.decode()
        assert "NACRE_XGBOOST_FEWER_COLUMNS" in reply.body.decode()
        padded = [[*row, *[math.nan] * (4 - len(row))] for row in rows]
        allowing = XGBoost.load(models["reg:squarederror"], {"NACRE_XGBOOST_FEWER_COLUMNS": "true"})
        for container in (compat, allowing):
            assert respond(container, csv(rows)) == respond(handler, csv(padded))


def test_content_types(handler: XGBoost, compat: XGBoost) -> None:
    assert respond(handler, csv(ROWS), "text/plain").status == 415
    aws = respond(compat, b"[1,2,3,4]", JSON)
    known = "csv, libsvm, parquet, recordio-protobuf, text/csv, text/libsvm, text/x-libsvm, application/x-parquet, "
    assert (
        aws.body.decode() == f"application/json is not an accepted ContentType: {known}application/x-recordio-protobuf."
    )
    assert aws.status == 415
    assert respond(compat, b"PAR1", "application/x-parquet").status == 415
    assert respond(handler, csv(ROWS), None).status == 415
    assert respond(handler, csv(ROWS), "text/csv; label_size=2").status == 415


def test_libsvm(handler: XGBoost) -> None:
    rows = [[math.nan, 2.0, math.nan, 4.0], [math.nan] * 4, [0.0, 1.0, 2.0, 3.0]]
    expected = respond(handler, csv(rows))
    zero = b"7.5 1:2.0 3:4.0\n\n0:0 1:1 2:2 3:3"
    one = b"2:2.0 4:4.0\n\n1 1:0 2:1 3:2 4:3"
    for content_type in (None, "libsvm", "text/libsvm", "text/x-libsvm ;charset=utf8"):
        assert respond(handler, zero, content_type) == expected
        assert respond(handler, one, content_type) == expected
    assert respond(handler, b"1:2.0 2:4.0", "libsvm") == respond(handler, csv([[2.0, 4.0, math.nan, math.nan]]))
    assert respond(handler, b"1:2.0 9:4.0", "libsvm").status == 400
    for broken in (b"1:x", b"a:1", b"-1:3", b"1:2 1:3", b"1:inf", b"1:1e39", b"1 2 3", b"99999999999:1", b"\xff:1"):
        assert respond(handler, broken, "libsvm").status == 415, broken


def test_a_sparse_request_is_not_laid_out_without_limit(handler: XGBoost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_CELLS", 40)
    assert respond(handler, b"0:1" + b"\n" * 8 + b"\n0:1", "libsvm").status == 200
    assert respond(handler, b"0:1" + b"\n" * 9 + b"\n0:1", "libsvm").status == 413


def test_the_libsvm_base_can_be_fixed(models: dict[str, Path], handler: XGBoost) -> None:
    zero = XGBoost.load(models["reg:squarederror"], {"NACRE_LIBSVM_BASE": "0"})
    assert respond(zero, b"1:2.0 2:4.0", "libsvm") == respond(handler, csv([[math.nan, 2.0, 4.0, math.nan]]))
    one = XGBoost.load(models["reg:squarederror"], {"NACRE_LIBSVM_BASE": "1"})
    assert respond(one, b"0:1 1:2", "libsvm").status == 415
    with pytest.raises(SetupError, match="NACRE_LIBSVM_BASE"):
        XGBoost.load(models["reg:squarederror"], {"NACRE_LIBSVM_BASE": "2"})


def record(values: list[float], keys: list[int] | None = None, kind: str = "f", width: int | None = None) -> bytes:
    """A Record message with features["values"], packed by hand after SageMaker's record.proto."""
    field, code = {"f": (2, "f"), "d": (3, "d"), "i": (7, None)}[kind]
    packed = struct.pack(f"<{len(values)}{code}", *values) if code else b"".join(map(integer, values))
    tensor = recordio._field(1, packed)
    if keys is not None:
        tensor += recordio._field(2, b"".join(map(recordio._number, keys)))
        tensor += recordio._field(3, recordio._number(width)) if width else b""
    entry = recordio._field(1, b"values") + recordio._field(2, recordio._field(field, tensor))
    return recordio.framed(recordio._field(1, entry))


def integer(value: float) -> bytes:
    return recordio._number(int(value) % 2**64)


def test_recordio(handler: XGBoost) -> None:
    body = b"".join(record(row, kind="d") for row in ROWS)
    for content_type in ("recordio-protobuf", "application/x-recordio-protobuf"):
        assert respond(handler, body, content_type) == respond(handler, csv(ROWS))
    ints = record([1, -2, 3, 4], kind="i") + record([1, -2, 3, 4])
    assert respond(handler, ints, "recordio-protobuf") == respond(handler, csv([[1.0, -2.0, 3.0, 4.0]] * 2))
    sparse = record([2.0], [1], width=4) + record([1.0, 2.0, 3.0, 4.0])
    expected = respond(handler, csv([[math.nan, 2.0, math.nan, math.nan], [1.0, 2.0, 3.0, 4.0]]))
    assert respond(handler, sparse, "recordio-protobuf") == expected
    assert respond(handler, record([1.0, 2.0]), "recordio-protobuf").status == 400
    assert respond(handler, record([1.0], [7]), "recordio-protobuf").status == 400
    for broken in (body[:-3], b"\x0a\x23\xd7", b"junk" * 5, recordio.framed(b"\xff\xff"), recordio.framed(b"")):
        assert respond(handler, broken, "recordio-protobuf").status == 415, broken


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(st.binary(max_size=60), st.sampled_from(["recordio-protobuf", "libsvm", "json", "jsonlines", "csv"]))
def test_any_bytes_are_rows_or_a_415(body: bytes, kind: str) -> None:
    framed = recordio.framed(body) if kind == "recordio-protobuf" else body
    try:
        inputs.parse(kind, framed, FEATURES, compat=False)
    except RequestError as error:
        assert error.status == 415


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [[0.5, -1.25, 3.0, 0.125], [None, 2, -0.5, 1e-3]]},
        {"instances": [{"features": [0.5, -1.25, 3.0, 0.125]}, {"features": [None, 2.0, -0.5, 1e-3]}]},
        {
            "instances": [
                {"data": {"features": {"values": row}}} for row in ([0.5, -1.25, 3, 0.125], [None, 2, -0.5, 1e-3])
            ]
        },
        [[0.5, -1.25, 3.0, 0.125], [None, 2.0, -0.5, 1e-3]],
    ],
)
def test_json_input(handler: XGBoost, document: Any) -> None:
    assert respond(handler, json.dumps(document).encode(), JSON) == respond(handler, csv(ROWS[:2]))


def test_json_with_one_row(handler: XGBoost) -> None:
    for document in ({"features": ROWS[0]}, ROWS[0]):
        assert respond(handler, json.dumps(document).encode(), JSON) == respond(handler, csv(ROWS[:1]))


def test_json_lines_input(handler: XGBoost) -> None:
    lines = '{"features": [0.5, -1.25, 3.0, 0.125]}\n[null, 2, -0.5, 0.001]\n'
    assert respond(handler, lines.encode(), "application/jsonlines") == respond(handler, csv(ROWS[:2]))


@pytest.mark.parametrize(
    "body, row, number",
    [
        (b"{", None, None),
        (b"[" * 100_000, None, None),
        (b"3", 1, None),
        (b"[]", 1, None),
        (b'{"instances": [[1, 2, 3, 4], [1, 2]]}', 2, None),
        (b'{"instances": [[1, 2, 3, 4], [1, "2", 3, 4]]}', 2, 2),
        (b'{"instances": [[1, 2, 3, true]]}', 1, 4),
        (b'{"instances": [[1, 2, 3, 1e39]]}', 1, 4),
        (b'{"instances": [[1, 2, 3, 1' + b"0" * 400 + b"]]}", 1, 4),
        (b'{"instances": "x"}', 1, None),
    ],
)
def test_broken_json_is_415_naming_row_and_field(handler: XGBoost, body: bytes, row: int, number: int | None) -> None:
    with pytest.raises(RequestError) as caught:
        handler.invoke(body, JSON, "*/*")
    assert caught.value.status == 415
    assert caught.value.where.get("row") == row
    assert caught.value.where.get("field") == number


def parquet(table: Any) -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def test_parquet(handler: XGBoost) -> None:
    expected = respond(handler, csv(ROWS))
    vector = [[None if math.isnan(value) else value for value in row] for row in ROWS]
    columns = {f"c{number}": list(column) for number, column in enumerate(zip(*vector, strict=True))}
    for table in (pa.table({"id": [1, 2, 3], "features": vector}), pa.table(columns)):
        for content_type in ("application/x-parquet", "parquet", "application/vnd.apache.parquet"):
            assert respond(handler, parquet(table), content_type) == expected
    assert respond(handler, b"PAR1 junk", "parquet").status == 415
    for table in (pa.table({"a": [1], "b": [2]}), pa.table({name: ["x"] for name in "abcd"})):
        assert respond(handler, parquet(table), "parquet").status == 400
    huge = pa.table({"features": [[1.0, 2.0, 3.0, 1e39]]})
    assert respond(handler, parquet(huge), "parquet").status == 415


def test_typed_columns_are_found_by_the_model_s_names(tmp_path: Path, models: dict[str, Path]) -> None:
    model = xgb.Booster(model_file=models["reg:squarederror"] / "xgboost-model")
    model.feature_names = ["d", "c", "b", "a"]
    model.save_model(tmp_path / "m.json")
    handler = XGBoost.load(tmp_path, {})
    table = pa.table({"a": [0.125], "x": ["-"], "b": [3], "c": [-1.25], "d": pa.array([0.5], pa.float32())})
    scores = handler.predict(handler.from_table(table))
    assert scores == truth(models["reg:squarederror"], ROWS[:1])
    with pytest.raises(SchemaError, match="d, c, b, a"):
        handler.from_table(table.drop_columns(["c"]))
    assert handler.to_array(scores).type == pa.float64()


def test_spark_vectors(handler: XGBoost, models: dict[str, Path]) -> None:
    udt = [
        {"type": 1, "size": None, "indices": None, "values": [0.5, 0.0, 0.0, 2.0]},
        {"type": 0, "size": 4, "indices": [1, 3], "values": [7.0, 8.0]},
        {"type": 0, "size": 4, "indices": [], "values": []},
    ]
    fields = [
        ("type", pa.int8()),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
    column = pa.array(udt, pa.struct(fields))
    rows = [[0.5, 0.0, 0.0, 2.0], [0.0, 7.0, 0.0, 8.0], [0.0] * 4]
    for table in (
        pa.table({"features": column}),
        pa.concat_tables([pa.table({"features": column.slice(i, 1)}) for i in range(3)]),
    ):
        assert handler.predict(handler.from_table(table)) == truth(models["reg:squarederror"], rows)
    with pytest.raises(NacreError, match="row 2"):
        handler.from_table(pa.table({"features": [[1.0, 2.0], None]}))
    with pytest.raises(NacreError, match="row 2"):
        handler.from_table(pa.table({"features": [[1.0, 2.0], [1.0]]}))


# Errors


def test_json_errors_only_where_accept_names_json(handler: XGBoost, compat: XGBoost) -> None:
    for accept in (JSON, "application/json;q=0.9", "text/csv, application/*"):
        reply = respond(handler, b"1,2,x,4", "text/csv", accept)
        assert reply.content_type == JSON
        body = json.loads(reply.body)["error"]
        assert body["where"] == {"row": 1, "field": 3}
        assert body["expected"] == "a number"
    for accept in ("*/*", None, "text/csv"):
        assert respond(handler, b"1,2,x,4", "text/csv", accept).content_type == HTML
    assert respond(compat, b"1,2,x,4", "text/csv", JSON).content_type == HTML


def test_types_without_encoder_are_500_in_the_aws_container(compat: XGBoost) -> None:
    for accept in ("application/jsonlines", "application/x-recordio-protobuf"):
        reply = respond(compat, csv(ROWS), "text/csv", accept)
        assert reply.status == 500
        assert reply.content_type == HTML
        assert reply.body.startswith(b"<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>")


def test_a_body_that_is_too_large(handler: XGBoost, compat: XGBoost) -> None:
    assert body_limit(XGBoost, {}) == 6291456
    assert body_limit(XGBoost, {"MAX_CONTENT_LENGTH": "10"}) == 10
    error = RequestError("Request Entity Too Large", status=413)
    assert b"<title>413 Request Entity Too Large</title>" in compat.failure(error, "*/*").body
    assert handler.failure(error, "*/*").body == b"Request Entity Too Large"


def test_execution_parameters(models: dict[str, Path]) -> None:
    handler = XGBoost.load(models["reg:squarederror"], {"MAX_CONTENT_LENGTH": str(20 << 20)})
    found = handler.execution_parameters()
    assert found["BatchStrategy"] == "MULTI_RECORD"
    assert found["MaxPayloadInMB"] == 20
    assert found["MaxConcurrentTransforms"] >= 1


# Models


def test_a_file_that_is_no_model_fails_the_start_with_its_name(tmp_path: Path, models: dict[str, Path]) -> None:
    shutil.copy(models["reg:squarederror"] / "xgboost-model", tmp_path)
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "code").mkdir()
    XGBoost.load(tmp_path, {})
    (tmp_path / "README.md").write_text("hello")
    with pytest.raises(ModelError, match=r"README\.md.*take this one out"):
        XGBoost.load(tmp_path, {})
    for folder in (tmp_path / "code", tmp_path / "none"):
        with pytest.raises(ModelError, match="no model"):
            XGBoost.load(folder, {})


def test_several_models_answer_together(tmp_path: Path) -> None:
    x = np.float32(ROWS)
    for objective in ("reg:squarederror", "multi:softprob", "multi:softmax"):
        folder = tmp_path / objective.replace(":", "-")
        folder.mkdir()
        scores = []
        for seed in range(3):
            model = train(objective, 3, seed=seed, subsample=0.5)
            model.save_model(folder / f"m{seed}.json")
            scores.append(model.predict(xgb.DMatrix(x)))
        handler = XGBoost.load(folder, {})
        mean = np.mean(scores, axis=0)
        vote = np.median(scores, axis=0)  # the majority wherever two agree
        agree = (
            [len(set(column)) < 3 for column in np.array(scores).T.tolist()]
            if objective == "multi:softmax"
            else [True] * 3
        )
        wanted = vote if objective == "multi:softmax" else mean
        found = handler.predict(handler.decode(csv(ROWS), "text/csv"))
        for i in range(3):
            if agree[i]:
                assert list(np.atleast_1d(found[i])) == np.atleast_1d(wanted[i]).tolist()
                assert handler.predict(handler.decode(csv(ROWS[i : i + 1]), "text/csv"))[0] == found[i]
        first = XGBoost.load(folder, {"SAGEMAKER_INFERENCE_ENSEMBLE": "false"})
        assert np.array_equal(first.predict(first.decode(csv(ROWS), "text/csv")), scores[0])
    (folder / "m2.json").unlink()
    assert respond(XGBoost.load(folder, AWS), csv(ROWS)).status == 500
    assert respond(XGBoost.load(folder, {}), csv(ROWS)).status == 200
    train("reg:squarederror", 1).save_model(folder / "other.json")
    with pytest.raises(ModelError, match="different objective"):
        XGBoost.load(folder, {})


def test_pickles(tmp_path: Path, models: dict[str, Path]) -> None:
    import pickle

    model = xgb.Booster(model_file=models["reg:squarederror"] / "xgboost-model")
    (tmp_path / "xgboost-model").write_bytes(pickle.dumps(model))
    for env in ({}, AWS):
        with pytest.raises(ModelError, match=r"save_model\(.*NACRE_ALLOW_PICKLE=true"):
            XGBoost.load(tmp_path, env)
    allowed = {"NACRE_ALLOW_PICKLE": "true"}
    assert respond(XGBoost.load(tmp_path, allowed), csv(ROWS)).status == 200
    aws = XGBoost.load(tmp_path, {**allowed, **AWS})
    assert respond(aws, b"1,2,3").status == 200
    for body in (b"1,2", b"1,2,3,4,5"):
        reply = respond(aws, body)
        assert reply.status == 400
        assert b"is not consistent with feature size of trained model 4." in reply.body


# Handing over


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(NUMBERS, min_size=n, max_size=n), max_size=4)))
def test_taking_numbers_over_is_decoding_their_text(rows: list[list[float]]) -> None:
    handler = shared_handler()
    text = "\n".join(",".join("NaN" if math.isnan(v) else repr(v) for v in row) for row in rows).encode()
    numbers = np.array(rows, np.float64).reshape(len(rows), len(rows[0]) if rows else 0)

    def outcome(take: bool) -> Any:
        try:
            frame = handler.take_over(numbers) if take else handler.decode(text, "text/csv")
            assert frame is not None
            reply = handler.encode(handler.predict(frame), "*/*")
            return type(frame), reply
        except NacreError as error:
            return handler.failure(error, "*/*"), handler.failure(error, JSON)

    assert outcome(take=True) == outcome(take=False)


_shared: list[XGBoost] = []


def shared_handler() -> XGBoost:
    from nacre.booster import Booster
    from nacre.booster.reader import read
    from nacre.handlers.xgboost_models import Models

    if not _shared:
        raw = bytes(train("binary:logistic").save_raw("ubj"))
        _shared.append(XGBoost(Models([Booster(read(raw, {}))], compat=False), {}))
    return _shared[0]


def test_handing_over_the_numbers_of_the_reply(models: dict[str, Path]) -> None:
    for objective, columns in (("reg:squarederror", 1), ("multi:softprob", 3)):
        handler = XGBoost.load(models[objective], {})
        for rows in (ROWS, ROWS[:1]):
            scores = handler.predict(handler.decode(csv(rows), "text/csv"))
            numbers = handler.hand_over(scores)
            assert numbers is not None
            assert numbers.shape == (len(rows), columns)
            text = "".join(",".join(map(repr, row)) + "\n" for row in numbers.tolist())
            assert handler.encode(scores, "*/*").body.decode() == text
    selectable = XGBoost.load(models["reg:squarederror"], {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_score"})
    assert selectable.hand_over(scores) is None
    assert handler.to_array(scores).type == pa.list_(pa.float64())


def test_serving_does_not_import_xgboost_or_arrow(models: dict[str, Path]) -> None:
    code = (
        "import sys; from pathlib import Path; from nacre.handlers.xgboost import XGBoost\n"
        "h = XGBoost.load(Path(sys.argv[1]), {})\n"
        "h.invoke(b'1,2,3,4', 'text/csv', '*/*'); h.invoke(b'1,2,3,4\\n1,2,3,4', 'text/csv', 'application/json')\n"
        "print([name for name in ('xgboost', 'pandas', 'scipy', 'pyarrow', 'flask') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(models["reg:squarederror"])]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_libsvm_rows_without_entries() -> None:
    found = libsvm.parse("1\n0:1", "auto")
    assert found.rows == 2
    assert np.isnan(found.dense(2)).tolist() == [[True, True], [False, True]]
