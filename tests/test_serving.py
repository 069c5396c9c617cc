"""Containers as processes: real servers, real sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from werkzeug.test import Client

from nacre.errors import NacreError, SetupError
from nacre.handlers import KINDS
from nacre.handlers.base import Handler, Setting
from nacre.handlers.container import Container, body_limit, canonical
from nacre.pipeline import ContainerDefinition, Pipeline
from nacre.serving.app import ContainerApp, container_app
from nacre.serving.processes import free_ports, ping, started
from nacre.serving.server import SERVERS, settings_text
from nacre.serving.settings import ServerSettings
from nacre.share import folder
from tests import tiny_chain
from tests.doubling import KIND, Doubling, model
from tests.shared import CHECKOUT, OURS

CSV = {"Content-Type": "text/csv"}


@contextmanager
def running(command, port, env=None, cwd="/"):
    """A server as a child process, ready; stopped at the end with SIGTERM, which must end it with 0."""
    process = subprocess.Popen(command, env=OURS | (env or {}), cwd=cwd, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not ping(port):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
        process.errors = errors
    assert process.returncode == 0


def doubling(model_dir, port, *more):
    return [
        sys.executable,
        "-m",
        "tests.doubling",
        "serve",
        KIND,
        "--model",
        str(model_dir),
        "--port",
        str(port),
        *more,
    ]


def call(port, method, path, body=None, headers=(), **more):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers), **more)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module", params=SERVERS)
def server(request, tmp_path_factory):
    """(port, process) of a doubling container that takes bodies up to 1,000,000 bytes."""
    port = free_ports(1)[0]
    command = doubling(model(tmp_path_factory.mktemp("model")), port, "--server", request.param, "--workers", "2")
    with running(command, port, {"MAX_CONTENT_LENGTH": "1000000", "NACRE_CONTAINER_NAME": "c1"}) as process:
        yield port, process


def test_ping(server):
    for method in ("GET", "HEAD"):
        answer, body = call(server[0], method, "/ping")
        assert (answer.status, body, answer.getheader("Content-Type")) == (200, b"", None)


def test_execution_parameters(server):
    answer, body = call(server[0], "GET", "/execution-parameters")
    assert answer.getheader("Content-Type") == "application/json"
    assert body == b'{"MaxConcurrentTransforms":1,"BatchStrategy":"MULTI_RECORD","MaxPayloadInMB":6}'


def test_an_invocation(server):
    answer, body = call(server[0], "POST", "/invocations?x=1", b"1,2", CSV)
    assert (answer.status, body) == (200, b"2.0,4.0\n")
    assert answer.getheader("Content-Type") == "text/csv; charset=utf-8"


def test_a_chunked_invocation(server):
    answer, body = call(server[0], "POST", "/invocations", iter([b"1,", b"2\n3", b",4"]), CSV, encode_chunked=True)
    assert (answer.status, body) == (200, b"2.0,4.0\n6.0,8.0\n")


@pytest.mark.parametrize("chunked", [False, True])
def test_the_largest_body_and_one_byte_more(server, chunked):
    for size, status in ((1_000_000, 200), (1_000_001, 413)):
        content = b"1" * 100 + b"\n" * (size - 100)
        body = iter([content[:500_000], content[500_000:]]) if chunked else content
        answer, text = call(server[0], "POST", "/invocations", body, CSV, encode_chunked=chunked)
        assert answer.status == (400 if status == 200 else 413), text[:200]  # 400: blank lines are no numbers
        assert (b"at most 1000000 bytes" in text) == (status == 413)


def test_a_connection_lives_on_after_an_error(server):
    connection = http.client.HTTPConnection("127.0.0.1", server[0], timeout=20)
    statuses = []
    for body in (b"1", b"x", b"2" * 9_000_000, b"1", b"-1", b"1"):
        connection.request("POST", "/invocations", body, CSV)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    assert statuses == [200, 400, 413, 200, 500, 200]


def test_a_body_that_ends_early_is_not_scored(server):
    with socket.create_connection(("127.0.0.1", server[0]), timeout=20) as peer:
        peer.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 9\r\n\r\n1,2")
        peer.shutdown(socket.SHUT_WR)
        assert b" 200 " not in peer.recv(65536).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "method, path, status",
    [("GET", "/invocations", 405), ("POST", "/ping", 405), ("GET", "/", 404), ("GET", "/ping/", 404),
     ("POST", "/invocations/", 404), ("DELETE", "/invocations", 405)],
)  # fmt: skip
def test_what_nobody_serves(server, method, path, status):
    answer, body = call(server[0], method, path)
    assert answer.status == status
    assert json.loads(body)["error"]["got"] == f"{method} {path}"
    assert bool(answer.getheader("Allow")) == (status == 405)


def test_a_slow_request_does_not_hold_up_the_others(server):
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(call, server[0], "POST", "/invocations", b"-2", CSV)
        time.sleep(0.2)
        assert ping(server[0])
        assert not slow.done()
        assert slow.result()[1] == b"-4.0\n"


@pytest.mark.parametrize("kind", SERVERS)
def test_the_log_has_a_line_an_error_and_nothing_of_a_body(kind, tmp_path):
    port = free_ports(1)[0]
    with running(doubling(model(tmp_path), port, "--server", kind, "--workers", "1"), port) as process:
        call(port, "POST", "/invocations", b"1,2", CSV)
        call(port, "POST", "/invocations", b"1\nsecretive", CSV)
        call(port, "POST", "/invocations", b"-1", CSV)
        call(port, "GET", "/secret%0a")
        call(port, "POST", "/invocations", b"1", {"Content-Type": "secret/type"})
    ready, bad, fault, unknown, refused = process.errors.splitlines()
    assert ready == f"nacre doubling: listening on http://127.0.0.1:{port} (1 workers)"
    assert bad == "nacre doubling: 400 POST '/invocations' RowError, expected a number, row 2"
    assert re.fullmatch(r"nacre doubling: 500 POST '/invocations' KeyError at .*doubling.py:\d+ in predict", fault)
    assert unknown == r"nacre doubling: 404 GET '/secret\n' NotFound"
    assert refused == "nacre doubling: 415 POST '/invocations' RequestError, expected text/csv"


@pytest.mark.parametrize("kind", SERVERS)
def test_it_listens_on_loopback_unless_told_otherwise(kind, tmp_path):
    for more, addresses in (((), {"0100007F"}), (("--host", "0.0.0.0"), {"00000000"})):
        port = free_ports(1)[0]
        with running(doubling(model(tmp_path), port, "--server", kind, *more), port):
            lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            local = [line[1].split(":") for line in lines if line[3] == "0A"]  # 0A: listening
        assert {address for address, number in local if int(number, 16) == port} == addresses


SLOW_TO_FORK = """
import sys, time
import nacre.serving.settings as settings
import tests.doubling
from nacre.cli import main
known = settings.ServerSettings.gunicorn
settings.ServerSettings.gunicorn = lambda self: known(self) | {"post_fork": lambda server, worker: time.sleep(2)}
main(sys.argv[1:])
"""


def test_a_worker_hears_of_a_stop_before_it_serves(tmp_path):
    command = [sys.executable, "-c", SLOW_TO_FORK, "serve", KIND, "--model", str(model(tmp_path)), "--port", "0"]
    with subprocess.Popen(command, env=OURS, cwd="/", stderr=subprocess.PIPE, text=True) as process:
        assert "listening" in process.stderr.readline()
        time.sleep(0.5)  # the workers are forked
        process.terminate()
        assert process.wait(15) == 0  # and not after the 25 seconds of a worker that is killed


def test_the_port_comes_from_the_platform(tmp_path):
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "tests.doubling", "serve", KIND, "--model", str(model(tmp_path))]
    with running(command, port, {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}):
        assert call(port, "POST", "/invocations", b"2", CSV)[1] == b"4.0\n"


def test_a_packed_model_leaves_nothing_behind(tmp_path):
    (tmp_path / "tmp").mkdir()
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(model(tmp_path / "model", 5) / "factor", "factor")
    port = free_ports(1)[0]
    with running(doubling(tmp_path / "model.tar.gz", port), port, {"TMPDIR": str(tmp_path / "tmp")}):
        assert call(port, "POST", "/invocations", b"2", CSV)[1] == b"10.0\n"
    assert [path.name for path in (tmp_path / "tmp").iterdir() if path.name.startswith("nacre")] == []


def refusal(*arguments, **env):
    """What a server that cannot start says: exit code and stderr."""
    command = [sys.executable, "-m", "tests.doubling", "serve", KIND, *map(str, arguments)]
    ran = subprocess.run(command, env=OURS | env, cwd="/", capture_output=True, text=True, timeout=60)
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("kind", SERVERS)
def test_a_container_that_cannot_load_says_why_once(kind, tmp_path):
    code, text = refusal("--model", tmp_path, "--server", kind, "--port", "0")
    assert code == 1
    assert text == (
        f"nacre: no factor in the model: expected a file named factor, got {tmp_path}, at container doubling\n"
    )


def test_whatever_is_wrong_is_one_line(tmp_path):
    good = model(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, env, part in [
            (("--model", tmp_path / "missing.zip"), {}, "no such model"),
            (("--model", good), {"BROKEN_CODE": "1"}, "ZeroDivisionError"),
            (("--model", good, "--port", port), {}, f"127.0.0.1:{port}: Address already in use"),
            (("--model", good), {"SAGEMAKER_BIND_TO_PORT": "http"}, "a number from 0 to 65535, got http"),
            (("--model", good, "--port", "0"), {"SAGEMAKER_MODEL_SERVER_WORKERS": "-1"}, "a whole number, 1 or more"),
            (("--model", good, "--port", "0"), {"NACRE_SERVER": "nginx"}, "gunicorn or granian, got nginx"),
            (("--model", good, "--port", "0"), {"MAX_CONTENT_LENGTH": "6MB"}, "a whole number, 1 or more, got 6MB"),
            (("--port", "0"), {}, "/opt/ml/model"),
        ]:
            code, text = refusal(*arguments, **env)
            assert code == 1, text
            assert text.count("\n") == 1
            assert part in text


def test_help_has_the_settings_of_the_kind():
    assert "FACTOR (default 2)\n      what every number is multiplied with" in settings_text(KIND)
    assert "SAGEMAKER_BIND_TO_PORT (default 8080)" in settings_text(None)
    own = settings_text("xgboost")
    assert "SAGEMAKER_INFERENCE_OUTPUT" in own
    assert own.count("MAX_CONTENT_LENGTH") == 1
    assert "MAX_CONTENT_LENGTH (default 6291456)" in own


def test_what_is_given_goes_before_the_environment():
    env = {"SAGEMAKER_BIND_TO_PORT": "1", "NACRE_HOST": "::1", "SAGEMAKER_MODEL_SERVER_TIMEOUT": "7"}
    assert ServerSettings.read(env, workers=3)[:3] == ("::1", 1, 3)
    assert ServerSettings.read(env, "127.0.0.1", 0)[:2] == ("127.0.0.1", 0)
    assert ServerSettings.read({})[:2] == ("127.0.0.1", 8080)
    assert ServerSettings.read(env).gunicorn()["bind"] == "[::1]:1"


# the programs that gunicorn and SageMaker start


@pytest.fixture(scope="module")
def booster(tmp_path_factory):
    """(folder with the artefact of a small XGBoost model, a CSV row, the library's own score of it)."""
    pytest.importorskip("xgboost")
    folder_ = tmp_path_factory.mktemp("booster")
    rows = tiny_chain.rows(50)
    trained = tiny_chain.booster(folder_ / "xgboost-model.json", rows)
    features = tiny_chain.matrix(rows[:1])
    return folder_, ",".join(map(repr, features[0].tolist())).encode(), float(trained.inplace_predict(features)[0])


def score(port, row):
    answer, body = call(port, "POST", "/invocations", row, CSV)
    assert answer.status == 200, body
    return float(body)


@pytest.mark.parametrize("name", SERVERS)
def test_what_a_large_request_needs_is_there_before_it_comes(tmp_path, name):
    """Arrow is imported by no request and not before the first answer, but a moment later, in every worker."""
    port = free_ports(1)[0]
    tiny_chain.bundle(tmp_path / "model.zip")
    command = [sys.executable, "-m", "nacre", "serve", "sparkml", "--model", str(tmp_path), "--port", str(port)]
    with running([*command, "--server", name, "--workers", "2"], port) as process:
        deadline = time.monotonic() + 60
        while sum(map(has_arrow, children(process.pid))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not has_arrow(process.pid)


def has_arrow(pid):
    return "libarrow_python" in Path(f"/proc/{pid}/maps").read_text()


def test_gunicorn_runs_the_top_level_program(booster):
    port = free_ports(1)[0]
    model_dir, row, expected = booster
    programs = folder("serving")
    command = [sys.executable, "-m", "gunicorn", "-c", str(programs / "gunicorn.conf.py"), "serving.xgboost:app"]
    env = {"SM_MODEL_DIR": str(model_dir), "SAGEMAKER_BIND_TO_PORT": str(port)}
    with running(command, port, env, cwd=programs.parent) as process:
        assert score(port, row) == expected
    assert process.errors == ""


def test_the_top_level_program_says_why_it_cannot_load(tmp_path):
    programs = folder("serving")
    command = [sys.executable, "-m", "gunicorn", "-c", str(programs / "gunicorn.conf.py"), "serving.xgboost:app"]
    env = OURS | {"SAGEMAKER_BASE_DIR": str(tmp_path), "SAGEMAKER_BIND_TO_PORT": str(free_ports(1)[0])}
    ran = subprocess.run(command, env=env, cwd=programs.parent, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.startswith("nacre serve xgboost: ")
    assert ran.stderr.count("\n") == 1


def image(kind, tmp_path):
    """What an image's PATH finds: the entry points, and this Python as `python`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    return {"PATH": f"{tmp_path / 'bin'}:{folder('containers') / kind}:/usr/bin:/bin"}


def test_the_image_serves_as_sagemaker_starts_it(booster, tmp_path):
    port = free_ports(1)[0]
    model_dir, row, expected = booster
    env = image("xgboost", tmp_path) | {"SM_MODEL_DIR": str(model_dir), "SAGEMAKER_BIND_TO_PORT": str(port)}
    with running(["/usr/bin/env", "serve"], port, env):  # the image's ENTRYPOINT and SageMaker's argument
        assert score(port, row) == expected


def test_the_sparkml_image_says_that_it_does_not_train(tmp_path):
    env = OURS | image("sparkml", tmp_path)
    ran = subprocess.run(["/usr/bin/env", "train"], env=env, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "does not train" in ran.stderr


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != KIND])
def test_images_declare_what_the_platform_asks(kind):
    text = (folder("containers") / kind / "Dockerfile").read_text()
    assert "LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true" in text
    assert re.search(r"^USER (?!root)", text, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["', text, re.MULTILINE)
    for program in ("serve", "train"):
        assert os.access(folder("containers") / kind / program, os.X_OK)


# processes of a pipeline


def pipeline(*models):
    return Pipeline(
        "p", tuple(ContainerDefinition(f"c{at}", KIND, "x", str(each), {}) for at, each in enumerate(models))
    )


def command(item, model_dir):
    return [sys.executable, "-m", "tests.doubling", "serve", item.kind, "--model", str(model_dir)]


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def children(pid=None):
    """Ids of a process's children (this one's), zombies included."""
    pid = pid or os.getpid()
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_processes_come_and_go(tmp_path):
    before = children()
    with started(pipeline(model(tmp_path / "a"), model(tmp_path / "b")), tmp_path / "work", command=command) as urls:
        ports = [int(url.rsplit(":", 1)[1]) for url in urls.values()]
        assert list(urls) == ["c0", "c1"]
        assert all(map(listening, ports))
        assert len(children() - before) == 3, "two containers and the watchdog"
    assert not any(map(listening, ports))
    assert children() == before


def test_one_that_dies_names_itself_and_its_last_line(tmp_path):
    before = children()
    (tmp_path / "empty").mkdir()
    chain = pipeline(model(tmp_path / "a"), tmp_path / "empty")
    with pytest.raises(SetupError) as caught, started(chain, tmp_path / "work", command=command):
        pass
    assert caught.value.where["container"] == "c1"
    assert "no factor in the model" in caught.value.got
    assert children() == before


def test_one_that_never_answers_is_killed(tmp_path, monkeypatch):
    before = children()
    monkeypatch.setattr("nacre.serving.processes.STOP_SECONDS", 0.2)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('busy', flush=True); time.sleep(99)"
    )
    asleep = started(pipeline(model(tmp_path)), tmp_path, timeout=1, command=lambda *_: [sys.executable, "-c", deaf])
    with pytest.raises(SetupError, match="c0 container did not pass the ping health check") as caught, asleep:
        pass
    assert caught.value.got == "busy"
    assert children() == before


def test_an_exception_inside_stops_them(tmp_path):
    before = children()
    with pytest.raises(KeyboardInterrupt), started(pipeline(model(tmp_path)), tmp_path / "work", command=command):
        raise KeyboardInterrupt
    assert children() == before


OWNER = """
import sys, time
from pathlib import Path
from nacre.serving.processes import started
from tests.test_serving import command, pipeline

with started(pipeline(*map(Path, sys.argv[2:])), Path(sys.argv[1]), command=command) as urls:
    print(*[url.rsplit(":", 1)[1] for url in urls.values()], flush=True)
    time.sleep(99)
"""


@pytest.mark.parametrize("deaf", [False, True], ids=["", "one of them deaf to SIGTERM"])
def test_they_end_when_their_owner_is_killed(tmp_path, deaf):
    models = [str(model(tmp_path / name)) for name in "ab"]
    program = OWNER
    if deaf:
        program = "import nacre.serving.processes as p\np.STOP_SECONDS = 1.0\n" + OWNER.replace(
            "command=command", "command=lambda *a: ['sh', '-c', 'trap \"\" TERM; \"$@\"; sleep 60', 'sh', *command(*a)]"
        )
    done = [sys.executable, "-c", program, str(tmp_path / "work"), *models]
    with subprocess.Popen(done, env=OURS, cwd=CHECKOUT, stdout=subprocess.PIPE) as owner:
        ports = [int(port) for port in owner.stdout.readline().split()]
        groups = children(owner.pid)
        owner.kill()
    assert len(ports) == 2
    deadline = time.monotonic() + 60
    while any(map(listening, ports)) or any(map(alive, groups)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def alive(group):
    """Whether a process of the group runs; one that nobody has waited for has ended all the same."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return False


def test_workers_end_when_their_master_is_killed(tmp_path):
    port = free_ports(1)[0]
    process = subprocess.Popen(doubling(model(tmp_path), port), env=OURS, cwd="/", stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not ping(port):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while listening(port):
        assert time.monotonic() < deadline
        time.sleep(0.1)


# the shapes of the kinds, through the app itself


class Bare(Handler):
    """A handler of another kind, for what the app does apart from it."""

    def __init__(self, kind):
        self.kind = kind

    def failure(self, error, accept):
        return canonical(error)

    def execution_parameters(self):
        return {"MaxPayloadInMB": 5}


def client(kind):
    return Client(container_app(Bare(kind)))


def test_springs_errors():
    for path, method, status, name, allowed in [
        ("/nope", "GET", 404, "Not Found", None),
        ("/invocations", "GET", 405, "Method Not Allowed", "POST"),
        ("/invocations/", "PUT", 405, "Method Not Allowed", "POST"),
        ("/ping", "POST", 405, "Method Not Allowed", "GET"),
    ]:
        answer = client("sparkml").open(path, method=method)
        body = answer.json
        assert abs(body.pop("timestamp") / 1000 - time.time()) < 60
        assert body == {"status": status, "error": name, "path": path}
        assert (answer.status_code, answer.headers.get("Allow")) == (status, allowed)


@pytest.mark.parametrize("accept", ["text/csv", "application/jsonlines"])
def test_springs_errors_are_empty_for_who_takes_no_json(accept):
    for path, status in (("/nope", 404), ("/execution-parameters", 406)):
        answer = client("sparkml").get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.data, answer.headers.get("Content-Type")) == (status, b"", None)


@pytest.mark.parametrize("accept", [None, "", "*/*", "application/json", "text/csv, application/*;q=0.1"])
def test_spring_takes_whatever_has_room_for_json(accept):
    headers = {} if accept is None else {"Accept": accept}
    assert client("sparkml").get("/execution-parameters/", headers=headers).json == {"MaxPayloadInMB": 5}


def test_slashes():
    assert client("sparkml").get("/ping/").status_code == 200
    assert client("sparkml").head("/ping/").status_code == 200
    assert client("xgboost").get("/ping/").status_code == 404


def test_nginx_before_xgboost():
    answer = client("xgboost").get("/nope")
    assert (answer.status_code, answer.data) == (404, b"{}")
    assert client("xgboost").get("/pingpong").json["error"]["message"] == "no such path"
    assert client("xgboost").get("/invocations").status_code == 405


def test_a_fault_behind_flask_shows_no_trace(capsys):
    class Faulty(Bare):
        def execution_parameters(self):
            raise KeyError("secret")

    answer = Client(container_app(Faulty("x"))).get("/execution-parameters")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "secret" not in errors


def test_a_fault_in_failure_itself_still_answers(tmp_path):
    class Faulty(Doubling):
        def failure(self, error, accept):
            raise KeyError("secret")

    answer = Client(container_app(Faulty(model(tmp_path), {}))).post("/invocations", data=b"x", content_type="text/csv")
    assert answer.status_code == 500
    assert answer.json["error"]["got"] == "KeyError"


def test_the_largest_body_of_a_kind():
    class Small(Doubling):
        settings = (Setting("MAX_CONTENT_LENGTH", "5", "its own"),)

    assert body_limit(Doubling, {}) == 100 << 20
    assert body_limit(Doubling, {"MAX_CONTENT_LENGTH": "7"}) == 7
    assert body_limit(Small, {}) == 5
    with pytest.raises(NacreError):
        body_limit(Doubling, {"MAX_CONTENT_LENGTH": "0"})


def test_a_body_without_a_length_is_empty(tmp_path):
    """WSGI servers that do not end the input must not be read past it."""
    app = ContainerApp(Container(Doubling(model(tmp_path), {}), "c", 10))
    told = []
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/invocations", "CONTENT_TYPE": "text/csv", "wsgi.input": None}
    assert app(environ | {"HTTP_ACCEPT": "*/*"}, lambda *given: told.append(given)) == [b""]
    assert told[0][0] == "204 No Content"
