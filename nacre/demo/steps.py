"""The demo's steps, each a process of its own with a log of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from nacre.demo.ways import WAYS
from nacre.errors import SetupError
from nacre.share import PACKAGE, folder

if TYPE_CHECKING:
    from nacre.demo.home import Home


def environment() -> dict[str, str]:
    """The variables a child needs: this Python for Spark's own, and this package wherever the child stands."""
    env = dict(os.environ)
    paths = [str(PACKAGE.parent), *filter(None, [env.get("PYTHONPATH")])]
    own = {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    return env | own


def spark_submit(home: Home, job: str, *arguments: str) -> None:
    """Run one of the top-level jobs with pyspark's own spark-submit, on this machine."""
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise SetupError("pyspark is missing", expected="pyspark", got="none", fix="pip install 'nacre[demo]'")
    command = [
        str(Path(found.origin).parent / "bin" / "spark-submit"), "--master", "local[2]",
        "--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=2",
        str(folder("jobs") / f"{job}.py"), *arguments,
    ]  # fmt: skip
    run(home, job, command)


def way(home: Home, name: str, required: bool = False) -> None:
    """Run one way in a process. A way that fails leaves no result, and the table says why; the reference must not."""
    home.result(name).unlink(missing_ok=True)
    try:
        run(home, name, [sys.executable, "-m", "nacre.demo.ways", name, str(home.path)])
    except SetupError:
        if required:
            raise


def all_ways(home: Home) -> None:
    for name in WAYS:
        way(home, name)


def run(home: Home, name: str, command: list[str]) -> float:
    """Run a command with its output in logs/NAME.log; seconds it took. Raises SetupError with what the log says."""
    home.logs.mkdir(parents=True, exist_ok=True)
    log = home.logs / f"{name}.log"
    start = perf_counter()
    with log.open("wb") as file:
        code = subprocess.run(
            command, check=False, stdout=file, stderr=subprocess.STDOUT, env=environment(), cwd=home.path
        ).returncode
    if code:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        own = [line.removeprefix("nacre: ") for line in lines if line.startswith("nacre: ")]
        reason = own[-1] if own else (lines[-1] if lines else "no output")
        raise SetupError(f"the step {name} failed: {reason}", got=f"exit code {code}", file=str(log))
    return perf_counter() - start
