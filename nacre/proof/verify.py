"""`nacre verify`: score a bundle's own proof again, in both plans, and compare with Spark's answers."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nacre.bundle.reader import read
from nacre.errors import BundleError, ModelError, NacreError, RowError
from nacre.plan import rows as rowplan
from nacre.plan.arrow import column_in, column_out
from nacre.plan.columns import run
from nacre.plan.model import Model, raw_columns
from nacre.plan.rowcode import Dropped
from nacre.proof.gaps import all_numbers, gap, value_of
from nacre.proof.notes import DROPPED, FAILED, FILE, NOTE, SCORED, Proof, array, dense, given_value, plain
from nacre.stages import base

if TYPE_CHECKING:
    import os

    from nacre.plan.types import Type
    from nacre.stages.base import Stage

PLANS = ("columns", "rows")
Scored = list[tuple[str, dict[str, Any]]]
"""(outcome, all columns that the stages make, in the form to compare) of each row."""


@dataclass(frozen=True)
class Checked:
    """One column of the proof, scored again. `columns` and `rows` are the largest absolute differences by plan,
    `bound` is how far the stage may be from Spark (0.0: bit for bit), `wrong` the first row beyond it, from 1."""

    column: str
    op: str
    columns: float
    rows: float
    bound: float
    wrong: int | None


@dataclass(frozen=True)
class Report:
    """What `verify` found: the columns, and the rows whose outcome (scored, dropped, failed) is not Spark's."""

    spark: str
    rows: int
    checked: list[Checked]
    outcomes: list[str]

    @property
    def good(self) -> bool:
        return not self.outcomes and all(each.wrong is None for each in self.checked)


def verify(path: str | os.PathLike[str], mode: str = "spark") -> Report:
    """Score the rows of a bundle's proof in both plans. Raises BundleError for a bundle without one."""
    bundle = read(path)
    if NOTE not in bundle.notes:
        raise BundleError(
            "a bundle without a proof", expected=FILE, got=sorted(bundle.notes) or "no notes",
            fix="Write it with nacre.spark.save and a sample that holds the raw columns",
        )  # fmt: skip
    return check(Model(bundle, mode), Proof.decode(bundle.notes[NOTE]))


def require(path: str | os.PathLike[str]) -> None:
    """Raise ModelError unless the bundle's proof holds; for servers that refuse a bundle that fails."""
    report = verify(path)
    if not report.good:
        bad = [f"{each.column} (row {each.wrong})" for each in report.checked if each.wrong is not None]
        raise ModelError(
            "the bundle does not give Spark's numbers", expected="the proof it carries",
            got=", ".join(bad + report.outcomes), file=FILE, fix="nacre verify MODEL prints the differences",
        )  # fmt: skip


def check(model: Model, proof: Proof) -> Report:
    """Score a proof's rows with a model."""
    judge = Judge(model, proof)
    outcomes = [
        f"row {n}: Spark {row.outcome}, {name} plan {ours[n - 1][0]}"
        for n, row in enumerate(proof.rows, 1)
        for name, ours in judge.whole.items()
        if ours[n - 1][0] != row.outcome
    ]
    checked = [
        judge.column(stage, name) for stage in model.stages for name in stage.output_names if name in model.outputs
    ]
    return Report(proof.spark, len(proof.rows), checked, outcomes)


class Judge:
    """Compares what both plans make of a proof's rows with what Spark made of them, column by column.

    Columns that Spark does not show, steps of ours between two of Spark's, are not judged themselves.

    Attributes:
        whole: plan -> its rows, scored from the raw columns.
    """

    def __init__(self, model: Model, proof: Proof):
        self.model = model
        self.proof = proof
        self.types = {**model.types, **proof.types}
        missing = [name for name in {**model.inputs, **model.outputs} if name not in proof.types]
        if missing:
            raise BundleError("the proof lacks a column", expected=missing[0], got=sorted(proof.types), file=FILE)
        rows = [row.inputs for row in proof.rows]
        self.whole = {name: plan(model.stages, model.inputs, self.types, rows) for name, plan in _PLANS.items()}

    def column(self, stage: Stage, name: str) -> Checked:
        """One column. Where an earlier stage is not exact, it is judged on Spark's own values of its inputs."""
        worst, bound, wrong = dict.fromkeys(PLANS, 0.0), 0.0, None
        for n, row in enumerate(self.proof.rows):
            if row.outcome != SCORED or name not in row.outputs:
                continue
            slack = self.slack(stage, name, n)
            gaps = {plan: self.gap(ours[n], name, n) for plan, ours in self.whole.items()}
            bound = max(bound, slack)
            worst = {plan: max(worst[plan], gaps[plan]) for plan in PLANS}
            if max(gaps.values()) > slack and wrong is None and not self.right_alone(stage, name, n):
                wrong = n + 1
        return Checked(name, stage.op, worst["columns"], worst["rows"], bound, wrong)

    def gap(self, scored: tuple[str, dict[str, Any]], name: str, n: int) -> float:
        """How far a scored row is from Spark's, in one column; infinite where only Spark scored it."""
        outcome, values = scored
        theirs = value_of(self.proof.rows[n].outputs[name], self.types[name])
        return gap(values[name], theirs) if outcome == SCORED else math.inf

    def slack(self, stage: Stage, name: str, n: int) -> float:
        """How far the stage may be from Spark in this row. Its inputs are those that Spark shows, else ours."""
        row = self.proof.rows[n]
        if type(stage).slack is base.Stage.slack or row.outputs[name] is None:
            return 0.0  # exact, whatever its inputs: wide ones are not written out
        shown, ours = {**row.inputs, **row.outputs}, self.whole["rows"][n][1]
        given = [
            dense(shown[each], self.types[each]) if each in shown else all_numbers(ours.get(each))
            for each in stage.input_names
        ]
        port = stage.output_ports[stage.output_names.index(name)]
        return stage.slack(port, given)

    def right_alone(self, stage: Stage, name: str, n: int) -> bool:
        """Whether the stage, after those that make what Spark does not show, gives Spark's value from Spark's."""
        row = self.proof.rows[n]
        shown = {**row.inputs, **row.outputs}
        stages = self.since(stage, shown.keys())
        made = {each for one in stages for each in one.output_names}
        types = raw_columns(stages, self.types)
        if types.keys() & made or not types.keys() <= shown.keys():
            return False
        slack = self.slack(stage, name, n)
        return all(self.gap(plan(stages, types, self.types, [shown])[0], name, n) <= slack for plan in _PLANS.values())

    def since(self, last: Stage, shown: Collection[str]) -> list[Stage]:
        """A stage and those before it that make what it reads, as far back as the last columns that Spark shows."""
        chosen, wanted = [last], set(last.input_names) - set(shown)
        before = self.model.stages[: self.model.stages.index(last)]
        for stage in reversed(before):
            if wanted & set(stage.output_names):
                chosen.append(stage)
                wanted = wanted - set(stage.output_names) | set(stage.input_names) - set(shown)
        return chosen[::-1]


def _by_columns(
    stages: Sequence[Stage], raw: Mapping[str, Type], types: Mapping[str, Type], rows: Sequence[Mapping[str, Any]]
) -> Scored:
    import pyarrow as pa

    table = pa.table({name: array([row.get(name) for row in rows], kind) for name, kind in raw.items()})
    outcome = run(stages, {name: column_in(table, name, kind) for name, kind in raw.items()}, len(rows))
    made = {name: outcome.columns[name] for stage in stages for name in stage.output_names}
    arrays = {name: column_out(column, types[name], "sparse").to_pylist() for name, column in made.items()}
    failed = {error.where["row"] - 1 for error in outcome.errors()}

    def one(n: int) -> tuple[str, dict[str, Any]]:
        if n in failed or outcome.dropped[n]:
            return (FAILED if n in failed else DROPPED), {}
        return SCORED, {name: value_of(each[n], types[name]) for name, each in arrays.items()}

    return [one(n) for n in range(len(rows))]


def _by_rows(
    stages: Sequence[Stage], raw: Mapping[str, Type], types: Mapping[str, Type], rows: Sequence[Mapping[str, Any]]
) -> Scored:
    outputs = [name for stage in stages for name in stage.output_names]
    function = rowplan.compile_dict(stages, raw, outputs, compact=True)

    def one(row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        try:
            scored = function({name: given_value(row.get(name), kind) for name, kind in raw.items()})
        except Dropped:
            return DROPPED, {}
        except RowError:
            return FAILED, {}
        return SCORED, {name: value_of(scored[name], types[name]) for name in outputs}

    return [one(row) for row in rows]


_PLANS = {"columns": _by_columns, "rows": _by_rows}


def text(report: Report) -> str:
    """The report as `nacre verify` prints it."""
    head = ("column", "op", "columns plan", "row plan", "bound", "")
    lines = [head, *(_line(each) for each in report.checked)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    verdict = "The bundle gives Spark's numbers." if report.good else "The bundle does NOT give Spark's numbers."
    return "\n".join([f"{report.rows} rows, scored by Spark {report.spark}", *table, *report.outcomes, verdict])


def _line(each: Checked) -> tuple[str, ...]:
    verdict = "ok" if each.wrong is None else f"WRONG, first in row {each.wrong}"
    bound = "exact" if each.bound == 0.0 else f"{each.bound:.2g}"
    return each.column, each.op, f"{each.columns:.3g}", f"{each.rows:.3g}", bound, verdict


def main(argv: list[str]) -> int:
    """`nacre verify`."""
    parser = argparse.ArgumentParser(
        prog="nacre verify",
        description="Score the rows that a bundle carries as its proof, in both plans, and compare with what Spark "
        "made of them. Prints the largest difference by column; fails when one is beyond its bound.",
    )
    parser.add_argument("model", metavar="MODEL", help="a bundle: zip, folder or tar.gz")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    args = parser.parse_args(argv)
    try:
        report = verify(args.model)
    except NacreError as error:
        raise error.at(file=str(args.model)) from error.__cause__
    print(json.dumps(plain({**asdict(report), "good": report.good})) if args.json else text(report))
    return 0 if report.good else 1
