"""A script that hangs: nothing can interrupt it from outside, so its worker ends and the server starts another."""

from __future__ import annotations

import os
import sys
import threading
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from nacre.handlers.base import Setting

if TYPE_CHECKING:
    from types import TracebackType

TIMEOUT = Setting(
    "SAGEMAKER_MODEL_SERVER_TIMEOUT", "60", "seconds a request may take in the script; then its worker is replaced"
)
EVERY = 1.0
"""Seconds between two looks, at most."""


class Watch:
    """Around a call: `with watch:`. A process whose call takes more than `seconds` ends with a line in the log."""

    def __init__(self, seconds: int):
        self.seconds = seconds
        self._started: dict[int, float] = {}
        self._owner: int | None = None

    def __enter__(self) -> Watch:
        if self._owner != os.getpid():  # a worker has just been forked, and threads are not
            self._owner = os.getpid()
            self._started = {}
            threading.Thread(target=self._look, name="nacre-script-watch", daemon=True).start()
        self._started[threading.get_ident()] = monotonic()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: Any, _trace: TracebackType | None) -> None:
        del self._started[threading.get_ident()]

    def _look(self) -> None:
        while True:
            sleep(min(EVERY, self.seconds / 4))
            if any(monotonic() - start > self.seconds for start in list(self._started.values())):
                sys.stderr.write(
                    f"nacre: the script took more than {self.seconds} s, its worker ends ({TIMEOUT.name})\n"
                )
                sys.stderr.flush()
                os._exit(1)
