"""Patterns of `java.util.regex` run by Python's `re`: translated piece by piece, refused where that cannot be exact.

Every class of characters is written out (see `javaclasses`), flags are worked into the pieces they reach, anchors get
Java's line ends. Refused, with the piece named: scripts, blocks and `java…` properties, `\\G`, `\\X`, `\\N`, `\\b{g}`,
the flags d, u, U and x, look-behind of varying length, and what Java itself refuses. Rules are those of Java 17.

One difference is left: Java goes on after an empty match by half of a character beyond 16 bits, and cuts that in two
broken halves (`?` in Spark); here the character stays whole.

Python's engine backtracks, as Java's does: a pattern such as ``(a+)+$`` takes time exponential in the length of some
texts, and nothing stops it once it runs. `JavaRegex.slow` tells such a pattern before it does; see `slowpattern`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

from nacre.formats.javapattern import PatternError, Translator
from nacre.formats.slowpattern import slowness

__all__ = ["JavaRegex", "PatternError", "compiled"]


class JavaRegex:
    """A compiled pattern.

    `run` is set when the whole pattern is one class of characters, or such a class followed by `+`: the set, and
    whether there was a `+`.
    """

    def __init__(self, pattern: str):
        translator = Translator(pattern)
        self.pattern = pattern
        self.source = translator.translated()
        self.run = translator.run
        try:
            self.compiled = re.compile(self.source)
        except (re.error, OverflowError, RecursionError) as error:
            raise PatternError(f"{error}") from None

    @cached_property
    def slow(self) -> str | None:
        """Why some texts can hold it up for ever; None where none can."""
        return slowness(self.source)

    def finds(self, text: str) -> bool:
        """Whether the pattern matches anywhere in a text."""
        return self.compiled.search(text) is not None

    def matches(self, text: str) -> Iterator[tuple[int, int]]:
        """(start, end) of all matches, as ``Matcher.find`` goes on: past an empty match by one character."""
        at = 0
        while at <= len(text) and (match := self.compiled.search(text, at)) is not None:
            yield match.span()
            at = match.end() + (match.end() == match.start())

    def find_all(self, text: str) -> list[str]:
        """The texts of all matches, empty ones included."""
        return [text[start:end] for start, end in self.matches(text)]

    def split(self, text: str) -> list[str]:
        """``Pattern.split``: no empty piece before a match of nothing at the start, none at the end, never no piece."""
        pieces, at = [], 0
        for start, end in self.matches(text):
            if end == 0:
                continue
            pieces.append(text[at:start])
            at = end
        if at == 0:
            return [text]
        pieces.append(text[at:])
        while pieces and not pieces[-1]:
            pieces.pop()
        return pieces


@lru_cache(256)
def compiled(pattern: str) -> JavaRegex:
    """A pattern, compiled once. Raises PatternError."""
    return JavaRegex(pattern)
