"""`nacre verify`: score a bundle's own proof again, in both plans, and compare with Spark's answers."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nacre.bundle.reader import read
from nacre.errors import BundleError, ModelError, NacreError, RowError
from nacre.plan import rows as rowplan
from nacre.plan.arrow import column_in, column_out
from nacre.plan.columns import run
from nacre.plan.model import Model, raw_columns
from nacre.plan.rowcode import Dropped
from nacre.proof.notes import DROPPED, FAILED, FILE, NOTE, SCORED, Proof, array, dense, plain

if TYPE_CHECKING:
    import os

    from nacre.plan.types import Type
    from nacre.stages.base import Stage

PLANS = ("columns", "rows")


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
    whole = {name: _score(model.stages, model.inputs, proof, plan) for name, plan in _PLANS.items()}
    outcomes = [
        f"row {n}: Spark {row.outcome}, {name} plan {ours[n - 1][0]}"
        for n, row in enumerate(proof.rows, 1)
        for name, ours in whole.items()
        if ours[n - 1][0] != row.outcome
    ]
    checked = [_column(stage, name, proof, whole) for stage in model.stages for name in stage.output_names]
    return Report(proof.spark, len(proof.rows), checked, outcomes)


Scored = list[tuple[str, dict[str, Any]]]
"""(outcome, output columns) of each row."""


def _column(stage: Stage, name: str, proof: Proof, whole: Mapping[str, Scored]) -> Checked:
    """Compare a column. Where an earlier stage is not exact, this one is judged on Spark's own values of its inputs."""
    worst, bound, wrong = dict.fromkeys(PLANS, 0.0), 0.0, None
    port = stage.output_ports[stage.output_names.index(name)]
    for n, row in enumerate(proof.rows):
        if row.outcome != SCORED or name not in row.outputs:
            continue
        theirs, known = row.outputs[name], {**row.inputs, **row.outputs}
        given = [dense(known.get(each), proof.types[each]) if each in known else None for each in stage.input_names]
        slack = stage.slack(port, given) if None not in given else 0.0
        bound = max(bound, slack)
        gaps = {plan: gap(ours[n][1].get(name), dense(theirs, proof.types[name])) for plan, ours in whole.items()}
        worst = {plan: max(worst[plan], gaps[plan]) for plan in PLANS}
        if max(gaps.values()) > slack and wrong is None and not _right_alone(stage, name, proof, n, slack):
            wrong = n + 1
    return Checked(name, stage.op, worst["columns"], worst["rows"], bound, wrong)


def _right_alone(stage: Stage, name: str, proof: Proof, n: int, slack: float) -> bool:
    row = proof.rows[n]
    known = {**row.inputs, **row.outputs}
    if any(each not in known for each in stage.input_names) or set(stage.input_names) & set(stage.output_names):
        return False
    types = raw_columns([stage], proof.types)
    single = Proof(proof.types, [type(row)(known, SCORED, row.outputs)], proof.spark)
    found = [plan([stage], types, single)[0] for plan in _PLANS.values()]
    theirs = dense(row.outputs[name], proof.types[name])
    return all(outcome == SCORED and gap(made[name], theirs) <= slack for outcome, made in found)


def gap(ours: Any, theirs: Any) -> float:
    """The largest absolute difference of two values; infinite between values that have none."""
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        if len(ours) != len(theirs):
            return math.inf
        return max(map(gap, ours, theirs), default=0.0)
    if isinstance(ours, float) and isinstance(theirs, (int, float)):
        if ours == theirs or (ours != ours and theirs != theirs):
            return 0.0
        return abs(ours - theirs) if math.isfinite(ours) and math.isfinite(theirs) else math.inf
    return 0.0 if ours == theirs else math.inf


def _by_columns(stages: Sequence[Stage], types: Mapping[str, Type], proof: Proof) -> Scored:
    import pyarrow as pa

    raw = list(types)
    table = pa.table({name: array([row.inputs.get(name) for row in proof.rows], proof.types[name]) for name in raw})
    outcome = run(stages, {name: column_in(table, name, types[name]) for name in raw}, len(proof.rows))
    made = {name: outcome.columns[name] for stage in stages for name in stage.output_names}
    values = {name: column_out(column, proof.types[name], "dense").to_pylist() for name, column in made.items()}
    failed = {error.where["row"] - 1 for error in outcome.errors()}

    def one(n: int) -> tuple[str, dict[str, Any]]:
        if n in failed or outcome.dropped[n]:
            return (FAILED if n in failed else DROPPED), {}
        return SCORED, {name: each[n] for name, each in values.items()}

    return [one(n) for n in range(len(proof.rows))]


def _by_rows(stages: Sequence[Stage], types: Mapping[str, Type], proof: Proof) -> Scored:
    outputs = [name for stage in stages for name in stage.output_names]
    function = rowplan.compile_dict(stages, types, outputs)

    def one(inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        try:
            return SCORED, function({name: dense(inputs.get(name), types[name]) for name in types})
        except Dropped:
            return DROPPED, {}
        except RowError:
            return FAILED, {}

    return [one(row.inputs) for row in proof.rows]


_PLANS = {"columns": _by_columns, "rows": _by_rows}


def _score(stages: Sequence[Stage], types: Mapping[str, Type], proof: Proof, plan: Any) -> Scored:
    missing = [name for name in types if name not in proof.types]
    if missing:
        raise BundleError("the proof lacks a column", expected=missing[0], got=sorted(proof.types), file=FILE)
    return plan(stages, types, proof)  # type: ignore[no-any-return]


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
