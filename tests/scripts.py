"""Scripts of users for the tests of the containers that run them, and what those tests share."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nacre.serving.processes import free_ports, ping
from tests.shared import CHECKOUT

OURS = {key: value for key, value in os.environ.items() if not key.startswith(("SAGEMAKER_", "SM_", "NACRE_"))} | {
    "PYTHONPATH": str(CHECKOUT)
}

SUMS = """
    import numpy as np

    class Sums:
        def predict(self, rows):
            return np.asarray(rows, float).sum(axis=1)

    def model_fn(model_dir):
        return Sums()
"""
"""A model without any package: the sum of each row."""


def model(folder: Path, script: str | None = SUMS, name: str = "inference.py", **files: str) -> Path:
    """A model's folder with a script in `code/`, and other files there by name (`_` for the dot)."""
    code = folder / "code"
    code.mkdir(parents=True, exist_ok=True)
    if script is not None:
        (code / name).write_text(textwrap.dedent(script))
    for file, text in files.items():
        (code / file.replace("_", ".")).write_text(textwrap.dedent(text))
    return folder


def nacre(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Any:
    """Run the command to its end."""
    command = [sys.executable, "-m", "nacre", *arguments]
    return subprocess.run(command, env=OURS | dict(env or {}), cwd=cwd, capture_output=True, text=True, timeout=60)


def refused(kind: str, folder: Path, env: Mapping[str, str] | None = None) -> str:
    """The last line of a container that must not start."""
    ran = nacre("serve", kind, "--model", str(folder), "--port", "0", env=env)
    assert ran.returncode == 1, ran.stderr
    line: str = ran.stderr.splitlines()[-1]
    assert line.startswith("nacre: ")
    return line


class Server:
    """A container that runs; `log` is what it wrote, once it has stopped."""

    def __init__(self, port: int):
        self.port = port
        self.log = ""

    def __call__(
        self, body: bytes, content_type: str | None = "text/csv", accept: str | None = None, path: str = "/invocations"
    ) -> tuple[int, str | None, bytes]:
        headers = {"Content-Type": content_type, "Accept": accept}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            given = {key: value for key, value in headers.items() if value is not None}
            connection.request("POST" if path == "/invocations" else "GET", path, body, given)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read()
        finally:
            connection.close()


@contextmanager
def serving(
    kind: str, folder: Path, env: Mapping[str, str] | None = None, workers: int = 1, server: str = "gunicorn"
) -> Iterator[Server]:
    """`nacre serve KIND` as a process."""
    port = free_ports(1)[0]
    more = ["--model", str(folder), "--port", str(port), "--workers", str(workers), "--server", server]
    command = [sys.executable, "-m", "nacre", "serve", kind, *more]
    process = subprocess.Popen(command, env=OURS | dict(env or {}), cwd="/", stderr=subprocess.PIPE, text=True)
    found = Server(port)
    assert process.stderr is not None
    try:
        deadline = time.monotonic() + 30
        while not ping(port):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield found
    finally:
        process.terminate()
        found.log = process.communicate(timeout=30)[1]
    assert process.returncode == 0


def wheel(folder: Path, name: str, source: str, version: str = "1.0") -> Path:
    """A wheel of one module, written by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": textwrap.dedent(source),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    record = "".join(f"{path},sha256={digests[path]},{len(text.encode())}\n" for path, text in files.items())
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return target
