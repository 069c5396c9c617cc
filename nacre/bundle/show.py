"""`nacre show`: a bundle's tree as text, from the audit alone. Nothing is built, so unknown ops show as well."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nacre.bundle.reader import read
from nacre.bundle.values import Shape, SubModel, Value

if TYPE_CHECKING:
    import os

    from nacre.bundle.node import Bundle, Node

_LONG = 72


def show(path: str | os.PathLike[str], out: Any = None) -> None:
    """Print a bundle's tree: nodes, ops, ports and attributes, and what is unsupported or left open."""
    print(describe(path), file=out)


def describe(path: str | os.PathLike[str]) -> str:
    """The text that `show` prints."""
    return "\n".join(lines(read(path)))


def lines(bundle: Bundle) -> list[str]:
    """The same for a bundle that is read, by lines."""
    head = (
        f"{bundle.name}  ({bundle.format}, written for MLeap {bundle.version or '?'}, {bundle.timestamp or 'no date'})"
    )
    tree = [head, *_lines(bundle.root, "")]
    warnings = list(_warnings(bundle.root))
    return list(map(_printable, [*tree, "", *(warnings or ["Every op can be scored."])]))


def _printable(line: str) -> str:
    """A bundle's own texts must not steer the terminal."""
    return line if line.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _lines(node: Node, indent: str) -> Iterator[str]:
    known = "" if _known(node.op) else "   <- no such op here"
    yield f"{indent}{node.op}  {node.name}{known}"
    if node.inputs or node.outputs:
        yield f"{indent}    {_ports(node.inputs)} -> {_ports(node.outputs)}"
    for name, value in node.attributes.items():
        if node.op != "pipeline" or name.startswith("nacre.spark"):
            yield f"{indent}    {name} = {_short(value)}"
    if node.members:
        size = sum(len(content) for member in node.members for content in member.files.values())
        yield f"{indent}    {len(node.members)} members of op {node.members[0].op}, {size} bytes"
    for name, content in node.files.items():
        yield f"{indent}    file {name}, {len(content)} bytes"
    for child in node.children:
        yield from _lines(child, indent + "  ")


def _ports(ports: list[tuple[str, str]]) -> str:
    return ", ".join(column for _, column in ports) or "nothing"


def _short(value: Value) -> str:
    data = value.data
    if value.form == "scalar":
        text = _text(data)
    else:
        more = ", …" if len(data) > 6 else ""
        text = f"{value.form} of {len(data)} [{', '.join(_text(each) for each in data[:6])}{more}]"
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"


def _text(data: Any) -> str:
    if isinstance(data, Shape):
        return data.base if data.dims is None else f"{data.base}{list(data.dims)}"
    if isinstance(data, Value):
        return "tensor"
    if isinstance(data, SubModel):
        return f"model {data.op}"
    if isinstance(data, bytes):
        return f"{len(data)} bytes"
    return "zero value" if data is None else json.dumps(data, ensure_ascii=False)


def _known(op: str) -> bool:
    from nacre.stages import REGISTRY

    return op in REGISTRY


def _package(op: str) -> str:
    from nacre.stages import REGISTRY

    return REGISTRY[op].package


def _refused() -> dict[str, str]:
    from nacre.plan.refused import REFUSED

    return REFUSED


def _warnings(root: Node) -> Iterator[str]:
    for node in root.walk():
        if not _known(node.op):
            why = _refused().get(node.op, "nothing here scores this op")
            yield f"UNSUPPORTED {node.op} (node {node.name}): {why}."
        elif package := _package(node.op):
            yield f"NOTE {node.name}: scored only where the package {package} is installed (nacre[{package}])."
        elif node.op == "vector_assembler" and "nacre.handle_invalid" not in node.attributes:
            yield (
                f"NOTE {node.name}: the bundle does not say what null and NaN do (MLeap has no slot for "
                "VectorAssembler.handleInvalid), so null fails and NaN passes, as in MLeap."
            )


def main(argv: list[str]) -> int:
    """`nacre show`."""
    parser = argparse.ArgumentParser(prog="nacre show", description="A bundle's tree, without building it.")
    parser.add_argument("model", help="a bundle: zip, tar.gz or directory")
    args = parser.parse_args(argv)
    print(describe(args.model))
    return 0
