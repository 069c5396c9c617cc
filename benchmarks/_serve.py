"""A WSGI callable of the benchmarks on the servers of `nacre serve`: `_serve.py NAME SERVER WORKERS [MODEL …]`.

`echo` reads the body and returns it, and nothing else: what the server itself costs. `chain` is the fused chain of a
sparkml and an xgboost model as one container, behind the same WSGI app as they are alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

from nacre.chain.fused import FusedChain
from nacre.handlers.base import Handler, Reply
from nacre.handlers.container import Container
from nacre.serving.app import ContainerApp
from nacre.serving.server import RUNNERS
from nacre.serving.settings import ServerSettings

BODY_LIMIT = 100 << 20


class Chain(Handler):
    """A fused chain as if it were one container."""

    kind: ClassVar[str] = "chain"

    def __init__(self, chain: FusedChain):
        self.chain = chain

    def warm(self) -> None:
        for container in self.chain.containers:
            container.handler.warm()

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        return self.chain.invoke(body, content_type, accept)

    def execution_parameters(self) -> Mapping[str, Any]:
        return self.chain.execution_parameters()


class Nothing(Handler):
    """What Echo needs for its /ping."""

    kind: ClassVar[str] = "echo"


class Echo(ContainerApp):
    """The answer is the request."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST":
            return self.flask(environ, start_response)  # type: ignore[no-any-return]
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "text/csv"), ("Content-Length", str(len(body)))])
        return [body]


def main() -> int:
    name, server, workers, *models = sys.argv[1:]
    app: ContainerApp
    if name == "echo":
        app = Echo(Container(Nothing(), "echo", BODY_LIMIT))
    else:
        kinds = ("sparkml", "xgboost")
        containers = [Container.load(kind, Path(model), os.environ) for kind, model in zip(kinds, models, strict=True)]
        app = ContainerApp(Container(Chain(FusedChain(containers)), "chain", BODY_LIMIT))
    RUNNERS[server](app, ServerSettings.read(os.environ, workers=int(workers)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
