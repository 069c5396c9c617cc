"""Every cast of a basic value to what a model wants, against MLeap's own Casting on the JVM."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nacre.formats.javatext import float32
from nacre.handlers.sparkml_values import BITS, basic_caster
from nacre.plan.types import BASES

if TYPE_CHECKING:
    from tests.oracle.mleap import Mleap

TYPES = "ml.combust.mleap.core.types"
NAMES = {base: base.capitalize() for base in BASES}
NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 1.9999999, -2.5, 127.0, 128.0, -129.0, 32768.0, 2147483647.0, 2147483648.0,
           -2147483649.0, 9.3e18, -9.3e18, 1e39, 1e300, 4.9e-324, 1e-3, 9999999.0, 1e7, 0.1, 16777217.0,
           math.nan, math.inf, -math.inf]  # fmt: skip
WHOLES = [0, 1, -1, 2, 127, 128, -129, 255, 256, 32767, 32768, 65536, 2147483647, 2147483648, -2147483649, 2**53 + 1,
          2**63 - 1, -(2**63)]  # fmt: skip
TEXTS = ["", "null", "true", "false", "yes", "no", "TRUE", "0", "1", "00", "0.0", "1.5", "-1", "+1", " 1", "1 ", "1d",
         "0x1p3", "NaN", "nan", "Infinity", "1e400", "1_0", "128", "2147483648", "9223372036854775808", "abc", "٣",
         "3.4028236e38", "1e-50", "16777217"]  # fmt: skip


class Casting:
    """MLeap's casts between scalars, by the names of their types."""

    def __init__(self, oracle: Mleap):
        self.oracle = oracle
        self.casting = oracle._object(f"{TYPES}.Casting$")

    def function(self, given: str, wanted: str) -> Any | None:
        """A Scala function; None for the same type."""
        found = self.casting.cast(self.scalar(given), self.scalar(wanted))
        return self.oracle._try(found.get()) if found.isDefined() else None

    def scalar(self, base: str) -> Any:
        return self.oracle._new(f"{TYPES}.ScalarType", self.oracle._object(f"{TYPES}.BasicType${NAMES[base]}$"), True)

    def of(self, value: Any, given: str, wanted: str) -> Any:
        """What the JVM makes of a value, through its own narrowing for the types that Python has not."""
        source = {bool: "boolean", int: "string", float: "double", str: "string"}[type(value)]
        steps = [self.function(source, given), self.function(given, wanted)]
        first, *rest = [step for step in steps if step is not None]
        for step in rest:
            first = first.andThen(step)
        return first.apply(str(value) if isinstance(value, int) and given not in ("boolean", "string") else value)


def values(base: str) -> list[Any]:
    if base == "boolean":
        return [True, False]
    if base == "string":
        return TEXTS
    if base in ("double", "float"):
        return NUMBERS
    return [value for value in WHOLES if -(1 << BITS[base] - 1) <= value < 1 << BITS[base] - 1]


def same(one: Any, other: Any, given: str, wanted: str) -> bool:
    if (given, wanted) == ("float", "string") and "E" in str(other):  # Java before 19 prints more digits of some
        return np.float32(one) == np.float32(other)
    if isinstance(one, str) and one.startswith("error"):
        return isinstance(other, str) and other.startswith("error")
    if wanted in ("float", "double") and isinstance(one, float) and isinstance(other, float):
        kind = np.float32 if wanted == "float" else np.float64
        with np.errstate(over="ignore"):
            return kind(one).tobytes() == kind(other).tobytes() or (one != one and other != other)
    return type(one) is type(other) and bool(one == other)


def attempt(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001  which one does not matter
        return f"error {type(error).__name__}"


@pytest.mark.oracle
@pytest.mark.parametrize("given", BASES)
def test_casts_are_mleap_s(oracle: Mleap, given: str) -> None:
    casting = Casting(oracle)
    different = []
    for wanted in BASES:
        if wanted == given:
            continue
        ours = basic_caster(given, wanted, mleap=True) or (lambda value: value)
        for value in values(given):
            read = float32(value) if given == "float" else value
            got, expected = attempt(ours, read), attempt(casting.of, value, given, wanted)
            if not same(got, expected, given, wanted):
                different.append((wanted, value, got, expected))
    assert different == []
