"""A progress bar in bytes of input, with rows a second, on stderr.

tqdm draws it: one pure-Python package without dependencies that imports in 30 ms, where rich brings three more.
"""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType


class Progress:
    """Counts rows and, when `shown`, draws. `total` is the size of all inputs in bytes."""

    def __init__(self, total: int, shown: bool):
        self.rows = 0
        self.started = time.perf_counter()
        self._bar: Any = None
        if shown:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="B", unit_scale=True, unit_divisor=1024, file=sys.stderr)

    def advance(self, rows: int, size: float) -> None:
        """`rows` more rows are done, which were `size` bytes of input."""
        self.rows += rows
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self.rows / self.seconds:,.0f} rows/s", refresh=False)
            self._bar.update(size)

    @property
    def seconds(self) -> float:
        """Seconds since the start, never zero."""
        return max(time.perf_counter() - self.started, 1e-9)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def wanted(asked: bool | None) -> bool:
    """Whether to draw: as asked, else when somebody looks at stderr and tqdm is installed."""
    return sys.stderr.isatty() and find_spec("tqdm") is not None if asked is None else asked
