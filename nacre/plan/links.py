"""Inverse link functions of generalized linear models, and what their families do to a mean: scalar, for both plans."""

from __future__ import annotations

import math
from collections.abc import Callable

from nacre.plan.maths import exp, power

Function = Callable[[float], float]
EPSILON = 1e-16
LARGEST = 1.7976931348623157e308
ROUGH = ("probit", "cloglog")
"""Links whose inverse is a difference from 1: near 0 only its absolute error is small."""


def _identity(eta: float) -> float:
    return eta


def _inverse(eta: float) -> float:
    return 1.0 / eta if eta else math.copysign(math.inf, eta)


def _logit(eta: float) -> float:
    return 1.0 / (1.0 + exp(-eta))


def _probit(eta: float) -> float:
    return 0.5 * (1.0 + math.erf(eta / math.sqrt(2.0)))


def _cloglog(eta: float) -> float:
    return 1.0 - exp(-exp(eta))


def _sqrt(eta: float) -> float:
    return eta * eta


UNLINK: dict[str, Function] = {
    "identity": _identity, "log": exp, "inverse": _inverse, "logit": _logit, "probit": _probit, "cloglog": _cloglog,
    "sqrt": _sqrt,
}  # fmt: skip


def power_unlink(link_power: float) -> Function:
    """The inverse of the link mu ** link_power; 0 stands for the logarithm."""
    named = {0.0: "log", 1.0: "identity", -1.0: "inverse", 0.5: "sqrt"}.get(link_power)
    if named:
        return UNLINK[named]
    exponent = 1.0 / link_power
    return lambda eta: power(eta, exponent)


def _bounded(mu: float) -> float:
    if mu < EPSILON:
        return EPSILON
    return 1.0 - EPSILON if mu > 1.0 - EPSILON else mu


def _finite(mu: float) -> float:
    if mu == math.inf:
        return LARGEST
    return -LARGEST if mu == -math.inf else mu


def _positive(mu: float) -> float:
    if mu < EPSILON:
        return EPSILON
    return LARGEST if mu == math.inf else mu


PROJECT: dict[str, Function] = {
    "gaussian": _finite, "binomial": _bounded, "poisson": _positive, "gamma": _positive, "tweedie": _positive,
}  # fmt: skip
DEFAULT_LINK = {"gaussian": "identity", "binomial": "logit", "poisson": "log", "gamma": "inverse"}


def fitted(family: str, unlink: Function) -> Function:
    """Linear predictor to mean, kept in the family's range."""
    project = PROJECT[family]
    return lambda eta: project(unlink(eta))
