"""Whether podman can run anything on this machine: `true`, with this machine's own /usr as its root file system.

A kernel inside another container may forbid it whatever is installed. Standard library only.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.images.podman import RUN

PROGRAMS = ("podman", "buildah", "runc", "mmdebstrap")
MISSING, FORBIDDEN = 2, 3
"""Exit codes: something is to be installed; all is, and it does not work here."""


def main() -> int:
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        print(f"no {' and no '.join(missing)} on PATH", file=sys.stderr)
        return MISSING
    mounts = [f"--volume={name}:{name}:ro" for name in ("/usr", "/lib", "/lib64") if Path(name).exists()]
    with TemporaryDirectory() as root:
        ran = subprocess.run([*RUN, *mounts, "--rootfs", root, "/usr/bin/true"], capture_output=True, text=True)
    if ran.returncode:
        print(" ".join(ran.stderr.split())[-300:], file=sys.stderr)
    return FORBIDDEN if ran.returncode else 0


if __name__ == "__main__":
    raise SystemExit(main())
