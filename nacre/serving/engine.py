"""Containers of images that are not ours: run by podman or docker, where one of them is."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from nacre.errors import SetupError
from nacre.handlers.base import Setting
from nacre.handlers.container import NAME
from nacre.serving.settings import PORT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nacre.pipeline import ContainerDefinition

ENGINE = Setting("NACRE_ENGINE", None, "the container engine's command; default: podman or docker, whichever is found")
OPTIONS = Setting("NACRE_ENGINE_OPTIONS", None, "further options of the engine's `run`")
SETTINGS = (ENGINE, OPTIONS)
KNOWN = ("podman", "docker")
SAFE_PORTS = "SAGEMAKER_SAFE_PORT_RANGE"


class Run(NamedTuple):
    """How to run an image in the foreground, and how to get rid of it when that does not end."""

    command: list[str]
    remove: list[str] | None


def engine(image: str, env: Mapping[str, str]) -> list[str]:
    """The engine's command. Raises SetupError where there is none."""
    given = shlex.split(env.get(ENGINE.name) or "")
    if given and shutil.which(given[0]) is None:
        raise SetupError(f"{ENGINE.name} is not usable", expected="a program on PATH", got=given[0])
    found = given or [name for name in KNOWN if shutil.which(name)][:1]
    if not found:
        from nacre.handlers import KINDS

        ours = ", ".join(f"nacre/{kind}" for kind in KINDS)
        raise SetupError(
            "no container engine to run this image with", expected=f"{' or '.join(KNOWN)} on PATH", got=image,
            fix=f"Install one, or name an image of ours, which runs as a process: {ours}",
        )  # fmt: skip
    return found


def run(item: ContainerDefinition, model_dir: Path) -> Run:
    """The image as SageMaker runs it: `serve`, the model under /opt/ml/model, the environment of its definition.

    It shares this machine's network, so that it listens on the port it is told; values reach it through the engine's
    own environment and stand on no command line.
    """
    base = engine(item.image, os.environ)
    name = f"nacre-{item.name}-{uuid4().hex[:8]}"
    passed = [*item.environment, NAME.name, PORT.name, SAFE_PORTS]
    options = shlex.split(os.environ.get(OPTIONS.name) or "")
    command = [*base, "run", "--rm", "--name", name, "--network", "host", *options]
    command += [part for variable in passed for part in ("--env", variable)]
    command += ["--volume", f"{model_dir}:/opt/ml/model:ro", item.image, "serve"]
    return Run(command, [*base, "rm", "--force", name])
