"""The BlazingText container: requests and answers of AWS's, models audited before C++ reads them, real processes."""

from __future__ import annotations

import http.client
import json
import struct
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nacre.chain import FusedChain, HttpChain
from nacre.errors import ModelError, NacreError, SchemaError
from nacre.handlers.blazingtext import BlazingText
from nacre.handlers.blazingtext_audit import audit
from nacre.handlers.container import Container
from nacre.pipeline import ContainerDefinition, Pipeline
from nacre.serving.processes import free_ports, ping, started
from nacre.train.blazingtext import Data, train
from tests import bundles
from tests.test_serving import running

fasttext = pytest.importorskip("fasttext")

LINES = "".join(
    f"__label__{'good' if n % 2 else 'bad'} {'nice fine' if n % 2 else 'poor ugly'} w{n % 5} , “ö”\n" for n in range(60)
)
SMALL = {"vector_dim": 4, "buckets": 50, "min_count": 1, "threads": 1, "epochs": 10, "learning_rate": 0.5}
TEXTS = ["nice fine w1", "ugly", "", "“ö” __label__x", "never\nseen"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model folder for each: classifier, quantized classifier, vectors without and with subwords."""
    root = tmp_path_factory.mktemp("models")
    (root / "text").write_text(LINES)
    wanted = {
        "classifier": {"mode": "supervised", "buckets": 300},
        "plain": {"mode": "skipgram", "learning_rate": 0.05, "sampling_threshold": 1, "epochs": 50},
        "subwords": {
            "mode": "cbow",
            "subwords": True,
            "min_char": 2,
            "max_char": 3,
            "learning_rate": 0.05,
            "sampling_threshold": 1,
        },
    }
    for name, given in wanted.items():
        train(Data(root / "text"), root / name, {**SMALL, **given}, str)
    model = fasttext.load_model(str(root / "classifier" / "model.bin"))
    model.quantize(qnorm=True, cutoff=280)
    (root / "quantized").mkdir()
    model.save_model(str(root / "quantized" / "any.ftz"))
    return {name: root / name for name in (*wanted, "quantized")}


def handler(folder: Path, **env: str) -> BlazingText:
    return BlazingText.load(folder, env)


def ask(container: BlazingText, body: Any, content_type: str | None = "application/json", accept: str = "*/*") -> Any:
    sent = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return container.invoke(sent, content_type, accept)


@pytest.mark.parametrize("name", ["classifier", "quantized"])
@pytest.mark.parametrize("k", [None, 1, 2, 99])
def test_labels(folders: dict[str, Path], name: str, k: int | None) -> None:
    """What fastText's own predict says, a probability as the double of its float32."""
    path = next(folders[name].iterdir())
    expected = [
        {"label": list(labels), "prob": scores.astype(float).tolist()}
        for labels, scores in (
            fasttext.load_model(str(path)).predict(text.replace("\n", " "), k or 1) for text in TEXTS
        )
    ]
    request = {"instances": TEXTS} | ({} if k is None else {"configuration": {"k": k}})
    reply = ask(handler(folders[name]), request)
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert json.loads(reply.body) == expected
    assert reply.body.startswith(b'[{"label": ["__label__good')
    assert len(expected[0]["label"]) == min(k or 1, 2)


def test_json_lines(folders: dict[str, Path]) -> None:
    """`k` is a line's own; the answer has the request's type whatever Accept says."""
    container = handler(folders["classifier"])
    lines = '{"source": "nice fine w1"}\r\n{"k": 2, "source": "ugly\u2028x"}\n\n'
    for accept in ("*/*", "application/json", "text/csv"):
        for content_type in ("application/jsonlines", "application/jsonlines;data=text", "Application/JSONLines"):
            reply = ask(container, lines, content_type, accept)
            assert reply.content_type == "application/jsonlines"
            first, second = map(json.loads, reply.body.decode().splitlines())
            assert (first["label"], len(first["prob"])) == (["__label__good"], 1)
            assert second["label"] == ["__label__bad", "__label__good"]


@pytest.mark.parametrize("name", ["plain", "subwords"])
def test_vectors(folders: dict[str, Path], name: str) -> None:
    """A word that is not in the model is zeros, unless it has character n-grams."""
    model = fasttext.load_model(str(folders[name] / "vectors.bin"))
    words = ["nice", "“ö”", "nicest", ""]
    answers = json.loads(ask(handler(folders[name]), {"instances": words}).body)
    assert answers == [{"vector": model.get_word_vector(word).tolist(), "word": word} for word in words]
    assert [any(answer["vector"]) for answer in answers] == [True, True, name == "subwords", False]


def test_csv_and_plain_text(folders: dict[str, Path]) -> None:
    """A sentence a line, quoted, bare or as a list of words; not in AWS's container."""
    container = handler(folders["classifier"])
    body = '"nice fine w1 , x"\nugly\n\nnice,fine\n'
    told = json.loads(ask(container, {"instances": ["nice fine w1 , x", "ugly", "", "nice fine"]}).body)
    reply = ask(container, body, "text/csv; charset=utf-8")
    assert reply.content_type == "text/csv; charset=utf-8"
    assert reply.body.decode().splitlines() == [f"{each['label'][0]},{each['prob'][0]!r}" for each in told]
    reply = ask(container, "nice fine w1 , x\nugly\n\nnice fine\n", "text/plain")
    assert reply.content_type == "application/jsonlines"
    assert [json.loads(line) for line in reply.body.splitlines()] == told
    vectors = handler(folders["plain"])
    (told,) = json.loads(ask(vectors, {"instances": ["nice"]}).body)
    assert ask(vectors, "nice", "text/csv").body.decode() == ",".join(map(repr, told["vector"])) + "\n"
    for content_type in ("text/csv", "text/plain"):
        with pytest.raises(NacreError) as caught:
            ask(handler(folders["plain"], NACRE_COMPAT="aws"), "nice", content_type)
        assert caught.value.status == 415


def test_typed_columns(folders: dict[str, Path]) -> None:
    container = handler(folders["classifier"])
    for table in (
        pa.table({"n": [1, 2], "t": ["nice fine", "ugly"]}),
        pa.table({"x": ["", ""], "source": ["nice fine", "ugly"]}),
    ):
        found = container.to_array(container.predict(container.from_table(table))).to_pylist()
        assert found == json.loads(ask(container, {"instances": ["nice fine", "ugly"]}).body)
    with pytest.raises(SchemaError, match="expected source, or one column of texts, got a string, b string"):
        container.from_table(pa.table({"a": ["x"], "b": ["y"]}))
    with pytest.raises(NacreError, match="row 2"):
        container.from_table(pa.table({"a": ["x", None]}))
    vectors = handler(folders["plain"])
    array = vectors.to_array(vectors.predict(vectors.from_table(pa.table({"a": ["nice"]}))))
    assert array.type == pa.list_(pa.float64())


@pytest.mark.parametrize(
    "content_type, body, status, message",
    [
        (
            "text/csv; charset=latin-1",
            b"caf\xe9",
            415,
            "unsupported charset: expected utf-8, got text/csv; charset=latin-1",
        ),
        ("application/x-npy", b"", 415, "unsupported content type: expected application/json or application/jsonlines"),
        ("application/json", b"", 400, "the body is no JSON"),
        ("application/json", b"\xff\xfe\x00", 400, "the body is no JSON"),
        ("application/json", b'{"instances": ["a"]} x', 400, "the body is no JSON"),
        ("application/json", b"[" * 100_000, 400, "the body is no JSON"),
        ("application/json", b'["a"]', 400, "no instances"),
        ("application/json", b'{"instances": []}', 400, "no instances"),
        ("application/json", b'{"instances": "a"}', 400, "no instances"),
        ("application/json", b'{"instances": ["a", 1]}', 400, "not a sentence: expected a text, got 1, at row 2"),
        ("application/json", b'{"instances": ["a", null]}', 400, "not a sentence: expected a text, got None, at row 2"),
        ("application/json", b'{"instances": ["a", "\\ud800"]}', 400, "not a text: .*row 2"),
        ("application/json", b'{"instances": ["a"], "configuration": 2}', 400, "no configuration"),
        ("application/json", b'{"instances": ["a"], "configuration": {"k": 0}}', 400, "k is no number of labels"),
        ("application/json", b'{"instances": ["a"], "configuration": {"k": true}}', 400, "k is no number of labels"),
        ("application/json", b'{"instances": ["a"], "configuration": {"k": 1.5}}', 400, "k is no number of labels"),
        ("application/jsonlines", b"\n", 400, "no rows"),
        ("application/jsonlines", b'{"source": "a"}\n{}', 400, "not a sentence: .*row 2, field source"),
        ("application/jsonlines", b'{"source": "a"}\n\n{"source": "b"}', 400, "a line that is no JSON: .*row 2"),
        ("application/jsonlines", b'{"source": "a"}\n["a"]', 400, "a line that is no object: .*row 2"),
        ("application/jsonlines", b'{"source": "a", "k": "2"}', 400, "k is no number of labels: .*row 1, field k"),
        ("application/jsonlines", b'{"source": "\xff"}', 400, "the body is not UTF-8"),
        ("text/csv", b"", 400, "no rows"),
        ("text/csv", b'"a', 400, "expected CSV as in RFC 4180"),
        ("text/plain", b"\xc3", 400, "the body is not UTF-8"),
        ("text/plain", b"\n\n", 400, "no rows"),
    ],
)
def test_bad_requests(folders: dict[str, Path], content_type: str, body: bytes, status: int, message: str) -> None:
    with pytest.raises(NacreError, match=message) as caught:
        ask(handler(folders["classifier"]), body, content_type)
    assert caught.value.status == status


# Models that are none


def spoilt(content: bytes) -> dict[str, bytes]:
    """What is wrong -> the file. Offsets: 8 the arguments, 64 the sizes of the dictionary, 92 its first entry."""

    def put(at: int, layout: str, *values: Any) -> bytes:
        raw = struct.pack(layout, *values)
        return content[:at] + raw + content[at + len(raw) :]

    words, labels = struct.unpack_from("<2i", content, 68)
    end = content.index(b"\0", 92)
    return {
        "it is empty": b"",
        "its first 8 bytes": content[:5],
        "it begins otherwise": b"PK\x03\x04" + content[4:],
        "its version": put(4, "<i", 13),
        "its arguments end early": content[:30],
        "dim": put(8, "<i", -4),
        "wordNgrams": put(28, "<i", 0),
        "loss": put(32, "<i", 9),
        "model": put(36, "<i", 0),
        "bucket": put(40, "<i", 0),
        "maxn": put(48, "<i", 1000),
        "the sizes of its dictionary": put(64, "<i", words + labels + 1),
        "its dictionary ends early": put(64, "<3i", 2**31 - 1, 2**31 - 1 - labels, labels),
        "a classifier without labels": put(64, "<3i", words, words, 0),
        "its pruned n-grams": put(84, "<q", 10**12),
        "entry 1 of its dictionary": put(end + 1, "<q", -1),
        "label 1": content.replace(b"__label__good", b"__label__\xff\xff\xff\xff").replace(
            b"__label__bad", b"__label__\xff\xff\xff"
        ),
        "its output": content[:-1],
        "its end": content + b"\0",
        "its output: expected finite weights": content[:-4] + struct.pack("<f", float("nan")),
    }


def test_models_that_are_none(folders: dict[str, Path], tmp_path: Path) -> None:
    good = (folders["classifier"] / "model.bin").read_bytes()
    assert audit(folders["classifier"] / "model.bin")[:4] == ("supervised", 4, 12, 2)
    for what, content in spoilt(good).items():
        (tmp_path / "model.bin").write_bytes(content)
        with pytest.raises(ModelError) as caught:
            handler(tmp_path)
        assert str(caught.value).startswith(f"model.bin is no fastText model that can be served: {what}"), what


@pytest.mark.parametrize("name", ["classifier", "quantized", "subwords"])
def test_no_cut_is_read(folders: dict[str, Path], tmp_path: Path, name: str) -> None:
    """A file cut anywhere is refused, and no byte that is another makes the audit fail otherwise than by refusing."""
    path = next(path for path in folders[name].iterdir() if path.suffix != ".txt")
    good = path.read_bytes()
    assert audit(path)
    other = tmp_path / "model.bin"
    for cut in range(0, len(good), max(len(good) // 150, 1)):
        other.write_bytes(good[:cut])
        with pytest.raises(ModelError):
            audit(other)
    for at in [*range(120), *range(120, len(good), max(len(good) // 100, 1))]:
        other.write_bytes(good[:at] + bytes([good[at] ^ 0x81]) + good[at + 1 :])
        try:
            audit(other)
        except ModelError:
            continue


def test_folders(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected model.bin, vectors.bin or one other .bin or .ftz, got no such file"):
        handler(tmp_path)
    good = (folders["classifier"] / "model.bin").read_bytes()
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).write_bytes(good)
    with pytest.raises(ModelError, match=r"got a.bin, b.bin"):
        handler(tmp_path)
    (tmp_path / "model.bin").write_bytes(good)
    assert handler(tmp_path).model.supervised


# Processes


def test_a_process(folders: dict[str, Path]) -> None:
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "nacre", "serve", "blazingtext", "--model", str(folders["classifier"])]
    with running([*command, "--port", str(port), "--workers", "1"], port):
        assert ping(port)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for body, kind, status in (
            ('{"instances": ["nice fine"]}', "application/json", 200),
            ('{"instances": [1]}', "application/json", 400),
            ('{"source": "ugly"}\n', "application/jsonlines", 200),
        ):
            connection.request("POST", "/invocations", body, {"Content-Type": kind, "Accept": kind})
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == status, told
        assert json.loads(told)["label"] == ["__label__bad"]
        connection.request("GET", "/execution-parameters")
        assert json.loads(connection.getresponse().read())["BatchStrategy"] == "MULTI_RECORD"
        connection.close()


def test_garbage_ends_the_start_with_one_line(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "model.bin").write_bytes(b"\0" * 100)
    command = [sys.executable, "-m", "nacre", "serve", "blazingtext", "--model", str(tmp_path), "--port", "0"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "model.bin is no fastText model that can be served: it begins otherwise" in ran.stderr


@pytest.mark.parametrize(
    "accept, content_type", [("application/jsonlines;data=text", "jsonlines"), ("text/csv", "csv")]
)
def test_after_sparkml(folders: dict[str, Path], tmp_path: Path, accept: str, content_type: str) -> None:
    """The DBpedia sample's chain: a tokenizer, whose words go on as a source of JSON Lines (or as CSV, which is ours);
    fused and over HTTP give the same bytes."""
    from nacre.bundle import write

    model = write(bundles.pipeline(bundles.node("tokenizer", {}, ["text"], ["words"])), tmp_path / "model.zip")
    schema = json.dumps(
        {
            "input": [{"name": "text", "type": "string"}],
            "output": {"name": "words", "type": "string", "struct": "array"},
        }
    )
    env = {"SAGEMAKER_SPARKML_SCHEMA": schema, "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": accept}
    containers = (
        ContainerDefinition("tokens", "sparkml", "nacre/sparkml", str(model), env),
        ContainerDefinition("label", "blazingtext", "blazingtext", str(folders["classifier"]), {}),
    )
    pipeline = Pipeline("text", containers)
    fused = FusedChain.load(pipeline, tmp_path / "fused")
    with started(pipeline, tmp_path / "http") as urls, HttpChain(urls) as over_http:
        for body in (b"Nice FINE w1", b'"ugly , poor"'):
            replies = [chain.invoke(body, "text/csv", "application/jsonlines") for chain in (fused, over_http)]
            assert replies[0].body == replies[1].body
            assert replies[0].content_type == replies[1].content_type
            assert content_type in str(replies[0].content_type)
            assert (b"__label__good" if b"Nice" in body else b"__label__bad") in replies[0].body


def test_the_container_knows_its_image(folders: dict[str, Path]) -> None:
    from nacre.handlers import kind_of_image

    assert kind_of_image("811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1") == "blazingtext"
    loaded = Container.load("blazingtext", folders["plain"], {})
    assert loaded.handler.kind == "blazingtext"
