"""A container of one file, on the standard library alone: `python server.py [WORD …]`.

Answers with the request's body, or with what the body asks for: `die`, `env NAME`, `headers`, `cwd`, `status N`.
WORD `crash` ends at once, `deaf` never answers /ping, `child` leaves a process behind, `stubborn` ignores SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, *headers):
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if "deaf" in sys.argv:
            self.answer(503, b"")
            return
        known = {"/ping": b"", "/execution-parameters": b'{"MaxPayloadInMB": 7}'}
        self.answer(200 if self.path in known else 404, known.get(self.path, b""))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        words = body.decode("utf-8", "replace").split()
        asked = words[0] if words else ""
        kind = ("Content-Type", self.headers.get("Content-Type") or "text/plain")
        if asked == "die":
            os._exit(3)
        elif asked == "env":
            self.answer(200, (os.environ.get(words[1]) or "").encode(), kind)
        elif asked == "cwd":
            self.answer(200, str(Path.cwd()).encode(), kind)
        elif asked == "headers":
            self.answer(200, json.dumps({key.lower(): value for key, value in self.headers.items()}).encode(), kind)
        elif asked == "status":
            self.answer(int(words[1]), b"as you asked", kind)
        else:
            attributes = os.environ.get("ATTRIBUTES")
            more = [("X-Amzn-SageMaker-Custom-Attributes", attributes)] if attributes else []
            self.answer(200, body, kind, *more)

    def log_message(self, *_):
        pass


def main():
    if "crash" in sys.argv:
        print("no such setting: COLOUR", file=sys.stderr)
        raise SystemExit(2)
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "child" in sys.argv:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(f"child {child.pid}", flush=True)
    if "slow" in sys.argv:
        time.sleep(0.5)
    for name in ("SIGHUP", "SIGUSR1"):
        signal.signal(getattr(signal, name), lambda number, frame: print(signal.Signals(number).name, flush=True))
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
