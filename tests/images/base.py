"""A base image with Python, made of Debian packages from wherever this machine's apt gets its own: no registry is asked.

It stands for `python:3.11-slim`, which the Dockerfiles name. Cached as a tar: 20 to 60 s the first time.
"""

from __future__ import annotations

import platform
from pathlib import Path
from zlib import crc32

from tests.images.podman import PODMAN, RUN, call, inspect
from tests.oracle.fetch import cache

PACKAGES = (
    "usr-is-merged,base-files,base-passwd,passwd,libc-bin,dash,bash,coreutils,diffutils,findutils,grep,gzip,hostname,"
    "perl-base,sed,tar,libstdc++6,python3,python3-venv,ca-certificates"
)
"""What Debian calls essential, without what only installs and starts a machine."""
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
MERGED = "/usr/share/mmdebstrap/hooks/merged-usr"
SOURCES = ("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)|$(ORIGIN)")


def folder() -> Path:
    return cache() / "images"


def sources() -> str:
    """apt's source lines for this machine's own distribution, without what others have added."""
    origin = platform.freedesktop_os_release()["ID"]
    lines = [line.split("|") for line in call(*SOURCES, "Created-By: Packages").splitlines()]
    return "".join(f"{line}\n" for line, of in lines if of.lower() == origin)


def release() -> str:
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def tar() -> Path:
    """Its name changes with what goes into it."""
    return folder() / f"base-{release()}-{crc32(PACKAGES.encode()):08x}.tar"


def base() -> str:
    """Name of the base image, made if it is not here."""
    name = f"localhost/nacre-base:{tar().stem.removeprefix('base-')}"
    if inspect(name) is None:
        if not tar().is_file():
            bootstrap(tar())
        call(*PODMAN, "import", "--change", 'CMD=["python3"]', tar(), name)
    return name


def bootstrap(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    listed, unfinished = target.with_suffix(".list"), target.with_suffix(".part")
    listed.write_text(sources())
    options = [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
    how = ("--mode=root", "--variant=custom", "--format=tar", f"--hook-dir={MERGED}", f"--include={PACKAGES}")
    call("mmdebstrap", *how, *options, release(), unfinished, listed)
    unfinished.rename(target)


def python_version() -> str:
    """The base's Python, as 3.11."""
    return call(*RUN, base(), "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
