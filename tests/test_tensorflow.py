"""tensorflow: read and audited everywhere, scored where TensorFlow is and the user trusts the bundle."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import pytest

import nacre
from nacre.bundle import read, write
from nacre.bundle.formats import FORMATS
from nacre.bundle.show import describe
from nacre.bundle.values import Shape
from nacre.errors import BundleError, RowError, SetupError
from nacre.stages import REGISTRY
from nacre.stages.graphs import ALLOW
from tests import bundles

if TYPE_CHECKING:
    from pathlib import Path

    from nacre.bundle import Node

HELD: dict[str, Any] = {
    "input_names": ["x", "v"], "input_types": ["float", "double"],
    "input_shapes": [Shape("tensor", dims=()), Shape("tensor", dims=(2,))],
    "output_names": ["total", "scaled"], "output_types": ["double", "double"],
    "output_shapes": [Shape("tensor", dims=()), Shape("tensor", dims=(2,))], "format": "graph",
}  # fmt: skip
INPUTS, OUTPUTS = [("x", "a"), ("v", "b")], [("total", "t"), ("scaled", "s")]


def node(content: bytes = b"", **held: Any) -> Node:
    made = REGISTRY["tensorflow"].make("graph", {**HELD, **held}, INPUTS, OUTPUTS)
    made.files[{"graph": "graph.pb", "saved_model": "saved_model.zip"}[held.get("format", "graph")]] = content
    return made


@pytest.mark.parametrize("form", FORMATS)
def test_it_is_read_and_shown_everywhere(tmp_path: Path, form: str) -> None:
    path = write(bundles.pipeline(node(b"anything")), tmp_path / "m.zip", format=form)
    found = read(path).root.children[0]
    assert found.files == {"graph.pb": b"anything"}
    assert "file graph.pb, 8 bytes" in describe(path)
    assert "NOTE graph: scored only where the package tensorflow is installed" in describe(path)


def test_a_graph_runs_only_if_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOW, raising=False)
    path = write(bundles.pipeline(node(b"anything")), tmp_path / "m.zip")
    with pytest.raises(SetupError, match=f"Set {ALLOW}=true if you trust the bundle"):
        nacre.load(path)


def test_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **known: Any) -> Any:
        if name == "tensorflow":
            raise ModuleNotFoundError("No module named 'tensorflow'", name=name)
        return real(name, *rest, **known)

    monkeypatch.setenv(ALLOW, "true")
    monkeypatch.setattr(builtins, "__import__", missing)
    path = write(bundles.pipeline(node(b"anything")), tmp_path / "m.zip")
    with pytest.raises(SetupError, match=r"pip install 'nacre\[tensorflow\]'"):
        nacre.load(path)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"input_types": ["float"]}, "names, types and shapes do not match"),
        ({"input_types": ["float", "boolean"]}, "a type that is not scored"),
        ({"output_shapes": [Shape("tensor", dims=(2, 2)), Shape("tensor", dims=(2,))]}, "a shape that is not scored"),
        ({"output_shapes": [Shape("tensor", dims=(-1,)), Shape("tensor", dims=(2,))]}, "a shape that is not scored"),
        ({"input_names": ["x", "other"]}, "ports and the graph's names differ"),
    ],
)
def test_it_is_audited_first(tmp_path: Path, held: dict[str, Any], message: str) -> None:
    """Before anything is imported."""
    path = write(bundles.pipeline(node(b"anything", **held)), tmp_path / "m.zip")
    with pytest.raises(BundleError, match=message):
        nacre.load(path)


def test_the_graph_s_file_is_there(tmp_path: Path) -> None:
    made = node()
    made.files.clear()
    with pytest.raises(BundleError, match="the graph is missing"):
        nacre.load(write(bundles.pipeline(made), tmp_path / "m.zip"))


# With TensorFlow


@pytest.fixture
def tf(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(ALLOW, "true")
    return pytest.importorskip("tensorflow", reason="no TensorFlow: pip install 'nacre[tensorflow]'").compat.v1


def graph(tf: Any) -> Any:
    made = tf.Graph()
    with made.as_default():
        x, v = tf.placeholder(tf.float32, [], "x"), tf.placeholder(tf.float64, [2], "v")
        tf.add(tf.cast(x, tf.float64), tf.reduce_sum(v), name="total")
        tf.multiply(v, tf.cast(x, tf.float64), name="scaled")
    return made


ROWS = [{"a": 0.5, "b": (1.0, 2.0)}, {"a": 0.1, "b": (1.0, -4.0)}, {"a": None, "b": (1.0, 2.0)}]


def assert_scored(path: Path) -> None:
    outcomes = bundles.assert_plans_agree(nacre.load(path), ROWS)
    assert outcomes[0].values == {"t": 3.5, "s": [0.5, 1.0]}
    single = 0.10000000149011612
    assert outcomes[1].values == {"t": single - 3.0, "s": [single, -4.0 * single]}
    assert isinstance(outcomes[2].error, RowError)


@pytest.mark.parametrize("form", FORMATS)
def test_a_graph(tf: Any, tmp_path: Path, form: str) -> None:
    content = graph(tf).as_graph_def().SerializeToString()
    assert_scored(write(bundles.pipeline(node(content)), tmp_path / "m.zip", format=form))
    with pytest.raises(BundleError, match="TensorFlow cannot load the graph"):
        nacre.load(write(bundles.pipeline(node(b"\xff" * 9)), tmp_path / "broken.zip"))


def test_a_saved_model(tf: Any, tmp_path: Path) -> None:
    import shutil

    made = graph(tf)
    with tf.Session(graph=made) as session:
        builder = tf.saved_model.Builder(str(tmp_path / "saved"))
        builder.add_meta_graph_and_variables(session, ["serve"])
        builder.save()
    content = shutil.make_archive(str(tmp_path / "saved"), "zip", tmp_path / "saved")
    with open(content, "rb") as file:  # noqa: PTH123 - the path is a str
        assert_scored(write(bundles.pipeline(node(file.read(), format="saved_model")), tmp_path / "m.zip"))
