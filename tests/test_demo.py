"""The main job, end to end, with every real part; and that its table notices a changed artefact."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nacre.demo import data, steps
from nacre.demo.compare import compare
from nacre.demo.home import Home
from nacre.demo.sabotage import DEEDS
from nacre.demo.ways import WAYS

ROWS = 400


def demo(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nacre", "demo", "--home", str(home), "--rows", str(ROWS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=steps.environment())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, subprocess.CompletedProcess[str]]:
    home = Home(tmp_path_factory.mktemp("demo") / "home")
    return home, demo(home.path)


def test_every_way_gives_the_same_number(finished: tuple[Home, subprocess.CompletedProcess[str]]) -> None:
    home, done = finished
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = compare(home)
    assert [verdict.rows for verdict in verdicts] == [ROWS] * len(WAYS)
    assert {verdict.score for verdict in verdicts} == {0.0}
    assert [verdict.features for verdict in verdicts if verdict.features is not None] == [0.0, 0.0]
    for told in ("rows compared", "RMSE on", "p99", "curl", "report.html"):
        assert told in done.stdout


def test_the_report_has_both_pictures(finished: tuple[Home, subprocess.CompletedProcess[str]]) -> None:
    text = finished[0].report.read_text()
    assert text.count("<svg") == 2
    assert "Predicted against actual" in text
    assert "Latency by container" in text


@pytest.mark.parametrize("deed", DEEDS)
def test_the_table_shows_one_changed_number(
    finished: tuple[Home, subprocess.CompletedProcess[str]], deed: str, tmp_path: Path
) -> None:
    """One label, one threshold or one leaf, each alone, seen by the in-process ways and the fused chain."""
    home = Home(tmp_path / "home")
    shutil.copytree(finished[0].path, home.path)
    DEEDS[deed](home)
    for name in ("columns", "row", "fused"):
        steps.way(home, name)
    changed = [verdict for verdict in compare(home)[:3] if not verdict.equal]
    assert len(changed) == 3
    assert all(verdict.score for verdict in changed)


def test_sabotage_ends_with_an_error(tmp_path: Path) -> None:
    done = demo(tmp_path / "home", "--sabotage")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("sabotage:") == len(DEEDS)
    assert done.stdout.count("DIFFERENT") == len(WAYS)
    assert "Not every number" in done.stderr


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    done = demo(tmp_path)
    assert done.returncode == 1
    assert "holds other things" in done.stderr
    assert precious.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("sex,length,diameter,height,whole_weight,shucked_weight,viscera_weight,shell_weight,rings\n", "header"),
        ("M,0.4,0.3,0.1,0.5,0.2,0.1,0.15,15\nM,0.4\n", "row 2"),
        ("M,0.4,0.3,0.1,0.5,0.2,0.1,much,15\n", "field shell_weight"),
    ],
)
def test_bad_data_is_named(text: str, told: str, tmp_path: Path) -> None:
    source = tmp_path / "abalone.csv"
    source.write_text(text)
    done = demo(tmp_path / "home", "--data", str(source))
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_generator_is_seeded_and_of_the_schema() -> None:
    first = data.generate(50, seed=3)
    assert first == data.generate(50, seed=3)
    assert first != data.generate(50, seed=4)
    assert {row[0] for row in first} == {"M", "F", "I"}
    assert all(len(row) == 9 and float(min(row[1:], key=float)) > 0 for row in first)
