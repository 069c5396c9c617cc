"""How far two values of a column are apart: numbers, texts, lists, maps and vectors, wide sparse ones kept sparse.

Here a value is what a row of a table holds; a vector is a tuple of all its numbers, or a `Sparse`. ``-0.0`` equals
``0.0``, as it does for whoever reads the numbers; the tests look at the bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nacre.plan.rowcode import Sparse
from nacre.plan.rowcode import dense as written_out

if TYPE_CHECKING:
    from nacre.plan.types import Type


def value_of(value: Any, given: Type) -> Any:
    """A value of a proof, of a table (vectors as Spark's struct, maps as pairs) or of a row, in the form to compare."""
    if value is None:
        return None
    if given.shape == "vector":
        return _vector(value)
    if given.shape == "vectors":
        return [None if each is None else _vector(each) for each in value]
    return dict(value) if given.shape == "map" else value


def _vector(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value if isinstance(value, Sparse) else tuple(value)
    if value.get("type") == 1:
        return tuple(value["values"])
    return Sparse(value["size"], tuple(value["indices"]), tuple(value["values"]))


def gap(ours: Any, theirs: Any) -> float:
    """The largest absolute difference of two values; infinite between values that have none."""
    if isinstance(ours, Sparse) and isinstance(theirs, Sparse):
        return _sparse_gap(ours, theirs)
    if isinstance(ours, Sparse) or isinstance(theirs, Sparse):  # the other is written out already
        return gap(all_numbers(ours), all_numbers(theirs))
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        return max(map(gap, ours, theirs), default=0.0) if len(ours) == len(theirs) else math.inf
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return (
            max((gap(ours[key], theirs[key]) for key in ours), default=0.0)
            if ours.keys() == theirs.keys()
            else math.inf
        )
    if isinstance(ours, float) and isinstance(theirs, (int, float)):
        if ours == theirs or (ours != ours and theirs != theirs):
            return 0.0
        return abs(ours - theirs) if math.isfinite(ours) and math.isfinite(theirs) else math.inf
    return 0.0 if ours == theirs else math.inf


def _sparse_gap(ours: Sparse, theirs: Sparse) -> float:
    if ours.size != theirs.size:
        return math.inf
    mine, other = (dict(zip(each.indices, each.values, strict=True)) for each in (ours, theirs))
    return max((gap(mine.get(at, 0.0), other.get(at, 0.0)) for at in mine.keys() | other.keys()), default=0.0)


def all_numbers(value: Any) -> Any:
    """A sparse vector with its zeros; any other value as it is."""
    return written_out(value.indices, value.values, value.size) if isinstance(value, Sparse) else value
