"""Requests to the SparkML container: their headers, and the JSON around their data; what the AWS container refuses of
both, in its words, before any value is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nacre.errors import RequestError, RowError
from nacre.formats import json
from nacre.handlers import sparkml_schema as schemas
from nacre.handlers import sparkml_text as text
from nacre.handlers.base import Setting

if TYPE_CHECKING:
    from nacre.handlers.sparkml_schema import Schema

ACCEPT = Setting("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", text.CSV, "type of replies to Accept: */*")
REQUEST, REQUEST_LIST = "SageMakerRequestObject", "SageMakerRequestListObject"
EXPECTED = '{"data": [...]}, with "schema" or without'


class FrameworkError(RequestError):
    """What the AWS container's web framework refuses before its handler runs; `headers` go with the answer."""

    def __init__(self, message: str, headers: tuple[tuple[str, str], ...] = (), **known: Any):
        super().__init__(message, **known)
        self.headers = headers


class AcceptError(RequestError):
    """An Accept that names no type we write."""


def kind_of(content_type: str | None) -> str:
    """The content type alone, in lower case."""
    if content_type in text.CONTENT_TYPES:
        return content_type or ""
    return (content_type or "").partition(";")[0].strip().lower()


def check_content_type(content_type: str | None) -> None:
    if text.is_media_type(content_type) and kind_of(content_type) in text.CONTENT_TYPES:
        return
    expected = ", ".join(text.CONTENT_TYPES)
    headers = (("Accept", expected),) if not content_type or text.is_media_type(content_type) else ()
    got = content_type or "none"
    raise FrameworkError("the Content-Type is not supported", headers, status=415, expected=expected, got=got)


def bad_accept(accept: str | None, default: str) -> RequestError:
    try:
        text.media_types(accept)
    except ValueError as error:
        return FrameworkError("Accept is no media type", expected=" or ".join(text.ACCEPTED), got=str(error))
    got = accept if (accept or "").strip() not in ("", "*/*") else f"{default} from {ACCEPT.name}"
    return AcceptError(text.BAD_ACCEPT, expected=" or ".join(text.ACCEPTED), got=got)


def empty_body() -> FrameworkError:
    return FrameworkError("the body is empty", expected="at least one record", got="nothing")


def byte_order_mark() -> RequestError:
    """It would be part of the first field: a label nobody knows, which handleInvalid=keep would score in silence."""
    return RequestError("a byte order mark at the start of the CSV", expected="UTF-8 without one", got="U+FEFF")


def no_rows(kind: str) -> RequestError:
    return RequestError("Index 0 out of bounds for length 0", expected=f"{kind} of at least one record", got="none")


def empty_line(row: int) -> RowError:
    return RowError("an empty line between records", expected="a record on every line", got="", row=row)


def request_of(body: bytes) -> tuple[Schema | None, list[Any]]:
    """Schema and data of an application/json request. Raises FrameworkError, as the framework decodes it there."""
    try:
        value = json.loads(body)
        if value is None:
            raise RequestError("Required request body is missing", expected=EXPECTED, got="null")
        return _parts(value)
    except json.JsonError as error:
        got = error.place() or "a body that is none"
        raise FrameworkError(str(error), expected=EXPECTED, got=got) from None
    except RequestError as error:
        raise FrameworkError(error.message, expected=error.expected, got=error.got, **error.where) from None


def line_request(line: str, row: int) -> tuple[Schema | None, list[Any]]:
    """Schema and data of one line. Raises RowError; the row is the number of the line."""
    try:
        value = json.loads_text(line)
    except json.JsonError as error:
        got = line if error.column is None else f"{line} (column {error.column})"
        raise RowError(str(error), expected=EXPECTED, got=got, row=row) from None
    if value is None:
        who, call, name = ("sro", "getData", REQUEST_LIST) if row > 1 else ("firstLine", "getSchema", REQUEST)
        message = f'Cannot invoke "{schemas.DTO}{name}.{call}()" because "{who}" is null'
        raise RowError(message, expected=EXPECTED, got=None, row=row)
    try:
        return _parts(value)
    except RequestError as error:
        raise RowError(error.message, expected=error.expected, got=error.got, row=row, **error.where) from None


def _parts(value: Any) -> tuple[Schema | None, list[Any]]:
    if not isinstance(value, dict):
        message = schemas.no_value_of(schemas.DTO + REQUEST, value)
        raise RequestError(message, expected=EXPECTED, got=value)
    for key in value:
        if key not in ("schema", "data"):
            message = schemas.unknown_key(key, REQUEST, ("schema", "data"))
            raise RequestError(message, expected=EXPECTED, got=key, field=key)
    schema = schemas.read(value.get("schema"))
    data = value.get("data")
    if data is None:
        raise RequestError(schemas.incomplete(REQUEST), expected=EXPECTED, got="no data", field="data")
    if not isinstance(data, list):
        message = schemas.no_value_of("java.util.ArrayList<java.lang.Object>", data)
        raise RequestError(message, expected="a list", got=data, field="data")
    return schema, data
