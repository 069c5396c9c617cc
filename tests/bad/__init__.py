"""Bad requests, kind by kind: what is sent stands in the modules here, what comes back in `<kind>.jsonl` beside them
(status, body, log line; `…` stands for anything), and tests/test_bad_requests.py sends and compares.

A module of a kind has `serve(folder)` -> (folder of the model, environment), `GOOD` (content type, body) and
`requests()` -> {what it is: Wire}. The requests of `common.py` are sent to every kind.
"""

from __future__ import annotations

import gzip
from typing import NamedTuple

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"


class Wire(NamedTuple):
    """Bytes for a socket. `close`: the sending side is closed after them. `server`: whether it is gunicorn that answers
    and not the app. `replies`: how many answers come."""

    data: bytes
    close: bool = False
    server: bool = False
    replies: int = 1


def post(
    body: bytes | str = b"", content_type: str | None = None, accept: str | None = None, *headers: str, path: str = ""
) -> bytes:
    """A POST to /invocations; `headers` are whole lines."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"POST {path or '/invocations'} HTTP/1.1", "Host: x"]
    lines += [f"Content-Type: {content_type}"] if content_type is not None else []
    lines += [f"Accept: {accept}"] if accept is not None else []
    lines += headers
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth
