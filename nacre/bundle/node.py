"""A bundle in memory, read and audited but not built: the tree of nodes with their raw attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacre.bundle.tree import ClusterTree, Tree
    from nacre.bundle.values import Value

Port = tuple[str, str]
"""(port name, column name)"""


@dataclass
class Node:
    """One folder of a bundle: a model, and for all but ensemble members its name and ports."""

    op: str
    name: str
    attributes: dict[str, Value] = field(default_factory=dict)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    """Children of a pipeline, in execution order."""
    members: list[Node] = field(default_factory=list)
    """Trees of an ensemble, sub-models of one-vs-rest: folders with a model file and no node file."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Other files of this folder, by name, as a bundle's reader found them; trees among them, undecoded."""
    tree: Tree | ClusterTree | None = None
    """The tree of a node that was made here; `nacre.bundle.trees` gives it wherever it is."""
    path: str = "root"
    suffix: str = "json"
    """How the names of its files end in the bundle it was read from."""

    def file(self, stem: str) -> str:
        """Where its `model` or `node` file stands, for errors."""
        return f"{self.path}/{stem}.{self.suffix}"

    def walk(self) -> Iterator[Node]:
        """This node and all its pipeline children, in execution order; members are part of their node."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass
class Bundle:
    """bundle.json and the root node."""

    uid: str
    name: str
    format: str
    version: str
    root: Node
    timestamp: str = ""
    source: str = ""
    notes: dict[str, bytes] = field(default_factory=dict)
    meta: dict[str, Value] = field(default_factory=dict)
    """Facts about the bundle that MLeap keeps in bundle.json."""
