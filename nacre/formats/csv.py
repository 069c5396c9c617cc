"""CSV records as AWS's SparkML container reads them: Apache Commons CSV in its default format.

RFC 4180 with these habits: empty lines are no records, LF, CR and CRLF all end one, a quote inside an unquoted field
is an ordinary character, and blanks may stand after a closing quote. Python's csv module knows neither the last nor
the sentences of the errors, so a body with quotes is read here; one without is only split.
"""

from __future__ import annotations

import re

BYTE_ORDER_MARK = "\ufeff"
_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')
_PLAIN = re.compile(r"[^,\r\n]*")
_BLANKS = re.compile(r"[^\S\r\n\x85\xa0\u2007\u202f]*")
"""What Java's Character.isWhitespace calls blank, line breaks aside."""
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_LINE_BREAKS = re.compile(r"[\r\n]+")


class CsvError(ValueError):
    """A body that is no CSV; the text is Commons CSV's own. `line` counts from 1."""

    def __init__(self, message: str, line: int):
        super().__init__(message)
        self.line = line


def decode(body: bytes) -> str:
    """The text of a body: UTF-8, what is none becomes U+FFFD; a byte order mark stays."""
    return body.decode("utf-8", "replace")


def records(text: str, keep_empty: bool = False) -> list[list[str]]:
    """All records, a list of fields each. Raises CsvError.

    Empty lines are left out; with `keep_empty` one between two records is an empty list.
    """
    if '"' in text:
        return _scan(text, keep_empty)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.strip("\n").split("\n")
    return [line.split(",") if line else [] for line in lines if line or (keep_empty and len(lines) > 1)]


def _scan(text: str, keep_empty: bool) -> list[list[str]]:
    found: list[list[str]] = []
    at = 0
    while True:
        breaks = _LINE_BREAKS.match(text, at)
        if breaks is not None:
            at = breaks.end()
        if at == len(text):
            return found
        if breaks is not None and keep_empty and found:
            found += [[] for _ in range(len(_LINE_BREAK.findall(breaks[0])) - 1)]
        record, at = _record(text, at)
        found.append(record)


def _record(text: str, at: int) -> tuple[list[str], int]:
    """The record that begins at `at`, and where the line break or end after it stands."""
    field, at = _field(text, at)
    record = [field]
    while text.startswith(",", at):
        field, at = _field(text, at + 1)
        record.append(field)
    return record, at


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
