"""Bundle.ML: read and audit, write. No op is known here; what an op means is in `nacre.stages`."""

from __future__ import annotations

from nacre.bundle.node import Bundle, Node
from nacre.bundle.reader import read
from nacre.bundle.writer import new_bundle, write

__all__ = ["Bundle", "Node", "new_bundle", "read", "write"]
