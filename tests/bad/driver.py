"""Sends the bad requests of a kind to a real server, one after another, and tells what came back and what was logged.

`python -m tests.bad.driver KIND` prints one JSON line a request, in the form of `<kind>.jsonl`, with everything exact;
read every line before you put it there, and write `…` for what is different each time.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any, NamedTuple

from nacre.handlers import KINDS
from nacre.serving.processes import free_ports, ping
from tests.bad import Wire, common
from tests.shared import OURS

HERE = Path(__file__).parent
STAMP = re.compile(r"^\[[^]]*\] \[\d+\] \[(\w+)\] ")
"""gunicorn's time and process in front of a line."""


class Answer(NamedTuple):
    """What came back: 0 is a connection closed without an answer."""

    request: str
    status: int
    body: str
    log: str


def kinds() -> list[str]:
    """Those that have a module here and whose packages are there."""
    found = [kind for kind in KINDS if (HERE / f"{kind.replace('-', '_')}.py").is_file()]
    return [kind for kind in found if find_spec(getattr(table(kind), "NEEDS", "nacre"))]


def table(kind: str) -> Any:
    return import_module(f"tests.bad.{kind.replace('-', '_')}")


def requests(kind: str) -> dict[str, Wire]:
    module = table(kind)
    return common.requests(*module.GOOD, module.LIMIT) | module.requests()


def expected(kind: str) -> dict[str, Answer]:
    lines = (HERE / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    return {each.request: each for each in (Answer(**json.loads(line)) for line in lines)}


class Server:
    """A running container; `log` is what it has written since it was last asked."""

    def __init__(self, process: Popen[bytes], port: int, errors: Path):
        self.process, self.port, self.errors = process, port, errors
        self.read = 0

    def log(self) -> list[str]:
        with self.errors.open("rb") as file:
            file.seek(self.read)
            new = file.read()
        self.read += len(new)
        return [STAMP.sub(r"\1 ", line) for line in new.decode("utf-8", "replace").splitlines()]

    def ask(self, name: str, wire: Wire) -> Answer:
        self.log()
        answers = send(self.port, wire)
        status, body = answers[0]
        assert [code for code, _ in answers[1:]] == [200] * (wire.replies - 1), answers
        return Answer(name, status, body, "\n".join(self.log()))


@contextmanager
def server(
    kind: str, folder: Path, *options: str, program: tuple[str, ...] = ("-m", "nacre"), **more: str
) -> Iterator[Server]:
    """`nacre serve KIND` over the kind's own model, ready."""
    port = free_ports(1)[0]
    (folder / "model").mkdir()
    model, env = table(kind).serve(folder / "model")
    command = [sys.executable, *program, "serve", kind, "--model", str(model), "--port", str(port), *options]
    errors = folder / "stderr"
    with errors.open("wb") as file:
        process = Popen(command, env=OURS | env | more, cwd="/", stderr=file)
    try:
        deadline = monotonic() + 60
        while not ping(port):
            assert process.poll() is None, errors.read_text()
            assert monotonic() < deadline
            sleep(0.02)
        yield Server(process, port, errors)
    finally:
        process.terminate()
        process.wait(30)


def send(port: int, wire: Wire, timeout: float = 20) -> list[tuple[int, str]]:
    """Status and body of each answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as peer:
        with suppress(BrokenPipeError, ConnectionResetError):  # the answer came before all was sent
            peer.sendall(wire.data)
            if wire.close:
                peer.shutdown(socket.SHUT_WR)
        method = wire.data.split(b" ", 1)[0].decode("latin-1")
        with peer.makefile("rb") as stream:
            return [answer(stream, method) for _ in range(wire.replies)]


class OneStream:
    """A socket to http.client, which would read ahead into the next answer and lose it."""

    def __init__(self, stream: Any):
        self.stream = stream

    def makefile(self, mode: str) -> Any:
        return OneStream(self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def close(self) -> None:
        pass


def answer(stream: Any, method: str = "POST") -> tuple[int, str]:
    response = http.client.HTTPResponse(OneStream(stream), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        return response.status, response.read().decode("utf-8", "replace")
    except (http.client.HTTPException, ConnectionResetError):
        return 0, ""


def same(pattern: str, text: str) -> bool:
    """Whether a text is as expected; `…` in the expectation stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), text, re.DOTALL) is not None


def main(kind: str) -> None:
    with TemporaryDirectory() as folder, server(kind, Path(folder), "--workers", "1") as running:
        for name, wire in requests(kind).items():
            started = monotonic()
            found = running.ask(name, wire)
            print(json.dumps(found._asdict(), ensure_ascii=False), flush=True)
            if monotonic() - started > 0.3:
                print(f"{name}: {monotonic() - started:.2f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
