"""Cold starts: `import nacre`, and a sparkml container from process start to 200 on /ping. Its answer is checked."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from time import perf_counter, sleep

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _common import abalone_bundle, load

from nacre.serving.processes import free_ports

REPEATS = 7


def import_seconds() -> float:
    """Inside the interpreter, so that its own start does not count."""
    code = "from time import perf_counter as t; a = t(); import nacre; print(t() - a)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def start_seconds(model: Path) -> float:
    """From the exec of `nacre serve sparkml` to the first 200 on /ping."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "nacre", "serve", "sparkml", "--model", str(model), "--port", str(port)]
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _ready(port):
            if process.poll() is not None:
                raise SystemExit(f"the container ended with {process.returncode}")
            sleep(0.005)
        took = perf_counter() - start
        _check(port)
        return took
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=1) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _check(port: int) -> None:
    body = b"F,0.5,0.4,0.1,0.8,0.3,0.2,0.25"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "text/csv"})
    with urllib.request.urlopen(request) as reply:
        answer = reply.read()
    assert answer.strip() == b"0.0,1.0,0.5,0.4,0.1,0.8,0.3,0.2,0.25", answer


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        model = abalone_bundle(Path(folder, "abalone.zip"))
        imports = [import_seconds() for _ in range(REPEATS)]
        starts = [start_seconds(model) for _ in range(REPEATS)]
    print(f"Cold starts, {load()}; medians of {REPEATS}")
    print(f"  import nacre                          {statistics.median(imports) * 1e3:8.1f} ms   (target < 150)")
    print(f"  sparkml container to 200 on /ping     {statistics.median(starts):8.2f} s    (target <= 0.6)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
