"""A pipeline as processes: one `nacre serve` a container, each with its own port, environment and model folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep

import nacre
from nacre.errors import SetupError
from nacre.pipeline import ContainerDefinition, Pipeline
from nacre.serving.settings import PORT, WORKERS
from nacre.serving.watchdog import Watchdog
from nacre.store import fetch_artefact

HOST = "127.0.0.1"
PING_SECONDS = 2.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02

Command = Callable[[ContainerDefinition, Path], list[str]]
"""(container, model folder) -> the program that serves it on SAGEMAKER_BIND_TO_PORT."""


def serve_command(container: ContainerDefinition, model_dir: Path) -> list[str]:
    return [sys.executable, "-m", "nacre", "serve", container.kind, "--model", str(model_dir)]


class ContainerProcess:
    """One container's server as a process group of its own; its output goes to `log`."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], port: int, log: Path):
        self.name = name
        self.port = port
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env=importable(env) | {PORT.name: str(port)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def wait(self, deadline: float) -> None:
        """Until /ping is 200. Raises SetupError with the last line of its log when it dies or takes too long."""
        while not ping(self.port):
            if self.process.poll() is not None:
                code = self.process.returncode
                raise SetupError(
                    f"the container {self.name} did not start", got=self.last_line() or f"exit code {code}",
                    container=self.name, file=str(self.log),
                )  # fmt: skip
            if monotonic() > deadline:
                raise SetupError(
                    f"The {self.name} container did not pass the ping health check", expected="200 on /ping in time",
                    got=self.last_line() or "no answer", container=self.name, file=str(self.log),
                )  # fmt: skip
            sleep(POLL_SECONDS)

    def last_line(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def terminate(self) -> None:
        """Ask it to stop."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self, deadline: float) -> None:
        """Wait until it has stopped; from the deadline on, kill it and what it started."""
        try:
            self.process.wait(max(deadline - monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # its own session, so only what it started
            self.process.wait()


@contextmanager
def started(
    pipeline: Pipeline,
    workdir: Path,
    *,
    workers: int = 1,
    timeout: float = 60.0,
    command: Command = serve_command,
) -> Iterator[dict[str, str]]:
    """Run a process a container and give `{container: URL}` in the order of the chain, for `HttpChain`.

    `workers`: worker processes of each, unless its environment says; `timeout`: seconds until all are ready. Logs are
    `workdir/NAME/log`. Raises NacreError naming the container; nothing is left running, even if this process is killed.
    """
    running: list[ContainerProcess] = []
    watchdog = Watchdog(int(STOP_SECONDS))
    try:
        models = [
            fetch_artefact(item.artefact(), Path(workdir, item.name, "model").resolve()) for item in pipeline.containers
        ]
        ports = free_ports(len(models))
        for item, model_dir, port in zip(pipeline.containers, models, ports, strict=True):
            log = Path(workdir, item.name, "log")
            log.parent.mkdir(parents=True, exist_ok=True)
            env = {WORKERS.name: str(workers)} | item.env()
            running.append(ContainerProcess(item.name, command(item, model_dir), env, port, log))
            watchdog.watch(running[-1].process.pid)
        deadline = monotonic() + timeout
        for process in running:
            process.wait(deadline)
        yield {process.name: process.url for process in running}
    finally:
        stop(running)
        watchdog.close()


def stop(processes: list[ContainerProcess]) -> None:
    """All at once: SIGTERM to each, then SIGKILL to those that stay."""
    for process in processes:
        process.terminate()
    deadline = monotonic() + STOP_SECONDS
    for process in processes:
        process.stop(deadline)


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def ping(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=PING_SECONDS)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def importable(env: dict[str, str]) -> dict[str, str]:
    """The environment in which a child finds this very package, which may be a checkout that nobody installed."""
    root = Path(nacre.__file__).resolve().parent.parent
    if root.name in ("site-packages", "dist-packages"):
        return env
    paths = [str(root), *filter(None, [env.get("PYTHONPATH")])]
    return env | {"PYTHONPATH": os.pathsep.join(paths)}
