"""What rules of the postprocess container look up: bands, the best of several, types of listed values."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from nacre.handlers.postprocess_config import refuse


def banded(edges: Sequence[float], labels: Sequence[Any]) -> Callable[[float | None], Any]:
    """A number -> the label of its band. NaN is larger than any edge, as in Spark; null has no band."""

    def band(x: float | None) -> Any:
        return None if x is None else labels[bisect_right(edges, x)]

    return band


def best_of(values: Sequence[float | None]) -> tuple[int, float] | None:
    """Place and value of the first largest; NaN is the largest, nulls are passed over, None if all are null."""
    found: tuple[int, float] | None = None
    for place, value in enumerate(values):
        if value is None:
            continue
        if found is None or value > found[1] or (value != value and found[1] == found[1]):
            found = place, value
    return found


def values_base(values: Sequence[Any], where: str) -> str:
    """The type that holds all of these values of the YAML; nulls aside."""
    known = [value for value in values if value is not None]
    kinds = {type(value) for value in known}
    if kinds == {str}:
        return "string"
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        if all(-(1 << 31) <= value < 1 << 31 for value in known):
            return "int"
        if all(-(1 << 63) <= value < 1 << 63 for value in known):
            return "long"
    if not kinds or not kinds <= {int, float}:
        refuse(where, "values of several types", "texts, numbers, or true and false", known[:5])
    return "double"
