"""Answers of the SparkML container as text, and the shape of its errors."""

from __future__ import annotations

import re
from http import HTTPStatus
from json import dumps
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import NacreError, shown
from nacre.formats.javatext import double_text, double_texts, float_text, text_of
from nacre.formats.json import quoted
from nacre.handlers.base import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from nacre.plan.types import Type

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
JSON_LINES_TEXT = "application/jsonlines;data=text"
CONTENT_TYPES = (JSON, CSV, JSON_LINES)
ACCEPTED = {CSV: CSV, JSON_LINES: JSON_LINES, JSON_LINES_TEXT: JSON_LINES}
"""Accept, as it must be written -> the Content-Type of the answer."""
INVOCATIONS = "/invocations"
BAD_ACCEPT = "Accept value passed via request or environment variable is not valid"
NULL_OUTPUT = 'Cannot invoke "Object.toString()" because "output" is null'
NULL_ENTRY = 'Cannot invoke "Object.toString()" because the return value of "java.util.Iterator.next()" is null'


class Renderers(NamedTuple):
    """One answer to the text of one record, by Accept. `document`: as JSON, for what is none by itself in JSON Lines."""

    csv: Callable[[Any], str]
    json_lines: Callable[[Any], str]
    text: Callable[[Any], str]
    document: Callable[[Any], str] | None = None

    def of(self, accept: str) -> Callable[[Any], str]:
        return {CSV: self.csv, JSON_LINES: self.json_lines, JSON_LINES_TEXT: self.text}[accept]


def renderers(given: Type) -> Renderers:
    """How a column of this type is written."""
    if given.shape == "scalar":
        return _scalar(given.base)
    return _doubles() if given.base == "double" else _list(given.base)


def _scalar(base: str) -> Renderers:
    to_text: Callable[[Any], str] = {"double": double_text, "float": float_text}.get(base, text_of)

    def text(value: Any) -> str:
        if value is None:
            raise ValueError(NULL_OUTPUT)
        return to_text(value)

    def document(value: Any) -> str:
        return _json(text(value), quote=base == "string")

    return Renderers(text, text, text, document)


def _json(text: str, quote: bool = False) -> str:
    """A basic value's text in JSON: strings, NaN and infinities are quoted."""
    return quoted(text) if quote or text in ("NaN", "Infinity", "-Infinity") else text


def _doubles() -> Renderers:
    """Vectors, and arrays of doubles."""

    def texts(values: Any) -> list[str]:
        if values is None:
            raise ValueError(NULL_OUTPUT)
        try:
            return double_texts(values)
        except TypeError:
            raise ValueError(NULL_ENTRY) from None

    def json_lines(values: Any) -> str:
        if values is None:
            raise ValueError(NULL_OUTPUT)
        entries = ["null" if x is None else _json(double_text(x)) for x in values]
        return f'{{"features":[{",".join(entries)}]}}'

    return Renderers(
        lambda values: ",".join(texts(values)),
        json_lines,
        lambda values: f'{{"source":"{" ".join(texts(values))}"}}',
    )


def _list(base: str) -> Renderers:
    # Java keeps an array's floats as they were sent, which is as doubles
    to_text: Callable[[Any], str] = double_text if base == "float" else text_of

    def texts(values: Any) -> list[str]:
        if values is None:
            raise ValueError(NULL_OUTPUT)
        if None in values:
            raise ValueError(NULL_ENTRY)
        return [to_text(value) for value in values]

    def json_lines(values: Any) -> str:
        if values is None:
            raise ValueError(NULL_OUTPUT)
        entries = ["null" if x is None else _json(to_text(x), quote=base == "string") for x in values]
        return f'{{"features":[{",".join(entries)}]}}'

    return Renderers(
        lambda values: ",".join(texts(values)),
        json_lines,
        lambda values: f'{{"source":{quoted(" ".join(texts(values)))}}}',
    )


# Errors

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(rf'({_TOKEN})/({_TOKEN})((?:\s*;\s*{_TOKEN}=(?:{_TOKEN}|"[^"]*"))*)\s*;?')
_PARAMETER = re.compile(rf'({_TOKEN})=({_TOKEN}|"[^"]*")')
UTF_8_TYPES = ("text/plain", "text/html")
PLAIN = "text/plain;charset=utf-8"


class MediaType(NamedTuple):
    """One range of an Accept header; `parameters` without the quality."""

    kind: str
    subtype: str
    parameters: tuple[tuple[str, str], ...]
    quality: float

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.subtype}".lower()

    @property
    def is_json(self) -> bool:
        return self.name == JSON or self.subtype.lower().endswith("+json")

    def rank(self) -> tuple[bool, float, bool]:
        """Spring's order: what names a type before wildcards, then by quality."""
        return (self.kind == "*", -self.quality, self.subtype == "*")


def is_media_type(value: str | None) -> bool:
    """Whether a Content-Type is one."""
    return bool(value) and _MEDIA_TYPE.fullmatch((value or "").strip()) is not None


def media_types(accept: str | None) -> list[MediaType]:
    """The ranges of an Accept header, best first; everything for none. Raises ValueError where it is no such list."""
    found = []
    for part in (accept or "").split(","):
        if not part.strip():
            continue
        match = _MEDIA_TYPE.fullmatch(part.strip())
        if match is None or (match[1] == "*" and match[2] != "*"):
            raise ValueError(part)
        parameters = tuple((name, value) for name, value in _PARAMETER.findall(match[3]))
        quality = next((value for name, value in parameters if name == "q"), "1")
        others = tuple(pair for pair in parameters if pair[0] != "q")
        found.append(MediaType(match[1], match[2], others, float(quality) if re.fullmatch(r"[\d.]+", quality) else 1.0))
    return sorted(found, key=MediaType.rank) or [MediaType("*", "*", (), 1.0)]


def error_type(accept: str | None) -> str | None:
    """The Content-Type of a handler's error, as Spring finds it; None for an Accept that nothing fits (406)."""
    best = media_types(accept)[0]
    if best.kind == "*" or best.name == "text/*":
        return PLAIN
    if best.name in ("application/*", "application/*+json"):
        return JSON
    if "*" in best.subtype:
        return None
    name = "".join([best.name, *(f";{key}={value}" for key, value in best.parameters)])
    if best.is_json or any(key.lower() == "charset" for key, _ in best.parameters):
        return name
    return f"{name};charset={'utf-8' if best.name in UTF_8_TYPES else 'UTF-8'}"


def takes_json(accept: str | None) -> bool:
    """Whether the framework's own error document suits the client."""
    return any(each.kind == "*" or each.is_json or each.name == "application/*" for each in media_types(accept))


def document(status: int, message: str | None = None) -> bytes:
    """Spring Boot's error document, with a message where we have one to add."""
    content: dict[str, Any] = {"timestamp": int(time() * 1000), "status": status, "error": HTTPStatus(status).phrase}
    if message:
        content["message"] = message
    return dumps(content | {"path": INVOCATIONS}, separators=(",", ":"), default=str).encode()


def framework_reply(status: int, accept: str | None, text: str | None, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """What the framework in front of the handler answers: a JSON document, or nothing to who takes no JSON.

    `text` is ours, None under NACRE_COMPAT=aws: then who takes no JSON gets an empty body.
    """
    try:
        if takes_json(accept):
            return Reply(document(status, text), JSON, status, headers)
        kind = error_type(accept)
    except ValueError:
        kind = PLAIN
    return Reply(b"", None, status, headers) if text is None else Reply(text.encode(), kind or PLAIN, status, headers)


def full_text(error: NacreError) -> str:
    """AWS's text, then where, expected, got and the way out."""
    parts = [f"{key} {value}" for key, value in error.where.items()]
    if error.expected is not None:
        parts.append(f"expected {shown(error.expected)}")
    if error.expected is not None or error.got is not None:
        parts.append(f"got {'null' if error.got is None else shown(error.got)}")
    text = "; ".join(filter(None, [error.message, ", ".join(parts)]))
    return f"{text}. {error.fix}" if error.fix else text
