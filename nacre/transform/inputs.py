"""What a transform reads and what it is called in the output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast
from urllib.parse import unquote

from nacre.errors import RequestError, SetupError

PARQUET_SUFFIXES = (".parquet", ".parq", ".pq")

GZIP = b"\x1f\x8b"


class Input(NamedTuple):
    """One file and its output. `partition` holds what the folders say (``sex=M/``), as text, outermost first."""

    source: Path
    target: Path
    parquet: bool
    partition: dict[str, str | None]


def find_inputs(source: Path, output: Path) -> list[Input]:
    """The files of `source`, in the order of their names, with the outputs SageMaker's naming gives them.

    A file of lines goes to `output`, or to ``<name>.out`` in it when it is a folder. A folder of them goes to
    ``<path>.out`` under the folder `output`. Parquet keeps its names: the same file split.
    Raises SetupError when there is nothing to read, or two kinds at once, or an output would replace its input.
    """
    if not source.exists():
        raise SetupError("the input does not exist", expected="a file or a folder", got=str(source))
    if source.is_dir():
        found = [_in_folder(source, path, output) for path in _files(source)]
    else:
        found = [_alone(source, output)]
    if not found:
        raise SetupError("the input folder holds no file", expected="CSV or Parquet files", got=str(source))
    _refuse_mixture(found)
    for item in found:
        if item.target.resolve() == item.source.resolve():
            raise SetupError("the output would replace its input", got=str(item.target), fix="Name another output.")
    return found


def is_parquet(path: Path) -> bool:
    """By its name or, whatever its name, by its first four bytes."""
    if path.suffix.lower() in PARQUET_SUFFIXES:
        return True
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1"


@contextmanager
def open_lines(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The lines of a file and the file itself, the same unless it is gzip: then the lines are unpacked as they are
    read. Gzip is told by its first two bytes, with which no text begins. Raises RequestError for a broken one."""
    with path.open("rb") as file:
        if file.peek(2)[:2] != GZIP:
            yield file, file
            return
        import zlib
        from gzip import GzipFile

        try:
            with GzipFile(fileobj=file) as lines:
                yield cast("BinaryIO", lines), file
        except (EOFError, zlib.error, OSError) as error:
            raise RequestError("the gzip file is broken", expected="a whole gzip file", got=str(error)) from None


def _alone(source: Path, output: Path) -> Input:
    parquet = is_parquet(source)
    if output.is_dir():
        output = output / _output_name(source.name, parquet)
    return Input(source, output, parquet, {})


def _in_folder(folder: Path, source: Path, output: Path) -> Input:
    parquet = is_parquet(source)
    relative = source.relative_to(folder)
    target = output / relative.with_name(_output_name(relative.name, parquet))
    return Input(source, target, parquet, dict(_partition(relative)) if parquet else {})


def _output_name(name: str, parquet: bool) -> str:
    return name if parquet else f"{name}.out"


def _files(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _hidden(name)]
        found += [Path(root, name) for name in names if not _hidden(name)]
    return sorted(found)


def _hidden(name: str) -> bool:
    """Spark's rule: ``_SUCCESS``, ``_temporary`` and ``.crc`` are no data, a partition of ``_key=value`` is."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _partition(relative: Path) -> Iterator[tuple[str, str | None]]:
    for part in relative.parts[:-1]:
        key, equals, value = part.partition("=")
        if equals and key:
            yield unquote(key), None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value)


def _refuse_mixture(found: list[Input]) -> None:
    parquet = next((item for item in found if item.parquet), None)
    lines = next((item for item in found if not item.parquet), None)
    if parquet and lines:
        raise SetupError(
            "the input folder mixes Parquet with other files",
            expected="one of the two",
            got=f"{parquet.source.name} and {lines.source.name}",
            fix="Transform each kind from a folder of its own.",
        )
