"""Writes the derived pages of docs/ and the folders of containers/: `make docs`. `--check` writes nothing and fails if
one is out of date.

Each comes from the table that declares its matter, so it cannot say anything else than the code does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacre.handlers.base import Setting
    from nacre.stages import Stage

CHECKOUT = Path(__file__).resolve().parents[1]
NOTE = "<!-- Written by docs/build.py (`make docs`); edit what it reads instead. -->\n"
LONGEST = 240
"""Characters of an answer in a table."""
FIXED = {"COLUMNS": "100", "NO_COLOR": "1"}
"""Makes argparse write the same help on every terminal."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines) + "\n"


def commands() -> str:
    """The verbs of `nacre`, each with its own help."""
    from nacre.cli import VERBS, usage

    parts = [f"# The command line\n\n```\n{usage()}\n```\n"]
    parts += [f"## nacre {name}\n\n```\n{help_of(name)}\n```\n" for name in VERBS]
    return "\n".join(parts)


def help_of(verb: str) -> str:
    command = [sys.executable, "-m", "nacre", *verb.split(), "--help"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | FIXED)
    return told.stdout.rstrip()


OPS = """# Ops

Every Bundle.ML op that Nacre scores and writes, as its class declares it: the Spark classes it stands for, the first
version of MLeap's runtime that reads it, the plans that score it, and how near it is to Spark's numbers.
"""
CLASSES = """## The classes of PySpark

Every transformer and model of `pyspark.ml`, and what becomes of it. A model of `pyspark.ml.connect` is none of these:
it is saved in a layout of its own and not written. Stages of the `xgboost` and MLeap packages are in the table above.
"""


def short(spark_class: str) -> str:
    """A class name without the packages that say nothing."""
    return spark_class.removeprefix("org.apache.spark.ml.")


def read_by(cls: type[Stage]) -> str:
    """Which MLeap reads an op, and what 0.20 does not know of it."""
    if cls.op.startswith("nacre."):
        return "none: Nacre only"
    if cls.op.startswith("xgboost."):
        return "0.8 on, with its xgboost jar"
    if cls.package:
        return f"0.8 on, with its {cls.package} jar"
    words = [each for attr in cls.attributes for each in attr.newer.items()]
    later = [f"{word} {version + ' on' if version else 'never'}" for word, version in words]
    return f"{cls.since or '0.8'} on{'; ' if later else ''}{', '.join(later)}"


def plans(cls: type[Stage]) -> str:
    """Which of the two plans an op has a kernel for."""
    from nacre.stages import Stage

    kernels = {"columns": cls.columns is not Stage.columns, "row": cls.row is not Stage.row}
    found = " and ".join(name for name, there in kernels.items() if there) or "those of its children"
    return f"{found}, with nacre[{cls.package}]" if cls.package else found


def ops() -> str:
    """What each Stage declares."""
    from nacre.plan.refused import REFUSED
    from nacre.spark.accounts import accounts
    from nacre.stages import REGISTRY

    parts = [OPS]
    rows = [
        [
            f"[{op}](#{op.replace('.', '')})",
            ", ".join(map(short, cls.spark_classes)),
            read_by(cls),
            plans(cls),
            cls.exact,
        ]
        for op, cls in sorted(REGISTRY.items())
    ]
    parts.append(table(["op", "Spark classes", "read by MLeap", "plans", "equal to Spark"], rows))
    parts.append("Read and shown, but not scored:\n")
    parts.append(table(["op", "why"], [[f"`{op}`", why] for op, why in sorted(REFUSED.items())]))
    parts.append(CLASSES)
    parts.append(table(["class", "written as"], [[f"`{each.name}`", each.text] for each in accounts()]))
    for op, cls in sorted(REGISTRY.items()):
        attributes = [[f"`{a.name}`", a.kind, repr(a.default), a.meaning] for a in cls.attributes]
        about = (cls.__doc__ or "").split("\n\n")[0].strip()
        parts.append(f"## {op}\n\n{about}\n")
        if attributes:
            parts.append(table(["attribute", "kind", "default", "meaning"], attributes))
    return "\n".join(parts)


def settings() -> str:
    """The environment variables of the containers."""
    from nacre.chain import rules
    from nacre.handlers import KINDS, container, handler_class
    from nacre.serving import engine
    from nacre.serving import settings as server

    def part(title: str, declared: Sequence[Setting]) -> str:
        rows = [[f"`{s.name}`", "" if s.default is None else f"`{s.default}`", s.help] for s in declared]
        return f"## {title}\n\n{table(['variable', 'default', 'meaning'], rows) if rows else 'None of its own.'}\n"

    parts = ["# Settings of a container\n", part("Every container", [*container.SETTINGS, *server.SETTINGS])]
    parts.append(part("A chain", [*rules.SETTINGS, *engine.SETTINGS]))
    return "\n".join([*parts, *(part(kind, handler_class(kind).settings) for kind in KINDS)])


ERRORS = """# Bad requests

What each container answers to requests that are bad: every line was sent to a running server and is sent again by the
tests (`tests/bad`), log line included. `…` stands for anything. No answer holds a stack trace; where a script of yours
fails, its own stands in the log. `command` answers what the command does.

Broken HTTP is answered by the server in front of the app; these are gunicorn's answers, Granian has its own words.

Under gunicorn a request that has not arrived in whole within `SAGEMAKER_MODEL_SERVER_TIMEOUT` seconds (60) gets 408.
Until it is whole it takes no thread, so slow clients hold up nobody; a worker keeps up to 1,000 connections and 512 MB
of unfinished bodies (then 503). An answer that a client does not take within that time is given up. Granian gives a
thread to each request whose head has come, however slow the body: put it where clients are trusted or behind a proxy.
"""


def errors() -> str:
    """The bad requests of each kind, from the tests' tables."""
    from json import loads

    parts = [ERRORS]
    for path in sorted((CHECKOUT / "tests" / "bad").glob("*.jsonl")):
        lines = [loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rows = [[each["request"], str(each["status"] or "closed"), code(each["body"])] for each in lines]
        parts.append(f"## {path.stem}\n\n{table(['request', 'status', 'body'], rows)}")
    return "\n".join(parts)


def code(text: str) -> str:
    """A text in a cell, on one line and not too long."""
    line = " ".join(text.replace("`", "'").split())
    line = line if len(line) <= LONGEST else line[:LONGEST].rstrip("…") + "…"
    return f"`{line}`" if line else ""


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "ops.md": ops,
    "settings.md": settings,
    "errors.md": errors,
}


def main(argv: Sequence[str] | None = None) -> int:
    from dockerfiles import folders  # beside this program; what else is here is also imported from elsewhere

    parser = argparse.ArgumentParser(description="Write the derived pages of docs/ and the folders of containers/.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    check = parser.parse_args(argv).check
    files = {Path("docs", name): (NOTE + page().rstrip() + "\n", 0o644) for name, page in PAGES.items()} | folders()
    stale = [path for path, wanted in files.items() if found(path) != wanted]
    for path in stale:
        print(f"{path} {'is out of date: make docs' if check else 'written'}")
        if not check:
            write(path, *files[path])
    return 1 if check and stale else 0


def found(path: Path) -> tuple[str, int] | None:
    """Text and mode of a file of the checkout as it is; of the mode only whether it is a program."""
    here = CHECKOUT / path
    if not here.is_file():
        return None
    return here.read_text(encoding="utf-8"), 0o755 if here.stat().st_mode & 0o100 else 0o644


def write(path: Path, text: str, mode: int) -> None:
    here = CHECKOUT / path
    here.parent.mkdir(exist_ok=True)
    here.write_text(text, encoding="utf-8")
    here.chmod(mode)


if __name__ == "__main__":
    raise SystemExit(main())
