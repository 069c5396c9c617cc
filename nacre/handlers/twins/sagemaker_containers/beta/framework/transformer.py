"""Samples import this module and use nothing of it."""

from __future__ import annotations

from nacre.handlers.script_twins import lacking

__getattr__ = lacking(__name__)
