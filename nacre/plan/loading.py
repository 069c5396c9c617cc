"""What holds while a model is loaded."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection: what loading makes is kept, and looking through it time and again would double its time.

    Threads that load at the same time may end with the collector on while the last of them still loads; never with it
    off.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
