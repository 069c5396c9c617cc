"""The WSGI app of a container: a thin callable answers POST /invocations, Flask answers everything else.

The callable stands in front because Flask's routing and request objects cost more than scoring a row does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from json import dumps
from threading import Timer
from traceback import extract_tb
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from nacre.errors import NacreError, RequestError, shown
from nacre.handlers.base import Handler, Reply
from nacre.handlers.container import Container
from nacre.serving.shapes import Shape, shape_of

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
NO_BODY = (204, 304)
WARM_AFTER = 1.0
"""Seconds from the start of a worker: the first ping and the first request come before."""
CHUNK = 1 << 20
BROKEN = {
    "NoMoreData": "an end before the last of them",
    "InvalidChunkSize": "a size that is no hexadecimal number",
    "ChunkMissingTerminator": "more bytes than the size of the chunk",
}
"""What gunicorn's reader of chunks refuses, in words."""
MOST_DRAINED = 1 << 28
"""Bytes of a refused body that are still taken; a client that sends more finds its connection closed."""


def container_app(handler: Handler, name: str | None = None, body_limit: int = 100 << 20) -> ContainerApp:
    """The WSGI app that serves `handler` under `name` (its kind by default); bodies up to `body_limit` bytes."""
    return ContainerApp(Container(handler, name or handler.kind, body_limit))


class ContainerApp:
    """WSGI callable over one loaded container."""

    def __init__(self, container: Container):
        self.container = container
        shape = shape_of(container.handler.kind)
        self.flask = flask_app(container, shape, self.invoke)
        self._answer = container.handler.invoke  # a body that is read is within the limit
        self._paths = frozenset(("/invocations", "/invocations/") if shape.trailing_slash else ("/invocations",))

    def warm(self) -> None:
        """For a worker process that has begun to serve: what only some requests need is imported a moment later, so
        that neither the start nor such a request waits for it."""
        timer = Timer(WARM_AFTER, self.container.handler.warm)
        timer.daemon = True
        timer.start()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] not in self._paths:
            return self.flask(environ, start_response)
        body, content_type, status, more = self.invoke(environ)
        headers = [*more]
        if content_type is not None:
            headers.append(("Content-Type", content_type))
        if status not in NO_BODY:
            headers.append(("Content-Length", str(len(body))))
        start_response(STATUS_LINES.get(status) or f"{status} Unknown", headers)
        return [body]

    def invoke(self, environ: Environ) -> Reply:
        """Read the body, score it; never raises."""
        accept = environ.get("HTTP_ACCEPT")
        content_type = environ.get("CONTENT_TYPE") or None
        try:
            body = read_body(environ, self.container)
            if "HTTP_CONTENT_ENCODING" in environ:
                self.check_encoding(environ["HTTP_CONTENT_ENCODING"])
            return self._answer(body, content_type, accept)
        except Exception as error:  # noqa: BLE001  a client never sees a stack trace
            reply = self.container.failure(error, accept)
            log(self.container.name, environ, reply.status, error)
            return reply

    def check_encoding(self, encoding: str) -> None:
        """Say so where the AWS containers read a packed body as if it were not. Raises RequestError."""
        if encoding.strip().lower() not in ("", "identity") and not getattr(self.container.handler, "compat", False):
            fix = "Send the body as it is, without Content-Encoding"
            raise RequestError("the body is packed", status=415, expected="no Content-Encoding", got=encoding, fix=fix)


def read_body(environ: Environ, container: Container) -> bytes:
    """The whole body, by Content-Length or chunked. Raises RequestError if it is over the limit, cut short, too long
    in coming or broken."""
    try:
        return _read(environ, container)
    except NacreError:
        raise
    except TimeoutError as error:
        fix = "Send the body faster, or raise SAGEMAKER_MODEL_SERVER_TIMEOUT"
        message, expected, got = "Request Timeout", f"the whole body within {error}", "a part of it"
        raise RequestError(message, status=408, expected=expected, got=got, fix=fix) from None
    except Exception as error:  # noqa: BLE001  only the server's own reader ran: what it refuses, the client has sent
        got = BROKEN.get(type(error).__name__, type(error).__name__)
        raise RequestError("the body cannot be read", expected="chunks as in RFC 9112", got=got) from None


def _read(environ: Environ, container: Container) -> bytes:
    length = environ.get("CONTENT_LENGTH")
    stream = environ["wsgi.input"]
    if not length:
        return read_chunked(stream, container) if environ.get("wsgi.input_terminated") else b""
    if not (length.isascii() and length.isdigit()):
        raise RequestError("no usable Content-Length", expected="a whole number of bytes", got=length)
    size = int(length)
    if size > container.body_limit:
        if "HTTP_EXPECT" not in environ:  # else it waits to be asked for its body
            drain(stream)
        raise container.too_large(size)
    body: bytes = stream.read(size)
    if len(body) != size:
        raise RequestError("the body ends early", expected=f"{size} bytes", got=f"{len(body)} bytes")
    return body


def read_chunked(stream: Any, container: Container) -> bytes:
    parts = []
    size = 0
    while part := stream.read(CHUNK):
        size += len(part)
        if size > container.body_limit:
            drain(stream)
            raise container.too_large(f"more than {container.body_limit}")
        parts.append(part)
    return b"".join(parts)


def drain(stream: Any) -> None:
    """Take what a client still sends of a refused body, so that it reads the answer and not a broken connection."""
    left = MOST_DRAINED
    with suppress(Exception):  # it is refused all the same
        while left > 0 and (part := stream.read(CHUNK)):
            left -= len(part)


def flask_app(container: Container, shape: Shape, invoke: Callable[[Environ], Reply]) -> Flask:
    """Flask's part: /ping, /execution-parameters, and the kind's own answer to all that nobody serves."""
    handler = container.handler
    app = Flask("nacre.serving", static_folder=None)
    app.url_map.strict_slashes = not shape.trailing_slash
    app.add_url_rule("/ping", "ping", lambda: response(Reply(b"", None)))
    app.add_url_rule("/invocations", "invocations", lambda: response(invoke(request.environ)), methods=["POST"])

    @app.get("/execution-parameters")
    def execution_parameters() -> Response:
        if shape.strict_accept and not accepts_json():
            return response(Reply(b"", None, 406))
        body = dumps(dict(handler.execution_parameters()), separators=(",", ":"))
        return response(Reply(body.encode(), "application/json"))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if isinstance(error, HTTPException):
            reply = shape.failure(handler, error, request, accepts_json())
        else:
            reply = container.failure(error, request.headers.get("Accept"))
        log(container.name, request.environ, reply.status, error)
        return response(reply)

    return app


def accepts_json() -> bool:
    """Whether the client's Accept, if it sent one, has room for JSON."""
    return not request.headers.get("Accept", "").strip() or bool(request.accept_mimetypes["application/json"])


def response(reply: Reply) -> Response:
    answer = Response(reply.body, reply.status, headers=list(reply.headers))
    if reply.content_type is None:
        del answer.headers["Content-Type"]
    else:
        answer.headers["Content-Type"] = reply.content_type
    return answer


def log(name: str, environ: Environ, status: int, error: Exception) -> None:
    """One line on stderr. What the client sent can stand in the text of an error, so no text and no `got` is written,
    only what the model expected and where; for a fault of ours the type and the place in the code."""
    line = f"nacre {name}: {status} {environ['REQUEST_METHOD']} {environ['PATH_INFO']!a} {type(error).__name__}"
    if isinstance(error, NacreError):
        if error.expected is not None:
            line += f", expected {shown(error.expected)}"
        line += "".join(f", {key} {value}" for key, value in error.where.items() if key != "container")
    elif status >= 500 and (frames := extract_tb(error.__traceback__)):
        line += f" at {frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}"
    sys.stderr.write(" ".join(line.splitlines()) + "\n")
    sys.stderr.flush()
