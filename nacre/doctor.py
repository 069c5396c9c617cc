"""`nacre doctor`: what this machine has, what is missing, and the way out, one line each.

The Makefile runs this file with a bare Python before anything is installed (`python3 -I nacre/doctor.py --bare`),
so at module level it imports the standard library only, and nothing of nacre. Tests and the demo ask
:func:`find_java` too: what counts as a usable Java is said here and nowhere else.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

PYTHON = (3, 11)
JAVA = range(17, 22)
"""Java versions Spark 4 runs on: from 17, and below the first whose security manager is gone for its Hadoop."""
DISK = 10**9
"""Bytes the demo and Spark's scratch files need, with room to spare."""
PORT = 8080
"""The port a container listens on unless told otherwise, as SageMaker prescribes."""
DEMO = "demo"
"""The extra that `nacre demo` needs."""
IMPORTED_AS = {"fasttext-numpy2": "fasttext", "pyyaml": "yaml", "scikit-learn": "sklearn", "xgboost-cpu": "xgboost"}
"""Distributions whose module has another name."""


class Finding(NamedTuple):
    """One line of the report. `needed`: `nacre demo` cannot run without it."""

    name: str
    ok: bool
    text: str
    fix: str = ""
    needed: bool = True

    def __str__(self) -> str:
        mark = "ok" if self.ok else "MISSING" if self.needed else "optional"
        return f"{mark:<9}{self.name:<10}{self.text}{'' if self.ok or not self.fix else '. ' + self.fix}"

    def sentence(self) -> str:
        return f"{self.name}: {self.text}. {self.fix}."


class Java(NamedTuple):
    path: str
    version: str

    @property
    def major(self) -> int:
        first, *rest = re.findall(r"\d+", self.version)
        return int(rest[0] if first == "1" and rest else first)  # 1.8.0_392 is Java 8


def find_java() -> Java | None:
    """The Java that Spark would start: JAVA_HOME's, else the one on PATH; None when neither answers."""
    home = os.environ.get("JAVA_HOME")
    path = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if path is None:
        return None
    try:
        told = subprocess.run([path, "-version"], check=False, capture_output=True, text=True, timeout=60).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "([^"]+)"', told)
    return Java(path, found.group(1)) if found else None


def java_package() -> str:
    """How to install a fitting Java here, as a command."""
    if sys.platform == "darwin":
        return "brew install openjdk@17"
    release = os_release()
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if family & {"fedora", "rhel", "centos", "amzn"}:
        return "dnf install java-17-openjdk-headless"
    newer = release.get("ID") == "debian" and int(re.sub(r"\D.*", "", release.get("VERSION_ID", "")) or 0) >= 13
    return f"apt-get install openjdk-{21 if newer else 17}-jre-headless"


def os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines)}


def check_python() -> Finding:
    here = f"{sys.version.split()[0]} at {sys.executable}"
    fix = f"Install Python {PYTHON[0]}.{PYTHON[1]} or newer, and name it: make PYTHON=/path/to/python3"
    return Finding("Python", sys.version_info[:2] >= PYTHON, here, fix)


def check_venv() -> Finding:
    """Debian parts `ensurepip` from Python: without it `python3 -m venv` fails half-way."""
    from importlib.util import find_spec

    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    ok = find_spec("ensurepip") is not None
    text = "can make virtual environments" if ok else "this Python cannot make virtual environments"
    return Finding("venv", ok, text, f"Install it: apt-get install {package}")


def check_java() -> Finding:
    found = find_java()
    wanted = f"Spark needs Java {JAVA[0]} or {JAVA[-1]}"
    fix = f"{wanted}: {java_package()}"
    home = os.environ.get("JAVA_HOME")
    if home and (found is None or found.major not in JAVA):
        fix += f", and point JAVA_HOME at it or unset it (it is {home})"
    if found is None:
        return Finding("Java", False, f"no Java {'in JAVA_HOME' if home else 'on PATH'}", fix)
    return Finding("Java", found.major in JAVA, f"{found.version} at {found.path}", fix)


def check_disk() -> Finding:
    """The tighter of the two disks that are written: the working directory's and the temporary one's."""
    free, path = min((shutil.disk_usage(path).free, path) for path in (str(Path.cwd()), tempfile.gettempdir()))
    text = f"{free / 1e9:.1f} GB free at {path}"
    return Finding("disk", free >= DISK, text, f"Free {DISK / 1e9:.0f} GB, or run elsewhere and set TMPDIR")


def bind_error(port: int) -> OSError | None:
    """Why a server cannot have `port` on loopback and be reached there; None if it can. Port 0 is any."""
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.settimeout(5)
        try:
            server.bind(("127.0.0.1", port))
            server.listen()
            client.connect(server.getsockname())  # the bind alone succeeds on an interface that is down
        except OSError as error:
            return error
    return None


def check_loopback() -> Finding:
    error = bind_error(0)
    text = f"127.0.0.1 cannot be reached: {error.strerror or error}" if error else "127.0.0.1 can be reached"
    return Finding("loopback", error is None, text, "Bring the loopback interface up: ip link set lo up")


def check_port() -> Finding:
    error = bind_error(PORT)
    text = f"{PORT} cannot be had: {error.strerror}" if error else f"{PORT} is free"
    return Finding("port", error is None, text, "nacre serve --port takes another", needed=False)


class Requirement(NamedTuple):
    """One line of the optional-dependencies table. `choice`: its environment marker makes it an alternative."""

    name: str
    versions: str
    extra: str
    choice: bool
    nested: tuple[str, ...]


def requirements() -> list[Requirement]:
    """The extras' requirements from the installed metadata, or from pyproject.toml where nacre is only on the path."""
    try:
        lines = metadata.requires("nacre") or []
    except metadata.PackageNotFoundError:
        lines = declared()
    return [parsed for line in lines if (parsed := parse(line)).extra]


def declared() -> list[str]:
    import tomllib

    table = tomllib.loads(Path(__file__).resolve().parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    extras = table["project"]["optional-dependencies"]
    parted = [(*line.partition(";")[::2], extra) for extra, lines in extras.items() for line in lines]
    return [
        f'{name}; ({marker}) and extra == "{e}"' if marker else f'{name}; extra == "{e}"' for name, marker, e in parted
    ]


def parse(line: str) -> Requirement:
    """`name[nested]>=1,<2; marker and extra == "x"`, the only forms in our own table."""
    wanted, _, marker = line.partition(";")
    name, nested, versions = re.fullmatch(r"([\w.-]+)(?:\[([\w,-]+)\])?(.*)", wanted.strip()).groups()  # type: ignore[union-attr]
    extra = re.search(r"""extra == ['"]([\w-]+)""", marker)
    choice = "platform" in marker
    return Requirement(
        name.lower(),
        versions.strip(),
        extra.group(1) if extra else "",
        choice,
        tuple((nested or "").split(",")) if nested else (),
    )


def extra_with(module: str) -> str | None:
    """The first extra that brings the importable package `module`."""
    return next((r.extra for r in requirements() if not r.nested and IMPORTED_AS.get(r.name, r.name) == module), None)


def extras_of(extra: str, table: list[Requirement]) -> set[str]:
    """`extra` and those it is made of."""
    found = {extra}
    for requirement in table:
        if requirement.extra == extra:
            found.update(*(extras_of(inner, table) for inner in requirement.nested))
    return found


def fits(version: str, versions: str) -> bool:
    """Whether a version lies within `>=a,<b`; only these two operators are in our table."""
    have = numbers(version)
    bounds = [(bound[:2] == ">=", numbers(bound)) for bound in versions.split(",") if bound]
    return all(have >= bound if lower else have < bound for lower, bound in bounds)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def installed(requirement: Requirement) -> str | None:
    try:
        return metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return None


def check_extra(extra: str, members: list[Requirement], needed: bool) -> Finding:
    """One line for an extra: its packages with their versions, or those that are missing or of a wrong version."""
    have, bad = [], []
    for requirement in members:
        version = installed(requirement)
        if version is None and requirement.choice and any(r.choice and installed(r) for r in members):
            continue
        if version and fits(version, requirement.versions):
            have.append(f"{requirement.name} {version}")
        else:
            bad.append(f"{requirement.name}{requirement.versions} (have {version or 'none'})")
    return Finding(
        extra, not bad, "wants " + ", ".join(bad) if bad else ", ".join(have), f"pip install 'nacre[{extra}]'", needed
    )


def check_extras() -> list[Finding]:
    table = requirements()
    needed = extras_of(DEMO, table)
    by_extra: dict[str, list[Requirement]] = {}
    for requirement in table:
        if not requirement.nested and requirement.extra not in {"test", "lint"}:
            by_extra.setdefault(requirement.extra, []).append(requirement)
    return [check_extra(extra, members, extra in needed) for extra, members in by_extra.items()]


def check_share() -> Finding:
    from nacre.errors import SetupError
    from nacre.share import folder

    try:
        return Finding("programs", True, ", ".join(str(folder(name)) for name in ("jobs", "conf")))
    except SetupError as error:
        return Finding("programs", False, error.message, error.fix or "")


BARE = (check_python, check_venv, check_java)
"""What can be asked, and must be right, before anything is installed."""


def findings() -> list[Finding]:
    """All checks, in the order of the report."""
    single = (check_python, check_java, check_disk, check_loopback, check_share, check_port)
    return [*(check() for check in single), *check_extras()]


def bare() -> int:
    """Silent when all is right; else one sentence for each fault."""
    bad = [found for found in (check() for check in BARE) if not found.ok]
    for found in bad:
        print(found.sentence(), file=sys.stderr)
    return 1 if bad else 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="nacre doctor", description="Say what this machine has, what is missing and how to get it."
    )
    parser.add_argument(
        "--bare", action="store_true", help="only what must be right before an install; silent if it is"
    )
    if parser.parse_args(argv).bare:
        return bare()
    found = findings()
    print("\n".join(map(str, found)))
    missing = [finding.name for finding in found if finding.needed and not finding.ok]
    print(f"\nnacre demo cannot run: see {', '.join(missing)}" if missing else "\nnacre demo can run here")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
