"""Models over sparse columns: stored entries only, the same bits as over dense ones, wide ones without their zeros."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nacre.bundle.values import Tensor
from nacre.errors import RowError
from nacre.plan import linear
from nacre.plan.frame import Csr, Scalars, Vectors
from nacre.plan.rowcode import RowCode, SparseRef
from nacre.stages import REGISTRY, Context, Stage
from tests.bundles import bits

SIZE = 6
WIDE = 1 << 18
RANDOM = np.random.default_rng(1)


def numbers(*shape: int) -> np.ndarray:
    found: np.ndarray = RANDOM.normal(size=shape)
    return found


def flat(values: np.ndarray) -> Tensor:
    return Tensor(values.ravel(order="F").tolist(), values.shape)


def models(size: int, odd: float | None = None) -> dict[str, Stage]:
    """One stage of each op; `odd` stands for one coefficient."""
    w, several = numbers(size), numbers(3, size)
    if odd is not None:
        w[1] = several[0, 1] = odd
    logs = -np.abs(several)
    sizes = {"num_features": size, "num_classes": 3, "pi": [-1.0, -2.0, -0.5]}
    classes = {"num_classes": 3, "coefficient_matrix": flat(several), "intercept_vector": [0.1, 0.2, 0.3]}
    two = {"num_classes": 2, "coefficients": w, "intercept": 0.3}
    known: dict[str, tuple[str, dict[str, Any]]] = {
        "sum": ("linear_regression", {"coefficients": w, "intercept": 0.3}),
        "two": ("logistic_regression", two),
        "several": ("logistic_regression", classes),
        "svc": ("linear_svc", {**two, "threshold": 0.5}),
        "poisson": ("generalized_linear_regression", {"coefficients": w, "intercept": 0.3, "family": "poisson"}),
        "factors": ("nacre.fm_classifier", {"intercept": 0.1, "linear": w, "factors": flat(several.T)}),
        "isotonic": ("isotonic_regression", {"boundaries": [0.0, 1.0], "predictions": [2.0, 3.0], "isotonic": True, "feature_index": 2}),
        **{kind: ("naive_bayes", {**sizes, "theta": flat(logs), "model_type": kind}) for kind in ("multinomial", "complement", "bernoulli")},
        "layers": ("multi_layer_perceptron_classifier", {"layers": [size, 3], "weights": [*flat(several).values, 0.1, 0.2, 0.3]}),
    }  # fmt: skip
    return {name: built(op, values) for name, (op, values) in known.items()}


def built(op: str, values: dict[str, Any]) -> Stage:
    cls = REGISTRY[op]
    outputs = [(port.name, port.name) for port in cls.outputs]
    return cls(cls.make(op, values, [("features", "v")], outputs), Context())


def rows(size: int, flags: bool) -> list[dict[int, float]]:
    """Stored entries by index: none, a stored zero, the last one, several."""
    if flags:
        return [{}, {0: 1.0}, {1: 0.0, size - 1: 1.0}, {0: 1.0, 2: 1.0, 3: 1.0}, {1: 0.5}]
    return [
        {},
        {0: 1.5},
        {1: 0.0, size - 1: 2.0},
        {0: 0.1, 2: 0.2, 3: 0.3, 5: 1e9},
        {1: math.nan},
        {2: 0.7, 4: math.inf},
    ]


def csr(entries: list[dict[int, float]], size: int) -> Csr:
    indptr = np.cumsum([0, *map(len, entries)])
    indices = np.array([i for row in entries for i in row], np.int32)
    return Csr(indptr, indices, np.array([x for row in entries for x in row.values()], np.float64), size)


def by_columns(stage: Stage, column: Vectors) -> list[Any]:
    """What becomes of each row: its outputs, or why it fails."""
    result = stage.columns([column])
    failed = {int(row): (each.message, bits(each.got(int(row)))) for each in result.failed for row in each.rows}
    outputs = [each.matrix.T.tolist() if isinstance(each, Vectors) else each.values.tolist() for each in result.outputs if isinstance(each, (Vectors, Scalars))]  # fmt: skip
    return [failed.get(n) or bits([values[n] for values in outputs]) for n in range(len(column))]


def by_row(stage: Stage, entries: list[dict[int, float]], size: int) -> list[Any]:
    code = RowCode()
    refs = stage.row(code, [SparseRef("i", "x", size)])
    code.line(f"return [{', '.join(ref.expression for ref in refs)}]")
    function = code.function("row", "i, x")
    assert len(function.__source__) < 5000  # type: ignore[attr-defined]
    found = []
    for row in entries:
        try:
            found.append(bits(function(tuple(row), tuple(row.values()))))
        except RowError as error:
            found.append((error.message, bits(error.got)))
    return found


@pytest.mark.parametrize("name", models(SIZE))
@pytest.mark.parametrize("odd", [None, math.nan, math.inf, -0.0])
def test_sparse_as_dense(name: str, odd: float | None) -> None:
    stage, entries = models(SIZE, odd)[name], rows(SIZE, name == "bernoulli")
    sparse = csr(entries, SIZE)
    found = by_columns(stage, sparse)
    assert found == by_row(stage, entries, SIZE)
    if name != "factors" or odd in (None, -0.0):  # a factor counts where its entry is not zero, sparse or dense
        assert found == by_columns(stage, Vectors(sparse.matrix))


@pytest.mark.parametrize("name", ["sum", "two", "several", "svc", "poisson", "multinomial", "factors"])
def test_wide(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never dense: the column's zeros are not made, the source names no entry."""
    monkeypatch.setattr(Csr, "matrix", property(lambda self: pytest.fail("made dense")))
    stage, entries = models(WIDE)[name], rows(WIDE, flags=False)
    assert by_columns(stage, csr(entries, WIDE)) == by_row(stage, entries, WIDE)


def test_many_rows_as_few() -> None:
    """Sums of a few rows at once and of many feature by feature are the same."""
    matrix = numbers(SIZE, linear.FEW * 3)
    sums = linear.Sums(numbers(2, SIZE), [0.1, 0.2])
    one = sums.columns(Vectors(matrix))
    few = [sums.columns(Vectors(matrix[:, n : n + 3])) for n in range(0, matrix.shape[1], 3)]
    assert bits(one.tolist()) == bits(np.concatenate(few, axis=1).tolist())
