"""Bundles that MLeap's own package writes of scikit-learn pipelines: scikit-learn's numbers are the oracle.

The package is of another time than its scikit-learn, so two things are helped along here: where it asks for a method
by the name it had, and where its own import warns.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Binarizer, MinMaxScaler, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import nacre
from nacre.bundle import read, write
from nacre.bundle.writers import by_sklearn
from nacre.errors import SetupError, UnsupportedError
from tests import bundles

EXPORTERS = (
    "base",
    "decomposition.pca",
    "ensemble.forest",
    "feature_union",
    "logistic",
    "pipeline",
    "svm",
    "tree.tree",
)
"""Importing these gives scikit-learn's classes their methods."""
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for each in EXPORTERS:
        importlib.import_module(f"mleap.sklearn.{each}")
    from mleap.sklearn.extensions.data import Imputer
    from mleap.sklearn.preprocessing.data import FeatureExtractor, LabelEncoder, MathBinary, MathUnary, StringMap

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.mleap import Mleap

RNG = np.random.default_rng(7)
NAMES = ["a", "b", "c"]
DATA = pd.DataFrame(
    {"a": RNG.normal(size=80), "b": RNG.normal(size=80) * 3 + 1, "c": RNG.integers(0, 4, 80).astype(float)}
)
X = DATA[NAMES].to_numpy()
DATA["s"] = RNG.choice(["x", "y", "z"], 80)
DATA["gaps"] = DATA.a.where(DATA.a > 0)
TWO, THREE = (X[:, 0] + X[:, 1] > 1).astype(int), np.digitize(X[:, 0] + X[:, 1], [0, 2])
AMOUNT = X[:, 0] * X[:, 1]
CLOSE = 1e-12


def written(folder: Path, *steps: Any) -> Path:
    """The bundle of a pipeline of these steps."""
    pipeline = Pipeline([(step.name, step) for step in steps])
    pipeline.mlinit()
    pipeline.serialize_to_bundle(str(folder), "model", init=True)
    return folder / "model.zip"


def assembled(names: list[str] = NAMES) -> Any:
    """MLeap's stand-in for an assembler: these columns as `features`."""
    made = FeatureExtractor(input_scalars=names, output_vector="features", output_vector_items=names)
    made.fit_transform(DATA)
    return made


def assert_scores(path: Path, column: str, expected: Any, within: float = 0.0) -> nacre.Model:
    """Both plans give scikit-learn's numbers."""
    model = nacre.load(path)
    wanted = {name: DATA[name].tolist() for name in model.inputs}
    rows = [dict(zip(wanted, values, strict=True)) for values in zip(*wanted.values(), strict=True)]
    found = bundles.assert_plans_agree(model, rows)
    made = np.array([each.values[column] for each in found if each.values is not None], float)
    assert np.max(np.abs(made - np.asarray(expected, float).reshape(made.shape))) <= within
    return model


@pytest.mark.parametrize(
    "step", [StandardScaler(), MinMaxScaler(), Binarizer(threshold=0.5)], ids=lambda step: type(step).__name__
)
def test_scalers(tmp_path: Path, step: Any) -> None:
    before = assembled()
    step.mlinit(before, "out")
    expected = step.fit_transform(X)
    assert_scores(written(tmp_path, before, step), "out", expected, CLOSE)


@pytest.mark.parametrize("bias", [True, False])
def test_polynomials(tmp_path: Path, bias: bool) -> None:
    before, step = assembled(), PolynomialFeatures(degree=3, include_bias=bias)
    step.mlinit(before, "out")
    expected = step.fit_transform(X)
    step.get_feature_names = lambda: list(map(str, step.get_feature_names_out()))
    assert_scores(written(tmp_path, before, step), "out", expected, 1e-9)


MODELS: dict[str, tuple[Callable[[], Any], Any, float]] = {
    "linear": (LinearRegression, AMOUNT.reshape(-1, 1), CLOSE),
    "logistic": (LogisticRegression, TWO, 0.0),
    "logistic of three classes": (LogisticRegression, THREE, 0.0),
    "tree": (lambda: DecisionTreeRegressor(max_depth=4), AMOUNT, 0.0),
    "tree of classes": (lambda: DecisionTreeClassifier(max_depth=4), THREE, 0.0),
    "forest": (lambda: RandomForestRegressor(5, max_depth=4, random_state=0), AMOUNT, CLOSE),
    "forest of classes": (lambda: RandomForestClassifier(5, max_depth=3, random_state=0), THREE, 0.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(tmp_path: Path, name: str) -> None:
    make, target, within = MODELS[name]
    before, model = assembled(), make()
    named = {"feature_names": NAMES} if name.startswith(("tree", "forest")) else {}
    model.mlinit(input_features="features", prediction_column="prediction", **named)
    model.fit(X, target)
    path = written(tmp_path, before, model)
    loaded = assert_scores(path, "prediction", model.predict(X), within)
    if name == "forest of classes":
        assert_scores(path, "probability", model.predict_proba(X), CLOSE)
    if name == "forest":
        assert "raw_prediction" not in loaded.outputs, "the exporter names it, no regression has it"


def test_components(tmp_path: Path) -> None:
    """The exporter leaves the means out, so the numbers are scikit-learn's where the data are centred."""
    before, scaler, model = assembled(), StandardScaler(), PCA(2)
    scaler.mlinit(before, "scaled")
    scaled = scaler.fit_transform(X)
    model.mlinit("scaled", "out")
    expected = model.fit_transform(scaled)
    assert_scores(written(tmp_path, before, scaler, model), "out", expected, CLOSE)


@pytest.mark.parametrize("unseen", ["error", "ignore"])
def test_labels(tmp_path: Path, unseen: str) -> None:
    indexer = LabelEncoder(input_features=["s"], output_features="index")
    indexes = indexer.fit_transform(DATA.s)
    encoder = OneHotEncoder(sparse_output=False, handle_unknown=unseen)
    encoder.mlinit(indexer, "hot")
    expected = encoder.fit_transform(indexes.reshape(-1, 1))
    path = written(tmp_path, indexer, encoder)
    assert_scores(path, "index", indexes)
    assert_scores(path, "hot", expected)


def test_missing_values(tmp_path: Path) -> None:
    step = Imputer("gaps", "filled", strategy="median")
    expected = step.fit(DATA).transform(DATA).to_numpy()
    assert_scores(written(tmp_path, step), "filled", expected)


def test_arithmetic_and_tables(tmp_path: Path) -> None:
    root = MathUnary(["c"], "root", "sqrt")
    share = MathBinary(["a", "b"], "share", "div")
    table = StringMap(["s"], "number", {"x": 1.0, "y": 2.5, "z": -1.0})
    path = written(tmp_path, root, share, table)
    assert_scores(path, "root", root.fit_transform(DATA.c))
    assert_scores(path, "share", share.fit_transform(DATA[["a", "b"]]))
    assert_scores(path, "number", DATA.s.map({"x": 1.0, "y": 2.5, "z": -1.0}))


# Whose matrices stand row by row


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    before, model = assembled(), LogisticRegression()
    model.mlinit(input_features="features", prediction_column="prediction")
    return written(tmp_path_factory.mktemp("three"), before, model.fit(X, THREE)), model


@pytest.mark.oracle
def test_mleap_takes_rows_for_columns(oracle: Mleap, three: tuple[Path, Any]) -> None:
    """So does mode="mleap"; the default is right."""
    path, model = three
    columns = {name: ("double", DATA[name].tolist()) for name in NAMES}
    theirs = oracle.transform(path, columns)["prediction"]
    assert nacre.load(path, mode="mleap").transform(DATA[NAMES]).column("prediction").to_pylist() == theirs
    assert theirs != model.predict(X).tolist()


def test_the_order_can_be_told(three: tuple[Path, Any], tmp_path: Path) -> None:
    path, model = three
    bundle = read(path)
    assert by_sklearn(bundle.root)
    again = write(bundle, tmp_path / "again.zip", format="protobuf")
    assert_scores(again, "prediction", model.predict(X))
    for node in bundle.root.walk():
        node.name = node.op
    bundle.root.attributes["nodes"] = bundle.root.attributes["nodes"].__class__(
        "list", "string", [child.name for child in bundle.root.children]
    )
    renamed = write(bundle, tmp_path / "renamed.zip")
    assert not by_sklearn(read(renamed).root)
    told = nacre.load(renamed, matrices="rows").transform(DATA[NAMES]).column("prediction").to_pylist()
    assert told == model.predict(X).tolist()
    assert told != nacre.load(path, matrices="columns").transform(DATA[NAMES]).column("prediction").to_pylist()
    with pytest.raises(SetupError, match="unknown order"):
        nacre.load(path, matrices="diagonals")


def test_uids_of_others() -> None:
    """Spark's and a JVM's names are not taken for the exporter's."""
    for name in ("pipeline_0a1b2c3d4e5f", "pipeline_123e4567-e89b-42d3-a456-426614174000"):
        assert not by_sklearn(bundles.pipeline(name=name).root)
    assert by_sklearn(bundles.pipeline(name="pipeline_123e4567-e89b-12d3-a456-426614174000").root)


def test_its_own_op_is_refused(tmp_path: Path) -> None:
    """A LinearSVC becomes an op `svm` that no MLeap reads either."""
    from sklearn.svm import LinearSVC

    before, model = assembled(), LinearSVC()
    model.mlinit(input_features="features", prediction_column="prediction")
    with pytest.raises(UnsupportedError, match="no MLeap reads it"):
        nacre.load(written(tmp_path, before, model.fit(X, TWO)))
