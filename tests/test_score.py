"""`nacre score` over CSV, JSON Lines and Parquet, on a hand-written bundle."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nacre.cli import main as nacre
from tests import tiny_chain

ROWS = 40
SUFFIXES = (".csv", ".jsonl", ".parquet")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_chain.bundle(tmp_path_factory.mktemp("bundle") / "model.zip"))


def write(path: Path, data: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(data), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in data))
    else:
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(data[0]))
            writer.writeheader()
            writer.writerows(data)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as stream:
        return [dict(row) for row in csv.DictReader(stream)]


@pytest.mark.parametrize("out", SUFFIXES)
@pytest.mark.parametrize("into", SUFFIXES)
def test_every_format_on_either_side(model: str, tmp_path: Path, into: str, out: str) -> None:
    data = [{"id": f"{at:04}", **row} for at, row in enumerate(tiny_chain.rows(ROWS))]
    source = write(tmp_path / f"in{into}", data)
    target = tmp_path / f"out{out}"
    assert nacre(["score", model, str(source), str(target)]) == 0
    found = read(target)
    assert list(found[0]) == ["id", *tiny_chain.COLUMNS, "sex_index", "sex_vector", "features"]
    assert [row["id"] for row in found] == [row["id"] for row in data], "unknown columns pass as they are"
    vectors = [json.loads(row["features"]) if out == ".csv" else row["features"] for row in found]
    assert np.array_equal(vectors, tiny_chain.matrix(data))


def test_the_columns_asked_for_in_that_order(model: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", tiny_chain.rows(3))
    assert nacre(["score", model, str(source), str(tmp_path / "out.jsonl"), "--columns", "features,sex"]) == 0
    assert [list(row) for row in read(tmp_path / "out.jsonl")] == [["features", "sex"]] * 3


@pytest.mark.parametrize("out", SUFFIXES)
def test_sparse_vectors_are_sparks_struct(model: str, tmp_path: Path, out: str) -> None:
    data = tiny_chain.rows(5)
    source = write(tmp_path / "in.csv", data)
    target = tmp_path / f"out{out}"
    assert nacre(["score", model, str(source), str(target), "--vectors", "sparse", "--columns", "sex_vector"]) == 0
    vectors = [json.loads(row["sex_vector"]) if out == ".csv" else row["sex_vector"] for row in read(target)]
    assert vectors == [
        {"type": 0, "size": 3, "indices": [tiny_chain.LABELS.index(row["sex"])], "values": [1.0]} for row in data
    ]


def test_csv_without_a_header_has_the_models_columns(model: str, tmp_path: Path) -> None:
    data = tiny_chain.rows(4)
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("\n".join(tiny_chain.csv_lines(data)))
    assert nacre(["score", model, str(source), str(target), "--no-header", "--columns", "sex,features"]) == 0
    lines = list(csv.reader(target.read_text().splitlines()))
    assert [sex for sex, _ in lines] == [row["sex"] for row in data]
    assert np.array_equal([json.loads(vector) for _, vector in lines], tiny_chain.matrix(data))


def test_numbers_json_has_no_word_for_survive_both_ways(tmp_path: Path) -> None:
    """A model without an assembler takes any number; NaN and the infinities come back from our own output."""
    from nacre.transform.readers import READERS
    from nacre.transform.writers import WRITERS

    numbers = [float("nan"), float("inf"), float("-inf"), -0.0, 1e-300]
    table = pa.table({"number": pa.array(numbers), "vector": pa.array([[number, 1.0] for number in numbers])})
    for suffix in SUFFIXES:
        path = tmp_path / f"numbers{suffix}"
        with path.open("wb") as sink:
            writer = WRITERS[suffix](sink, table.schema, True)
            writer.write(table)
            writer.close()
        (back,) = (each.table for each in READERS[suffix](path, table.schema, True))
        assert np.array_equal(back["number"].to_numpy(), numbers, equal_nan=True), suffix
        flat = np.array(back["vector"].to_pylist())[:, 0]
        assert np.array_equal(flat, numbers, equal_nan=True), suffix
        assert np.signbit(flat[3]), suffix


def test_a_header_alone_gives_a_header_alone(model: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(",".join(tiny_chain.COLUMNS) + "\n")
    assert nacre(["score", model, str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]) == 0
    assert (
        tmp_path / "out.csv"
    ).read_text() == '"sex","length","diameter","weight","sex_index","sex_vector","features"\n'


HEADER = ",".join(tiny_chain.COLUMNS) + "\n"
BAD = {
    "unseen label": (".csv", HEADER + "M,1,2,3\nX,1,2,3\n", ["row 2", "field sex", "got X"]),
    "wrong type": (
        ".csv",
        HEADER + "M,1,2,3\nM,1,2,3\nF,1,big,3\n",
        ["row 3", "field diameter", "expected double, got big"],
    ),
    "too few fields": (".csv", HEADER + "M,1,2,3\nM,1,2\n", ["row 2", "expected 4, got 3"]),
    "missing column": (".csv", "sex,length,weight\nM,1,2\n", ["field diameter", "missing"]),
    "empty": (".csv", "", ["empty"]),
    "no header": (".csv", "M,1,2,3\n", ["--no-header"]),
    "column twice": (".csv", "sex,sex\nM,M\n", ["twice", "field sex"]),
    "no JSON": (".jsonl", '{"sex":"M","length":1,"diameter":2,"weight":3}\n{"sex":\n', ["row 2", "no JSON"]),
    "wrong JSON type": (
        ".jsonl",
        '{"sex":"M","length":1,"diameter":2,"weight":3}\n{"sex":"M","length":"1cm","diameter":2,"weight":3}\n',
        ["row 2", "field length", "expected double, got 1cm"],
    ),
    "empty lines": (".jsonl", "\n\n", ["empty"]),
    "no Parquet": (".parquet", "PAR1 but not really", ["no readable Parquet"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_no_output(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    suffix, text, said = BAD[name]
    source = tmp_path / f"in{suffix}"
    source.write_text(text)
    assert nacre(["score", model, str(source), str(tmp_path / "out.csv")]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    for words in [*said, f"file {source}"]:
        assert words in message
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_a_late_bad_row_is_named_over_the_whole_file(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Far enough down that it stands in another table than the first row, in all three formats."""
    count, late = 140_000, 139_777
    data = tiny_chain.rows(50) * (count // 50)
    data[late - 1] = {**data[late - 1], "sex": "X"}
    for suffix in SUFFIXES:
        source = write(tmp_path / f"in{suffix}", data)
        assert nacre(["score", model, str(source), str(tmp_path / "out.parquet")]) == 1
        assert f"row {late}, field sex" in capsys.readouterr().err, suffix
        assert not (tmp_path / "out.parquet").exists()


def test_a_dropped_row_fails_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_chain.bundle(tmp_path / "skip.zip", handle_invalid="skip")
    (tmp_path / "in.csv").write_text(HEADER + "M,1,2,3\nF,1,2,3\nX,1,2,3\nM,1,2,3\n")
    assert nacre(["score", str(model), str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]) == 1
    message = capsys.readouterr().err
    for words in ("row 3", "skip", "'sex': 'X'"):
        assert words in message
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model, folder: (model, folder / "none.csv", folder / "out.csv"), "the input does not exist"),
        (lambda model, folder: (model, folder / "in.csv", folder / "out.xlsx"), "unknown file format"),
        (lambda model, folder: (model, folder / "in.csv", folder / "in.csv"), "would replace its input"),
        (lambda model, folder: (model, folder / "in.csv", folder / "there.csv"), "the output exists"),
        (lambda model, folder: (folder / "torn.zip", folder / "in.csv", folder / "out.csv"), "torn.zip"),
    ],
)
def test_what_is_refused_before_the_first_row(
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[str, Path], tuple[Any, Path, Path]],
    said: str,
) -> None:
    write(tmp_path / "in.csv", tiny_chain.rows(2))
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "torn.zip").write_bytes(Path(model).read_bytes()[:-200])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert nacre(["score", *map(str, change(model, tmp_path))]) == 1
    assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_overwrite(model: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", tiny_chain.rows(2))
    (tmp_path / "out.csv").write_text("old")
    assert nacre(["score", model, str(source), str(tmp_path / "out.csv"), "--overwrite"]) == 0
    assert len(read(tmp_path / "out.csv")) == 2


MEMORY = """
import re, sys
from pathlib import Path
from nacre.transform.score import main
assert main(sys.argv[1:]) == 0
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak_memory(arguments: list[str]) -> int:
    """Bytes of one run in a process of its own. VmHWM, because ru_maxrss starts at the parent's."""
    done = subprocess.run([sys.executable, "-c", MEMORY, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_memory_stays_constant(model: str, tmp_path: Path, suffix: str) -> None:
    """For 50 times the rows the peak grows by less than half of what the text alone would take."""
    rows, note = (2_000, 3_600) if suffix == ".parquet" else (8_000, 360)  # Parquet packs such notes to nearly nothing
    data = [{**row, "note": f"{at:06}" * (note // 6)} for at, row in enumerate(tiny_chain.rows(rows))]
    peaks = []
    for copies in (1, 50):
        source = write(tmp_path / f"in{copies}{suffix}", data)
        repeat(source, copies)
        peaks.append(peak_memory([model, str(source), str(tmp_path / f"out{copies}.parquet")]))
    assert pq.ParquetFile(tmp_path / "out50.parquet").metadata.num_rows == 50 * len(data)
    assert peaks[1] - peaks[0] < 50 * rows * note / 2, peaks


def repeat(path: Path, copies: int) -> None:
    """The rows of a file `copies` times over; Parquet as one row group, the hardest case."""
    if path.suffix == ".parquet":
        pq.write_table(pa.concat_tables([pq.read_table(path)] * copies), path)
        return
    text = path.read_bytes()
    rows = text[text.index(b"\n") + 1 :] if path.suffix == ".csv" else text
    with path.open("ab") as stream:
        for _ in range(copies - 1):
            stream.write(rows)
