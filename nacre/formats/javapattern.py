"""The translation of a `java.util.regex` pattern for Python's `re`, piece by piece; see `javaregex`."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from nacre.formats import javaclasses as sets

if TYPE_CHECKING:
    from nacre.formats.javaclasses import Chars

LONGEST = 20_000
"""Characters of a pattern; a longer one is refused."""
CLASSES = 1000
"""Classes of characters beyond 8 bits, such as `.`: Python takes milliseconds for each when it compiles."""
DEEPEST = 60
"""Groups inside groups; more would exhaust the stack of the parsers."""


class PatternError(ValueError):
    """A pattern that Java refuses too, or that has no exact counterpart here. The text says which piece and where."""


def _unquoted(pattern: str) -> str:
    r"""Without ``\Q…\E``: what stands between is escaped, character by character."""
    out, at = [], 0
    while (start := pattern.find("\\", at)) >= 0:
        if pattern[start : start + 2] != "\\Q":
            out.append(pattern[at : start + 2])
            at = start + 2
            continue
        end = pattern.find("\\E", start + 2)
        inner = pattern[start + 2 : end if end >= 0 else len(pattern)]
        out.append(pattern[at:start])
        out += [c if c.isalnum() or ord(c) > 127 else f"\\{c}" for c in inner]
        at = end + 2 if end >= 0 else len(pattern)
    return "".join([*out, pattern[at:]])


class Translator:
    """Reads a pattern from front to back. `i`, `m`, `s` are the flags in force."""

    def __init__(self, pattern: str):
        if len(pattern) > LONGEST:
            raise PatternError(f"a pattern of {len(pattern)} characters; at most {LONGEST}")
        self.text = _unquoted(pattern)
        self.at = 0
        self.depth = 0
        self.groups = self.classes = 0
        self.names: dict[str, int] = {}
        self.flags = {"i": False, "m": False, "s": False}
        self.run: tuple[Chars, bool] | None = None

    def translated(self) -> str:
        self.run = self._as_run()
        out = self._alternatives()
        if self.at < len(self.text):
            raise self._refused("an unmatched )")
        return out

    def _as_run(self) -> tuple[Chars, bool] | None:
        """The class when the pattern is nothing else, with or without a `+`."""
        try:
            known = self._class_atom()
        except PatternError:
            known = None
        rest = self.text[self.at :]
        self.at = 0
        return (known, rest == "+") if known is not None and rest in ("", "+") else None

    def _class_atom(self) -> Chars | None:
        if self._take("["):
            return self._set()
        if self.text[:1] == "\\":
            self.at = 1
            return self._escaped_set()
        if self.text[:1] and self.text[0] not in "()[]{}.^$*+?|\\":
            self.at = 1
            return sets.chars(self.text[0])
        return None

    # Structure

    def _alternatives(self) -> str:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return "|".join(branches)

    def _sequence(self) -> str:
        out = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            atom = self._atom()
            if atom is not None:
                out.append(atom + self._quantifier())
        return "".join(out)

    def _quantifier(self) -> str:
        found = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})[?+]?").match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def _atom(self) -> str | None:
        c = self._next()
        if c == "(":
            return self._group()
        if c == "[":
            return self._source(self._set())
        if c == "\\":
            return self._escape()
        if c == ".":
            return "(?s:.)" if self.flags["s"] else self._source(sets.complement(sets.LINE_ENDS))
        if c == "^":
            return f"(?:{LINE_START if self.flags['m'] else START})"
        if c == "$":
            return f"(?:{LINE_END if self.flags['m'] else END})"
        if c in "*+?{":
            raise self._refused(f"a dangling {c}")
        return self._source(sets.chars(c))

    def _source(self, known: Chars) -> str:
        self.classes += known[:1] != known and known[-1][1] > 255
        if self.classes > CLASSES:
            raise self._refused(f"more than {CLASSES} classes of characters")
        return sets.source(sets.any_case(known) if self.flags["i"] else known)

    def _group(self) -> str | None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._refused("groups nested too deep")
        before, head = dict(self.flags), self._head()
        if head is None:  # (?i): in force up to the end of the group around it
            self.depth -= 1
            return None
        inner = self._alternatives()
        if not self._take(")"):
            raise self._refused("a group without its end")
        self.flags = before
        self.depth -= 1
        return f"(?:{head}{inner}))" if head != "(" else f"({inner})"

    def _head(self) -> str | None:
        """What opens the group, None when it only sets flags."""
        if not self._take("?"):
            self.groups += 1
            return "("
        for word in (":", "=", "!", ">", "<=", "<!"):
            if self._take(word):
                return f"(?{word}"
        if self._take("<"):
            name = self._until(">", "a group's name")
            if not re.fullmatch("[a-zA-Z][a-zA-Z0-9]*", name) or name in self.names:
                raise self._refused(f"the group name {name!r}")
            self.groups += 1
            self.names[name] = self.groups
            return "("
        return self._flags()

    def _flags(self) -> str | None:
        found = re.compile("([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])").match(self.text, self.at)
        if found is None:
            raise self._refused("a group of an unknown kind")
        on, off, end = found[1], found[2] or "", found[3]
        unknown = set(on + off) - set(self.flags)
        if unknown:
            raise self._refused(f"the flag {min(unknown)}")
        self.at = found.end()
        self.flags |= dict.fromkeys(on, True) | dict.fromkeys(off, False)
        return "(?:" if end == ":" else None

    # Escapes

    def _escape(self) -> str:
        c = self._peek()
        if c in ANCHORS:
            if self.text.startswith("b{", self.at):
                raise self._refused("\\b{…}")
            self.at += 1
            return f"(?:{anchor(c)})"
        if c == "R":
            self.at += 1
            return f"(?:\\r\\n|{sets.source(sets.VERTICAL)})"
        if c == "k" or c in "123456789":
            return self._reference()
        return self._source(self._escaped_set(alone=True))

    def _reference(self) -> str:
        if self._take("k"):
            name = self._until(">", "a group's name") if self._take("<") else ""
            if name not in self.names:
                raise self._refused(f"a reference to the group {name!r}")
            number = self.names[name]
        else:
            number = int(self._next())
            while self._peek().isdigit() and self._peek().isascii() and number * 10 + int(self._peek()) <= self.groups:
                number = number * 10 + int(self._next())
        if number > self.groups:
            raise self._refused(f"a reference to group {number}")
        return f"(?ai:\\{number})" if self.flags["i"] else f"(?:\\{number})"

    def _escaped_set(self, alone: bool = False) -> Chars:
        """What an escape stands for as a set; the backslash is read already."""
        c = self._next()
        if c.lower() in sets.LETTERS:
            known = sets.LETTERS[c.lower()]
            return known if c.islower() else sets.complement(known)
        if c in "pP":
            return self._property(c)
        if c in SIMPLE:
            return sets.chars(SIMPLE[c])
        if c in "0xuc":
            return sets.chars(self._coded(c))
        if c.isascii() and c.isalpha():
            raise self._refused(f"\\{c}")
        if c.isascii() and c.isdigit() and not alone:
            raise self._refused(f"\\{c}")
        return sets.chars(c)

    def _property(self, c: str) -> Chars:
        name = self._until("}", "a property's name") if self._take("{") else self._next()
        known = sets.named(name)
        if known is None or (self.flags["i"] and name.removeprefix("Is") in sets.CASED):
            raise self._refused(f"\\{c}{{{name}}}{' with the flag i' if known else ''}")
        return known if c == "p" else sets.complement(known)

    def _coded(self, c: str) -> int:
        r"""The character of ``\0101``, ``\x41``, ``\x{1F600}``, ``\u0041`` and ``\cA``."""
        if c == "c":
            return ord(self._next()) ^ 64
        form = {"0": "[0-3]?[0-7]{1,2}", "u": "[0-9a-fA-F]{4}", "x": r"[0-9a-fA-F]{2}|\{[0-9a-fA-F]{1,8}\}"}[c]
        found = re.compile(form).match(self.text, self.at)
        if found is None:
            raise self._refused(f"\\{c} without its number")
        self.at = found.end()
        point = int(found[0].strip("{}"), 8 if c == "0" else 16)
        low = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})").match(self.text, self.at)
        if c == "u" and 0xD800 <= point < 0xDC00 and low is not None:
            self.at = low.end()
            return 0x10000 + (point - 0xD800 << 10) + (int(low[1], 16) - 0xDC00)
        if point > sets.TOP:
            raise self._refused(f"the character {found[0]}")
        return point

    # Classes in brackets; the first bracket is read already

    def _set(self) -> Chars:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._refused("classes nested too deep")
        negated = self._take("^")
        known: Chars = ()
        empty = True
        while True:
            if self._peek() == "]" and not empty:
                break
            if self.text.startswith("&&", self.at):
                self.at += 2
                right = self._right_side()
                known = right if empty else sets.intersection(known, right)
            else:
                known = sets.union(known, self._member())
            empty = False
        self.at += 1
        self.depth -= 1
        if self.flags["i"]:
            known = sets.any_case(known)
        return sets.complement(known) if negated else known

    def _right_side(self) -> Chars:
        """What follows ``&&``: classes in brackets, or plain members up to the end."""
        known: Chars = ()
        bracketed = self._peek() == "["
        if self._peek() in "]&":
            raise self._refused("an intersection with nothing")
        while self._peek() != "]" and not self.text.startswith("&&", self.at):
            if (self._peek() == "[") != bracketed:
                raise self._refused("brackets and plain characters mixed after &&")
            known = sets.union(known, self._member())
        return sets.any_case(known) if self.flags["i"] else known

    def _member(self) -> Chars:
        c = self._next()
        if c == "[":
            return self._set()
        first = self._escaped_set() if c == "\\" else sets.chars(c)
        if self._peek() != "-" or self.text[self.at + 1 : self.at + 2] in ("]", "[", ""):
            return first
        if len(first) != 1 or first[0][0] != first[0][1]:
            return first  # \w-z: a class, a hyphen, and a letter
        self.at += 1
        d = self._next()
        last = self._escaped_set() if d == "\\" else sets.chars(d)
        if len(last) != 1 or last[0][0] != last[0][1] or last[0][0] < first[0][0]:
            raise self._refused("a range whose end comes before its start")
        return ((first[0][0], last[0][0]),)

    # Characters

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else "\0"

    def _next(self) -> str:
        if self.at >= len(self.text):
            raise self._refused("the end of the pattern, where more was to come")
        self.at += 1
        return self.text[self.at - 1]

    def _take(self, word: str) -> bool:
        found = self.text.startswith(word, self.at)
        self.at += len(word) * found
        return found

    def _until(self, end: str, what: str) -> str:
        stop = self.text.find(end, self.at)
        if stop < 0:
            raise self._refused(f"{what} without its end")
        name, self.at = self.text[self.at : stop], stop + 1
        return name

    def _refused(self, what: str) -> PatternError:
        return PatternError(f"{what} at character {self.at} of {self.text!r:.100}")


SIMPLE = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
ANCHORS = "bBAzZ"
START = r"\A"
_BARE_ENDS = r"[\r\u0085\u2028\u2029]"
END = rf"\Z|(?=\r\n\Z|{_BARE_ENDS}\Z)|(?<!\r)(?=\n\Z)"
"""The end, or before a line end that is the last thing; never between the two of a \\r\\n."""
LINE_END = rf"\Z|(?={_BARE_ENDS})|(?<!\r)(?=\n)"
LINE_START = r"(?!\Z)(?:\A|(?<=[\n\u0085\u2028\u2029])|(?<=\r)(?!\n))"
"""Never at the very end, not even of an empty text."""


@cache
def anchor(letter: str) -> str:
    r"""``\b``, ``\B``, ``\A``, ``\z``, ``\Z``."""
    if letter in "AzZ":
        return {"A": START, "z": r"\Z", "Z": END}[letter]
    word = sets.source(sets.boundary_word())
    if letter == "b":
        return f"(?<={word})(?!{word})|(?<!{word})(?={word})"
    return f"(?<={word})(?={word})|(?<!{word})(?!{word})"
