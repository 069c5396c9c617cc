"""`Response`, what an output_fn returns."""

from __future__ import annotations

from typing import Any

from werkzeug import wrappers


class Response(wrappers.Response):
    """Werkzeug's, of JSON unless it is told; `accept` is taken and ignored, as it was."""

    default_mimetype = "application/json"

    def __init__(self, response: Any = None, accept: str | None = None, status: int = 200, **known: Any):
        super().__init__(response, status, **known)
