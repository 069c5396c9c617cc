from __future__ import annotations

from nacre.handlers.script_twins import TrainingEnv

Environment = TrainingEnv

__all__ = ["Environment"]
