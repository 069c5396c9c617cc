from __future__ import annotations

from nacre.handlers.script_twins import ClientError, UnsupportedFormatError

__all__ = ["ClientError", "UnsupportedFormatError"]
