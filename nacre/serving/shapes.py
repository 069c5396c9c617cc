"""How the AWS container of each kind answers what is no invocation: wrong method, unknown path, trailing slash.

Sources: sparkml-serving.md and xgboost-serving.md of the reference (observed on the real servers).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import dumps
from time import time
from typing import TYPE_CHECKING, NamedTuple

from nacre.errors import RequestError
from nacre.handlers.base import Handler, Reply

if TYPE_CHECKING:
    from flask import Request
    from werkzeug.exceptions import HTTPException

Failure = Callable[["Handler", "HTTPException", "Request", bool], Reply]
"""(handler, Flask's error, request, whether the client takes JSON) -> reply."""


class Shape(NamedTuple):
    """What differs between kinds outside /invocations."""

    failure: Failure
    trailing_slash: bool = False
    """Whether `/ping/` is `/ping`."""
    strict_accept: bool = False
    """Whether /execution-parameters is 406 for a client that does not take JSON."""


def canonical(handler: Handler, error: HTTPException, request: Request, takes_json: bool) -> Reply:  # noqa: ARG001
    """The kind's own error reply, which is the canonical body unless its AWS twin has another."""
    known = {404: "no such path", 405: "method not allowed"}
    status = error.code or 500
    failure = RequestError(
        known.get(status, error.name),
        status=status,
        expected=expected(error, request),
        got=f"{request.method} {request.path}",
    )
    reply = handler.failure(failure, request.headers.get("Accept"))
    return reply._replace(headers=(*reply.headers, *allow(error)))


def expected(error: HTTPException, request: Request) -> str:
    methods = getattr(error, "valid_methods", None)
    if methods:
        return f"{' or '.join(sorted(set(methods) - {'HEAD', 'OPTIONS'}))} {request.path}"
    return "POST /invocations, GET /ping or GET /execution-parameters"


def allow(error: HTTPException) -> tuple[tuple[str, str], ...]:
    methods = getattr(error, "valid_methods", None)
    return (("Allow", ", ".join(sorted(methods))),) if methods else ()


def spring(handler: Handler, error: HTTPException, request: Request, takes_json: bool) -> Reply:  # noqa: ARG001
    """Spring Boot's error document; its Allow names only the methods that are mapped."""
    status = error.code or 500
    mapped = sorted(set(getattr(error, "valid_methods", None) or ()) - {"HEAD", "OPTIONS"})
    headers = (("Allow", ", ".join(mapped)),) if mapped else ()
    if not takes_json:
        return Reply(b"", None, status, headers)
    document = {"timestamp": int(time() * 1000), "status": status, "error": error.name, "path": request.path}
    return Reply(dumps(document, separators=(",", ":")).encode(), "application/json", status, headers)


BEHIND_NGINX = re.compile("/(ping|invocations|execution-parameters)")


def nginx(handler: Handler, error: HTTPException, request: Request, takes_json: bool) -> Reply:
    """nginx answers paths it does not pass on; the rest is Flask's own page under NACRE_COMPAT=aws."""
    if not BEHIND_NGINX.match(request.path):
        return Reply(b"{}", "application/json", 404)
    if getattr(handler, "compat", False):
        page = error.get_response(request.environ)
        return Reply(page.get_data(), page.headers["Content-Type"], page.status_code, allow(error))
    return canonical(handler, error, request, takes_json)


SHAPES = {
    "sparkml": Shape(spring, trailing_slash=True, strict_accept=True),
    "xgboost": Shape(nginx),
    "scikit-learn": Shape(nginx),
}


def shape_of(kind: str) -> Shape:
    return SHAPES.get(kind) or Shape(canonical)
