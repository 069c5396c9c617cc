"""Round trips through MLeap's JVM 0.20.0, counted: `python -m tests.parity.roundtrips` writes them into docs/parity.md.

Of every op that this runtime has, bundles are drawn as the tests draw them, for every choice, in JSON and in protobuf.
The JVM loads each, scores it and writes it again; what it wrote is loaded here. Both plans must give the JVM's numbers
in mode "mleap", and the same bits from the bundle that the JVM wrote.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import nacre
from docs.build import table
from nacre.bundle import write
from nacre.bundle.formats import FORMATS
from nacre.bundle.values import pack
from tests import bundles
from tests.oracle.mleap import Mleap
from tests.parity.figures import PAGE, between
from tests.plans import STRATEGIES
from tests.plans.base import values
from tests.test_plan import PLANS
from tests.test_stages import asked, declared, fit_for_a_frame, jvm_cases, jvm_ops

if TYPE_CHECKING:
    from nacre.bundle.node import Bundle

NAME = "round trips: written by tests.parity.roundtrips"
EACH = 8
"""Bundles drawn for each combination of choices."""


@dataclass
class Trips:
    """What came of one op: bundles by format, rows, values compared with the JVM's, those that are not of the same bits,
    and what went wrong: values beyond the bound, other outcomes, and rows that the bundle coming back scores otherwise.
    """

    bundles: dict[str, int]
    rows: int = 0
    values: int = 0
    near: int = 0
    wrong: int = 0


def drawn(op: str, words: dict[str, str]) -> list[tuple[Bundle, dict[str, Any], list[dict[str, Any]]]]:
    """Some bundles of an op with the types of their raw columns, and rows for each; always the same."""
    found: list[Any] = []

    @settings(PLANS, max_examples=EACH, phases=[Phase.generate])
    @given(data=st.data())
    def collect(data: Any) -> None:
        nodes, kinds = data.draw(STRATEGIES[op](words, wild=False))
        row = st.fixed_dictionaries({name: values(kind) for name, kind in kinds.items()})
        rows = fit_for_a_frame(data.draw(st.lists(row, min_size=6, max_size=8)), kinds)
        bundle = bundles.pipeline(*nodes, types=kinds)
        leaves = [node for node in bundle.root.walk() if node.op != "pipeline"]
        if all(node.attributes.get("labels_length") != pack(2, "int") for node in leaves):  # MLeap 0.23.3 and later
            found.append((bundle, kinds, rows))

    collect()
    return found


def trip(oracle: Mleap, folder: Path, form: str, made: tuple[Any, Any, Any], trips: Trips) -> None:
    """One bundle there and back."""
    bundle, kinds, rows = made
    first, again = write(bundle, folder / "first.zip", overwrite=True, format=form), folder / "again.zip"
    again.unlink(missing_ok=True)
    oracle.resave(first, again, form)
    model = nacre.load(first, mode="mleap")
    ours = bundles.assert_plans_agree(model, rows)
    theirs = asked(oracle, first, model, rows)
    back = bundles.assert_plans_agree(declared(again, kinds), rows)
    trips.bundles[form] += 1
    trips.rows += len(rows)
    for row, one, jvm, other in zip(rows, ours, theirs, back, strict=True):
        trips.wrong += not bundles.same(one, other)
        kind = "failed" if jvm == "failed" else "dropped" if jvm is None else "scored"
        trips.wrong += one.kind != kind
        for name, value in (one.values or {}).items() if kind == "scored" else ():
            flat = tuple(bundles.flat(value)) if model.types[name].shape == "vectors" else value
            trips.wrong += bundles.differ(model, name, flat, jvm[name], row) is not None
            trips.values += 1
            trips.near += bundles.bits(flat) != bundles.bits(jvm[name])


def counted(oracle: Mleap) -> dict[str, Trips]:
    """All ops."""
    found = {op: Trips(dict.fromkeys(FORMATS, 0)) for op in jvm_ops()}
    with tempfile.TemporaryDirectory() as folder:
        for case in jvm_cases():
            op, _, words = case.values
            for made in drawn(op, words):
                for form in FORMATS:
                    trip(oracle, Path(folder), form, made, found[op])
            print(op, words, found[op], file=sys.stderr)
    return found


def text(found: dict[str, Trips]) -> str:
    """The figures as they stand on the page."""
    total = [sum(each.bundles.values()) for each in found.values()]
    names = ("rows", "values", "near", "wrong")
    rows, values, near, wrong = (sum(getattr(each, name) for each in found.values()) for name in names)
    lines = [
        [f"`{op}`", *(str(each.bundles[form]) for form in FORMATS), *(str(getattr(each, name)) for name in names)]
        for op, each in found.items()
    ]
    head = (
        f"{len(found)} ops, {sum(total)} bundles, {rows} rows, {values} values: {near} within the bound and not of the "
        f"JVM's bits; {wrong} beyond it, or scored otherwise afterwards.\n"
    )
    return f"{head}\n{table(['op', 'in JSON', 'in protobuf', 'rows', 'values', 'other bits', 'wrong'], lines)}"


def main() -> int:
    oracle = Mleap.start()
    try:
        found = counted(oracle)
    finally:
        oracle.stop()
    PAGE.write_text(between(PAGE.read_text(), NAME, text(found)))
    print(text(found))
    return 1 if any(each.wrong for each in found.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
