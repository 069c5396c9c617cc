"""The proof as it stands in a bundle: ``notes/nacre.proof.json``, which other readers of bundles ignore.

JSON, and not Parquet, because notes are texts, and a text can be read without trusting a decoder. Doubles are written
with as many digits as give the same bits back; what JSON has no number for is "NaN", "Infinity" or "-Infinity".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nacre.errors import BundleError, SchemaError
from nacre.plan.arrow import VECTOR_UDT
from nacre.plan.rowcode import dense as written_out
from nacre.plan.sparkschema import from_spark_json, to_spark_json
from nacre.plan.types import Type, vector
from nacre.proof.given import WORDS, given

if TYPE_CHECKING:
    import pyarrow as pa

NOTE = "nacre.proof.json"
VERSION = 1
SCORED, DROPPED, FAILED = "scored", "dropped", "failed"


@dataclass(frozen=True)
class ProofRow:
    """A row as it went into Spark, and what became of it.

    Args:
        inputs: the raw columns. A vector is a list, or {"size", "indices", "values"} when it is sparse.
        outcome: "scored", "dropped" or "failed".
        outputs: the columns that Spark made, of a scored row.
    """

    inputs: dict[str, Any]
    outcome: str
    outputs: dict[str, Any]


@dataclass(frozen=True)
class Proof:
    """Rows with Spark's answers. `types` are those of all columns, `spark` is the version that gave the answers."""

    types: dict[str, Type]
    rows: list[ProofRow]
    spark: str

    def encode(self) -> bytes:
        """The content of the note."""
        rows = [
            {"in": _out(row.inputs), "outcome": row.outcome, **({"out": _out(row.outputs)} if row.outputs else {})}
            for row in self.rows
        ]
        head = {"version": VERSION, "spark": self.spark, "schema": to_spark_json(self.types)}
        return json.dumps({**head, "rows": rows}, ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def decode(cls, content: bytes) -> Proof:
        """Read the note. Raises BundleError."""
        try:
            told = json.loads(content)
            if told["version"] != VERSION:
                raise BundleError("a proof of another version", expected=VERSION, got=told["version"], file=FILE)
            types = from_spark_json(told["schema"])
            rows = [
                ProofRow(_in(row["in"], types, raw=True), _word(row["outcome"]), _in(row.get("out", {}), types))
                for row in told["rows"]
            ]
            return cls(types, rows, str(told["spark"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SchemaError) as error:
            raise BundleError(
                "unreadable proof", expected="rows with Spark's answers", got=str(error), file=FILE
            ) from error


FILE = f"notes/{NOTE}"


def _word(word: Any) -> str:
    if word not in (SCORED, DROPPED, FAILED):
        raise ValueError(f"unknown outcome {word!r}")
    return str(word)


def _out(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in values.items()}


def plain(value: Any) -> Any:
    """A value as JSON holds it: numbers that JSON has not are words."""
    if isinstance(value, float) and not math.isfinite(value):
        return next(word for word, number in WORDS.items() if number == value or value != value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _in(values: Mapping[str, Any], types: Mapping[str, Type], raw: bool = False) -> dict[str, Any]:
    """Values of columns. A raw vector may be of any size, for Spark may have refused or dropped it."""
    kinds = {name: replace(kind, size=None) for name, kind in types.items()} if raw else types
    return {name: given(value, kinds[name]) for name, value in values.items()}


def plain_value(value: Any) -> Any:
    """A value of a PySpark row as a proof keeps it: vectors as lists, sparse ones as dicts."""
    if hasattr(value, "toArray"):
        if not hasattr(value, "indices"):
            return value.toArray().tolist()
        return {"size": int(value.size), "indices": value.indices.tolist(), "values": value.values.tolist()}
    if isinstance(value, list):
        return [plain_value(each) for each in value]
    return float(value) if type(value).__name__ == "Decimal" else value


def dense(value: Any, given: Type) -> Any:
    """A value as `Model.row` gives it by default: vectors as tuples."""
    if value is None or given.shape not in ("vector", "vectors"):
        return value
    if given.shape == "vectors":
        return [dense(each, vector()) for each in value]
    return tuple(value) if isinstance(value, list) else written_out(value["indices"], value["values"], value["size"])


class StoredVector:
    """A sparse vector as `Model.row` takes it: it tells which entries are stored, as PySpark's own does."""

    def __init__(self, size: int, indices: list[int], values: list[float]):
        self.size, self.indices, self.values = size, indices, values

    def toArray(self) -> Sequence[float]:  # noqa: N802 - as PySpark calls it
        return written_out(self.indices, self.values, self.size)


def given_value(value: Any, given: Type) -> Any:
    """A value of a proof as `Model.row` takes it."""
    sparse = given.shape == "vector" and isinstance(value, dict)
    return StoredVector(value["size"], value["indices"], value["values"]) if sparse else dense(value, given)


def array(values: list[Any], given: Type) -> pa.Array:
    """Values of one column as Arrow, sparse vectors sparse."""
    import pyarrow as pa

    if given.shape == "vector":
        return pa.array([None if value is None else _udt(value) for value in values], VECTOR_UDT)
    if given.shape == "map":
        return pa.array([None if value is None else list(value.items()) for value in values], given.arrow())
    return pa.array([dense(value, given) for value in values], given.arrow())


def _udt(value: Any) -> dict[str, Any]:
    return {"type": 1, "values": value} if isinstance(value, list) else {"type": 0, **value}
