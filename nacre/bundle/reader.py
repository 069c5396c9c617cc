"""Phase one of loading: read and audit a bundle. Nothing is imported and nothing is built.

The folders are the structure: a folder named ``<name>.node`` inside a pipeline is a child, any other folder with a
model file is a member of an ensemble. So the whole tree of a bundle can be read, shown and judged even when it holds
ops that nobody knows.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from nacre.bundle import jsonvalues
from nacre.bundle.files import LIMITS, BundleFiles, Limits, open_bundle
from nacre.bundle.node import Bundle, Node, Port
from nacre.bundle.values import Value, unpack
from nacre.errors import BundleError

if TYPE_CHECKING:
    import os

EXACT = "nacre.exact."
_PIPELINE = "pipeline"


def read(path: str | os.PathLike[str], limits: Limits = LIMITS) -> Bundle:
    """Read and audit the bundle at `path` (zip, tar, tar.gz, directory). Raises BundleError naming file and field."""
    with open_bundle(path, limits) as files:
        head = _object(files, "bundle.json")
        missing = [key for key in ("name", "format", "version") if not isinstance(head.get(key), str)]
        if missing:
            raise BundleError("bundle.json lacks a text", expected=missing[0], got=sorted(head), file="bundle.json")
        if head["format"] != "json":
            raise BundleError("unknown bundle format", expected="json", got=head["format"], file="bundle.json")
        root = _Reader(files).node("root", str(head["name"]))
        notes = {name[6:]: files.read(name) for name in files if name.startswith("notes/")}
    return Bundle(
        uid=str(head.get("uid", "")), name=head["name"], format=head["format"], version=head["version"], root=root,
        timestamp=str(head.get("timestamp", "")), source=str(path), notes=notes,
    )  # fmt: skip


class _Reader:
    """Walks the folders of one bundle."""

    def __init__(self, files: BundleFiles):
        self.files = files
        self.folders: dict[str, dict[str, None]] = {}
        for name in files:
            self._register(name)

    def _register(self, name: str) -> None:
        """Note every folder of a path, so that each folder's content is known without scanning all names."""
        parts = name.split("/")
        for depth in range(1, len(parts)):
            self.folders.setdefault("/".join(parts[:depth]), {})[parts[depth]] = None

    def node(self, folder: str, name: str, member: bool = False) -> Node:
        model = _object(self.files, f"{folder}/model.json")
        op = model.get("op")
        if not isinstance(op, str) or not op:
            raise BundleError("model without an op", expected="op, a text", got=op, file=f"{folder}/model.json")
        node = Node(op=op, name=name, attributes=self._attributes(model, folder), path=folder)
        if not member:
            self._shape(node)
        names = self.folders.get(folder, {})
        subfolders = [each for each in names if f"{folder}/{each}" in self.folders]
        if op == _PIPELINE:
            node.children = self._children(node)
        else:
            found = (each for each in subfolders if f"{folder}/{each}/model.json" in self.files)
            node.members = [self.node(f"{folder}/{each}", each, member=True) for each in sorted(found, key=_natural)]
        node.files = {
            each: self.files.read(f"{folder}/{each}")
            for each in names
            if f"{folder}/{each}" in self.files and each not in ("model.json", "node.json")
        }
        return node

    def _children(self, node: Node) -> list[Node]:
        where = f"{node.path}/model.json"
        if "nodes" not in node.attributes:
            raise BundleError(
                "pipeline without its list of nodes", expected="nodes", got=list(node.attributes), file=where
            )
        names = at(lambda: unpack(node.attributes["nodes"], "list<string>"), where, "nodes")
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise BundleError("pipeline names a node twice", expected="each once", got=twice, file=where, field="nodes")
        for name in names:
            # A slash would let each level list all levels below it, and the walk double with every level.
            if "/" in name or f"{node.path}/{name}.node/model.json" not in self.files:
                raise BundleError(
                    "the pipeline lacks a node", expected=f"{node.path}/{name}.node",
                    got=f"no folder of the name {name}", file=where, field="nodes",
                )  # fmt: skip
        return [self.node(f"{node.path}/{name}.node", name) for name in names]

    def _attributes(self, model: dict[str, Any], folder: str) -> dict[str, Value]:
        where = f"{folder}/model.json"
        raw = model.get("attributes", {})
        if not isinstance(raw, dict):
            raise BundleError("attributes must be an object", expected="{name: value}", got=raw, file=where)
        values = {name: at(lambda obj=obj: jsonvalues.decode(obj), where, name) for name, obj in raw.items()}
        for name in [each for each in values if each.startswith(EXACT)]:
            text = at(lambda name=name: unpack(values.pop(name), "string"), where, name)
            plain = name[len(EXACT) :]
            if plain in values:
                values[plain] = at(lambda plain=plain, text=text: jsonvalues.restore(values[plain], text), where, name)
        return values

    def _shape(self, node: Node) -> None:
        where = f"{node.path}/node.json"
        content = _object(self.files, where)
        node.name = content["name"] if isinstance(content.get("name"), str) else node.name
        shape = content.get("shape")
        if not isinstance(shape, dict):
            raise BundleError("node without a shape", expected="shape with inputs and outputs", got=shape, file=where)
        node.inputs = _ports(shape.get("inputs", []), where, "inputs")
        node.outputs = _ports(shape.get("outputs", []), where, "outputs")


def _ports(sockets: Any, where: str, side: str) -> list[Port]:
    try:
        ports = [(socket["port"], socket["name"]) for socket in sockets]
        if not all(isinstance(text, str) for port in ports for text in port):
            raise TypeError
    except (TypeError, KeyError):
        expected = '[{"port": …, "name": …}]'
        raise BundleError("malformed ports", expected=expected, got=sockets, file=where, field=side) from None
    names = [port for port, _ in ports]
    if len(set(names)) != len(names):
        raise BundleError("a port stands twice", expected="each once", got=sorted(names), file=where, field=side)
    return ports


def _object(files: BundleFiles, name: str) -> dict[str, Any]:
    try:
        content = json.loads(files.read(name))
    except (ValueError, RecursionError) as error:
        raise BundleError("not JSON", expected="a JSON object", got=str(error), file=name) from error
    if not isinstance(content, dict):
        raise BundleError("not a JSON object", expected="a JSON object", got=content, file=name)
    return content


def at(action: Any, file: str, field: str) -> Any:
    """Run `action` and add the place to a BundleError it raises."""
    try:
        return action()
    except BundleError as error:
        raise error.at(file=file, field=field) from error.__cause__


def _natural(name: str) -> list[Any]:
    """tree2 before tree10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
