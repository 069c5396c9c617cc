"""A handler that every worker process loads for itself, because what it loads does not survive a fork.

Before the workers are forked a child process tries it, so that a model that cannot be loaded still ends the start with
its one sentence.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from nacre.errors import ModelError, NacreError
from nacre.handlers.base import Handler, Reply


class Late(Handler):
    """Hands everything on to the handler that `make` gives, made once in each process at the first need."""

    def __init__(self, make: Callable[[], Handler]):
        self._make = make
        self._made: tuple[int, Handler] | None = None
        self._lock = Lock()

    @property
    def real(self) -> Handler:
        """Raises NacreError as loading does."""
        made = self._made
        if made is None or made[0] != os.getpid():
            with self._lock:
                if self._made is None or self._made[0] != os.getpid():
                    self._made = os.getpid(), self._make()
                made = self._made
        return made[1]

    def warm(self) -> None:
        self.real.warm()

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        return self.real.invoke(body, content_type, accept)

    def negotiate(self, content_type: str | None, accept: str | None) -> None:
        self.real.negotiate(content_type, accept)

    def decode(self, body: bytes, content_type: str | None) -> Any:
        return self.real.decode(body, content_type)

    def predict(self, frame: Any) -> Any:
        return self.real.predict(frame)

    def encode(self, frame: Any, accept: str | None) -> Reply:
        return self.real.encode(frame, accept)

    def failure(self, error: NacreError, accept: str | None) -> Reply:
        """Without loading: the error may be that of loading."""
        return super().failure(error, accept) if self._made is None else self.real.failure(error, accept)

    def execution_parameters(self) -> Mapping[str, Any]:
        return self.real.execution_parameters()

    def from_table(self, table: Any) -> Any:
        return self.real.from_table(table)

    def to_array(self, frame: Any) -> Any:
        return self.real.to_array(frame)


def tried(make: Callable[[], object], model_dir: Path) -> None:
    """Make it in a child process and forget it. Raises ModelError with what went wrong there."""
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            with os.fdopen(write, "w") as pipe:
                pipe.write(json.dumps(told(make), default=str))
            sys.stderr.flush()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if not answer:
        got = f"it ended with {os.waitstatus_to_exitcode(status)}"
        raise ModelError("loading the model ended the process", expected="a model", got=got, file=str(model_dir))
    error = json.loads(answer)
    if error is not None:
        raise ModelError(error["message"], **error["known"])


def told(make: Callable[[], object]) -> dict[str, Any] | None:
    """What making it raises, as JSON can hold it."""
    try:
        make()
    except NacreError as error:
        known = {"expected": error.expected, "got": error.got, "fix": error.fix, **error.where}
        return {"message": error.message, "known": known}
    except Exception as error:  # noqa: BLE001  whatever a library makes of a broken model
        return {"message": "the model cannot be loaded", "known": {"got": f"{type(error).__name__}: {error}"}}
    return None
