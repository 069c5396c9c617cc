"""A tree file that is read at once is the tree that is read line by line; one out of the ordinary is left to the latter."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.bundle import treefast, treejson
from nacre.bundle.tree import Bounds
from nacre.errors import BundleError

LEAF = {"type": "leaf", "values": [1.5, 2.0]}
SPLIT = {"type": "internal", "split": {"type": "continuous", "featureIndex": 3, "threshold": -0.0}}
SET = {
    "type": "internal",
    "split": {"type": "categorical", "featureIndex": 1, "isLeft": True, "numCategories": 4, "categories": [0.0, 2.0]},
}
BOUNDS = Bounds(4, 2)

floats = st.one_of(st.floats(), st.integers(-3, 3), st.none())
leaves = st.builds(lambda values: {"type": "leaf", "values": values}, st.lists(floats, max_size=3))
splits = st.builds(
    lambda feature, threshold: {
        "type": "internal", "split": {"type": "continuous", "featureIndex": feature, "threshold": threshold},
    },
    st.integers(-2, 5), floats,
)  # fmt: skip
nodes = st.one_of(st.sampled_from([LEAF, SPLIT, SET]), leaves, splits)


def content(*each: Any) -> bytes:
    return b"\n".join(json.dumps(node).encode() for node in each) + b"\n"


@pytest.fixture(params=["orjson", "json"])
def _loads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without the optional package."""
    if request.param == "json":
        monkeypatch.setattr(treefast, "_loads", lambda: json.loads)
    else:
        pytest.importorskip("orjson")


@pytest.mark.usefixtures("_loads")
def test_ordinary_nodes_are_read_at_once() -> None:
    ordinary = content(SPLIT, SET, LEAF, LEAF, LEAF)
    found = treefast.decode(ordinary, BOUNDS)
    assert found == treejson.decode_lines(ordinary, BOUNDS)
    assert found is not None
    assert math.copysign(1.0, found.threshold[0]) == -1.0


@pytest.mark.usefixtures("_loads")
@pytest.mark.parametrize(
    "odd",
    [
        content({**LEAF, "values": [1.5]}), content({**LEAF, "values": []}), content({**LEAF, "values": [1.5, 2]}),
        content({**LEAF, "values": [1.5, None]}), content({**LEAF, "values": [math.inf, 1.0]}),
        content({**LEAF, "values": [None, 1.0], "nacre.values": [[0, "inf"]]}),
        content({**SPLIT, "split": {**SPLIT["split"], "featureIndex": 4}}),  # type: ignore[dict-item]
        content({**SPLIT, "split": {**SPLIT["split"], "featureIndex": -1}}),  # type: ignore[dict-item]
        content({**SPLIT, "split": {**SPLIT["split"], "featureIndex": True}}),  # type: ignore[dict-item]
        content({**SPLIT, "split": {**SPLIT["split"], "threshold": math.nan}}),  # type: ignore[dict-item]
        content({**SET, "split": {**SET["split"], "numCategories": -1}}),  # type: ignore[dict-item]
        content({**SET, "split": {**SET["split"], "categories": [None]}}),  # type: ignore[dict-item]
        content({**SET, "split": {**SET["split"], "isLeft": 1}}),  # type: ignore[dict-item]
        content({"type": "branch", "split": SPLIT["split"]}),
        b'{"type": "leaf",\n"values": [1.5, 2.0]}\n',
        b'{"type":"leaf","values":[1.5,2.0]},{"type":"leaf","values":[1.5,2.0]}\n',
        b"[1]\n", b"{\n", b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_out_of_the_ordinary_is_left(odd: bytes) -> None:
    assert treefast.decode(odd, BOUNDS) is None


@pytest.mark.usefixtures("_loads")
def test_any_nodes() -> None:
    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(st.lists(nodes, max_size=6), st.sampled_from([BOUNDS, Bounds(), Bounds(None, 1)]))
    def agree(each: list[Any], bounds: Bounds) -> None:
        found = treefast.decode(content(*each), bounds)
        if found is None:
            return
        try:
            wanted = treejson.decode_lines(content(*each), bounds)
        except BundleError as error:
            raise AssertionError(f"taken, though {error}") from error
        assert repr(found) == repr(wanted)

    agree()
