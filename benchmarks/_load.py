"""Load on an HTTP server with `wrk`, and what the server's processes used meanwhile.

wrk is a C program of a few microseconds a request: a client in Python would measure itself. It runs in one thread.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

from nacre.serving.processes import free_ports, importable, ping

SCRIPT = """
local bodies = {}
for line in io.lines("%s") do bodies[#bodies + 1] = line:gsub(";", "\\n") end
local requests, at = {}, 0
function init(args)
  for n, body in ipairs(bodies) do
    requests[n] = wrk.format("POST", "/invocations", {["Content-Type"] = "text/csv"}, body)
  end
end
function request()
  at = at %% #requests + 1
  return requests[at]
end
function done(summary, latency, requests)
  local errors = summary.errors.status + summary.errors.read + summary.errors.write
  errors = errors + summary.errors.timeout + summary.errors.connect
  io.write(string.format('\\n{"requests": %%d, "micros": %%d, "errors": %%d, "p50": %%f, "p99": %%f}\\n',
    summary.requests, summary.duration, errors, latency:percentile(50), latency:percentile(99)))
end
"""
TICK = os.sysconf("SC_CLK_TCK")


class Load(NamedTuple):
    """One run: requests a second; in microseconds the latencies, and the processor time a request of the server and of
    the client, which a busy machine stretches less."""

    rate: float
    p50: float
    p99: float
    cpu: float
    client: float


class Server(NamedTuple):
    """A server in a process group of its own."""

    name: str
    port: int
    group: int | None
    """None for one that somebody else runs."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def have_wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("this benchmark needs the load client wrk: apt-get install wrk, or brew install wrk")
    return found


@contextmanager
def running(name: str, command: Sequence[str], env: dict[str, str] | None = None) -> Iterator[Server]:
    """Start `command` with its port in SAGEMAKER_BIND_TO_PORT, wait for /ping, stop it at the end."""
    (port,) = free_ports(1)
    env = importable({**os.environ, **(env or {}), "SAGEMAKER_BIND_TO_PORT": str(port)})
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = monotonic() + 60
            while not ping(port):
                if process.poll() is not None or monotonic() > deadline:
                    log.seek(0)
                    raise SystemExit(f"{name} did not start: {log.read().decode(errors='replace')}")
                sleep(0.02)
            yield Server(name, port, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def post(server: Server, body: bytes) -> bytes:
    request = urllib.request.Request(f"{server.url}/invocations", body, {"Content-Type": "text/csv"})
    with urllib.request.urlopen(request) as reply:
        answer: bytes = reply.read()
    return answer


def load(server: Server, bodies: Sequence[str], seconds: int, connections: int = 8) -> Load:
    """POST the CSV bodies in turn for so long. Any answer but 2xx ends the benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        lines, script = Path(folder, "bodies"), Path(folder, "post.lua")
        lines.write_text("".join(body.strip("\n").replace("\n", ";") + "\n" for body in bodies))
        script.write_text(SCRIPT % lines)
        before, client = cpu_seconds(server), children_seconds()
        command = [have_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), server.url]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        used, client = cpu_seconds(server) - before, children_seconds() - client
    told = json.loads(ran.stdout.strip().splitlines()[-1])
    if told["errors"]:
        raise SystemExit(f"{server.name}: {told['errors']} of {told['requests']} requests failed\n{ran.stdout}")
    count = told["requests"]
    return Load(count / told["micros"] * 1e6, told["p50"], told["p99"], used / count * 1e6, client / count * 1e6)


def children_seconds() -> float:
    """Processor time of the programs that ran to their end."""
    used = os.times()
    return used.children_user + used.children_system


def members(server: Server) -> list[int]:
    """The processes of the server's group."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(each.name)) == server.group:
                found.append(int(each.name))
        except ProcessLookupError:
            continue
    return found


def cpu_seconds(server: Server) -> float:
    """Processor time of the server's processes so far; 0 where they are not ours or there is no /proc."""
    total = 0
    for pid in members(server) if server.group else []:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


class Memory(NamedTuple):
    """Of one process, in MB: all it has mapped and touched, its share of it, and what it alone has."""

    rss: float
    pss: float
    private: float


def memory(pid: int) -> Memory:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(value.split()[0]) for name, value in (line.split(":", 1) for line in lines)}
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return Memory(*(each / 1024 for each in (kilobytes["Rss"], kilobytes["Pss"], private)))


def workers(server: Server) -> list[int]:
    """The processes that answer: those that have no children in the group."""
    pids = members(server)
    parents = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in pids}
    return [pid for pid in pids if pid not in parents]


def nacre(*words: str) -> list[str]:
    return [sys.executable, "-m", "nacre", *words]
