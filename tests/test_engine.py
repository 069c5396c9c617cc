"""An image of somebody else in a chain, run by a real engine: a Go program and nothing beside it."""

from __future__ import annotations

import os
import subprocess

import pytest

from nacre.chain import MixedChain
from nacre.errors import ContainerError, SetupError
from nacre.pipeline import Pipeline
from nacre.serving.opening import opened
from nacre.serving.processes import started
from tests.images.podman import PODMAN, RUN
from tests.test_command import PROGRAMS, command_of

pytestmark = [pytest.mark.podman, pytest.mark.go]
IMAGE = "example.org/nacre-tests/sums:1"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    build = ["go", "build", "-o", str(folder / "server"), str(PROGRAMS / "server.go")]
    subprocess.run(build, check=True, env=os.environ | {"CGO_ENABLED": "0"})
    content = subprocess.run(["tar", "-C", str(folder), "-c", "server"], check=True, capture_output=True).stdout
    change = ["--change", 'ENTRYPOINT ["/server"]']
    subprocess.run([*PODMAN, "import", *change, "-", IMAGE], check=True, input=content, capture_output=True)
    yield IMAGE
    subprocess.run([*PODMAN, "rmi", "--force", IMAGE], check=True, capture_output=True)


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    monkeypatch.setenv("NACRE_ENGINE", " ".join(PODMAN))
    limits = [*RUN[RUN.index("host") + 1 :]]
    monkeypatch.setenv("NACRE_ENGINE_OPTIONS", " ".join(limits))


def running():
    listed = subprocess.run([*PODMAN, "ps", "--format", "{{.Names}}"], check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split() if name.startswith("nacre-sums-")]


def chain(folder, image):
    containers = [
        {"ContainerHostname": "mine", "Image": "nacre/command", **command_of()},
        {"ContainerHostname": "sums", "Image": image, "Environment": {"ANYTHING": "at all"}},
    ]
    return Pipeline.from_definition({"ModelName": "foreign", "Containers": containers}, folder)


def test_it_runs_in_a_chain_and_is_gone_afterwards(image, tmp_path):
    with opened(chain(tmp_path, image), tmp_path / "work") as opened_chain:
        assert isinstance(opened_chain, MixedChain)
        assert opened_chain.invoke(b"1,2\n0.5,0.25", "text/csv").body == b"3\n0.75\n"
        with pytest.raises(ContainerError, match=r"\(400\) from sums with message \"not a number: x"):
            opened_chain.invoke(b"1,x", "text/csv")
        assert len(running()) == 1
    assert running() == []


def test_an_image_that_is_not_there_fails_the_start(tmp_path):
    missing = "localhost/nacre-tests/none:1"
    with pytest.raises(SetupError) as caught, started(chain(tmp_path, missing), tmp_path / "work"):
        pass
    assert caught.value.where["container"] == "sums"
    assert missing in str(caught.value)
