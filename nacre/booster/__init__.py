"""Reads and scores XGBoost models without the xgboost library: its JSON and UBJSON, its float32 bits."""

from __future__ import annotations

from nacre.booster.booster import Booster, load

__all__ = ["Booster", "load"]
