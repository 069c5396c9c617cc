"""Training as BlazingText trains: data, hyperparameters, log lines, the artefact."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre.cli import main as nacre_command
from nacre.errors import NacreError, RequestError, RowError, SetupError
from nacre.train import blazingtext as training
from nacre.train.blazingtext import Data
from nacre.train.blazingtext_settings import HYPERPARAMETERS, fasttext_arguments, validated
from nacre.train.texts import write_lines
from nacre.train.wordpairs import spearman

fasttext = pytest.importorskip("fasttext")

SMALL = {"vector_dim": 8, "buckets": 300, "min_count": 1, "threads": 1}


def sentences(rows: int = 120, noise: int = 0) -> str:
    """Half of them good; the labels of the first `noise` are turned round."""
    told = ("good", "bad")
    words = ("nice fine lovely", "poor ugly awful")
    lines = [f"__label__{told[(n + (n < noise)) % 2]} it was {words[n % 2]} w{n % 5}" for n in range(rows)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def data(tmp_path: Path) -> Data:
    for name, text in (("train", sentences()), ("validation", sentences(40, noise=10))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text").write_text(text)
    return Data(tmp_path / "train", tmp_path / "validation")


def trained(data: Data, folder: Path, **given: Any) -> tuple[training.Trained, str]:
    lines: list[str] = []
    return training.train(data, folder, {**SMALL, **given}, lines.append), "\n".join(lines)


def test_a_classifier(data: Data, tmp_path: Path) -> None:
    """The lines are those that SageMaker's patterns for BlazingText read; fastText itself says the same."""
    found, log = trained(data, tmp_path / "out", mode="supervised", epochs=20, learning_rate=0.5)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.bin"]
    model = fasttext.load_model(str(tmp_path / "out" / "model.bin"))
    count, share, _ = model.test(str(tmp_path / "validation" / "text"))
    assert found.metrics == {"train:accuracy": 1.0, "validation:accuracy": share}
    assert (count, share) == (40, 0.75)
    assert re.findall(r"#(train|validation)_accuracy: (\S+)", log) == [("train", "1.0000"), ("validation", "0.7500")]
    assert "Number of train examples: 120\n" in log


@pytest.mark.parametrize("mode", ["supervised", "skipgram", "cbow", "batch_skipgram"])
def test_one_thread_and_a_seed_give_the_same_model(data: Data, tmp_path: Path, mode: str) -> None:
    def files(name: str, **given: Any) -> dict[str, bytes]:
        trained(data, tmp_path / name, mode=mode, **given)
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    first = files("a")
    assert files("b") == first
    assert files("c", seed=7) != first


@pytest.mark.parametrize("subwords", [True, False])
def test_word_vectors(data: Data, tmp_path: Path, subwords: bool) -> None:
    _, log = trained(data, tmp_path / "out", mode="batch_skipgram", subwords=str(subwords), evaluation=False)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["vectors.bin", "vectors.txt"]
    model = fasttext.load_model(str(tmp_path / "out" / "vectors.bin"))
    head, *lines = (tmp_path / "out" / "vectors.txt").read_text().splitlines()
    assert head == f"{len(lines)} 8"
    for line in lines:
        word, *numbers = line.split(" ")
        assert np.array(numbers, np.float32).tolist() == model.get_word_vector(word).tolist()
    assert {"nice", "awful"} <= {line.split(" ")[0] for line in lines}
    assert bool(model.get_word_vector("nicer").any()) == subwords
    assert "batch_skipgram is trained as skipgram" in log


def test_pairs_of_words(data: Data, tmp_path: Path) -> None:
    """Spearman's rho as scipy has it."""
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.integers(0, 6, (2, 30)).astype(float)
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-12)
    assert spearman(np.ones(3), np.arange(3.0)) is None
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    (pairs / "WS.txt").write_text("Word 1,Word 2,Human (mean)\nnice\tfine\t9\nPoor ugly 8.5\nnice,ugly,1\nzebra it 2\n")
    found, log = trained(data._replace(pairs=pairs), tmp_path / "out", mode="skipgram")
    told = json.loads((tmp_path / "out" / "eval.json").read_text())
    assert told["WS.txt"]["not_found"] == 1
    assert told["WS.txt"]["total_pairs"] == 4
    assert found.metrics == {"train:mean_rho": told["mean_rho"]}
    assert re.findall(r"#mean_rho: (\S+)", log) == [str(told["mean_rho"])]
    (pairs / "WS.txt").write_text("a b 1\na b\n")
    with pytest.raises(RowError, match="not a pair of words: .*row 2"):
        trained(data._replace(pairs=pairs), tmp_path / "out", mode="skipgram")


def test_early_stopping(data: Data, tmp_path: Path) -> None:
    stopping = {"mode": "supervised", "early_stopping": "True", "min_epochs": 2, "patience": 2, "epochs": 30}
    found, log = trained(data, tmp_path / "out", **stopping, learning_rate=0.05)
    reached = [float(value) for value in re.findall("Validation accuracy: (.*)", log)]
    assert found.epochs == 2 + int(np.argmax(reached))
    assert len(reached) == found.epochs - 2 + 1 + 2 < 29
    assert found.metrics["validation:accuracy"] == pytest.approx(max(reached), abs=1e-6)
    assert log.count("Storing best weights") == len({max(reached[: n + 1]) for n in range(len(reached))})
    with pytest.raises(SetupError, match="needs the channel validation"):
        trained(data._replace(validation=None), tmp_path / "out", **stopping)


def test_json_lines_give_the_same_model(data: Data, tmp_path: Path) -> None:
    lines = [line.split(" ", 1) for line in sentences().splitlines()]
    rows = [{"source": text, "label": label.removeprefix("__label__")} for label, text in lines]
    (tmp_path / "manifest").write_text("".join(json.dumps(row) + "\n" for row in rows))
    models = []
    for path in (data.train, tmp_path / "manifest"):
        trained(Data(path), tmp_path / "out", mode="supervised")
        models.append((tmp_path / "out" / "model.bin").read_bytes())
    assert models[0] == models[1]


@pytest.mark.parametrize(
    "text, lines",
    [
        ("__label__a b c\n\n\n__label__d\te", ["__label__a b c", "__label__d\te"]),
        ("\ufeffb __label__a c\r\n", ["b __label__a c"]),
        (
            '{"source": "a b", "label": 1}\n{"label": ["x", 2], "source": " c\\n d"}',
            ["__label__1 a b", "__label__x __label__2 c d"],
        ),
        ('{"source": "a", "label": "__label__1"}', ["__label__1 a"]),
        ("{ braces __label__1", ["{ braces __label__1"]),
    ],
)
def test_data(tmp_path: Path, text: str, lines: list[str]) -> None:
    (tmp_path / "in").write_text(text)
    assert write_lines(tmp_path / "in", tmp_path / "out", labelled=True) == len(lines)
    assert (tmp_path / "out").read_text().splitlines() == lines


@pytest.mark.parametrize(
    "text, message",
    [
        (b"__label__a b\n\nc d\n", "a line without a label: .*row 3"),
        (b"__label__a b\n\xff\n", "no UTF-8: .*row 2"),
        (b'{"source": "a", "label": 1}\nb', "no JSON: .*row 2"),
        (b'{"source": "a", "label": 1}\n{"label": 1}', "without a source: .*row 2"),
        (b'{"source": "a"}', "no label: .*row 1, field label"),
        (b'{"source": "a", "label": "two words"}', "no label: "),
        (b'{"source": "a", "label": [true]}', "no label: "),
        (b"\n\n", "no sentences"),
    ],
)
def test_bad_data(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "in").write_bytes(text)
    with pytest.raises((RowError, RequestError), match=message):
        write_lines(tmp_path / "in", tmp_path / "out", labelled=True)


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, "Missing required hyperparameter: mode"),
        ({"mode": "fast"}, "mode is out of range: expected one of supervised, batch_skipgram, skipgram, cbow"),
        ({"mode": "cbow", "epoch": 1}, "Extraneous hyperparameter found: epoch: Did you mean epochs?"),
        ({"mode": "cbow", "epochs": "0"}, "epochs is out of range: expected a whole number from 1, got 0"),
        ({"mode": "cbow", "learning_rate": "0"}, "learning_rate is out of range"),
        ({"mode": "cbow", "min_count": "-1"}, "min_count is out of range"),
        ({"mode": "cbow", "sampling_threshold": "1.5"}, "sampling_threshold is out of range"),
        ({"mode": "cbow", "subwords": "yes"}, "subwords is out of range"),
        ({"mode": "cbow", "min_char": "7"}, "min_char is above max_char"),
    ],
)
def test_bad_hyperparameters(given: dict[str, str], message: str) -> None:
    with pytest.raises(SetupError) as caught:
        validated(given)
    assert message in str(caught.value)


def test_hyperparameters() -> None:
    """AWS's defaults; what a mode does not know is left out, and said."""
    told: list[str] = []
    found = validated({"mode": "supervised", "window_size": "3", "_tuning_objective_metric": "x"}, told.append)
    assert told == ["The hyperparameter window_size means nothing in mode supervised: left out"]
    passed = fasttext_arguments(found)
    assert {**passed, "thread": 0} == {
        "epoch": 5, "lr": 0.05, "dim": 100, "minCount": 5, "bucket": 2000000, "wordNgrams": 2,
        "seed": 0, "thread": 0, "minn": 0, "maxn": 0,
    }  # fmt: skip
    vectors = fasttext_arguments(validated({"mode": "batch_skipgram", "subwords": "True"}))
    assert {name: vectors[name] for name in ("model", "ws", "neg", "t", "minn", "maxn")} == {
        "model": "skipgram", "ws": 5, "neg": 5, "t": 0.0001, "minn": 3, "maxn": 6,
    }  # fmt: skip
    assert "wordNgrams" not in vectors


def test_what_fasttext_refuses(data: Data, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="fastText refuses to train: .*Empty vocabulary.*Lower min_count"):
        trained(data, tmp_path / "out", mode="cbow", min_count=1000)
    with pytest.raises(SetupError, match=r"Encountered NaN.*Lower learning_rate"):
        trained(data, tmp_path / "out", mode="supervised", learning_rate=1e9)


def test_the_verb(data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    paths = ["--train", str(data.train), "--validation", str(data.validation), "--output", str(tmp_path / "out")]
    assert nacre_command(["train", "blazingtext", *paths, "--mode", "supervised", *options]) == 0
    target = tmp_path / "out" / "model.tar.gz"
    assert capsys.readouterr().out.endswith(f"5 epochs, {target}\n")
    first = target.read_bytes()
    with tarfile.open(target) as archive:
        assert archive.getnames() == ["model.bin"]
    assert nacre_command(["train", "blazingtext", *paths, "--mode", "supervised", *options]) == 0
    assert target.read_bytes() == first
    help_text = training.parser().format_help()
    assert all(f"--{name.replace('_', '-')}" in help_text for name in HYPERPARAMETERS)


def test_in_a_container(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "ml"
    (base / "input" / "config").mkdir(parents=True)
    (base / "input" / "data").mkdir()
    for name in ("train", "validation"):
        (tmp_path / name).rename(base / "input" / "data" / name)
    settings = {**{name: str(value) for name, value in SMALL.items()}, "mode": "supervised", "epochs": "3"}
    (base / "input" / "config" / "hyperparameters.json").write_text(json.dumps(settings))
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    assert training.main([]) == 0
    assert [path.name for path in (base / "model").iterdir()] == ["model.bin"]
    (base / "input" / "config" / "hyperparameters.json").write_text('{"mode": "x"}')
    with pytest.raises(NacreError):
        training.main([])
    assert "mode is out of range" in (base / "output" / "failure").read_text()
