"""`training_env()`."""

from __future__ import annotations

from nacre.handlers.script_twins import TrainingEnv


def training_env() -> TrainingEnv:
    return TrainingEnv()
