"""The BlazingText container: a fastText model behind the contract of AWS's own.

Sources: AWS's guide ("BlazingText algorithm", inference) and recorded answers. A classifier answers labels and their
probabilities, word vectors answer vectors. The answer has the type of the request: Accept counts for nothing, as
there. Ours besides, off under `NACRE_COMPAT=aws`: `text/csv` and `text/plain` with a sentence a line.
"""

from __future__ import annotations

import json
import re
from json import dumps
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from nacre.errors import RequestError, RowError, SchemaError
from nacre.formats import csv
from nacre.formats.headers import UTF8, media_type
from nacre.formats.json import reason
from nacre.handlers.base import COMPAT, Handler, Reply, Setting, as_aws
from nacre.handlers.blazingtext_model import FastText

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

JSON, JSON_LINES, CSV, PLAIN = "application/json", "application/jsonlines", "text/csv", "text/plain"
INSTANCES = '{"instances": ["a sentence", …], "configuration": {"k": 1}}'
SOURCE = '{"source": "a sentence", "k": 1}'


class Question(NamedTuple):
    """A sentence or a word, and how many labels are wanted."""

    text: str
    k: int = 1


class Frame(NamedTuple):
    """A decoded request, or its answers: an object a question, in the order its keys are written."""

    kind: str
    """The content type, without parameters."""
    rows: list[Any]


class BlazingText(Handler):
    """Frames: questions after `decode`, answers after `predict`."""

    kind: ClassVar[str] = "blazingtext"
    settings: ClassVar[tuple[Setting, ...]] = (COMPAT,)

    def __init__(self, model: FastText, env: Mapping[str, str]):
        self.model = model
        self.compat = as_aws(env)
        self.types = (JSON, JSON_LINES) if self.compat else (JSON, JSON_LINES, CSV, PLAIN)

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str]) -> BlazingText:
        return cls(FastText.load(model_dir), env)

    def negotiate(self, content_type: str | None, accept: str | None) -> None:
        self.type_of(content_type)

    def type_of(self, content_type: str | None) -> str:
        """Without parameters; JSON if there is none. Raises RequestError, 415, for another charset too: sentences in
        it would be read as other words."""
        name, parameters = media_type(content_type or JSON)
        charset = parameters.get("charset", UTF8[0]).lower()
        if name in self.types and not (charset in UTF8 or self.compat):
            raise RequestError("unsupported charset", status=415, expected=UTF8[0], got=content_type)
        if name not in self.types:
            expected = " or ".join(self.types)
            raise RequestError("unsupported content type", status=415, expected=expected, got=content_type)
        return name

    # Bytes in

    def decode(self, body: bytes, content_type: str | None) -> Frame:
        kind = self.type_of(content_type)
        if kind == JSON:
            return Frame(kind, instances(body))
        text = decoded(body)
        rows = {JSON_LINES: sources, CSV: records, PLAIN: sentences}[kind](text)
        if not rows:
            raise RequestError("no rows", expected="a sentence a line", got="an empty body")
        return Frame(kind, rows)

    def from_table(self, table: pa.Table) -> Frame:
        """The column `source`, or the only column of texts. Raises SchemaError; a null is a RowError."""
        import pyarrow as pa

        strings = (pa.string(), pa.large_string())
        texts = [field.name for field in table.schema if field.type in strings]
        name = "source" if "source" in texts else texts[0] if len(texts) == 1 else None
        if name is None:
            got = ", ".join(f"{field.name} {field.type}" for field in table.schema) or "no columns"
            raise SchemaError("no column of sentences", expected="source, or one column of texts", got=got)
        return Frame(PLAIN, [question(text, 1, row) for row, text in enumerate(table.column(name).to_pylist(), 1)])

    # Answers

    def predict(self, frame: Frame) -> Frame:
        answer = self._labels if self.model.supervised else self._vector
        try:
            return Frame(frame.kind, [answer(each) for each in frame.rows])
        except RuntimeError as error:  # C++: a score that is no number
            raise RowError("fastText cannot score this", expected="a score", got=str(error)) from None

    def _labels(self, asked: Question) -> dict[str, Any]:
        labels, probabilities = self.model.labels(asked.text, asked.k)
        return {"label": labels, "prob": probabilities}

    def _vector(self, asked: Question) -> dict[str, Any]:
        return {"vector": self.model.vector(asked.text), "word": asked.text}

    # Bytes out

    def encode(self, frame: Frame, accept: str | None) -> Reply:
        if frame.kind == JSON:
            return Reply(dumps(frame.rows).encode(), JSON)
        if frame.kind == CSV:
            return Reply("".join(map(csv_line, frame.rows)).encode(), f"{CSV}; charset=utf-8")
        return Reply("".join(f"{dumps(row)}\n" for row in frame.rows).encode(), JSON_LINES)

    def to_array(self, frame: Frame) -> pa.Array:
        """Vectors, or structs of labels and probabilities."""
        import pyarrow as pa

        if not self.model.supervised:
            return pa.array([row["vector"] for row in frame.rows], pa.list_(pa.float64()))
        kind = pa.struct({"label": pa.list_(pa.string()), "prob": pa.list_(pa.float64())})
        return pa.array(frame.rows, kind)


# Requests


def decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"byte {error.start + 1}, {error.reason}"
        raise RequestError("the body is not UTF-8", expected="UTF-8", got=got) from None


def instances(body: bytes) -> list[Question]:
    """Of `{"instances": […], "configuration": {"k": n}}`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError("the body is no JSON", expected=INSTANCES, got=reason(error)) from None
    given = found.get("instances") if isinstance(found, dict) else None
    if not isinstance(given, list) or not given:
        raise RequestError("no instances", expected=INSTANCES, got=found, field="instances")
    configuration = found.get("configuration") or {}
    if not isinstance(configuration, dict):
        raise RequestError("no configuration", expected='{"k": 1}', got=configuration, field="configuration")
    k = whole(configuration.get("k", 1))
    return [question(text, k, row) for row, text in enumerate(given, 1)]


def sources(text: str) -> list[Question]:
    """Of `{"source": …, "k": n}` lines."""
    found = []
    for row, line in enumerate(lines_of(text), 1):
        try:
            given = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RowError("a line that is no JSON", expected=SOURCE, got=reason(error), row=row) from None
        if not isinstance(given, dict):
            raise RowError("a line that is no object", expected=SOURCE, got=given, row=row)
        found.append(question(given.get("source"), whole(given.get("k", 1), row=row), row, "source"))
    return found


def records(text: str) -> list[Question]:
    """Of CSV: the fields of a record are its tokens, so that a quoted sentence and a list of words are the same."""
    try:
        found = csv.records(text, keep_empty=True)
    except csv.CsvError as error:
        raise RequestError(str(error), expected="CSV as in RFC 4180", got=f"line {error.line}") from None
    return [question(" ".join(fields), 1, row) for row, fields in enumerate(found, 1)]


def sentences(text: str) -> list[Question]:
    """Of lines; one that is empty is a sentence without words, but for those at the end."""
    return [question(line, 1, row) for row, line in enumerate(lines_of(text), 1)]


def lines_of(text: str) -> list[str]:
    """Without the empty ones at the end."""
    text = re.sub(r"[\r\n]+\Z", "", text)
    return re.split(r"\r?\n", text) if text else []


def question(text: Any, k: int, row: int, field: str | None = None) -> Question:
    """A line break is a blank: fastText scores one line at a time. Raises RowError for what is no text."""
    if not isinstance(text, str):
        raise RowError("not a sentence", expected="a text", got=text, row=row, field=field)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RowError("not a text", expected="Unicode", got=ascii(text), row=row, field=field) from None
    return Question(text.replace("\n", " ").replace("\r", " "), k)


def whole(k: Any, **where: Any) -> int:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise RowError("k is no number of labels", expected="a whole number, 1 or more", got=k, field="k", **where)
    return k


def csv_line(row: Mapping[str, Any]) -> str:
    """A vector's numbers, or labels each with its probability."""
    if "vector" in row:
        return ",".join(map(repr, row["vector"])) + "\n"
    pairs = zip(row["label"], row["prob"], strict=True)
    return ",".join(f"{csv_field(label)},{probability!r}" for label, probability in pairs) + "\n"


def csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
