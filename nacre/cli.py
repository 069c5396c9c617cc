"""The command `nacre`: one table from a verb to the function that does it, imported when it is called.

Every verb is a `main(argv: list[str]) -> int` that parses its own arguments with argparse. argparse and not click:
it is in the standard library, so a base install stays numpy and pyarrow, and it costs a verb 6 ms where click costs
25 ms; what click adds (nested groups) is this table.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from nacre.errors import NacreError, SetupError
from nacre.handlers import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable


class Verb(NamedTuple):
    """Where a verb is (`module:function`) and what it does, in one line."""

    target: str
    help: str


VERBS = {
    "demo": Verb("nacre.demo:main", "Run the whole chain on Abalone: fit, bundle, train, serve, batch, compare"),
    "convert": Verb("nacre.spark.convert:main", "Write a bundle from a saved Spark model, without a JVM"),
    "show": Verb("nacre.bundle.show:main", "Print what a bundle holds, without building it"),
    "verify": Verb("nacre.proof.verify:main", "Score the rows a bundle carries and compare with Spark's answers"),
    "score": Verb("nacre.transform.score:main", "Score a CSV, JSON Lines or Parquet file with one bundle"),
    "serve": Verb("nacre.serving.server:main", f"Run one container: {', '.join(KINDS)}"),
    **{f"train {kind}": Verb(known.trainer, known.training) for kind, known in KINDS.items() if known.trainer},
    "transform": Verb("nacre.serving.opening:transform", "Score files in batch with a whole chain"),
    "bench": Verb("nacre.cli:bench", "Run the benchmarks of the checkout"),
    "doctor": Verb("nacre.doctor:main", "Say what this machine has, what is missing and how to get it"),
    "version": Verb("nacre.cli:version", "Print the version"),
}

HELP = {"-h", "--help", "help"}
OPTIONS = {
    "-h, --help": "Show this text; `nacre VERB --help` shows a verb's own",
    "--version": "Print the version",
    "--json": "Print an error as the platform's JSON body instead of a line",
}


def usage(group: str = "") -> str:
    """The text of `nacre --help`, or of `nacre GROUP --help` for verbs of two words."""
    verbs = {name: verb for name, verb in VERBS.items() if name.startswith(group)}
    width = max(map(len, [*verbs, *OPTIONS])) + 2
    lines = [f"Usage: nacre [--json] {group or 'VERB '}[arguments]", "", "Verbs:"]
    lines += [f"  {name:<{width}}{verb.help}" for name, verb in verbs.items()]
    lines += ["", "Options:"]
    lines += [f"  {name:<{width}}{text}" for name, text in OPTIONS.items()]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    if arguments[:1] == ["--json"]:  # ours; after the verb it is the verb's own option too
        del arguments[0]
    try:
        code = dispatch(arguments)
        sys.stdout.flush()  # a reader that has gone away is noticed here, not by the interpreter at exit
    except NacreError as error:
        return report(error, as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("nacre: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001  the last place before the user, who must not see a stack trace
        return report(unexpected(error), as_json)
    return code


def dispatch(arguments: list[str]) -> int:
    for words in (2, 1):  # `train xgboost` is one verb
        if (name := " ".join(arguments[:words])) in VERBS:
            return load(name)(arguments[words:])
    if arguments[:1] == ["--version"]:
        return version(arguments[1:])
    group = next((f"{arguments[0]} " for name in VERBS if arguments and name.startswith(f"{arguments[0]} ")), "")
    asked = arguments[bool(group) :]
    if asked and asked[0] not in HELP:
        wrong = " ".join(arguments[: 1 + bool(group)])
        print(f"nacre: unknown verb {wrong!r}{nearest(wrong)}; `nacre --help` lists them", file=sys.stderr)
        return 2
    print(usage(group), file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def load(name: str) -> Callable[[list[str]], int]:
    """The function behind a verb. Raises SetupError when a package it needs is not installed."""
    from importlib import import_module

    module, function = VERBS[name].target.split(":")
    try:
        found: Callable[[list[str]], int] = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        raise missing_package(error) from error
    return found


def nearest(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, VERBS, n=1)
    return f", did you mean {close[0]!r}" if close else ""


def report(error: NacreError, as_json: bool) -> int:
    if as_json:
        from json import dumps

        print(dumps(error.body(), default=str), file=sys.stderr)
    else:
        print(f"nacre: {error}", file=sys.stderr)
    return error.exit_code


def unexpected(error: Exception) -> NacreError:
    """An exception nobody meant to raise, as one sentence; NACRE_TRACEBACK=1 shows the trace to who looks for it."""
    if os.environ.get("NACRE_TRACEBACK"):
        raise error
    if isinstance(error, ModuleNotFoundError):
        return missing_package(error)
    if isinstance(error, OSError) and error.filename is not None:
        return SetupError(error.strerror or str(error), file=str(error.filename))
    fix = "This is a fault in nacre: run again with NACRE_TRACEBACK=1 and report what it prints"
    return NacreError(f"unexpected {type(error).__name__}", got=str(error), fix=fix)


def missing_package(error: ModuleNotFoundError) -> NacreError:
    from nacre.doctor import extra_with

    package = (error.name or "").split(".")[0]
    if package == "nacre":  # our own module: the installation is incomplete
        return SetupError(f"this installation has no module {error.name}", fix="Install nacre again")
    extra = extra_with(package)
    fix = f"pip install 'nacre[{extra}]'" if extra else "Run `nacre doctor`"
    return SetupError(f"the package {package} is not installed", fix=fix)


def version(argv: list[str]) -> int:
    from argparse import ArgumentParser

    from nacre import __version__

    ArgumentParser(prog="nacre version", description=VERBS["version"].help).parse_args(argv)
    print(f"nacre {__version__}")
    return 0


def bench(argv: list[str]) -> int:
    """Run `benchmarks/NAME.py` of the checkout, or all of them, each as a program of its own."""
    from argparse import ArgumentParser
    from subprocess import call

    from nacre.share import checkout

    parser = ArgumentParser(prog="nacre bench", description=VERBS["bench"].help)
    parser.add_argument("name", nargs="*", help="names of benchmarks, all when none is given")
    known = sorted(path.stem for path in here.glob("benchmarks/[!_]*.py")) if (here := checkout()) else []
    parser.epilog = f"benchmarks: {', '.join(known) or 'none, they come with a checkout'}"
    wanted = parser.parse_args(argv).name or known
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"unknown benchmark {', '.join(unknown)}; {parser.epilog}")
    if here is None or not known:
        raise SetupError("no benchmarks here", fix="Clone the repository and run `make bench` in it")
    failed = [name for name in wanted if call([sys.executable, here / "benchmarks" / f"{name}.py"])]
    if failed:
        raise NacreError(f"benchmark failed: {', '.join(failed)}")
    return 0
