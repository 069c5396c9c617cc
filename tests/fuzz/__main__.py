"""Spoil bundles for a while and say what became of them: `make fuzz`, or `python -m tests.fuzz --seconds 600`."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from nacre.stages import REGISTRY
from tests.fuzz.mutate import Files, mutated
from tests.fuzz.seeds import seeds
from tests.fuzz.target import ENDS, FaultError, tried
from tests.parity.figures import between
from tests.parity.sweep import ROOT
from tests.plans import STRATEGIES

PAGE = ROOT / "docs" / "bundles.md"
MEMORY = 6 << 30
"""Address space of the whole run; a bundle that asks for more ends as a MemoryError, which is a fault."""


@dataclass
class Tally:
    """Ends by format, and the faults by case."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        rows = [("format", "runs", *ENDS)]
        for form in ("json", "protobuf"):
            counts = [self.ends[form, end] for end in ENDS]
            rows.append((form, str(sum(counts)), *map(str, counts)))
        rows.append(
            ("both", str(self.ends.total()), *(str(self.ends["json", e] + self.ends["protobuf", e]) for e in ENDS))
        )
        table = "\n".join("".join(f"{cell:>12}" for cell in row) for row in rows)
        told = [f"FAULT {case}: {what}" for case, what in self.faults.items()]
        return "\n".join([table, f"{len(self.faults)} faults", *told])


def case(known: dict[str, Files], seed: int, number: int) -> tuple[str, Files, Random]:
    """The bundle of a case: the name of the one it was made of, and its files."""
    chance = Random(f"{seed}:{number}")
    name = chance.choice(sorted(known))
    return name, mutated(known[name], chance), chance


def run(
    known: dict[str, Files], seed: int, numbers: range, seconds: float | None = None, keep: Path | None = None
) -> Tally:
    """Try the cases of these numbers, until the time is over."""
    tally, began = Tally(), time.monotonic()
    for number in numbers:
        name, files, chance = case(known, seed, number)
        form = "protobuf" if "root/model.pb" in known[name] else "json"
        try:
            tally.ends[form, tried(files, chance)] += 1
        except FaultError as fault:
            tally.faults[f"{seed}:{number} ({name})"] = str(fault)
            if keep is not None:
                _keep(keep / f"fault-{seed}-{number}.zip", files, fault)
        if seconds is not None and time.monotonic() - began > seconds:
            break
    return tally


def _keep(path: Path, files: Files, fault: FaultError) -> None:
    import zipfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    path.with_suffix(".txt").write_text("".join(traceback.format_exception(fault)))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Spoilt bundles through the reader and both plans.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds are other bundles")
    parser.add_argument("--op", action="append", choices=sorted(REGISTRY), help="only this op; may be given again")
    parser.add_argument("--case", help="SEED:N, one case again, its fault raised")
    parser.add_argument("--page", action="store_true", help="write the counts into docs/bundles.md")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "nacre-fuzz", help="where faults go")
    args = parser.parse_args(argv)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    known = seeds(args.op or sorted(STRATEGIES))
    if args.case:
        seed, number = map(int, args.case.split(":"))
        name, files, chance = case(known, seed, number)
        print(name, tried(files, chance))
        return 0
    tally = run(known, args.seed, range(1 << 62), args.seconds, args.keep)
    told = f"{len(known)} bundles to start from, seed {args.seed}\n{tally.text()}"
    print(told)
    if args.page:
        PAGE.write_text(between(PAGE.read_text(), "fuzz: written by make fuzz", f"```\n{told}\n```"))
    if tally.faults:
        print(f"their bundles are in {args.keep}; put them into tests/fuzz/corpus when they are cured")
    return bool(tally.faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
