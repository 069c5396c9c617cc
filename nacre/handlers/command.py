"""The command container: a program of the user, in any language, that answers /ping and /invocations by itself.

There is nothing to decode or score here: `nacre serve command` starts the program and watches over it
(nacre.serving.supervisor). This class tells the rest of the library what kind of container it is.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from nacre.errors import SetupError
from nacre.handlers.base import Handler, Setting

COMMAND = Setting(
    "NACRE_COMMAND", None, "the program and its arguments, split as a shell splits them; runs in no shell"
)
DIRECTORY = Setting(
    "NACRE_COMMAND_DIR", None, "its working directory; default: the model's folder, for `-- PROGRAM` the current one"
)
START = Setting("NACRE_COMMAND_START_SECONDS", "240", "seconds it may take until it answers /ping")


class Command(Handler):
    """Never loaded: its program listens on SAGEMAKER_BIND_TO_PORT."""

    kind: ClassVar[str] = "command"
    settings: ClassVar[tuple[Setting, ...]] = (COMMAND, DIRECTORY, START)
    alone: ClassVar[bool] = True
    listens: ClassVar[bool] = True

    @classmethod
    def load(cls, model_dir: Path, env: Mapping[str, str]) -> Command:  # noqa: ARG003
        raise SetupError(
            "the command container is a program of its own", expected="a process", got="a load in this process",
            fix="Start it with `nacre serve command -- PROGRAM`",
        )  # fmt: skip


def program(given: list[str], env: Mapping[str, str]) -> list[str]:
    """The program and its arguments: what was given, else the environment's. Raises SetupError."""
    fix = f"nacre serve command -- PROGRAM ARGUMENT …, or set {COMMAND.name}"
    try:
        found = given or shlex.split(env.get(COMMAND.name) or "")
    except ValueError as error:
        raise SetupError(f"{COMMAND.name} is not usable", expected="words of a shell", got=str(error)) from None
    if not found:
        raise SetupError("there is no command to run", expected="a program", got="none", fix=fix)
    return found
