"""The PyTorch container. Its models need PyTorch: `make frameworks` runs this file where it is."""

from __future__ import annotations

import io
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nacre.errors import ModelError, NacreError
from nacre.handlers.pytorch_archive import is_arithmetic
from tests.scripts import model, refused, serving

torch = pytest.importorskip("torch", reason="no PyTorch: make frameworks")
from nacre.handlers.pytorch import PyTorch  # noqa: E402
from nacre.handlers.pytorch_archive import kind_of  # noqa: E402

ROWS = [[0.1, 2.0, -3.0], [1.0, 1.0, 1.0]]


class Net(torch.nn.Module):  # type: ignore[misc]
    """Three numbers to two, with dropout, so that a model in training mode would show."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.dropout(self.linear(x)))


@pytest.fixture(scope="module")
def net() -> Any:
    torch.manual_seed(0)
    return Net()


@pytest.fixture(scope="module")
def folders(net: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same model as TorchScript (in training mode, as people save it) and as torch.export saves it."""
    root = tmp_path_factory.mktemp("torch")
    for name in ("script", "named", "export"):
        (root / name).mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        net.train()
        torch.jit.script(net).save(str(root / "script" / "model.pt"))
    shutil.copy(root / "script" / "model.pt", root / "named" / "any.pth")
    net.eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(net, (torch.rand(4, 3),), dynamic_shapes=({0: batch},))
    torch.export.save(program, root / "export" / "model.pt2")
    return {path.name: path for path in root.iterdir()}


def expected(net: Any, rows: Any = ROWS) -> Any:
    with torch.no_grad():
        return net.eval()(torch.tensor(rows, dtype=torch.float32)).tolist()


def ask(container: Any, body: Any, content_type: str = "application/json", accept: str = "*/*") -> Any:
    return container.invoke(body if isinstance(body, bytes) else json.dumps(body).encode(), content_type, accept)


def npy(values: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


@pytest.mark.parametrize("name", ["script", "named", "export"])
def test_defaults(folders: dict[str, Path], net: Any, name: str) -> None:
    """Every type in gives PyTorch's own float32 numbers, as the doubles that its tolist() gives."""
    container = PyTorch.load(folders[name], {})
    csv = "".join(",".join(map(str, row)) + "\n" for row in ROWS).encode()
    bodies = {
        "application/json": json.dumps({"instances": ROWS}).encode(),
        "text/csv": csv,
        "application/jsonlines": b"[0.1, 2, -3]\n[1, 1, 1]\n",
        "application/x-npy": npy(np.array(ROWS, np.float32)),
    }
    for content_type, body in bodies.items():
        reply = ask(container, body, content_type)
        assert (reply.status, reply.content_type) == (200, "application/json")
        assert json.loads(reply.body) == expected(net)
    text = ask(container, csv, "text/csv", "text/csv").body.decode()
    assert text == "".join(",".join(map(repr, row)) + "\n" for row in expected(net))
    assert np.load(io.BytesIO(ask(container, csv, "text/csv", "application/x-npy").body)).tolist() == expected(net)
    assert json.loads(ask(container, b"0.1,2,-3", "text/csv").body) == expected(net)[:1]
    array = container.to_array(container.predict(container.from_table(pa.table({"features": ROWS}))))
    assert array.to_pylist() == expected(net)


@pytest.mark.parametrize("name", ["script", "export"])
@pytest.mark.parametrize(
    "body, content_type, message",
    [
        ([[1.0, 2.0]], "application/json", r"the model refuses these rows: .*\(1, 2\)"),
        ([["a", 1, 2]], "application/json", "not a number: expected a number, got 'a'|not a number: .* got a"),
        (b"1,2\n", "text/csv", "the model refuses these rows"),
        (b"", "text/csv", "no rows"),
        (npy(np.ones((1, 3), np.int64)), "application/x-npy", "the model refuses these rows"),
        (npy(np.ones((1, 3), "M8[s]")), "application/x-npy", "no tensor: expected numbers, got datetime64"),
    ],
)
def test_bad_rows(folders: dict[str, Path], name: str, body: Any, content_type: str, message: str) -> None:
    with pytest.raises(NacreError, match=message) as caught:
        ask(PyTorch.load(folders[name], {}), body, content_type)
    assert caught.value.status == 400


SCRIPT = """
    import torch
    from torch import nn

    def model_fn(model_dir):
        net = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
        net.load_state_dict(torch.load(f"{model_dir}/weights.pt", weights_only=True))
        return net.eval()
"""


def test_a_script_s_model(net: Any, tmp_path: Path) -> None:
    """Weights are for a script to load; the defaults do the rest."""
    weights = {name.replace("linear", "0"): value for name, value in net.state_dict().items()}
    torch.save(weights, tmp_path / "weights.pt")
    container = PyTorch.load(model(tmp_path, SCRIPT), {})
    assert json.loads(ask(container, ROWS).body) == expected(net)


def test_processes(folders: dict[str, Path], net: Any) -> None:
    """Two workers forked from one that loaded the model, asked at once."""
    with serving("pytorch", folders["script"], workers=2) as call, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: call(json.dumps(ROWS).encode(), "application/json"), range(40)))
        status, _, body = call(b"1,2", "text/csv")
    assert {answer[0] for answer in answers} == {200}
    assert {answer[2] for answer in answers} == {json.dumps(expected(net)).encode()}
    assert status == 400
    assert json.loads(body)["error"]["message"] == "the model refuses these rows"


def test_what_is_no_program(folders: dict[str, Path], net: Any, tmp_path: Path) -> None:
    for name, saved in (("weights", net.state_dict()), ("module", torch.nn.Linear(1, 1))):
        torch.save(saved, tmp_path / "model.pt")
        with pytest.raises(ModelError, match="weights or a pickled module, and no program"):
            PyTorch.load(tmp_path, {})
        assert name
    (tmp_path / "model.pt").write_bytes(b"garbage")
    assert "it is no archive of PyTorch" in refused("pytorch", tmp_path)
    (tmp_path / "model.pt").unlink()
    assert "no model to serve" in refused("pytorch", tmp_path)
    for name in ("a.pt", "b.pth"):
        shutil.copy(folders["script"] / "model.pt", tmp_path / name)
    with pytest.raises(ModelError, match=r"got a.pt, b.pth"):
        PyTorch.load(tmp_path, {})
    broken = lambda name, content: b"garbage" if name.endswith("data.pkl") else content  # noqa: E731
    rewritten(folders["script"] / "model.pt", tmp_path / "model.pt", broken)
    with pytest.raises(ModelError, match="PyTorch cannot load the model"):
        PyTorch.load(tmp_path, {})


def rewritten(path: Path, target: Path, change: Callable[[str, bytes], bytes | None], **more: bytes) -> Path:
    """The archive with files changed, left out (None) or added."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as made:
        for name in source.namelist():
            content = change(name, source.read(name))
            if content is not None:
                made.writestr(name, content)
        for name, content in more.items():
            made.writestr(f"model/{name.replace('__', '/')}", content)
    return target


def in_graph(edit: Callable[[dict[str, Any]], object]) -> Callable[[str, bytes], bytes]:
    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        document = json.loads(content)
        edit(document)
        return json.dumps(document).encode()

    return change


def sizes(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0]["as_expr"]
    return found


CODE = "__import__('os').system('true')"


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda d: d["graph_module"]["graph"]["nodes"][0].update(target="torch.os.system"), "no operator of PyTorch"),
        (lambda d: d["graph_module"]["graph"]["nodes"][0].update(name=f"x = {CODE}"), "a text of name in it"),
        (lambda d: d["graph_module"]["graph"]["inputs"][-1]["as_tensor"].update(name=f"x={CODE}"), "a text of name"),
        (lambda d: sizes(d).update(expr_str=CODE), "a text of expr_str"),
        (lambda d: sizes(d).update(expr_str="Symbol('s0').__class__"), "a text of expr_str"),
        (lambda d: d.update(guards_code=[CODE]), "a text of guards_code"),
        (lambda d: d["range_constraints"].update({CODE: {"min_val": 0, "max_val": 1}}), "a name in it is none"),
    ],
)
def test_an_archive_with_code(folders: dict[str, Path], tmp_path: Path, edit: Any, message: str) -> None:
    path = folders["export"] / "model.pt2"
    assert kind_of(rewritten(path, tmp_path / "same.pt2", lambda _, content: content)) == "export"
    with pytest.raises(ModelError, match=message):
        kind_of(rewritten(path, tmp_path / "model.pt2", in_graph(edit)))


def test_pickles_and_libraries_in_an_archive(folders: dict[str, Path], tmp_path: Path) -> None:
    import pickle

    path, target = folders["export"] / "model.pt2", tmp_path / "model.pt2"
    evil = pickle.dumps(print)
    with pytest.raises(ModelError, match="no pickle of tensors alone"):
        kind_of(rewritten(path, target, lambda name, content: evil if "sample_inputs" in name else content))

    def to_pickle(name: str, content: bytes) -> bytes:
        if name.endswith("weights_config.json"):
            return content.replace(b'"use_pickle": false', b'"use_pickle": true')
        return evil if "weights/weight_0" in name else content

    with pytest.raises(ModelError, match="weight_0 is no pickle of tensors alone"):
        kind_of(rewritten(path, target, to_pickle))
    with pytest.raises(ModelError, match="it holds compiled code"):
        kind_of(rewritten(path, target, lambda _, content: content, data__aotinductor__model__a_so=b"\x7fELF"))
    assert kind_of(target, trusted=True) == "export"


@pytest.mark.parametrize(
    "text, fits",
    [
        ("Symbol('s77', positive=True, integer=True)", True), ("2*s0 + Mod(s1, 3)", True), ("s0 <= 4", True),
        ("L['args'][0].size()[1] == 3", True), ("FloorDiv(s0, 2)", True), ("eval('1')", False), ("s0.real", False),
        ("[1]", False), ("lambda: 1", False), ("S('exit()')", False), ("print", False), ("(", False), ("__debug__", False),
    ],
)  # fmt: skip
def test_arithmetic(text: str, fits: bool) -> None:
    assert is_arithmetic(text) == fits
