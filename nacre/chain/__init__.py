"""A chain of containers: fused in this process, over HTTP, or some of each. The bytes are the same, errors included."""

from __future__ import annotations

from nacre.chain.fused import FusedChain
from nacre.chain.http import HttpChain
from nacre.chain.mixed import MixedChain
from nacre.chain.rules import Limits, Observe

__all__ = ["FusedChain", "HttpChain", "Limits", "MixedChain", "Observe"]
