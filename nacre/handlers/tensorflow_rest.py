"""TensorFlow Serving's REST API on loopback, for scripts whose `handler` asks it: `requests.post(context.rest_uri, …)`.

Started at the first request of a worker process and stopped with it; it answers this process's own script only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

Answer = tuple[int, bytes]
"""Status and JSON."""


class TfsContext(NamedTuple):
    """What a handler gets beside the data, as AWS's container has it."""

    model_name: str
    model_version: str | None
    method: str
    rest_uri: str
    grpc_port: None
    channel: None
    custom_attributes: str | None
    request_content_type: str
    accept_header: str
    content_length: int


class TfsResponse:
    """What `output_handler` gets: as much of a Response of `requests` as scripts use."""

    def __init__(self, status: int, content: bytes):
        self.status_code = status
        self.content = content
        self.headers = {"Content-Type": "application/json"}
        self.encoding = "utf-8"

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    def json(self) -> Any:
        return json.loads(self.content)


class Rest:
    """`uri` of predictions of the one model. `predict`: a body to status and JSON; `about`: what GET says."""

    def __init__(self, name: str, version: str, predict: Callable[[bytes], Answer]):
        status = {"version": version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        about = json.dumps({"model_version_status": [status]}).encode()
        base = f"/v1/models/{name}"
        paths = (base, f"{base}/versions/{version}")

        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.reply(*((200, about) if self.path in paths else missing(self.path)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                known = self.path in [f"{path}:predict" for path in paths]
                self.reply(*(predict(body) if known else missing(self.path)))

            def reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Nothing: the container's own log tells of requests."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self.server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self.server.server_port}{base}:predict"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def missing(path: str) -> Answer:
    return 404, json.dumps({"error": f"Malformed request: {path}"}).encode()
