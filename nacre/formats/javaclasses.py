"""Java's character classes as sets of code points: what stands for one character in a `java.util.regex` pattern.

A set is a sorted tuple of ranges (first, last). Python's `re` has neither Java's classes nor intersections, but takes
any set of characters written out, so every class of a pattern is worked out here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

TOP = 0x10FFFF
Chars = tuple[tuple[int, int], ...]


def chars(*ranges: int | str | tuple[int, int]) -> Chars:
    """A set from code points, ranges, and texts that stand for each of their characters."""
    found: list[tuple[int, int]] = []
    for each in ranges:
        if isinstance(each, str):
            found += [(ord(c), ord(c)) for c in each]
        else:
            found.append(each if isinstance(each, tuple) else (each, each))
    return _merged(found)


def _merged(ranges: Iterable[tuple[int, int]]) -> Chars:
    out: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if out and first <= out[-1][1] + 1:
            out[-1] = out[-1][0], max(last, out[-1][1])
        else:
            out.append((first, last))
    return tuple(out)


def union(*sets: Chars) -> Chars:
    return _merged(each for known in sets for each in known)


def complement(known: Chars) -> Chars:
    out, start = [], 0
    for first, last in known:
        if first > start:
            out.append((start, first - 1))
        start = last + 1
    return (*out, (start, TOP)) if start <= TOP else tuple(out)


def intersection(one: Chars, other: Chars) -> Chars:
    return complement(union(complement(one), complement(other)))


def any_case(known: Chars) -> Chars:
    """The set with the other case of its ASCII letters, which is all that Java's (?i) looks at."""
    upper, small = intersection(known, ((65, 90),)), intersection(known, ((97, 122),))
    return union(known, tuple((a + 32, b + 32) for a, b in upper), tuple((a - 32, b - 32) for a, b in small))


def source(known: Chars) -> str:
    """A set as Python's `re` writes it."""
    if not known:
        return "(?!)"
    if known == ((0, TOP),):
        return "(?s:.)"
    inner = "".join(_code(a) if a == b else f"{_code(a)}-{_code(b)}" for a, b in known)
    return f"[{inner}]"


def _code(point: int) -> str:
    return f"\\U{point:08x}" if point > 0xFFFF else f"\\u{point:04x}"


LINE_ENDS = chars(0x0A, 0x0D, 0x85, 0x2028, 0x2029)
DIGIT = chars((48, 57))
WORD = chars((48, 57), (65, 90), (97, 122), "_")
SPACE = chars(" \t\n\x0b\f\r")
HORIZONTAL = chars(" \t", 0xA0, 0x1680, 0x180E, (0x2000, 0x200A), 0x202F, 0x205F, 0x3000)
VERTICAL = chars("\n\x0b\f\r", 0x85, 0x2028, 0x2029)
LETTERS = {"d": DIGIT, "w": WORD, "s": SPACE, "h": HORIZONTAL, "v": VERTICAL}
"""The letters after a backslash that name a set; in upper case they name all the rest."""

_GRAPH = chars((33, 126))
_ALPHA = chars((65, 90), (97, 122))
POSIX = {
    "Lower": chars((97, 122)), "Upper": chars((65, 90)), "ASCII": chars((0, 127)), "Alpha": _ALPHA, "Digit": DIGIT,
    "Alnum": union(_ALPHA, DIGIT), "Punct": intersection(_GRAPH, complement(union(_ALPHA, DIGIT))), "Graph": _GRAPH,
    "Print": chars((32, 126)), "Blank": chars(" \t"), "Cntrl": chars((0, 31), 127),
    "XDigit": chars((48, 57), (65, 70), (97, 102)), "Space": SPACE,
}  # fmt: skip
"""Java's POSIX names, ASCII only."""
CASED = {"Lower", "Upper", "Lu", "Ll", "Lt", "LC"}
"""Names whose meaning under (?i) changed from one Java to the next."""
_CATEGORIES = {
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "LC", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe",
    "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co", "Cn",
}  # fmt: skip


def named(name: str) -> Chars | None:
    r"""The set that ``\p{name}`` stands for, None for a name that is not known here (scripts, blocks, java…)."""
    if name in POSIX:
        return POSIX[name]
    for prefix in ("Is", "general_category=", "gc="):
        if name.startswith(prefix):
            name = name[len(prefix) :]
            break
    return category(name) if name in _CATEGORIES else None


@cache
def category(name: str) -> Chars:
    """All characters of a general category of Unicode, or of the categories that begin with a letter."""
    found = {each for each in _by_category() if each.startswith(name) or (name == "LC" and each in ("Lu", "Ll", "Lt"))}
    return union(*(_by_category()[each] for each in sorted(found)))


@cache
def _by_category() -> dict[str, Chars]:
    runs: dict[str, list[tuple[int, int]]] = {}
    start, known = 0, unicodedata.category(chr(0))
    for point in range(1, TOP + 1):
        kind = unicodedata.category(chr(point))
        if kind != known:
            runs.setdefault(known, []).append((start, point - 1))
            start, known = point, kind
    runs.setdefault(known, []).append((start, TOP))
    return {kind: tuple(ranges) for kind, ranges in runs.items()}


@cache
def boundary_word() -> Chars:
    r"""What ``\b`` takes for part of a word up to Java 18: letters and digits of every script, `_`, and accents.

    Java asks that an accent has a letter before it; one that has none counts as part of a word here all the same.
    """
    return union(category("L"), category("Nd"), category("Mn"), chars("_"))
