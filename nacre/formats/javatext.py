"""Numbers as Java writes and reads them: what Spark's CAST, MLeap and AWS's container all print and parse.

Writing is `Double.toString` and `Float.toString` with the shortest digits that read back as the same number (JDK 19
and later; older ones print longer digits for a few numbers). Reading is `Double.parseDouble` and its siblings,
which differ from Python's own: `` 1 ``, ``1d``, ``0x1p3`` and ``Infinity`` are numbers, ``nan``, ``inf`` and ``1_000``
are not. What they refuse raises :class:`NumberFormatError` with Java's sentence.
"""

from __future__ import annotations

import math
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class NumberFormatError(ValueError):
    """Java's NumberFormatException; its text is Java's."""


# Writing


def double_text(value: float) -> str:
    """``Double.toString``: plain from 0.001 up to 10,000,000, else ``1.0E7``; -0.0, NaN, Infinity."""
    if 1e-3 <= value < 1e7 or -1e7 < value <= -1e-3 or value == 0.0:
        return repr(value)
    return _scientific(value, repr(value))


def float_text(value: float) -> str:
    """``Float.toString`` of a number that is a float32, given as any float."""
    value = float(value)
    if value == 0.0:
        return repr(value)
    shortest = np.format_float_scientific(np.float32(value), trim="-")
    if 1e-3 <= abs(value) < 1e7:
        return repr(float(shortest))
    return _scientific(value, shortest)


def _scientific(value: float, shortest: str) -> str:
    """Java's layout of a number outside the plain range, from its shortest digits in any layout."""
    if not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    mantissa, _, exponent = shortest.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0").rstrip("0")
    if len(digits) == 1:  # Java shows two digits at least, and the second one may be known: 4.9E-324
        mantissa, _, exponent = f"{abs(value):.1e}".partition("e")
        digits, power = mantissa.replace(".", ""), int(exponent)
    else:
        leading = len(fraction) - len(fraction.lstrip("0")) + 1
        power = int(exponent or 0) + (len(whole) - 1 if whole.strip("0") else -leading)
    return f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{power}"


def double_texts(values: Iterable[float]) -> list[str]:
    """`double_text` of each number; numpy arrays of one dimension are fastest."""
    if isinstance(values, np.ndarray):
        size = np.abs(values)
        if bool(np.all((size >= 1e-3) & (size < 1e7) | (size == 0.0))):
            return list(map(repr, values.tolist()))
        values = values.tolist()
    return [repr(x) if 1e-3 <= x < 1e7 or x == 0.0 else double_text(x) for x in values]


def text_of(value: Any) -> str:
    """Any basic value as Spark's CAST(x AS STRING) prints it; np.float32 is Java's float, float its double."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.float32):
        return float_text(float(value))
    if isinstance(value, float):  # np.float64 is one too
        return double_text(float(value))
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    raise TypeError(f"no basic value: {type(value).__name__}")


# Reading

# Possessive, so that a long text that is no number is found out in one pass
_DECIMAL = re.compile(r"[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?[fFdD]?", re.ASCII)
_HEX = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]++\.?[0-9a-fA-F]*+|\.[0-9a-fA-F]++)[pP][+-]?\d++[fFdD]?", re.ASCII)
_TWO_POINTS = re.compile(r"[+-]?\d*+\.\d*+\.", re.ASCII)
_WORDS = {
    f"{sign}{word}": factor * number
    for sign, factor in (("", 1.0), ("+", 1.0), ("-", -1.0))
    for word, number in (("NaN", math.nan), ("Infinity", math.inf))
}
_INTEGER = re.compile(r"[+-]?\d+")
_DIGITS = 1000
"""Python refuses to read more than 4,300 digits; a number that needs these is out of range anyway."""
_BLANK = "".join(map(chr, range(33)))
"""What Java's trim() takes off: every character up to the space."""


def parse_double(text: str) -> float:
    """``Double.parseDouble``."""
    try:
        value = float(text)
    except ValueError:
        return _odd_double(text)
    # Python alone takes 1_000, other scripts' digits, nan and inf
    if value - value != 0.0 or "_" in text or not text.isascii():
        return _odd_double(text)
    return value


def parse_doubles(texts: Sequence[str]) -> list[float]:
    """`parse_double` of each text, in half the time where all are plain numbers."""
    try:
        values = list(map(float, texts))
    except ValueError:
        return list(map(parse_double, texts))
    together = ",".join(texts)
    if "_" in together or not together.isascii() or not math.isfinite(sum(values)):
        return list(map(parse_double, texts))
    return values


def _odd_double(text: str) -> float:
    bare = text.strip(_BLANK)
    if bare in _WORDS:
        return _WORDS[bare]
    if _DECIMAL.fullmatch(bare):
        return float(_without_suffix(bare))
    if _HEX.fullmatch(bare):
        return _hex_double(bare)
    raise _refused(bare)


def _refused(bare: str) -> NumberFormatError:
    if _TWO_POINTS.match(bare):
        return NumberFormatError("multiple points")
    return NumberFormatError(f'For input string: "{bare}"' if bare else "empty String")


def _hex_double(bare: str) -> float:
    try:
        return float.fromhex(_without_suffix(bare))
    except OverflowError:
        return -math.inf if bare.startswith("-") else math.inf


def _without_suffix(bare: str) -> str:
    return bare[:-1] if bare[-1] in "fFdD" else bare


def parse_float(text: str) -> float:
    """``Float.parseFloat``: the float32 nearest to the decimal itself, as a float."""
    value = parse_double(text)
    single = float32(value)
    if single == value or value != value or not _is_tie(value, single):
        return single
    return _nearest(text, value, single)


def float32(value: float) -> float:
    """A double rounded to float32 and widened again; too large is infinite."""
    try:
        rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return rounded


_FLOAT_MAX = float(np.finfo(np.float32).max)
_FLOAT_SMALLEST_NORMAL = 2.0**-126


def _neighbours(value: float, single: float) -> tuple[float, float]:
    """The two float32 around a double that is none; past the largest stands 2**128, as rounding sees it."""
    if abs(value) > _FLOAT_MAX:
        return math.copysign(_FLOAT_MAX, value), math.copysign(2.0**128, value)
    other = float(np.nextafter(np.float32(single), np.float32(math.copysign(math.inf, value - single))))
    return single, other


def _is_tie(value: float, single: float) -> bool:
    """Whether a double lies half-way between two float32, so that rounding it may not be rounding the decimal."""
    if abs(value) >= _FLOAT_SMALLEST_NORMAL:  # then a tie shows in the 29 bits that a float32 has not
        return bool(struct.unpack("<q", struct.pack("<d", value))[0] & 0x1FFFFFFF == 0x10000000)
    one, other = _neighbours(value, single)
    return value - one == other - value


def _nearest(text: str, value: float, single: float) -> float:
    """The float32 nearest to a decimal whose double is a tie: the decimal itself decides."""
    from fractions import Fraction

    bare = text.strip(_BLANK)
    if _HEX.fullmatch(bare):
        return single
    exact = Fraction(_without_suffix(bare))
    if exact == Fraction(value):
        return single
    low, high = sorted(_neighbours(value, single))
    nearest = high if exact > Fraction(value) else low
    return math.copysign(math.inf, nearest) if abs(nearest) > _FLOAT_MAX else nearest


def _integer_parser(bits: int) -> Callable[[str], int]:
    """``Integer.parseInt`` and siblings: no blanks, no point, within the range; digits of any script."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def parse(text: str) -> int:
        match = _INTEGER.fullmatch(text)
        if match is None or not (text.isascii() or all(c < "\U00010000" for c in text)):
            raise NumberFormatError(f'For input string: "{text}"')
        value = int(text if len(text) < _DIGITS else text[0] + text[1:].lstrip("0")[:_DIGITS])
        if low <= value <= high:
            return value
        if bits < 32 and -(1 << 31) <= value < 1 << 31:
            raise NumberFormatError(f'Value out of range. Value:"{text}" Radix:10')
        raise NumberFormatError(f'For input string: "{text}"')

    return parse


parse_byte = _integer_parser(8)
parse_short = _integer_parser(16)
parse_int = _integer_parser(32)
parse_long = _integer_parser(64)


def parse_boolean(text: str) -> bool:
    """``Boolean.parseBoolean``: true for "true" in any case, else false; never an error."""
    return text.lower() == "true"


def parse_string(text: str) -> str:
    """The text itself."""
    return text


PARSERS: dict[str, Callable[[str], Any]] = {
    "boolean": parse_boolean,
    "byte": parse_byte,
    "short": parse_short,
    "int": parse_int,
    "long": parse_long,
    "float": parse_float,
    "double": parse_double,
    "string": parse_string,
}
"""Type name -> Java's parser of its text."""
