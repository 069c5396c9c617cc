"""Write a bundle: the tree of nodes to a zip (``.zip``), a tar.gz (``.tar.gz``) or a directory, in JSON."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.bundle import jsonvalues
from nacre.bundle.node import Bundle, Node
from nacre.bundle.reader import EXACT
from nacre.bundle.values import pack
from nacre.errors import SetupError

if TYPE_CHECKING:
    import os

VERSION = "0.20.0"
"""The MLeap version whose reader must accept what is written here; AWS's image carries it."""


def new_bundle(root: Node) -> Bundle:
    """A bundle around `root`, with a fresh uid and the time of now."""
    now = datetime.now().isoformat(timespec="milliseconds")  # noqa: DTZ005 - MLeap parses a local time
    return Bundle(uid=str(uuid.uuid4()), name=root.name, format="json", version=VERSION, root=root, timestamp=now)


def write(bundle: Bundle, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write `bundle` to `path`; nothing stands under the final name before everything is written."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise SetupError("the output exists", expected="a new path", got=str(path), fix="Remove it or pass overwrite")
    path.parent.mkdir(parents=True, exist_ok=True)
    form = _form(path)
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        target = part / "bundle"
        form(target, list(_files(bundle)))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        target.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return path


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
    """All files, ``bundle.json`` last, as MLeap's own writer orders them."""
    yield from _node_files(bundle.root, "root")
    for name, content in bundle.notes.items():
        yield f"notes/{name}", content
    head = {key: getattr(bundle, key) for key in ("uid", "name", "format", "version", "timestamp")}
    yield "bundle.json", _json(head)


def _node_files(node: Node, folder: str, member: bool = False) -> Iterator[tuple[str, bytes]]:
    yield f"{folder}/model.json", _json({"op": node.op, "attributes": _attributes(node)})
    if not member:
        shape = {"inputs": _sockets(node.inputs), "outputs": _sockets(node.outputs)}
        yield f"{folder}/node.json", _json({"name": node.name, "shape": shape})
    for name, content in node.files.items():
        yield f"{folder}/{name}", content
    for child in node.children:
        yield from _node_files(child, f"{folder}/{child.name}.node")
    for each in node.members:
        yield from _node_files(each, f"{folder}/{each.name}", member=True)


def _attributes(node: Node) -> dict[str, Any]:
    values = dict(node.attributes)
    for name, value in node.attributes.items():
        text = jsonvalues.lost(value)
        if text is not None:
            values[EXACT + name] = pack(text, "string")
    return {name: jsonvalues.encode(value) for name, value in values.items()}


def _sockets(ports: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"port": port, "name": column} for port, column in ports]


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
