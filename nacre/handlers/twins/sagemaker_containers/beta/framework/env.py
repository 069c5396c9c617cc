"""Folders of the container, and `TrainingEnv`."""

from __future__ import annotations

import os

from nacre.handlers.script_twins import TrainingEnv

__all__ = ["TrainingEnv", "base_dir", "code_dir", "model_dir", "output_data_dir"]

base_dir = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
code_dir = os.path.join(base_dir, "code")  # noqa: PTH118  scripts expect text
model_dir = os.environ.get("SM_MODEL_DIR") or os.path.join(base_dir, "model")  # noqa: PTH118
output_data_dir = os.path.join(base_dir, "output", "data")  # noqa: PTH118
