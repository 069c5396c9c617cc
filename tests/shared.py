"""Real data that does not come with the project: a folder beside the checkout, or the one NACRE_SHARED names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NO_DATA = "set NACRE_SHARED to a folder that has it"
"""Ends the reason of a skip for want of data, which no tool on the machine can cure."""

CHECKOUT = Path(__file__).resolve().parents[1]
OURS = {key: value for key, value in os.environ.items() if not key.startswith(("SAGEMAKER_", "SM_", "NACRE_"))} | {
    "PYTHONPATH": str(CHECKOUT)
}
"""The environment of child processes."""


def shared_folder() -> Path:
    return Path(os.environ.get("NACRE_SHARED") or CHECKOUT.parent / "shared")


def shared(*parts: str) -> Path:
    """A file or folder of the shared data; skips the test where it is absent."""
    found = shared_folder().joinpath(*parts)
    if not found.exists():
        pytest.skip(f"no {'/'.join(parts)} in {shared_folder()}: {NO_DATA}")
    return found


def abalone_csv() -> Path:
    """The UCI file: 4,177 rows, no header, sex and eight numbers."""
    return shared("data", "abalone.csv")
