"""Which trees of a forest run as bit slices, and which are followed down, for many rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nacre.plan.bitslices import Group, Test, tests_of
from nacre.plan.descent import Descent

if TYPE_CHECKING:
    from nacre.plan.forest import TreePlan

DEEPEST = 12
"""Depth up to which a tree may run as bit slices: its table has 2**depth entries."""
TESTS = 2048
"""Tests whose bits are kept at a time: a forest with more is run in groups of trees."""
TREE_COST, SPLIT_COST, TEST_COST = 90.0, 1.6, 5.0
"""Of bit slices for 20,000 rows, in microseconds, measured: each tree, each split, each test."""
DESCENT_COST, LEVEL_COST = 400.0, 180.0
"""The same of following rows down: each tree, and each of its levels."""


def ways(plans: Sequence[TreePlan]) -> list[Group | Descent]:
    """The trees in order, neighbours that are run in the same way together."""
    return [part for small, some in itertools.groupby(plans, _small) for part in (_groups if small else _down)(some)]


def _small(plan: TreePlan) -> bool:
    """Whether bit slices are the faster way if all tests are shared with other trees."""
    return plan.depth <= DEEPEST and _slices(plan) <= _descent(plan)


def _slices(plan: TreePlan) -> float:
    return TREE_COST + SPLIT_COST * (len(plan.tree) // 2)


def _descent(plan: TreePlan) -> float:
    return DESCENT_COST + LEVEL_COST * plan.depth


def _down(plans: Iterator[TreePlan]) -> list[Group | Descent]:
    return [Descent(list(plans))]


def _groups(plans: Iterator[TreePlan]) -> list[Group | Descent]:
    """Trees are added to a group as long as there are no more than TESTS tests in it."""
    made, some, seen = list[Group | Descent](), list["TreePlan"](), set[Test]()
    for plan in plans:
        own = {test for test in tests_of(plan) if test}
        if some and len(seen | own) > TESTS:
            made.append(_faster(some, len(seen)))
            some, seen = [], set()
        some.append(plan)
        seen |= own
    return [*made, _faster(some, len(seen))]


def _faster(plans: Sequence[TreePlan], tests: int) -> Group | Descent:
    slices = sum(map(_slices, plans)) + TEST_COST * tests
    return Group(plans) if slices <= sum(map(_descent, plans)) else Descent(plans)
