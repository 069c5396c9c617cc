"""`nacre score`: one bundle over one file. CSV, JSON Lines or Parquet on either side; constant memory."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from nacre.errors import NacreError, RequestError, RowError, SetupError
from nacre.transform.outputs import refuse_existing, whole_file
from nacre.transform.progress import Progress, wanted
from nacre.transform.readers import READERS, Reader
from nacre.transform.writers import WRITERS, Writer

if TYPE_CHECKING:
    import pyarrow as pa

Found = TypeVar("Found")
VECTORS = ("dense", "sparse")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="nacre score",
        description=f"Score a file with one bundle. Formats by suffix: {', '.join(READERS)}. A vector in CSV is one "
        'quoted field of JSON: dense "[1.0,0.0]", sparse "{""type"":0,""size"":2,""indices"":[0],""values"":[1.0]}".',
    )
    made.add_argument("model", metavar="MODEL", help="a bundle: zip, folder or tar.gz")
    made.add_argument("input", type=Path, metavar="INPUT")
    made.add_argument("output", type=Path, metavar="OUTPUT")
    made.add_argument("--columns", metavar="A,B", help="the columns to write; default: the input's, then every output")
    made.add_argument("--vectors", choices=VECTORS, default="dense", help="default: dense")
    made.add_argument("--header", action=argparse.BooleanOptionalAction, default=True,
                      help="whether CSV has one; without, its columns are the model's raw ones in order")  # fmt: skip
    made.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    made.add_argument("--progress", action=argparse.BooleanOptionalAction, help="default: when stderr is a terminal")
    return made


def main(argv: list[str]) -> int:
    """0 when the whole file was scored. Raises NacreError, and leaves no output, when one row of it was not."""
    import nacre

    arguments = parser().parse_args(argv)
    source, target = arguments.input, arguments.output
    reader, writer = by_suffix(source, READERS), by_suffix(target, WRITERS)
    _check_places(source, target, arguments.overwrite)
    model = nacre.load(arguments.model)
    columns = arguments.columns.split(",") if arguments.columns else None
    try:
        with whole_file(target) as sink, Progress(source.stat().st_size, wanted(arguments.progress)) as progress:
            tables = scored(model, reader, source, arguments.header, columns, arguments.vectors, progress)
            write_all(tables, writer, sink, arguments.header)
    except NacreError as error:
        raise error.at(file=source) from error.__cause__
    print(f"{progress.rows:,} rows in {progress.seconds:.1f} s: {target}", file=sys.stderr)
    return 0


def by_suffix(path: Path, known: Mapping[str, Found]) -> Found:
    """Raises RequestError naming the suffixes there are."""
    if path.suffix.lower() not in known:
        raise RequestError("unknown file format", expected=", ".join(known), got=path.name, file=path)
    return known[path.suffix.lower()]


def _check_places(source: Path, target: Path, overwrite: bool) -> None:
    if not source.is_file():
        raise SetupError("the input does not exist", expected="a file", got=str(source))
    if source.resolve() == target.resolve():
        raise SetupError("the output would replace its input", got=str(target), fix="Name another output.")
    if not overwrite:
        refuse_existing(target)


def scored(
    model: Any, reader: Reader, source: Path, header: bool, columns: list[str] | None, vectors: str, progress: Progress
) -> Iterator[pa.Table]:
    """The model's outputs, a table for each one read. Raises NacreError with the row counted over the whole file."""
    before = 0
    for table, size in reader(source, model.input_schema, header):
        try:
            result = model.transform(table, columns=columns, vectors=vectors)
        except NacreError as error:
            if "row" in error.where:
                error.where["row"] = before + int(error.where["row"])
            raise
        if result.num_rows < table.num_rows:
            raise _dropped(model, table, columns, before)
        before += table.num_rows
        progress.advance(table.num_rows, size)
        yield result


def _dropped(model: Any, table: pa.Table, columns: list[str] | None, before: int) -> RowError:
    """A file loses no row silently: the first row of `table` that handleInvalid=skip leaves out, as an error."""
    import numpy as np
    import pyarrow as pa

    number = " row"
    outputs = [name for name in columns or model.outputs if name in model.outputs]
    numbered = table.append_column(number, pa.array(np.arange(table.num_rows)))
    kept = model.transform(numbered, columns=[*outputs, number])[number].to_numpy()
    row = int(np.setdiff1d(np.arange(table.num_rows), kept)[0])
    return RowError(
        "the model drops this row (handleInvalid is skip)",
        expected="an output for every row",
        got=table.slice(row, 1).to_pylist()[0],
        row=before + row + 1,
        fix="Take the row out, or fit with handleInvalid keep.",
    )


def write_all(tables: Iterator[pa.Table], kind: type[Writer], sink: BinaryIO, header: bool) -> None:
    """Write every table into `sink`; the first one's schema is the file's."""
    first = next(tables)
    writer = kind(sink, first.schema, header)
    try:
        writer.write(first)
        for table in tables:
            writer.write(table)
    finally:
        writer.close()
