"""The command container: programs in any language as containers, alone and in a chain."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from nacre.chain import FusedChain, HttpChain
from nacre.errors import ContainerError, SetupError
from nacre.handlers.command import program
from nacre.handlers.container import Container
from nacre.pipeline import FOREIGN, Pipeline, is_foreign
from nacre.serving import engine
from nacre.serving.processes import free_ports, ping, started
from nacre.serving.supervisor import LONGEST_WAIT, waits
from tests.shared import CHECKOUT

PROGRAMS = Path(__file__).parent / "programs"
SERVER = [sys.executable, str(PROGRAMS / "server.py")]
OURS = {key: value for key, value in os.environ.items() if not key.startswith(("SAGEMAKER_", "SM_", "NACRE_"))} | {
    "PYTHONPATH": str(CHECKOUT)
}


@contextmanager
def serving(*words, env=None, cwd=None, options=()):
    """(port, process, log) of `nacre serve command`; stopped at the end if it still runs."""
    port = free_ports(1)[0]
    command = [
        sys.executable,
        "-m",
        "nacre",
        "serve",
        "command",
        "--port",
        str(port),
        *options,
        *(["--", *words] if words else []),
    ]
    log = Path(os.environ.get("TMPDIR", "/tmp"), f"nacre-test-command-{port}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=OURS | (env or {}), cwd=cwd, stdout=output, stderr=output)
    try:
        # not our own ping: a program that dies before the supervisor has had its answer has not started
        until(lambda: f"listening on port {port}" in log.read_text() or process.poll() is not None)
        yield port, process, log
    finally:
        process.terminate()
        process.wait(40)
        log.unlink()


def until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ask(port, text, **more):
    with HttpChain({"c": f"http://127.0.0.1:{port}"}) as chain:
        return chain.invoke(text.encode(), "text/csv", **more).body.decode()


def test_a_program_is_served(tmp_path):
    with serving(*SERVER, options=["--model", str(tmp_path)], cwd=tmp_path.parent) as (port, process, log):
        assert ask(port, "1,2") == "1,2"
        assert ask(port, "env SM_MODEL_DIR") == str(tmp_path)
        assert ask(port, "env SAGEMAKER_BIND_TO_PORT") == str(port)
        assert ask(port, "env NACRE_HOST") == "127.0.0.1"
        assert ask(port, "cwd") == str(tmp_path.parent)  # relative names mean what they mean in the shell
        process.send_signal(signal.SIGUSR1)
        until(lambda: "SIGUSR1" in log.read_text())
        process.terminate()
        assert process.wait(20) == 0
        assert not ping(port)


def test_the_command_of_the_environment_runs_in_the_models_folder(tmp_path):
    (tmp_path / "my server.py").write_bytes((PROGRAMS / "server.py").read_bytes())
    env = {"NACRE_COMMAND": f"'{sys.executable}' 'my server.py' one", "SM_MODEL_DIR": str(tmp_path)}
    with serving(env=env) as (port, _, _):
        assert ask(port, "cwd") == str(tmp_path)
    with serving(env=env | {"NACRE_COMMAND_DIR": "/"}) as (_, process, log):
        assert process.wait(20) == 1
        assert "No such file" in log.read_text()


def test_a_program_that_dies_is_started_again(tmp_path):
    with serving(*SERVER, "child") as (port, process, log):
        children = set()
        for _ in range(2):
            with pytest.raises(ContainerError) as caught:
                ask(port, "die")
            assert caught.value.status == 0
            begun = time.monotonic()
            until(lambda: ping(port))
            assert time.monotonic() - begun < 10
            assert ask(port, "again") == "again"
        assert log.read_text().count("the command ended with exit code 3; it is started again") == 2
        children = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("child ")]
        assert len(children) == 3
        process.terminate()
        assert process.wait(20) == 0
    for child in children:  # nothing that it started is left
        until(lambda child=child: not alive(child))


def alive(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_nothing_is_left_when_the_supervisor_is_killed():
    with serving(*SERVER, "child") as (port, process, log):
        child = int(log.read_text().split()[1])
        process.kill()
        process.wait()
        until(lambda: not ping(port) and not alive(child))


@pytest.mark.parametrize(
    "words, told",
    [
        (
            ["crash"],
            "the command ended with exit code 2 before it answered /ping: expected 200 on /ping, got no such setting: COLOUR",
        ),
        (["deaf"], "the command did not pass the ping health check"),
    ],
)
def test_a_start_that_fails_says_why_in_one_line(words, told):
    with serving(*SERVER, *words, env={"NACRE_COMMAND_START_SECONDS": "2"}) as (_, process, log):
        assert process.wait(20) == 1
        assert told in log.read_text().splitlines()[-1]
        assert log.read_text().count("nacre:") == 1


def test_no_program(tmp_path):
    for words, told in (([], "there is no command to run"), (["no-such-program"], "the command cannot be started")):
        with serving(*words) as (_, process, log):
            assert process.wait(20) == 1
            assert told in log.read_text()
    ran = subprocess.run(
        [sys.executable, "-m", "nacre", "serve", "xgboost", "--", "x"], env=OURS, capture_output=True, text=True
    )
    assert "only the command container runs a program" in ran.stderr


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "nacre", "serve", "command", "--port", str(port), "--", *SERVER]
        ran = subprocess.run(command, env=OURS, capture_output=True, text=True)
    assert (ran.returncode, "cannot listen" in ran.stderr) == (1, True)


def test_words_of_a_command():
    assert program([], {"NACRE_COMMAND": "a 'b c' $HOME; d"}) == ["a", "b c", "$HOME;", "d"]
    assert program(["x"], {"NACRE_COMMAND": "y"}) == ["x"]
    with pytest.raises(SetupError, match="NACRE_COMMAND is not usable"):
        program([], {"NACRE_COMMAND": "'"})


def test_waits_are_bounded():
    first = [wait for wait, _ in zip(waits(), range(12), strict=False)]
    assert first[:4] == [0.0, 0.25, 0.5, 1.0]
    assert max(first) == first[-1] == LONGEST_WAIT


def test_it_is_never_loaded(tmp_path):
    with pytest.raises(SetupError, match="a program of its own"):
        Container.load("command", tmp_path, {})


# in a chain


def chain_of(folder, *containers):
    named = [{"ContainerHostname": f"c{at}", "Image": "nacre/command", **each} for at, each in enumerate(containers, 1)]
    return Pipeline.from_definition({"ModelName": "own", "Containers": named}, folder)


def command_of(*words, **environment):
    return {"Environment": {"NACRE_COMMAND": " ".join([*SERVER, *words]), **environment}}


def test_programs_in_a_chain(tmp_path):
    whole = chain_of(tmp_path, command_of(ATTRIBUTES="from c1"), command_of())
    with started(whole, tmp_path / "work") as urls, HttpChain(urls) as chain:
        reply = chain.invoke(b"1,2", "text/csv", "application/json", "mine")
        assert (reply.body, reply.headers) == (b"1,2", (("X-Amzn-SageMaker-Custom-Attributes", "from c1"),))
        seen = json.loads(chain.invoke(b"headers", "text/csv; x=1", "application/json", "mine").body)
        assert {key: seen[key] for key in ("accept", "content-type", "x-amzn-sagemaker-custom-attributes")} == {
            "accept": "*/*", "content-type": "text/csv; x=1", "x-amzn-sagemaker-custom-attributes": "mine",
        }  # fmt: skip
        low, high = map(int, chain.invoke(b"env SAGEMAKER_SAFE_PORT_RANGE", "text/csv").body.split(b"-"))
        assert high - low == 9
        assert chain.invoke(b"env NACRE_CONTAINER_NAME", "text/csv").body == b"c1"
        assert dict(chain.execution_parameters()) == {"MaxPayloadInMB": 7}
        with pytest.raises(
            ContainerError, match=r"Received client error \(418\) from c1 with message \"as you asked\""
        ):
            chain.invoke(b"status 418", "text/csv")
        with pytest.raises(SetupError, match="the command container runs code of its own"):
            FusedChain.load(whole, tmp_path / "fused")


def test_a_chain_whose_program_fails_does_not_start(tmp_path):
    whole = chain_of(tmp_path, command_of(), command_of("crash"))
    with pytest.raises(SetupError) as caught, started(whole, tmp_path / "work"):
        pass
    assert "no such setting: COLOUR" in caught.value.got
    assert caught.value.where["container"] == "c2"


@pytest.mark.go
def test_a_program_in_go(tmp_path):
    binary = tmp_path / "server"
    subprocess.run(["go", "build", "-o", str(binary), str(PROGRAMS / "server.go")], check=True, cwd=tmp_path)
    whole = chain_of(tmp_path, command_of(), {"Environment": {"NACRE_COMMAND": "./server"}, "ModelDataUrl": "."})
    with started(whole, tmp_path / "work") as urls, HttpChain(urls) as chain:
        assert chain.invoke(b"1,2\n0.5,0.25", "text/csv").body == b"3\n0.75\n"
        with pytest.raises(ContainerError, match=r"\(400\) from c2 with message \"not a number: x"):
            chain.invoke(b"1,x", "text/csv")


# images of others


@pytest.mark.parametrize(
    "image, foreign",
    [
        ("registry.example.com/me/thing:1", True), ("me/thing", True), ("thing:1", True), ("me/thing@sha256:00ff", True),
        ("thing", False), ("nacre/thing", False), ("nacre-thing:1", False), ("me/nacre/thing:2", False),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-thing:1", False), ("nacre/sparkml:1", False),
        ("me/xgboost:1", False),
    ],
)  # fmt: skip
def test_which_images_are_not_ours(image, foreign):
    assert is_foreign(image) == foreign


def test_without_an_engine_an_image_of_others_is_refused(tmp_path, monkeypatch):
    whole = chain_of(tmp_path, {"Image": "me/thing:1"})
    assert (whole.containers[0].kind, whole.containers[0].alone) == (FOREIGN, True)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("NACRE_ENGINE", raising=False)
    with (
        pytest.raises(
            SetupError, match=r"no container engine .*podman or docker on PATH, got me/thing:1.*nacre/sparkml"
        ),
        started(whole, tmp_path / "work"),
    ):
        pass
    monkeypatch.setenv("NACRE_ENGINE", "no-such-engine run")
    with pytest.raises(SetupError, match="NACRE_ENGINE is not usable"), started(whole, tmp_path / "work"):
        pass


def test_how_an_image_is_run(tmp_path, monkeypatch):
    monkeypatch.setenv("NACRE_ENGINE", f"{sys.executable} --runtime runc")
    monkeypatch.setenv("NACRE_ENGINE_OPTIONS", "--ulimit nofile=1024:1024")
    item = chain_of(tmp_path, {"Image": "me/thing:1", "Environment": {"SECRET": "value"}}).containers[0]
    run = engine.run(item, tmp_path)
    assert "value" not in " ".join(run.command)
    assert run.command[:5] == [sys.executable, "--runtime", "runc", "run", "--rm"]
    assert run.command[-2:] == ["me/thing:1", "serve"]
    assert {"SECRET", "SAGEMAKER_BIND_TO_PORT", f"{tmp_path}:/opt/ml/model:ro", "--ulimit"} <= set(run.command)
    assert run.remove[-1] == run.command[run.command.index("--name") + 1]
