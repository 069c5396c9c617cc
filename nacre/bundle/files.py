"""The files of a bundle, whatever holds them: a zip, a directory, or a tar (gzip).

Nothing is unpacked to disk. Names, counts and sizes are checked before any content is read, and content is
read through a counter, so a file that lies about its size cannot fill the memory.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nacre.errors import BundleError


@dataclass(frozen=True)
class Limits:
    """What a bundle may hold at most; beyond it, it is refused before it is read."""

    entries: int = 200_000
    total_bytes: int = 4 << 30
    ratio: int = 500
    """Unpacked size over packed size of the whole archive, for archives that unpack to over 16 MiB."""
    depth: int = 64
    """Folders below the root."""


LIMITS = Limits()
_SMALL = 16 << 20
GZIP = b"\x1f\x8b"


DAMAGE = (
    OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What Python's archive modules raise on a damaged entry."""


class BundleFiles:
    """Names and contents of a bundle's files. Names are relative, with ``/``."""

    def __init__(self, source: str, sizes: dict[str, int], read: Callable[[str], bytes], close: Callable[[], None]):
        self.source = source
        self.sizes = sizes
        self._read = read
        self._close = close

    def __contains__(self, name: str) -> bool:
        return name in self.sizes

    def __iter__(self) -> Iterator[str]:
        return iter(self.sizes)

    def __enter__(self) -> BundleFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def read(self, name: str) -> bytes:
        """The content of one file. Raises BundleError if it is missing, damaged or longer than it said."""
        if name not in self.sizes:
            raise BundleError("the bundle lacks a file", expected=name, got="no such file", file=self.source)
        try:
            content = self._read(name)
        except DAMAGE as error:
            raise self.damaged(name, error) from error
        if len(content) != self.sizes[name]:
            raise self.damaged(name, f"{len(content)} bytes where {self.sizes[name]} were announced")
        return content

    def damaged(self, name: str, reason: object) -> BundleError:
        return BundleError("damaged file in the bundle", expected="readable content", got=str(reason), file=name)


@contextmanager
def within_memory(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise BundleError where a bundle, though within the limits, is more than the memory there is."""
    try:
        yield
    except MemoryError:
        raise BundleError(
            "a bundle that does not fit into memory", expected="room for all of its files", got="a MemoryError",
            file=str(path), fix="Load it on a larger machine",
        ) from None  # fmt: skip


def open_bundle(path: str | os.PathLike[str], limits: Limits = LIMITS) -> BundleFiles:
    """Open a zip, tar, tar.gz or directory that holds ``bundle.json`` and ``root/`` at its top."""
    path = Path(path)
    if path.is_dir():
        return _open_directory(path, limits)
    if not path.exists():
        raise BundleError("no such bundle", expected="a zip, a tar.gz or a directory", got=str(path))
    if not path.is_file():  # a device may be read for ever
        raise BundleError("not a bundle", expected="a zip, a tar.gz or a directory", got="a device", file=str(path))
    if zipfile.is_zipfile(path):
        return _open_zip(path, limits)
    with path.open("rb") as file:
        start = file.read(512)
    if start[:2] == GZIP or start[257:262] == b"ustar":
        return _open_tar(path, limits, gzipped=start[:2] == GZIP)
    if start[:2] == b"PK":
        raise BundleError(
            "broken or truncated zip", expected="a complete zip archive", got=f"{path.stat().st_size} bytes without "
            "an end record", file=str(path), fix="Copy or write the bundle again",
        )  # fmt: skip
    raise BundleError(
        "not a bundle",
        expected="a zip, a tar.gz or a directory",
        got=f"bytes {start[:4]!r}" if start else "an empty file",
        file=str(path),
    )


def _checked(source: str, entries: Iterable[tuple[str, int]], packed: int | None, limits: Limits) -> dict[str, int]:
    sizes: dict[str, int] = {}
    total = 0
    for raw, size in entries:
        name = _safe(raw, source, limits)
        if name in sizes:
            raise BundleError("the archive holds a name twice", expected="one entry a file", got=name, file=source)
        total += size
        sizes[name] = size
        if len(sizes) > limits.entries:
            raise BundleError("too many files", expected=f"at most {limits.entries}", got="more", file=source)
        if total > limits.total_bytes:
            raise BundleError("too large", expected=f"at most {limits.total_bytes} bytes", got="more", file=source)
    if packed is not None:
        _judge_ratio(source, total, packed, limits)
    if "bundle.json" not in sizes:
        raise BundleError(
            "not a bundle", expected="bundle.json at its top", got=", ".join(sorted(sizes)[:5]) or "nothing",
            file=source,
        )  # fmt: skip
    return sizes


def _judge_ratio(source: str, total: int, packed: int, limits: Limits) -> None:
    if total > _SMALL and total > limits.ratio * max(packed, 1):
        raise BundleError(
            "packed too tightly to be a model", expected=f"at most {limits.ratio} times its packed size",
            got=f"{total} bytes out of {packed}", file=source,
        )  # fmt: skip


def _safe(raw: str, source: str, limits: Limits) -> str:
    path = PurePosixPath(raw)
    parts = [part for part in path.parts if part != "."]
    if path.is_absolute() or ".." in parts or "\\" in raw or "\0" in raw or not parts:
        raise BundleError("unsafe name in the bundle", expected="a relative path inside it", got=raw, file=source)
    if len(parts) > limits.depth:
        raise BundleError("folders too deep", expected=f"at most {limits.depth}", got=len(parts), file=source)
    return "/".join(parts)


def _open_zip(path: Path, limits: Limits) -> BundleFiles:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BundleError("broken zip", expected="a complete zip archive", got=str(error), file=str(path)) from error
    try:
        return _zip_files(archive, path, limits)
    except BundleError:
        archive.close()
        raise


def _zip_files(archive: zipfile.ZipFile, path: Path, limits: Limits) -> BundleFiles:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    for info in infos:
        if stat.S_ISLNK(info.external_attr >> 16):
            raise BundleError("a link in the bundle", expected="plain files", got=info.filename, file=str(path))
        if info.flag_bits & 1:
            raise BundleError("encrypted zip", expected="a plain one", got=info.filename, file=str(path))
    sizes = _checked(str(path), ((i.filename, i.file_size) for i in infos), path.stat().st_size, limits)
    by_name = {_safe(info.filename, str(path), limits): info for info in infos}

    def read(name: str) -> bytes:
        with archive.open(by_name[name]) as file:
            return file.read(by_name[name].file_size + 1)

    return BundleFiles(str(path), sizes, read, archive.close)


def _open_tar(path: Path, limits: Limits, gzipped: bool) -> BundleFiles:
    """In one pass, contents and all, to the end: a tar.gz has no index, and looking back means unpacking it again."""
    found: list[tuple[str, bytes]] = []
    try:
        with gzip.open(path) if gzipped else path.open("rb") as stream:
            metered = _Meter(stream, path, limits)
            with tarfile.open(fileobj=metered, mode="r|") as archive:
                for member in archive:
                    if member.isdir():
                        continue
                    if not member.isreg() or member.issparse():
                        raise BundleError(
                            "a link or device in the bundle", expected="plain files", got=member.name, file=str(path)
                        )
                    content = archive.extractfile(member)
                    assert content is not None, "only plain files come here"
                    found.append((member.name, content.read()))
                    if len(found) > limits.entries:
                        break
            while metered.read(_SMALL):
                pass
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise BundleError(
            "broken or truncated archive", expected="a complete tar.gz", got=str(error), file=str(path),
            fix="Copy or write the bundle again",
        ) from error  # fmt: skip
    sizes = _checked(str(path), ((name, len(content)) for name, content in found), None, limits)
    by_name = {_safe(name, str(path), limits): content for name, content in found}
    return BundleFiles(str(path), sizes, by_name.__getitem__, by_name.clear)


class _Meter(io.RawIOBase):
    """A stream that refuses to give more than a bundle may hold, headers included."""

    def __init__(self, stream: Any, path: Path, limits: Limits):
        self.stream, self.path, self.limits = stream, path, limits
        self.packed = path.stat().st_size
        self.total = 0

    def read(self, size: int = -1) -> bytes:
        part: bytes = self.stream.read(size)
        self.total += len(part)
        if self.total > self.limits.total_bytes:
            at_most = f"at most {self.limits.total_bytes} bytes"
            raise BundleError("too large", expected=at_most, got="more", file=str(self.path))
        _judge_ratio(str(self.path), self.total, self.packed, self.limits)
        return part


def _open_directory(path: Path, limits: Limits) -> BundleFiles:
    def entries() -> Iterable[tuple[str, int]]:
        for folder, folders, names in os.walk(path):
            for name in (*folders, *names):
                file = Path(folder, name)
                if file.is_symlink() or not (file.is_file() or file.is_dir()):
                    got = str(file)
                    raise BundleError("a link or device in the bundle", expected="plain files", got=got, file=str(path))
                _safe(file.relative_to(path).as_posix(), str(path), limits)
            for name in names:
                file = Path(folder, name)
                yield file.relative_to(path).as_posix(), file.stat().st_size

    sizes = _checked(str(path), entries(), None, limits)
    return BundleFiles(str(path), sizes, lambda name: (path / name).read_bytes(), lambda: None)
