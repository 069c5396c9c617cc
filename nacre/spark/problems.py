"""The check before saving: every stage that cannot be written, all at once, with what is at fault and the way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacre.errors import NacreError, UnsupportedError

if TYPE_CHECKING:
    from nacre.spark.saved import Saved

REFUSED: dict[str, tuple[str, str]] = {
    "org.apache.spark.ml.fpm.FPGrowthModel": (
        "its rules are joined to a whole table, which is no function of one row", "Leave it out of the pipeline",
    ),
}  # fmt: skip
"""Spark class -> (why it has no form in a bundle, the way out)."""
UNKNOWN = "Leave it out of the pipeline and do its work before, or replace it by a stage that has an op"
BROKEN = (KeyError, IndexError, ValueError, TypeError, AttributeError, StopIteration)
"""What a saved stage of another layout than Spark's own makes of our reading."""


@dataclass(frozen=True)
class Problem:
    """One stage that cannot be written.

    Args:
        stage: its uid.
        spark_class: its class, in full.
        field: the param, attribute or column at fault, where there is one.
        reason: what is wrong, with expected and got where they help.
        fix: the way out, a sentence.
    """

    stage: str
    spark_class: str
    field: str | None
    reason: str
    fix: str

    def __str__(self) -> str:
        field = f", {self.field}" if self.field else ""
        return f"{self.stage} ({self.spark_class.rpartition('.')[2]}){field}: {self.reason}. {self.fix}."


def unknown(saved: Saved) -> Problem:
    """A stage of a class that nothing here writes."""
    named = saved.spark_class
    reason, fix = REFUSED.get(named, (f"no op stands for {named}", UNKNOWN))
    if saved.spark_class.endswith("SQLTransformer"):
        return Problem(saved.uid, named, "statement", reason, fix)
    return Problem(saved.uid, named, None, reason, fix)


def refused(saved: Saved, error: Exception) -> Problem:
    """A stage whose class is known and whose params or data are beyond it."""
    if not isinstance(error, NacreError):
        reason = f"its saved form is not the one Spark writes ({type(error).__name__}: {error})"
        return Problem(saved.uid, saved.spark_class, None, reason, "Save it again with the Spark that fitted it")
    where = error.where.get("field")
    parts = [error.message]
    if error.expected is not None:
        parts.append(f"expected {_shown(error.expected)}")
    if error.got is not None:
        parts.append(f"got {_shown(error.got)}")
    fix = (error.fix or "Set it otherwise, or leave the stage out of the pipeline").rstrip(".")
    return Problem(saved.uid, saved.spark_class, None if where is None else str(where), ", ".join(parts), fix)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else repr(value)
    return text if len(text) <= 120 else f"{text[:120]}…"


class UnwritableError(UnsupportedError):
    """Stages that cannot be written; `problems` has them one by one, the message lists all of them."""

    def __init__(self, problems: Sequence[Problem], file: str):
        count = f"{len(problems)} stages cannot" if len(problems) > 1 else "a stage cannot"
        lines = [f"{count} be written", *(f"  {n}. {problem}" for n, problem in enumerate(problems, 1))]
        super().__init__("\n".join(lines), file=file)
        self.problems = list(problems)
