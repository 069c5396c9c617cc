from __future__ import annotations

from nacre.handlers.script_twins import encode

__all__ = ["encode"]
