"""What is tried with a spoilt bundle: read, show, write again, build, and score in both plans.

Whatever the bundle, there are three good ends: refused with a NacreError that says what was expected; read but with
rows that cannot be made or scored; scored, with both plans agreeing to the bit. Anything else is a fault.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nacre.bundle.files import BundleFiles
from nacre.bundle.reader import read_files
from nacre.bundle.show import lines
from nacre.bundle.writer import todays
from nacre.errors import NacreError
from nacre.plan.model import MODES, Model
from nacre.plan.types import INTEGERS, Type
from tests import bundles
from tests.contents import contents
from tests.fuzz.mutate import REAL, TEXTS, WHOLE, Files
from tests.fuzz.seeds import written

if TYPE_CHECKING:
    from random import Random
    from types import FrameType

    from nacre.bundle.node import Bundle

SECONDS = 60
"""What one bundle may take at most. The machine may be busy; what this catches never ends."""
WIDE = 2000
"""Rows of wider vectors are not made here: whoever sends them knows what they cost."""
ENDS = ("refused", "not built", "not scored", "scored")


class FaultError(AssertionError):
    """An end that no bundle may have."""


def tried(files: Files, chance: Random) -> str:
    """One of `ENDS`. Raises FaultError."""
    with limited(SECONDS):
        try:
            return _tried(files, chance)
        except FaultError:
            raise
        except Exception as error:
            raise FaultError(f"{type(error).__name__}: {error}") from error


def opened(files: Files) -> BundleFiles:
    """Files in memory as an archive gives them."""
    return BundleFiles("fuzz", {name: len(content) for name, content in files.items()}, files.__getitem__, lambda: None)


def _tried(files: Files, chance: Random) -> str:
    try:
        bundle = read_files(opened(files))
    except NacreError as error:
        return _told("refused", error)
    assert all(line.isprintable() for line in lines(bundle)), "a bundle's texts must not steer the terminal"
    _written_again(bundle)
    try:
        model = Model(bundle, chance.choice(MODES))
    except NacreError as error:
        return _told("not built", error)
    if not model.inputs or any((given.size or 0) > WIDE for given in model.types.values()):
        return "not scored"
    rows = [{name: nasty(given, chance) for name, given in model.inputs.items()} for _ in range(5)]
    try:
        bundles.assert_plans_agree(model, rows)
    except NacreError as error:
        return _told("not scored", error)
    return "scored"


def _told(end: str, error: NacreError) -> str:
    if error.expected is None or not str(error):
        raise FaultError(f"an error that does not say what was expected: {error}")
    return end


def _written_again(bundle: Bundle) -> None:
    """What was read can be written and read again, or is refused; in protobuf it stays the same to the bit."""
    bundle = todays(bundle)
    before = contents_or_none(bundle)
    for form in ("json", bundle.format):
        try:
            again = read_files(opened(written(bundle, form)))
        except NacreError:
            continue
        if form == "protobuf" and before is not None and contents(again) != before:
            raise FaultError("another bundle after it was written again")


def contents_or_none(bundle: Bundle) -> Any:
    """None where a tree in it cannot be read."""
    try:
        return contents(bundle)
    except NacreError:
        return None


def nasty(given: Type, chance: Random) -> Any:
    """A value of a column, seldom a pleasant one."""
    if chance.random() < 0.1:
        return None
    if given.shape == "vector":
        return tuple(chance.choice(REAL) for _ in range(given.size or 0))
    if given.shape == "list":
        return [_scalar(given.base, chance) for _ in range(chance.randrange(4))]
    if given.shape == "map":
        return {chance.choice(TEXTS): _scalar(given.base, chance) for _ in range(chance.randrange(4))}
    return _scalar(given.base, chance)


def _scalar(base: str, chance: Random) -> Any:
    if base == "string":
        return chance.choice(TEXTS)
    if base == "boolean":
        return chance.random() < 0.5
    if base in INTEGERS:
        return chance.choice([x for x in WHOLE if -128 <= x <= 127])
    return chance.choice([x for x in REAL if base == "double" or x != x or (abs(x) < 1e38 and abs(x) != 1e-310)])


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise FaultError where something takes longer."""

    def late(signal: int, frame: FrameType | None) -> None:
        raise FaultError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
