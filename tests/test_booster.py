"""nacre.booster against the xgboost library: the same float32 bits, and broken models refused in bounded time."""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from nacre import booster as boosters
from nacre.booster import lanes, libm, source, ubjson
from nacre.booster.booster import FEW
from nacre.booster.forest import MAX_DEPTH
from nacre.booster.objectives import OBJECTIVES
from nacre.errors import ModelError, NacreError, RowError, SchemaError, UnsupportedError

xgb = pytest.importorskip("xgboost")

FEATURES = 6
RNG_ROWS = 400
EDGE = np.float32([0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, 0.5, 1.0])


def data(seed: int = 0, rows: int = RNG_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Features with many ties, zeros of both signs and missing values, and a positive target."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, FEATURES)).round(1).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[rng.random(x.shape) < 0.05] = np.float32(-0.0)
    y = np.exp(np.nan_to_num(x[:, 0] - x[:, 1] * x[:, 2]) / 4 + rng.normal(size=rows) / 8)
    return x, y.astype(np.float32)


def train(objective: str, rounds: int = 20, **params: Any) -> Any:
    x, y = data()
    matrix = xgb.DMatrix(x, label=target(objective, y))
    if objective.startswith("rank:"):
        matrix.set_group([20] * (len(y) // 20))
    if objective == "survival:aft":
        matrix = xgb.DMatrix(x)
        matrix.set_float_info("label_lower_bound", y)
        matrix.set_float_info("label_upper_bound", y + 1)
    settings = {"objective": objective, "max_depth": 5, "nthread": 1, "seed": 1, "verbosity": 0}
    if objective.startswith("multi:"):
        settings["num_class"] = 4
    if objective == "reg:quantileerror":
        settings["quantile_alpha"] = [0.1, 0.5, 0.9]
    if params.get("booster") != "gblinear":
        settings |= {"subsample": 0.8, "eta": 0.3}
    return xgb.train({**settings, **params}, matrix, rounds)


def target(objective: str, y: np.ndarray) -> np.ndarray:
    if objective.startswith("multi:"):
        return np.minimum((y * 2).astype(int), 3)
    if objective.startswith("binary:") or objective in ("reg:logistic", "rank:map"):
        return (y > 1).astype(np.float32)
    if objective in ("count:poisson", "rank:ndcg", "rank:pairwise"):
        return np.minimum(np.floor(y), 4)
    return y


def library(model: Any, x: np.ndarray) -> np.ndarray:
    model.set_param("nthread", 1)
    return np.asarray(model.predict(xgb.DMatrix(x), validate_features=False))


def bits(values: Any) -> list[int]:
    return np.asarray(values, np.float32).view(np.uint32).ravel().tolist()


def assert_equal(model: Any, x: np.ndarray) -> boosters.Booster:
    """Ours from UBJSON and JSON, by block and by row, against the library, bit for bit."""
    expected = library(model, x)
    for form in ("ubj", "json"):
        ours = boosters.load(bytes(model.save_raw(form)))
        scores = ours.predict(x)
        assert scores.shape == expected.shape
        assert scores.dtype == np.float32
        assert bits(scores) == bits(expected)
        assert bits([ours.row(values) for values in x.tolist()]) == bits(expected)
    return ours


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_every_objective_has_the_library_s_bits(objective: str) -> None:
    ours = assert_equal(train(objective), data(1)[0])
    assert ours.objective == objective.replace("reg:linear", "reg:squarederror")
    assert ours.num_features == FEATURES
    assert ours.source is not None


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "count:poisson", "multi:softprob"])
@pytest.mark.parametrize(
    "params",
    [
        {"booster": "dart", "rate_drop": 0.3, "one_drop": 1},
        {"num_parallel_tree": 3, "colsample_bynode": 0.5},
        {"booster": "gblinear", "updater": "coord_descent"},
        {"base_score": 0.2},
        {"max_depth": 0, "grow_policy": "lossguide", "max_leaves": 60},
        {"tree_method": "exact"},
        {"eta": 1e-30},
    ],
    ids=lambda params: next(iter(params)) + "=" + str(next(iter(params.values()))),
)
def test_boosters_and_parameters(objective: str, params: dict[str, Any]) -> None:
    assert_equal(train(objective, 8, **params), data(2)[0])


def test_infinite_values_follow_the_comparisons() -> None:
    model = train("reg:squarederror")
    x = data(3, 64)[0]
    x[::3, 1], x[1::3, 2], x[2::3, 0] = np.inf, -np.inf, np.inf
    expected = model.inplace_predict(x, missing=np.nan)
    ours = boosters.load(bytes(model.save_raw("ubj")))
    assert bits(ours.predict(x)) == bits(expected)
    assert bits([ours.row(values) for values in x.tolist()]) == bits(expected)


def test_values_next_to_every_threshold() -> None:
    model = train("reg:squarederror")
    tree = json.loads(model.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"][0]
    splits = np.float32(tree["split_conditions"])
    ties = np.concatenate([np.nextafter(splits, np.float32(9)), splits, np.nextafter(splits, np.float32(-9)), EDGE])
    rng = np.random.default_rng(0)
    assert_equal(model, rng.choice(ties, (500, FEATURES)).astype(np.float32))


def test_deep_trees_are_walked() -> None:
    x = np.arange(200, dtype=np.float32)[:, None] ** 3
    settings = {"max_depth": 0, "min_child_weight": 0, "lambda": 0, "nthread": 1, "grow_policy": "lossguide", "eta": 1}
    model = xgb.train(settings, xgb.DMatrix(x, label=np.exp(x[:, 0] / 4e5)), 3)
    ours = assert_equal(model, x + np.float32(0.5))
    assert ours._forest.depth > 12


def test_a_chain_beyond_the_compiler_s_depth_is_walked() -> None:
    depth = 500
    model = chain(depth)
    library_model = xgb.Booster(model_file=bytearray(json.dumps(model).encode()))
    x = np.linspace(-1, depth + 1, 700, dtype=np.float32)[:, None]
    x[::50] = np.nan
    assert assert_equal(library_model, x).source is None


def test_many_trees_beyond_the_compiler_s_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    model = train("multi:softprob", 40)
    x = data(4)[0]
    compiled = boosters.load(bytes(model.save_raw("ubj")))
    monkeypatch.setattr(source, "MAX_NODES", 10)
    monkeypatch.setattr(lanes, "MAX_BYTES", 10)
    walked = boosters.load(bytes(model.save_raw("ubj")))
    assert compiled.source is not None
    assert walked.source is None
    assert bits([walked.row(values) for values in x.tolist()]) == bits(library(model, x))


@pytest.mark.parametrize("block", [64, 4096])
@pytest.mark.parametrize("objective", ["reg:squarederror", "multi:softprob"])
@pytest.mark.parametrize(
    "shape", [{"max_depth": 1}, {"max_depth": 6}, {"max_depth": 3, "gamma": 0.5, "num_parallel_tree": 2}]
)
def test_lanes_of_bits(monkeypatch: pytest.MonkeyPatch, objective: str, shape: dict[str, Any], block: int) -> None:
    """Both kinds of generated code, whichever is the faster one."""
    model, x = train(objective, 12, **shape), data(7)[0]
    x[::40, 1], x[1::40, 2] = np.inf, -np.inf
    expected = bits(model.inplace_predict(x, missing=np.nan))
    monkeypatch.setattr(lanes, "BLOCK_BITS", block)
    for split, function in ((1e9, "ones0"), (0.0, "part0")):
        monkeypatch.setattr(lanes, "SPLIT", split)
        ours = boosters.load(bytes(model.save_raw("ubj")))
        assert function in (ours.source or "")
        assert bits([ours.row(values) for values in x.tolist()]) == expected
        assert bits(ours.predict(x)) == expected


def test_trees_of_too_many_leaves_have_no_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "SPLIT", 1e9)
    model = train("reg:squarederror", 3, max_depth=0, max_leaves=65, grow_policy="lossguide", min_child_weight=0)
    assert "part0" in (assert_equal(model, data(2)[0]).source or "")


def test_groups_of_several_numbers_of_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "SPLIT", 1e9)
    model = json.loads(train("multi:softprob", 6).save_raw("json"))
    trees = model["learner"]["gradient_booster"]["model"]
    trees["trees"], trees["tree_info"] = trees["trees"][:-6], trees["tree_info"][:-6]
    trees["tree_info"] = [1, 1, *trees["tree_info"][2:-1], 0]
    trees["gbtree_model_param"]["num_trees"] = str(len(trees["trees"]))
    for number, tree in enumerate(trees["trees"]):
        tree["id"] = number
    trees["iteration_indptr"] = [0, len(trees["trees"])]
    ours, x = boosters.load(json.dumps(model).encode()), data(3)[0]
    assert len({stop - start for start, stop in ours._forest.spans}) > 1
    assert "ones0" in (ours.source or "")
    single = [ours.row_margins(values) for values in x.tolist()]
    assert bits(single) == bits(ours.margins(x)) == bits(ours._forest.margins(x, ours._base))


def test_many_classes() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, FEATURES)).astype(np.float32)
    labels = rng.integers(0, 60, 300)
    settings = {"objective": "multi:softprob", "num_class": 60, "max_depth": 3, "nthread": 1}
    assert assert_equal(xgb.train(settings, xgb.DMatrix(x, label=labels), 3), x).num_class == 60


@pytest.mark.parametrize("onehot", [1, 100])
def test_categorical_splits(onehot: int) -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(500, 3)).astype(np.float32)
    x[:, 0] = rng.integers(0, 12, 500)
    x[rng.random(x.shape) < 0.1] = np.nan
    y = np.isin(x[:, 0], [1, 5, 7]) + x[:, 1]
    matrix = xgb.DMatrix(x, label=np.nan_to_num(y), feature_types=["c", "q", "q"], enable_categorical=True)
    model = xgb.train({"max_cat_to_onehot": onehot, "max_depth": 5, "nthread": 1}, matrix, 10)
    probe = np.repeat(x[:40], 13, axis=0)
    probe[:, 0] = np.tile(np.float32([*range(11), 400, np.nan]), 40)
    expected = library_categorical(model, probe)
    ours = boosters.load(bytes(model.save_raw("ubj")))
    assert ours.source is not None
    assert "int(a0) in" in ours.source
    assert bits(ours.predict(probe)) == bits(expected)
    assert bits([ours.row(values) for values in probe.tolist()]) == bits(expected)
    odd = np.float32([[-1, 0, 0], [2.9, 0, 0], [2**24, 0, 0], [np.inf, 0, 0], [-np.inf, 0, 0], [3e38, 0, 0]])
    assert bits([ours.row(values) for values in odd.tolist()]) == bits(ours.predict(np.repeat(odd, FEW, 0))[::FEW])


def test_categorical_splits_as_xgboost_1_and_2_wrote_them() -> None:
    """They have no threshold where several categories go right: NaN stands there."""
    rng = np.random.default_rng(8)
    x = np.column_stack([rng.integers(0, 12, 300), rng.normal(size=300)]).astype(np.float32)
    matrix = xgb.DMatrix(x, label=x[:, 0] % 3 + x[:, 1], feature_types=["c", "q"], enable_categorical=True)
    model = xgb.train({"max_cat_to_onehot": 1, "max_depth": 4, "nthread": 1}, matrix, 5)
    document = json.loads(bytes(model.save_raw("json")))
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        for node in tree["categories_nodes"]:
            tree["split_conditions"][node] = float("nan")
    ours = boosters.load(json.dumps(document).encode())
    expected = np.asarray(model.predict(matrix))
    assert bits(ours.predict(x)) == bits(expected)
    assert bits([ours.row(values) for values in x.tolist()]) == bits(expected)


def library_categorical(model: Any, x: np.ndarray) -> np.ndarray:
    matrix = xgb.DMatrix(x, feature_types=["c", "q", "q"], enable_categorical=True)
    return np.asarray(model.predict(matrix))


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    st.lists(
        st.lists(st.floats(width=32, allow_infinity=False), min_size=FEATURES, max_size=FEATURES),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(["reg:squarederror", "binary:logistic", "multi:softprob", "reg:gamma"]),
)
def test_any_float32_row(rows: list[list[float]], objective: str) -> None:
    model, ours = pair(objective)
    x = np.array(rows, np.float32)
    expected = bits(library(model, x))
    assert bits(ours.predict(x)) == expected
    assert bits([ours.row(values) for values in rows]) == expected


_pairs: dict[str, tuple[Any, boosters.Booster]] = {}


def pair(objective: str) -> tuple[Any, boosters.Booster]:
    if objective not in _pairs:
        model = train(objective)
        _pairs[objective] = model, boosters.load(bytes(model.save_raw("ubj")))
    return _pairs[objective]


def test_row_rounds_to_float32_first() -> None:
    model, ours = pair("reg:squarederror")
    x = np.random.default_rng(7).normal(size=(300, FEATURES))
    assert bits([ours.row(values) for values in x.tolist()]) == bits(library(model, x.astype(np.float32)))


def test_large_margins_do_not_overflow_the_sigmoid() -> None:
    for leaf in (1e4, -1e4, 88.7, -88.7, 104.0, -104.0, 0.0, -0.0):
        for objective in ("binary:logistic", "count:poisson", "binary:hinge"):
            document = chain(1, leaf, objective)
            model = xgb.Booster(model_file=bytearray(json.dumps(document).encode()))
            assert_equal(model, np.float32([[0.0], [2.0]]))


@pytest.mark.parametrize("objective", ["survival:aft", "survival:cox", "count:poisson", "reg:gamma"])
def test_each_objective_has_its_own_exp(objective: str) -> None:
    """Of float or of double: they differ on one value in some thousands, so it takes many different margins to tell."""
    x = data(9, 30_000)[0]
    model = train(objective, 60, num_parallel_tree=3)
    assert len(np.unique(expected := library(model, x))) > 10_000
    assert bits(boosters.load(bytes(model.save_raw("ubj"))).predict(x)) == bits(expected)


def test_expf_is_the_c_library_s() -> None:
    assert libm.EXACT
    assert libm.expf(1000.0) == float("inf")


def test_a_model_without_trees() -> None:
    x, y = data()
    for objective in ("reg:squarederror", "binary:logistic"):
        for params in ({}, {"base_score": 0.3}):
            settings = {"objective": objective, **params}
            model = xgb.train(settings, xgb.DMatrix(x, label=(y > 1).astype(int)), 0)
            assert_equal(model, x[:5])


def chain(depth: int, leaf: float = 0.125, objective: str = "reg:squarederror") -> dict[str, Any]:
    """A model document with one tree: a chain of `depth` splits ``f0 < i`` to the right."""
    size = 2 * depth + 1
    left = [i + 1 if i % 2 == 0 and i < size - 1 else -1 for i in range(size)]
    right = [i + 2 if i % 2 == 0 and i < size - 1 else -1 for i in range(size)]
    tree = {
        "id": 0,
        "left_children": left,
        "right_children": right,
        "parents": [2147483647, *[(i - 1) // 2 * 2 for i in range(1, size)]],
        "split_indices": [0] * size,
        "split_conditions": [i / 2 if left[i] > 0 else leaf * (i + 1) for i in range(size)],
        "default_left": [i % 4 // 2 for i in range(size)],
        "split_type": [0] * size,
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "base_weights": [0.0] * size,
        "loss_changes": [0.0] * size,
        "sum_hessian": [0.0] * size,
        "tree_param": {"num_deleted": "0", "num_feature": "1", "num_nodes": str(size), "size_leaf_vector": "1"},
    }
    return {
        "version": [3, 0, 0],
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"},
                    "iteration_indptr": [0, 1],
                    "tree_info": [0],
                    "trees": [tree],
                },
            },
            "learner_model_param": {
                "base_score": "5E-1",
                "boost_from_average": "1",
                "num_class": "0",
                "num_feature": "1",
                "num_target": "1",
            },
            "objective": {
                "name": objective,
                "reg_loss_param": {"scale_pos_weight": "1"},
                "poisson_regression_param": {"max_delta_step": "0"},
            },
        },
    }


# Broken, hostile and foreign artefacts


def refused(data: bytes, match: str, kind: type[NacreError] = ModelError, **env: str) -> NacreError:
    with pytest.raises(kind, match=match) as caught:
        boosters.load(data, env)
    return caught.value


LEGACY = json.loads(Path(__file__).with_name("booster_legacy.json").read_text())
"""Models that old versions of XGBoost wrote in their binary format, and what version 1.7.6 scores from them."""


def legacy_bytes(saved: dict[str, Any]) -> bytes:
    return zlib.decompress(base64.b64decode(saved["model"]))


@pytest.mark.parametrize("saved", LEGACY, ids=lambda saved: saved["version"])
def test_the_binary_format_of_old_versions(saved: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "xgboost-model"
    path.write_bytes(legacy_bytes(saved))
    ours = boosters.load(path)
    assert ours.objective == saved["objective"]
    assert ours.num_features == 2
    rows = np.array(saved["rows"], np.float32)
    assert bits(ours.predict(np.repeat(rows, FEW, 0))[::FEW]) == bits(saved["scores"])
    assert bits([ours.row(values) for values in rows.tolist()]) == bits(saved["scores"])


@pytest.mark.parametrize("saved", LEGACY, ids=lambda saved: saved["version"])
def test_broken_models_in_the_binary_format(saved: dict[str, Any]) -> None:
    """Every truncation before the attributes at the end, and random changes: a model or a clear error."""
    data = legacy_bytes(saved)
    rng = np.random.default_rng(0)
    for end in range(4, len(data) - 200, 23):
        with contextlib.suppress(NacreError):
            boosters.load(data[:end])
    for _ in range(60):
        changed = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            changed[at] = rng.integers(0, 256)
        with contextlib.suppress(NacreError):
            boosters.load(bytes(changed)).row([0.5, float("nan")])


def test_a_pickle_is_refused_with_the_way_out(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    error = refused(b"\x80\x04" + pickle.dumps(Touch(ran))[2:], "pickled model is refused")
    assert not ran.exists()
    assert 'save_model("xgboost-model.ubj")' in str(error)
    assert "NACRE_ALLOW_PICKLE=true" in str(error)


class Touch:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_is_converted_where_it_is_allowed() -> None:
    model, x = pair("binary:logistic")[0], data(8)[0]
    for thing in (model, Wrapper(model)):
        loaded = boosters.load(pickle.dumps(thing), {"NACRE_ALLOW_PICKLE": "true"})
        assert loaded.pickled
        assert bits(loaded.predict(x)) == bits(library(model, x))
    refused(pickle.dumps({"a": 1}), "pickled xgboost.Booster", NACRE_ALLOW_PICKLE="true")
    refused(b"\x80\x04junk", "cannot be loaded", NACRE_ALLOW_PICKLE="true")


class Wrapper:
    """What a pickled scikit-learn estimator of XGBoost offers, without scikit-learn."""

    def __init__(self, model: Any):
        self.model = model

    def get_booster(self) -> Any:
        return self.model


@pytest.mark.parametrize(
    "data, match",
    [
        (b"", "empty file"),
        (b"   \n", "empty file"),
        (b"# A README", "JSON or UBJSON"),
        (b"binf" + bytes(200), "broken XGBoost model at byte .*: expected the booster"),
        (b"binf" + bytes(20), "broken XGBoost model at byte 4: expected 136 bytes, got 20 left"),
        (b"bs64\t" + bytes(200), "old binary format.*xgboost 3.0 or older"),
        (struct.pack("<f", 0.5) + bytes(200), "old binary format"),
        (b"PK\x03\x04 a zip", "not an XGBoost model"),
        (b"{", "broken"),
        (b"{}", "learner"),
        (b'{"learner": 3}', "learner"),
        (b'{"learner": {"learner_model_param": {}}}', "learner.objective"),
        (b"{" * 100_000, "broken"),
        (b'{"a":' * 100_000, "broken|levels"),
        (b'{"a":' + b"[" * 100_000, "broken|levels"),
        (b"{L" + b"\xff" * 8, "length of 0 or more"),
        (b"{L\x7f" + b"\xff" * 7, "left in the file"),
        (b"{i\x01a[$d#L\x00\x00\x00\x7f\xff\xff\xff\xff", "left in the file"),
        (b"{i\x01a[#L\x00\x00\x00\x7f\xff\xff\xff\xff", "left in the file"),
        (b"{i\x01a" + b"[" * 100_000, "levels of nesting"),
        (b"{i\x01aQ}", "type marker"),
        (b"{i\x01\xffZ}", "UTF-8"),
    ],
)
def test_what_is_no_model_is_refused(data: bytes, match: str) -> None:
    refused(data, match)


def test_every_truncation_is_refused() -> None:
    for form in ("ubj", "json"):
        whole = bytes(train("reg:squarederror", 1, max_depth=2).save_raw(form))
        for end in range(1, len(whole) - 1, 7):
            refused(whole[:end], "XGBoost model|UBJSON")


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.data())
def test_flipped_bytes_give_a_model_or_a_clear_error(draw: st.DataObject) -> None:
    whole = bytearray(small())
    for _ in range(draw.draw(st.integers(1, 4))):
        whole[draw.draw(st.integers(0, len(whole) - 1))] = draw.draw(st.integers(0, 255))
    with contextlib.suppress(NacreError):
        ours = boosters.load(bytes(whole), {})
        rows = 1 if ours.num_features < 10**6 else 0
        ours.predict(np.zeros((rows, ours.num_features), np.float32))


def small() -> bytes:
    if "small" not in _pairs:
        model = train("reg:squarederror", 2, max_depth=2)
        _pairs["small"] = model, boosters.load(bytes(model.save_raw("ubj")))
    return bytes(_pairs["small"][0].save_raw("ubj"))


def edited(**changes: Any) -> bytes:
    """A one-split model with fields of its tree or learner replaced."""
    document = chain(1)
    learner = document["learner"]
    tree = learner["gradient_booster"]["model"]["trees"][0]
    for key, value in changes.items():
        for holder in (
            tree,
            learner["learner_model_param"],
            learner["gradient_booster"]["model"],
            learner["objective"],
        ):
            if key in holder:
                holder[key] = value
                break
        else:
            raise KeyError(key)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"left_children": [0, -1, -1]}, "each node under one parent"),
        ({"left_children": [2, -1, -1]}, "node 2 twice"),
        ({"left_children": [7, -1, -1]}, "nodes 0 to 2"),
        ({"left_children": [-7, -1, -1]}, "nodes 0 to 2"),
        ({"left_children": [1, -1]}, "3 nodes|2 nodes"),
        ({"left_children": "abc"}, "array of ints"),
        ({"left_children": [1.5, -1, -1]}, "array of ints"),
        ({"left_children": [1, None, -1]}, "array of ints"),
        ({"left_children": [[1], [2]]}, "array of ints"),
        ({"left_children": [10**30, -1, -1]}, "array of ints"),
        ({"split_indices": [1, 0, 0]}, "features 0 to 0"),
        ({"split_conditions": [float("nan"), 1, 2]}, "thresholds"),
        ({"split_conditions": ["x", 1, 2]}, "array of floats"),
        ({"tree_info": [1]}, "groups from 0 to 0"),
        ({"id": 3}, "number once"),
        ({"trees": {}}, "array of objects"),
        ({"num_feature": "-1"}, "num_feature"),
        ({"num_feature": "x"}, "num_feature"),
        ({"base_score": "[1,2,3]"}, "base_score"),
        ({"base_score": "x"}, "base_score"),
        ({"base_score": "inf"}, "base_score"),
        ({"categories_nodes": [0]}, "categories"),
        ({"categories_nodes": [0], "categories_segments": [0], "categories_sizes": [9], "categories": [1]}, "segment"),
    ],
    ids=str,
)
def test_fields_that_contradict_each_other(changes: dict[str, Any], match: str) -> None:
    error = refused(edited(**changes), match)
    assert error.where.get("field")


def test_unknown_objectives_and_vector_leaves_are_unsupported() -> None:
    refused(edited(name="reg:mine"), "objective reg:mine: .*reg:squarederror", UnsupportedError)
    refused(edited(num_class="2000000000"), "too many classes", UnsupportedError)
    refused(edited(tree_param={"size_leaf_vector": "3"}), "one_output_per_tree", UnsupportedError)


def test_a_tree_deeper_than_the_limit_is_refused() -> None:
    refused(json.dumps(chain(MAX_DEPTH + 1)).encode(), "too deep", UnsupportedError)


def test_errors_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("no model")
    with pytest.raises(ModelError, match="README"):
        boosters.load(tmp_path / "README")
    with pytest.raises(ModelError, match="xgboost-model"):
        boosters.load(tmp_path / "xgboost-model")


def test_strings_of_the_model_never_reach_the_source() -> None:
    model = train("reg:squarederror", 2)
    model.feature_names = ["__import__('os')", "b'", "c", "d", "e", "f"]
    ours = boosters.load(bytes(model.save_raw("ubj")))
    assert ours.feature_names[0] == "__import__('os')"
    assert ours.source is not None
    assert "import" not in ours.source
    assert "a0 = row[0]" in ours.source


def test_rows_of_the_wrong_kind() -> None:
    ours = pair("reg:squarederror")[1]
    with pytest.raises(SchemaError, match="expected 6, got 2"):
        ours.row([1.0, 2.0])
    assert ours.round([0.0, 1e39, -1e39, 0.1, 0.0, 0.0])[:3] == (0.0, np.inf, -np.inf)
    with pytest.raises(RowError, match="f2"):
        ours.row([0.0, 1.0, "x", 0.0, 0.0, 0.0])  # type: ignore[list-item]
    with pytest.raises(SchemaError, match="wrong shape"):
        ours.predict(np.zeros((3, 5), np.float32))


def test_no_rows() -> None:
    assert pair("reg:squarederror")[1].predict(np.zeros((0, FEATURES))).shape == (0,)
    assert pair("multi:softprob")[1].predict(np.zeros((0, FEATURES))).shape == (0, 4)


def test_ubjson_constructs_that_xgboost_does_not_write() -> None:
    whole = b"{i\x01a[TFZ]i\x01b[#i\x02i\x05U\xffi\x01cC!i\x01dSi\x02hii\x01eD?\xf8\0\0\0\0\0\0NN}"
    with pytest.raises(ModelError, match="length"):
        ubjson.loads(whole)
    found = ubjson.loads(whole.replace(b"NN}", b"}"))
    assert found == {"a": [True, False, None], "b": [5, 255], "c": 33, "d": "hi", "e": 1.5}


def test_loading_does_not_import_xgboost(tmp_path: Path) -> None:
    (tmp_path / "xgboost-model").write_bytes(small())
    code = "import sys, nacre.booster as b; b.load(sys.argv[1]); print('xgboost' in sys.modules)"
    command = [sys.executable, "-c", code, str(tmp_path / "xgboost-model")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
