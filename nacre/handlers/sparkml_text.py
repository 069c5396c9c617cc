"""Answers of the SparkML container as text, and the shape of its errors."""

from __future__ import annotations

import re
from http import HTTPStatus
from json import dumps
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

from nacre.errors import LONGEST, NacreError, RowError, shown
from nacre.formats import decimals
from nacre.formats.javatext import double_text, double_texts, float_text, text_of
from nacre.formats.json import quoted
from nacre.handlers.base import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nacre.plan.types import Type

    Render = Callable[[Any], str]

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
JSON_LINES_TEXT = "application/jsonlines;data=text"
CONTENT_TYPES = (JSON, CSV, JSON_LINES)
ACCEPTED = {CSV: CSV, JSON_LINES: JSON_LINES, JSON_LINES_TEXT: JSON_LINES}
"""Accept, as it must be written -> the Content-Type of the answer."""
INVOCATIONS = "/invocations"
BAD_ACCEPT = "Accept value passed via request or environment variable is not valid"
DROPPED = "next on empty iterator"
"""What the AWS container says when no row is left."""
NULL_OUTPUT = 'Cannot invoke "Object.toString()" because "output" is null'
NULL_ENTRY = 'Cannot invoke "Object.toString()" because the return value of "java.util.Iterator.next()" is null'


class Renderers(NamedTuple):
    """One answer to the text of one record, by Accept; `documents` where every record must be JSON by itself."""

    records: Mapping[str, Render]
    documents: Mapping[str, Render]


def renderers(given: Type) -> Renderers:
    """How a column of this type is written."""
    if given.shape == "scalar":
        return _scalar(given.base)
    return _doubles() if given.base == "double" else _list(given.base)


def _by_accept(csv: Render, json_lines: Render, json_text: Render) -> dict[str, Render]:
    return {CSV: csv, JSON_LINES: json_lines, JSON_LINES_TEXT: json_text}


def _scalar(base: str) -> Renderers:
    to_text: Render = {"double": double_text, "float": float_text}.get(base, text_of)

    def plain(value: Any) -> str:
        return to_text(_present(value))

    def document(value: Any) -> str:
        return _json(plain(value), quote=base == "string")

    return Renderers(_by_accept(plain, plain, plain), _by_accept(plain, document, document))


def _present(value: Any) -> Any:
    if value is None:
        raise ValueError(NULL_OUTPUT)
    return value


def _json(text: str, quote: bool = False) -> str:
    """A basic value's text in JSON: strings, NaN and infinities are quoted."""
    return quoted(text) if quote or text in ("NaN", "Infinity", "-Infinity") else text


def _doubles() -> Renderers:
    """Vectors, and arrays of doubles."""

    def csv(values: Any) -> str:
        try:
            return decimals.java_line(values) or ",".join(double_texts(values))
        except TypeError:
            raise _no_text(values) from None

    def json_lines(values: Any) -> str:
        entries = ["null" if x is None else _json(double_text(x)) for x in _present(values)]
        return f'{{"features":[{",".join(entries)}]}}'

    def json_text(values: Any) -> str:
        return f'{{"source":"{csv(values).replace(",", " ")}"}}'

    made = _by_accept(csv, json_lines, json_text)
    return Renderers(made, made)


def _no_text(values: Any) -> ValueError:
    return ValueError(NULL_OUTPUT if values is None else NULL_ENTRY)


def _list(base: str) -> Renderers:
    # Java keeps an array's floats as they were sent, which is as doubles
    to_text: Render = double_text if base == "float" else text_of

    def texts(values: Any) -> list[str]:
        if values is None or None in values:
            raise _no_text(values)
        return list(map(to_text, values))

    def json_lines(values: Any) -> str:
        entries = ["null" if x is None else _json(to_text(x), quote=base == "string") for x in _present(values)]
        return f'{{"features":[{",".join(entries)}]}}'

    made = _by_accept(
        lambda values: ",".join(texts(values)),
        json_lines,
        lambda values: f'{{"source":{quoted(" ".join(texts(values)))}}}',
    )
    return Renderers(made, made)


def dropped_row(row: int) -> RowError:
    return RowError(
        DROPPED, expected="a row that the model keeps", got="one that handleInvalid=skip drops", row=row,
        fix="Leave the row out, or fit with handleInvalid keep",
    )  # fmt: skip


def check_lines(texts: list[str], field: str) -> None:
    """Several answers stand on a line each, so none may have a line break in it."""
    for row, each in enumerate(texts, 1):
        if "\n" in each or "\r" in each:
            raise RowError(
                "an answer with a line break among several", expected="one line", got=each, row=row, field=field
            )


# Errors

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(rf'({_WORD})/({_WORD})((?:\s*;\s*{_WORD}=(?:{_WORD}|"[^"]*"))*)\s*;?')
_PARAMETER = re.compile(rf'({_WORD})=({_WORD}|"[^"]*")')
Headers = tuple[tuple[str, str], ...]
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


def document_type(accept: str | None) -> str | None:
    """The Content-Type of the framework's own error document; None for a client that takes no JSON."""
    for each in media_types(accept):
        if each.is_json and "*" not in each.subtype:
            return each.name
        if each.kind == "*" or each.is_json or each.name == "application/*":
            return JSON
    return None


def document(status: int, message: str | None = None) -> bytes:
    """Spring Boot's error document, with a message where we have one to add."""
    content: dict[str, Any] = {"timestamp": int(time() * 1000), "status": status, "error": HTTPStatus(status).phrase}
    if message:
        content["message"] = message
    return dumps(content | {"path": INVOCATIONS}, separators=(",", ":"), default=str).encode()


def framework_reply(
    status: int, accept: str | None, text: str | None, headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    """What the framework in front of the handler answers: a JSON document, or nothing to who takes no JSON.

    `text` is ours, None under NACRE_COMPAT=aws: then who takes no JSON gets an empty body.
    """
    try:
        if kind := document_type(accept):
            return Reply(document(status, text), kind, status, headers)
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
    text = "; ".join(filter(None, [shown(error.message, LONGEST), ", ".join(parts)]))
    return f"{text}. {error.fix}" if error.fix else text
