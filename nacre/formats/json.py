"""JSON and JSON Lines as AWS's SparkML container (Jackson) reads them.

A duplicate key keeps the last value, whatever follows the first value is ignored, and NaN, Infinity, comments,
single quotes and leading zeros are refused. The text of numbers is not kept: an integer of any size stays an int,
1e400 is infinite.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any, NoReturn

try:
    orjson: Any = import_module("orjson")
except ImportError:  # an optional extra: the standard library reads the same values, more slowly
    orjson = None

NO_CONTENT = "No content to map due to end-of-input"
"""Jackson's words for an empty text."""
_BLANK = " \t\r\n"
_LONG_NUMBER = re.compile(rb"\d{19}")
"""orjson makes floats of integers beyond 64 bits."""
_LINE_BREAK = re.compile(r"\r?\n")


class JsonError(ValueError):
    """A text that is no JSON. `line` and `column` count from 1, None where there is no one place."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None):
        super().__init__(message)
        self.line = line
        self.column = column

    def place(self) -> str | None:
        return None if self.line is None else f"line {self.line}, column {self.column}"


def _constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is no JSON number")


_decoder = json.JSONDecoder(parse_constant=_constant)


def loads(body: bytes) -> Any:
    """The first value of a body in UTF-8, UTF-16 or UTF-32, with or without a byte order mark. Raises JsonError."""
    if orjson is not None and not _LONG_NUMBER.search(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # the standard library decides, and finds the words
    try:
        text = body.decode(json.detect_encoding(body))
    except UnicodeDecodeError as error:
        raise JsonError(f"the body is not {error.encoding}: byte {error.start + 1}, {error.reason}") from None
    return loads_text(text.removeprefix("\ufeff"))


def loads_text(text: str) -> Any:
    """The first value of a text. Raises JsonError."""
    start = len(text) - len(text.lstrip(_BLANK))
    if start == len(text):
        raise JsonError(NO_CONTENT, 1, 0)
    try:
        return _decoder.raw_decode(text, start)[0]
    except JsonError:
        raise
    except json.JSONDecodeError as error:
        raise JsonError(error.msg, error.lineno, error.colno) from None
    except (RecursionError, ValueError) as error:
        raise JsonError(reason(error)) from None


def reason(error: Exception) -> str:
    """Why a text is no JSON, in words of its own where Python's are about Python."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if type(error) is ValueError:  # Python's guard against numbers that take minutes to read
        return "a number of more than 4300 digits"
    return str(error)


def lines(body: bytes) -> list[str]:
    """The lines of a JSON Lines body, empty ones at its end left out; what is no UTF-8 becomes U+FFFD."""
    found = _LINE_BREAK.split(body.decode("utf-8", "replace"))
    while found and not found[-1]:
        found.pop()
    return found


_ESCAPES = {code: f"\\u{code:04X}" for code in range(32)} | {
    ord('"'): '\\"', ord("\\"): "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r",
}  # fmt: skip


def quoted(text: str) -> str:
    """A text as a JSON string, escaped as Jackson escapes: only what must be."""
    return f'"{text.translate(_ESCAPES)}"'
