"""The containers that run a script of the user: its functions, what stands in for those it lacks, what fails and how."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import re
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nacre.chain import FusedChain, HttpChain
from nacre.errors import ContainerError, SetupError
from nacre.handlers.container import Container
from nacre.handlers.script_formats import DECODERS, ENCODERS
from nacre.pipeline import Pipeline
from nacre.serving.processes import started
from nacre.serving.server import SERVERS
from tests.scripts import SUMS, model, refused, serving, wheel

ROWS = np.array([[1.0, 2.5], [3.0, -4.0], [0.1, 0.2]])
SUM = [3.5, -1.0, 0.1 + 0.2]


def npy(values: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def parquet(table: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def lines(values: Any) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


BODIES: dict[str, list[bytes]] = {
    "text/csv": [b"1,2.5\n3,-4\n0.1,0.2\n", b'"1",2.5\r\n\r\n3,-4\r\n0.1,0.2'],
    "application/json": [
        json.dumps(ROWS.tolist()).encode(),
        json.dumps({"instances": ROWS.tolist()}).encode(),
        json.dumps({"instances": [{"features": row} for row in ROWS.tolist()]}).encode(),
        json.dumps({"inputs": [{"a": a, "b": b} for a, b in ROWS.tolist()]}).encode(),
    ],
    "application/jsonlines": [lines(ROWS.tolist()), lines({"features": row} for row in ROWS.tolist())],
    "application/x-npy": [npy(ROWS)],
    "application/x-parquet": [
        parquet(pa.table({"a": ROWS[:, 0], "b": ROWS[:, 1]})),
        parquet(pa.table({"id": [7, 8, 9], "features": ROWS.tolist()})),
    ],
}
READERS = {
    "text/csv": lambda body: [float(line) for line in body.decode().splitlines()],
    "application/json": json.loads,
    "application/jsonlines": lambda body: [json.loads(line) for line in body.splitlines()],
    "application/x-npy": lambda body: np.load(io.BytesIO(body)).tolist(),
    "application/x-parquet": lambda body: pq.read_table(io.BytesIO(body))["prediction"].to_pylist(),
}


def loaded(folder: Path, script: str, kind: str = "script", env: dict[str, str] | None = None) -> Any:
    """A container in this process, as a function that answers whatever happens."""
    container = Container.load(kind, model(folder, script), env or {})

    def call(body: bytes, content_type: str | None = "text/csv", accept: str | None = None) -> Any:
        try:
            return container.invoke(body, content_type, accept)
        except Exception as error:  # noqa: BLE001  as the HTTP app does
            return container.failure(error, accept)

    call.container = container  # type: ignore[attr-defined]
    return call


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with serving("script", model(tmp_path_factory.mktemp("sums"))) as server:
        yield server


def test_every_type_is_tried() -> None:
    assert set(BODIES) == set(DECODERS)
    assert set(READERS) == set(ENCODERS)


@pytest.mark.parametrize("accept", READERS)
@pytest.mark.parametrize("content_type", BODIES)
def test_every_pair_of_types(sums: Any, content_type: str, accept: str) -> None:
    for body in BODIES[content_type]:
        for header in (content_type, f"{content_type}; charset=utf-8", content_type.upper()):
            status, replied, answer = sums(body, header, accept)
            assert (status, replied.split(";")[0]) == (200, accept), answer
            assert READERS[accept](answer) == SUM


def test_one_row_is_a_row(sums: Any) -> None:
    for content_type, body in {
        "text/csv": b"1,2",
        "application/json": b"[1, 2]",
        None: b'{"instances": [[1, 2]]}',
    }.items():
        assert json.loads(sums(body, content_type)[2]) == [3.0]
    assert sums(npy(np.array([1, 2])), "application/x-npy", "text/csv")[2] == b"3.0\n"


def test_the_type_of_a_reply(sums: Any, tmp_path: Path) -> None:
    assert sums(b"1,2")[1] == "application/json"
    assert sums(b"1,2", accept="*/*")[1] == "application/json"
    assert sums(b"1,2", accept="text/csv")[1] == "text/csv; charset=utf-8"
    assert sums(b"1,2", accept="text/html, text/csv;q=0.5, application/x-npy;q=0.6")[1] == "application/x-npy"
    assert sums(b"1,2", accept="text/html, */*;q=0.1")[1] == "application/json"
    call = loaded(tmp_path, SUMS, env={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"})
    assert call(b"1,2", accept="*/*").body == b"3.0\n"


@pytest.mark.parametrize(
    "body, content_type, accept, status, said",
    [
        (b"1,2", "text/html", None, 415, "Content type text/html is not supported"),
        (b"1,2", "text/csv", "text/html", 406, "Content type text/html is not supported"),
        (b"1,2\n3", "text/csv", None, 400, "expected 2 fields, got 1, at row 2"),
        (b"", "text/csv", None, 400, "no rows"),
        (b"", "application/json", None, 400, "the body is no JSON"),
        (b"[]", "application/json", None, 400, "no rows"),
        (b"[[1,2],", "application/json", None, 400, "the body is no JSON"),
        (b"[[1,2],[3]]", "application/json", None, 400, "expected 2 fields, got 1, at row 2"),
        (b"[[1,2],3]", "application/json", None, 400, "rows of several shapes"),
        (b'[{"a":1},{"b":1}]', "application/json", None, 400, "a row with other columns: expected a, got b, at row 2"),
        (b"[1,2]\n[1,", "application/jsonlines", None, 400, "a line is no JSON"),
        (b"\x93NUMPY", "application/x-npy", None, 400, "the body is no NPY"),
        (npy(np.array([{"a": 1}], dtype=object)), "application/x-npy", None, 400, "the body is no NPY"),
        (b"PAR1", "application/x-parquet", None, 400, "the body is no Parquet"),
        (b"\xff,1", "text/csv", None, 400, "the body is not utf-8"),
        (b"1,2", "text/csv; charset=klingon", None, 415, "unknown charset"),
        (b'"1,2', "text/csv", None, 400, "the body is no CSV"),
        (b"a,b", "text/csv", None, 500, "predict failed: got ValueError: could not convert string to float"),
    ],
)  # fmt: skip
def test_bad_requests(sums: Any, body: bytes, content_type: str, accept: str | None, status: int, said: str) -> None:
    got, replied, answer = sums(body, content_type, accept)
    error = json.loads(answer)["error"]
    where = ", ".join(f"{key} {value}" for key, value in error["where"].items() if key != "container")
    sentence = f"{error['message']}: " + ", ".join(
        [f"expected {error['expected']}"] * bool(error.get("expected")) + [f"got {error.get('got')}", f"at {where}"]
    )
    assert (got, replied) == (status, "application/json")
    assert said in sentence
    assert b"Traceback" not in answer


OWN = """
    import json

    def model_fn(model_dir):
        return 2

    def input_fn(input_data, content_type):
        assert content_type in ("text/csv", "application/json", "my/type; a=b"), content_type
        assert isinstance(input_data, bytes if content_type.startswith("my/") else str)
        return [float(word) for word in (input_data if isinstance(input_data, str) else input_data.decode()).split(",")]

    def predict_fn(input_data, model):
        return [model * value for value in input_data]

    def output_fn(prediction, accept):
        if accept == "text/csv":
            return ",".join(map(str, prediction))
        if accept == "tuple/type":
            return json.dumps(prediction), "text/plain"
        if accept == "bytes/type":
            return bytes(bytearray(map(int, prediction)))
        if accept == "list/type":
            return prediction
        return None
"""


def test_functions_of_the_script(tmp_path: Path) -> None:
    with serving("script", model(tmp_path, OWN)) as call:
        assert call(b"1,2", accept="text/csv") == (200, "text/csv; charset=utf-8", b"2.0,4.0")
        assert call(b"1,2", "text/csv;charset=UTF-8", "text/csv;q=0.9")[2] == b"2.0,4.0"
        assert call("1,2".encode("utf-16"), "text/csv; charset=utf-16", "text/csv")[2] == b"2.0,4.0"
        assert call(b"1,2", None, "tuple/type") == (200, "text/plain; charset=utf-8", b"[2.0, 4.0]")
        assert call(b"1,2", "my/type; a=b", "bytes/type") == (200, "bytes/type", b"\x02\x04")
        assert call(b"1,2", accept="list/type") == (200, "application/json", b"[2.0, 4.0]")
        status, _, body = call(b"1,2", accept="other/type")
    error = json.loads(body)["error"]
    assert (status, error["message"], error["got"]) == (500, "output_fn returned something else", "NoneType")


TRANSFORM = """
    from flask import Response

    def model_fn(model_dir, context):
        return context.model_dir == model_dir

    def transform_fn(model, input_data, content_type, accept, context):
        assert model
        assert context.get_request_header(0, "Content-Type") == "text/csv; charset=utf-8"
        return Response(f"{input_data}|{content_type}|{accept}", status=201, mimetype="text/plain", headers={"X-A": "b"})

    def execution_parameters_fn():
        return '{"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2}'
"""


def test_transform_fn_with_context_and_a_response(tmp_path: Path) -> None:
    call = loaded(tmp_path, TRANSFORM)
    reply = call(b"x", "text/csv; charset=utf-8", "a/b")
    assert reply == (b"x|text/csv|a/b", "text/plain; charset=utf-8", 201, (("X-A", "b"),))
    assert call.container.handler.execution_parameters()["MaxConcurrentTransforms"] == 3


def test_an_own_predict_fn_gets_arrays_as_the_toolkit_gives_them(tmp_path: Path) -> None:
    script = SUMS + "\n    def predict_fn(data, model):\n        return list(data.shape)\n"
    call = loaded(tmp_path, script)
    assert [call(body).body for body in (b"1,2,3", b"1\n2", b"1,2\n3,4", b"5")] == [b"[3]", b"[2]", b"[2, 2]", b"[]"]
    documents = (b"[1,2,3]", b"[[1,2,3]]", b"[[1],[2]]", b"5")
    assert [call(body, "application/json").body for body in documents] == [b"[3]", b"[1, 3]", b"[2, 1]", b"[]"]


FAILING = """
    import helper

    class Refused(Exception):
        status_code = 422

    def model_fn(model_dir):
        return {}

    def input_fn(input_data, content_type):
        if input_data == "refuse":
            raise Refused("no")
        if input_data == "exit":
            raise SystemExit(3)
        return input_data

    def predict_fn(input_data, model):
        return helper.divide(1, 0)
"""


def test_what_a_script_raises_names_its_place(tmp_path: Path) -> None:
    folder = model(tmp_path, FAILING, helper_py="def divide(a, b):\n    return a / b\n")
    with serving("script", folder, {"NACRE_CONTAINER_NAME": "third"}) as call:
        status, _, body = call(b"1")
        assert (call(b"refuse")[0], call(b"exit")[0], call(b"1", accept="a/b")[0]) == (422, 500, 406)
        assert call(b"", path="/ping")[0] == 200
    assert status == 500
    assert json.loads(body)["error"] == {
        "type": "ScriptError", "message": "predict_fn failed", "expected": None,
        "got": "ZeroDivisionError: division by zero",
        "where": {"container": "third", "file": "helper.py, line 2, in divide"},
    }  # fmt: skip
    trace, rest = call.log.split(
        "nacre third: 500 POST '/invocations' ScriptError, file helper.py, line 2, in divide\n"
    )
    assert "Traceback (most recent call last):" in trace
    assert "in predict_fn\n    return helper.divide(1, 0)" in trace
    assert "script_code.py" not in trace.split("Traceback")[1]
    assert "nacre third: 422" in rest


BROKEN: dict[str, tuple[str, str]] = {
    "syntax": ("def model_fn(:\n    pass\n", r"the script cannot be read: expected Python, got invalid syntax, at .*file inference.py, line 1$"),
    "import": ("import not_there_at_all\n", r"the script cannot be imported: got ModuleNotFoundError: No module named 'not_there_at_all', at .*file inference.py, line 1. Put not_there_at_all into requirements.txt"),
    "top level": ("x = 1\ny = x / 0\n", r"the script cannot be imported: got ZeroDivisionError: division by zero, at .*file inference.py, line 2$"),
    "exit": ("raise SystemExit(0)\n", r"the script cannot be imported: got SystemExit: 0, at .*inference.py, line 1$"),
    "no model_fn": ("def predict_fn(a, b):\n    pass\n", r"the script has no model_fn: expected model_fn\(model_dir\), got none, at .*file inference.py. Write one"),
    "raises": ("def model_fn(d):\n    raise OSError('no file')\n", r"model_fn failed: got OSError: no file, at .*file inference.py, line 2, in model_fn$"),
    "none": ("def model_fn(d):\n    pass\n", r"model_fn gave no model: expected a model, got None: has it a return statement\?, at .*file inference.py$"),
    "arguments": ("def model_fn():\n    return 1\n", r"model_fn takes other arguments: expected model_fn\(model_dir\), or with context as one more, got model_fn\(\), at .*file inference.py, line 1$"),
    "no function": ("model_fn = 3\n", r"model_fn is no function: expected model_fn\(model_dir\)"),
    "both": ("def model_fn(d):\n    return 1\ndef transform_fn(a, b, c, d):\n    pass\ndef input_fn(a, b):\n    pass\n", r"transform_fn stands beside functions it replaces: expected transform_fn alone, or the other three, got transform_fn and input_fn, at .*inference.py$"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_script_that_cannot_serve(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    script, said = BROKEN[name]
    with pytest.raises(Exception) as caught:
        Container.load("script", model(tmp_path, script), {})
    line = str(caught.value)
    assert re.search(said, line)
    assert "\n" not in line
    assert ("Traceback" in capsys.readouterr().err) == (name in ("top level", "exit", "raises"))


def test_the_start_fails_with_one_line(tmp_path: Path) -> None:
    line = refused("script", model(tmp_path, BROKEN["raises"][0]))
    where = "container script, file inference.py, line 2, in model_fn"
    assert line == f"nacre: model_fn failed: got OSError: no file, at {where}"
    line = refused("script", model(tmp_path / "empty", None))
    assert "no script: expected inference.py, got an empty folder, at container script" in line
    (tmp_path / "bare").mkdir()
    assert "no script: expected code/inference.py in the model, got none" in refused("script", tmp_path / "bare")


def test_where_the_code_may_be(tmp_path: Path) -> None:
    """The environment's program and folder, an archive, SageMaker's own spelling of the model's folder."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "predict.py").write_text("def model_fn(d):\n    return lambda rows: [d.endswith('model')]\n")
    with tarfile.open(tmp_path / "sourcedir.tar.gz", "w:gz") as archive:
        archive.add(own / "predict.py", "predict.py")
    folder = model(tmp_path / "model", (own / "predict.py").read_text(), "predict.py")
    for directory in (
        str(own),
        f"file://{own}",
        str(tmp_path / "sourcedir.tar.gz"),
        "/opt/ml/model/code",
        "file:///opt/ml/model/code",
    ):
        for program in ("predict.py", "predict"):
            env = {"SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": directory}
            container = Container.load("script", folder, env)
            assert container.invoke(b"1", "text/csv", None).body == b"[true]"
    container = Container.load("script", folder, {"SAGEMAKER_PROGRAM": str(own / "predict.py")})
    assert container.invoke(b"1", "text/csv", None).body == b"[true]"
    with pytest.raises(SetupError, match="cannot read from here"):
        Container.load("script", folder, {"SAGEMAKER_SUBMIT_DIRECTORY": "ftp://x/y"})


REQUIRING = """
    import numpy
    import nacre_test_wheel

    def model_fn(model_dir):
        return lambda rows: [nacre_test_wheel.VALUE, numpy.__file__]
"""


def test_requirements_are_installed_beside_the_script(tmp_path: Path) -> None:
    """numpy is there and stays the one that is there; the model's folder and this Python stay as they are."""
    folder = model(
        tmp_path, REQUIRING, requirements_txt="--no-index\n--find-links wheels\nnacre_test_wheel==1.0\nnumpy\n"
    )
    wheel(folder / "code" / "wheels", "nacre_test_wheel", "VALUE = 42\n")
    with serving("script", folder) as call:
        value, numpy_file = json.loads(call(b"1")[2])
    assert (value, numpy_file) == (42, np.__file__)
    assert sorted(path.name for path in (folder / "code").iterdir() if path.name != "__pycache__") == [
        "inference.py", "requirements.txt", "wheels",
    ]  # fmt: skip
    said = refused("script", folder, {"NACRE_INSTALL_REQUIREMENTS": "false"})
    assert "No module named 'nacre_test_wheel'" in said


def test_requirements_that_cannot_be_had(tmp_path: Path) -> None:
    line = refused("script", model(tmp_path, SUMS, requirements_txt="--no-index\nnacre-none-such==7\n"))
    assert "requirements cannot be installed: got " in line
    assert "nacre-none-such==7" in line
    assert "NACRE_INSTALL_REQUIREMENTS=false" in line


def test_requests_of_a_worker_come_one_at_a_time(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    script = """
        import time
        inside = []
        def model_fn(d):
            return 1
        def transform_fn(model, data, content_type, accept):
            inside.append(1)
            time.sleep(0.05)
            return str(len(inside) - (inside.pop() is None))
    """
    for env, most in (({}, 1), ({"NACRE_SCRIPT_THREADS": "true"}, 4)):
        call = loaded(tmp_path / str(most), script, env=env)
        with ThreadPoolExecutor(4) as pool:
            seen = [int(reply.body) for reply in pool.map(call, [b"x"] * 8)]
        assert max(seen) == most if most == 1 else max(seen) > 1


def test_aws_answers(tmp_path: Path) -> None:
    call = loaded(tmp_path, SUMS, env={"NACRE_COMPAT": "aws"})
    reply = call(b"1,2", "text/html")
    assert (reply.status, json.loads(reply.body)["error"]) == (415, "UnsupportedFormatError")
    assert call(b"1,2", accept="text/html").status == 406


def test_what_prediction_can_be_written(tmp_path: Path) -> None:
    predictions = """
        import numpy as np, pandas as pd
        from scipy.sparse import csr_matrix
        KINDS = {
            "frame": pd.DataFrame({"a": [1, 2], "b": ["x", None]}), "sparse": csr_matrix([[0.0, 1.5]]),
            "float32": np.array([[0.1, 0.2]], np.float32), "texts": ["a,b", 'c"d'], "scalar": np.float64(2.5),
            "nan": np.array([np.nan, np.inf]), "mappings": [{"p": 1, "q": [1, 2]}], "cube": np.zeros((1, 2, 2)), "nothing": np.zeros((0, 2)),
        }
        def model_fn(d):
            return KINDS
        def input_fn(data, content_type):
            return data
        def predict_fn(data, model):
            return model[data]
    """
    call = loaded(tmp_path, predictions)
    csv = {
        kind: call(kind.encode(), accept="text/csv")
        for kind in ("frame", "sparse", "float32", "texts", "scalar", "nan")
    }
    assert {kind: reply.body.decode() for kind, reply in csv.items()} == {
        "frame": "1,x\n2,\n", "sparse": "0.0,1.5\n", "float32": "0.1,0.2\n", "texts": '"a,b"\n"c""d"\n',
        "scalar": "2.5\n", "nan": "nan\ninf\n",
    }  # fmt: skip
    assert json.loads(call(b"frame", accept="application/json").body) == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert call(b"nan", accept="application/json").body == b"[null, null]"
    assert [call(b"nothing", accept=accept).body for accept in ("text/csv", "application/json")] == [b"", b"[]"]
    assert call(b"mappings", accept="application/jsonlines").body == b'{"p": 1, "q": [1, 2]}\n'
    for kind in ("frame", "mappings"):
        table = pq.read_table(io.BytesIO(call(kind.encode(), accept="application/x-parquet").body))
        assert (
            table.to_pylist()
            == {"frame": [{"a": 1, "b": "x"}, {"a": 2, "b": None}], "mappings": [{"p": 1, "q": [1, 2]}]}[kind]
        )
    assert np.load(io.BytesIO(call(b"cube", accept="application/x-npy").body)).shape == (1, 2, 2)
    assert {
        call(kind, accept=accept).status for kind, accept in ((b"cube", "text/csv"), (b"mappings", "application/x-npy"))
    } == {406}


def test_a_script_is_never_fused(tmp_path: Path) -> None:
    for image, env in (
        ("nacre/script", {}),
        ("nacre/scikit-learn", {}),
        ("nacre/xgboost", {"SAGEMAKER_PROGRAM": "a.py"}),
    ):
        containers = [{"Image": image, "ModelDataUrl": str(tmp_path), "Environment": env}]
        whole = Pipeline.from_definition({"ModelName": "m", "Containers": containers}, tmp_path)
        with pytest.raises(SetupError, match="cannot be fused"):
            FusedChain.load(whole, tmp_path / "work")


def test_typed_columns(tmp_path: Path) -> None:
    handler = loaded(tmp_path, SUMS).container.handler
    table = pa.table({"a": [1.0, 2.0], "b": [3, None]})
    frame = handler.from_table(table)
    assert isinstance(frame, pd.DataFrame)
    assert handler.to_array(handler.predict(handler.from_table(table.slice(0, 1)))).to_pylist() == [4.0]


def test_what_a_script_logs(tmp_path: Path) -> None:
    script = """
        import logging
        logger = logging.getLogger("mine")
        def model_fn(d):
            logger.info("loading %s", 1)
            logger.debug("unseen")
            return 1
    """
    for level, said in (("20", "INFO - mine - loading 1\n"), ("30", "")):
        with serving("script", model(tmp_path, script), {"SAGEMAKER_CONTAINER_LOG_LEVEL": level}) as call:
            pass
        assert call.log.partition("nacre script: listening")[0] == said
    with pytest.raises(SetupError, match="SAGEMAKER_CONTAINER_LOG_LEVEL is not usable"):
        Container.load("script", tmp_path, {"SAGEMAKER_CONTAINER_LOG_LEVEL": "high"})


def test_scripts_in_a_chain(tmp_path: Path) -> None:
    """Over HTTP: the first gets the client's type, the second the first one's answer, Accept only the last; an error
    names its container."""
    doubling = """
        import json
        def model_fn(d):
            return 2
        def predict_fn(data, model):
            if data.size == 3:
                raise RuntimeError("three of them")
            return data * model
        def output_fn(prediction, accept):
            return ",".join(map(str, prediction.tolist())) + "\\n", "text/csv; charset=utf-8"
    """
    model(tmp_path / "first", doubling)
    model(tmp_path / "second", SUMS)
    containers = [
        {"ContainerHostname": name, "Image": image, "ModelDataUrl": str(tmp_path / name)}
        for name, image in (("first", "nacre/script"), ("second", "x.amazonaws.com/sagemaker-scikit-learn:1.4-2"))
    ]
    pipeline = Pipeline.from_definition({"ModelName": "m", "Containers": containers}, tmp_path)
    with started(pipeline, tmp_path / "work") as urls, HttpChain(urls) as chain:
        assert chain.invoke(b"[1, 2]", "application/json", "text/csv").body == b"6.0\n"
        assert chain.invoke(b"1,2", "text/csv").body == b"[6.0]"
        for body, name, said in (
            (b"1,2,3", "first", "predict_fn failed"),
            (b"[[1], [2, 3]]", "first", "another width"),
        ):
            with pytest.raises(ContainerError) as caught:
                chain.invoke(body, "application/json" if body[:1] == b"[" else "text/csv")
            error = json.loads(caught.value.reply.body)["error"]
            assert (error["where"]["container"], said in error["message"]) == (name, True)


def eventually(call: Any, body: bytes) -> Any:
    """The answer of a server that may be starting a worker just now."""
    for _ in range(100):
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            return call(body)[2]
        time.sleep(0.05)
    raise AssertionError("no answer")


@pytest.mark.parametrize("server", SERVERS)
def test_a_worker_that_hangs_or_dies_is_replaced(tmp_path: Path, server: str) -> None:
    script = """
        import os, time
        def model_fn(d):
            return 1
        def transform_fn(model, data, content_type, accept):
            if data == "hang":
                time.sleep(60)
            if data == "die":
                os._exit(7)
            return data
    """
    with serving("script", model(tmp_path, script), {"SAGEMAKER_MODEL_SERVER_TIMEOUT": "1"}, server=server) as call:
        for body in (b"hang", b"die") if server == "gunicorn" else (b"die",):
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                call(body)
            assert eventually(call, b"again") == b"again"
    assert (
        server != "gunicorn"
        or "nacre: the script took more than 1 s, its worker ends (SAGEMAKER_MODEL_SERVER_TIMEOUT)" in call.log
    )


def test_a_script_in_a_package(tmp_path: Path) -> None:
    package = model(tmp_path, None) / "code" / "package"
    package.mkdir()
    (package / "inference.py").write_text("from . import near\n\ndef model_fn(d):\n    return near.model\n")
    (package / "near.py").write_text("def model(rows):\n    return ['near']\n")
    container = Container.load("script", tmp_path, {"SAGEMAKER_PROGRAM": "package/inference.py"})
    assert container.invoke("\ufeff1,2".encode(), "text/csv", None).body == b'["near"]'


def test_code_on_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As SageMaker's SDK leaves it: sourcedir.tar.gz in a bucket."""
    boto3 = pytest.importorskip("boto3")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        packed = tmp_path / "sourcedir.tar.gz"
        with tarfile.open(packed, "w:gz") as archive:
            archive.add(model(tmp_path) / "code" / "inference.py", "inference.py")
        boto3.client("s3").create_bucket(Bucket="code")
        boto3.client("s3").upload_file(str(packed), "code", "a/sourcedir.tar.gz")
        url = "s3://code/a/sourcedir.tar.gz"
        container = Container.load("script", tmp_path / "bare", {"SAGEMAKER_SUBMIT_DIRECTORY": url})
        assert container.invoke(b"1,2", "text/csv", None).body == b"[3.0]"
    finally:
        server.stop()
