"""The scikit-learn container without a script: bundles, and pickles where they are allowed. scikit-learn is the oracle."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from nacre.bundle import write
from nacre.errors import ModelError, NacreError
from nacre.handlers.container import Container
from tests import bundles
from tests.scripts import OURS, refused, serving
from tests.scripts import model as with_script

RNG = np.random.default_rng(3)
FRAME = pd.DataFrame({"a": RNG.normal(size=40), "b": RNG.normal(size=40)})
TARGET = 2 * FRAME.a - FRAME.b
ALLOWED = {"NACRE_ALLOW_PICKLE": "true"}


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    """A model fitted with the names of its columns."""
    folder = tmp_path / "pickled"
    folder.mkdir()
    joblib.dump(LinearRegression().fit(FRAME, TARGET), folder / "model.joblib")
    return folder


def lines(frame: pd.DataFrame) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in frame.to_dict("records"))


def parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), out)
    return out.getvalue()


def test_a_pickle_is_refused_unless_it_is_allowed(pickled: Path) -> None:
    line = refused("scikit-learn", pickled)
    assert "a pickled model is refused: expected a bundle, or a script, got model.joblib, at container" in line
    assert "NACRE_ALLOW_PICKLE=true" in line
    (pickled / "second.pkl").write_bytes(b"")
    with pytest.raises(ModelError, match="several models"):
        Container.load("scikit-learn", pickled, ALLOWED)


def test_a_pickle_is_not_even_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "exploded",))

    folder = tmp_path / "model"
    folder.mkdir()
    joblib.dump(Bomb(), folder / "model.pkl")
    for env in ({}, {"NACRE_ALLOW_PICKLE": "yes"}, {"NACRE_ALLOW_PICKLE": "false"}):
        with pytest.raises(ModelError, match="a pickled model is refused"):
            Container.load("scikit-learn", folder, env)
    assert not (tmp_path / "exploded").exists()


def test_an_allowed_pickle_predicts(pickled: Path) -> None:
    """Texts come as float32, as in AWS's container; columns with names are found by them, in any order."""
    fitted = LinearRegression().fit(FRAME, TARGET)
    rows = FRAME.head(3)
    turned = rows[["b", "a"]].assign(other="x")
    with serving("scikit-learn", pickled, ALLOWED) as call:
        single = fitted.predict(rows.astype(np.float32)).tolist()
        assert json.loads(call(rows.to_csv(header=False, index=False).encode())[2]) == single
        assert json.loads(call(json.dumps(rows.to_numpy().tolist()).encode(), "application/json")[2]) == single
        exact = fitted.predict(rows).tolist()
        assert json.loads(call(lines(turned), "application/jsonlines")[2]) == exact
        assert json.loads(call(parquet(turned), "application/x-parquet")[2]) == exact
        one = call(b"1,2", accept="text/csv")
        assert (one[0], len(one[2].splitlines())) == (200, 1)
        bad = ((b"1,2,3",), (b"1,x",), (b"1,",), (lines(rows[["a"]]), "application/jsonlines"))
        said = [json.loads(call(*request)[2])["error"] for request in bad]
        assert call(b"1,")[0] == 400
    assert "Warning" not in call.log
    assert [(error["message"], error["expected"], error["got"]) for error in said[:2]] == [
        ("another number of columns", "2 features", "3"), ("not a number", "a number", "x"),
    ]  # fmt: skip
    assert said[1]["where"] == {"container": "scikit-learn", "row": 1, "field": "column 2"}
    assert said[2]["message"] == "the model refuses these rows"
    assert "NaN" in said[2]["got"]
    assert (said[3]["message"], said[3]["where"]["field"]) == ("columns are missing", "b")


def test_a_model_without_names(tmp_path: Path) -> None:
    joblib.dump(LogisticRegression().fit(FRAME.to_numpy(), TARGET > 0), tmp_path / "model.pkl")
    container = Container.load("scikit-learn", tmp_path, ALLOWED)
    reply = container.invoke(parquet(FRAME.head(2)), "application/x-parquet", "text/csv")
    expected = LogisticRegression().fit(FRAME.to_numpy(), TARGET > 0).predict(FRAME.head(2).to_numpy())
    assert reply.body.decode().split() == [str(value) for value in expected]


def test_a_model_that_is_not_fitted(tmp_path: Path) -> None:
    joblib.dump(LinearRegression(), tmp_path / "model.pkl")
    container = Container.load("scikit-learn", tmp_path, ALLOWED)
    with pytest.raises(NacreError, match="NotFittedError") as caught:
        container.invoke(b"1,2", "text/csv", None)
    assert caught.value.status == 500


def test_nothing_to_serve(tmp_path: Path) -> None:
    for folder in (tmp_path, with_script(tmp_path / "scripted", "def predict_fn(a, b):\n    return 1\n")):
        with pytest.raises(ModelError, match="nothing to serve"):
            Container.load("scikit-learn", folder, {})
    (tmp_path / "model.pkl").write_bytes(b"no pickle")
    with pytest.raises(ModelError, match="cannot be loaded"):
        Container.load("scikit-learn", tmp_path, ALLOWED)


def exported(folder: Path) -> tuple[Path, Any]:
    """A pipeline of scikit-learn as MLeap's own package writes it, and the pipeline."""
    from tests.test_sklearn import DATA, NAMES, TWO, X, assembled, written

    before, fitted = assembled(NAMES), LogisticRegression()
    fitted.mlinit(input_features="features", prediction_column="prediction")
    fitted.fit(X, TWO)
    assert len(DATA) == len(X)
    return written(folder, before, fitted), fitted


@pytest.mark.parametrize("unpacked", [False, True])
def test_a_bundle_is_served_without_pickle_and_without_a_script(tmp_path: Path, unpacked: bool) -> None:
    from tests.test_sklearn import NAMES, X

    (tmp_path / "out").mkdir()
    bundle, fitted = exported(tmp_path / "out")
    folder = tmp_path / "model"
    folder.mkdir()
    if unpacked:
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(folder)
    else:
        bundle.rename(folder / "model.zip")
    rows = pd.DataFrame(X[:20], columns=NAMES)
    expected = fitted.predict(rows.to_numpy()).astype(float).tolist()
    with serving("scikit-learn", folder) as call:
        bodies = {
            "text/csv": rows.to_csv(header=False, index=False).encode(),
            "application/json": json.dumps({"instances": rows.to_numpy().tolist()}).encode(),
            "application/jsonlines": lines(rows[NAMES[::-1]]),
            "application/x-parquet": parquet(rows[NAMES[::-1]]),
        }
        for content_type, body in bodies.items():
            assert json.loads(call(body, content_type)[2]) == expected, content_type
        status, _, answer = call(b"1,2")
        assert (status, json.loads(answer)["error"]["expected"]) == (400, "3: a, b, c")
        assert json.loads(call(b"1,2,x")[2])["error"]["where"] == {"container": "scikit-learn", "row": 1, "field": "c"}
    program = (
        "import sys; from pathlib import Path; from nacre.handlers.container import Container;"
        f"c = Container.load('scikit-learn', Path({str(folder)!r}), {{}}); c.invoke(b'1,2,3', 'text/csv', 'text/csv');"
        "print(sorted({'sklearn', 'joblib', 'xgboost'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], env=OURS, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_texts_and_rows_that_a_bundle_refuses(tmp_path: Path) -> None:
    node = bundles.node("string_indexer", {"labels": ["x", "y"], "handle_invalid": "error"}, ["s"], ["i"])
    write(bundles.pipeline(node), tmp_path / "model.zip")
    container = Container.load("scikit-learn", tmp_path, {})
    assert container.invoke(b"y\nx", "text/csv", None).body == b"[1.0, 0.0]"
    with pytest.raises(NacreError) as caught:
        container.invoke(b"y\nz", "text/csv", None)
    assert (caught.value.status, caught.value.where["row"]) == (400, 2)


def test_a_folder_of_code_without_the_script_is_no_script(tmp_path: Path) -> None:
    write(bundles.pipeline(bundles.node("bucketizer", {"splits": [0.0, 1.0]}, ["x"], ["b"])), tmp_path / "model.zip")
    with_script(tmp_path, "raise SystemExit\n", "train.py")
    assert Container.load("scikit-learn", tmp_path, {}).invoke(b"0.5", "text/csv", None).body == b"[0.0]"
    with pytest.raises(ModelError, match="expected inference.py, got train.py"):
        Container.load("scikit-learn", tmp_path, {"SAGEMAKER_PROGRAM": "inference.py"})


def test_a_script_goes_before_a_bundle(tmp_path: Path) -> None:
    write(bundles.pipeline(bundles.node("bucketizer", {"splits": [0.0, 1.0]}, ["x"], ["b"])), tmp_path / "model.zip")
    with_script(tmp_path, "def model_fn(d):\n    return lambda rows: ['mine']\n")
    assert Container.load("scikit-learn", tmp_path, {}).invoke(b"0.5", "text/csv", None).body == b'["mine"]'
