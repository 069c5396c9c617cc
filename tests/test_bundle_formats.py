"""JSON and protobuf say the same: every op's bundle through both, and bundles spoilt in either."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nacre
from nacre.bundle import pbvalues, read, trees, wire, write
from nacre.bundle.formats import FORMATS
from nacre.bundle.generations import NEWEST, generation
from nacre.bundle.show import describe
from nacre.bundle.tree import ClusterTree, Tree
from nacre.bundle.values import Value, pack, unpack
from nacre.bundle.writer import VERSION
from nacre.errors import BundleError, NacreError, SetupError
from nacre.plan.model import Model
from nacre.stages import REGISTRY
from tests import bundles
from tests.bundles import bits
from tests.contents import contents
from tests.plans import STRATEGIES
from tests.plans.base import values
from tests.shared import shared_folder
from tests.test_bundle_roundtrip import ALL, ROW, labelled, samples
from tests.test_plan import PLANS

Node = bundles.Node


@pytest.mark.parametrize("op", sorted(STRATEGIES))
@settings(PLANS, max_examples=8)
@given(data=st.data())
def test_every_op_survives(op: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both formats hold the same, show the same, and score the same rows to the same bits."""
    nodes, kinds = data.draw(STRATEGIES[op]({}))
    row = st.fixed_dictionaries({name: values(given) for name, given in kinds.items()})
    rows = data.draw(st.lists(row, min_size=1, max_size=3))
    bundle = bundles.pipeline(*nodes, types=kinds)
    wanted = bundles.by_rows(Model(bundle), rows)
    folder = tmp_path_factory.mktemp("forms")
    for form in FORMATS:
        path = write(bundle, folder / form, format=form)
        again = read(path)
        assert contents(again) == contents(bundle)
        for node in bundle.root.walk():
            assert f"{node.op}  {node.name}" in describe(path) or not node.name.isprintable()
        for one, other in zip(wanted, bundles.by_rows(Model(again), rows), strict=True):
            assert bundles.same(one, other)


# Protobuf bundles, spoilt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(ALL, tmp_path / "model", format="protobuf")


def test_the_files(folder: Path) -> None:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "bundle.json" in names
    assert {name.rpartition(".")[2] for name in names - {"bundle.json"}} == {"pb"}
    assert "root/random_forest_regression_prediction.node/tree10/tree.pb" in names
    assert nacre.load(folder).row(ROW) is not None


def refused(folder: Path) -> NacreError:
    with pytest.raises(BundleError) as caught:
        nacre.load(folder)
    assert caught.value.expected is not None
    return caught.value


def spoil(file: Path, change: Callable[[dict[str, Value]], Any]) -> None:
    """Change the attributes of a model file in place."""
    form = FORMATS["protobuf"]
    op, unread = form.model(file.read_bytes())
    held = {name: pbvalues.decode(content) for name, content in unread.items()}
    change(held)
    file.write_bytes(form.write_model(op, held))


MODEL = "model.pb"
FOREST = "root/random_forest_regression_prediction.node"
WRONG: list[tuple[str, dict[str, Value | None], str, str]] = [
    (f"root/{MODEL}", {"nodes": None}, "nodes", "expected nodes"),
    (f"root/{MODEL}", {"nodes": pack(["indexer", "gone"], "list<string>")}, "nodes", "root/gone.node"),
    (f"root/{MODEL}", {"nodes": pack(["indexer"] * 100_000, "list<string>")}, "nodes", "twice"),
    (f"root/{MODEL}", {"nodes": pack(["inner", "inner.node/buckets"], "list<string>")}, "nodes", "inner.node/buckets"),
    (f"root/{MODEL}", {"nodes": pack([1], "list<int>")}, "nodes", "expected string, got 1"),
    (f"root/indexer.node/{MODEL}", {"handle_invalid": pack("explode", "string")}, "handle_invalid", "error or skip or keep"),
    (f"root/indexer.node/{MODEL}", {"labels_array_0": pack("M", "string")}, "labels_array_0", "scalar of string"),
    (f"root/encoder.node/{MODEL}", {"category_sizes": pack([1 << 40], "list<long>")}, "category_sizes", "out of range"),
    (f"root/encoder.node/{MODEL}", {"category_sizes": pack([2147483647], "list<int>")}, "category_sizes", "absurd"),
    (f"root/inner.node/buckets.node/{MODEL}", {"splits": pack([0.0, float("nan"), 1.0], "list<double>")}, "splits", "ascend"),
    (f"root/minmax.node/{MODEL}", {"max": Value("tensor", "double", [1.0], (7,))}, "max", "expected [7] values, got 1"),
    (f"root/minmax.node/{MODEL}", {"max": Value("tensor", "double", [1.0], (-1, -1))}, "max", "values"),
    (f"{FOREST}/{MODEL}", {"num_features": pack(-1, "long")}, "num_features", "absurd"),
    (f"{FOREST}/{MODEL}", {"trees": pack(["tree0"] * 10 + ["tree99"], "list<string>")}, "trees", "the folder tree99"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "change", "field", "said"), WRONG, ids=range(len(WRONG)))
def test_wrong_content(folder: Path, file: str, change: dict[str, Value | None], field: str, said: str) -> None:
    def update(held: dict[str, Value]) -> None:
        for name, value in change.items():
            held.pop(name, None)
            if value is not None:
                held[name] = value

    spoil(folder / file, update)
    error = refused(folder)
    assert said in str(error), str(error)
    assert error.where["file"] == file
    assert error.where.get("field", "") == field


GARBAGE = {
    "empty": b"",
    "json": b'{"op": "pipeline"}',
    "varint": b"\xff" * 20,
    "length": b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    "deep": b"\x12" * 100_000,
    "group": b"\x0b" * 1000,
    "zeros": bytes(1000),
    "text": wire.chunk(1, b"\xff\xfe"),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_garbage(folder: Path, content: bytes) -> None:
    for name in ("root/model.pb", "root/node.pb", "root/indexer.node/model.pb", f"{FOREST}/tree3/tree.pb"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(content)
        if name.endswith("node.pb") and not content:  # a pipeline without a name and ports: all of it default
            assert nacre.load(folder).bundle.root.name == ALL.name
        else:
            assert refused(folder).where["file"] == name
        (folder / name).write_bytes(whole)


def test_missing_files(folder: Path) -> None:
    for name in ("root/model.pb", "root/node.pb", "root/indexer.node/node.pb"):
        whole = (folder / name).read_bytes()
        (folder / name).unlink()
        assert refused(folder).expected == name
        (folder / name).write_bytes(whole)


def test_a_port_that_stands_twice(folder: Path) -> None:
    file = folder / "root/indexer.node/node.pb"
    file.write_bytes(pbvalues.node("indexer", [("input", "sex"), ("input", "x")], [("output", "sex_index")]))
    error = refused(folder)
    assert error.where == {"file": "root/indexer.node/node.pb", "field": "inputs"}


def test_deep_values_cost_nothing(folder: Path) -> None:
    """A model in a model in a model, 20,000 deep: refused by depth, not by the stack."""
    content = wire.string(1, "op")
    for _ in range(20_000):
        entry = wire.string(1, "m") + wire.chunk(2, wire.chunk(1, wire.chunk(11, content)))
        content = wire.string(1, "op") + wire.chunk(2, wire.chunk(1, entry))
    (folder / "root/indexer.node/model.pb").write_bytes(content)
    error = refused(folder)
    assert "nested too deep" in str(error)
    assert error.where == {"file": "root/indexer.node/model.pb", "field": "m"}


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bytes(folder: Path, seed: int) -> None:
    """Any bytes changed: both plans still agree, or a NacreError; nothing else comes out, and soon."""
    chance = random.Random(seed)
    files = sorted(folder.rglob("*.pb"))
    outcomes = {"refused": 0, "scored": 0}
    began = time.monotonic()
    for _ in range(60):
        file = chance.choice(files)
        whole = file.read_bytes()
        spoilt = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(whole))] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
        file.write_bytes(spoilt)
        try:
            model = nacre.load(folder)
            bundles.assert_plans_agree(
                model, [{name: samples(kind)[n] for name, kind in model.inputs.items()} for n in range(3)]
            )
            outcomes["scored"] += 1
        except NacreError:
            outcomes["refused"] += 1
        file.write_bytes(whole)
    assert min(outcomes.values()) > 2, outcomes
    assert time.monotonic() - began < 120


# Trees


def node_bytes(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">i", len(message)) + message for message in messages)


def doubles(number: int, *items: float) -> bytes:
    return wire.chunk(number, struct.pack(f"<{len(items)}d", *items))


LEAF = wire.chunk(2, doubles(1, 1.0))


def split(content: bytes, kind: int = 2) -> bytes:
    return wire.chunk(1, wire.chunk(1, wire.chunk(kind, content)))


NAN = b"\x11" + struct.pack("<d", float("nan"))
TREES = [
    (b"", "dangling"),
    (node_bytes(split(b"")), "dangling"),
    (node_bytes(split(b""), LEAF), "dangling"),
    (node_bytes(LEAF, LEAF), "after the end"),
    (node_bytes(LEAF)[:-1], "the length of a node that is there"),
    (b"\x7f\xff\xff\xff", "the length of a node that is there"),
    (b"\xff\xff\xff\xff", "the length of a node that is there"),
    (b"\x00\x00", "the length of a node that is there"),
    (node_bytes(split(b"\x08\x07"), LEAF, LEAF), "a feature index below 7"),
    (node_bytes(split(b"\x08\xff\xff\xff\xff\x0f"), LEAF, LEAF), "a feature index below 7"),
    (node_bytes(split(NAN), LEAF, LEAF), "threshold"),
    (node_bytes(split(doubles(4, float("nan")), 1), LEAF, LEAF), "categories"),
    (node_bytes(split(b"", 3), LEAF, LEAF), "a categorical or continuous split"),
    (node_bytes(wire.chunk(1, b""), LEAF, LEAF), "a split"),
    (node_bytes(wire.chunk(2, b"")), "leaf of another size"),
    (node_bytes(wire.chunk(2, doubles(1, 1.0, 2.0))), "leaf of another size"),
    (node_bytes(b""), "an internal or leaf node"),
    (node_bytes(LEAF + split(b"")), "an internal or leaf node"),
    (node_bytes(b"\x0f"), "wire type 7"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), TREES, ids=range(len(TREES)))
def test_wrong_trees(folder: Path, content: bytes, said: str) -> None:
    file = f"{FOREST}/tree10/tree.pb"
    (folder / file).write_bytes(content)
    error = refused(folder)
    assert said in str(error), str(error)
    assert error.where["file"] == file
    assert error.where["node"] == "random_forest_regression_prediction"


def test_a_leaf_as_other_writers_spell_it() -> None:
    """Unpacked values, fields in another order: proto3 allows it."""
    plain = wire.chunk(2, b"\x09" + struct.pack("<d", 2.5))
    turned = split(b"\x11" + struct.pack("<d", 0.5) + b"\x08\x03")
    node = Node("op", "n", files={"tree.pb": node_bytes(turned, plain, LEAF)})
    tree = trees.read(node, 4, 1)
    assert (tree.feature, tree.threshold[0], tree.values) == ([3, -1, -1], 0.5, [(), (2.5,), (1.0,)])


CLUSTERS = ClusterTree()
for given_node in ((-1, 1.5, (0.0, 1.5), 2), (0, 0.0, (0.0, 0.0), 0), (-2, 2.0, (2.0, 0.0), 3), (1, 1.0, (1.0, 0.0), 0),
                   (2, 3.0, (-0.0, 3.0), 0), (2147483647, 3.0, (0.0, 3.0), 0)):  # fmt: skip
    CLUSTERS.add(*given_node)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("stem", trees.STEMS)
def test_cluster_trees(form: str, stem: str, tmp_path: Path) -> None:
    """Negative indexes, which protobuf holds as unsigned; under either name; through either format."""
    node = Node("bisecting_k_means", "b", tree=CLUSTERS)
    path = write(nacre.bundle.new_bundle(node), tmp_path / "m", format=form)
    suffix = FORMATS[form].suffix
    (path / f"root/tree.{suffix}").rename(path / f"root/{stem}.{suffix}")
    again = read(path)
    tree, children = trees.read_clusters(again.root)
    assert tree == CLUSTERS
    assert children == [[1, 2], [], [3, 4, 5], [], [], []]
    for other in FORMATS:
        third = read(write(again, tmp_path / other, format=other))
        assert list(third.root.files) == [f"tree.{FORMATS[other].suffix}"], "the name that MLeap reads"
        assert trees.read_clusters(third.root)[0] == CLUSTERS


def test_wrong_cluster_trees() -> None:
    line = '{"index":0,"norm":1.0,"values":[1.0],"numChildren":%s}'
    for content, said in [
        ("", "dangling"), (line % 1, "dangling"), (line % 0 + "\n" + line % 0, "after the end"), (line % -1, "numChildren"),
        (line % "1.5", "whole numbers"), (line % 1 + "\n" + line.replace("[1.0]", "[1.0,2.0]") % 0, "another size"),
        (line.replace(":0,", ":99999999999,") % 0, "32-bit"), ("{}", "malformed"), (line % 10**12, "numChildren"),
    ]:  # fmt: skip
        with pytest.raises(BundleError) as caught:
            trees.read_clusters(Node("b", "b", files={"tree.json": content.encode()}))
        assert said in str(caught.value)
        assert caught.value.where["file"] == "root/tree.json"


def test_a_tree_made_here_is_bounded_too() -> None:
    tree = trees.link(Tree([5, -1, -1], [0.5, 0.0, 0.0], [-1] * 3, [-1] * 3, [(), (1.0,), (2.0,)]))
    node = Node("op", "n", tree=tree)
    assert trees.read(node) is tree
    for features, leaf in ((5, 1), (6, 2)):
        with pytest.raises(BundleError):
            trees.read(node, features, leaf)


def test_numbers_that_json_has_not() -> None:
    """Null, and beside it which infinity it was."""
    values = [(), (float("inf"), float("nan")), (1.0, 2.0)]
    tree = trees.link(Tree([0, -1, -1], [float("-inf"), 0.0, 0.0], [-1] * 3, [-1] * 3, values))  # type: ignore[arg-type]
    first, second, third = trees.encode(tree, "json").splitlines()
    assert first.endswith(b'"threshold":null,"nacre.threshold":[[0,"-inf"]]}}')
    assert second == b'{"type":"leaf","values":[null,null],"nacre.values":[[0,"inf"]]}'
    assert third == b'{"type":"leaf","values":[1.0,2.0]}'
    for suffix in trees.CODECS:
        found = trees.read(Node("op", "n", files={f"tree.{suffix}": trees.encode(tree, suffix)}), 1, 2)
        assert bits(found.values) == bits(values)
        assert found.threshold == tree.threshold
    for wrong in (b'[[1,"inf"]]', b'[[-1,"inf"]]', b'[[0,"1e9"]]', b"7", b'[[null,"inf"]]'):
        lines = b"\n".join([first.replace(b'[[0,"-inf"]]', wrong), second, third])
        with pytest.raises(BundleError) as caught:
            trees.read(Node("op", "n", files={"tree.json": lines}))
        assert caught.value.where == {"file": "root/tree.json", "field": "line 1"}


def test_another_file_under_a_tree_s_name(tmp_path: Path) -> None:
    """It goes as it came, unless it must change its format."""
    bundle = nacre.bundle.new_bundle(Node("word_salad", "w", files={"tree.json": b"no tree", "extra.bin": b"\x00"}))
    assert read(write(bundle, tmp_path / "j")).root.files == bundle.root.files
    with pytest.raises(BundleError) as caught:
        write(bundle, tmp_path / "p", format="protobuf")
    assert caught.value.where["file"] == "root/tree.json"


# The head


def test_formats_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="json or protobuf"):
        write(ALL, tmp_path / "m", format="mixed")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_meta(form: str, tmp_path: Path) -> None:
    """MLeap's slot for facts about a bundle, JSON in either format; unknown keys are passed over."""
    meta = {"who": pack("me", "string"), "bound": pack(float("inf"), "double")}
    bundle = nacre.bundle.new_bundle(Node("pipeline", "p", {"nodes": pack([], "list<string>")}))
    bundle.meta = meta
    path = write(bundle, tmp_path / "m", format=form)
    bundles.edit(path / "bundle.json", lambda c: c.update(more={"any": ["thing"]}))
    assert contents(read(path)) == contents(bundle)
    for wrong, field in (([], "meta"), ({"who": 1}, "who")):
        bundles.edit(path / "bundle.json", lambda c, wrong=wrong: c.update(meta=wrong))
        assert refused(path).where == {"file": "bundle.json", "field": field}
    bundles.edit(path / "bundle.json", lambda c: c.update(meta=None))
    assert read(path).meta == {}


def test_a_note_of_json_is_followed_in_protobuf(folder: Path) -> None:
    spoil(folder / "root/imputer.node/model.pb", lambda held: held.update({"nacre.exact.surrogate_value": pack('[[0, "-inf"]]', "string")}))  # fmt: skip
    node = next(node for node in read(folder).root.walk() if node.op == "imputer")
    assert unpack(node.attributes["surrogate_value"], "double") == float("-inf")


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    """JSON can spell it; no text elsewhere can hold it, so it is refused where it is read."""
    folder = write(ALL, tmp_path / "m")
    file = folder / "root/indexer.node/model.json"
    file.write_text(file.read_text().replace('"F"', '"\\ud800"'))
    assert refused(folder).where["file"] == "root/indexer.node/model.json"
    file.write_text(file.read_text().replace('"\\ud800"', '"\\ud83d\\ude00"'))
    assert nacre.load(folder).row({"sex": "😀", "x": 1.0}) is not None


# Real bundles, through protobuf


def real() -> Iterator[Path]:
    folder = shared_folder() / "bundles"
    yield from (path.parent for path in sorted(folder.glob("*/bundle.json"))) if folder.is_dir() else ()


def test_real_bundles_as_protobuf(tmp_path: Path) -> None:
    """Whatever their ops; where all of them are known, both plans score them."""
    found = list(real())
    if not found:
        pytest.skip(f"no bundles in {shared_folder()}: set NACRE_SHARED to a folder that has it")
    for path in found:
        bundle = read(path)
        for form in FORMATS:
            again = read(write(bundle, tmp_path / f"{path.name}.{form}.zip", format=form))
            if generation(bundle.version) != NEWEST:
                assert again.version == VERSION, "the types of old bundles had other numbers"
            assert contents(replace(again, version=bundle.version)) == contents(bundle)
            assert describe(path)
            if all(node.op in REGISTRY for node in bundle.root.walk()):
                scored(Model(bundle), Model(again))


def scored(one: Model, other: Model) -> None:
    """Both plans of both models make the same of some rows, and a number of a row whose labels are known."""
    if not one.inputs:
        return  # rows without columns are no rows
    rows = [{name: samples(given)[n] for name, given in one.inputs.items()} for n in range(4)]
    rows.append(labelled(one))
    first, second = bundles.assert_plans_agree(one, rows), bundles.assert_plans_agree(other, rows)
    assert all(bundles.same(before, after) for before, after in zip(first, second, strict=True))
    assert first[-1].kind == "scored"
