"""Nodes of the linear models."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nacre.bundle.values import Tensor
from nacre.plan.types import vector
from nacre.stages import REGISTRY
from tests.plans.base import Draw, Drawn, doubles, finite, tensors

weights = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -0.5]), finite)
probabilities = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1)).map(lambda x: x + 0.0)


def some_ports(draw: Draw, op: str, needs: tuple[str, ...] = ("prediction",)) -> list[tuple[str, str]]:
    """Output ports of `op`: those it needs and any of the others, each to a column of its name."""
    return [
        (port.name, f"out_{port.name}") for port in REGISTRY[op].outputs if port.name in needs or draw(st.booleans())
    ]


def made(draw: Draw, op: str, values: dict[str, Any], size: int, needs: tuple[str, ...] = ("prediction",)) -> Drawn:
    outputs = some_ports(draw, op, needs)
    node = REGISTRY[op].make(op, values, [("features", "v")], outputs)
    return [node], {"v": vector(size)}


def number(draw: Draw, wild: bool) -> float:
    return draw(doubles if wild else finite)  # type: ignore[no-any-return]


def coefficients(draw: Draw, size: int, wild: bool) -> Tensor:
    return draw(tensors(size, st.one_of(weights, doubles) if wild else weights))  # type: ignore[no-any-return]


def matrix(draw: Draw, rows: int, columns: int, wild: bool) -> Tensor:
    return Tensor(coefficients(draw, rows * columns, wild).values, (rows, columns))


def sizes() -> st.SearchStrategy[int]:
    return st.one_of(st.integers(1, 5), st.just(20))


def thresholds(draw: Draw, count: int) -> list[float] | None:
    limits = st.one_of(st.just(-0.0), probabilities)
    return draw(st.none() | st.lists(limits, min_size=count, max_size=count))  # type: ignore[no-any-return]


@st.composite
def linear_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(sizes())
    held = {"coefficients": coefficients(draw, size, wild), "intercept": number(draw, wild)}
    return made(draw, "linear_regression", held, size)


@st.composite
def linear_svc(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(sizes())
    held = {"coefficients": coefficients(draw, size, wild), "intercept": number(draw, wild), "num_classes": 2}
    return made(draw, "linear_svc", {**held, "threshold": number(draw, wild)}, size)


@st.composite
def support_vector_machine(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(sizes())
    held = {"coefficients": coefficients(draw, size, wild), "intercept": number(draw, wild), "num_classes": 2}
    return made(draw, "support_vector_machine", {**held, "thresholds": thresholds(draw, 2)}, size)


@st.composite
def logistic_regression(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size, classes = draw(sizes()), draw(st.integers(2, 4))
    held: dict[str, Any] = {"num_classes": classes}
    if classes > 2:
        held |= {
            "coefficient_matrix": matrix(draw, classes, size, wild),
            "intercept_vector": coefficients(draw, classes, wild),
            "thresholds": thresholds(draw, classes),
        }
    else:
        held |= {"coefficients": coefficients(draw, size, wild), "intercept": number(draw, wild)}
        held["threshold"] = draw(probabilities)
        if draw(st.booleans()):
            held |= {"nacre.matrix": matrix(draw, 2, size, wild), "nacre.intercepts": coefficients(draw, 2, wild)}
            held["nacre.family_thresholds"] = thresholds(draw, 2)
    return made(draw, "logistic_regression", held, size)


STRATEGIES = [linear_regression, linear_svc, support_vector_machine, logistic_regression]
