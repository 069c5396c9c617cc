"""Phase one of loading: read and audit a bundle. Nothing is imported and nothing is built.

The folders are the structure: a folder named ``<name>.node`` inside a pipeline is a child, any other folder with a
model file is a member of an ensemble. So the whole tree of a bundle can be read, shown and judged even when it holds
ops that nobody knows.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from nacre.bundle.exact import restored
from nacre.bundle.files import LIMITS, BundleFiles, Limits, open_bundle, within_memory
from nacre.bundle.formats import FORMATS, Format, json_object
from nacre.bundle.generations import Generation, generation
from nacre.bundle.node import Bundle, Node, Port
from nacre.bundle.values import Value, unpack
from nacre.errors import BundleError

if TYPE_CHECKING:
    import os

_PIPELINE = "pipeline"
HEAD = "bundle.json"


def read(path: str | os.PathLike[str], limits: Limits = LIMITS) -> Bundle:
    """Read and audit the bundle at `path` (zip, tar, tar.gz, directory). Raises BundleError naming file and field."""
    with within_memory(path), open_bundle(path, limits) as files:
        return read_files(files)


def read_files(files: BundleFiles) -> Bundle:
    """Read and audit an opened bundle."""
    head = at(lambda: json_object(files.read(HEAD)), HEAD)
    missing = [key for key in ("name", "format", "version") if not isinstance(head.get(key), str)]
    if missing:
        raise BundleError("bundle.json lacks a text", expected=missing[0], got=sorted(head), file=HEAD)
    if head["format"] not in FORMATS:
        raise BundleError("unknown bundle format", expected=" or ".join(FORMATS), got=head["format"], file=HEAD)
    age = generation(head["version"])
    root = _Reader(files, FORMATS[head["format"]], age).node("root", head["name"])
    return Bundle(
        uid=str(head.get("uid", "")), name=head["name"], format=head["format"], version=head["version"], root=root,
        timestamp=str(head.get("timestamp", "")), source=files.source, meta=_meta(head.get("meta"), age),
        notes={name[6:]: files.read(name) for name in files if name.startswith("notes/")},
    )  # fmt: skip


def _meta(meta: Any, age: Generation) -> dict[str, Value]:
    """Facts about a bundle, in JSON even where the rest is protobuf; MLeap writes them since 0.9.4, if it has any."""
    if meta is None:
        return {}
    if not isinstance(meta, dict):
        raise BundleError("malformed meta", expected="{name: value}", got=meta, file=HEAD, field="meta")
    json = FORMATS["json"]
    return at(  # type: ignore[no-any-return]
        lambda: restored({name: at(lambda obj=obj: json.value(obj, age), HEAD, name) for name, obj in meta.items()}),
        HEAD,
    )


class _Reader:
    """Walks the folders of one bundle."""

    def __init__(self, files: BundleFiles, form: Format, age: Generation):
        self.files = files
        self.form = form
        self.age = age
        self.model_file, self.node_file = f"model.{form.suffix}", f"node.{form.suffix}"
        self.folders: dict[str, dict[str, None]] = {}
        for name in files:
            self._register(name)

    def _register(self, name: str) -> None:
        """Note every folder of a path, so that each folder's content is known without scanning all names."""
        parts = name.split("/")
        for depth in range(1, len(parts)):
            self.folders.setdefault("/".join(parts[:depth]), {})[parts[depth]] = None

    def node(self, folder: str, name: str, member: bool = False) -> Node:
        node = self._model(folder, name)
        if not member:
            self._shape(node)
        names = self.folders.get(folder, {})
        subfolders = [each for each in names if f"{folder}/{each}" in self.folders]
        if node.op == _PIPELINE:
            node.children = self._children(node)
        else:
            found = (each for each in subfolders if f"{folder}/{each}/{self.model_file}" in self.files)
            node.members = [self.node(f"{folder}/{each}", each, member=True) for each in sorted(found, key=_natural)]
        node.files = {
            each: self.files.read(f"{folder}/{each}")
            for each in names
            if f"{folder}/{each}" in self.files and each not in (self.model_file, self.node_file)
        }
        return node

    def _model(self, folder: str, name: str) -> Node:
        where = f"{folder}/{self.model_file}"
        op, unread = at(lambda: self.form.model(self.files.read(where)), where)
        values = {each: at(lambda raw=raw: self.form.value(raw, self.age), where, each) for each, raw in unread.items()}
        attributes = at(lambda: restored(values), where)
        return Node(op=op, name=name, attributes=attributes, path=folder, suffix=self.form.suffix)

    def _children(self, node: Node) -> list[Node]:
        where = f"{node.path}/{self.model_file}"
        if "nodes" not in node.attributes:
            raise BundleError(
                "pipeline without its list of nodes", expected="nodes", got=list(node.attributes), file=where,
                field="nodes",
            )  # fmt: skip
        names = at(lambda: unpack(node.attributes["nodes"], "list<string>"), where, "nodes")
        twice = _twice(names)
        if twice:
            raise BundleError("pipeline names a node twice", expected="each once", got=twice, file=where, field="nodes")
        for name in names:
            # A slash would let each level list all levels below it, and the walk double with every level.
            if "/" in name or f"{node.path}/{name}.node/{self.model_file}" not in self.files:
                raise BundleError(
                    "the pipeline lacks a node", expected=f"{node.path}/{name}.node",
                    got=f"no folder of the name {name}", file=where, field="nodes",
                )  # fmt: skip
        return [self.node(f"{node.path}/{name}.node", name) for name in names]

    def _shape(self, node: Node) -> None:
        where = f"{node.path}/{self.node_file}"
        name, node.inputs, node.outputs = at(lambda: self.form.node(self.files.read(where)), where)
        node.name = node.name if name is None else name
        for side, ports in (("inputs", node.inputs), ("outputs", node.outputs)):
            _once(ports, where, side)


def _once(ports: list[Port], where: str, side: str) -> None:
    names = [port for port, _ in ports]
    if _twice(names):
        raise BundleError("a port stands twice", expected="each once", got=sorted(names), file=where, field=side)


def _twice(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def at(action: Any, file: str, field: str | None = None) -> Any:
    """Run `action` and add the place to a BundleError it raises."""
    try:
        return action()
    except BundleError as error:
        raise error.at(file=file, field=field) from error.__cause__


def _natural(name: str) -> list[tuple[int, str]]:
    """tree2 before tree10: digits by how many there are, then by what they are, however long."""
    parts = re.split(r"([0-9]+)", name)
    return [(len(part.lstrip("0")) if n % 2 else 0, part) for n, part in enumerate(parts)]
