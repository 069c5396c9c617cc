"""Fetches the jars of MLeap that a pom beside this module names, once: with Maven if it is here, else with Ivy.

`make test` runs `python -m tests.oracle.fetch`, which fetches the JVM runtime. Ivy is the one inside pyspark, so Java is
all that is needed; both get their own folders in the cache and leave the user's alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

POM = Path(__file__).with_name("pom.xml")
WRITER = Path(__file__).with_name("writer.pom.xml")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class FetchError(Exception):
    """The jars cannot be had; the text says why, from the tool that tried."""


class Artifact(NamedTuple):
    group: str
    name: str
    version: str


def wanted(pom: Path = POM) -> Artifact:
    """The one dependency of a pom."""
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = ElementTree.parse(pom).find("m:dependencies/m:dependency", space)
    assert found is not None
    return Artifact(*(found.findtext(f"m:{key}", None, space) or "" for key in ("groupId", "artifactId", "version")))


def cache() -> Path:
    """Where downloads go: NACRE_CACHE, else `.cache` of the checkout."""
    return Path(os.environ.get("NACRE_CACHE") or Path(__file__).resolve().parents[2] / ".cache")


def with_maven(target: Path, pom: Path = POM) -> list[str]:
    repository = cache() / "maven"
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={target}", f"-Dmaven.repo.local={repository}"]
    return ["mvn", "--quiet", "--batch-mode", "--file", str(pom), COPY, *options]


def with_ivy(target: Path, pom: Path = POM) -> list[str]:
    import pyspark

    from nacre.doctor import find_java

    java, jar = find_java(), next(Path(pyspark.__file__).parent.glob("jars/ivy-*.jar"), None)
    if java is None or jar is None:
        raise FetchError(f"no {'Java' if java is None else 'Ivy in pyspark'}; see `nacre doctor`")
    pattern = f"{target}/[artifact]-[revision](-[classifier]).[ext]"
    which = ["-dependency", *wanted(pom), "-confs", "default", "-types", "jar", "bundle"]
    return [java.path, "-jar", str(jar), "-cache", str(cache() / "ivy"), *which, "-retrieve", pattern]


def folder(pom: Path = POM) -> Path:
    return cache() / f"mleap{'' if pom == POM else '-writer'}-{wanted(pom).version}"


def jars(pom: Path = POM) -> list[Path]:
    """The jars, fetched before or not at all: empty when `fetch` has not run."""
    return sorted(folder(pom).glob("*.jar"))


def fetch(target: Path, command: list[str], pom: Path = POM) -> None:
    """Run `command`, which fills a folder beside `target`, and rename that when it is complete."""
    shutil.rmtree(unfinished := partial(target), ignore_errors=True)
    unfinished.mkdir(parents=True)
    ran = subprocess.run(command, capture_output=True, text=True)
    name = f"{wanted(pom).name}-{wanted(pom).version}.jar"
    if ran.returncode or not unfinished.joinpath(name).is_file():
        raise FetchError(f"{command[0]} did not fetch {name}:\n{(ran.stdout + ran.stderr)[-2000:]}")
    unfinished.rename(target)


def partial(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def fetched(pom: Path = POM) -> list[Path]:
    """The jars, fetched now if they are not here yet. Raises FetchError."""
    if not jars(pom):
        way, target = with_maven if shutil.which("mvn") else with_ivy, folder(pom)
        print(f"fetching {':'.join(wanted(pom))} with {way.__name__[5:]} into {target}: about a minute", flush=True)
        fetch(target, way(partial(target), pom), pom)
    return jars(pom)


def main() -> int:
    try:
        fetched()
    except FetchError as error:
        # Not fatal here: the tests that need the jars say so themselves, and fail where nothing may be skipped.
        print(error, file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
