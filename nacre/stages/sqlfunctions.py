"""The functions that nacre.sql's expressions call, one value at a time, as Spark defines them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from nacre.formats.javatext import NumberFormatError, double_text, float32, float_text, parse_double, text_of
from nacre.plan.maths import exp, log, power
from nacre.plan.types import BITS, INTEGERS

NULL_OUTSIDE = ("log", "log10", "log2", "log1p")
"""NULL where the logarithm does not exist."""


def _log(x: float) -> float | None:
    return None if x <= 0.0 else log(x)


def _log10(x: float) -> float | None:
    return None if x <= 0.0 else math.log10(x)


def _log2(x: float) -> float | None:
    """Spark divides two natural logarithms."""
    return None if x <= 0.0 else log(x) / math.log(2.0)


def _log1p(x: float) -> float | None:
    return None if x <= -1.0 else math.log1p(x)


def _sqrt(x: float) -> float:
    return math.nan if x < 0.0 else math.sqrt(x)


DOUBLES: dict[str, Callable[..., float | None]] = {
    "exp": exp, "log": _log, "log10": _log10, "log2": _log2, "log1p": _log1p, "sqrt": _sqrt, "pow": power,
}  # fmt: skip


def to_long(x: float) -> int:
    """Java's conversion: NaN is 0, what is too large saturates."""
    if x != x:
        return 0
    return int(max(min(x, 2.0**63), -(2.0**63))) - (1 if x >= 2.0**63 else 0)


def _floor(x: float) -> int:
    return to_long(x if math.isinf(x) or x != x else float(math.floor(x)))


def _ceil(x: float) -> int:
    return to_long(x if math.isinf(x) or x != x else float(math.ceil(x)))


def _round(x: float, places: int) -> float:
    """Half up on the decimal digits that Java prints."""
    if not math.isfinite(x):
        return x
    return float(_rounded(Decimal(double_text(x)), places))


def _rounded(x: Decimal, places: int) -> Decimal:
    scaled = x.scaleb(places)
    if scaled == scaled.to_integral_value():
        return x + 0
    return scaled.to_integral_value(ROUND_HALF_UP).scaleb(-places)


def round_integer(x: int, places: int) -> int:
    if places >= 0:
        return x
    step: int = 10**-places
    half = (abs(x) + step // 2) // step * step
    return half if x >= 0 else -half


def _substring(text: str, start: int, count: int) -> str:
    """From 1; 0 counts as 1, a negative start from the end."""
    begin = start - 1 if start > 0 else len(text) + start if start < 0 else 0
    end = begin + count
    return text[max(begin, 0) : max(end, 0)]


OTHERS: dict[str, Callable[..., Any]] = {
    "floor": _floor, "ceil": _ceil, "round": _round, "length": len, "substring": _substring,
    "upper": str.upper, "lower": str.lower, "concat": lambda *texts: "".join(texts),
    "trim": lambda text: text.strip(" "), "ltrim": lambda text: text.lstrip(" "),
    "rtrim": lambda text: text.rstrip(" "),
}  # fmt: skip


def remainder(x: float, y: float) -> float:
    """Java's %: the sign of x."""
    return math.nan if math.isinf(x) or x != x or y != y else math.fmod(x, y)


def remainder_integer(x: int, y: int) -> int:
    left = abs(x) % abs(y)
    return left if x >= 0 else -left


def wrapper(bits: int) -> Callable[[int], int]:
    """An integer wrapped around to so many bits."""
    half, whole = 1 << bits - 1, 1 << bits
    return lambda x: (x + half) % whole - half


def like(pattern: str) -> Callable[[str], Any]:
    """LIKE: % for any text, _ for one character, a backslash before either for itself.

    What stands between two % is of one length, so the first place where it fits is as good as any other, and is not
    given back (``(?>…)``): else the time would grow with the text's length to the power of the number of %.
    """
    pieces, n = [""], 0
    while n < len(pattern):
        sign = pattern[n]
        if sign == "%":
            pieces.append("")
        elif sign == "\\" and n + 1 < len(pattern):
            n += 1
            pieces[-1] += re.escape(pattern[n])
        else:
            pieces[-1] += "." if sign == "_" else re.escape(sign)
        n += 1
    first, *others = pieces
    inner = "".join(f"(?>.*?{piece})" for piece in others[:-1] if piece)
    return re.compile(first + inner + (f".*{others[-1]}" if others else ""), re.DOTALL).fullmatch


# Casts

BLANK = "".join(map(chr, range(33)))
"""What Spark takes off both ends of a text before it reads a number."""
WHOLE = re.compile(r"([+-]?)(\d+)(\.\d*)?", re.ASCII)
TRUE, FALSE = ("t", "true", "y", "yes", "1"), ("f", "false", "n", "no", "0")


def may_refuse(source: str, base: str) -> bool:
    """Whether a cast may find no value: Spark 4 refuses the row then, Spark 3 gives NULL."""
    if source == "string":
        return base != "string"
    return base in INTEGERS and source in ("double", "float", "decimal", *INTEGERS)


def caster(source: str, base: str, ansi: bool) -> Callable[[Any], Any]:
    """CAST between basic types; None where there is no value."""
    if base == "string":
        return float_text if source == "float" else double_text if source == "double" else _text
    if base == "boolean":
        return _to_boolean if source == "string" else lambda x: x != 0
    if base == "double":
        return _to_double if source == "string" else float
    if base == "float":
        return lambda x: float32(float(x))
    bits = BITS[base]
    if source == "string":
        return lambda text: _to_integer(text, bits, ansi)
    if source in ("double", "float"):
        return lambda x: _truncated(x, bits, ansi)
    return lambda x: _narrowed(int(x), bits, ansi)


def _text(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else text_of(value)


def _to_boolean(text: str) -> bool | None:
    word = text.strip(BLANK).lower()
    return True if word in TRUE else False if word in FALSE else None


def _to_double(text: str) -> float | None:
    bare = text.strip(BLANK)
    try:
        return parse_double(bare)
    except NumberFormatError:
        word = bare.lower()
        sign = -1.0 if word.startswith("-") else 1.0
        if word.lstrip("+-") in ("inf", "infinity") and len(word) - len(word.lstrip("+-")) <= 1:
            return sign * math.inf
        return math.nan if word == "nan" else None


def _to_integer(text: str, bits: int, ansi: bool) -> int | None:
    """Spark 3 cuts a fraction off."""
    match = WHOLE.fullmatch(text.strip(BLANK))
    if match is None or len(match[2]) > 400 or (ansi and match[3] is not None):
        return None
    value = int(match[1] + match[2])
    return value if -(1 << bits - 1) <= value < 1 << bits - 1 else None


def _truncated(x: float, bits: int, ansi: bool) -> int | None:
    """Spark 3 saturates at 32 or 64 bits, then wraps to fewer."""
    if ansi:
        return int(x) if -(1 << bits - 1) - 1 < x < 1 << bits - 1 or x == -(1 << bits - 1) else None
    if bits == 64:
        return to_long(x)
    limit = 1 << 31
    value = 0 if x != x else int(max(min(x, float(limit - 1)), float(-limit)))
    return wrapper(bits)(value)


def _narrowed(x: int, bits: int, ansi: bool) -> int | None:
    if ansi:
        return x if -(1 << bits - 1) <= x < 1 << bits - 1 else None
    return wrapper(bits)(x)
