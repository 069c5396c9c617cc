"""The oracle itself: what goes in comes out, bit for bit, and MLeap reads what other makers wrote."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.oracle import fetch, frames
from tests.oracle.mleap import OracleError
from tests.shared import shared

if TYPE_CHECKING:
    from tests.oracle.mleap import Mleap

EMPTY = {
    "bundle.json": '{"uid": "05d59754-869b-4010-b5f3-a6b8749c2c0a", "name": "empty", "format": "json",'
    ' "version": "0.20.0", "timestamp": "2024-01-01T00:00:00"}',
    "root/node.json": '{"name": "empty", "shape": {"inputs": [], "outputs": []}}',
    "root/model.json": '{"op": "pipeline", "attributes": {"nodes": {"string": [], "type": "list"}}}',
}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A pipeline without stages."""
    for name, text in EMPTY.items():
        path = tmp_path / "empty" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Path(shutil.make_archive(str(tmp_path / "empty"), "zip", tmp_path / "empty"))


def bundle(tmp_path: Path, name: str) -> Path:
    return Path(shutil.make_archive(str(tmp_path / name), "zip", shared("bundles", name)))


COLUMNS: dict[str, frames.Column] = {
    "double": ("double", [0.1, -0.0, math.inf, 5e-324, None]),
    "string": ("string", ["M", "", "é\n😀", "nan", None]),
    "int": ("int", [1, -(2**31), 2**31 - 1, 0, None]),
    "long": ("long", [1, -(2**63), 2**63 - 1, 0, None]),
    "boolean": ("boolean", [True, False, True, False, None]),
    "vector": ("vector", [[1.0, 2.0], [-0.0, math.inf], [0.1, 0.2], [0.0, 0.0], None]),
}


def test_a_frame_survives_the_jvm(oracle: Mleap, empty: Path) -> None:
    found = oracle.transform(empty, COLUMNS)
    assert {name: list(map(repr, values)) for name, values in found.items()} == {
        name: list(map(repr, values)) for name, (_, values) in COLUMNS.items()
    }


def test_nan_survives_the_jvm(oracle: Mleap, empty: Path) -> None:
    (value,) = oracle.transform(empty, {"x": ("double", [math.nan])}, ["x"])["x"]
    assert math.isnan(value)


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_a_resaved_bundle_scores_the_same(oracle: Mleap, form: str, tmp_path: Path) -> None:
    columns: dict[str, frames.Column] = {"col_1": ("string", ["A", "C", "unseen"])}
    first = bundle(tmp_path, "mleap_one_hot_encoder_pipeline")
    oracle.resave(first, tmp_path / "again.zip", form)
    found = oracle.transform(tmp_path / "again.zip", columns)
    assert found == oracle.transform(first, columns)
    encoded = [value.dense() for value in found["col_1_label_one_hot_encoded"]]
    assert encoded == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def test_what_the_jvm_refuses(oracle: Mleap, empty: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(empty.read_bytes()[:100])
    with pytest.raises(OracleError):
        oracle.transform(broken, COLUMNS)
    missing = tmp_path / "missing.zip"
    with pytest.raises(OracleError, match=r"is no \.zip file"):
        oracle.transform(missing, COLUMNS)
    assert not missing.exists()


@pytest.mark.maven
def test_maven_and_ivy_fetch_the_same_runtime(tmp_path: Path) -> None:
    """Machines without Maven test against the same MLeap: same jars of MLeap, Spark's linear algebra and breeze."""
    ways = {"maven": fetch.with_maven, "ivy": fetch.with_ivy}
    for name, way in ways.items():
        fetch.fetch(tmp_path / name, way(fetch.partial(tmp_path / name)))
    decide = ("mleap-", "bundle-", "spark-", "breeze")
    found = {
        name: {jar.name for jar in (tmp_path / name).glob("*.jar") if jar.name.startswith(decide)} for name in ways
    }
    assert found["maven"] == found["ivy"]
    assert f"mleap-runtime_2.12-{fetch.wanted().version}.jar" in found["ivy"]
