"""``String.toLowerCase``: Python's own, and what Turkish, Azeri and Lithuanian do otherwise, by Unicode's rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

DOT = "\u0307"
_ABOVE = 230
"""Combining class of the accents that stand above a letter."""
_ACCENTED = {"\u00cc": "i\u0307\u0300", "\u00cd": "i\u0307\u0301", "\u0128": "i\u0307\u0303"}


def lower(text: str) -> str:
    """In the root locale, and in every language but the three."""
    return text.lower()


def lower_in(locale: str) -> Callable[[str], str]:
    """The function for a locale, such as `en_US` or `tr`."""
    language = re.split("[_-]", locale)[0].lower()
    return {"tr": _turkic, "az": _turkic, "lt": _lithuanian}.get(language, lower)


def _turkic(text: str) -> str:
    """I loses its dot, İ keeps it; a dot that is spelt out after an I goes into the i."""
    out, gone = [], -1
    for at, letter in enumerate(text):
        if letter == "\u0130":
            out.append("i")
        elif letter == "I":
            dot = _dot_after(text, at + 1)
            out.append("\u0131" if dot is None else "i")
            gone = gone if dot is None else dot
        elif at != gone:
            out.append(letter)
    return "".join(out).lower()


def _dot_after(text: str, at: int) -> int | None:
    """Where a dot above follows, with nothing but accents that stand elsewhere between."""
    for place in range(at, len(text)):
        if text[place] == DOT:
            return place
        if unicodedata.combining(text[place]) in (0, _ABOVE):
            return None
    return None


def _lithuanian(text: str) -> str:
    """The dot of i, j and į stays where another accent stands above them."""
    out = []
    for at, letter in enumerate(text):
        if letter in _ACCENTED:
            out.append(_ACCENTED[letter])
        elif letter in "IJ\u012e" and _more_above(text, at + 1):
            out.append(letter.lower() + DOT)
        else:
            out.append(letter)
    return "".join(out).lower()


def _more_above(text: str, at: int) -> bool:
    kinds = (unicodedata.combining(letter) for letter in text[at:])
    first = next((kind for kind in kinds if kind in (0, _ABOVE)), 0)
    return first == _ABOVE
