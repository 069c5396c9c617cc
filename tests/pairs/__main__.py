"""Walks all pairs and writes docs/pairs.md, unless one of them differs."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.pairs.walk import page, ready, walk
from tests.shared import CHECKOUT

if __name__ == "__main__":
    with TemporaryDirectory() as folder, ready(Path(folder)) as found:
        counts, wrong = walk(found)
    for each in wrong:
        print(each, file=sys.stderr)
    if not wrong:
        (CHECKOUT / "docs" / "pairs.md").write_text(page(counts), encoding="utf-8")
    sys.exit(bool(wrong))
