"""The columns plan: stages over whole columns, with the rows they drop and refuse kept on the side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nacre.errors import RowError
    from nacre.plan.frame import Bools, Column, Failed, Result
    from nacre.stages.base import Stage


@dataclass
class Outcome:
    """All columns after a run, and what became of each row: scored, dropped, or failed. Errors count rows on from
    `start`."""

    columns: dict[str, Column]
    alive: Bools
    dropped: Bools
    failures: list[tuple[Failed, np.ndarray, str]]
    start: int = 0

    def errors(self) -> list[RowError]:
        """One error a failed row, in row order."""
        found = {int(row): failed.error(int(row), node) for failed, rows, node in self.failures for row in rows}
        for error in found.values():
            error.where["row"] += self.start
        return [found[row] for row in sorted(found)]


def raise_first(errors: Sequence[RowError]) -> None:
    """Raise the error of the first failed row, if any; it says how many more there are."""
    if len(errors) > 1:
        errors[0].message += f" ({len(errors)} rows failed; this is the first)"
    if errors:
        raise errors[0]


def run(stages: Sequence[Stage], columns: dict[str, Column], rows: int, start: int = 0) -> Outcome:
    """Run the stages in order. A row that one stage drops or refuses is out of the question for those after it."""
    outcome = Outcome(columns, np.ones(rows, bool), np.zeros(rows, bool), [], start)
    with np.errstate(all="ignore"):  # infinity and NaN are results here, as they are in Spark and in the row plan
        for stage in stages:
            given = [columns[name] for name in stage.input_names]
            result = stage.columns(given) if given else stage.constant(rows)
            _note(outcome, result, stage.name)
            columns.update(zip(stage.output_names, result.outputs, strict=True))
    return outcome


def _note(outcome: Outcome, result: Result, node: str) -> None:
    if result.dropped is not None:
        rows = result.dropped[outcome.alive[result.dropped]]
        outcome.dropped[rows] = True
        outcome.alive[rows] = False
    for failed in result.failed:
        rows = failed.rows[outcome.alive[failed.rows]]
        if len(rows):
            outcome.failures.append((failed, rows, node))
            outcome.alive[rows] = False


def needed(stages: Sequence[Stage], wanted: Iterable[str]) -> list[Stage]:
    """The stages to run for the wanted columns: those they come from, and those that may drop rows.

    Spark's optimizer does the same: it prunes a column nobody asks for, errors in it included, but never a filter.
    """
    live, chosen = set(wanted), []
    for stage in reversed(stages):
        if stage.drops or live.intersection(stage.output_names):
            live.difference_update(stage.output_names)
            live.update(stage.input_names)
            chosen.append(stage)
    return chosen[::-1]
