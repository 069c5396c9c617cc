"""The SparkML container against AWS's own: `sparkml_contract.jsonl` holds what the real Java server (3.3, MLeap 0.20,
Java 17) answered, one request a line, observed on loopback. Under NACRE_COMPAT=aws ours answers the same; without it,
the same but for the improvements that sparkml-serving.md lists.

Left out of the table: Jackson's sentences about broken syntax (ours are Python's), its notes on places in the text, and
the HTML page for browsers.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import zipfile
from pathlib import Path
from subprocess import run
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

import nacre
from nacre.errors import ModelError, NacreError, RowError, SchemaError, SetupError
from nacre.formats import decimals
from nacre.handlers.container import Container
from nacre.handlers.sparkml import COLUMNS_FROM, SparkML, TableFrame
from tests.shared import abalone_csv

if TYPE_CHECKING:
    from nacre.handlers.base import Reply

NUMBERS = ["length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight", "shell_weight"]
ABALONE = "sex:string " + " ".join(f"{name}:double" for name in NUMBERS) + " -> features:double:vector"
ROW = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15"
FEATURES = "1.0,0.0,0.455,0.365,0.095,0.514,0.2245,0.101,0.15"
CSV, JSON, LINES, TEXT = "text/csv", "application/json", "application/jsonlines", "application/jsonlines;data=text"

# Bundles, written by hand

SCALAR = {"base": "scalar", "isNullable": True}


def tensor(size: int) -> dict[str, Any]:
    return {"base": "tensor", "isNullable": False, "tensorShape": {"dimensions": [{"size": size, "name": ""}]}}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def node(folder: Path, op: str, name: str, attributes: Any, inputs: list[str], outputs: list[str]) -> None:
    ports = [
        {"port": f"input{n}" if op != "string_indexer" else "input", "name": each} for n, each in enumerate(inputs)
    ]
    output = "output0" if op == "one_hot_encoder" else "output"
    write(folder / "model.json", {"op": op, "attributes": attributes})
    shape = {"inputs": ports, "outputs": [{"port": output, "name": each} for each in outputs]}
    write(folder / "node.json", {"name": name, "shape": shape})


def bundle(folder: Path, *stages: tuple[str, Any, list[str], str]) -> Path:
    uid = "7a70a45e-4ee9-4a2d-8f0f-5d5e2d9d6b11"
    known = {"uid": uid, "name": "pipe", "format": "json", "version": "0.20.0", "timestamp": "2024-01-01T00:00:00.000"}
    write(folder / "bundle.json", known)
    names = [f"{op}_{n}" for n, (op, *_) in enumerate(stages)]
    node(folder / "root", "pipeline", "pipe", {"nodes": {"type": "list", "string": names}}, [], [])
    for name, (op, attributes, inputs, output) in zip(names, stages, strict=True):
        node(folder / "root" / f"{name}.node", op, name, attributes, inputs, [output])
    return folder


def indexer(column: str, labels: list[str], invalid: str, output: str) -> tuple[str, Any, list[str], str]:
    attributes = {"labels": {"type": "list", "string": labels}, "handle_invalid": {"string": invalid}}
    return "string_indexer", attributes, [column], output


def assembler(shapes: list[Any], inputs: list[str], **more: Any) -> tuple[str, Any, list[str], str]:
    attributes = {"input_shapes": {"type": "list", "data_shape": shapes}, **more}
    return "vector_assembler", attributes, inputs, "features"


def abalone(folder: Path, invalid: str = "error", **more: Any) -> Path:
    categories = 4 if invalid == "keep" else 3
    sizes = {"category_sizes": {"type": "list", "int": [categories]}, "drop_last": {"boolean": True}}
    return bundle(
        folder,
        indexer("sex", ["M", "F", "I"], invalid, "sex_index"),
        ("one_hot_encoder", {**sizes, "handle_invalid": {"string": "error"}}, ["sex_index"], "sex_vec"),
        assembler([tensor(categories - 1)] + [SCALAR] * 7, ["sex_vec", *NUMBERS], **more),
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("bundles")
    labels = ["1", "1.0", "true", "0.455", "1.0E7", "false", "0"]
    return {
        "abalone": abalone(base / "abalone"),
        "skip": abalone(base / "skip", "skip"),
        "mixed": bundle(
            base / "mixed",
            indexer("label", labels, "keep", "label_index"),
            assembler([SCALAR] * 2, ["x", "label_index"]),
        ),
        "plain": bundle(base / "plain", assembler([SCALAR] * 2, ["x", "y"])),
        "vec": bundle(base / "vec", assembler([tensor(2), SCALAR], ["v", "x"])),
        "identity": bundle(base / "identity"),
        "strict": abalone(base / "strict", **{"nacre.handle_invalid": {"string": "error"}}),
        "keep": abalone(base / "keep", "keep", **{"nacre.handle_invalid": {"string": "keep"}}),
    }


def schema(short: str | None) -> str | None:
    """`a:int b:double:vector -> c:string` as the JSON of a schema; other texts as they are."""
    short = ABALONE if short == "ABALONE" else short
    if short is None or " -> " not in short:
        return short
    keys = ("name", "type", "struct")
    columns = [dict(zip(keys, column.split(":"), strict=False)) for column in short.replace(" -> ", " ").split(" ")]
    return json.dumps({"input": columns[:-1], "output": columns[-1]})


class Contract(NamedTuple):
    """One observed request and its answer."""

    bundle: str
    schema: str | None
    default_accept: str | None
    content_type: str | None
    accept: str | None
    body: Any
    status: int
    reply_type: str | None
    reply: str

    @property
    def sent(self) -> bytes:
        return bytes.fromhex(self.body["hex"]) if isinstance(self.body, dict) else self.body.encode("utf-8", "replace")

    def env(self) -> dict[str, str]:
        known = {
            "SAGEMAKER_SPARKML_SCHEMA": schema(self.schema),
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": self.default_accept,
        }
        return {key: value for key, value in known.items() if value is not None}


def observed() -> list[Contract]:
    lines = Path(__file__).with_name("sparkml_contract.jsonl").read_text(encoding="utf-8").splitlines()
    return [Contract(*json.loads(line)) for line in lines]


OBSERVED = observed()


class Containers:
    """Loaded containers, one for each bundle and environment."""

    def __init__(self, bundles: dict[str, Path]):
        self.bundles = bundles
        self.loaded: dict[Any, Container] = {}

    def of(self, name: str, **env: str) -> Container:
        key = (name, tuple(sorted(env.items())))
        if key not in self.loaded:
            self.loaded[key] = Container(SparkML.load(self.bundles[name], env), "sparkml", 1 << 30)
        return self.loaded[key]

    def started(self, name: str, **env: str) -> Container | None:
        """None where the schema in the environment fails the start, which a test below looks at."""
        try:
            return self.of(name, **env)
        except SetupError:
            return None


@pytest.fixture(scope="module")
def containers(bundles: dict[str, Path]) -> Containers:
    return Containers(bundles)


def ask(container: Container, body: bytes | str, content_type: str | None = CSV, accept: str | None = None) -> Reply:
    try:
        return container.invoke(body.encode() if isinstance(body, str) else body, content_type, accept)
    except NacreError as error:
        return container.failure(error, accept)


def timeless(reply: Reply) -> tuple[int, str | None, str]:
    body = re.sub(r'"timestamp":\d+', '"timestamp":0', reply.body.decode())
    return reply.status, reply.content_type, body


# The contract


def test_the_table_is_large_enough() -> None:
    assert len(OBSERVED) > 400
    assert {each.content_type for each in OBSERVED} > {CSV, JSON, LINES}


@pytest.mark.parametrize("bundle_name", ["abalone", "mixed", "identity", "vec", "skip"])
def test_answers_as_the_aws_container(containers: Containers, bundle_name: str) -> None:
    different = []
    for each in OBSERVED:
        if each.bundle == bundle_name:
            container = containers.of(bundle_name, NACRE_COMPAT="aws", **each.env())
            reply = timeless(ask(container, each.sent, each.content_type, each.accept))
            if reply != (each.status, each.reply_type, each.reply):
                different.append((each, reply))
    assert different == []


def improved(each: Contract) -> bool:
    """Whether a deliberate difference decides about this request; those have tests of their own below."""
    body = each.body if isinstance(each.body, str) else ""
    several = each.content_type == CSV and len(re.findall(r"[^\r\n\"]+", body)) > 1
    one_boolean = each.schema is not None and each.schema.startswith("label:boolean")
    lines = each.content_type == LINES and each.status == 200
    float_output = each.schema is not None and each.schema.endswith(":float") and each.status == 400
    marked = body.startswith("\ufeff") and each.content_type == CSV
    return several or lines or one_boolean or float_output or marked or "null" in body or each.schema in (None, "", " ")


@pytest.mark.parametrize("bundle_name", ["abalone", "mixed", "identity", "vec", "skip"])
def test_without_the_switch_aws_text_comes_first(containers: Containers, bundle_name: str) -> None:
    for each in OBSERVED:
        if each.bundle != bundle_name or improved(each):
            continue
        container = containers.started(bundle_name, **each.env())
        if container is None:
            assert each.status == 400, each
            continue
        reply = timeless(ask(container, each.sent, each.content_type, each.accept))
        assert reply[0] == each.status, each
        if each.status == 200:
            assert reply[1:] == (each.reply_type, each.reply)
        elif each.reply.startswith('{"timestamp"'):
            document = json.loads(reply[2])
            assert document.pop("message")
            assert (reply[1], document) == (each.reply_type, json.loads(each.reply))
        else:
            assert reply[2].startswith(each.reply), each
            assert len(reply[2]) > len(each.reply)


# The improvements, one by one; each is off under NACRE_COMPAT=aws


def rows_of(reply: Reply) -> list[str]:
    assert reply.status == 200, reply
    return reply.body.decode().split("\n")


def test_every_line_of_a_csv_is_scored(containers: Containers) -> None:
    body = f"{ROW}\r\nF{ROW[1:]}\n"
    reply = ask(containers.of("abalone"), body)
    assert rows_of(reply) == [FEATURES, "0.0,1.0" + FEATURES[7:]]
    assert reply.content_type == CSV
    assert rows_of(ask(containers.of("abalone"), body, accept=LINES))[1].startswith('{"features":[0.0,1.0,0.455')
    aws = containers.of("abalone", NACRE_COMPAT="aws", SAGEMAKER_SPARKML_SCHEMA=schema("ABALONE") or "")
    assert rows_of(ask(aws, body)) == [FEATURES]


def test_quoted_fields_may_hold_line_breaks(containers: Containers) -> None:
    container = containers.of("identity", SAGEMAKER_SPARKML_SCHEMA=schema("a:string b:string -> b:string") or "")
    assert rows_of(ask(container, '"x\ny",one\n"",two\n')) == ["one", "two"]
    reply = ask(container, 'a,"one\ntwo"\nb,three\n')
    assert (reply.status, b"line break" in reply.body, b"row 1" in reply.body) == (400, True, True)


ODD_NUMBERS = [
    "-0",
    "-0.0",
    "0",
    "7",
    "1e5",
    "1e-5",
    "1E-4",
    "0.0001",
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "nan",
    "inf",
    "1_0",
    "+1",
    ".5",
    "1.",
    "01",
    "1d",
    "0x1p3",
    "1e7",
    "9999999.5",
    "true",
    "12345678901234567890",
    "١",
    "null",
    "[1]",
    "1;2",
]
ODD_LINES = [
    *(ROW.replace("0.365", each) for each in [*ODD_NUMBERS, "", " 1", "1 ", "\t1", '"1"', "\x001", "\v1"]),
    *(each + ROW[1:] for each in ["", " M", "X", "M,M", "\ufeffM", "Mé", '"M"']),
    *(f"{ROW},{each}" for each in ["1", "x", "", "-0"]),
    *(ROW[:-3], ROW[:-5], "M", "", ",", "\ufeff" + ROW, ROW + "\r"),
]


@pytest.mark.parametrize("name", ["abalone", "skip", "strict", "keep"])
def test_the_quick_ways_answer_as_the_ordinary_one(
    containers: Containers, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """One line and many: with and without orjson, the short way and Arrow."""
    container = containers.of(name, SAGEMAKER_SPARKML_SCHEMA=schema("ABALONE") or "")
    many = [*(f"{ROW}\n" * 200 + line + end for line in ODD_LINES for end in ("", f"\n{ROW}\n")), f"\n{ROW}" * 200]
    bodies = [
        *(line + end for line in ODD_LINES for end in ("", "\n")),
        *many,
        *(b"\xff" + b.encode() for b in many[:2]),
    ]
    asked = [(body, accept) for body in bodies for accept in (None, CSV, LINES)]
    quick = [timeless(ask(container, body, accept=accept)) for body, accept in asked]
    monkeypatch.setattr(decimals, "orjson", None)
    monkeypatch.setattr(SparkML, "_one_line", lambda *_: None)
    monkeypatch.setattr(SparkML, "_csv_table", lambda *_: None)
    assert quick == [timeless(ask(container, body, accept=accept)) for body, accept in asked]


def test_arrow_reads_plain_records(containers: Containers) -> None:
    container = containers.of("abalone")
    assert isinstance(container.handler.decode(f"{ROW}\n".encode() * 200, CSV), TableFrame)


@pytest.mark.parametrize("body", [f"{ROW}\n\n{ROW}\n", f'"M"{ROW[1:]}\n\n{ROW}'])
def test_an_empty_line_between_records_is_an_error(containers: Containers, body: str) -> None:
    reply = ask(containers.of("abalone"), body)
    assert reply.status == 400
    assert "row 2" in reply.body.decode()
    assert rows_of(ask(containers.of("abalone"), f"\n\n{ROW}\n\n\n")) == [FEATURES]


def line(*values: Any) -> str:
    return json.dumps({"data": list(values)})


VALUES = ["M", *map(float, ROW.split(",")[1:])]


def test_json_lines_are_answered_in_json_lines(containers: Containers) -> None:
    body = "\n".join([line(*VALUES), json.dumps({"data": [VALUES, VALUES]})])
    abalone = containers.of("abalone")
    assert rows_of(ask(abalone, body, LINES)) == [FEATURES] * 3
    assert rows_of(ask(abalone, body, LINES, LINES)) == [f'{{"features":[{FEATURES}]}}'] * 3
    assert rows_of(ask(abalone, body, LINES, TEXT)) == [f'{{"source":"{FEATURES.replace(",", " ")}"}}'] * 3
    aws = containers.of("abalone", NACRE_COMPAT="aws", SAGEMAKER_SPARKML_SCHEMA=schema("ABALONE") or "")
    assert rows_of(ask(aws, line(*VALUES), LINES)) == [f"[[{FEATURES}]]"]


@pytest.mark.parametrize(
    "kind, value, expected",
    [("string", 'a"é', '"a\\"é"'), ("double", "NaN", '"NaN"'), ("double", 1e7, "1.0E7"), ("boolean", True, "true")],
)
def test_each_line_of_json_lines_is_a_document(containers: Containers, kind: str, value: Any, expected: str) -> None:
    container = containers.of("identity", SAGEMAKER_SPARKML_SCHEMA=schema(f"a:{kind} -> a:{kind}") or "")
    for accept in (LINES, TEXT):
        assert rows_of(ask(container, f"{line(value)}\n{line(value)}", LINES, accept)) == [expected] * 2
        assert json.loads(expected) is not None
    assert rows_of(ask(container, line(value), JSON, LINES)) == [rows_of(ask(container, line(value), JSON))[0]]


def test_batch_may_send_several_records(containers: Containers) -> None:
    parameters = containers.of("abalone").handler.execution_parameters()
    assert parameters["BatchStrategy"] == "MULTI_RECORD"
    assert parameters["MaxPayloadInMB"] == 5
    assert parameters["MaxConcurrentTransforms"] >= 1
    aws = containers.of("abalone", NACRE_COMPAT="aws").handler.execution_parameters()
    assert aws["BatchStrategy"] == "SINGLE_RECORD"


@pytest.mark.parametrize("accept", [None, LINES])
@pytest.mark.parametrize("bad", ["X", ""])
def test_an_error_names_container_row_and_field(containers: Containers, bad: str, accept: str | None) -> None:
    reply = ask(containers.of("abalone"), f"{ROW}\n{bad}{ROW[1:]}\n{ROW}", accept=accept)
    text = reply.body.decode()
    assert reply.status == 400
    assert text.startswith(f"Unseen label: {bad}. To handle unseen labels, set handleInvalid to keep; ")
    assert "container sparkml" in text
    assert "row 2, field sex, expected one of 'M', 'F', 'I', got" in text


def test_a_value_of_the_wrong_kind_is_named(containers: Containers) -> None:
    text = ask(containers.of("abalone"), f"{ROW}\n{ROW[:-4]}many").body.decode()
    assert text == ('For input string: "many"; container sparkml, row 2, field shell_weight, expected double, got many')
    text = ask(containers.of("abalone"), "M,1").body.decode()
    assert text.startswith(
        "Index 2 out of bounds for length 2; container sparkml, row 1, field diameter, expected 8 values: sex,"
    )
    assert text.endswith("shell_weight, got 2")


def test_nulls_follow_handle_invalid(containers: Containers) -> None:
    nulls = line(*[None] * 8)
    assert rows_of(ask(containers.of("keep"), nulls, JSON)) == ["0.0,0.0,0.0" + ",NaN" * 7]
    assert rows_of(ask(containers.of("keep"), line("?", None, *VALUES[2:]), JSON))[0].startswith(
        "0.0,0.0,0.0,NaN,0.365"
    )
    strict = ask(containers.of("strict"), line("M", None, *VALUES[2:]), JSON)
    assert strict.status == 400
    assert strict.body.decode().startswith("Encountered null while assembling a row")
    assert "row 1, field length" in strict.body.decode()
    assert ask(containers.of("strict"), "M,NaN" + ROW[7:]).status == 400
    assert rows_of(ask(containers.of("keep"), "M,NaN" + ROW[7:]))[0].startswith("1.0,0.0,0.0,NaN,0.365")
    aws = containers.of("keep", NACRE_COMPAT="aws", SAGEMAKER_SPARKML_SCHEMA=schema("ABALONE") or "")
    assert ask(aws, nulls, JSON).body == b'Cannot invoke "Object.toString()" because "value" is null'


def test_a_null_beside_a_vector_is_no_list_of_rows(containers: Containers) -> None:
    """Lists and nulls are records, or one record with vectors and nulls: the schema tells which."""
    env = {"SAGEMAKER_SPARKML_SCHEMA": schema("v:double:vector x:double -> features:double:vector") or ""}
    vec = containers.of("vec", **env)
    assert "handleInvalid" in ask(vec, '{"data":[[1.0,2.0],null]}', LINES).body.decode()
    assert "handleInvalid" in ask(vec, '{"data":[[1.0,2.0],null]}', JSON).body.decode()
    assert rows_of(ask(vec, '{"data":[[[1.0,2.0],3.0],[[4.0,5.0],6.0]]}', LINES)) == ["1.0,2.0,3.0", "4.0,5.0,6.0"]
    nulls = ask(containers.of("abalone"), '{"data":[["M"],null]}', LINES)
    assert nulls.body.decode().startswith("Index 1 out of bounds")


def test_a_dropped_row_is_an_error_that_names_it(containers: Containers) -> None:
    for body in (f"{ROW}\n{ROW}\nX{ROW[1:]}", "\n".join([ROW] * 2 + ["X" + ROW[1:]] + [ROW] * COLUMNS_FROM)):
        text = ask(containers.of("skip"), body).body.decode()
        assert text.startswith("next on empty iterator; container sparkml, row 3")
        assert "handleInvalid=skip" in text


def test_float_outputs(containers: Containers) -> None:
    container = containers.of("identity", SAGEMAKER_SPARKML_SCHEMA=schema("a:float -> a:float") or "")
    assert rows_of(ask(container, "0.1\n16777217\n1e39")) == ["0.1", "1.6777216E7", "Infinity"]


def test_booleans_are_text_as_in_spark(containers: Containers) -> None:
    known = {"SAGEMAKER_SPARKML_SCHEMA": schema("label:boolean x:double -> features:double:vector") or ""}
    assert rows_of(ask(containers.of("mixed", **known), "true,1\nx,1")) == ["1.0,2.0", "1.0,5.0"]
    assert rows_of(ask(containers.of("mixed", NACRE_COMPAT="aws", **known), "true,1")) == ["1.0,0.0"]


def test_a_byte_order_mark_is_no_label(containers: Containers) -> None:
    reply = ask(containers.of("keep"), "\ufeff" + ROW)
    assert (reply.status, b"byte order mark" in reply.body) == (400, True)


def test_a_null_answer_is_an_error(containers: Containers) -> None:
    container = containers.of("identity", SAGEMAKER_SPARKML_SCHEMA=schema("a:string -> a:string") or "")
    reply = ask(container, f"{line('x')}\n{line(None)}", LINES)
    assert reply.status == 400
    assert reply.body.decode().endswith("row 2, field a, expected a value, got null")


# Schemas


def test_without_a_schema_the_bundle_has_its_own(containers: Containers) -> None:
    assert rows_of(ask(containers.of("abalone"), ROW)) == [FEATURES]
    assert ask(containers.of("vec"), '{"data":[[1.0,2.0],3]}', JSON).body == b"1.0,2.0,3.0"
    assert ask(containers.of("identity"), "1").body.startswith(b"Input schema has to be provided")


def test_a_schema_in_the_request_beats_the_environment(containers: Containers) -> None:
    request = {"schema": json.loads(schema("label:string x:int -> x:int") or ""), "data": ["1", 7]}
    assert ask(containers.of("mixed"), json.dumps(request), JSON).body == b"7"
    lines = json.dumps(request) + "\n" + line("1", 8)
    assert rows_of(ask(containers.of("mixed"), lines, LINES)) == ["7", "8"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "JSON"),
        ("null", "null"),
        ('{"input":[]}', "NullPointerException"),
        ('{"input":[],"output":{"name":"f","type":"double"},"more":1}', 'Unrecognized field "more"'),
        ("sex:strin -> features:double:vector", "wrong for one or more columns"),
        ("sex:string -> features:double:vector", "invalid fields: length,diameter"),
        (ABALONE.replace(" -> ", " sex:string -> "), "struct already has field: sex"),
        (ABALONE.replace(" -> ", " sex_vec:double -> "), "struct already has field: sex_vec"),
        (ABALONE.replace("length:double", "length:int:vector"), "Only Double type is supported for vector"),
        (ABALONE.replace("length:double", "length:double:vector"), "Cannot cast TensorType(double,None,true)"),
        (ABALONE.replace("length:double", "length:double:matrix"), "unknown struct"),
        (ABALONE.replace("features:", "nothing:"), "invalid fields: nothing"),
        (ABALONE.replace("features:double:vector", "features:double"), "cannot be cast to class java.lang.Double"),
        (ABALONE.replace("features:double:vector", "sex_index:int"), "cannot be cast to class java.lang.Integer"),
    ],
)
def test_a_bad_schema_fails_the_start(bundles: dict[str, Path], text: str, message: str) -> None:
    with pytest.raises(SetupError, match=re.escape(message)) as caught:
        SparkML.load(bundles["abalone"], {"SAGEMAKER_SPARKML_SCHEMA": schema(text) or ""})
    assert "SAGEMAKER_SPARKML_SCHEMA" in str(caught.value)
    assert caught.value.expected is not None
    SparkML.load(bundles["abalone"], {"SAGEMAKER_SPARKML_SCHEMA": schema(text) or "", "NACRE_COMPAT": "aws"})


# The model folder


def test_the_bundle_may_be_packed(bundles: dict[str, Path], tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(bundles["abalone"], plain)
    zipped, tarred = tmp_path / "zipped", tmp_path / "tarred"
    zipped.mkdir()
    tarred.mkdir()
    with zipfile.ZipFile(zipped / "model.zip", "w") as archive:
        for path in sorted(plain.rglob("*.json")):
            archive.write(path, path.relative_to(plain).as_posix())
    shutil.make_archive(str(tarred / "model"), "gztar", plain)
    for folder in (plain, zipped, tarred):
        assert SparkML.load(folder, {}).invoke(ROW.encode(), CSV, None).body.decode() == FEATURES


@pytest.mark.parametrize(
    "names, message", [((), "no bundle"), (("a.txt",), "no bundle"), (("a.zip", "b.zip"), "several")]
)
def test_a_folder_without_one_bundle_is_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ModelError, match=message) as caught:
        SparkML.load(tmp_path, {})
    assert all(name in str(caught.value) for name in names)


# The same numbers everywhere


def random_rows(count: int) -> list[list[Any]]:
    rng = np.random.default_rng(3)
    numbers = rng.choice([0.0, -0.0, 1e-4, 1e7, 0.25, 1 / 3], (count, 7)) * rng.choice([1, -1, 3], (count, 7))
    sexes = rng.choice(["M", "F", "I"], count).tolist()
    return [[sex, *row] for sex, row in zip(sexes, numbers.tolist(), strict=True)]


def test_one_row_and_many_give_the_same_bytes(containers: Containers) -> None:
    abalone = containers.of("abalone")
    rows = random_rows(COLUMNS_FROM)
    lines = [",".join(map(str, row)) for row in rows]
    single = [rows_of(ask(abalone, each))[0] for each in lines]
    assert rows_of(ask(abalone, "\n".join(lines))) == single
    assert rows_of(ask(abalone, "\n".join(lines[:5]))) == single[:5]
    assert rows_of(ask(abalone, "\n".join(line(*row) for row in rows), LINES)) == single
    assert [rows_of(ask(abalone, line(*row), JSON))[0] for row in rows[:5]] == single[:5]


def test_failed_rows_among_many_are_named(containers: Containers) -> None:
    body = "\n".join([ROW] * COLUMNS_FROM + ["X" + ROW[1:], "Y" + ROW[1:]])
    text = ask(containers.of("abalone"), body).body.decode()
    assert text.startswith("Unseen label: X. To handle unseen labels, set handleInvalid to keep; container sparkml, ")
    assert f"row {COLUMNS_FROM + 1}, field sex" in text


def test_numbers_handed_over_are_those_of_the_text(containers: Containers) -> None:
    handler = containers.of("abalone").handler
    for count in (1, 3, COLUMNS_FROM):
        body = "\n".join(",".join(map(str, row)) for row in random_rows(count)).encode()
        frame = handler.predict(handler.decode(body, CSV))
        numbers = handler.hand_over(frame)
        assert numbers is not None
        assert numbers.dtype == np.float64
        text = [[float(x) for x in each.split(",")] for each in rows_of(handler.encode(frame, "*/*"))]
        assert numbers.tolist() == text


ARRAY = {"SAGEMAKER_SPARKML_SCHEMA": schema("a:double:array -> a:double:array")}


@pytest.mark.parametrize(
    "name, env, content_type, body, handed",
    [
        ("abalone", {}, LINES, line(*VALUES), True),
        ("abalone", {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": LINES}, CSV, ROW, False),
        ("abalone", {"NACRE_COMPAT": "aws", "SAGEMAKER_SPARKML_SCHEMA": schema(ABALONE)}, LINES, line(*VALUES), False),
        ("abalone", {"NACRE_COMPAT": "aws", "SAGEMAKER_SPARKML_SCHEMA": schema(ABALONE)}, CSV, ROW, True),
        ("identity", {"SAGEMAKER_SPARKML_SCHEMA": schema("a:int -> a:int")}, CSV, "7", False),
        ("identity", {"SAGEMAKER_SPARKML_SCHEMA": schema("a:double -> a:double")}, CSV, "7\n8", True),
        ("identity", {"SAGEMAKER_SPARKML_SCHEMA": schema("a:float -> a:float")}, CSV, "0.1", False),
        ("identity", ARRAY, JSON, '{"data":[[1.0]]}', True),
        ("identity", ARRAY, JSON, '{"data":[[null]]}', False),
        ("identity", {"SAGEMAKER_SPARKML_SCHEMA": schema("a:double -> a:double")}, JSON, '{"data":[null]}', False),
    ],
)  # fmt: skip
def test_what_is_handed_over(
    containers: Containers, name: str, env: dict[str, str], content_type: str, body: str, handed: bool
) -> None:
    handler = containers.of(name, **env).handler
    frame = handler.predict(handler.decode(body.encode(), content_type))
    assert (handler.hand_over(frame) is not None) is handed


def test_numbers_taken_over_are_read_as_their_text(containers: Containers) -> None:
    numbers = np.array([[0.5, 1e7, -0.0], [1.0, 1 / 3, 3.0]])
    body = "\n".join(",".join(map(str, row)) for row in numbers.tolist()).encode()
    for env, rows in (({}, 2), ({"NACRE_COMPAT": "aws"}, 1)):
        known = {"SAGEMAKER_SPARKML_SCHEMA": schema("x:double y:double -> features:double:vector") or ""}
        handler = containers.of("plain", **env, **known).handler
        taken = handler.take_over(numbers)
        assert taken is not None
        assert [*map(list, taken.rows)] == [*map(list, handler.decode(body, CSV).rows)]
        assert len(taken.rows) == rows
        assert handler.take_over(numbers[:, :1]) is None
        assert handler.take_over(np.array([[np.nan, 1.0]])) is None
    assert containers.of("abalone").handler.take_over(np.zeros((1, 8))) is None


def test_typed_columns_give_the_same_numbers(containers: Containers) -> None:
    handler = containers.of("abalone").handler
    rows = random_rows(100)
    columns = dict(zip(["sex", *NUMBERS], map(list, zip(*rows, strict=True)), strict=True))
    table = pa.table({"rings": pa.array(range(100)), **columns})
    array = handler.to_array(handler.predict(handler.from_table(table)))
    assert array.type == pa.list_(pa.float64())
    body = "\n".join(",".join(map(str, row)) for row in rows).encode()
    assert array.to_pylist() == handler.hand_over(handler.predict(handler.decode(body, CSV))).tolist()
    assert handler.to_array(handler.predict(handler.from_table(table.slice(0, 0)))).type == pa.list_(pa.float64())


def test_typed_columns_take_the_types_of_the_schema(containers: Containers) -> None:
    env = {"SAGEMAKER_SPARKML_SCHEMA": schema("label:string x:float -> features:double:vector") or ""}
    handler = containers.of("mixed", **env).handler
    table = pa.table({"label": ["1"], "x": [0.455]})
    array = handler.to_array(handler.predict(handler.from_table(table)))
    assert array.to_pylist() == [[0.45500001311302185, 0.0]]
    assert rows_of(ask(containers.of("mixed", **env), "1,0.455")) == ["0.45500001311302185,0.0"]


def test_bad_typed_columns_are_named(containers: Containers) -> None:
    handler = containers.of("abalone").handler
    table = pa.table({"sex": ["M", "X"], **{name: [0.5, 0.5] for name in NUMBERS}})
    with pytest.raises(RowError, match="Unseen label: X") as failed:
        handler.predict(handler.from_table(table))
    assert failed.value.where["row"] == 2
    with pytest.raises(SchemaError, match="length"):
        handler.predict(handler.from_table(table.drop_columns("length")))
    skipping = containers.of("skip").handler
    with pytest.raises(RowError, match="next on empty iterator") as dropped:
        skipping.predict(skipping.from_table(table))
    assert dropped.value.where["row"] == 2


def test_the_real_file_online_and_in_columns(containers: Containers) -> None:
    lines = [each.rsplit(",", 1)[0] for each in abalone_csv().read_text().splitlines()]
    abalone = containers.of("abalone")
    together = rows_of(ask(abalone, "\n".join(lines)))
    assert len(together) == len(lines) == 4177
    assert [ask(abalone, each).body.decode() for each in lines[::10]] == together[::10]
    model = nacre.load(abalone.handler.model.bundle.source)
    expected = model.row(dict(zip(["sex", *NUMBERS], ["M", *VALUES[1:]], strict=True)))
    assert expected is not None
    assert [float(x) for x in FEATURES.split(",")] == list(expected["features"])


def test_loading_imports_neither_arrow_nor_servers(bundles: dict[str, Path]) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from nacre.handlers.sparkml import SparkML\n"
        f"handler = SparkML.load(Path({str(bundles['abalone'])!r}), {{}})\n"
        f"print(handler.invoke({ROW.encode()!r}, 'text/csv', None).body.decode())\n"
        "print(sorted({'pyarrow', 'pandas', 'flask', 'xgboost', 'pyspark', 'boto3'} & sys.modules.keys()))\n"
    )
    done = run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(nacre.__file__).parents[1])
    assert done.stdout.splitlines() == [FEATURES, "[]"], done.stderr
