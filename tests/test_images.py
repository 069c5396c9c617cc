"""The images, built and run for real: `make test ARGS=tests/test_images.py`. Not in `make test` alone, since they take
minutes to build.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from zipfile import ZipFile

import pytest

from nacre.chain import HttpChain
from nacre.errors import ContainerError
from nacre.handlers import KINDS, handler_class
from nacre.handlers.container import NAME
from nacre.pipeline import Pipeline
from nacre.serving.processes import free_ports, ping, started
from nacre.serving.settings import PORT, WORKERS
from tests import tiny_chain
from tests.images.build import HEAVY, build, nacre_wheel
from tests.images.podman import RUN, call, inspect, serve

pytestmark = pytest.mark.podman

GOOD = b"M,0.455,0.365,0.514"
BODIES = (
    GOOD,
    GOOD + b"\nF,0.53,0.42,0.677\n",
    b"X,0.455,0.365,0.514",
    b"M,abc,0.365,0.514",
    b"M,NaN,0.365,0.514",
    b"",
)
UNLIKE = {
    (known.extras, handler_class(kind).alone): kind for kind, known in reversed(KINDS.items()) if kind not in HEAVY
}
"""One kind for each thing an image can hold."""

SCRIPT = """
import three
def model_fn(model_dir): return three.NUMBER
def predict_fn(data, model): return data * model
"""
THREE = {
    "three.py": "NUMBER = 3\n",
    "three-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: three\nVersion: 1\n",
    "three-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
"""A package as a wheel."""


@pytest.fixture(scope="module")
def wheel():
    return nacre_wheel()


@pytest.fixture(scope="module")
def images(wheel):
    """Kind -> name of its image."""
    return {kind: build(kind, wheel) for kind in ("sparkml", "xgboost")}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the tiny chain's `model.zip`, `model.json` and `pipeline.yaml`."""
    pytest.importorskip("xgboost")
    here = tmp_path_factory.mktemp("models")
    tiny_chain.bundle(here / "model.zip")
    tiny_chain.booster(here / "model.json", tiny_chain.rows(50))
    tiny_chain.pipeline(here)
    return here


def in_image(container, model_dir):
    """What `started` runs for a container: its image, which gets the environment that the definition states."""
    names = [f"--env={name}" for name in (*container.environment, NAME.name, WORKERS.name)]
    return serve(f"nacre/{container.kind}", model_dir, *names)


def answers(pipeline, workdir, **more):
    """(status, content type, body) of every body through the chain as processes."""
    found = []
    with started(pipeline, workdir, **more) as urls, HttpChain(urls) as chain:
        for body in BODIES:
            try:
                reply = chain.invoke(body, "text/csv")
            except ContainerError as error:
                reply = error.reply
            text = re.sub(rb'"timestamp":\d+', b"", reply.body)  # the clock in Spring's errors
            found.append((reply.status, reply.content_type, text))
    return found


def test_the_chain_gives_the_same_bytes_as_processes(images, models, tmp_path):
    """With nothing writable but /tmp."""
    pipeline = Pipeline.read(models / "pipeline.yaml")
    found = answers(pipeline, tmp_path / "images", command=in_image)
    assert found == answers(pipeline, tmp_path / "processes")
    assert [status for status, _, _ in found[:3]] == [200, 200, 400]


def test_what_the_platform_asks_of_an_image(images):
    for kind, name in images.items():
        config = inspect(name)["Config"]
        assert config["Labels"]["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true", kind
        assert (config["Entrypoint"], config["Cmd"]) == (["/usr/bin/env"], ["serve"])
        assert call(*RUN, name, "id", "--user").strip() == "10001"


@contextmanager
def running(command, port):
    """A container, ready; stopped at the end with SIGTERM, which must end it with 0 and no word but its first line."""
    env = os.environ | {PORT.name: str(port)}
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not ping(port):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, errors
    assert errors.count("\n") == 1, errors  # that it listens


@pytest.mark.parametrize("server", ["gunicorn", "granian"])
def test_sigterm_stops_it_at_once(images, models, server, tmp_path):
    (model_dir := tmp_path / "model").mkdir()
    (model_dir / "model.zip").write_bytes((models / "model.zip").read_bytes())
    port = free_ports(1)[0]
    with running(serve(images["sparkml"], model_dir, f"--env=NACRE_SERVER={server}"), port):
        pass


def test_a_script_and_what_it_requires(wheel, tmp_path):
    """Installed at the start, by a user who is not root and where nothing but /tmp can be written."""
    (code := tmp_path / "model" / "code").mkdir(parents=True)
    (code / "inference.py").write_text(SCRIPT)
    (code / "requirements.txt").write_text("./three-1-py3-none-any.whl\n")
    with ZipFile(code / "three-1-py3-none-any.whl", "w") as archive:
        for name, text in THREE.items():
            archive.writestr(name, text)
        archive.writestr("three-1.dist-info/RECORD", "".join(f"{name},,\n" for name in THREE))
    port = free_ports(1)[0]
    command = serve(build("script", wheel), tmp_path / "model", "--env=PIP_NO_INDEX=1")
    with running(command, port), HttpChain({"script": f"http://127.0.0.1:{port}"}) as chain:
        assert chain.invoke(b"1,2\n3,4", "text/csv", "text/csv").body == b"3.0,6.0\n9.0,12.0\n"


@pytest.mark.parametrize("kind", sorted(UNLIKE.values()))
def test_a_model_that_is_none_is_one_line_and_exit_code_1(kind, wheel, tmp_path):
    (model_dir := tmp_path / "model").mkdir()  # pytest's own folder is closed to others than root
    (model_dir / "model.zip").write_bytes(b"no model")
    env = os.environ | {PORT.name: str(free_ports(1)[0])}
    command = serve(build(kind, wheel), model_dir)
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1), ran.stderr
    assert ran.stderr.startswith("nacre: ")
    assert f"at container {kind}" in ran.stderr


def test_the_xgboost_image_trains_and_serves_what_it_trained(images, tmp_path):
    ml = tmp_path / "ml"
    for name in ("input/config", "input/data/train", "model", "output"):
        (ml / name).mkdir(parents=True)
    rows = tiny_chain.matrix(tiny_chain.rows(100))
    lines = [",".join(map(repr, [float(row.sum()), *row.tolist()])) for row in rows]
    (ml / "input/data/train/train.csv").write_text("\n".join(lines))
    (ml / "input/config/hyperparameters.json").write_text('{"num_round": "3", "max_depth": "2"}')
    (ml / "input/config/inputdataconfig.json").write_text('{"train": {"ContentType": "text/csv"}}')
    (ml / "input/config/resourceconfig.json").write_text('{"current_host": "algo-1", "hosts": ["algo-1"]}')
    for path in (ml, *ml.rglob("*")):
        os.chown(path, 10001, 10001)
    told = subprocess.run(
        [*RUN, "--read-only", "--tmpfs", "/tmp", "--volume", f"{ml}:/opt/ml", images["xgboost"], "train"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "[2]\ttrain-rmse:" in told.stdout + told.stderr
    assert [path.name for path in (ml / "model").iterdir()] == ["xgboost-model"]
