"""Writes the sweeps' figures into docs/parity.md: `python -m tests.parity.figures FILE …`, one file a Spark.

The files are what `python -m tests.parity.sweep --spark VERSION --json FILE` writes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docs.build import table
from tests.parity.sweep import ROOT

PAGE = ROOT / "docs" / "parity.md"
BEGIN, END = "<!-- figures: written by tests.parity.figures -->\n", "<!-- end of figures -->"


def page(content: str, sweeps: Sequence[dict[str, Any]]) -> str:
    """The page with the figures of these sweeps in their place."""
    head, rest = content.split(BEGIN)
    return f"{head}{BEGIN}{figures(sweeps)}{END}{rest.split(END)[1]}"


def between(content: str, name: str, text: str) -> str:
    """The page with a text between the marks of that name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name.partition(':')[0]} -->"
    head, rest = content.split(begin)
    return f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}"


def figures(sweeps: Sequence[dict[str, Any]]) -> str:
    """A table of the sweeps, one of the ops, and the cases that a Spark could not run."""
    ops = sorted({op for sweep in sweeps for op in sweep["ops"]})
    totals = [
        [sweep["spark"], str(len(sweep["ops"])), *(str(total(sweep, name)) for name in ("cases", "rows")),
         str(len(sweep["bad"])), str(len(sweep["skipped"]))]
        for sweep in sweeps
    ]  # fmt: skip
    lines = [
        [f"`{op}`", *(most(sweeps, op, name) for name in ("cases", "rows")), *(cell(sweep, op) for sweep in sweeps)]
        for op in ops
    ]
    parts = [
        table(["Spark", "ops", "cases", "rows", "beyond the bound", "cases not run"], totals),
        table(["op", "cases", "rows", *(f"largest difference, {sweep['spark']}" for sweep in sweeps)], lines),
    ]
    for sweep in sweeps:
        if sweep["skipped"]:
            reasons = "".join(f"- `{name}`: {reason(why)}\n" for name, why in sorted(sweep["skipped"].items()))
            parts.append(f"Not run on Spark {sweep['spark']}, which does not have what they ask for:\n\n{reasons}")
    return "\n" + "\n".join(parts) + "\n"


def total(sweep: dict[str, Any], name: str) -> int:
    return sum(each[name] for each in sweep["ops"].values())


def most(sweeps: Sequence[dict[str, Any]], op: str, name: str) -> str:
    return str(max(sweep["ops"][op][name] for sweep in sweeps if op in sweep["ops"]))


def cell(sweep: dict[str, Any], op: str) -> str:
    """The largest difference; 0 where none was met, whatever the bound."""
    return f"{sweep['ops'][op]['difference']:.2g}" if op in sweep["ops"] else "not run"


def reason(why: str) -> str:
    """The first line of an error, without the class it came with and the file it was met in."""
    return re.sub(r"^[\w.]+(Error|Exception): | \(/[^)]*\)?$", "", why.splitlines()[0])


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), [json.loads(Path(name).read_text()) for name in sys.argv[1:]]))
