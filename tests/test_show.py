"""`nacre show`: the tree of any bundle that can be read, whether or not it can be scored."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

import nacre
from nacre.bundle import Node, write
from nacre.bundle.show import describe, main
from nacre.bundle.values import Value, pack
from nacre.errors import BundleError, UnsupportedError
from nacre.plan.refused import REFUSED
from tests import bundles
from tests.shared import CHECKOUT, shared
from tests.test_bundle_roundtrip import ALL, REAL, unknown


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(ALL, tmp_path / "m.zip")


def test_the_tree(path: Path) -> None:
    text = describe(path)
    lines = text.splitlines()
    assert lines[0].startswith("pipe  (json, written for MLeap 0.20.0, 20")
    for node in ALL.root.walk():
        at = next(n for n, line in enumerate(lines) if line.strip() == f"{node.op}  {node.name}")
        if node.inputs:
            joined = ", ".join(column for _, column in node.inputs)
            assert lines[at + 1].strip() == f"{joined} -> {node.outputs[0][1]}"
    assert 'labels_array_0 = list of 3 ["M", "F", "I"]' in text
    assert "11 members of op decision_tree_regression" in text
    assert "    file tree.json, " in text
    assert "Every op can be scored." in text
    indents = {line.strip(): len(line) - len(line.lstrip()) for line in lines}
    assert indents["bucketizer  buckets"] > indents["pipeline  inner"] > indents["pipeline  pipe"]


def test_show_prints(path: Path) -> None:
    out = io.StringIO()
    nacre.show(path, out=out)
    assert out.getvalue() == describe(path) + "\n"


def test_an_unknown_op_shows(tmp_path: Path) -> None:
    folder = bundles.unpacked(ALL, tmp_path / "m")
    bundles.edit(folder / "root/inner.node/buckets.node/model.json", lambda c: c.update(op="word_salad"))
    text = describe(folder)
    assert "word_salad  buckets   <- no such op here" in text
    assert "UNSUPPORTED word_salad (node buckets)" in text
    assert "Every op can be scored." not in text


def test_what_a_foreign_assembler_leaves_open(tmp_path: Path) -> None:
    foreign = bundles.node("vector_assembler", {"input_shapes": [nacre.bundle.values.Shape()]}, ["x"], ["v"], "foreign")
    text = describe(write(bundles.pipeline(foreign), tmp_path / "m.zip"))
    assert "NOTE foreign: " in text
    assert "null fails and NaN passes" in text


def test_long_and_odd_values(tmp_path: Path) -> None:
    """Long lists are cut; bytes, nested tensors and control characters do not break the terminal."""
    bad = "\x1b[2Jred\nline"
    node = bundles.node(
        "string_indexer", {"labels_length": 1, "labels_array_{n}": {0: [bad] * 100}}, [bad], ["out"], "indexer"
    )
    node.attributes["bytes"] = Value("scalar", "byte_string", b"\x00\xff")
    node.attributes["tensors"] = Value("list", "tensor", [Value("tensor", "double", [1.0], (1,))])
    node.attributes["empty"] = Value("scalar", None, None)
    text = describe(write(bundles.pipeline(node, name="odd\x1b[0m"), tmp_path / "m.zip"))
    assert "\x1b" not in text
    assert "list of 100" in text
    assert all(len(line) < 120 for line in text.splitlines())
    assert "tensors = list of 1 [tensor]" in text


@pytest.mark.parametrize("name", REAL)
def test_real_bundles(name: str) -> None:
    text, ops = describe(shared("bundles", name)), unknown(shared("bundles", name))
    assert all(f"UNSUPPORTED {op}" in text for op in ops)
    assert ("UNSUPPORTED" in text) == bool(ops)
    assert ("Every op can be scored." in text or "NOTE" in text) or ops


@pytest.mark.parametrize("op", REFUSED)
def test_an_op_that_is_read_and_not_scored(op: str, tmp_path: Path) -> None:
    """It shows with its members, and the refusal says why and what to do."""
    inner = Node(op="tokenizer", name="model0", attributes={})
    node = Node(op=op, name="odd", attributes={"labels": pack(["a"], "list<string>")}, members=[inner])
    node.inputs, node.outputs = [("label", "s")], [("drilldown.output", "out")]
    path = write(bundles.pipeline(node), tmp_path / "m.zip")
    text = describe(path)
    assert "1 members of op tokenizer" in text
    assert f"UNSUPPORTED {op} (node odd): {REFUSED[op]}." in text
    with pytest.raises(UnsupportedError, match="cannot be scored") as caught:
        nacre.load(path)
    assert caught.value.fix == REFUSED[op]
    assert caught.value.where["node"] == "odd"


def test_nothing_is_built(tmp_path: Path) -> None:
    """A tree that no model could be built of still shows."""
    folder = bundles.unpacked(ALL, tmp_path / "m")
    bundles.edit(
        folder / "root/encoder.node/model.json", lambda c: c["attributes"].update(category_sizes={"string": "x"})
    )
    assert 'category_sizes = "x"' in describe(folder)
    with pytest.raises(BundleError):
        nacre.load(folder)


def test_the_verb(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path)]) == 0
    assert "pipeline  pipe" in capsys.readouterr().out
    command = [sys.executable, "-m", "nacre", "show"]
    ran = subprocess.run([*command, str(path)], capture_output=True, text=True, cwd=CHECKOUT)
    assert (ran.returncode, ran.stderr) == (0, "")
    broken = path.with_name("broken.zip")
    broken.write_bytes(path.read_bytes()[:200])
    ran = subprocess.run([*command, str(broken)], capture_output=True, text=True, cwd=CHECKOUT)
    assert ran.returncode == 1
    assert "truncated zip" in ran.stderr
    assert "Traceback" not in ran.stderr
