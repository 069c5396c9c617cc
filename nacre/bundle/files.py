"""The files of a bundle, whatever holds them: a zip, a directory, or a tar (gzip).

Nothing is unpacked to disk. Names, counts and sizes are checked before any content is read, and content is
read through a counter, so a file that lies about its size cannot fill the memory.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError) as error:
            raise self.damaged(name, error) from error
        except Exception as error:  # zlib.error and lzma.LZMAError have no common base but Exception
            if type(error).__module__ in ("zlib", "lzma", "_lzma"):
                raise self.damaged(name, error) from error
            raise
        if len(content) != self.sizes[name]:
            raise self.damaged(name, f"{len(content)} bytes where {self.sizes[name]} were announced")
        return content

    def damaged(self, name: str, reason: object) -> BundleError:
        return BundleError("damaged file in the bundle", expected="readable content", got=str(reason), file=name)


def open_bundle(path: str | os.PathLike[str], limits: Limits = LIMITS) -> BundleFiles:
    """Open a zip, tar, tar.gz or directory that holds ``bundle.json`` and ``root/`` at its top."""
    path = Path(path)
    if path.is_dir():
        return _open_directory(path, limits)
    if not path.exists():
        raise BundleError("no such bundle", expected="a zip, a tar.gz or a directory", got=str(path))
    if zipfile.is_zipfile(path):
        return _open_zip(path, limits)
    if tarfile.is_tarfile(path):
        return _open_tar(path, limits)
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        raise BundleError(
            "broken or truncated zip", expected="a complete zip archive", got=f"{path.stat().st_size} bytes without "
            "an end record", file=str(path), fix="Copy or write the bundle again",
        )  # fmt: skip
    if start[:2] == b"\x1f\x8b":
        raise BundleError(
            "broken or truncated tar.gz", expected="a complete archive", got=f"{path.stat().st_size} bytes",
            file=str(path), fix="Copy or write the bundle again",
        )  # fmt: skip
    raise BundleError("not a bundle", expected="a zip, a tar.gz or a directory", got=f"bytes {start!r}", file=str(path))


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
    if packed is not None and total > _SMALL and total > limits.ratio * max(packed, 1):
        raise BundleError(
            "packed too tightly to be a model", expected=f"at most {limits.ratio} times its packed size",
            got=f"{total} bytes out of {packed}", file=source,
        )  # fmt: skip
    if "bundle.json" not in sizes:
        raise BundleError(
            "not a bundle", expected="bundle.json at its top", got=", ".join(sorted(sizes)[:5]) or "nothing",
            file=source,
        )  # fmt: skip
    return sizes


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


def _open_tar(path: Path, limits: Limits) -> BundleFiles:
    try:
        archive = tarfile.open(path)  # noqa: SIM115 - BundleFiles closes it
        members: list[tarfile.TarInfo] = []
        total = 0
        for member in archive:
            if member.isdir():
                continue
            if not member.isfile():
                raise BundleError("a link in the bundle", expected="plain files", got=member.name, file=str(path))
            total += member.size
            if len(members) > limits.entries or total > limits.total_bytes:
                raise BundleError(
                    "too large", expected=f"at most {limits.total_bytes} bytes", got="more", file=str(path)
                )
            members.append(member)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BundleError("broken tar", expected="a complete archive", got=str(error), file=str(path)) from error
    sizes = _checked(str(path), ((m.name, m.size) for m in members), path.stat().st_size, limits)
    by_name = {_safe(member.name, str(path), limits): member for member in members}

    def read(name: str) -> bytes:
        file = archive.extractfile(by_name[name])
        assert file is not None, "only plain files were kept"
        return file.read()

    return BundleFiles(str(path), sizes, read, archive.close)


def _open_directory(path: Path, limits: Limits) -> BundleFiles:
    def entries() -> Iterable[tuple[str, int]]:
        for folder, _, names in os.walk(path):
            for name in names:
                file = Path(folder, name)
                if file.is_symlink():
                    raise BundleError("a link in the bundle", expected="plain files", got=str(file), file=str(path))
                yield file.relative_to(path).as_posix(), file.stat().st_size

    sizes = _checked(str(path), entries(), None, limits)
    return BundleFiles(str(path), sizes, lambda name: (path / name).read_bytes(), lambda: None)
