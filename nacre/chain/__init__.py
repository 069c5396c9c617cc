"""A chain of containers: fused in this process, or over HTTP. Both give the same bytes, errors included."""

from __future__ import annotations

from nacre.chain.fused import FusedChain
from nacre.chain.http import HttpChain
from nacre.chain.rules import Limits, Observe

__all__ = ["FusedChain", "HttpChain", "Limits", "Observe"]
