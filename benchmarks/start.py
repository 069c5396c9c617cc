"""Cold starts: `import nacre`, and both containers from process start to 200 on /ping. Their answers are checked."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _common import load
from _containers import Subject, commands, models, requests
from _load import running

REPEATS = 7


def import_seconds() -> float:
    """Inside the interpreter, so that its own start does not count."""
    code = "from time import perf_counter as t; a = t(); import nacre; print(t() - a)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def start_seconds(name: str, command: list[str], bodies: list[str], answers: list[str]) -> float:
    """From the exec of `nacre serve` to the first 200 on /ping."""
    start = perf_counter()
    with running(name, command) as server:
        took = perf_counter() - start
        Subject(name, server, 1, bodies[:3], answers[:3]).check()
    return took


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        made = models(Path(folder))
        asked = requests(made)
        imports = [import_seconds() for _ in range(REPEATS)]
        starts = {
            (name, server): [start_seconds(name, commands(made, server)[name], *asked[name]) for _ in range(REPEATS)]
            for server in ("gunicorn", "granian")
            for name in ("sparkml", "xgboost")
        }
    print(f"Cold starts, {load()}; medians of {REPEATS}")
    print(f"  import nacre                          {statistics.median(imports) * 1e3:8.1f} ms   (target < 150)")
    for (name, server), taken in starts.items():
        print(f"  {f'{name} to 200 on /ping, {server}':38s}{statistics.median(taken):8.2f} s    (target <= 0.6)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
