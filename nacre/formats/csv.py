"""CSV records as AWS's SparkML container reads them: Apache Commons CSV in its default format.

RFC 4180 with these habits: empty lines are no records, LF, CR and CRLF all end one, a quote inside an unquoted field
is an ordinary character, and blanks may stand after a closing quote. Python's csv module knows neither the last nor
the sentences of the errors, so a body with quotes is read here; one without is only split.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')
_PLAIN = re.compile(r"[^,\r\n]*")
_BLANKS = re.compile(r"[^\S\r\n\x85\xa0\u2007\u202f]*")
"""What Java's Character.isWhitespace calls blank, line breaks aside."""
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class CsvError(ValueError):
    """A body that is no CSV; the text is Commons CSV's own. `line` counts from 1."""

    def __init__(self, message: str, line: int):
        super().__init__(message)
        self.line = line


def decode(body: bytes) -> str:
    """The text of a body: UTF-8, what is none becomes U+FFFD; a byte order mark stays."""
    return body.decode("utf-8", "replace")


def records(text: str) -> list[list[str]]:
    """All records, a list of fields each, empty lines left out. Raises CsvError."""
    if '"' in text:
        return _scan(text)
    return [line.split(",") for line in plain_lines(text) if line]


def plain_lines(text: str) -> list[str]:
    """The lines of a text without quotes, empty ones in between included, those at its end not."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.rstrip("\n").split("\n")


def inner_blank_line(text: str) -> int | None:
    """The number, from 1, of an empty line that has records before and after it; None if there is none."""
    lines = _QUOTED.sub("x", text) if '"' in text else text  # a line break inside quotes ends no line
    bare = plain_lines(lines)
    first = next((i for i, line in enumerate(bare) if line), len(bare))
    found = next((i for i, line in enumerate(bare[first:], first) if not line), None)
    return None if found is None else found + 1


def _scan(text: str) -> list[list[str]]:
    found: list[list[str]] = []
    record: list[str] = []
    at, end = 0, len(text)
    while True:
        if not record:
            while at < end and text[at] in "\r\n":
                at += 1
            if at == end:
                return found
        field, at = _field(text, at)
        record.append(field)
        if at < end and text[at] == ",":
            at += 1
            continue
        found.append(record)
        record = []


def _field(text: str, at: int) -> tuple[str, int]:
    """The field that begins at `at`, and where the delimiter, line break or end after it stands."""
    if not text.startswith('"', at):
        plain = _PLAIN.match(text, at)
        assert plain is not None, "it matches nothing at all too"
        return plain[0], plain.end()
    quoted = _QUOTED.match(text, at)
    if quoted is None:
        line = _line(text, at)
        raise CsvError(f"(startline {line}) EOF reached before encapsulated token finished", line)
    blanks = _BLANKS.match(text, quoted.end())
    assert blanks is not None, "it matches nothing at all too"
    after = blanks.end()
    if after < len(text) and text[after] not in ",\r\n":
        line = _line(text, after)
        raise CsvError(f"(line {line}) invalid char between encapsulated token and delimiter", line)
    return quoted[1].replace('""', '"'), after


def _line(text: str, at: int) -> int:
    return 1 + len(_LINE_BREAK.findall(text, 0, at))
