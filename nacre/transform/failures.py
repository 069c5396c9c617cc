"""A chain's error on a mini-batch, as an error about the file: which container, which line, what was expected.

In one process the container's own error is at hand with its row. Over HTTP there is only the text of its answer,
so the mini-batch is halved until one record is left that fails alone.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.errors import ContainerError, NacreError
from nacre.transform.inputs import open_lines

if TYPE_CHECKING:
    from nacre.transform.records import MiniBatch


def located(error: NacreError, batch: MiniBatch, path: Path, invoke: Callable[[bytes], Any]) -> NacreError:
    """The error to report for `path`, its row counted from the first line of the file.

    `invoke` sends one body through the chain; it is asked again only when nothing says which row it was.
    """
    error = own_error(error)
    if "row" not in error.where and isinstance(error, ContainerError) and 400 <= error.status < 500:
        batch, error = narrowed(batch, error, invoke)
    row = batch.first + int(error.where.get("row", 1)) - 1
    if "row" not in error.where and batch.rows > 1:
        error.where["row"] = f"{batch.first} to {batch.first + batch.rows - 1}"
    else:
        error.where["row"] = row
    if isinstance(error, ContainerError):
        error.fix = f"Rows in the container's own words count from line {batch.first} of the file."
    if row == 1 and looks_like_header(path):
        error.message = f"{error.message} (the first line looks like a header)"
        error.fix = "Remove the first line: batch transform takes every line for a record."
    return error.at(file=path)


def own_error(error: NacreError) -> NacreError:
    """What the container raised when it ran in this process, else the error about its answer."""
    cause = error.__cause__
    return cause.at(**error.where) if isinstance(error, ContainerError) and isinstance(cause, NacreError) else error


def narrowed(batch: MiniBatch, error: NacreError, invoke: Callable[[bytes], Any]) -> tuple[MiniBatch, NacreError]:
    """The first record that fails alone, and its error; the mini-batch itself when both its halves are fine."""
    while batch.rows > 1:
        for half in batch.halves():
            try:
                invoke(half.body)
            except ContainerError as failure:
                batch, error = half, own_error(failure)
                break
        else:
            return batch, error
        if "row" in error.where:
            return batch, error
    return batch, error


def looks_like_header(path: Path) -> bool:
    """Whether line 1 has only words, and line 2 numbers in as many fields."""
    with open_lines(path) as (stream, _):
        lines = [line.decode("utf-8", "replace").strip().split(",") for line in islice(stream, 2)]
    if len(lines) < 2 or len(lines[0]) != len(lines[1]):
        return False
    return all(field.strip() and not _number(field) for field in lines[0]) and any(map(_number, lines[1]))


def _number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
