"""The two formats of a bundle's model and node files behind one interface; ``bundle.json`` names the one in use.

Both read a file in two steps, so that an error in an attribute can name it: first the op and the attributes unread,
then each value. What an attribute or a tree means is the same in both.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from nacre.bundle import jsonvalues, pbvalues
from nacre.errors import BundleError

if TYPE_CHECKING:
    from nacre.bundle.generations import Generation
    from nacre.bundle.node import Port
    from nacre.bundle.values import Value


class Format(Protocol):
    """How models and nodes are written down."""

    suffix: str

    def model(self, content: bytes) -> tuple[str, dict[str, Any]]:
        """Op and attributes of a model file, the values unread."""

    def value(self, unread: Any, generation: Generation) -> Value:
        """One attribute."""

    def node(self, content: bytes) -> tuple[str | None, list[Port], list[Port]]:
        """Name, inputs and outputs of a node file."""

    def write_model(self, op: str, attributes: dict[str, Value]) -> bytes: ...

    def write_node(self, name: str, inputs: list[Port], outputs: list[Port]) -> bytes: ...


class Json:
    suffix = "json"

    def model(self, content: bytes) -> tuple[str, dict[str, Any]]:
        return jsonvalues.parts(json_object(content))

    def value(self, unread: Any, generation: Generation) -> Value:
        return jsonvalues.decode(unread, generation)

    def node(self, content: bytes) -> tuple[str | None, list[Port], list[Port]]:
        node = json_object(content)
        shape = node.get("shape")
        if not isinstance(shape, dict):
            raise BundleError("node without a shape", expected="shape with inputs and outputs", got=shape)
        name = node["name"] if isinstance(node.get("name"), str) else None
        return name, _ports(shape, "inputs"), _ports(shape, "outputs")

    def write_model(self, op: str, attributes: dict[str, Value]) -> bytes:
        return jsonvalues.dump(jsonvalues.model(op, attributes))

    def write_node(self, name: str, inputs: list[Port], outputs: list[Port]) -> bytes:
        sides = {"inputs": inputs, "outputs": outputs}
        shape = {side: [{"port": port, "name": column} for port, column in ports] for side, ports in sides.items()}
        return jsonvalues.dump({"name": name, "shape": shape})


class Protobuf:
    suffix = "pb"

    def model(self, content: bytes) -> tuple[str, dict[str, Any]]:
        return pbvalues.read_model(content)

    def value(self, unread: Any, generation: Generation) -> Value:
        return pbvalues.decode(unread, generation)

    def node(self, content: bytes) -> tuple[str | None, list[Port], list[Port]]:
        name, inputs, outputs = pbvalues.read_node(content)
        return name or None, inputs, outputs

    def write_model(self, op: str, attributes: dict[str, Value]) -> bytes:
        return pbvalues.model(op, attributes)

    def write_node(self, name: str, inputs: list[Port], outputs: list[Port]) -> bytes:
        return pbvalues.node(name, inputs, outputs)


FORMATS: dict[str, Format] = {"json": Json(), "protobuf": Protobuf()}
"""By the word that stands in ``bundle.json``."""


def json_object(content: bytes) -> dict[str, Any]:
    """A JSON object of whole texts: half a surrogate pair, which JSON can spell, is text nowhere else."""
    try:
        found = jsonvalues.load(content)
        if b"\\u" in content:
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BundleError("not JSON", expected="a JSON object", got=str(error)) from error
    if not isinstance(found, dict):
        raise BundleError("not a JSON object", expected="a JSON object", got=found)
    return found


def _ports(shape: dict[str, Any], side: str) -> list[Port]:
    sockets = shape.get(side, [])
    try:
        ports = [(socket["port"], socket["name"]) for socket in sockets]
        if not all(isinstance(text, str) for port in ports for text in port):
            raise TypeError
    except (TypeError, KeyError):
        expected = '[{"port": …, "name": …}]'
        raise BundleError("malformed ports", expected=expected, got=sockets, field=side) from None
    return ports
