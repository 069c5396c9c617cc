"""`nacre transform` on the real chain sparkml -> xgboost: fused, and as processes over HTTP."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.cli import main as nacre
from nacre.errors import NacreError, RequestError
from nacre.transform.parameters import MEGABYTE, Parameters, environment, resolve
from nacre.transform.records import MiniBatch, mini_batches
from tests import tiny_chain


class Tiny(NamedTuple):
    """The chain's files, and XGBoost's own model."""

    pipeline: str
    booster: Any

    def expected(self, data: list[dict[str, Any]]) -> list[float]:
        """What the XGBoost library says of features made by hand."""
        import xgboost

        return [float(score) for score in self.booster.predict(xgboost.DMatrix(tiny_chain.matrix(data), nthread=1))]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp("tiny")
    tiny_chain.bundle(folder / "model.zip")
    booster = tiny_chain.booster(folder / "model.json", tiny_chain.rows(400, seed=1))
    return Tiny(str(tiny_chain.pipeline(folder)), booster)


@pytest.fixture(scope="module")
def urls(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The same chain as two processes; the arguments that point at it."""
    from nacre.pipeline import Pipeline
    from nacre.serving.processes import started

    with started(Pipeline.read(tiny.pipeline), tmp_path_factory.mktemp("running")) as running:
        yield ["--over", "http", *(part for url in running.values() for part in ("--url", url))]


def csv_file(path: Path, data: list[dict[str, Any]], end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(tiny_chain.csv_lines(data)) + end)
    return path


def scores(path: Path) -> list[float]:
    return [float(line) for line in path.read_text().splitlines()]


def transform(tiny: Tiny, source: Path, target: Path, *options: str) -> int:
    return nacre(["transform", tiny.pipeline, str(source), str(target), *options])


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# Records


@given(
    st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"\n\n"])).map(b"".join),
    st.sampled_from([0, 3, 4, 64]),
    st.sampled_from([0, 1, 2, 5]),
    st.sampled_from(["MultiRecord", "SingleRecord"]),
)
def test_mini_batches_hold_every_line_once(data: bytes, limit: int, enough: int, strategy: str) -> None:
    lines = data.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n") if data.strip() else []
    try:
        batches = list(mini_batches(BytesIO(data), "Line", strategy, limit, enough))
    except RequestError:
        assert limit
        with_empty_lines_before = re.findall(rb"[\r\n]*[^\r\n]*\r?", data)
        assert any(len(record) >= limit - 1 for record in with_empty_lines_before)
        return
    found = [line.removesuffix(b"\r") for batch in batches for line in batch.body.split(b"\n")]
    assert found == lines
    assert [batch.first for batch in batches] == list(np.cumsum([1, *(batch.rows for batch in batches)])[:-1])
    assert all(len(batch.body) <= limit for batch in batches if limit)
    assert strategy == "MultiRecord" or all(batch.rows == 1 for batch in batches)


@given(st.lists(st.sampled_from([b"", b"a", b"bcdefg"]), min_size=2, max_size=9), st.integers(1, 50))
def test_halves_are_the_same_records(lines: list[bytes], first: int) -> None:
    left, right = MiniBatch(first, len(lines), b"\n".join(lines)).halves()
    assert left.body.split(b"\n") + right.body.split(b"\n") == lines
    assert (left.first, left.rows) == (first, left.body.count(b"\n") + 1)
    assert (right.first, right.rows) == (first + left.rows, right.body.count(b"\n") + 1)


def test_a_record_above_the_limit_is_named() -> None:
    with pytest.raises(RequestError, match="row 3"):
        list(mini_batches(BytesIO(b"a\nb\n" + b"c" * 20), "Line", "MultiRecord", 10))


@pytest.mark.parametrize(
    ("asked", "container", "holds"),
    [
        ((None, None, None), {}, Parameters(1, 6, "MultiRecord")),
        ((None, None, None), {"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 5},
         Parameters(4, 5, "SingleRecord")),
        ((2, 0, "MultiRecord"), {"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 5},
         Parameters(2, 0, "MultiRecord")),
        ((0, None, None), {"MaxConcurrentTransforms": 4}, Parameters(4, 6, "MultiRecord")),
    ],
)  # fmt: skip
def test_parameters_resolve_as_sagemaker_does(asked: Any, container: dict[str, Any], holds: Parameters) -> None:
    assert resolve(*asked, container) == holds


@pytest.mark.parametrize("asked", [(None, 101, None), (None, -1, None), (20, 6, None), (-1, None, None)])
def test_parameters_out_of_range_are_refused(asked: Any) -> None:
    with pytest.raises(RequestError, match="Max"):
        resolve(*asked, {})


def test_containers_are_told_only_what_was_asked() -> None:
    assert environment(None, None, None) == {"SAGEMAKER_BATCH": "true"}
    assert environment(2, 0, "SingleRecord") == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
    }


# CSV


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n"])
@pytest.mark.parametrize("options", [[], ["--batch-strategy", "SingleRecord"], ["--split-type", "None"]])
def test_a_csv_file_gives_a_line_a_line(tiny: Tiny, tmp_path: Path, end: str, options: list[str]) -> None:
    data = tiny_chain.rows(30)
    source = csv_file(tmp_path / "in.csv", data, end)
    assert transform(tiny, source, tmp_path / "out.csv", *options) == 0
    assert scores(tmp_path / "out.csv") == tiny.expected(data)


def test_windows_line_breaks(tiny: Tiny, tmp_path: Path) -> None:
    data = tiny_chain.rows(5)
    (tmp_path / "in.csv").write_bytes("\r\n".join(tiny_chain.csv_lines(data)).encode() + b"\r\n")
    assert transform(tiny, tmp_path / "in.csv", tmp_path / "out.csv") == 0
    assert scores(tmp_path / "out.csv") == tiny.expected(data)


def test_over_http_the_bytes_are_the_same(tiny: Tiny, urls: list[str], tmp_path: Path) -> None:
    source = csv_file(tmp_path / "in.csv", tiny_chain.rows(500))
    assert transform(tiny, source, tmp_path / "fused.csv") == 0
    assert transform(tiny, source, tmp_path / "http.csv", *urls) == 0
    assert (tmp_path / "fused.csv").read_bytes() == (tmp_path / "http.csv").read_bytes()


def test_a_folder_gives_an_out_a_file(tiny: Tiny, tmp_path: Path) -> None:
    parts = {"a.csv": tiny_chain.rows(3, 1), "b.csv": tiny_chain.rows(4, 2), "day=1/c.csv": tiny_chain.rows(5, 3)}
    for name, data in parts.items():
        csv_file(tmp_path / "in" / name, data)
    (tmp_path / "in" / "_SUCCESS").touch()
    (tmp_path / "in" / ".a.csv.crc").write_bytes(b"crc")
    assert transform(tiny, tmp_path / "in", tmp_path / "out") == 0
    assert left_over(tmp_path / "out") == ["a.csv.out", "b.csv.out", "c.csv.out"]
    for name, data in parts.items():
        assert scores(tmp_path / "out" / f"{name}.out") == tiny.expected(data)


def test_one_file_into_a_folder_gets_sagemakers_name(tiny: Tiny, tmp_path: Path) -> None:
    source = csv_file(tmp_path / "a.csv", tiny_chain.rows(2))
    (tmp_path / "out").mkdir()
    assert transform(tiny, source, tmp_path / "out") == 0
    assert left_over(tmp_path / "out") == ["a.csv.out"]


@pytest.mark.parametrize("over", ["fused", "http"])
@pytest.mark.parametrize("workers", ["1", "4"])
def test_many_mini_batches_keep_the_order(tiny: Tiny, urls: list[str], tmp_path: Path, workers: str, over: str) -> None:
    """More than 3 MB in mini-batches of 1 MB, sent one by one and four at once."""
    data = tiny_chain.rows(1000) * 150
    source = csv_file(tmp_path / "in.csv", data)
    assert source.stat().st_size > 3 * MEGABYTE
    options = ["--max-payload-mb", "1", "--max-concurrent-transforms", workers, *(urls if over == "http" else [])]
    assert transform(tiny, source, tmp_path / "out.csv", *options) == 0
    assert scores(tmp_path / "out.csv") == tiny.expected(data)


def test_what_a_later_container_finds_too_large_goes_in_halves(tiny: Tiny, urls: list[str], tmp_path: Path) -> None:
    """Short rows become long features: 3 MB of rows are more than the 6 MB that the xgboost container takes."""
    data = [{"sex": "M", "length": 1, "diameter": 2, "weight": at % 10} for at in range(300_000)]
    source = csv_file(tmp_path / "in.csv", data)
    features = len("1.0,0.0,0.0,1.0,2.0,0.0\n") * len(data)
    assert source.stat().st_size < 3 * MEGABYTE < 6 * MEGABYTE < features
    assert transform(tiny, source, tmp_path / "out.csv", "--max-payload-mb", "3", *urls) == 0
    assert scores(tmp_path / "out.csv") == tiny.expected(data[:10]) * 30_000


def test_no_line_break_is_lost_without_assemble_with(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """sparkml's CSV has no line break at its end: SageMaker's default would run the records together."""
    definition = json.loads(Path(tiny.pipeline).read_text())
    definition["Containers"].pop()
    alone = Path(tiny.pipeline).with_name("alone.yaml")
    alone.write_text(json.dumps(definition))
    source = csv_file(tmp_path / "in.csv", tiny_chain.rows(3))
    command = ["transform", str(alone), str(source), str(tmp_path / "out.csv"), "--batch-strategy", "SingleRecord"]
    assert nacre([*command, "--assemble-with", "None"]) == 1
    assert "--assemble-with Line" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    assert nacre(command) == 0
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert np.array_equal(
        [[float(x) for x in line.split(",")] for line in lines], tiny_chain.matrix(tiny_chain.rows(3))
    )


GOOD = "M,0.5,0.4,0.3\n"
BAD = {
    "not a number": (GOOD * 4 + "F,0.5,big,0.3\n" + GOOD, ["row 5", "container features", "big"]),
    "unseen label": (GOOD * 2 + "X,0.5,0.4,0.3\n", ["row 3", "container features", "X"]),
    "too few fields": (GOOD + "M,0.5,0.4\n" + GOOD, ["row 2", "container features"]),
    "empty": ("", ["the file is empty"]),
    "only empty lines": ("\n\n", ["the file is empty"]),
    "header": ("sex,length,diameter,weight\n" + GOOD, ["row 1", "looks like a header"]),
}


@pytest.mark.parametrize("over", ["fused", "http"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line_and_the_others_go_on(
    tiny: Tiny, urls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, over: str
) -> None:
    text, said = BAD[name]
    data = tiny_chain.rows(3)
    csv_file(tmp_path / "in" / "a.csv", data)
    csv_file(tmp_path / "in" / "c.csv", data)
    bad = tmp_path / "in" / "b.csv"
    bad.write_text(text)
    assert transform(tiny, tmp_path / "in", tmp_path / "out", *(urls if over == "http" else [])) == 1
    failure, summary = capsys.readouterr().err.splitlines()
    for words in [*said, f"file {bad}"]:
        assert words in failure
    assert summary.startswith("2 of 3 files, 6 rows")
    assert left_over(tmp_path / "out") == ["a.csv.out", "c.csv.out"], "nothing of the bad one, no temporary file"


def test_in_this_process_expected_got_and_field_are_known(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text(BAD["unseen label"][0])
    assert transform(tiny, tmp_path / "in.csv", tmp_path / "out.csv") == 1
    message = capsys.readouterr().err
    assert f"at container features, file {tmp_path / 'in.csv'}, node indexer, row 3, field sex" in message
    assert "expected " in message
    assert ", got X" in message


@pytest.mark.parametrize("over", ["fused", "http"])
def test_a_bad_row_is_counted_over_the_whole_file(
    tiny: Tiny, urls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], over: str
) -> None:
    """In the third mini-batch, with a second bad row after it and two of them sent at once."""
    lines = tiny_chain.csv_lines(tiny_chain.rows(1000) * 120)
    lines[101_234] = lines[101_300] = "X,1,2,3"
    (tmp_path / "in.csv").write_text("\n".join(lines))
    options = ["--max-payload-mb", "1", "--max-concurrent-transforms", "2", *(urls if over == "http" else [])]
    assert transform(tiny, tmp_path / "in.csv", tmp_path / "out.csv", *options) == 1
    assert "row 101235" in capsys.readouterr().err
    assert left_over(tmp_path) == ["in.csv"]


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("none.csv", "out.csv", "the input does not exist"),
        ("in.csv", "there.csv", "the output exists"),
        ("in.csv", "in.csv", "would replace its input"),
        ("nothing", "out", "holds no file"),
        ("mixed", "out", "mixes Parquet"),
    ],
)
def test_what_is_refused_before_the_first_row(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, target: str, said: str
) -> None:
    csv_file(tmp_path / "in.csv", tiny_chain.rows(2))
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "nothing").mkdir()
    csv_file(tmp_path / "mixed" / "a.csv", tiny_chain.rows(2))
    pq.write_table(pa.table({"a": [1]}), tmp_path / "mixed" / "b.parquet")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert transform(tiny, tmp_path / source, tmp_path / target) == 1
    assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("over", ["fused", "http"])
def test_gzip_is_unpacked(tiny: Tiny, urls: list[str], tmp_path: Path, over: str) -> None:
    """As SageMaker's CompressionType Gzip: requests and output are plain; the name of the file does not matter."""
    data = tiny_chain.rows(300)
    folder = tmp_path / "in"
    folder.mkdir()
    content = gzip.compress(("\n".join(tiny_chain.csv_lines(data)) + "\n").encode())
    (folder / "a.csv.gz").write_bytes(content)
    (folder / "b.csv").write_bytes(content)
    assert transform(tiny, folder, tmp_path / "out", *(urls if over == "http" else [])) == 0
    assert left_over(tmp_path / "out") == ["a.csv.gz.out", "b.csv.out"]
    assert scores(tmp_path / "out" / "a.csv.gz.out") == scores(tmp_path / "out" / "b.csv.out") == tiny.expected(data)


@pytest.mark.parametrize("harm", [lambda data: data[:-20], lambda data: data[:40] + b"\xff" * 9 + data[49:]])
def test_a_broken_gzip_leaves_nothing(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[bytes], bytes]
) -> None:
    lines = "\n".join(tiny_chain.csv_lines(tiny_chain.rows(300)))
    (tmp_path / "in.csv.gz").write_bytes(harm(gzip.compress(lines.encode())))
    assert transform(tiny, tmp_path / "in.csv.gz", tmp_path / "out.csv") == 1
    assert "the gzip file is broken: expected a whole gzip file" in capsys.readouterr().err
    assert left_over(tmp_path) == ["in.csv.gz"]


def test_parquet_with_two_columns_of_a_name(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It fails alone, and by name."""
    (tmp_path / "in").mkdir()
    table = pa.Table.from_pylist(tiny_chain.rows(5))
    pq.write_table(table, tmp_path / "in" / "a.parquet")
    twice = pa.Table.from_arrays([*table.columns, table["sex"]], names=[*table.column_names, "sex"])
    pq.write_table(twice, tmp_path / "in" / "b.parquet")
    assert transform(tiny, tmp_path / "in", tmp_path / "out") == 1
    assert "two columns of the same name: expected names that differ" in capsys.readouterr().err
    assert left_over(tmp_path / "out") == ["a.parquet"]


def test_overwrite(tiny: Tiny, tmp_path: Path) -> None:
    data = tiny_chain.rows(2)
    (tmp_path / "out.csv").write_text("old")
    assert transform(tiny, csv_file(tmp_path / "in.csv", data), tmp_path / "out.csv", "--overwrite") == 0
    assert scores(tmp_path / "out.csv") == tiny.expected(data)


def test_a_torn_bundle_is_named(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path(tiny.pipeline).with_name("model.zip").read_bytes()
    (tmp_path / "torn.zip").write_bytes(whole[: len(whole) // 2])
    source = csv_file(tmp_path / "in.csv", tiny_chain.rows(2))
    option = f"features={tmp_path / 'torn.zip'}"
    assert transform(tiny, source, tmp_path / "out.csv", "--model-data", option) == 1
    assert "torn.zip" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_containers_that_are_not_there(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = csv_file(tmp_path / "in.csv", tiny_chain.rows(2))
    assert transform(tiny, source, tmp_path / "out.csv", "--over", "http", "--url", "http://127.0.0.1:1") == 1
    assert "one --url for each of features, score" in capsys.readouterr().err


def test_progress_is_drawn_when_asked(tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = csv_file(tmp_path / "in.csv", tiny_chain.rows(50))
    assert transform(tiny, source, tmp_path / "a.csv") == 0
    assert "100%" not in capfd.readouterr().err, "stderr is no terminal here"
    assert transform(tiny, source, tmp_path / "b.csv", "--progress") == 0
    assert "rows/s" in capfd.readouterr().err.split("1 of 1 files")[0]


# Parquet


def raw_table(data: list[dict[str, Any]]) -> pa.Table:
    """The raw columns among others of every kind, nulls included; sex is a dictionary."""
    count = len(data)
    table = pa.Table.from_pylist(data)
    table = table.set_column(0, "sex", table["sex"].dictionary_encode())
    others = {
        "id": pa.array(range(count), pa.int64()),
        "when": pa.array([None if at % 3 else at * 1000 for at in range(count)], pa.timestamp("us", "UTC")),
        "price": pa.array([None if at % 4 else at for at in range(count)], pa.decimal128(12, 2)),
        "tags": pa.array([None if at % 5 == 0 else ["x"] * (at % 3) for at in range(count)], pa.list_(pa.string())),
        "nested": pa.array(
            [{"a": at, "b": None} for at in range(count)], pa.struct({"a": pa.int8(), "b": pa.date32()})
        ),
        "blob": pa.array([bytes([at % 256]) for at in range(count)], pa.binary()),
    }
    for name, column in others.items():
        table = table.add_column(table.num_columns // 2, name, column)
    return table


def same_but_for_the_prediction(source: Path, target: Path, column: str = "prediction") -> list[float]:
    """Checks columns, order, types, values and row groups; returns the predictions."""
    before, after = pq.ParquetFile(source), pq.ParquetFile(target)
    with before, after:
        assert after.schema_arrow.names == [*before.schema_arrow.names, column]
        assert after.schema_arrow.field(column).type == pa.float64()
        kept = after.read().drop_columns(column)
        assert kept.schema.equals(before.schema_arrow)
        assert kept.equals(before.read())
        predictions: list[float] = after.read([column])[column].to_pylist()
        return predictions


def test_parquet_keeps_everything_and_adds_the_prediction(tiny: Tiny, tmp_path: Path) -> None:
    data = tiny_chain.rows(100)
    source = tmp_path / "in.parquet"
    pq.write_table(raw_table(data), source, row_group_size=30, compression="zstd")
    assert transform(tiny, source, tmp_path / "out.parquet") == 0
    assert same_but_for_the_prediction(source, tmp_path / "out.parquet") == tiny.expected(data)
    about = pq.read_metadata(tmp_path / "out.parquet")
    assert [about.row_group(at).num_rows for at in range(about.num_row_groups)] == [30, 30, 30, 10]
    assert about.row_group(0).column(0).compression == "ZSTD"


def test_the_column_can_be_named_and_must_be_free(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tiny_chain.rows(10)
    pq.write_table(pa.Table.from_pylist([{**row, "prediction": 1} for row in data]), tmp_path / "in.parquet")
    assert transform(tiny, tmp_path / "in.parquet", tmp_path / "out.parquet") == 1
    assert "--column" in capsys.readouterr().err
    assert transform(tiny, tmp_path / "in.parquet", tmp_path / "out.parquet", "--column", "rings") == 0
    found = same_but_for_the_prediction(tmp_path / "in.parquet", tmp_path / "out.parquet", "rings")
    assert found == tiny.expected(data)


def test_a_data_set_keeps_its_files_and_partitions(tiny: Tiny, tmp_path: Path) -> None:
    """The model needs `sex`, which stands in the folders' names only; one part is empty, as Spark leaves them."""
    data = tiny_chain.rows(60)
    for at, label in enumerate(tiny_chain.LABELS):
        part = tmp_path / "in" / f"sex={label}" / f"part-{at}.parquet"
        part.parent.mkdir(parents=True)
        rows = [row for row in data if row["sex"] == label]
        pq.write_table(pa.Table.from_pylist(rows).drop_columns("sex"), part)
    pq.write_table(pq.read_table(part, partitioning=None).slice(0, 0), part.with_name("part-9.parquet"))
    (tmp_path / "in" / "_SUCCESS").touch()
    assert transform(tiny, tmp_path / "in", tmp_path / "out") == 0
    assert left_over(tmp_path / "out") == ["part-0.parquet", "part-1.parquet", "part-2.parquet", "part-9.parquet"]
    for at, label in enumerate(tiny_chain.LABELS):
        name = f"sex={label}/part-{at}.parquet"
        found = same_but_for_the_prediction(tmp_path / "in" / name, tmp_path / "out" / name)
        assert found == tiny.expected([row for row in data if row["sex"] == label])
    assert pq.read_table(tmp_path / "out").num_rows == len(data)


def test_partition_columns_have_the_types_spark_guesses() -> None:
    from nacre.transform.inputs import Input
    from nacre.transform.tables import partition_types

    parts = [
        {"year": "2024", "big": "1", "ratio": "1", "sex": "M"},
        {"year": None, "big": "9999999999", "ratio": "0.5", "sex": "7"},
    ]
    found = partition_types([Input(Path("a"), Path("b"), True, part) for part in parts])
    assert found == {"year": pa.int32(), "big": pa.int64(), "ratio": pa.float64(), "sex": pa.string()}


def test_what_spark_wrote_stays_sparks(spark: Any, tiny: Tiny, tmp_path: Path) -> None:
    """Spark's own types come back in Spark: vectors, INT96 timestamps that nanoseconds cannot hold, nulls."""
    from datetime import datetime

    from pyspark.ml.linalg import SparseVector, VectorUDT
    from pyspark.sql.types import DoubleType, LongType, StringType, StructField, StructType, TimestampType

    data = tiny_chain.rows(40)
    numbers = [StructField(name, DoubleType()) for name in tiny_chain.NUMBERS]
    others = [StructField("id", LongType()), StructField("until", TimestampType()), StructField("vector", VectorUDT())]
    schema = StructType([StructField("sex", StringType()), *numbers, *others])
    far = datetime(9999, 12, 31, 12, 59, 59, 999999)  # noqa: DTZ001  as Spark gives them back
    vector = SparseVector(4, [1], [2.5])
    rows = [(*row.values(), at, far if at % 2 else None, vector) for at, row in enumerate(data)]
    frame = spark.createDataFrame(rows, schema)
    frame.repartition(3).write.option("compression", "gzip").parquet(str(tmp_path / "in"))
    assert transform(tiny, tmp_path / "in", tmp_path / "out") == 0
    found = spark.read.parquet(str(tmp_path / "out")).orderBy("id")
    assert found.schema == frame.schema.add("prediction", DoubleType())
    assert [tuple(row) for row in found.drop("prediction").collect()] == rows
    assert [row.prediction for row in found.collect()] == tiny.expected(data)
    names = [path.name for path in (tmp_path / "in").glob("*.parquet")]
    assert left_over(tmp_path / "out") == sorted(names)


BAD_TABLES = {
    "wrong type": (lambda table: table.set_column(1, "length", pa.array(["long"] * 50)), ["field length"]),
    "missing column": (lambda table: table.drop_columns("weight"), ["field weight", "missing"]),
    "unseen label": (
        lambda table: table.set_column(0, "sex", pa.array([*["M"] * 42, "X", *["M"] * 7])),
        ["row 43", "field sex", "got X"],
    ),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_parquet_file(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    change, said = BAD_TABLES[name]
    (tmp_path / "in").mkdir()
    bad = tmp_path / "in" / "a.parquet"
    pq.write_table(change(pa.Table.from_pylist(tiny_chain.rows(50))), bad, row_group_size=20)
    pq.write_table(pa.Table.from_pylist(tiny_chain.rows(5)), tmp_path / "in" / "b.parquet")
    assert transform(tiny, tmp_path / "in", tmp_path / "out") == 1
    failure, summary = capsys.readouterr().err.splitlines()
    for words in [*said, "container features", f"file {bad}"]:
        assert words in failure
    assert summary.startswith("1 of 2 files, 5 rows")
    assert left_over(tmp_path / "out") == ["b.parquet"]


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", None])
def test_a_broken_parquet_file(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(pa.Table.from_pylist(tiny_chain.rows(500)), source)
    whole = source.read_bytes()
    # None: a good footer over a page that was overwritten
    source.write_bytes(whole[:40] + b"\xff" * 60 + whole[100:] if content is None else content)
    assert transform(tiny, source, tmp_path / "out.parquet") == 1
    message = capsys.readouterr().err
    assert f"file {source}" in message
    assert left_over(tmp_path) == ["in.parquet"]


def test_parquet_is_not_sent_over_http(
    tiny: Tiny, urls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(pa.Table.from_pylist(tiny_chain.rows(5)), tmp_path / "in.parquet")
    assert transform(tiny, tmp_path / "in.parquet", tmp_path / "out.parquet", *urls) == 1
    assert "--over fused" in capsys.readouterr().err


# Constant memory, and no half-written output

MEMORY = """
import re, sys
from pathlib import Path
from nacre.transform.command import main
assert main(sys.argv[1:]) == 0
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak_memory(*arguments: str) -> int:
    """Bytes of one run in a process of its own. VmHWM, because ru_maxrss starts at the parent's."""
    done = subprocess.run([sys.executable, "-c", MEMORY, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_memory_stays_constant(tiny: Tiny, tmp_path: Path, suffix: str) -> None:
    """For 50 times the rows the peak grows by less than half of what the text alone would take."""
    rows, note = (2_000, 3_600) if suffix == ".parquet" else (8_000, 360)  # Parquet packs such notes to nearly nothing
    data = [{**row, "note": f"{at:06}" * (note // 6)} for at, row in enumerate(tiny_chain.rows(rows))]
    peaks = []
    for copies in (1, 50):
        source = tmp_path / f"in{copies}{suffix}"
        if suffix == ".parquet":
            pq.write_table(pa.concat_tables([pa.Table.from_pylist(data)] * copies), source)  # one row group
        else:
            lines = zip(tiny_chain.csv_lines(data), data, strict=True)
            source.write_text("".join(f"{line},{row['note']}\n" for line, row in lines) * copies)
        peaks.append(peak_memory(tiny.pipeline, str(source), str(tmp_path / f"out{copies}")))
    assert peaks[1] - peaks[0] < 50 * rows * note / 2, peaks


def test_an_output_cut_off_leaves_nothing(tmp_path: Path) -> None:
    from nacre.transform.outputs import whole_file

    def half() -> None:
        with whole_file(tmp_path / "out.csv") as sink:
            sink.write(b"half")
            sink.flush()
            assert [path.name[0] for path in tmp_path.iterdir()] == ["."], "hidden until it is whole"
            raise NacreError("no more")

    with pytest.raises(NacreError, match="no more"):
        half()
    assert list(tmp_path.iterdir()) == []
