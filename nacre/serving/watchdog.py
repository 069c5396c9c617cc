"""Stops a pipeline's processes when their owner dies without doing so: killed, or out of memory.

A shell reads from a pipe that closes with its owner, however that ends. Linux's PR_SET_PDEATHSIG would need no process,
but it fires when the thread that started a child ends, and there is nothing like it elsewhere.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress

SHELL = "/bin/sh"
SCRIPT = """
trap '' INT HUP TERM
groups=
while read -r line; do
  [ "$line" = done ] && exit
  groups="$groups -$line"
done
[ -z "$groups" ] && exit
kill -s TERM -- $groups
left=$1
while [ "$left" -gt 0 ] && kill -s 0 -- $groups; do sleep 1; left=$((left - 1)); done
kill -s KILL -- $groups
"""
"""A line is a process group, or `done`. $1: seconds between SIGTERM and SIGKILL."""


class Watchdog:
    """Told of every process group there is to stop; `close` it when they have ended."""

    def __init__(self, seconds: int):
        self._shell = subprocess.Popen(
            [SHELL, "-c", SCRIPT, SHELL, str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is for its owner
        )

    def watch(self, group: int) -> None:
        """`group`: a process group of its own."""
        self._tell(str(group))

    def close(self) -> None:
        """All is stopped."""
        self._tell("done")
        assert self._shell.stdin is not None
        with suppress(OSError):
            self._shell.stdin.close()
        self._shell.wait()

    def _tell(self, line: str) -> None:
        assert self._shell.stdin is not None
        with suppress(OSError):  # somebody killed it; what it watches can be stopped all the same
            self._shell.stdin.write(line.encode() + b"\n")
            self._shell.stdin.flush()
