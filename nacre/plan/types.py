"""The type of a column: Spark's basic types, alone, as an ML vector, as an array or as a map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BASES = ("boolean", "byte", "short", "int", "long", "float", "double", "string")
INTEGERS = ("byte", "short", "int", "long")
BITS = {"byte": 8, "short": 16, "int": 32, "long": 64}
SHAPES = ("scalar", "vector", "list", "map", "vectors")


@dataclass(frozen=True, slots=True)
class Type:
    """`base` is one of BASES; `shape` one of SHAPES. `size` is a vector's number of entries, None if unknown.

    A map has texts for keys and `base` for values. "vectors" is a list of vectors of `size` entries each. Where
    `strays` is set, a vector of another size counts as a null, which a stage drops; elsewhere it is no such value.
    """

    base: str = "double"
    shape: str = "scalar"
    size: int | None = None
    strays: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        if self.shape == "scalar":
            return self.base
        if self.shape == "list":
            return f"list<{self.base}>"
        if self.shape == "map":
            return f"map<string, {self.base}>"
        vector = f"vector[{'?' if self.size is None else self.size}]"
        return vector if self.shape == "vector" else f"list<{vector}>"

    @property
    def numeric(self) -> bool:
        """A scalar that Spark calls numeric or boolean: it can be cast to double without being parsed."""
        return self.shape == "scalar" and self.base != "string"

    def arrow(self) -> pa.DataType:
        """The Arrow type of such a column; a vector is list<double>."""
        import pyarrow as pa

        scalar = {
            "boolean": pa.bool_(),
            "byte": pa.int8(),
            "short": pa.int16(),
            "int": pa.int32(),
            "long": pa.int64(),
            "float": pa.float32(),
            "double": pa.float64(),
            "string": pa.string(),
        }[self.base]
        if self.shape == "map":
            return pa.map_(pa.string(), scalar)
        if self.shape == "vectors":
            return pa.list_(pa.list_(scalar))
        return scalar if self.shape == "scalar" else pa.list_(scalar)


WIDEST = 1 << 24
"""Entries up to which a sparse vector is written out with its zeros: 128 MB a row then."""
DOUBLE = Type("double")
STRING = Type("string")
TOKENS = Type("string", "list")


def vector(size: int | None = None) -> Type:
    """An ML vector of doubles."""
    return Type("double", "vector", size)
