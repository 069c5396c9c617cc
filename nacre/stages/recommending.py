"""Users and items to a rating: als."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.booster.libm import NAMES, f32
from nacre.plan.frame import Bools, Column, Result, Scalars
from nacre.plan.rowcode import Ref, RowCode, ScalarRef
from nacre.plan.types import Type
from nacre.stages.base import REQUIRED, Attr, Port, Stage, param, stage

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.bundle.values import Tensor
    from nacre.spark.saved import Saved

ID = Type("int")
RATING = Type("float")
INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1
EXPECTED = "an integer of 32 bits"


@stage
class Als(Stage):
    """The dot product of a user's and an item's factors in float32, summed in order; NaN for an id nobody fitted.

    Spark rounds each product before it adds, MLeap's JVM adds by fused multiply-add. Spark's result also has the ids
    themselves as 32-bit integers, in place.
    """

    op = "als"
    since = "0.9.6"
    spark_classes = ("org.apache.spark.ml.recommendation.ALSModel",)
    attributes = (
        Attr("rank", "int", REQUIRED, "number of factors", spark=lambda saved: saved.extra("rank")),
        Attr("users", "list<int>", REQUIRED, "ids of the users"),
        Attr("user_factors", "list<tensor<float>>", REQUIRED, "factors of each user"),
        Attr("items", "list<int>", REQUIRED, "ids of the items"),
        Attr("item_factors", "list<tensor<float>>", REQUIRED, "factors of each item"),
        Attr(
            "nacre.cold_start_strategy", "string", "nan", "what an unknown id does: nan keeps the row, drop drops it",
            choices=("nan", "drop"), spark=param("coldStartStrategy"),
        ),
        Attr(
            "nacre.cast_ids", "boolean", False, "whether the ids come in another type than int, which they get here",
            ignored="they stay as they came",
        ),
    )  # fmt: skip
    inputs = (Port("user", ID, "userCol"), Port("item", ID, "itemCol"))
    outputs = (Port("prediction", RATING, "predictionCol"),)

    rank: int
    users: list[int]
    user_factors: list[Tensor]
    items: list[int]
    item_factors: list[Tensor]
    cold_start_strategy: str
    cast_ids: bool

    def prepare(self) -> None:
        self.casts = self.cast_ids and not self.context.mleap
        if self.casts:  # before the rating, which is the model's output
            self.recast = frozenset(self.input_names)
            self.output_ports = [*(port.name for port in self.inputs), *self.output_ports]
            self.output_names = [*self.input_names, *self.output_names]
        self.of_user = self._table("users", self.users, self.user_factors)
        self.of_item = self._table("items", self.items, self.item_factors)

    def _table(self, name: str, ids: list[int], factors: list[Tensor]) -> dict[int, tuple[float, ...]]:
        if len(ids) != len(factors):
            raise self.bad("ids and factors do not match", name, f"{len(ids)} factors", len(factors))
        wrong = next((each for each in factors if len(each.values) != self.rank), None)
        if wrong is not None:
            raise self.bad("factors of another rank", name, f"{self.rank} factors", len(wrong.values))
        return {key: tuple(map(f32, each.values)) for key, each in zip(ids, factors, strict=True)}

    @property
    def drops(self) -> bool:
        return self.cold_start_strategy == "drop" and not self.context.mleap

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given in zip(self.input_names, inputs, strict=True):
            if not given.numeric or given.base == "boolean":
                raise self.refuse(name, "a number", given)
        return [ID, ID, RATING] if self.casts else [RATING]

    # Columns

    def columns(self, inputs: Sequence[Column]) -> Result:
        tables = (self.of_user, self.of_item)
        result, bad = Result([]), np.zeros(len(inputs[0]), bool)
        factors, known = [], []
        for name, column, table in zip(self.input_names, inputs, tables, strict=True):
            assert isinstance(column, Scalars)
            bad |= self._judge(result, name, column)
            each, found = _looked_up(column, table, self.rank)
            factors.append(each)
            known.append(found)
        with np.errstate(all="ignore"):
            ratings = self._ratings(*factors)
        ratings[~(known[0] & known[1])] = np.nan
        result.outputs = [*(_ids(column, bad) for column in inputs if self.casts), Scalars(ratings)]
        if self.drops:
            result.drop(np.isnan(ratings) & ~bad)
        return result

    def _ratings(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Ratings from factors of shape (rank, rows)."""
        if self.context.mleap:
            pairs = zip(users.T.tolist(), items.T.tolist(), strict=True)
            return np.array([fused(user, item) for user, item in pairs], np.float32).reshape(-1)
        total = np.zeros(users.shape[1], np.float32)
        for user, item in zip(users, items, strict=True):
            total += user * item
        return total

    def _judge(self, result: Result, name: str, column: Scalars) -> Bools:
        """Refuse what is no id, and say where."""
        values = column.values
        bad = np.zeros(len(values), bool)
        if values.dtype.kind == "f":
            with np.errstate(all="ignore"):
                bad = ~((values == np.trunc(values)) & (values >= INT_MIN) & (values <= INT_MAX))
        elif values.dtype.itemsize == 8:
            bad = (values < INT_MIN) | (values > INT_MAX)
        if column.null is not None:
            bad = bad | column.null
        null = column.null

        def got(row: int) -> Any:
            return None if null is not None and null[row] else values[row].item()

        result.fail(bad, name, _invalid(name), expected=EXPECTED, got=got)
        return bad

    # One row

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        found = [
            self._factors(code, name, ref, table)
            for name, ref, table in zip(self.input_names, inputs, (self.of_user, self.of_item), strict=True)
        ]
        product = code.const(fused if self.context.mleap else rounded)
        test = " or ".join(f"{each} is None" for each in found)
        rating = code.let(f"{code.number(math.nan)} if {test} else {product}({found[0]}, {found[1]})", "y")
        if self.drops:
            with code.block(f"if {rating} != {rating}"):
                code.drop()
        ids = [ScalarRef(code.let(f"int({ref.expression})", "i"), base="int") for ref in inputs if self.casts]
        return [*ids, ScalarRef(rating, base="float")]

    def _factors(self, code: RowCode, name: str, ref: Ref, table: dict[int, tuple[float, ...]]) -> str:
        assert isinstance(ref, ScalarRef)
        tests = [f"{ref.name} is None"] if ref.nullable else []
        if ref.base in ("double", "float"):
            tests.append(f"not {INT_MIN} <= {ref.name} <= {INT_MAX} or {ref.name} % 1.0")
        elif ref.base == "long":
            tests.append(f"not {INT_MIN} <= {ref.name} <= {INT_MAX}")
        if tests:
            with code.block(f"if {' or '.join(tests)}"):
                code.fail(name, _invalid(name), EXPECTED, ref.name)
        return code.let(f"{code.const(table)}.get({ref.name})", "f")

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        values = saved.attributes(cls)
        if any(saved.type_of(name, ID) != ID for _, name in saved.ports(cls.inputs)):
            values["nacre.cast_ids"] = True
        for kind in ("user", "item"):
            rows = sorted(saved.rows(f"{kind}Factors"), key=lambda row: row["id"])
            values |= {f"{kind}s": [row["id"] for row in rows], f"{kind}_factors": [row["features"] for row in rows]}
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


def _invalid(name: str) -> str:
    return f"ALS only supports non-Null values in Integer range and without fractional part for column {name}"


def _ids(column: Column, bad: Bools) -> Scalars:
    """Ids as 32-bit integers; arbitrary where they are none."""
    assert isinstance(column, Scalars)
    return Scalars(np.where(bad, 0, column.values).astype(np.int32))


def _looked_up(column: Scalars, table: dict[int, tuple[float, ...]], rank: int) -> tuple[np.ndarray, Bools]:
    """(factors of each row's id, shape (rank, rows); which rows have any)."""
    ids = np.array(sorted(table), np.int64)
    factors = np.array([table[key] for key in ids.tolist()], np.float32).reshape(len(ids), rank)
    with np.errstate(all="ignore"):
        values = np.where(np.isfinite(column.values), column.values, INT_MIN - 1).astype(np.int64)
    at = np.searchsorted(ids, values).clip(0, max(len(ids) - 1, 0))
    known = ids[at] == values if len(ids) else np.zeros(len(values), bool)
    if column.null is not None:
        known &= ~column.null
    found = factors[at].T if len(ids) else np.zeros((rank, len(values)), np.float32)
    return found, known


def rounded(user: Sequence[float], item: Sequence[float]) -> float:
    """Dot product in float32, each product and each sum rounded."""
    total = 0.0
    for x, y in zip(user, item, strict=True):
        total = f32(total + f32(x * y))
    return total


def _fmaf() -> Callable[[float, float, float], float]:
    for name in NAMES:
        try:
            function = ctypes.CDLL(name).fmaf
        except (OSError, AttributeError, TypeError):
            continue
        function.restype, function.argtypes = ctypes.c_float, (ctypes.c_float,) * 3
        return function
    return lambda x, y, z: f32(x * y + z)  # the product is exact in double; the sum rounds twice


fma = _fmaf()


def fused(user: Sequence[float], item: Sequence[float]) -> float:
    """Dot product in float32 by fused multiply-add."""
    total = 0.0
    for x, y in zip(user, item, strict=True):
        total = fma(x, y, total)
    return total
