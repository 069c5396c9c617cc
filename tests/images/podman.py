"""How podman and buildah are called, here and inside a container: runc without a network or resource limits of its own,
which is what a kernel inside another container still allows.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

PODMAN = ("podman", "--runtime", "runc")
RUN = (*PODMAN, "run", "--rm", "--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""Both limits must be given: the defaults are more than a nested kernel grants."""
BUILD = ("buildah", "bud", "--isolation", "chroot", "--network", "host")


def call(*command: str | Path) -> str:
    """Stdout of a command; its stderr and the end of its stdout are the error when it fails."""
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {(ran.stdout + ran.stderr)[-3000:]}")
    return ran.stdout


def image_name(kind: str) -> str:
    return f"nacre/{kind}"


def inspect(image: str) -> dict[str, Any] | None:
    """What podman knows of an image of this machine, None if there is none of this name."""
    ran = subprocess.run([*PODMAN, "image", "inspect", image], capture_output=True, text=True)
    return json.loads(ran.stdout)[0] if ran.returncode == 0 else None


def serve(image: str, model_dir: Path, *more: str) -> list[str]:
    """The command that serves a model folder as SageMaker would, except that the container listens on loopback only, may
    write nowhere but /tmp, and gets of the environment just what `--env NAME` in `more` lets through."""
    only = ("--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp")
    model = ("--volume", f"{model_dir}:/opt/ml/model:ro")
    return [*RUN, *only, *model, "--env", "SAGEMAKER_BIND_TO_PORT", *more, image, "serve", "--host", "127.0.0.1"]
