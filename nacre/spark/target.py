"""Bundles for another reader than Nacre: `--for mleap-0.20`, the runtime in AWS's image.

What that version cannot load, and what it scores otherwise, stands with each op: `Stage.unfit`, `Stage.ignored`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nacre.errors import SetupError
from nacre.spark.problems import Problem

if TYPE_CHECKING:
    from nacre.stages import Stage

MLEAP_020 = "mleap-0.20"
TARGETS = (MLEAP_020,)


def check_target(target: str | None) -> None:
    """Refuse a target that is none."""
    if target is not None and target not in TARGETS:
        raise SetupError("unknown target", expected=" or ".join(TARGETS), got=target)


def unfit(stages: Sequence[Stage], origins: Mapping[str, tuple[str, str]], form: str) -> list[Problem]:
    """Why MLeap 0.20 cannot load a bundle of these stages in a format.

    Args:
        stages: in execution order.
        origins: node name -> (uid, class) of the Spark stage it was made of.
        form: "json" or "protobuf".
    """
    found, known = [], set[str]()
    for outer in stages:
        uid, spark_class = origins.get(outer.name, (outer.name, outer.op))
        known.update(outer.input_names)
        over = "MLeap cannot replace a column"
        found += [
            Problem(uid, spark_class, name, over, "Give it an output column of its own")
            for name in outer.output_names
            if name in known and name not in outer.recast
        ]
        known.update(outer.output_names)
        for stage in _with_members(outer):
            for field, got, fix in stage.unfit(form):
                shown = "nothing" if got is None else got
                reason = f"MLeap 0.20 cannot load {stage.op} with {field} {shown}"
                found.append(Problem(uid, spark_class, field, reason, fix.rstrip(".")))
    return found


def differences(stages: Sequence[Stage]) -> list[str]:
    """What MLeap 0.20 scores otherwise than Spark, one sentence for each stage and fact."""
    return list(dict.fromkeys(f"{stage.name} ({stage.op}): {told}" for stage in stages for told in stage.ignored()))


def warn(told: Sequence[str]) -> None:
    """Print on stderr what will differ, once."""
    if told:
        lines = ["nacre: MLeap 0.20 will score some of this otherwise than Spark:", *(f"  {each}" for each in told)]
        print("\n".join(lines), file=sys.stderr)


def _with_members(stage: Stage) -> Iterator[Stage]:
    """A stage and the models it is made of, such as the classifiers of one_vs_rest."""
    yield stage
    yield from getattr(stage, "models", ())
