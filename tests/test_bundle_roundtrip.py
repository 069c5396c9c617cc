"""What is written is read back; what is written wrongly is refused with the file, the field, expected and got."""

from __future__ import annotations

import itertools
import json
import math
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nacre
from nacre.bundle import Bundle, Node, read, write
from nacre.bundle.formats import FORMATS
from nacre.bundle.values import Shape, Tensor
from nacre.errors import BundleError, NacreError, UnsupportedError
from nacre.plan.types import STRING, Type
from nacre.stages import REGISTRY
from tests import bundles
from tests.bundles import bits
from tests.contents import contents
from tests.shared import shared

# Bundles

ALL = bundles.pipeline(
    bundles.node(
        "string_indexer",
        {"labels_length": 1, "labels_array_{n}": {0: ["M", "F", "I"]}, "handle_invalid": "keep"},
        ["sex"],
        ["sex_index"],
        "indexer",
    ),
    bundles.node(
        "one_hot_encoder",
        {"category_sizes": [4], "drop_last": False, "handle_invalid": "keep"},
        ["sex_index"],
        ["sex_vec"],
        "encoder",
    ),
    bundles.node(
        "imputer",
        {"surrogate_value": -0.0, "missing_value": math.inf, "strategy": "mean", "nacre.input_type": "double"},
        ["x"],
        ["filled"],
        "imputer",
    ),
    bundles.nested(
        bundles.node(
            "bucketizer",
            {"splits": [-math.inf, 0.0, math.inf], "handle_invalid": "keep"},
            ["filled"],
            ["bucket"],
            "buckets",
        ),
        name="inner",
    ),
    bundles.node(
        "vector_assembler",
        {"input_shapes": [Shape("tensor", dims=(5,)), Shape(), Shape()], "nacre.handle_invalid": "keep"},
        ["sex_vec", "filled", "bucket"],
        ["raw"],
        "assembler",
    ),
    bundles.node("min_max_scaler", {"min": Tensor([0.0] * 7, (7,)), "max": Tensor([2.0] * 7, (7,)), "minValue": -1.0, "maxValue": 1.0}, ["raw"], ["unit"], "minmax"),
    bundles.node("standard_scaler", {"mean": Tensor([0.1] * 7, (7,)), "std": Tensor([0.0, *[0.7] * 6], (7,))}, ["unit"], ["features"], "scaler"),
    bundles.tree(((5, 0.5), ((0, (0.0, 1.0), False, 3), 1.0, -2.5), 3.0), 7, output="one"),
    bundles.ensemble("random_forest_regression", [((5, 0.5), 1.0, 2.0)] * 11, [1.0] * 11, 7),
    types={"sex": STRING, "x": Type("double")},
)  # fmt: skip
ROW = {"sex": "F", "x": None}


def gbt() -> Bundle:
    return bundles.pipeline(bundles.ensemble("gbt_regression", [((0, 0.5), 1.0, 2.0), 7.0], [1.0, 0.1], 1))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["m.zip", "m.tar.gz", "m"])
def test_a_bundle_survives(name: str, form: str, tmp_path: Path) -> None:
    """Through either format, and from the one into the other."""
    again = read(write(ALL, tmp_path / name, format=form))
    assert again.format == form
    assert contents(again) == contents(ALL)
    for other in FORMATS:
        third = read(write(again, tmp_path / f"{other}-{name}", format=other))
        assert third.format == other
        assert contents(third) == contents(ALL)
    one, other = nacre.Model(ALL).row(ROW), nacre.Model(again).row(ROW)
    assert {name: bits(value) for name, value in one.items()} == {name: bits(value) for name, value in other.items()}  # type: ignore[union-attr]


def test_members_in_their_number_s_order(tmp_path: Path) -> None:
    """tree2 before tree10, in memory as in the list."""
    forest = read(write(ALL, tmp_path / "m")).root.children[-1]
    assert [each.name for each in forest.members] == [f"tree{n}" for n in range(11)]


def test_members_of_any_name(tmp_path: Path) -> None:
    """Digits that are none, digits without end: an order all the same."""
    names = ["tree²", "tree٣", "tree" + "9" * 200, "tree1", "tree01", "1", "²", "x1y2"]
    node = bundles.node("decision_tree_regression", {"num_features": 1}, ["features"], ["prediction"])
    node.op = "word_salad"
    node.members = [Node("op", name) for name in names]
    again = read(write(bundles.pipeline(node), tmp_path / "m")).root.children[0]
    assert sorted(each.name for each in again.members) == sorted(names)


def test_the_file_order_is_mleaps(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(write(ALL, tmp_path / "m.zip")) as archive:
        names = archive.namelist()
    assert names[-1] == "bundle.json"
    assert all(name.startswith("root/") for name in names[:-1])


# Real bundles of other makers

REAL = [
    "identity",
    "mleap_airbnb_model_lr",
    "mleap_airbnb_model_rf",
    "mleap_demo",
    "mleap_min_max_scaler_tf",
    "mleap_one_hot_encoder_pipeline",
]


def unknown(path: Path) -> list[str]:
    """The ops of a bundle that nothing here scores."""
    return [node.op for node in read(path).root.walk() if node.op not in REGISTRY]


@pytest.mark.parametrize("name", REAL)
def test_real_bundles(name: str) -> None:
    path = shared("bundles", name)
    assert read(path).source == str(path)
    ops = unknown(path)
    if ops:
        with pytest.raises(UnsupportedError) as caught:
            nacre.load(path)
        text = str(caught.value)
        assert f"unknown op '{ops[0]}'" in text
        assert all(op in str(caught.value.expected) for op in REGISTRY)
        assert caught.value.where["node"] in {node.name for node in read(path).root.walk()}
        assert caught.value.where["file"].endswith("model.json")
        return
    model = nacre.load(path)
    if model.inputs:
        rows = [{column: samples(given)[n] for column, given in model.inputs.items()} for n in range(4)]
        outcomes = bundles.assert_plans_agree(model, [*rows, labelled(model)])
        assert outcomes[-1].kind == "scored"


def test_the_identity() -> None:
    """AWS's own test bundle: a pipeline without stages gives back what it gets."""
    model = nacre.load(shared("bundles", "identity"))
    assert model.row({"x": 1}) == {"x": 1}
    assert model.transform({"x": [1, 2]}).to_pydict() == {"x": [1, 2]}
    assert len(model.input_schema) == 0


def samples(given: Type) -> list[Any]:
    if given.shape == "vector":
        return [tuple([x] * (given.size or 0)) for x in (0.0, 1.5, -3.0, math.nan)]
    return ["A", "B", "nothing", None] if given == STRING else [0.0, 1.0, 2.0, math.nan]


def labelled(model: nacre.Model) -> dict[str, Any]:
    """A row that every indexer of the model knows."""
    row: dict[str, Any] = dict.fromkeys(model.inputs, 1.0)
    for stage in model.stages:
        if stage.op == "string_indexer":
            row[stage.input_names[0]] = stage.label_lists[0][0]  # type: ignore[attr-defined]
    return row


def test_a_real_forest_scores() -> None:
    """MLeap's Airbnb forest, written by MLeap 0.8: twenty trees over indexed labels."""
    model = nacre.load(shared("bundles", "mleap_airbnb_model_rf"))
    row = labelled(model)
    price = model.row(row)["price_prediction"]  # type: ignore[index]
    assert 10 < price < 1000
    assert bits(
        model.transform({name: [value] for name, value in row.items()}).column("price_prediction")[0].as_py()
    ) == bits(price)


# Wrong content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return bundles.unpacked(ALL, tmp_path / "model")


def refused(folder: Path, kind: type[NacreError] = BundleError) -> NacreError:
    with pytest.raises(kind) as caught:
        nacre.load(folder)
    return caught.value


def attribute(name: str, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        if value is None:
            del content["attributes"][name]
        else:
            content["attributes"][name] = value

    return change


def without(key: str) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        del content[key]

    return change


MODEL, NODE = "model.json", "node.json"
WRONG: list[tuple[str, Any, dict[str, str], str]] = [
    # file, change, where, what the text says
    ("bundle.json", lambda c: c.update(format="protobuf2"), {"file": "bundle.json"}, "expected json or protobuf, got protobuf2"),
    ("bundle.json", without("version"), {"file": "bundle.json"}, "expected version"),
    ("bundle.json", lambda c: [], {"file": "bundle.json"}, "not a JSON object"),
    (f"root/{MODEL}", attribute("nodes", None), {"file": f"root/{MODEL}"}, "expected nodes"),
    (f"root/{MODEL}", attribute("nodes", {"type": "list", "string": ["indexer", "gone"]}), {"file": f"root/{MODEL}", "field": "nodes"}, "root/gone.node"),
    (f"root/{MODEL}", attribute("nodes", {"type": "list", "string": ["indexer", "indexer"]}), {"file": f"root/{MODEL}", "field": "nodes"}, "twice"),
    (f"root/{MODEL}", attribute("nodes", {"type": "list", "string": ["inner", "inner.node/buckets"]}), {"file": f"root/{MODEL}", "field": "nodes"}, "inner.node/buckets"),
    (f"root/{MODEL}", attribute("nodes", {"type": "list", "int": [1]}), {"file": f"root/{MODEL}", "field": "nodes"}, "expected string, got 1"),
    (f"root/{MODEL}", attribute("nacre.input_schema", {"string": "no JSON"}), {"file": f"root/{MODEL}", "field": "nacre.input_schema"}, "expected Spark's schema JSON"),
    (f"root/{MODEL}", attribute("nacre.input_schema", {"string": '{"fields": [{"name": 1}]}'}), {"file": f"root/{MODEL}", "field": "nacre.input_schema"}, "expected Spark's schema JSON"),
    (f"root/{MODEL}", lambda c: c.update(op=7), {"file": f"root/{MODEL}"}, "expected op"),
    (f"root/{MODEL}", lambda c: c.update(attributes=[]), {"file": f"root/{MODEL}"}, "attributes must be an object"),
    (f"root/indexer.node/{NODE}", without("shape"), {"file": f"root/indexer.node/{NODE}"}, "shape with inputs and outputs"),
    (f"root/indexer.node/{NODE}", lambda c: c["shape"].update(inputs=[{"port": "input"}]), {"file": f"root/indexer.node/{NODE}", "field": "inputs"}, "malformed ports"),
    (f"root/indexer.node/{NODE}", lambda c: c["shape"].update(inputs=[]), {"file": f"root/indexer.node/{NODE}", "node": "indexer"}, "a port is missing: expected input"),
    (f"root/indexer.node/{NODE}", lambda c: c["shape"].update(inputs=[{"port": "odd", "name": "sex"}]), {"file": f"root/indexer.node/{NODE}", "node": "indexer", "field": "odd"}, "unknown port"),
    (f"root/encoder.node/{NODE}", lambda c: c["shape"].update(inputs=[{"port": "input", "name": "a"}, {"port": "input0", "name": "b"}]), {"file": f"root/encoder.node/{NODE}", "node": "encoder"}, "stands twice"),
    (f"root/indexer.node/{MODEL}", attribute("labels_array_0", None), {"file": f"root/indexer.node/{MODEL}", "node": "indexer", "field": "labels_array_0"}, "expected list<string>, got nothing"),
    (f"root/indexer.node/{MODEL}", attribute("labels_array_0", {"type": "list", "string": ["M", None]}), {"field": "labels_array_0", "node": "indexer"}, "expected string"),
    (f"root/indexer.node/{MODEL}", attribute("labels_length", {"int": 10**9}), {"field": "labels_array_1"}, "is missing"),
    (f"root/indexer.node/{MODEL}", attribute("labels_length", {"int": 0}), {"field": "labels_length"}, "1 inputs"),
    (f"root/indexer.node/{MODEL}", attribute("labels_length", {"double": 0.5}), {"field": "labels_length"}, "expected int, got 0.5"),
    (f"root/indexer.node/{MODEL}", attribute("handle_invalid", {"string": "explode"}), {"file": f"root/indexer.node/{MODEL}", "node": "indexer", "field": "handle_invalid"}, "expected error or skip or keep, got explode"),
    (f"root/encoder.node/{MODEL}", attribute("category_sizes", {"type": "list", "int": [-1]}), {"field": "category_sizes"}, "absurd"),
    (f"root/encoder.node/{MODEL}", attribute("category_sizes", {"type": "list", "int": [1 << 40]}), {"field": "category_sizes"}, "out of range"),
    (f"root/encoder.node/{MODEL}", attribute("category_sizes", {"type": "list", "int": [2147483647]}), {"field": "category_sizes"}, "absurd"),
    (f"root/encoder.node/{MODEL}", attribute("category_sizes", {"type": "list", "int": [3, 4]}), {"field": "category_sizes"}, "1 columns, got 2"),
    (f"root/encoder.node/{MODEL}", attribute("drop_last", {"string": "no"}), {"field": "drop_last"}, "expected boolean, got no"),
    (f"root/imputer.node/{MODEL}", attribute("surrogate_value", None), {"field": "surrogate_value", "node": "imputer"}, "expected double, got nothing"),
    (f"root/imputer.node/{MODEL}", attribute("nacre.exact.surrogate_value", {"string": "[[5]]"}), {"field": "nacre.exact.surrogate_value"}, "malformed nacre.exact"),
    (f"root/imputer.node/{MODEL}", attribute("nacre.exact.surrogate_value", {"string": '[["x", "inf"]]'}), {"field": "nacre.exact.surrogate_value"}, "malformed nacre.exact"),
    (f"root/imputer.node/{MODEL}", attribute("nacre.input_type", {"string": "decimal"}), {"field": "nacre.input_type"}, "numeric type"),
    (f"root/inner.node/buckets.node/{MODEL}", attribute("splits", {"type": "list", "double": [0.0, 2.0, 2.0, 3.0]}), {"field": "splits", "node": "buckets"}, "splits must ascend"),
    (f"root/inner.node/buckets.node/{MODEL}", attribute("splits", {"type": "list", "double": [0.0, None, 1.0]}), {"field": "splits", "node": "buckets"}, "splits must ascend"),
    (f"root/inner.node/buckets.node/{MODEL}", lambda c: c.update(attributes={"splits": {"double": 0.5}}), {"field": "splits", "node": "buckets"}, "expected list<double>, got scalar of double"),
    (f"root/assembler.node/{MODEL}", attribute("input_shapes", {"type": "list", "data_shape": [{"base": "cube"}]}), {"field": "input_shapes"}, "expected base of"),
    (f"root/assembler.node/{MODEL}", attribute("input_shapes", {"type": "list", "data_shape": [{"base": "scalar"}]}), {"field": "input_shapes", "node": "assembler"}, "3 shapes, got 1"),
    (f"root/minmax.node/{MODEL}", attribute("max", {"type": "tensor", "double": [1.0], "shape": {"dimensions": [{"size": 7, "name": ""}]}}), {"field": "max", "node": "minmax"}, "expected [7] values, got 1 values"),
    (f"root/minmax.node/{MODEL}", attribute("max", {"type": "tensor", "double": [1.0], "shape": {"dimensions": 7}}), {"field": "max"}, "malformed tensor shape"),
    (f"root/minmax.node/{MODEL}", attribute("max", {"type": "tensor", "double": [1.0]}), {"field": "max", "node": "minmax"}, "differ in size"),
    (f"root/minmax.node/{MODEL}", attribute("max", {"type": "tensor", "double": "text"}), {"field": "max"}, "an array"),
    (f"root/imputer.node/{MODEL}", attribute("surrogate_value", {"double": 1.0, "int": 2}), {"field": "surrogate_value"}, "expected items of one kind, got int and double"),
    (f"root/minmax.node/{MODEL}", attribute("min", {"type": "table"}), {"field": "min"}, "list or tensor"),
    (f"root/scaler.node/{MODEL}", attribute("mean", {"type": "tensor", "double": ["x"] * 7}), {"field": "mean"}, "expected double, got x"),
    (f"root/random_forest_regression_prediction.node/{MODEL}", attribute("num_features", {"long": -1}), {"field": "num_features"}, "absurd"),
    (f"root/random_forest_regression_prediction.node/{MODEL}", attribute("tree_weights", {"type": "list"}), {"field": "tree_weights"}, "11 weights, got 0"),
    (f"root/random_forest_regression_prediction.node/{MODEL}", attribute("trees", {"type": "list", "string": ["tree0"] * 10 + ["tree99"]}), {"field": "trees"}, "the folder tree99"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "change", "where", "said"), WRONG, ids=lambda x: x if isinstance(x, str) else "")
def test_wrong_content(folder: Path, file: str, change: Any, where: dict[str, str], said: str) -> None:
    bundles.edit(folder / file, change)
    error = refused(folder)
    assert said in str(error), str(error)
    assert {key: error.where.get(key) for key in where} == where, error.where


TWICE = [
    ("bundle.json", b'"name":', b'"name":"x","name":', "name"),
    ("root/model.json", b'"op":', b'"op":"x","op":', "op"),
    ("root/indexer.node/model.json", b'"handle_invalid":', b'"handle_invalid":{"string":"skip"},"handle_invalid":', "handle_invalid"),
    ("root/indexer.node/node.json", b'"port":"input"', b'"port":"input","port":"input0"', "port"),
    ("root/imputer.node/model.json", b'"double":', b'"double":1.0,"double":', "double"),
    ("root/random_forest_regression_prediction.node/tree10/tree.json", b'"values":', b'"values":[7.0],"values":', "values"),
]  # fmt: skip
"""file, a key in it, the same with another of its name, that name."""


@pytest.mark.parametrize(("file", "key", "keys", "name"), TWICE, ids=[each[0] for each in TWICE])
def test_a_name_that_stands_twice(folder: Path, file: str, key: bytes, keys: bytes, name: str) -> None:
    """Readers differ in which of the two they take: MLeap's the last."""
    content = (folder / file).read_bytes()
    assert key in content
    (folder / file).write_bytes(content.replace(key, keys, 1))
    error = refused(folder)
    assert error.message == "a name stands twice in an object"
    assert error.got == name
    assert error.where["file"] == file


def test_not_json(folder: Path) -> None:
    for name, content in itertools.product(
        ("bundle.json", "root/model.json", "root/indexer.node/node.json"),
        (b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": ' * 100_000, b"1" * 5000),
    ):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(content)
        error = refused(folder)
        assert error.where["file"] == name
        (folder / name).write_bytes(whole)


def test_missing_files(folder: Path) -> None:
    for name in ("root/model.json", "root/node.json", "root/indexer.node/node.json"):
        whole = (folder / name).read_bytes()
        (folder / name).unlink()
        error = refused(folder)
        assert error.expected == name
        (folder / name).write_bytes(whole)


def test_unknown_op(folder: Path) -> None:
    bundles.edit(folder / "root/inner.node/buckets.node/model.json", lambda c: c.update(op="word_salad"))
    error = refused(folder, UnsupportedError)
    assert "unknown op 'word_salad'" in str(error)
    assert "word_salad (node buckets)" in str(error.got)
    assert error.fix == f"Known are {', '.join(sorted(REGISTRY))}"
    assert error.where == {"file": "root/inner.node/buckets.node/model.json", "node": "buckets"}


TREE = "root/random_forest_regression_prediction.node/tree10/tree.json"
LEAF = '{"type":"leaf","values":[1.0]}'


def internal(**split: Any) -> str:
    return json.dumps(
        {"type": "internal", "split": {"type": "continuous", "featureIndex": 0, "threshold": 0.5, **split}}
    )


def by_category(**split: Any) -> str:
    plain = {"type": "categorical", "featureIndex": 0, "isLeft": True, "numCategories": 3, "categories": [0.0]}
    return json.dumps({"type": "internal", "split": {**plain, **split}})


TREES = [
    ("", "dangling"),
    (internal(), "dangling"),
    (internal() + "\n" + LEAF, "dangling"),
    (LEAF + "\n" + LEAF, "after the end"),
    (internal(featureIndex=7) + f"\n{LEAF}\n{LEAF}", "a feature index below 7"),
    (internal(featureIndex=-1) + f"\n{LEAF}\n{LEAF}", "a feature index below 7"),
    (internal(featureIndex="0") + f"\n{LEAF}\n{LEAF}", "a feature index below 7"),
    (internal(featureIndex=True) + f"\n{LEAF}\n{LEAF}", "a feature index below 7"),
    (internal(threshold=None) + f"\n{LEAF}\n{LEAF}", "threshold"),
    (internal(threshold=math.nan) + f"\n{LEAF}\n{LEAF}", "threshold"),
    (internal(threshold="0.5") + f"\n{LEAF}\n{LEAF}", "expected a number, got 0.5"),
    (internal(type="diagonal") + f"\n{LEAF}\n{LEAF}", "continuous or categorical"),
    (by_category(categories=[None]) + f"\n{LEAF}\n{LEAF}", "categories"),
    (by_category(categories="012") + f"\n{LEAF}\n{LEAF}", "categories"),
    (by_category(numCategories=-3) + f"\n{LEAF}\n{LEAF}", "number of categories"),
    (by_category(numCategories="3") + f"\n{LEAF}\n{LEAF}", "number of categories"),
    (by_category(isLeft="false") + f"\n{LEAF}\n{LEAF}", "isLeft"),
    ('{"type":"leaf","values":[]}', "leaf of another size"),
    ('{"type":"leaf","values":[1.0,2.0]}', "leaf of another size"),
    ('{"type":"leaf","values":["x"]}', "malformed tree node"),
    ('{"type":"branch"}', "malformed tree node"),
    ("[1]", "malformed tree node"),
    ("{", "malformed tree node"),
    ("[" * 100_000, "malformed tree node"),
]


@pytest.mark.parametrize(("content", "said"), TREES, ids=range(len(TREES)))
def test_wrong_trees(folder: Path, content: str, said: str) -> None:
    (folder / TREE).write_text(content)
    error = refused(folder)
    assert said in str(error), str(error)
    assert error.where["file"] == TREE
    assert error.where["node"] == "random_forest_regression_prediction"


def test_a_tree_without_its_file(folder: Path) -> None:
    (folder / TREE).unlink()
    error = refused(folder)
    assert error.where["file"] == str(Path(TREE).parent)
    assert error.expected == "tree.json or tree.pb"


def test_a_count_of_categories_that_lies_costs_nothing(folder: Path) -> None:
    """Four thousand splits that claim two billion categories each."""
    split = by_category(numCategories=2_000_000_000, isLeft=False, categories=[1.0])
    (folder / TREE).write_text("\n".join([*[f"{split}\n{LEAF}"] * 4000, LEAF]))
    bundles.edit(folder / "root/random_forest_regression_prediction.node/model.json", lambda c: None)
    began = time.monotonic()
    model = nacre.load(folder)
    assert model.row(ROW) is not None
    assert time.monotonic() - began < 60, "enumerating them would take hours"


def test_pipelines_that_name_each_other_s_children(tmp_path: Path) -> None:
    """Names with a slash would let every level list all levels below: 2^40 nodes out of 40 folders."""
    node = bundles.nested(name="p")
    for _ in range(40):
        node = bundles.nested(node, name="p")
    folder = bundles.unpacked(bundles.pipeline(node), tmp_path / "m")
    path, depth = folder / "root", 41
    while depth:
        names = ["p" + ".node/p" * n for n in range(depth)]
        bundles.edit(path / "model.json", attribute("nodes", {"type": "list", "string": names}))
        path, depth = path / "p.node", depth - 1
    error = refused(folder)
    assert error.where["field"] == "nodes"
    assert "p.node/p" in str(error.got)


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a JSON document."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


STRANGE = [
    None,
    True,
    -1,
    0,
    2**31,
    10**30,
    0.5,
    math.inf,
    math.nan,
    "",
    "x",
    "__import__('os')",
    [],
    [None],
    [[1]],
    {},
    {"a": 1},
]


def test_any_value_in_any_place(folder: Path) -> None:
    """Every value of every JSON file replaced by everything it is not: loads and scores, or a NacreError; nothing else,
    and both plans still agree where it loads."""
    chance = random.Random(3)
    outcomes: dict[str, int] = {}
    alike = {f"tree{n}" for n in range(1, 11)}
    for file in sorted(each for each in folder.rglob("*.json") if each.parent.name not in alike):
        whole = file.read_text()
        documents = (
            [json.loads(line) for line in whole.splitlines()] if file.name == "tree.json" else [json.loads(whole)]
        )
        for number, document in enumerate(documents):
            for place in places(document):
                for strange in chance.sample(STRANGE, 3):
                    changed = json.loads(json.dumps(document))
                    inner = changed
                    for key in place[:-1]:
                        inner = inner[key]
                    inner[place[-1]] = strange
                    lines = [*documents[:number], changed, *documents[number + 1 :]]
                    file.write_text("\n".join(map(json.dumps, lines)))
                    kind = loads(folder, f"{file.relative_to(folder)} {place} = {strange!r}")
                    outcomes[kind] = outcomes.get(kind, 0) + 1
        file.write_text(whole)
    assert outcomes["refused"] > 300
    assert outcomes["scored"] > 50


def loads(folder: Path, told: str) -> str:
    try:
        model = nacre.load(folder)
    except NacreError as error:
        assert error.where or error.expected, told
        return "refused"
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} for {told}") from error
    try:
        rows = [{name: samples(given)[n] for name, given in model.inputs.items()} for n in range(3)]
        if model.inputs:  # a table without columns has no rows
            bundles.assert_plans_agree(model, rows)
    except NacreError:
        return "not scored"
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} in scoring, for {told}") from error
    return "scored"


HOSTILE = ['"', "'", "\\", "\n", "}", "{x}", "'''", '"""', "#", "\x00", "raise SystemExit", "__import__('os').system('true')", "é\u2028", "\ud7ff", "%s", "{0}"]  # fmt: skip


def test_texts_of_a_bundle_stay_data() -> None:
    """Labels, column and node names never reach the row plan's source, and come back as they were."""
    names = [f"{text}|col" for text in HOSTILE]
    indexers = [
        bundles.node("string_indexer", {"labels_length": 1, "labels_array_{n}": {0: HOSTILE}}, [name], [f"{name}|out"], f"node{n}")
        for n, name in enumerate(names)
    ]  # fmt: skip
    model = nacre.Model(bundles.pipeline(*indexers))
    row = dict(zip(names, HOSTILE, strict=True))
    scored = model.row(row)
    assert scored is not None
    assert [scored[f"{name}|out"] for name in names] == [float(n) for n in range(len(HOSTILE))]
    for function in (model._functions[None, "dense"], model.compile_row(names, f"{names[0]}|out")):
        source = function.__source__  # type: ignore[attr-defined]
        assert not [text for text in HOSTILE if len(text) > 3 and text in source]
        assert "col" not in source
        assert source.isascii()
    bundles.assert_plans_agree(model, [row, dict.fromkeys(names, "unseen")])


def test_nothing_left_in_the_fixture(folder: Path) -> None:
    """The bundle these tests spoil is itself good."""
    assert nacre.load(folder).row(ROW) is not None
    shutil.rmtree(folder)
