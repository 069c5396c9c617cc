"""The TensorFlow container. Its models need TensorFlow: `make frameworks` runs this file where it is; what needs none
runs everywhere."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import textwrap
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nacre.errors import ModelError, NacreError, RequestError
from nacre.handlers.base import Handler, Reply
from nacre.handlers.late import Late, tried
from nacre.handlers.tensorflow import Serving, TensorFlow
from nacre.handlers.tensorflow_json import Answered, Decimal, answer, decimal
from nacre.handlers.tensorflow_models import find
from tests.scripts import refused, serving

needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="no TensorFlow: make frameworks")

W = np.array([[1, 0.1], [3, 4], [5, -6]], np.float32)
ROWS = [[1.0, 2.0, 3.0], [0.5, -1.0, 0.25]]
EXPECTED = (np.array(ROWS, np.float32) @ W).tolist()


@pytest.fixture(scope="module")
def tf() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return pytest.importorskip("tensorflow", reason="no TensorFlow: make frameworks")


@pytest.fixture(scope="module")
def saved(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 7 of a model with four signatures, and a version 3 that answers zeros."""

    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self, weights: Any) -> None:
            super().__init__()
            self.weights = tf.Variable(weights)

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])  # type: ignore[untyped-decorator]
        def one(self, x: Any) -> Any:
            return {"y": x @ self.weights}

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])  # type: ignore[untyped-decorator]
        def two(self, x: Any) -> Any:
            return {"total": tf.reduce_sum(x, 1), "product": x @ self.weights}

        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[tf.TensorSpec([None], tf.string, name="t"), tf.TensorSpec([None], tf.int64, name="n")]
        )
        def texts(self, t: Any, n: Any) -> Any:
            return {"joined": tf.strings.join([t, tf.strings.as_string(n)]), "raw_bytes": t}

        @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float64, name="x")])  # type: ignore[untyped-decorator]
        def half(self, x: Any) -> Any:
            return {"y": tf.math.log(x), "mean": tf.reduce_mean(x)}

    folder = tmp_path_factory.mktemp("tensorflow")
    for version, weights in (("3", np.zeros_like(W)), ("7", W)):
        model = Model(weights)
        signatures = {"serving_default": model.one, "both": model.two, "texts": model.texts, "half": model.half}
        tf.saved_model.save(model, str(folder / version), signatures=signatures)
    return folder


@pytest.fixture(scope="module")
def container(saved: Path) -> Serving:
    loaded = Serving.load(saved, {})
    assert isinstance(loaded, Serving)
    assert (loaded.model.name, loaded.model.version) == ("model", "7")
    return loaded


def ask(container: Handler, body: Any, content_type: str = "application/json", accept: str = "*/*") -> Reply:
    sent = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return container.invoke(sent, content_type, accept)


def npy(values: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


@needs_tensorflow
@pytest.mark.parametrize(
    "content_type, body",
    [
        ("application/json", json.dumps({"instances": ROWS})),
        (
            "application/json",
            json.dumps({"instances": [{"x": row} for row in ROWS], "signature_name": "serving_default"}),
        ),
        ("application/json", json.dumps(ROWS)),
        ("application/json; charset=utf-8", json.dumps(ROWS)),
        ("application/jsonlines", "[1, 2, 3]\n[0.5, -1, 0.25]\n"),
        ("application/jsonlines", '{"x": [1, 2, 3]}\r\n{"x": [0.5, -1, 0.25]}'),
        ("application/jsons", "[1, 2, 3]\n[0.5, -1, 0.25]"),
        ("text/csv", "1,2,3\n0.5,-1,0.25\n"),
        ("application/x-npy", npy(ROWS)),
    ],
)
def test_rows(container: Serving, content_type: str, body: Any) -> None:
    """TensorFlow Serving's text, its line breaks taken out as AWS's container takes them."""
    reply = ask(container, body, content_type)
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert reply.body == b'{    "predictions": [[22.0, -9.9], [-1.25, -5.45]    ]}'
    assert np.float32(json.loads(reply.body)["predictions"]).tolist() == EXPECTED


@needs_tensorflow
def test_columns_and_signatures(container: Serving) -> None:
    assert json.loads(ask(container, {"inputs": ROWS}).body) == {"outputs": [[22.0, -9.9], [-1.25, -5.45]]}
    both = {"signature_name": "both", "instances": ROWS}
    assert json.loads(ask(container, both).body)["predictions"] == [
        {"product": [22.0, -9.9], "total": 6.0}, {"product": [-1.25, -5.45], "total": -0.25},
    ]  # fmt: skip
    columns = {"signature_name": "both", "inputs": {"x": ROWS}}
    assert json.loads(ask(container, columns).body)["outputs"]["total"] == [6.0, -0.25]
    coded = {"b64": base64.b64encode("ö\x00".encode()).decode()}
    texts = {"signature_name": "texts", "instances": [{"t": "a", "n": 1}, {"t": coded, "n": -2}]}
    assert json.loads(ask(container, texts).body)["predictions"] == [
        {"joined": "a1", "raw_bytes": {"b64": "YQ=="}}, {"joined": "ö\x00-2", "raw_bytes": coded},
    ]  # fmt: skip


@needs_tensorflow
def test_accept(container: Serving) -> None:
    assert ask(container, ROWS, accept="text/csv").body == b"22.0,-9.9\n-1.25,-5.45\n"
    assert ask(container, ROWS, accept="application/jsonlines").body == b"[22.0, -9.9]\n[-1.25, -5.45]\n"
    assert np.load(io.BytesIO(ask(container, ROWS, accept="application/x-npy").body)).tolist() == EXPECTED
    both = {"signature_name": "both", "instances": ROWS}
    assert ask(container, both, accept="text/csv").body == b"22.0,-9.9,6.0\n-1.25,-5.45,-0.25\n"
    with pytest.raises(RequestError, match="several outputs are no array"):
        ask(container, both, accept="application/x-npy")
    with pytest.raises(NacreError) as caught:
        ask(container, ROWS, accept="image/png")
    assert caught.value.status == 406
    array = container.to_array(container.predict(container.from_table(pa.table({"features": ROWS}))))
    assert np.float32(array.to_pylist()).tolist() == EXPECTED


@needs_tensorflow
def test_numbers_that_are_none(container: Serving) -> None:
    ask_half = {"signature_name": "half", "inputs": [[0.0], [-1.0], [1.0]]}
    assert json.loads(ask(container, ask_half).body)["outputs"]["y"] == [[None], [None], [0.0]]
    compat = Serving(container.model_dir, {"NACRE_COMPAT": "aws"}, None)
    compat.model = container.model
    assert b"-Infinity" in ask(compat, ask_half).body
    assert ask(compat, ROWS, accept="text/csv").content_type == "application/json"


@needs_tensorflow
@pytest.mark.parametrize(
    "content_type, body, status, message",
    [
        ("text/plain", b"1", 415, "Unsupported Media Type: text/plain"),
        ("application/json", b"", 400, "the body is no JSON"),
        ("application/json", b"{", 400, "the body is no JSON"),
        ("application/json", {"instances": ROWS, "inputs": ROWS}, 400, "rows or columns"),
        ("application/json", {"examples": []}, 400, "rows or columns"),
        ("application/json", {"instances": []}, 400, "no rows"),
        ("application/json", {"instances": ROWS, "signature_name": "x"}, 400, "no such signature: expected both or half"),
        ("application/json", {"instances": ROWS, "signature_name": 1}, 400, "signature_name is no text"),
        ("application/json", {"instances": [{"y": [1, 2, 3]}]}, 400, "a row with other inputs: expected x, got y, at row 1"),
        ("application/json", {"instances": [{"x": [1, 2, 3]}, [1]]}, 400, "other inputs: expected x, got list, at row 2"),
        ("application/json", {"instances": [[1, 2, 3], [1, 2]]}, 400, r"a row of another shape: expected \(3\), got \(2\), at row 2"),
        ("application/json", {"instances": [[1, 2]]}, 400, r"another shape: expected \(any, 3\), got \(1, 2\)"),
        ("application/json", {"instances": [[1, 2, 3], [1, "2", 3]]}, 400, "another type: expected float32.*row 2"),
        ("application/json", {"instances": [[1, 2, None]]}, 400, "another type: .*row 1"),
        ("application/json", {"instances": [[1, 2, True], [1, 2, 3]]}, 400, "row 1"),
        ("application/json", {"instances": [[1, 2, 1e39]]}, 400, "a number beyond float32, at row 1"),
        ("application/json", {"signature_name": "texts", "instances": [{"t": 1, "n": 1}]}, 400, "row 1, field t"),
        ("application/json", {"signature_name": "texts", "instances": [{"t": "", "n": 1.5}]}, 400, "row 1, field n"),
        ("application/json", {"signature_name": "texts", "instances": [{"t": "", "n": 2**63}]}, 400, "row 1, field n"),
        ("application/json", {"signature_name": "texts", "instances": [{"t": {"b64": "?"}, "n": 1}]}, 400, "b64: "),
        ("application/json", {"signature_name": "texts", "instances": ["a"]}, 400, "the model has several inputs"),
        ("application/json", {"signature_name": "texts", "inputs": {"t": []}}, 400, "other inputs: expected (n, t|t, n), got t"),
        ("application/json", {"signature_name": "half", "instances": [1.0]}, 400, "outputs without a row for each row"),
        ("application/jsonlines", b"[1, 2, 3]\n[1, 2", 400, "a line that is no JSON: .*row 2"),
        ("text/csv", b"1,2,3\n1,2\n", 400, "a row of another width: .*row 2"),
        ("text/csv", b"1,2,3\n1,2,x\n", 400, "not a number: expected a number, got x, at row 2"),
        ("application/x-npy", b"garbage", 400, "the body is no NPY"),
    ],
)  # fmt: skip
def test_bad_requests(container: Serving, content_type: str, body: Any, status: int, message: str) -> None:
    with pytest.raises(NacreError, match=message) as caught:
        ask(container, body, content_type)
    assert caught.value.status == status


def with_code(saved: Path, folder: Path, script: str) -> Path:
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "inference.py").write_text(textwrap.dedent(script))
    shutil.copytree(saved / "7", folder / "1")
    return folder


HANDLER = """
    import json, urllib.error, urllib.request

    def handler(data, context):
        rows = [[float(x) for x in line.split(";")] for line in data.read().decode().splitlines()]
        request = urllib.request.Request(context.rest_uri, json.dumps({"instances": rows}).encode())
        try:
            with urllib.request.urlopen(request) as answer:
                found = json.load(answer)["predictions"]
        except urllib.error.HTTPError as error:
            error.close()
            raise
        about = (context.request_content_type, context.accept_header, context.method, context.model_name)
        return json.dumps([found, *about]), "application/x-mine"
"""
AROUND = """
    import json

    def input_handler(data, context):
        if context.request_content_type != "text/mine":
            raise ValueError("not mine")
        return json.dumps({"instances": json.loads(data.read())})

    def output_handler(response, context):
        if response.status_code != 200:
            raise ValueError(response.content.decode())
        return response.content, context.accept_header
"""


@needs_tensorflow
def test_handler_of_a_script(saved: Path, tmp_path: Path) -> None:
    made = Serving.load(with_code(saved, tmp_path, HANDLER), {})
    reply = ask(made, "1;2;3", "text/mine", "text/csv")
    assert reply.content_type == "application/x-mine"
    assert json.loads(reply.body) == [[[22.0, -9.9]], "text/mine", "text/csv", "predict", "model"]
    with pytest.raises(NacreError, match=r"handler failed: .*HTTP Error 400.*at file inference.py") as caught:
        ask(made, "1;2", "text/mine")
    assert caught.value.status == 500
    assert isinstance(made, Serving)
    assert made.rest is not None
    made.rest.close()


@needs_tensorflow
def test_input_and_output_handler(saved: Path, tmp_path: Path) -> None:
    made = Serving.load(with_code(saved, tmp_path, AROUND), {})
    reply = ask(made, json.dumps(ROWS), "text/mine", "application/json")
    assert reply.body == b'{\n    "predictions": [[22.0, -9.9], [-1.25, -5.45]\n    ]\n}'
    for body, content_type in ((ROWS, "application/json"), ([[1]], "text/mine")):
        with pytest.raises(NacreError, match="(input|output)_handler failed"):
            ask(made, body, content_type)
    assert isinstance(made, Serving)
    assert made.rest is not None
    made.rest.close()


@needs_tensorflow
def test_the_hooks_of_the_other_containers(saved: Path, tmp_path: Path) -> None:
    script = """
        def input_fn(body, content_type):
            return [[float(x) for x in body.split(",")]]

        def output_fn(prediction, accept):
            return str(prediction.tolist()), "text/plain"
    """
    made = Serving.load(with_code(saved, tmp_path, script), {})
    assert ask(made, "1,2,3", "text/csv").body.startswith(b"[[22.0, -9.8999")


@needs_tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras, on NumPy 2
def test_keras(tf: Any, tmp_path: Path) -> None:
    layers = [tf.keras.layers.Input((3,), name="x"), tf.keras.layers.Dense(2, name="y"), tf.keras.layers.Dropout(0.5)]
    model = tf.keras.Sequential(layers)
    model.layers[0].set_weights([W, np.zeros(2)])
    model.save(tmp_path / "net.keras")
    made = Serving.load(tmp_path, {})
    assert np.float32(json.loads(ask(made, ROWS).body)["predictions"]).tolist() == EXPECTED
    assert ask(made, "1,2,3", "text/csv", "text/csv").body == b"22.0,-9.9\n"
    evil = tf.keras.Sequential([tf.keras.layers.Input((3,)), tf.keras.layers.Lambda(lambda x: x)])
    evil.save(tmp_path / "net.keras")
    with pytest.raises(ModelError, match="TensorFlow cannot load the model.*[Ll]ambda"):
        Serving.load(tmp_path, {})


@needs_tensorflow
def test_processes(saved: Path) -> None:
    """Two workers, each with a TensorFlow of its own, asked at once; the start is quiet."""
    with serving("tensorflow", saved, workers=2) as call, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: call(json.dumps(ROWS).encode(), "application/json"), range(40)))
        status, _, body = call(b"1,2", "text/csv")
    assert {answer[0] for answer in answers} == {200}
    assert {answer[2] for answer in answers} == {b'{    "predictions": [[22.0, -9.9], [-1.25, -5.45]    ]}'}
    assert (status, json.loads(body)["error"]["message"]) == (400, "another shape")
    assert call.log.splitlines()[0].startswith("nacre tensorflow: listening on ")


@needs_tensorflow
def test_a_model_that_cannot_be_loaded(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"garbage")
    assert "TensorFlow cannot load the model" in refused("tensorflow", tmp_path)
    with pytest.raises(ModelError, match="TensorFlow cannot load the model"):
        TensorFlow.load(tmp_path, {})
    late = TensorFlow.load(saved, {})
    assert isinstance(late, Late)
    assert late.execution_parameters()["BatchStrategy"] == "MULTI_RECORD"
    assert json.loads(ask(late, "[[1, 2, 3]]").body)["predictions"] == [[22.0, -9.9]]


# Without TensorFlow


def test_models_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model to serve: .*got none"):
        find(tmp_path, None)
    (tmp_path / "old.h5").write_bytes(b"")
    with pytest.raises(ModelError, match="an HDF5 file is refused"):
        find(tmp_path, None)
    for name in ("export/Servo/0009/saved_model.pb", "export/Servo/10/saved_model.pb"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    assert find(tmp_path, None) == ("Servo", "10", tmp_path / "export" / "Servo" / "10")
    (tmp_path / "other.keras").write_bytes(b"")
    assert find(tmp_path, "other") == ("other", "1", tmp_path / "other.keras")
    with pytest.raises(ModelError, match="got Servo, other.*SAGEMAKER_TFS_DEFAULT_MODEL_NAME"):
        find(tmp_path, None)


@pytest.mark.parametrize(
    "value, text",
    [
        (1.0, "1.0"), (0.1, "0.1"), (-0.0, "-0.0"), (1e6, "1e+06"), (3e-5, "3e-05"), (123456.0, "123456.0"),
        (1234567.0, "1234567.0"), (0.1 + 0.2, "0.30000000000000004"), (1 / 3, "0.33333333333333331"),
        (Decimal(np.float32(0.1)), "0.1"), (Decimal(np.float32(1) / np.float32(3)), "0.333333343"),
    ],
)  # fmt: skip
def test_decimals(value: float, text: str) -> None:
    assert decimal(value, nan=True) == text


def test_the_text_of_answers() -> None:
    """As RapidJSON's PrettyWriter lays it out."""
    one = {"y": np.array([[1.0, 2.5]], np.float32)}
    assert answer(Answered(one), nan=True) == '{\n    "predictions": [[1.0, 2.5]\n    ]\n}'
    assert answer(Answered(one, rows=False), nan=True) == (
        '{\n    "outputs": [\n        [\n            1.0,\n            2.5\n        ]\n    ]\n}'
    )
    two = {"a": np.array([1]), "b": np.array([[True, False]])}
    assert answer(Answered(two), nan=True) == (
        '{\n    "predictions": [\n        {\n            "a": 1,\n            "b": [true, false]\n        }\n    ]\n}'
    )


class Once(Handler):
    kind = "once"

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        return Reply(body, content_type)


def test_a_late_handler_is_made_at_the_first_need() -> None:
    made: list[int] = []

    def make() -> Handler:
        made.append(os.getpid())
        return Once()

    tried(make, Path("x"))
    assert made == []  # that was in another process
    late = Late(make)
    assert late.failure(RequestError("no"), None).status == 400
    assert made == []
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda n: late.invoke(b"1", "a/b", None), range(8)))
    assert {reply.body for reply in replies} == {b"1"}
    assert made == [os.getpid()]


def test_what_trying_tells() -> None:
    def fails() -> None:
        raise ModelError("no such model", expected="one", got=2, file="f", fix="Do")

    with pytest.raises(ModelError) as caught:
        tried(fails, Path("x"))
    assert str(caught.value) == str(ModelError("no such model", expected="one", got=2, file="f", fix="Do"))
    with pytest.raises(ModelError, match="the model cannot be loaded: .*ZeroDivisionError"):
        tried(lambda: 1 / 0, Path("x"))
    with pytest.raises(ModelError, match="loading the model ended the process: .*it ended with -?9"):
        tried(lambda: os.kill(os.getpid(), 9), Path("x"))
