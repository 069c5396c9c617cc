"""SIGTERM and SIGINT while nobody listens for them: before the server has started, and in a worker that is new.

A worker starts as a copy of its master, handlers included, and those only note a signal for the master's loop, which
the copy never runs. Told to stop in its first milliseconds (or longer on a busy machine), it would serve on, and the
master wait for it: gunicorn until its graceful timeout, Granian for ever. And a signal that arrives just before a main
thread goes to sleep on a lock, as that of Granian's workers does, is noted by Python and wakes nobody.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from time import sleep

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
NUDGE = signal.SIGURG
"""Ignored by whoever does not ask for it."""
AFTER = (0.05, 0.5, 2.0)
"""Seconds between a signal and the nudges to the main thread: a busy machine can hold it up before it sleeps."""


def stop_while_loading() -> None:
    """SIGTERM ends the program with exit code 0 until the server takes over. As process 1 of a container, where the
    kernel drops a signal without a handler, it would not end at all."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def stop_new_workers() -> None:
    """Processes forked from this one end at once on SIGTERM and SIGQUIT, with exit code 0, and leave SIGINT to their
    master, until they install handlers of their own."""
    master = os.getpid()
    masks: list[set[int | signal.Signals]] = []

    def before() -> None:
        if os.getpid() == master:
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, STOPS))

    def in_parent() -> None:
        if os.getpid() == master:
            signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())

    def in_child() -> None:
        if os.getppid() == master and masks:  # what a worker forks is its own business
            for number in (signal.SIGTERM, signal.SIGQUIT):
                signal.signal(number, lambda *_: os._exit(0))
            signal.signal(signal.SIGINT, lambda *_: None)
            signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)


def wake_for_signals() -> None:
    """In the main thread of a process that will sleep on a lock: every signal wakes it, so that its handler runs."""
    main = threading.get_ident()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(NUDGE, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def nudge() -> None:
        while number := os.read(reading, 1):
            for seconds in AFTER if number[0] != NUDGE else ():
                sleep(seconds)
                signal.pthread_kill(main, NUDGE)

    threading.Thread(target=nudge, daemon=True).start()
