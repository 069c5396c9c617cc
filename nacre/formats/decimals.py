"""Many numbers to and from text at once, with orjson where it is installed: a fifth of the time of one by one.

orjson writes the shortest digits that read back as the same number, and reads to the nearest number, as Python and Java
do; what differs is the layout of very large and very small ones, and what else than plain decimals is a number. So
every function here gives None where the answer could differ, or where orjson is not installed, and its caller goes the
ordinary way. Nothing is refused here.
"""

from __future__ import annotations

from importlib import import_module
from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

try:
    orjson: Any = import_module("orjson")
except ImportError:  # an optional extra
    orjson = None

DECIMAL = b"0123456789.-,"
"""All that a list of plain decimals is made of. Without letters no word and no exponent can be meant."""
JAVA_SMALLEST, JAVA_LARGEST = 1e-3, 1e7
"""Where Java's plain layout begins and ends (exclusive)."""


def read(text: bytes) -> list[float] | None:
    """The numbers of ``1.5,2,-0.0``; whole ones may be ints. None for anything but plain decimals with commas."""
    if orjson is None or text.translate(None, DECIMAL) or (b"-0" in text and _whole_zero(text)):
        return None
    try:
        found: list[float] = orjson.loads(b"[%b]" % text)
    except orjson.JSONDecodeError:
        return None
    return found


def read_floats(text: bytes) -> list[float] | None:
    """The same with all of them floats."""
    found = read(text)
    return found if found is None or text.count(b".") == len(found) else list(map(float, found))


def _whole_zero(text: bytes) -> bool:
    """Whether there is a -0, which orjson reads as the integer 0."""
    return text.count(b"-0") != text.count(b"-0.")


def read_lines(text: bytes) -> np.ndarray | None:
    """Lines of as many such numbers each, as float64 (lines, numbers)."""
    if orjson is None or text.translate(None, DECIMAL + b"\n") or _whole_zero(text):
        return None
    try:
        found = np.array(orjson.loads(b"[[%b]]" % text.replace(b"\n", b"],[")), np.float64)
    except ValueError:  # lines of several lengths too
        return None
    return found if found.ndim == 2 and found.shape[1] else None


def java_line(values: Sequence[float]) -> str | None:
    """`Double.toString` of each, commas between."""
    if orjson is None or type(values) not in (list, tuple):
        return None
    try:
        if not hypot(*values) < JAVA_LARGEST:  # NaN and infinities are not either
            return None
    except TypeError:
        return None
    text: bytes = orjson.dumps(values)
    return None if b"0.000" in text or b"e" in text else text[1:-1].decode()


def java_lines(values: np.ndarray) -> str | None:
    """A line a row of float64 (rows, columns)."""
    if orjson is None or values.dtype != np.float64 or not values.size:
        return None
    size = np.abs(values)
    if not bool(np.all((size >= JAVA_SMALLEST) & (size < JAVA_LARGEST) | (size == 0.0))):
        return None
    text: bytes = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    return text[2:-2].replace(b"],[", b"\n").decode()


def python_line(value: float) -> bytes:
    """Python's repr of a float and a line break; never None."""
    text: bytes = b"e" if orjson is None else orjson.dumps(value)
    return repr(value).encode() + b"\n" if b"0.0000" in text or b"e" in text or b"u" in text else text + b"\n"


def python_lines(values: Sequence[float]) -> bytes | None:
    """Python's repr of each float on a line of its own, the last line's break included."""
    if orjson is None:
        return None
    text: bytes = orjson.dumps(values)
    # Python begins with exponents at 0.0001, orjson at 0.00001; NaN and infinities become null
    return None if b"0.0000" in text or b"e" in text or b"u" in text else text[1:-1].replace(b",", b"\n") + b"\n"
