"""Training text: lines of tokens, or JSON Lines of `source` and `label`, as one file of lines that fastText reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

from nacre.errors import RequestError, RowError
from nacre.train.rows import data_files

if TYPE_CHECKING:
    from pathlib import Path

LABEL = "__label__"
EXPECTED = "a sentence a line"
LABELLED = f"{LABEL}NAME and tokens, parted by blanks"


def write_lines(path: Path, target: Path, *, labelled: bool) -> int:
    """All sentences of a file, or of a folder's files in order of name, into `target`; how many there are.

    A file whose first line is a JSON object is JSON Lines: `{"source": "…", "label": 4 or [1, 3]}`, as an augmented
    manifest streams it. Empty lines are none. Raises RequestError, or RowError naming file and row: no UTF-8, no
    label where one is needed, no such object.
    """
    count = 0
    with target.open("wb") as sink:
        for file in data_files(path, expected=EXPECTED):
            with file.open("rb") as source:
                count += _copy(file, source, sink, labelled)
    if not count:
        raise RequestError("no sentences", expected="one line or more", got="none", file=str(path))
    return count


def _copy(file: Path, source: BinaryIO, sink: BinaryIO, labelled: bool) -> int:
    count = 0
    as_json: bool | None = None
    for row, raw in enumerate(source, 1):
        text = _decoded(raw.removeprefix(b"\xef\xbb\xbf") if row == 1 else raw, file, row).strip()
        if not text:
            continue
        if as_json is None:
            as_json = text.startswith("{") and is_object(text)
        if as_json:
            text = _line_of(text, file, row, labelled)
        elif labelled and LABEL not in text:
            raise RowError("a line without a label", expected=LABELLED, got=text, file=str(file), row=row)
        sink.write(text.encode() + b"\n")
        count += 1
    return count


def _decoded(raw: bytes, file: Path, row: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        got = f"byte {error.start + 1}, {error.reason}"
        raise RowError("a line that is no UTF-8", expected="UTF-8", got=got, file=str(file), row=row) from None


def is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _line_of(text: str, file: Path, row: int, labelled: bool) -> str:
    """`{"source": …, "label": …}` as a line."""
    where: dict[str, Any] = {"file": str(file), "row": row}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RowError("a line that is no JSON", expected='{"source": "…"}', got=str(error), **where) from None
    source = found.get("source") if isinstance(found, dict) else None
    if not isinstance(source, str):
        raise RowError("a line without a source", expected='{"source": "…"}', got=text, **where)
    words = source.split()
    if labelled:
        given = found.get("label")
        labels = given if isinstance(given, list) else [given]
        if not labels or not all(map(is_label, labels)):
            raise RowError(
                "no label", expected="a number, a word, or a list of them", got=given, field="label", **where
            )
        words = [*(f"{LABEL}{str(label).removeprefix(LABEL)}" for label in labels), *words]
    return " ".join(words)


def is_label(value: Any) -> bool:
    if isinstance(value, str):
        return len(value.split()) == 1 and value == value.strip()
    return isinstance(value, int | float) and not isinstance(value, bool)
