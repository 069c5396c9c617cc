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
from random import randrange
from time import monotonic, sleep

import nacre
from nacre.errors import SetupError
from nacre.pipeline import FOREIGN, ContainerDefinition, Pipeline
from nacre.serving import engine
from nacre.serving.settings import PORT, WORKERS
from nacre.serving.watchdog import Watchdog
from nacre.store import fetch_artefact

HOST = "127.0.0.1"
PING_SECONDS = 2.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
SAFE_COUNT, SAFE_TRIES = 10, 100
SAFE_FROM = (20_000, 32_000)
"""Below the ports that a system gives to clients by itself."""

Command = Callable[[ContainerDefinition, Path], list[str]]
"""(container, model folder) -> the program that serves it on SAGEMAKER_BIND_TO_PORT."""


def serve_command(container: ContainerDefinition, model_dir: Path) -> list[str]:
    return [sys.executable, "-m", "nacre", "serve", container.kind, "--model", str(model_dir)]


class ContainerProcess:
    """One container's server as a process group of its own; its output goes to `log`."""

    def __init__(
        self, name: str, command: list[str], env: dict[str, str], port: int, log: Path, remove: list[str] | None = None
    ):
        """`remove`: a command that ends what the process would leave behind if it were killed."""
        self.name = name
        self.remove = remove
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
            if self.remove is not None:
                subprocess.run(self.remove, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


@contextmanager
def started(
    pipeline: Pipeline,
    workdir: Path,
    *,
    workers: int = 1,
    timeout: float = 60.0,
    command: Command = serve_command,
    containers: int | None = None,
) -> Iterator[dict[str, str]]:
    """Run a process a container and give `{container: URL}` in the order of the chain, for `HttpChain`.

    `workers`: worker processes of each, unless its environment says; `timeout`: seconds until all are ready;
    `containers`: how many the whole chain has, if these are a part of it. Logs are `workdir/NAME/log`. Raises
    NacreError naming the container; nothing is left running, even if this process is killed.
    """
    running: list[ContainerProcess] = []
    watchdog = Watchdog(int(STOP_SECONDS))
    try:
        models = [model_of(item, Path(workdir, item.name, "model").resolve()) for item in pipeline.containers]
        ports = free_ports(len(models))
        for item, model_dir, port in zip(pipeline.containers, models, ports, strict=True):
            log = Path(workdir, item.name, "log")
            log.parent.mkdir(parents=True, exist_ok=True)
            env = {WORKERS.name: str(workers)} | item.env() | safe_ports(containers or len(models))
            run = engine.run(item, model_dir) if item.kind == FOREIGN else engine.Run(command(item, model_dir), None)
            running.append(ContainerProcess(item.name, run.command, env, port, log, run.remove))
            watchdog.watch(running[-1].process.pid)
        deadline = monotonic() + timeout
        for process in running:
            process.wait(deadline)
        yield {process.name: process.url for process in running}
    finally:
        stop(running)
        watchdog.close()


def model_of(item: ContainerDefinition, into: Path) -> Path:
    """The folder of a container's model, an empty one for a container that has and needs none."""
    if item.model_data_url is None and not item.needs_model:
        into.mkdir(parents=True, exist_ok=True)
        return into
    return fetch_artefact(item.artefact(), into)


def safe_ports(containers: int) -> dict[str, str]:
    """SAGEMAKER_SAFE_PORT_RANGE, which containers of a chain have: ports for what else they listen on."""
    if containers < 2:
        return {}
    for _ in range(SAFE_TRIES):
        first = randrange(*SAFE_FROM)  # noqa: S311  no secret
        if all(is_free(port) for port in range(first, first + SAFE_COUNT)):
            return {engine.SAFE_PORTS: f"{first}-{first + SAFE_COUNT - 1}"}
    raise SetupError("no free ports", expected=f"{SAFE_COUNT} in a row", got="none found")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


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
