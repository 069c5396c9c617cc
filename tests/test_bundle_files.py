"""Archives that are no bundle, broken, or out to do harm: refused before anything of them is used, with the reason."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import nacre
from nacre.bundle import files, read, write
from nacre.bundle.files import Limits
from nacre.errors import BundleError
from tests import bundles
from tests.contents import contents as bundle_contents

BUNDLE = bundles.pipeline(
    bundles.node("bucketizer", {"splits": [0.0, 1.0, 2.0]}, ["x"], ["b"]),
    bundles.tree(((0, 0.5), 1.0, ((1, (0.0, 2.0), True, 4), 2.0, 3.0)), 2),
)
FORMS = {"zip": "model.zip", "tar": "model.tar.gz", "folder": "model"}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write(BUNDLE, tmp_path / "good.zip")


def contents() -> dict[str, bytes]:
    """The files of the good bundle."""
    packed = io.BytesIO()
    packed.write(b"")
    with zipfile.ZipFile(_written()) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _written() -> io.BytesIO:
    from nacre.bundle.writer import _files

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in _files(BUNDLE):
            archive.writestr(name, content)
    return out


def refused(path: Path, limits: Limits | None = None) -> BundleError:
    """The error of a bundle that must not be read."""
    with pytest.raises(BundleError) as caught:
        read(path) if limits is None else read(path, limits)
    error = caught.value
    assert error.expected is not None
    assert error.got is not None
    return error


def zipped(path: Path, files: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def plain_members() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(member(name), content) for name, content in contents().items()]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_reads_the_same(form: str, tmp_path: Path) -> None:
    assert bundle_contents(read(write(BUNDLE, tmp_path / FORMS[form]))) == bundle_contents(BUNDLE)


# Broken


@pytest.mark.parametrize("name", ["good.zip", "good.tar.gz", "good.tar"])
def test_truncated_anywhere(name: str, tmp_path: Path) -> None:
    """Cut at every length of the ends and at many between: an error that names the file, never another kind."""
    path = tmp_path / name
    if name == "good.tar":
        tarred(path, plain_members(), "w")
    else:
        write(BUNDLE, path)
    whole = path.read_bytes()
    lengths = {*range(64), *range(len(whole) - 64, len(whole)), *range(0, len(whole), max(1, len(whole) // 40))}
    survived = []
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        try:
            read(path)
        except BundleError as error:
            assert str(path) in str(error) or error.where.get("file"), error
            continue
        survived.append(length)
    # An uncompressed tar ends in padding, which nobody misses; anything else has its end checked.
    assert not survived or (name == "good.tar" and min(survived) > len(whole) - 10240)


@pytest.mark.parametrize("name", ["good.zip", "good.tar.gz"])
def test_flipped_bytes(name: str, tmp_path: Path) -> None:
    """Any byte changed: still the same bundle, another one, or a BundleError; nothing else comes out."""
    path = tmp_path / name
    write(BUNDLE, path)
    whole = path.read_bytes()
    chance = random.Random(1)
    seen = 0
    for _ in range(400):
        spoilt = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            spoilt[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        try:
            read(path)
        except BundleError:
            seen += 1
    assert seen > 100


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"hello", "not a bundle"),
        (b"\x00" * 10000, "not a bundle"),
        (b"PK\x03\x04 but no more", "truncated zip"),
        (b"\x1f\x8b\x08\x00 but no more", "truncated archive"),
        (gzip.compress(b"no tar in here" * 100, mtime=0), "truncated archive"),
        (b"PK\x05\x06" + b"\x00" * 18, "got nothing"),
    ],
)
def test_no_archive(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(content)
    error = refused(path)
    assert said in str(error)
    assert error.where["file"] == str(path)


def test_no_such_bundle(tmp_path: Path) -> None:
    assert "no such bundle" in str(refused(tmp_path / "missing.zip"))


def test_empty_folder(tmp_path: Path) -> None:
    assert refused(tmp_path).expected == "bundle.json at its top"


def test_a_bundle_one_folder_down(tmp_path: Path) -> None:
    path = zipped(tmp_path / "m.zip", {f"model/{name}": content for name, content in contents().items()})
    error = refused(path)
    assert error.expected == "bundle.json at its top"
    assert "model/" in str(error.got)


# Unsafe


UNSAFE = ["../evil", "root/../../evil", "/etc/evil", "root\\..\\evil", "a/./../b", "C:\\evil"]


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_names_that_climb_out(form: str, name: str, tmp_path: Path) -> None:
    if form == "zip":
        path = tmp_path / "m.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for each, content in {**contents(), "placeholder": b"x"}.items():
                info = zipfile.ZipInfo(each)
                info.filename = name if each == "placeholder" else each
                archive.writestr(info, content)
    else:
        path = tarred(tmp_path / "m.tar.gz", [*plain_members(), (member(name), b"x")])
    error = refused(path)
    assert "unsafe name" in str(error)
    assert error.got == name.replace("\\", "/") or error.got == name
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name]


def test_links_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents().items():
            archive.writestr(name, content)
        info = zipfile.ZipInfo("root/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert refused(path).got == "root/link"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar(kind: bytes, tmp_path: Path) -> None:
    path = tarred(tmp_path / "m.tar.gz", [*plain_members(), (member("root/odd", kind, "/etc/passwd"), b"")])
    assert refused(path).got == "root/odd"


@pytest.mark.parametrize("make", [lambda at, to: at.symlink_to(to / "notes"), lambda at, to: at.symlink_to(to / "f")])
def test_links_in_a_folder(make: Callable[[Path, Path], None], tmp_path: Path) -> None:
    """To a file or to a folder: a folder's link would otherwise be passed over in silence."""
    folder = write(BUNDLE, tmp_path / "model")
    (tmp_path / "notes").mkdir()
    (tmp_path / "f").write_text("secret")
    make(folder / "root" / "link", tmp_path)
    error = refused(folder)
    assert "link" in str(error)
    assert str(folder / "root" / "link") in str(error)


def test_a_pipe_in_a_folder_does_not_block(tmp_path: Path) -> None:
    folder = write(BUNDLE, tmp_path / "model")
    os.mkfifo(folder / "root" / "pipe")
    assert "plain files" in str(refused(folder))


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_names_that_stand_twice(form: str, tmp_path: Path) -> None:
    if form == "zip":
        path = zipped(tmp_path / "m.zip", contents())
        with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("root/model.json", b"{}")
    else:
        path = tarred(tmp_path / "m.tar.gz", [*plain_members(), (member("./root//model.json"), b"{}")])
    error = refused(path)
    assert "twice" in str(error)
    assert error.got == "root/model.json"


def test_encrypted(good: Path) -> None:
    whole = bytearray(good.read_bytes())
    at = whole.index(b"PK\x01\x02")
    whole[at + 8] |= 1
    good.write_bytes(whole)
    assert "encrypted" in str(refused(good))


# Too much


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_bombs(form: str, tmp_path: Path) -> None:
    """40 MB of zeros in 40 kB."""
    bomb = bytes(40 << 20)
    if form == "zip":
        path = zipped(tmp_path / "m.zip", {**contents(), "root/zeros": bomb}, compression=zipfile.ZIP_DEFLATED)
    else:
        path = tarred(tmp_path / "m.tar.gz", [*plain_members(), (member("root/zeros"), bomb)])
    error = refused(path)
    assert "too tightly" in str(error)
    assert f"{path.stat().st_size}" in str(error.got)


def test_a_tar_bomb_ends_early(tmp_path: Path) -> None:
    """A second member behind the one that breaks the ratio is not unpacked to be looked at."""
    path = tmp_path / "m.tar.gz"
    huge = member("root/zeros")
    huge.size = 1 << 30
    with gzip.open(path, "wb", 1) as file:
        file.write(huge.tobuf())
        file.write(b"not a gigabyte")
    assert refused(path)


def test_a_header_as_large_as_memory(tmp_path: Path) -> None:
    """GNU's long name: tarfile would read the name, however long its header says it is."""
    path = tmp_path / "m.tar.gz"
    header = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    header.size = 64 << 20
    with gzip.open(path, "wb") as file:
        file.write(header.tobuf())
        for _ in range(64):
            file.write(bytes(1 << 20))
    with pytest.MonkeyPatch.context() as patch:
        read_so_far: list[int] = []
        plain = files._Meter.read

        def counted(self: files._Meter, size: int = -1) -> bytes:
            part = plain(self, size)
            read_so_far.append(len(part))
            return part

        patch.setattr(files._Meter, "read", counted)
        assert "too tightly" in str(refused(path))
    assert sum(read_so_far) < 600 * path.stat().st_size


def test_a_size_that_lies(tmp_path: Path) -> None:
    """The content is longer than its entry says: not one byte more is taken."""
    path = zipped(tmp_path / "m.zip", contents())
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("root/model.json")
    at = whole.index(b"PK\x01\x02")
    while whole[at + 46 : at + 46 + len(info.filename)] != info.filename.encode():
        at = whole.index(b"PK\x01\x02", at + 4)
    whole[at + 24 : at + 28] = struct.pack("<I", info.file_size - 5)
    path.write_bytes(whole)
    error = refused(path)
    assert "damaged file" in str(error)
    assert error.where["file"] == "root/model.json"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(entries=4), "too many files"),
        (Limits(total_bytes=300), "too large"),
        (Limits(depth=2), "folders too deep"),
    ],
)
def test_limits(form: str, limits: Limits, said: str, tmp_path: Path) -> None:
    path = write(BUNDLE, tmp_path / FORMS[form])
    assert said in str(refused(path, limits)) or (form == "tar" and "too large" in str(refused(path, limits)))


def test_deep_pipelines_are_refused_in_time(tmp_path: Path) -> None:
    """A hundred pipelines in each other: refused by depth, not by the interpreter's stack."""
    node = bundles.nested(name="p")
    for _ in range(100):
        node = bundles.nested(node, name="p")
    bundle = bundles.pipeline(node)
    assert "folders too deep" in str(refused(write(bundle, tmp_path / "deep.zip")))


def test_nothing_is_written_by_reading(tmp_path: Path) -> None:
    path = write(BUNDLE, tmp_path / "m.zip")
    before = sorted(tmp_path.rglob("*"))
    nacre.load(path)
    nacre.show(path, out=io.StringIO())
    assert sorted(tmp_path.rglob("*")) == before


# Writing


def test_nothing_stands_half_written(tmp_path: Path) -> None:
    """A bundle that cannot be written leaves neither its name nor a partial file, and not the old one spoilt."""
    bad = bundles.pipeline(bundles.node("bucketizer", {"splits": [0.0, 1.0, 2.0]}, ["x"], ["b"]))
    bad.root.children[0].files["extra"] = None  # type: ignore[assignment]
    for name in FORMS.values():
        with pytest.raises(Exception):  # noqa: B017 - whatever goes wrong in writing
            write(bad, tmp_path / name)
        assert list(tmp_path.iterdir()) == []
    old = write(BUNDLE, tmp_path / "m.zip").read_bytes()
    with pytest.raises(Exception):  # noqa: B017
        write(bad, tmp_path / "m.zip", overwrite=True)
    assert [each.name for each in tmp_path.iterdir()] == ["m.zip"]
    assert (tmp_path / "m.zip").read_bytes() == old


@pytest.mark.parametrize("name", FORMS.values())
def test_overwriting_is_asked_for(name: str, tmp_path: Path) -> None:
    path = write(BUNDLE, tmp_path / name)
    with pytest.raises(nacre.errors.SetupError, match="the output exists"):
        write(BUNDLE, path)
    assert write(BUNDLE, path, overwrite=True) == path
    assert read(path).name == "pipe"
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_device_is_no_bundle() -> None:
    with pytest.raises(BundleError, match="got a device"):
        nacre.load("/dev/zero")


def test_more_than_the_memory_there_is(tmp_path: Path) -> None:
    """Within the limits on size; in a process of its own, for its memory is limited."""
    folder = write(BUNDLE, tmp_path / "model")
    with (folder / "root" / "model.json").open("wb") as file:
        file.truncate(3 << 30)  # takes no room on the disk
    program = "import resource, sys, nacre; resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31)); nacre.load(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True)
    assert "BundleError: a bundle that does not fit into memory" in ran.stderr.splitlines()[-1]
