"""How long a chain of both containers, over HTTP, gives no answer when the workers of one are killed. Answers are
checked."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, sleep

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _common import load
from _containers import WORKERS, commands, models, requests
from _load import Server, running, workers

from nacre.chain import HttpChain
from nacre.errors import ContainerError

TIMES = 10
GIVE_UP = 30.0


def away(chain: HttpChain, container: Server, count: int, line: str, wanted: str) -> tuple[float, int]:
    """Kill `count` workers of a container at once: seconds until the chain answers, and the calls that failed."""
    for pid in workers(container)[:count]:
        os.kill(pid, signal.SIGKILL)
    start = perf_counter()
    failed = 0
    while True:
        try:
            answer = chain.invoke(line.encode(), "text/csv").body.decode().strip()
        except ContainerError as error:
            failed += 1
            if perf_counter() - start > GIVE_UP:
                raise SystemExit("the chain answers no more") from error
        else:
            assert answer == wanted, (answer, wanted)
            return perf_counter() - start, failed


def replaced(container: Server) -> None:
    while len(workers(container)) < WORKERS:
        sleep(0.02)


def measure(server: str, folder: Path) -> None:
    made = models(folder)
    lines, wanted = requests(made)["chain"]
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(running(name, commands(made, server)[name])) for name in ("sparkml", "xgboost")
        }
        chain = stack.enter_context(HttpChain({name: each.url for name, each in servers.items()}))
        for name, container in servers.items():
            for count in (1, WORKERS):
                taken = []
                for n in range(TIMES):
                    chain.invoke(lines[n].encode(), "text/csv")
                    taken.append(away(chain, container, count, lines[n], wanted[n]))
                    replaced(container)
                seconds, failed = zip(*taken, strict=True)
                what = f"{count} of {WORKERS} workers of {name}, {server}"
                print(f"  {what:38s}{statistics.median(seconds):7.3f} s, longest {max(seconds):.3f}", end="")
                print(f", {sum(failed)} calls failed", flush=True)


def main() -> int:
    print(f"Workers killed, {TIMES} times each, {load()}: until the chain answers (target <= 1 s)")
    for server in ("gunicorn", "granian"):
        with tempfile.TemporaryDirectory() as folder:
            measure(server, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
