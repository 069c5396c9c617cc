"""Training as SageMaker's XGBoost container trains: data, hyperparameters, log lines, the artefact."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre import booster
from nacre.cli import main as nacre_command
from nacre.errors import NacreError, SetupError
from nacre.train import xgboost as training
from nacre.train.hyperparameters import ABALONE, HYPERPARAMETERS, METRICS, OBJECTIVES, library_parameters, validated
from nacre.train.rows import read
from tests.shared import CHECKOUT

xgb = pytest.importorskip("xgboost")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SMALL = {"num_round": 5, "max_depth": 3, "nthread": 1}


def table(rows: int = 120, seed: int = 0) -> np.ndarray:
    """Label, then three features; one feature value in ten is missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3)).round(3)
    x[rng.random(x.shape) < 0.1] = np.nan
    y = (3 + np.nan_to_num(x[:, 0]) * 2 - np.nan_to_num(x[:, 1])).round(3)
    return np.column_stack([y, x])


def text(numbers: np.ndarray, delimiter: str = ",") -> str:
    return "".join(delimiter.join("" if np.isnan(v) else repr(float(v)) for v in row) + "\n" for row in numbers)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder as Spark leaves it: two parts and what is no data."""
    folder = tmp_path / "train" / "csv"
    folder.mkdir(parents=True)
    numbers = table()
    (folder / "part-00000.csv").write_text(text(numbers[:70]))
    (folder / "part-00001.csv").write_text(text(numbers[70:]))
    (folder / "part-00002.csv").write_text("")
    (folder / "_SUCCESS").write_text("")
    (folder / ".part-00000.csv.crc").write_bytes(b"crc")
    return folder


def model_of(archive: Path) -> bytes:
    with tarfile.open(archive) as opened:
        assert opened.getnames() == ["xgboost-model"]
        file = opened.extractfile("xgboost-model")
        assert file is not None
        return file.read()


def test_the_model_is_the_library_s_and_ours_reads_it(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    trained = training.train(data, tmp_path / "out", SMALL, log=lines.append)
    assert trained.model == tmp_path / "out" / "model.tar.gz"
    numbers = table().astype(np.float32)
    expected = xgb.train({"max_depth": 3, "nthread": 1}, xgb.DMatrix(numbers[:, 1:], label=numbers[:, 0]), 5)
    raw = model_of(trained.model)
    assert raw[:2] == b"{L"  # UBJSON
    scores = expected.predict(xgb.DMatrix(numbers[:, 1:]))
    assert booster.load(raw).predict(numbers[:, 1:]).tolist() == scores.tolist()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.tar.gz"]
    assert trained.rounds == len(lines) == 5


def test_the_same_data_give_the_same_bytes(data: Path, tmp_path: Path) -> None:
    first = training.train(data, tmp_path / "a", SMALL, log=str).model.read_bytes()
    assert training.train(data, tmp_path / "b", SMALL, log=str).model.read_bytes() == first


def test_log_lines_are_what_the_metric_patterns_read(data: Path, tmp_path: Path) -> None:
    (tmp_path / "validation.csv").write_text(text(table(seed=1)))
    lines: list[str] = []
    settings = {**SMALL, "eval_metric": "mae,rmse"}
    trained = training.train(data, tmp_path / "out", settings, tmp_path / "validation.csv", log=lines.append)
    for number, line in enumerate(lines):
        assert line.startswith(f"[{number}]\ttrain-mae:")
        assert re.match(r".*\[[0-9]+\].*\tvalidation-rmse:(\S+)", line)
        assert re.match(r".*\[[0-9]+\].*#011validation-mae:(\S+)", line.replace("\t", "#011"))
    assert float(lines[-1].rsplit(":", 1)[1]) == pytest.approx(trained.metrics["validation-rmse"], abs=1e-5)


def test_early_stopping_keeps_the_best_rounds(data: Path, tmp_path: Path) -> None:
    (tmp_path / "validation.csv").write_text(text(table(seed=1)[:, [0, 3, 2, 1]]))  # shuffled: it must get worse
    settings = {**SMALL, "num_round": 80, "early_stopping_rounds": 3}
    lines: list[str] = []
    trained = training.train(data, tmp_path / "out", settings, tmp_path / "validation.csv", log=lines.append)
    values = [float(line.rsplit(":", 1)[1]) for line in lines]
    assert len(lines) < 80
    assert trained.rounds == int(np.argmin(values)) + 1 == len(lines) - 3
    assert booster.load(model_of(trained.model)).num_trees == trained.rounds
    assert training.train(data, tmp_path / "all", settings, log=str).rounds == 80


def test_parquet_gives_the_same_model_as_csv(data: Path, tmp_path: Path) -> None:
    numbers = table()
    rows = [[None if np.isnan(v) else v for v in row] for row in numbers[:, 1:].tolist()]
    udt = [
        ("type", pa.int8()),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
    dense = [{"type": 1, "size": None, "indices": None, "values": row} for row in rows]
    label = numbers[:, 0].tolist()
    columns = {f"c{number}": list(column) for number, column in enumerate(zip(*rows, strict=True))}
    expected = model_of(training.train(data, tmp_path / "csv", SMALL, log=str).model)
    for name, found in {
        "list": pa.table({"rings": label, "features": rows, "_row": range(len(rows))}),
        "udt": pa.table({"features": pa.array(dense, pa.struct(udt)), "other": label, "label": label}),
        "columns": pa.table({"y": label, **columns}),
    }.items():
        folder = tmp_path / f"{name}.parquet"
        folder.mkdir()
        pq.write_table(found, folder / "part-0.parquet")
        (folder / "_SUCCESS").touch()
        assert model_of(training.train(folder, tmp_path / name, SMALL, log=str).model) == expected
    named = pa.table({"f": rows, "a": [0.0] * len(rows), "y": label})
    pq.write_table(named, tmp_path / "named.parquet")
    trained = training.train(tmp_path / "named.parquet", tmp_path / "n", SMALL, label="y", features="f", log=str)
    assert model_of(trained.model) == expected


def test_delimiters_and_gzip(data: Path, tmp_path: Path) -> None:
    import gzip

    expected = read(data)
    for number, delimiter in enumerate((",", "\t", ";")):
        (tmp_path / f"{number}.csv").write_text(text(table(), delimiter).replace("\n", "\r\n"))
        assert np.array_equal(read(tmp_path / f"{number}.csv").features, expected.features, equal_nan=True)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text(table()).encode()))
    assert np.array_equal(read(tmp_path / "t.csv.gz").label, expected.label)


def test_weights_stand_second(tmp_path: Path) -> None:
    numbers = table()
    weight = np.linspace(0.1, 2, len(numbers))
    (tmp_path / "w.csv").write_text(text(np.column_stack([numbers[:, 0], weight, numbers[:, 1:]])))
    trained = training.train(tmp_path / "w.csv", tmp_path / "out", {**SMALL, "csv_weights": "1"}, log=str)
    x = numbers[:, 1:].astype(np.float32)
    matrix = xgb.DMatrix(x, label=numbers[:, 0].astype(np.float32), weight=weight.astype(np.float32))
    expected = xgb.train({"max_depth": 3, "nthread": 1}, matrix, 5).predict(matrix)
    assert booster.load(model_of(trained.model)).predict(x).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "content, match",
    [
        ("", "no training data: expected CSV or Parquet, got an empty file"),
        ("label,a,b\n1,2,3\n", "a header line: expected numbers, got label, a, b.*row 1.*Remove the header"),
        ("1,2,3\n1,2\n", "a row of another width: expected 3 fields, got 2.*row 2"),
        ("1,2,3\n1,2,3,4\n", "a row of another width: expected 3 fields, got 4.*row 2"),
        ("1,2,3\n\n1,2,3\n", "a label that is no finite number.*got nothing.*row 2"),
        ("1,2,3\n4,5,6\n7,x,9\n", "not a number: expected a number, got 'x'.*row 3, field 2"),
        ("1,x,3\n4,5,6\n", "not a number: expected a number, got 'x'.*row 1, field 2"),
        ('1,"2,3\n4,5,6\n', "row|number"),
        ("1,2,3\n4,inf,6\n", "a feature that is no finite number.*got inf.*row 2, field 2"),
        ("1,2,3\n4,5,1e39\n", "a feature that is no finite number.*got 1e.39.*row 2, field 3"),
        ("1,2,3\n,5,6\n", "a label that is no finite number.*got nothing.*row 2, field 1"),
        ("1\n2\n", "too few fields: expected 2 or more"),
        ("\xff\xfe1,2", "UTF-8"),
    ],
)
def test_bad_csv_is_named(tmp_path: Path, content: str, match: str) -> None:
    file = tmp_path / "part.csv"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(NacreError, match=match) as caught:
        training.train(file, tmp_path / "out", SMALL, log=str)
    assert str(file) in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_bad_folders_are_named(tmp_path: Path, data: Path) -> None:
    with pytest.raises(NacreError, match="no such file or folder"):
        read(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "_SUCCESS").touch()
    with pytest.raises(NacreError, match="a folder without data"):
        read(tmp_path / "empty")
    (data.parent / "parquet").mkdir()
    pq.write_table(pa.table({"y": [1.0], "x": [2.0]}), data.parent / "parquet" / "p.parquet")
    with pytest.raises(NacreError, match=r"files of two formats.*csv, parquet"):
        read(data.parent)
    (data / "part-00003.csv").write_text("1,2\n")
    with pytest.raises(NacreError, match=r"files of different width: expected 3 features, got 1.*part-00003"):
        read(data)


@pytest.mark.parametrize(
    "columns, match",
    [
        ({"y": [1.0], "features": [["a"]]}, "expected numbers"),
        ({"features": [[1.0, 2.0]]}, "no label column"),
        ({"y": [1.0, 2.0], "features": [[1.0], [1.0, 2.0]]}, "vectors of different sizes.*row 2"),
        ({"y": [1.0, 2.0], "features": [[1.0], None]}, "no features.*row 2"),
        ({"y": ["a"], "x": [1.0]}, "expected numbers, got string"),
        ({"y": [1.0]}, "columns are missing"),
        ({"y": [1.0, None], "x": [1.0, 2.0]}, "a label that is no finite number.*row 2"),
        ({"y": pa.array([], pa.float64()), "x": pa.array([], pa.float64())}, "no rows"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_bad_parquet_is_named(tmp_path: Path, columns: dict[str, Any], match: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    with pytest.raises(NacreError, match=match) as caught:
        read(tmp_path / "p.parquet")
    assert "p.parquet" in str(caught.value)


def test_truncated_parquet(tmp_path: Path) -> None:
    (tmp_path / "p.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(NacreError, match="no readable Parquet"):
        read(tmp_path / "p.parquet")


def test_validation_of_another_width(data: Path, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("1,2\n")
    with pytest.raises(SetupError, match="expected 3 features, got 1"):
        training.train(data, tmp_path / "out", SMALL, tmp_path / "v.csv")


# Hyperparameters


def test_unknown_names_are_extraneous() -> None:
    with pytest.raises(SetupError, match=r"^Extraneous hyperparameter found: max_dept: Did you mean max_depth"):
        validated({"num_round": 1, "max_dept": 3})
    with pytest.raises(SetupError, match=r"^Extraneous hyperparameter found: silent"):
        validated({"num_round": 1, "silent": 0})
    with pytest.raises(SetupError, match="Missing required hyperparameter: num_round"):
        validated({})


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("num_round", 0, "a whole number from 1"),
        ("num_round", "1.5", "a whole number from 1"),
        ("eta", "1.1", "a number from 0 up to 1"),
        ("eta", "nan", "a number from 0 up to 1"),
        ("subsample", 0, "a number above 0 up to 1"),
        ("tweedie_variance_power", 2, "a number above 1 below 2"),
        ("objective", "reg:mine", "one of binary:logistic"),
        ("eval_metric", "rmse,mine", "some of aft-nloglik"),
        ("eval_metric", "rmse@3", "some of aft-nloglik"),
        ("eval_metric", "error@x", "some of aft-nloglik"),
        ("monotone_constraints", "(1,", "a list, as JSON"),
        ("max_depth", None, "a whole number from 0"),
    ],
)
def test_values_out_of_range(name: str, value: Any, expected: str) -> None:
    with pytest.raises(SetupError, match=f"Hyperparameter {name} is out of range: expected {expected}"):
        validated({"num_round": 1, name: value})


def test_what_one_value_asks_of_another() -> None:
    for settings, match in (
        ({"objective": "multi:softmax"}, "num_class"),
        ({"eval_metric": "auc"}, "auc"),
        ({"eval_metric": "aft-nloglik"}, "aft"),
        ({"_tuning_objective_metric": "validation:auc"}, "auc"),
        ({"monotone_constraints": "(1)"}, "monotone_constraints can be used only when .* either 'exact' or 'hist'"),
        ({"interaction_constraints": "[[0, 1]]"}, "either 'exact', 'hist' or 'approx'"),
        ({"booster": "gblinear", "updater": "prune"}, "Linear updater should be one of"),
        ({"process_type": "update", "updater": "grow_colmaker"}, "process_type 'update' can only be used with"),
        ({"updater": "shotgun"}, "a tree booster with a linear updater"),
        ({"updater": "grow_colmaker,grow_histmaker"}, "Only one tree grow plugin"),
    ):
        with pytest.raises(SetupError, match=match):
            validated({"num_round": 1, **settings})


def test_aliases_and_what_the_library_gets() -> None:
    given = {
        "num_round": "10",
        "learning_rate": "0.5",
        "reg_alpha": 1,
        "objective": "reg:linear",
        "tree_method": "gpu_hist",
        "predictor": "cpu_predictor",
        "eval_metric": "rmse, mae",
        "_tuning_objective_metric": "rmse",
        "monotone_constraints": "(1, 0, -1)",
        "updater": "grow_quantile_histmaker,prune",
    }
    assert library_parameters(validated(given)) == {
        "eta": 0.5,
        "alpha": 1.0,
        "objective": "reg:squarederror",
        "tree_method": "hist",
        "eval_metric": ["mae", "rmse"],
        "monotone_constraints": [1, 0, -1],
        "updater": "grow_quantile_histmaker,prune",
    }


def test_every_objective_and_metric_is_one_the_library_knows() -> None:
    x = np.random.default_rng(0).random((40, 2)).astype(np.float32)
    for objective in OBJECTIVES:
        settings = {
            "num_round": 1,
            "objective": objective,
            **({"num_class": 2} if objective.startswith("multi:") else {}),
        }
        parameters = {**library_parameters(validated(settings)), "nthread": 1}
        matrix = xgb.DMatrix(x, label=(x[:, 0] > 0.5).astype(int) + (objective == "reg:gamma"))
        if objective.startswith("rank:"):
            matrix.set_group([20, 20])
        if objective == "survival:aft":
            matrix.set_float_info("label_lower_bound", x[:, 0] + 1)
            matrix.set_float_info("label_upper_bound", x[:, 0] + 2)
        assert xgb.train(parameters, matrix, 1).num_boosted_rounds() == 1
    assert set(METRICS) >= {"rmse", "auc", "merror"}


def test_the_library_s_refusal_is_one_sentence(data: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "objective": "binary:logistic"}
    with pytest.raises(SetupError, match=r"XGBoost refuses to train: .*base_score must be in") as caught:
        training.train(data, tmp_path / "out", settings, log=str)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


# The programs


def job(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CHECKOUT / "jobs" / "train_xgboost.py"), *arguments]
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_the_job_trains(data: Path, tmp_path: Path) -> None:
    done = job(
        "--train", str(data), "--validation", str(data), "--output", f"file://{tmp_path}/out", "--num-round", "3"
    )
    assert done.stdout.count("validation-rmse:") == 3
    assert booster.load(model_of(tmp_path / "out" / "model.tar.gz")).num_trees == 3
    failed = job("--train", str(tmp_path / "none"), "--output", str(tmp_path / "no"), code=1)
    assert failed.stderr.startswith("nacre: no such file or folder")
    assert "Traceback" not in failed.stderr
    failed = job("--train", str(data), "--output", str(tmp_path / "no"), "--eta", "7", code=1)
    assert "Hyperparameter eta is out of range" in failed.stderr
    assert not (tmp_path / "no").exists()


def test_every_hyperparameter_is_an_option() -> None:
    text = training.parser().format_help()
    for name in HYPERPARAMETERS:
        assert (f"--{name.replace('_', '-')}" in text) == (not name.startswith("_"))
    assert set(ABALONE) <= set(HYPERPARAMETERS)


def test_in_a_container(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "ml"
    (base / "input" / "config").mkdir(parents=True)
    (base / "input" / "data").mkdir()
    (base / "input" / "data" / "train").symlink_to(data)
    settings = base / "input" / "config" / "hyperparameters.json"
    settings.write_text(json.dumps({"num_round": "2", "nthread": "1"}))
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    assert nacre_command(["train", "xgboost"]) == 0
    assert booster.load(base / "model" / "xgboost-model").num_trees == 2
    settings.write_text(json.dumps({"num_round": "2", "silent": "0"}))
    assert nacre_command(["train", "xgboost"]) == 1
    assert (base / "output" / "failure").read_text().startswith("Extraneous hyperparameter found: silent")
