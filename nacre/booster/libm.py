"""The C library's single-precision exp and log, one value at a time.

XGBoost calls ``expf`` and ``logf`` of the same C library, so these give its bits. numpy's float32 exp is a vector
routine of its own and differs in the last bit on several per cent of values; ``math.exp`` rounded to float32 differs
rarely, but does. Where no C library can be opened by name the rounded double is used (within one unit in the last
place of float32).
"""

from __future__ import annotations

import ctypes
import math
import struct
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

_pack = struct.Struct("f").pack
_unpack = struct.Struct("f").unpack

NAMES = ("libm.so.6", "libSystem.B.dylib", None)
"""glibc, macOS, and whatever the process itself is linked with (musl keeps libm in libc)."""


def f32(value: float) -> float:
    """A double rounded to the nearest float32 as C casts it: what is beyond the range becomes an infinity."""
    rounded: float = _unpack(_pack(value))[0]
    return rounded


def _from_c(name: str) -> Callable[[float], float] | None:
    for library in NAMES:
        try:
            function: Any = getattr(ctypes.CDLL(library), name)
        except (OSError, AttributeError, TypeError):
            continue
        function.restype, function.argtypes = ctypes.c_float, (ctypes.c_float,)
        return cast("Callable[[float], float]", function)
    return None


def rounded_exp(value: float) -> float:
    """exp of the double, rounded to float32."""
    try:
        return f32(math.exp(value))
    except OverflowError:
        return math.inf


def _rounded_log(value: float) -> float:
    if value == 0:
        return -math.inf
    return f32(math.log(value)) if value > 0 else math.nan


expf: Callable[[float], float] = _from_c("expf") or rounded_exp
logf: Callable[[float], float] = _from_c("logf") or _rounded_log
EXACT = expf is not rounded_exp
"""Whether scores behind exp are bit-equal to the library's here."""
