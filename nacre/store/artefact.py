"""A model artefact to a folder: model.tar.gz, zip, folder or single file, local or on S3.

An archive is nobody's we trust: names, kinds and sizes are checked, links are refused, nothing is written outside
the target, and the target gets its name only when all of it is there.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from nacre.bundle.files import LIMITS
from nacre.errors import ModelError
from nacre.store.places import download, is_s3, local_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COPY = 1 << 20
GZIP = b"\x1f\x8b"


def fetch_artefact(url: str, into: Path) -> Path:
    """The folder that holds the model of `url`: a local folder as it is, anything else unpacked or copied to `into`.

    `into` must not exist, be empty or be from an earlier call, which is replaced. Raises ModelError, SetupError; then
    `into` is as it was.
    """
    if not is_s3(url):
        return _from_local(local_path(url), into)
    into.parent.mkdir(parents=True, exist_ok=True)
    if url.endswith("/"):
        return _complete(into, lambda folder: download(url, folder))
    packed = into.with_name(f".{into.name}.{os.getpid()}") / url.rsplit("/", 1)[1]
    packed.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _from_local(download(url, packed), into)
    finally:
        shutil.rmtree(packed.parent, ignore_errors=True)


def _from_local(path: Path, into: Path) -> Path:
    if path.is_dir():
        return path
    if not path.is_file():
        raise ModelError("no such model", expected="a folder, a zip, a tar.gz or a model file", got=str(path))
    return _complete(into, lambda folder: _unpack(path, folder))


def _complete(into: Path, fill: Callable[[Path], object]) -> Path:
    """Fill a folder beside `into` and give it that name at the end. A file beside it says that it is from here."""
    into.parent.mkdir(parents=True, exist_ok=True)
    ours = into.with_name(f".{into.name}.unpacked")
    if not ours.exists() and into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise ModelError("the folder for the model holds other things", expected="a new or empty folder", got=str(into))
    partial, old = (into.with_name(f".{into.name}.{what}-{os.getpid()}") for what in ("partial", "old"))
    partial.mkdir()
    try:
        fill(partial)
        if into.exists():
            into.rename(old)
        partial.rename(into)
        ours.touch()
    except OSError as error:
        raise ModelError("cannot unpack the model", got=str(error), file=str(into)) from error
    finally:
        for path in (partial, old):
            shutil.rmtree(path, ignore_errors=True)
    return into


class Budget:
    """What an archive may still hold; every entry passes here before anything of it is written."""

    def __init__(self, source: str):
        self.source = source
        self.names: set[str] = set()
        self.total = 0

    def take(self, raw: str, size: int) -> str:
        """The checked relative name of one entry of `size` bytes. Raises ModelError."""
        path = PurePosixPath(raw)
        parts = [part for part in path.parts if part != "."]
        if path.is_absolute() or ".." in parts or "\\" in raw or "\0" in raw or not parts:
            raise self.refused("unsafe name in the artefact", "a relative path inside it", raw)
        name = "/".join(parts)
        if name in self.names:
            raise self.refused("the artefact holds a name twice", "one entry a file", raw)
        self.names.add(name)
        self.fill(size)
        if len(parts) > LIMITS.depth:
            raise self.refused("folders too deep", f"at most {LIMITS.depth}", str(len(parts)))
        if len(self.names) > LIMITS.entries:
            raise self.refused("too many files", f"at most {LIMITS.entries}", "more")
        return name

    def fill(self, size: int) -> None:
        self.total += size
        if self.total > LIMITS.total_bytes:
            raise self.refused("too large", f"at most {LIMITS.total_bytes} bytes", "more")

    def refused(self, message: str, expected: str, got: str) -> ModelError:
        return ModelError(message, expected=expected, got=got, file=self.source)


def _unpack(path: Path, into: Path) -> None:
    """By content, not by name: a zip, a tar (gzip), or one plain file."""
    with path.open("rb") as file:
        start = file.read(512)
    budget = Budget(str(path))
    if start[:2] == b"PK":
        entries = _zip_entries(path, budget)
    elif (gzipped := start[:2] == GZIP) or start[257:262] == b"ustar":
        entries = _tar_entries(path, gzipped, budget)
    elif path.name.endswith((".zip", ".tar.gz", ".tgz", ".tar")):
        raise budget.refused("broken archive", "what its name says", f"{path.stat().st_size} bytes of something else")
    else:
        shutil.copyfile(path, into / path.name)
        return
    try:
        for name, size, content in entries:
            _write(into / name, size, content, budget)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, ValueError, NotImplementedError) as error:
        raise budget.refused("broken or truncated archive", "a complete one", str(error)) from error
    except OSError as error:
        if error.errno is None or isinstance(error, _gzip_error()):
            raise budget.refused("broken or truncated archive", "a complete one", str(error)) from error
        raise
    if not budget.names:
        raise budget.refused("empty archive", "the files of a model", "none")


def _gzip_error() -> type[OSError]:
    from gzip import BadGzipFile

    return BadGzipFile


def _zip_entries(path: Path, budget: Budget) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        for info in infos:
            if stat.S_ISLNK(info.external_attr >> 16):
                raise budget.refused("a link in the artefact", "plain files", info.filename)
            if info.flag_bits & 1:
                raise budget.refused("encrypted zip", "a plain one", info.filename)
        named = [(budget.take(info.filename, info.file_size), info) for info in infos]
        for name, info in named:
            with archive.open(info) as content:
                yield name, info.file_size, content


def _tar_entries(path: Path, gzipped: bool, budget: Budget) -> Iterator[tuple[str, int, IO[bytes]]]:
    """One pass, so that a gzip is not unpacked twice; to its end, where a truncated one shows."""
    import gzip

    with gzip.open(path) if gzipped else path.open("rb") as stream:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise budget.refused("a link or device in the artefact", "plain files", member.name)
                name = budget.take(member.name, member.size)
                content = archive.extractfile(member)
                assert content is not None, "only plain files come here"
                yield name, member.size, content
        while part := stream.read(COPY):
            budget.fill(len(part))


def _write(target: Path, size: int, content: IO[bytes], budget: Budget) -> None:
    """Exactly `size` bytes, however many the content would give."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = size
    with target.open("xb") as file:
        while left and (part := content.read(min(COPY, left))):
            file.write(part)
            left -= len(part)
    if left or content.read(1):
        raise budget.refused("damaged file in the artefact", f"{size} bytes", target.name)
