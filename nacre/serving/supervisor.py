"""`nacre serve command`: a program that listens by itself, started, watched and started again when it ends.

The program is a process group of its own: signals reach all of it, and nothing of it is left when this ends, however
that happens.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread, Timer
from time import monotonic
from typing import IO, TYPE_CHECKING, NamedTuple

from nacre.errors import SetupError
from nacre.handlers.command import DIRECTORY, START, program
from nacre.handlers.container import NAME, positive
from nacre.serving.processes import POLL_SECONDS, ping
from nacre.serving.server import bound_socket
from nacre.serving.settings import HOST, MODEL_DIR, PORT, ServerSettings
from nacre.serving.watchdog import Watchdog

if TYPE_CHECKING:
    from types import FrameType

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
PASSED_ON = (*STOPS, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
STOP_SECONDS = 25
"""Between a signal to stop and SIGKILL; SageMaker kills everything 30 s after SIGTERM."""
LONGEST_WAIT = 8.0
STEADY = 60.0
"""Seconds after which a program that ends is started again at once, as if it had never ended before."""
LAST_LINES = 0.5
"""Seconds that the last lines of a program that has ended may take to arrive."""


class Job(NamedTuple):
    """What to run, where, and for how long it may start."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    directory: Path | None
    port: int
    seconds: int


def serve_command(given: list[str], settings: ServerSettings, env: Mapping[str, str], model: Path | None) -> None:
    """Run the program until a signal stops it. `model`: the folder of the artefact, None without one.

    Raises SetupError when there is no program, the port is taken, or it ends or takes too long before /ping is 200.
    """
    command = program(given, env)
    with bound_socket(settings) as probe:  # whoever listens there already would answer our ping
        port = probe.getsockname()[1]
    directory = env.get(DIRECTORY.name)
    own = {PORT.name: str(port), HOST.name: settings.host} | ({} if model is None else {MODEL_DIR.name: str(model)})
    where = Path(directory) if directory else None if given else model
    seconds = positive(START.name, env.get(START.name) or START.default or "")
    job = Job(env.get(NAME.name) or "command", command, {**env, **own}, where, port, seconds)
    Supervisor(job).run()


def waits() -> Iterator[float]:
    """Seconds before each new start: none at first, then doubling up to LONGEST_WAIT."""
    yield 0.0
    wait = 0.25
    while True:
        yield wait
        wait = min(2 * wait, LONGEST_WAIT)


class Running:
    """One run of the program; what it prints goes to stderr as it comes."""

    def __init__(self, job: Job):
        try:
            self.process = subprocess.Popen(
                job.command, env=dict(job.env), cwd=job.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, process_group=0,
            )  # fmt: skip
        except OSError as error:
            what = error.strerror or str(error)
            got = f"{error.filename or job.command[0]}: {what}"
            raise SetupError("the command cannot be started", expected="a program", got=got) from None
        self.since = monotonic()
        self.last = ""
        assert self.process.stdout is not None
        self._reader = Thread(target=self._copy, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def _copy(self, lines: IO[bytes]) -> None:
        for line in lines:
            with suppress(OSError, ValueError):
                sys.stderr.buffer.write(line)
                sys.stderr.buffer.flush()
            self.last = line.decode("utf-8", "replace").strip() or self.last

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def ended(self) -> str:
        """How it ended, for a log line; what it started and left behind is killed, it may hold the port."""
        code = self.process.wait()
        self.signal(signal.SIGKILL)
        self._reader.join(LAST_LINES)
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


class Supervisor:
    """Keeps one job running."""

    def __init__(self, job: Job):
        self.job = job
        self.running: Running | None = None
        self.stopping = Event()
        self.watchdog = Watchdog(STOP_SECONDS)

    def run(self) -> None:
        """Until a signal stops it. Raises SetupError if it does not come up the first time."""
        before = {number: signal.signal(number, self._on_signal) for number in PASSED_ON}
        try:
            running = self._start()
            self._ready(running)
            if not self.stopping.is_set():
                self._say(f"listening on port {self.job.port} ({' '.join(self.job.command)})")
            self._watch(running)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._kill()
            if self.running is not None:
                self.running.process.wait()
            self.watchdog.close()

    def _start(self) -> Running:
        self.running = Running(self.job)
        self.watchdog.watch(self.running.process.pid)
        if self.stopping.is_set():  # the signal came before there was anybody to hand it to
            self.running.signal(signal.SIGTERM)
        return self.running

    def _ready(self, running: Running) -> None:
        deadline = monotonic() + self.job.seconds
        while not self.stopping.is_set() and not ping(self.job.port):
            if running.process.poll() is not None:
                how = running.ended()
                if self.stopping.is_set():
                    return
                raise SetupError(
                    f"the command {how} before it answered /ping",
                    expected="200 on /ping",
                    got=running.last or "no output",
                )
            if monotonic() > deadline:
                raise SetupError(
                    "the command did not pass the ping health check", got=running.last or "no output",
                    expected=f"200 on /ping of port {self.job.port} within {self.job.seconds} s",
                    fix=f"It has to listen on ${PORT.name}; {START.name} gives it more time",
                )  # fmt: skip
            self.stopping.wait(POLL_SECONDS)

    def _watch(self, running: Running) -> None:
        pauses = waits()
        while True:
            how = running.ended()
            if self.stopping.is_set():
                return
            if monotonic() - running.since > STEADY:
                pauses = waits()
            wait = next(pauses)
            self._say(f"the command {how}; it is started again" + (f" in {wait:g} s" if wait else ""))
            if self.stopping.wait(wait):
                return
            running = self._start()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal to the whole group; after one that stops, SIGKILL follows in STOP_SECONDS."""
        if number in STOPS and not self.stopping.is_set():
            self.stopping.set()
            timer = Timer(STOP_SECONDS, self._kill)
            timer.daemon = True
            timer.start()
        if self.running is not None:
            self.running.signal(number)

    def _kill(self) -> None:
        if self.running is not None:
            self.running.signal(signal.SIGKILL)

    def _say(self, text: str) -> None:
        sys.stderr.write(f"nacre {self.job.name}: {text}\n")
        sys.stderr.flush()
