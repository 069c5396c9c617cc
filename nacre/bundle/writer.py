"""Write a bundle: the tree of nodes to a zip (``.zip``), a tar.gz (``.tar.gz``) or a directory, in JSON or protobuf."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.bundle import jsonvalues, trees
from nacre.bundle.exact import noted
from nacre.bundle.formats import FORMATS, Format
from nacre.bundle.generations import NEWEST, generation
from nacre.bundle.node import Bundle, Node
from nacre.bundle.reader import at
from nacre.errors import SetupError

if TYPE_CHECKING:
    import os

VERSION = "0.20.0"
"""The MLeap version whose reader must accept what is written here; AWS's image carries it."""


def new_bundle(root: Node) -> Bundle:
    """A bundle around `root`, with a fresh uid and the time of now."""
    now = datetime.now().isoformat(timespec="milliseconds")  # noqa: DTZ005 - MLeap parses a local time
    return Bundle(uid=str(uuid.uuid4()), name=root.name, format="json", version=VERSION, root=root, timestamp=now)


def write(
    bundle: Bundle,
    path: str | os.PathLike[str],
    overwrite: bool = False,
    format: str | None = None,  # noqa: A002 - the word that bundle.json uses
) -> Path:
    """Write `bundle` to `path`; nothing stands under the final name before everything is written.

    Args:
        bundle: what to write.
        path: ``.zip``, ``.tar.gz``, or a directory.
        overwrite: replace `path` if it exists.
        format: "json" or "protobuf"; default the bundle's own, which is JSON for one that was made here.
    """
    bundle = replace(todays(bundle), format=format or bundle.format)
    if bundle.format not in FORMATS:
        raise SetupError("unknown bundle format", expected=" or ".join(FORMATS), got=bundle.format)
    return write_files(_files(bundle), Path(path), overwrite)


def write_files(files: Iterable[tuple[str, bytes]], path: Path, overwrite: bool = False) -> Path:
    """Write the files of a bundle, (name, content) each, as a zip, a tar.gz or a directory; complete or not at all."""
    if path.exists() and not overwrite:
        raise SetupError("the output exists", expected="a new path", got=str(path), fix="Remove it or pass overwrite")
    path.parent.mkdir(parents=True, exist_ok=True)
    form = _form(path)
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        target = part / "bundle"
        form(target, list(files))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        target.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return path


def todays(bundle: Bundle) -> Bundle:
    """The bundle under a version that reads what is written here: it is of today's encoding, whoever wrote it."""
    return bundle if generation(bundle.version) == NEWEST else replace(bundle, version=VERSION)


def _form(path: Path) -> Any:
    if path.name.endswith(".zip"):
        return _zip
    return _tar if path.name.endswith((".tar.gz", ".tgz")) else _directory


def _zip(target: Path, files: list[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


def _tar(target: Path, files: list[tuple[str, bytes]]) -> None:
    with tarfile.open(target, "w:gz") as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o644
            archive.addfile(info, io.BytesIO(content))


def _directory(target: Path, files: list[tuple[str, bytes]]) -> None:
    for name, content in files:
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _files(bundle: Bundle) -> Iterator[tuple[str, bytes]]:
    """All files, ``bundle.json`` last, as MLeap's own writer orders them; it is JSON in either format."""
    yield from _node_files(bundle.root, "root", FORMATS[bundle.format])
    for name, content in bundle.notes.items():
        yield f"notes/{name}", content
    head: dict[str, Any] = {key: getattr(bundle, key) for key in ("uid", "name", "format", "version", "timestamp")}
    if bundle.meta:
        head["meta"] = {name: jsonvalues.encode(value) for name, value in noted(bundle.meta).items()}
    yield "bundle.json", jsonvalues.dump(head)


def _node_files(node: Node, folder: str, form: Format, member: bool = False) -> Iterator[tuple[str, bytes]]:
    where = f"{folder}/model.{form.suffix}"
    yield where, at(lambda: form.write_model(node.op, node.attributes), where)
    if not member:
        where = f"{folder}/node.{form.suffix}"
        yield where, at(lambda: form.write_node(node.name, node.inputs, node.outputs), where)
    for name, content in trees.files(node, form.suffix).items():
        yield f"{folder}/{name}", content
    for child in node.children:
        yield from _node_files(child, f"{folder}/{child.name}.node", form)
    for each in node.members:
        yield from _node_files(each, f"{folder}/{each.name}", form, member=True)
