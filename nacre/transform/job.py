"""A transform over all its files: one failing file leaves no output, and the others go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from nacre.errors import NacreError, SetupError
from nacre.transform.inputs import Input
from nacre.transform.outputs import refuse_existing, whole_file
from nacre.transform.progress import Progress

Score = Callable[[Input, BinaryIO, Progress], int]
"""Scores one file into a stream; returns its rows. Raises NacreError."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file: its rows, or why it has no output."""

    item: Input
    rows: int = 0
    error: NacreError | None = None


def refuse_existing_outputs(inputs: list[Input]) -> None:
    """All of them before any is begun. Raises SetupError."""
    for item in inputs:
        refuse_existing(item.target)


def run(inputs: list[Input], score: Score, progress: Progress) -> list[Outcome]:
    """Score every input in turn; a file that fails is an outcome, not an exception."""
    return [_one(item, score, progress) for item in inputs]


def _one(item: Input, score: Score, progress: Progress) -> Outcome:
    try:
        with whole_file(item.target) as sink:
            return Outcome(item, score(item, sink, progress))
    except NacreError as error:
        return Outcome(item, error=error.at(file=item.source))
    except OSError as error:
        failure = SetupError(error.strerror or str(error), got=str(error.filename or item.target), file=item.source)
        return Outcome(item, error=failure)
