"""Who wrote a bundle, where that changes what its numbers mean.

MLeap's package for scikit-learn flattens matrices row by row, as numpy does; everybody else, Spark and the JVM, column
by column, and the JVM reads them so. Nothing in the format says which. The node names do: that package names a node
``<op>_<UUID of version 1>`` (from a clock), its pipelines always. Spark's uids hold 12 hexadecimal digits without a
dash, and a JVM makes random UUIDs, of version 4. The names outlive a bundle's being written again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacre.bundle.node import Node

_CLOCK = re.compile(r"_[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def by_sklearn(root: Node) -> bool:
    """Whether MLeap's scikit-learn exporter wrote a bundle."""
    return any(
        node.name.startswith(node.op) and _CLOCK.fullmatch(node.name[len(node.op) :]) is not None
        for node in root.walk()
    )
