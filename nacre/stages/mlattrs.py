"""ML attributes: what Spark's column metadata (``ml_attr``) says of an index or of each entry of a vector.

An export needs three facts of them: the labels of an index (IndexToString), the names of a vector's entries
(VectorSlicer) and the number of levels of each (Interaction). Spark puts them on the columns that it transforms; a
saved model alone lacks them, so the stages that make such columns give the same (`Stage.ml_attrs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nacre.errors import UnsupportedError

if TYPE_CHECKING:
    from nacre.spark.saved import Saved

KINDS = ("numeric", "nominal", "binary")
Attrs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One attribute: of a scalar column, or of one entry of a vector. `count` is the number of levels where known."""

    kind: str = "numeric"
    name: str | None = None
    values: tuple[str, ...] | None = None
    count: int | None = None

    @property
    def levels(self) -> int | None:
        """How many levels Interaction makes of it: 1 for a number; None for a nominal one of unknown levels."""
        if self.kind != "nominal":
            return 1
        known = self.count if self.values is None else len(self.values)
        return None if known is None else max(known, 1)

    def named(self, name: str) -> Entry:
        return replace(self, name=name)

    def json(self) -> dict[str, Any]:
        told = {"name": self.name, "vals": None if self.values is None else list(self.values), "num_vals": self.count}
        return {key: value for key, value in told.items() if value is not None}


def _entry(kind: str, told: Attrs) -> Entry:
    values = told.get("vals")
    return Entry(kind, told.get("name"), None if values is None else tuple(map(str, values)), told.get("num_vals"))


def scalar(attrs: Attrs | None) -> Entry | None:
    """The attribute of a scalar column; None where nothing is told."""
    return None if not attrs or "attrs" in attrs else _entry(str(attrs.get("type", "numeric")), attrs)


def scalar_json(entry: Entry) -> Attrs:
    return {**entry.json(), "type": entry.kind}


def entries(attrs: Attrs | None) -> list[Entry] | None:
    """The attributes of a vector's entries, by index; None where none are told."""
    groups = (attrs or {}).get("attrs")
    if not isinstance(groups, Mapping):
        return None
    found = {each["idx"]: _entry(kind, each) for kind in KINDS for each in groups.get(kind, [])}
    size = (attrs or {}).get("num_attrs", len(found))
    return [found.get(index, Entry()) for index in range(size)]


def entries_json(known: Sequence[Entry]) -> Attrs:
    groups = {
        kind: [{**each.json(), "idx": index} for index, each in enumerate(known) if each.kind == kind] for kind in KINDS
    }
    return {"num_attrs": len(known), "attrs": {kind: group for kind, group in groups.items() if group}}


def picked(attrs: Attrs | None, indices: Sequence[int]) -> Attrs | None:
    """The attributes of some entries of a vector."""
    known = entries(attrs)
    return None if known is None else entries_json([known[index] for index in indices])


def assembled(columns: Sequence[str], sizes: Sequence[int | None], attrs: Sequence[Attrs | None]) -> Attrs:
    """What VectorAssembler says of its output: scalars keep their column's name, entries of a vector get it in front.

    Args:
        columns: names of the inputs.
        sizes: None for a scalar, the number of entries of a vector.
        attrs: what is known of each.
    """
    out: list[Entry] = []
    for column, size, told in zip(columns, sizes, attrs, strict=True):
        if size is None:
            out.append((scalar(told) or Entry()).named(column))
            continue
        known = entries(told) or [Entry()] * size
        out += [each.named(f"{column}_{index if each.name is None else each.name}") for index, each in enumerate(known)]
    return entries_json(out)


def encoded(column: str, told: Attrs | None, vector: bool) -> list[Entry]:
    """The entries that Interaction makes of one input: a level each of an index, a number as it is."""
    known = entries(told) if vector else [(scalar(told) or Entry()).named(column)]
    out: list[Entry] = []
    for index, each in enumerate(known or []):
        name = str(index) if each.name is None else each.name
        name = f"{column}_{name}" if vector else name
        if each.kind == "nominal":
            levels = each.values if each.values is not None else tuple(map(str, range(each.levels or 0)))
            out += [Entry("binary", f"{name}_{level}") for level in levels]
        else:
            out.append(Entry("numeric", name))
    return out


def interacted(columns: Sequence[str], vectors: Sequence[bool], attrs: Sequence[Attrs | None]) -> Attrs:
    """What Interaction says of its output."""
    out: list[Entry] = []
    for column, vector, told in reversed(list(zip(columns, vectors, attrs, strict=True))):
        heads = encoded(column, told, vector)
        out = [Entry("numeric", f"{head.name}:{tail.name}") for head in heads for tail in out] if out else heads
    return entries_json(out)


def _column(saved: Saved) -> str:
    return str(saved.param("inputCol", None) or saved.param("featuresCol"))


def size_of_input(saved: Saved) -> int:
    """The number of entries of the input column, which the saved stage does not tell."""
    column = _column(saved)
    size = saved.type_of(column).size
    if size is None:
        raise UnsupportedError(
            "a vector of unknown size", expected="a schema or a sample that tells it", got=column, node=saved.uid,
            field=column,
        )  # fmt: skip
    return size


def named_indices(saved: Saved) -> list[int]:
    """The indices of the entries that VectorSlicer's `names` ask for."""
    names, column = saved.param("names", []), _column(saved)
    if not names:
        return []
    known = entries(saved.attrs.get(column))
    places = {entry.name: index for index, entry in enumerate(known or []) if entry.name is not None}
    missing = [name for name in names if name not in places]
    if missing:
        raise UnsupportedError(
            "a name that no entry has", expected=f"one of {', '.join(map(str, places)) or 'no names at all'}",
            got=missing[0], node=saved.uid, field=column, fix="Give a sample that carries names, or use indices",
        )  # fmt: skip
    return [places[name] for name in names]
