"""Training jobs as SageMaker gives them: channels of every content type, checkpoints, SIGTERM, folds, metrics."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre import booster
from nacre.errors import NacreError, SetupError
from nacre.train import checkpoints, folds, metrics
from nacre.train import xgboost as training
from nacre.train.channels import channels
from nacre.train.rows import read
from tests.shared import OURS
from tests.test_xgboost_handler import record

xgb = pytest.importorskip("xgboost")

SMALL = {"num_round": "3", "max_depth": "3", "nthread": "1", "seed": "0"}


def table(rows: int = 90, seed: int = 3) -> np.ndarray:
    """Label (0 or 1) and three features, one of them often absent."""
    chance = np.random.default_rng(seed)
    features = chance.random((rows, 3)).round(3)
    features[chance.random(rows) < 0.4, 1] = np.nan
    label = (features[:, 0] + np.nan_to_num(features[:, 1]) > 0.8).astype(float)
    return np.column_stack([label, features])


def csv(numbers: np.ndarray) -> str:
    return "".join(",".join("" if np.isnan(x) else repr(float(x)) for x in row) + "\n" for row in numbers)


def svm(numbers: np.ndarray, base: int = 0, weight: str = "", query: str = "") -> str:
    lines = []
    for row in numbers:
        entries = [f"{at + base}:{float(x)!r}" for at, x in enumerate(row[1:]) if not np.isnan(x)]
        lines.append(" ".join([f"{row[0]:g}{weight}", *([query] if query else []), *entries]))
    return "\n".join(lines) + "\n"


def labelled(row: np.ndarray, sparse: bool) -> bytes:
    """A recordio record with features and label, out of one with features and one written by ours."""
    from nacre.formats import recordio

    keys = [at for at, x in enumerate(row[1:]) if not np.isnan(x)] if sparse else None
    values = [float(x) for x in row[1:] if not (sparse and np.isnan(x))]
    features = next(recordio.records(record(values, keys, width=3 if sparse else None)))
    label = next(recordio.records(recordio.write([{"values": [float(row[0])]}])))
    return recordio.framed(features + label)


class Base:
    """A container's /opt/ml."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = folder / "input" / "config"
        self.config.mkdir(parents=True)

    def channel(self, name: str, content: bytes | str, file: str = "part-0") -> None:
        path = self.folder / "input" / "data" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def write(self, name: str, content: Any) -> None:
        (self.config / f"{name}.json").write_text(json.dumps(content))

    def train(self, **settings: str) -> None:
        self.write("hyperparameters", SMALL | settings)
        training.in_container(self.folder)

    def model(self, name: str = "xgboost-model") -> bytes:
        return (self.folder / "model" / name).read_bytes()

    @property
    def failure(self) -> str:
        return (self.folder / "output" / "failure").read_text()


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path / "ml")


# Channels


def test_every_content_type_gives_the_same_model(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    numbers = table()
    pq.write_table(pa.table([numbers[:, at] for at in range(4)], names=list("labc")), tmp_path / "p")
    contents = {
        "text/csv": csv(numbers),
        "text/csv; label_size=1": csv(numbers),
        "csv": csv(numbers).replace(",", ";"),
        "text/libsvm": svm(numbers),
        "libsvm": svm(numbers, base=1),
        "text/x-libsvm": svm(numbers, weight=":1"),
        "application/x-recordio-protobuf": b"".join(labelled(row, sparse=False) for row in numbers),
        "recordio-protobuf": b"".join(labelled(row, sparse=True) for row in numbers),
        "application/x-parquet": (tmp_path / "p").read_bytes(),
    }
    dumps = {}
    for number, (content_type, content) in enumerate(contents.items()):
        for told in (True, False):
            base = Base(tmp_path / f"{number}{told}")
            base.channel("train", content)
            base.channel("validation", content)
            if told:
                base.write("inputdataconfig", {each: {"ContentType": content_type} for each in ("train", "validation")})
            base.train()
            trained = xgb.Booster(model_file=bytearray(base.model()))
            dumps[content_type, told] = trained.num_features(), trained.get_dump(with_stats=True)
    assert len({str(dump) for dump in dumps.values()}) == 1, dumps
    assert next(iter(dumps.values()))[0] == 3


def test_the_container_counts_libsvm_from_zero(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.channel("train", svm(table(), base=1))
    base.write("inputdataconfig", {"train": {}})
    base.train()
    assert xgb.Booster(model_file=bytearray(base.model())).num_features() == 3
    monkeypatch.setenv("NACRE_COMPAT", "aws")
    base.train()
    assert xgb.Booster(model_file=bytearray(base.model())).num_features() == 4


def test_weights_and_queries(tmp_path: Path) -> None:
    numbers = table(8)
    (tmp_path / "w").write_text(svm(numbers[:4], weight=":2.5") + "\n" + svm(numbers[4:]))
    rows = read(tmp_path / "w")
    assert rows.weight is not None
    assert rows.weight.tolist() == [2.5] * 4 + [1.0] * 4
    (tmp_path / "q").write_text(svm(numbers[:5], query="qid:7") + svm(numbers[5:], query="qid:9"))
    rows = read(tmp_path / "q")
    assert rows.query is not None
    assert rows.query.tolist() == [7] * 5 + [9] * 3
    settings = {"num_round": 2, "objective": "rank:pairwise", "nthread": 1}
    lines: list[str] = []
    training.train(tmp_path / "q", tmp_path / "out", settings, log=lines.append)
    assert len(lines) == 2


def test_sparse_data_of_other_width_are_widened(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("1 0:1 2:3\n0 0:2\n")
    (tmp_path / "v").write_text("1 0:1 5:3\n0 1:2\n")
    trained = training.train(tmp_path / "t", tmp_path / "out", SMALL, tmp_path / "v", log=str)
    assert set(trained.metrics) == {"train-rmse", "validation-rmse"}


@pytest.mark.parametrize(
    "config, message",
    [
        ({"train": {}, "test": {}}, "Extraneous channel found: test"),
        ({"validation": {}}, "Missing required channel: train"),
        ({"train": {"ContentType": "text/csv; label_size=2"}}, "label_size must be equal to 1"),
        ({"train": {"ContentType": "application/json"}}, "application/json is not an accepted ContentType"),
        ({"train": {"TrainingInputMode": "Pipe"}}, "Pipe mode is not supported"),
        ({"train": {"ContentType": "text/libsvm"}}, "not a libsvm row"),
        ({"train": {"ContentType": "parquet"}}, "no readable Parquet"),
        ({"train": {"ContentType": "recordio-protobuf"}}, "not recordio"),
        ({"train": {"ContentType": "text/csv"}, "validation": {}}, "no such file or folder"),
    ],
)
def test_bad_channels_are_the_failure(base: Base, config: Any, message: str) -> None:
    base.channel("train", csv(table()).replace(",", " "))
    base.write("inputdataconfig", config)
    with pytest.raises(NacreError):
        base.train()
    assert message in base.failure
    assert not (base.folder / "model").exists()


@pytest.mark.parametrize(
    "content, match",
    [
        ("x 0:1\n", "a label that is no finite number: expected a number, got x, at file .*, row 1"),
        ("1 0:1\n0 0:inf\n", "a feature that is no finite number.*row 2"),
        ("1:z 0:1\n", "a weight that is no finite number"),
        ("1 qid:1 0:1\n1 0:1\n", "rows with and without qid"),
        ("1 0:1\n1 qid:x 0:1\n", "a query's number that is no finite number"),
        ("1 0:1 0:2\n", "the same feature twice"),
        (b"1 0:\xff\n", "not a libsvm file"),
    ],
)
def test_bad_libsvm_is_named(tmp_path: Path, content: bytes | str, match: str) -> None:
    (tmp_path / "t").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(NacreError, match=match):
        read(tmp_path / "t", kind="libsvm")


def test_bad_recordio_is_named(tmp_path: Path) -> None:
    good = labelled(table(1)[0], sparse=True)
    for content, match in (
        (good + good[:9], "truncated record.*row 2"),
        (record([1.0, 2.0]), r"a record without label: expected label\['values'\]"),
    ):
        (tmp_path / "t").write_bytes(content)
        with pytest.raises(NacreError, match=match):
            read(tmp_path / "t")


def test_a_code_channel_is_no_data(base: Base) -> None:
    base.write("inputdataconfig", {"train": {"ContentType": "csv"}, "code": {"ContentType": "text/python"}})
    assert list(channels(base.folder / "input" / "data", base.config)) == ["train"]


# Log lines and early stopping


def test_aws_s_pattern_reads_the_lines(base: Base, capsys: pytest.CaptureFixture[str]) -> None:
    """SageMaker's own pattern for the metric, with a tab for the #011 that CloudWatch makes of one."""
    base.channel("train", csv(table()))
    base.channel("validation", csv(table(40, 5)))
    base.train(objective="binary:logistic", eval_metric="logloss,f1", _tuning_objective_metric="validation:auc")
    lines = capsys.readouterr().out.splitlines()
    for name in ("auc", "logloss", "f1"):
        found = [re.match(rf".*\[[0-9]+\].*\tvalidation-{name}:(\S+)", line) for line in lines]
        assert len(found) == 3
        assert all(each and 0 <= float(each[1]) <= 1 for each in found)


def test_early_stopping_looks_at_the_metric_of_the_tuning_job(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.channel("train", csv(table()))
    base.channel("validation", csv(table(40, 5)))
    base.write("inputdataconfig", {each: {"ContentType": "text/csv"} for each in ("train", "validation")})
    common = {"num_round": "60", "early_stopping_rounds": "2", "objective": "binary:logistic"}
    base.train(**common, eval_metric="logloss", _tuning_objective_metric="validation:f1")
    by_f1 = booster.load(base.folder / "model" / "xgboost-model").num_trees
    base.train(**common, eval_metric="logloss")
    assert by_f1 < booster.load(base.folder / "model" / "xgboost-model").num_trees < 60
    monkeypatch.setenv("NACRE_COMPAT", "aws")
    base.train(**common)  # no metric is named: the container trains on
    assert booster.load(base.folder / "model" / "xgboost-model").num_trees == 60


@pytest.mark.parametrize("objective", ["binary:logistic", "binary:logitraw", "binary:hinge", "multi:softprob"])
def test_metrics_are_scikit_learn_s(objective: str) -> None:
    known = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(1)
    for _ in range(20):
        if objective == "multi:softprob":
            label, scores = chance.integers(0, 4, 30).astype(float), chance.random((30, 4))
            got = scores.argmax(axis=1)
        else:
            label = chance.integers(0, 2, 30).astype(float)
            scores = chance.normal(size=30) if objective == "binary:logitraw" else chance.random(30)
            scores = scores.round() if objective == "binary:hinge" else scores
            got = (scores > (0 if objective == "binary:logitraw" else 0.5)).astype(int)
        expected = {
            "accuracy": known.accuracy_score(label, got),
            "balanced_accuracy": known.balanced_accuracy_score(label, got),
            "f1": known.f1_score(label, got, average="macro"),
            "f1_macro": known.f1_score(label, got, average="macro"),
        }
        for measure, function in (("precision", known.precision_score), ("recall", known.recall_score)):
            for average in ("macro", "micro"):
                expected[f"{measure}_{average}"] = function(label, got, average=average, zero_division=0)
        if objective != "multi:softprob":
            expected |= {"f1_binary": known.f1_score(label, got), "precision": known.precision_score(label, got)}
            expected |= {"recall": known.recall_score(label, got), "mse": known.mean_squared_error(label, scores)}
            expected |= {"r2": known.r2_score(label, scores)}
        else:
            with pytest.raises(SetupError, match="Target is multiclass but average='binary'"):
                metrics.value_of("precision", label, scores, objective)
        found = {name: metrics.value_of(name, label, scores, objective) for name in expected}
        assert found == pytest.approx(expected, abs=1e-12)


# Checkpoints and SIGTERM


def test_a_job_goes_on_from_its_checkpoints(base: Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Base(tmp_path / "whole")
    for each in (base, whole):
        each.channel("train", csv(table()))
    whole.train(num_round="9")
    base.write("checkpointconfig", {"S3Uri": "s3://b/c", "LocalPath": "/opt/ml/checkpoints"})
    base.train(num_round="7")
    kept = base.folder / "checkpoints"
    assert sorted(path.name for path in kept.iterdir()) == [f"xgboost-checkpoint.{n}" for n in range(2, 7)]
    (kept / "xgboost-checkpoint.6").write_bytes(b"cut off")  # as a machine that is taken away leaves it
    capsys.readouterr()
    base.train(num_round="9")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Resuming from iteration 6")
    assert [line.split("\t")[0] for line in lines[1:]] == ["[6]", "[7]", "[8]"]
    assert base.model() == whole.model()
    base.train(num_round="9")  # nothing is left to do
    assert base.model() == whole.model()
    for path in kept.iterdir():
        path.write_bytes(b"")
    with pytest.raises(SetupError, match="no checkpoint can be read"):
        base.train(num_round="9")


def test_the_command_line_has_checkpoints_too(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(csv(table()))
    common = [
        "--train",
        str(tmp_path / "t.csv"),
        "--output",
        str(tmp_path / "out"),
        "--checkpoints",
        str(tmp_path / "c"),
    ]
    assert training.main([*common, "--num-round", "2"]) == 0
    assert list(checkpoints.rounds_in(tmp_path / "c")) == [0, 1]
    assert training.main([*common, "--num-round", "4"]) == 0
    assert list(checkpoints.rounds_in(tmp_path / "c")) == [0, 1, 2, 3]


@pytest.mark.parametrize("keep", ["true", "false"])
def test_sigterm_while_training(base: Base, keep: str) -> None:
    """The model of the last round is there if it was asked for, and the job has ended well."""
    base.channel("train", csv(table()))
    base.write("hyperparameters", SMALL | {"num_round": "100000", "save_model_on_termination": keep})
    command = [sys.executable, "-u", "-m", "nacre", "train", "xgboost"]
    env = OURS | {"SAGEMAKER_BASE_DIR": str(base.folder)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("[20]"):
                break
        process.terminate()
        rest = process.stdout.read()
    files = sorted(path.name for path in (base.folder / "model").glob("*")) if (base.folder / "model").exists() else []
    if keep == "true":
        assert (process.returncode, files) == (0, ["xgboost-model"])
        assert "the model of the last round is in place" in rest
        assert booster.load(base.folder / "model" / "xgboost-model").num_trees > 20
    else:
        assert (process.returncode, files) == (-signal.SIGTERM, [])
    assert not (base.folder / "output" / "failure").exists()


# Folds


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_folds(base: Base, objective: str, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = table(50)
    base.channel("train", csv(numbers[:40]))
    base.channel("validation", csv(numbers[40:]))
    classes = {"num_class": "2"} if objective.startswith("multi:") else {}
    base.train(objective=objective, _kfold="5", _num_cv_round="2", **classes)
    names = sorted(path.name for path in (base.folder / "model").iterdir())
    assert names == sorted(f"xgboost-model-{n}" for n in range(10))
    said = np.loadtxt(base.folder / "output" / "data" / "predictions.csv", delimiter=",")
    assert said.shape == (50, 2 if objective == "reg:squarederror" else 3)
    assert said[:, 0].tolist() == numbers[:, 0].tolist()
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("[3]\t") for line in lines) == 3  # each repetition, and both
    assert "\tvalidation-" in lines[-1]
    settings = {"_kfold": 5, "_num_cv_round": 2, "objective": objective, "seed": 0} | (
        {"num_class": 2} if classes else {}
    )
    again = list(folds.split(numbers[:, 0], settings))
    assert len(again) == 10
    for train, unseen in again:
        assert sorted([*train, *unseen]) == list(range(50))
        if classes or objective.startswith("binary"):
            assert abs(numbers[unseen, 0].sum() - numbers[:, 0].sum() / 5) <= 1
    first = xgb.Booster(model_file=bytearray(base.model("xgboost-model-0")))
    scores = first.predict(xgb.DMatrix(numbers[again[0][1], 1:]))
    assert np.isfinite(scores).all()


def test_a_model_of_folds_is_served_together(base: Base) -> None:
    from nacre.handlers.xgboost import XGBoost

    base.channel("train", csv(table()))
    base.train(_kfold="3")
    handler = XGBoost.load(base.folder / "model", {})
    assert len(handler.models.models) == 3
    assert float(handler.invoke(b"0.1,0.2,0.3", "text/csv", None).body) > -1


def test_a_fault_is_a_failure_with_its_reason(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.channel("train", csv(table()))

    def broken(*_: object) -> None:
        raise ZeroDivisionError("why")

    monkeypatch.setattr(training, "boosted", broken)
    with pytest.raises(ZeroDivisionError):
        base.train()
    assert base.failure == "AlgorithmError: ZeroDivisionError: why"
