from __future__ import annotations

from nacre.handlers.script_twins import decode

__all__ = ["decode"]
