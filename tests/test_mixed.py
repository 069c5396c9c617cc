"""Chains of our containers and of others: fused where they can be, processes where not, and the same bytes as over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from nacre.chain import FusedChain, HttpChain, Limits, MixedChain
from nacre.errors import ContainerError, RequestError, SchemaError
from nacre.pipeline import Pipeline
from nacre.serving.opening import opened
from nacre.serving.processes import started
from tests import tiny_chain
from tests.shared import CHECKOUT
from tests.test_chain import outcome
from tests.test_command import command_of

LABELS = {
    "input": {"columns": {"score": "double"}},
    "rules": [{"when": "score > 8", "set": "label = 'many, \"really\"'", "otherwise": "label = 'few'"}],
    "output": {"columns": ["label", "score"]},
}


def own(name, **environment):
    return {"ContainerHostname": name, "Image": "nacre/command", **command_of(**environment)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    tiny_chain.bundle(folder / "model.zip")
    tiny_chain.booster(folder / "model.json", tiny_chain.rows(200))
    (folder / "labels").mkdir()
    (folder / "labels" / "postprocess.yaml").write_text(yaml.safe_dump(LABELS, sort_keys=False))
    return folder


def ours(folder):
    features, score = yaml.safe_load(tiny_chain.pipeline(folder).read_text())["Containers"]
    return features, score, {"ContainerHostname": "labels", "Image": "nacre/postprocess", "ModelDataUrl": "labels"}


def written(folder, name, *containers):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"ModelName": name, "Containers": list(containers)}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def pair(folder):
    """(mixed, over HTTP) of a chain of six with programs at the start, in the middle and at the end."""
    pytest.importorskip("xgboost")
    features, score, labels = ours(folder)
    whole = Pipeline.read(
        written(folder, "six", own("in", ATTRIBUTES="from in"), features, score, own("middle"), labels, own("out"))
    )
    limits = Limits(client=100_000, between=15_000)
    with (
        opened(whole, folder / "mixed", limits) as mixed,
        started(whole, folder / "http") as urls,
        HttpChain(urls, limits) as over_http,
    ):
        yield mixed, over_http


GOOD = b"M,0.455,0.365,0.514"
REQUESTS = {
    "one row": (GOOD, "text/csv", "text/csv"),
    "two rows": (GOOD + b"\nF,0.53,0.42,0.677\n", "text/csv", None, "mine"),
    "accept goes to the last": (GOOD, "text/csv", "image/png"),
    "the first fails": (b"status 503", "text/csv"),
    "the second fails": (b"X,1,2,3", "text/csv"),
    "the second has no such type": (GOOD, "text/plain"),
    "too large between": (b"\n".join([GOOD] * 600), "text/csv"),
    "empty": (b"", "text/csv"),
    "no content type": (GOOD, None),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_mixed_and_http_give_the_same(pair, request_):
    mixed, over_http = pair
    assert isinstance(mixed, MixedChain)
    found = outcome(mixed, *request_)
    if isinstance(found, tuple) and b'"timestamp"' in getattr(found[-1], "body", b""):
        assert found[:2] == outcome(over_http, *request_)[:2]
        return
    assert found == outcome(over_http, *request_)


def test_what_the_requests_above_come_to(pair):
    found = {name: outcome(pair[0], *request_) for name, request_ in REQUESTS.items()}
    assert found["one row"].body.startswith(b'"many, ""really""",10.')
    assert found["two rows"].headers == (("x-amzn-sagemaker-custom-attributes", "from in"),)
    assert found["accept goes to the last"] == found["one row"]  # a program that does as it likes
    assert found["the first fails"][:2] == ("in", 503)
    assert found["the second fails"][:2] == ("features", 400)
    assert found["too large between"][:2] == ("features", 413)


def test_errors_and_limits_are_the_same_in_words(pair):
    for request_ in (
        (b"status 503", "text/csv"),
        (b"X,1,2,3", "text/csv"),
        (b"x" * 100_001, "text/csv"),
        (b"1", "a\nb"),
    ):
        texts = []
        for chain in pair:
            with pytest.raises((ContainerError, RequestError)) as caught:
                chain.invoke(*request_)
            texts.append((type(caught.value), str(caught.value)))
        assert texts[0] == texts[1]


def test_time_is_told_by_container(folder, pair):
    _, score, _ = ours(folder)
    told = []
    whole = Pipeline.read(written(folder, "timed", own("in"), score))
    with opened(whole, folder / "timed", observe=lambda name, seconds: told.append(name)) as chain:
        chain.invoke(b"1,0,0,0.4,0.3,0.5", "text/csv")
        assert dict(chain.execution_parameters()) == {"MaxPayloadInMB": 7}
    assert told == ["in", "score"]


def test_typed_columns_go_through_a_program_in_the_middle(folder):
    pytest.importorskip("xgboost")
    features, score, labels = ours(folder)
    rows = tiny_chain.rows(50)
    table = pa.Table.from_pylist(rows)
    plain = FusedChain.load(Pipeline.read(written(folder, "plain", features, score, labels)), folder / "plain")
    with opened(
        Pipeline.read(written(folder, "between", features, own("middle"), score, labels)), folder / "between"
    ) as chain:
        assert chain.score_table(table).equals(plain.score_table(table))
    with opened(Pipeline.read(written(folder, "last", features, own("out"))), folder / "last") as chain:
        with pytest.raises(SchemaError) as caught:
            chain.score_table(table)
        assert caught.value.where["container"] == "out"


def test_ours_alone_are_fused(folder, capsys):
    with opened(Pipeline.read(tiny_chain.pipeline(folder)), folder / "fused") as chain:
        assert isinstance(chain, FusedChain)
    assert capsys.readouterr().err == ""


def transform(*arguments):
    command = [sys.executable, "-m", "nacre", "transform", "--no-progress", *map(str, arguments)]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True)


def test_transform_takes_any_chain(folder):
    """`nacre transform` over CSV and Parquet: the same lines as the chain without the programs."""
    pytest.importorskip("xgboost")
    features, score, labels = ours(folder)
    rows = tiny_chain.rows(300)
    (folder / "rows.csv").write_text("\n".join(tiny_chain.csv_lines(rows)) + "\n")
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    for name, chain in {
        "alone": (features, score, labels),
        "with": (features, own("middle"), score, own("more"), labels),
    }.items():
        path = written(folder, name, *chain)
        for source, target in (
            (folder / "rows.csv", folder / f"{name}.out"),
            (folder / "rows.parquet", folder / f"{name}.parquet"),
        ):
            ran = transform(path, source, target, "--overwrite")
            assert ran.returncode == 0, ran.stderr
            assert ("nacre: middle, more run as processes, 3 fused" in ran.stderr) == (name == "with")
    assert (folder / "alone.out").read_bytes() == (folder / "with.out").read_bytes()
    assert (folder / "alone.out").read_bytes().count(b"\n") == 300
    found = [pq.read_table(folder / f"{name}.parquet") for name in ("alone", "with")]
    assert found[0].equals(found[1])
    assert found[0]["prediction"].type == pa.struct([("label", pa.string()), ("score", pa.float64())])


def test_transform_says_which_container_does_not_start(folder):
    features, *_ = ours(folder)
    crash = {"ContainerHostname": "mine", "Image": "nacre/command", **command_of("crash")}
    ran = transform(written(folder, "crash", features, crash), folder / "rows.csv", folder / "crash.out")
    assert ran.returncode == 1
    assert "no such setting: COLOUR" in ran.stderr
    assert "container mine" in ran.stderr


def test_one_and_fifteen(folder):
    one = Pipeline.read(written(folder, "one", own("only")))
    with opened(one, folder / "one") as chain:
        assert chain.invoke(b"1", "text/csv").body == b"1"
        assert chain.invoke(b"env SAGEMAKER_SAFE_PORT_RANGE", "text/csv").body == b""
    number = {"input": {"columns": {"x": "double"}}, "rules": [{"set": "x = x + 1"}], "output": {"columns": ["x"]}}
    (folder / "number").mkdir()
    (folder / "number" / "postprocess.yaml").write_text(yaml.safe_dump(number))
    adding = [
        {"ContainerHostname": f"add-{at}", "Image": "nacre/postprocess", "ModelDataUrl": "number"} for at in range(14)
    ]
    fifteen = Pipeline.read(written(folder, "fifteen", *adding[:7], own("middle"), *adding[7:]))
    with opened(fifteen, folder / "fifteen") as chain:
        assert chain.invoke(b"1\n-0.0", "text/csv").body == b"15.0\n14.0\n"
        assert len(chain.names) == 15


SCRIPT = """
def model_fn(model_dir):
    return 2.0

def input_fn(body, content_type):
    return [float(line) for line in body.decode().split()]

def predict_fn(data, model):
    return [each * model for each in data]

def output_fn(prediction, accept):
    return "".join(f"{each!r}\\n" for each in prediction), "text/csv"
"""


def test_a_script_between_ours(folder):
    """The user's Python is a process of its own, in the shortest of chains that has one."""
    (folder / "script" / "code").mkdir(parents=True)
    (folder / "script" / "code" / "inference.py").write_text(
        SCRIPT.replace("body.decode()", "(body if isinstance(body, str) else body.decode())")
    )
    pytest.importorskip("xgboost")
    features, score, labels = ours(folder)
    script = {"ContainerHostname": "twice", "Image": "nacre/script", "ModelDataUrl": "script"}
    whole = Pipeline.read(written(folder, "script", features, score, script, labels))
    plain = FusedChain.load(Pipeline.read(written(folder, "without", features, score)), folder / "without")
    with opened(whole, folder / "scripted") as chain:
        assert [type(part).__name__ for part in chain.parts] == ["FusedChain", "HttpChain", "FusedChain"]
        once = float(plain.invoke(GOOD, "text/csv").body)
        assert chain.invoke(GOOD, "text/csv").body.endswith(f",{2 * once!r}\n".encode())


def test_transform_starts_ours_as_processes_too(folder):
    pytest.importorskip("xgboost")
    features, score, _ = ours(folder)
    path = written(folder, "processes", features, score)
    outputs = []
    for over in ("fused", "http"):
        ran = transform(path, folder / "rows.csv", folder / f"{over}.out", "--over", over, "--overwrite")
        assert ran.returncode == 0, ran.stderr
        assert ("features, score run as processes, 0 fused" in ran.stderr) == (over == "http")
        outputs.append((folder / f"{over}.out").read_bytes())
    assert outputs[0] == outputs[1]
    ran = transform(path, folder / "rows.csv", folder / "url.out", "--url", "http://127.0.0.1:1")
    assert (ran.returncode, "--over http" in ran.stderr) == (1, True)
