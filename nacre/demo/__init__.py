"""`nacre demo`: the whole product on Abalone, and the proof that its numbers are Spark's and XGBoost's own."""

from __future__ import annotations

from nacre.demo.command import main

__all__ = ["main"]
