"""Builds the images of `containers/` for real, without a registry: `make images`, or `ARGS="sparkml xgboost"`.

What differs from the first line of each Dockerfile: the base is made here (base.py), and the wheels are fetched before,
since a build may have no network. An image whose context has not changed is not built again. Prints their sizes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from time import monotonic

from nacre.handlers import KINDS
from tests.images.base import base, folder, python_version
from tests.images.podman import BUILD, PODMAN, RUN, call, image_name, inspect
from tests.shared import CHECKOUT

CONTEXT = "nacre.context"
"""Label with the hash of what the image was built from."""
HEAVY = frozenset(("tensorflow", "pytorch"))
"""Kinds whose wheels are hundreds of megabytes; built when they are named."""


def extras(kind: str) -> str:
    """The EXTRAS that the Dockerfile has by default."""
    lines = CHECKOUT.joinpath("containers", kind, "Dockerfile").read_text().splitlines()
    return next(line.removeprefix("ARG EXTRAS=") for line in lines if line.startswith("ARG EXTRAS="))


def nacre_wheel() -> Path:
    """The wheel of this checkout, built from a copy, so that the checkout gets no build/ folder."""
    source, target = folder() / "source", folder() / "wheel"
    for each in (source, target):
        shutil.rmtree(each, ignore_errors=True)
    skipped = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "tests", "docs", "notebooks")
    shutil.copytree(CHECKOUT, source, ignore=skipped)
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, source)
    return next(target.glob("nacre-*.whl"))


def context(kind: str, wheel: Path) -> Path:
    """The build context of a kind: its folder, constraints.txt, and dist/ with our wheel and all it needs."""
    here = folder() / "context" / kind
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(CHECKOUT / "containers" / kind, here / "containers" / kind)
    constraints = shutil.copy(CHECKOUT / "constraints.txt", here)
    python = ("--only-binary=:all:", "--python-version", python_version(), "--implementation", "cp")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--dest", here / "dist")
    call(*pip, *python, "--constraint", constraints, f"{wheel}[{extras(kind)}]")
    return here


def digest(here: Path, base_image: str) -> str:
    """Changes when a file of the context or the base does. Wheels hold the times of their files: ours is taken apart."""
    found = hashlib.sha256((inspect(base_image) or {})["Id"].encode())
    for path in sorted(here.rglob("*")):
        if path.is_file():
            found.update(f"{path.relative_to(here)} {path.stat().st_mode}\0".encode())
            found.update(content(path))
    return found.hexdigest()


def content(path: Path) -> bytes:
    if not path.name.startswith("nacre-"):
        return path.read_bytes()
    from zipfile import ZipFile

    with ZipFile(path) as archive:
        return b"".join(f"{name}\0".encode() + archive.read(name) for name in sorted(archive.namelist()))


def build(kind: str, wheel: Path) -> str:
    """Name of the image of `kind`, built if it is not here as this checkout would have it."""
    base_image = base()
    here = context(kind, wheel)
    name, wanted = image_name(kind), digest(here, base_image)
    known = inspect(name)
    if known is None or known["Labels"].get(CONTEXT) != wanted:
        options = (
            f"--build-arg=PYTHON_IMAGE={base_image}",
            "--build-arg=EXTRA_PIP=--no-index --find-links /wheels",
            f"--label={CONTEXT}={wanted}",
            f"--file={here}/containers/{kind}/Dockerfile",
        )
        call(*BUILD, *options, "--tag", name, here)
        if known:
            subprocess.run([*PODMAN, "rmi", known["Id"]], capture_output=True)  # unless somebody runs it
    shutil.rmtree(here)
    return name


def contents(image: str) -> list[tuple[float, str]]:
    """(megabytes, package) of the largest folders among an image's Python packages."""
    script = "du -sk /opt/nacre/lib/python3*/site-packages/* | sort -rn | head -8"
    listed = call(*RUN, image, "sh", "-c", script)
    lines = [line.split() for line in listed.splitlines()]
    return [(int(size) / 1024, Path(path).name) for size, path in lines]


def megabytes(image: str) -> float:
    return float((inspect(image) or {})["Size"]) / 1e6


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make images", description="Build the images and print their sizes.")
    parser.add_argument("kind", nargs="*", help="kinds to build; default: all whose wheels are small")
    kinds = parser.parse_args(argv).kind or [kind for kind in KINDS if kind not in HEAVY]
    started = monotonic()
    wheel = nacre_wheel()
    print(f"{base():<24}{megabytes(base()):>8.0f} MB  {monotonic() - started:>4.0f} s")
    for kind in kinds:
        started = monotonic()
        name = build(kind, wheel)
        largest = ", ".join(f"{package} {size:.0f}" for size, package in contents(name) if size >= 5)
        print(f"{name:<24}{megabytes(name):>8.0f} MB  {monotonic() - started:>4.0f} s  {largest}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
