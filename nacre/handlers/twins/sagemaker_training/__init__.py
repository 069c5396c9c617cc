"""`environment.Environment()`: what a training script asks of its job."""

from __future__ import annotations

from . import environment

__all__ = ["environment"]
