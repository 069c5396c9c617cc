"""The tests that need PyTorch or TensorFlow, in an environment of their own in the cache: `make frameworks`.

It is made at the first call and again when what it is made from has changed: about five minutes and 7 GB.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CPU_TENSORFLOW = sys.platform == "linux" and os.uname().machine == "x86_64"
PACKAGES = ("torch", "tensorflow-cpu" if CPU_TENSORFLOW else "tensorflow", "pytest", "pytest-timeout", "pytest-xdist")
MADE_FROM = ("pyproject.toml", "constraints.txt", "tests/frameworks.py")
BAD = "tests/test_bad_requests.py::test_bad_requests"
TESTS = (
    "tests/test_pytorch.py",
    "tests/test_tensorflow.py",
    "tests/test_tensorflow_handler.py",
    f"{BAD}[pytorch]",
    f"{BAD}[tensorflow]",
)


def environment() -> Path:
    """Its Python."""
    home = Path(os.environ.get("NACRE_CACHE", ROOT / ".cache")) / "frameworks"
    python, stamp = home / "bin" / "python", home / ".made-from"
    wanted = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in MADE_FROM)).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"installing {', '.join(PACKAGES[:2])} into {home}: about five minutes, 7 GB", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        limits = ["--constraint", str(ROOT / "constraints.txt")]
        subprocess.run([*pip, *limits, *PACKAGES, "--editable", f"{ROOT}[serving,spark,xgboost]"], check=True)
        stamp.write_text(wanted)
    return python


def main(arguments: list[str]) -> int:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([environment(), "-m", "pytest", *TESTS, *arguments], cwd=ROOT, env=env).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
