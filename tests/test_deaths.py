"""Servers that are stopped, workers that die, containers that cannot start: real processes, real signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nacre.chain import HttpChain
from nacre.errors import ContainerError, SetupError
from nacre.handlers import KINDS
from nacre.pipeline import ContainerDefinition, Pipeline
from nacre.serving.processes import free_ports, started
from nacre.serving.server import SERVERS
from tests.doubling import KIND, model
from tests.shared import CHECKOUT

SOON = 15
"""Seconds that a busy machine may take for what is a matter of milliseconds; gunicorn gives up on a worker after 25."""


def serving(model_dir, *more, **env):
    """A doubling container as a child process that leads a process group."""
    command = [sys.executable, "-m", "tests.doubling", "serve", KIND, "--model", str(model_dir), *more]
    paths = {"PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen(command, env=os.environ | paths | env, stderr=subprocess.PIPE, text=True, process_group=0)


def end(process):
    """Nothing of it is left, whatever happened."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


@pytest.mark.parametrize("server", SERVERS)
def test_one_that_is_stopped_before_its_workers_have_begun(server, tmp_path):
    """SIGTERM comes with the line that it listens: while it forks, or while its workers still have its own handlers."""
    model_dir = model(tmp_path)
    for _ in range(5):
        process = serving(model_dir, "--server", server, "--workers", "2", "--port", str(free_ports(1)[0]))
        try:
            assert "listening on" in process.stderr.readline()
            process.terminate()
            assert process.wait(SOON) == 0
            assert process.stderr.read() == ""
        finally:
            end(process)


def test_one_that_is_stopped_while_it_loads(tmp_path):
    """As process 1 of a container it would not end at all without a handler."""
    (tmp_path / "tmp").mkdir()
    model_dir = model(tmp_path / "model")
    process = serving(model_dir, "--port", "0", SLOW_TO_LOAD="60", TMPDIR=str(tmp_path / "tmp"))
    try:
        assert process.stderr.readline() == "loading\n"
        process.terminate()
        assert process.wait(SOON) == 0
        assert process.stderr.read() == ""
        assert list((tmp_path / "tmp").iterdir()) == []
    finally:
        end(process)


def children(pid):
    return {
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    }


def servers():
    """Process ids of the servers that this process has started, by container."""
    found = {}
    for pid in children(os.getpid()):
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        names = [word.partition(b"=")[2].decode() for word in words if word.startswith(b"NACRE_CONTAINER_NAME=")]
        if names:
            found[names[0]] = pid
    return found


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_is_replaced(server, workers, tmp_path):
    """All workers of one container at once, several times in a row: the chain answers again, and its servers stay."""

    def command(item, model_dir):
        words = [sys.executable, "-m", "tests.doubling", "serve", item.kind, "--model", str(model_dir)]
        return [*words, "--server", server]

    names = ("c1", "c2")
    items = tuple(ContainerDefinition(name, KIND, "x", str(model(tmp_path / name)), {}) for name in names)
    with started(Pipeline("p", items), tmp_path / "w", workers=workers, command=command) as urls:
        masters = servers()
        with HttpChain(urls) as chain:
            assert answer(chain) == b"4.0\n"
            for name in ("c1", "c2", "c1"):
                old = children(masters[name])
                assert old
                for pid in old:
                    os.kill(pid, signal.SIGKILL)
                assert answer(chain) == b"4.0\n"
                wait_until(lambda name=name, old=old: len(children(masters[name]) - old) == workers)
        assert servers() == masters


def answer(chain):
    """Of the chain, which may fail while a worker is being replaced."""
    deadline = time.monotonic() + SOON
    while True:
        try:
            return chain.invoke(b"1", "text/csv").body
        except ContainerError as error:
            assert error.reply.status == 0
            assert time.monotonic() < deadline, error
            time.sleep(0.02)


def wait_until(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != KIND])
def test_a_container_that_cannot_load_says_why_once(kind, tmp_path):
    """In one line of its log, and the start of its chain fails with that line."""
    (artefact := tmp_path / "artefact").mkdir()
    (artefact / "model.zip").write_bytes(b"no model")
    good = ContainerDefinition("before", KIND, "x", str(model(tmp_path / "good")), {})
    bad = ContainerDefinition("bad", kind, "x", str(artefact), {})

    def command(item, model_dir):
        return [sys.executable, "-m", "tests.doubling", "serve", item.kind, "--model", str(model_dir)]

    with pytest.raises(SetupError) as caught, started(Pipeline("p", (good, bad)), tmp_path / "w", command=command):
        pass
    log = (tmp_path / "w" / "bad" / "log").read_text()
    assert log.count("\n") == 1, log
    assert log.startswith("nacre: ")
    assert "container bad" in log
    assert caught.value.where["container"] == "bad"
    assert caught.value.got == log.strip()
