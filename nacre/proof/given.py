"""Values of a proof as JSON holds them, to values of their columns' types.

A note may hold anything: what is no value of its column is a ValueError, KeyError or TypeError, which the reader of the
note turns into its own error.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from nacre.plan.types import BITS, INTEGERS, Type

WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def given(value: Any, kind: Type) -> Any:
    """A value of a column of this type, None staying None."""
    if value is None:
        return None
    if kind.shape == "vector":
        return _vector(value, kind.size)
    if kind.shape == "vectors":
        return [_vector(each, None) for each in _of(value, list)]
    if kind.shape == "list":
        return [None if each is None else _scalar(each, kind.base) for each in _of(value, list)]
    if kind.shape == "map":
        pairs = _of(value, dict).items()
        return {key: None if each is None else _scalar(each, kind.base) for key, each in pairs}
    return _scalar(value, kind.base)


def _of(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{value!r:.80} where a {kind.__name__} is needed")
    return value


def _scalar(value: Any, base: str) -> Any:
    if base in ("double", "float"):
        if isinstance(value, str):
            return WORDS[value]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{value!r:.80} where a number is needed")
        try:
            return float(value)
        except OverflowError:
            raise ValueError("a number beyond a double") from None
    if base in INTEGERS:
        if not -(1 << BITS[base] - 1) <= _of(value, int) < 1 << BITS[base] - 1:
            raise ValueError(f"{value!r:.80} is no {base}")
        return value
    return _of(value, bool if base == "boolean" else str)


def _vector(value: Any, size: int | None) -> Any:
    """A dense vector as a list, a sparse one as {"size", "indices", "values"}."""
    if isinstance(value, list):
        if size is not None and len(value) != size:
            raise ValueError(f"a vector of {len(value)} entries where {size} are needed")
        return [_scalar(each, "double") for each in value]
    own, indices, values = (_of(value, dict)[key] for key in ("size", "indices", "values"))
    numbers = [_scalar(each, "double") for each in _of(values, list)]
    rising = [-1, *(_of(each, int) for each in _of(indices, list)), _of(own, int)]
    if (size is not None and own != size) or len(numbers) != len(indices) or own >= 1 << 31:
        raise ValueError(f"a sparse vector of another size: {value!r:.80}")
    if any(a >= b for a, b in pairwise(rising)) and (own or indices):
        raise ValueError(f"indices that do not ascend: {value!r:.80}")
    return {"size": own, "indices": indices, "values": numbers}
