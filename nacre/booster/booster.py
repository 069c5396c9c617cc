"""A loaded XGBoost model that scores rows and blocks of rows with the library's own float32 bits."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.booster import lanes, source, walks
from nacre.booster.contributions import contributions
from nacre.booster.forest import NO_TERM, Forest
from nacre.booster.objectives import OBJECTIVES, Score
from nacre.booster.reader import Model, read
from nacre.errors import ModelError, NacreError, RowError, SchemaError

SHAP_BLOCK = 256
"""Rows whose contributions are worked out at once: a term a leaf, feature and row is kept."""
FEW = 12
"""Blocks up to this many rows are scored row by row, which is faster there."""

Margins = Callable[[Sequence[float]], list[float]]
Rounding = Callable[[Sequence[float]], tuple[float, ...]]
Scoring = Callable[[tuple[float, ...]], Score]


def load(path_or_bytes: str | Path | bytes, env: Mapping[str, str] | None = None) -> Booster:
    """Read an XGBoost model: JSON or UBJSON, whatever the file is called.

    A pickle is refused unless `env` (default: the process's) has ``NACRE_ALLOW_PICKLE=true``. Raises ModelError, or
    UnsupportedError for what is well-formed but cannot be scored here, naming the file.
    """
    env = os.environ if env is None else env
    if isinstance(path_or_bytes, bytes):
        return Booster(read(path_or_bytes, env))
    try:
        return Booster(read(Path(path_or_bytes).read_bytes(), env))
    except OSError as error:
        raise ModelError("the model cannot be read", got=error.strerror, file=str(path_or_bytes)) from None
    except NacreError as error:
        raise error.at(file=str(path_or_bytes)) from None


class Booster:
    """Scores as `xgboost.Booster.predict` does; both paths below give the same bits.

    `row(values)` scores one row given as `num_features` numbers (NaN is missing), rounded to float32 first, and
    returns a float, or a tuple of floats where the library returns a vector.
    """

    row: Callable[[Sequence[float]], Score]
    round: Rounding
    """The first half of `row`: `num_features` numbers rounded to float32, too large ones to an infinity."""
    score: Scoring
    """The second half of `row`."""

    def __init__(self, model: Model):
        self.objective = model.objective
        self.num_features = model.num_features
        self.num_groups = model.num_groups
        self.num_class = model.num_class
        self.num_trees = len(model.trees)
        self.feature_names = model.feature_names
        self.pickled = model.pickled
        self.source: str | None = None
        """The generated row function, None where the model is too large for one or linear."""
        self._terms: source.Terms | None = None
        self._lanes: lanes.Lanes | None = None
        link, self._transform = OBJECTIVES[model.objective]
        base = [link(score) for score in model.base_score] if link and model.fitted else model.base_score
        self._base = np.array(base, np.float32)
        self._weights = model.weights
        self._trees = model.trees
        self._forest = Forest(model.trees, model.num_groups)
        self._row_margins = self._compiled()
        self.round, self.score, self.row = self._row_functions()

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Scores of a block: float32 (rows, num_features), NaN missing, to float32 (rows,), or (rows, groups) where
        the library returns a vector a row."""
        x = np.asarray(x, np.float32)
        if x.ndim != 2 or x.shape[1] != self.num_features:
            raise SchemaError("wrong shape", expected=f"(rows, {self.num_features})", got=x.shape)
        if self.source is not None and len(x) <= FEW:
            return self._shaped([self.row(values) for values in x.tolist()])
        margins = self.margins(x)
        if self._transform is None:
            return margins[:, 0] if self.num_groups == 1 else margins
        return self._shaped([self._transform(values) for values in margins.tolist()])

    def margins(self, x: np.ndarray) -> np.ndarray:
        """The sums before the objective's transform: float32 (rows, groups); one row of them as :meth:`row_margins`."""
        if self._weights is not None:
            return self._linear(x)
        return self._forest.margins(x, self._base) if self._lanes is None else self._lanes.margins(x)

    def row_margins(self, values: Sequence[float]) -> list[float]:
        """The same for one row of float32 values."""
        return self._row_margins(values)

    def transformed(self, margins: Sequence[float]) -> Score:
        """A row's score from its margins."""
        if self._transform is not None:
            return self._transform(margins)
        return margins[0] if len(margins) == 1 else tuple(margins)

    @property
    def linear(self) -> bool:
        return self._weights is not None

    def leaves(self, x: np.ndarray) -> np.ndarray:
        """The number of the leaf reached in each tree (``pred_leaf``): int64 (rows, trees)."""
        if not self._trees:
            return np.zeros((len(x), 0), np.int64)
        return np.stack([walks.leaves(tree, x) for tree in self._trees], axis=1)

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """What each feature adds to the margins, and last the bias (``pred_contribs``): float32 (rows, groups,
        features + 1)."""
        out = np.zeros((len(x), self.num_groups, self.num_features + 1), np.float32)
        if self._weights is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                terms = x[:, None, :] * self._weights[:-1].T[None]
            out[:, :, :-1] = np.where(np.isnan(x)[:, None, :], np.float32(0), terms)
            out[:, :, -1] = self._weights[-1] + self._base[0]
            return out
        for start in range(0, len(x), SHAP_BLOCK):
            self._contribute(x[start : start + SHAP_BLOCK], out[start : start + SHAP_BLOCK])
        out[:, :, -1] += self._base
        return out

    def _contribute(self, x: np.ndarray, out: np.ndarray) -> None:
        for tree in self._trees:
            used, terms, mean = contributions(tree, x, walks.rights(tree, x))
            for feature, values in zip(used, terms, strict=True):
                out[:, tree.group, feature] += values * tree.weight
            out[:, tree.group, -1] += mean * tree.weight

    def _shaped(self, scores: list[Score]) -> np.ndarray:
        if scores:
            return np.array(scores, np.float32)
        vector = self.num_groups > 1 and self.objective != "multi:softmax"
        return np.empty((0, self.num_groups) if vector else 0, np.float32)

    def _linear(self, x: np.ndarray) -> np.ndarray:
        """gblinear: bias plus base score, then a rounded product and a rounded sum a present column, in order.
        The library takes the first base score for every group."""
        assert self._weights is not None
        weights, bias = self._weights[:-1], self._weights[-1]
        out = np.empty((len(x), self.num_groups), np.float32)
        absent = np.isnan(x)
        with np.errstate(over="ignore", invalid="ignore"):
            for group in range(self.num_groups):
                terms = np.where(absent, NO_TERM, x * weights[:, group])
                first = np.full((len(x), 1), bias[group] + self._base[0], np.float32)
                out[:, group] = np.add.accumulate(np.concatenate([first, terms], axis=1), axis=1)[:, -1]
        return out

    def _compiled(self) -> Margins:
        """One row's margins: generated code of one kind or the other where it fits, else the block's own walk."""
        if self._weights is not None:
            return lambda values: self._linear(np.array([values], np.float32))[0].tolist()
        if lanes.pays(self._forest):
            self._lanes = lanes.Lanes(self._forest, self._base.tolist())
            (self.source, names), width = self._lanes.source(), self._lanes.trees
        elif source.fits(self._forest):
            self.source, names, width = source.generate(self._forest, self._base.tolist())
        else:
            return lambda values: self._forest.margins(np.array([values], np.float32), self._base)[0].tolist()
        self._terms = source.compile_terms(self.source, names)
        return _summed(self._terms, self.num_groups, width)

    def _row_functions(self) -> tuple[Rounding, Scoring, Callable[[Sequence[float]], Score]]:
        """Closures rather than methods: a request pays for no attribute look-up."""
        size = struct.Struct(f"{self.num_features}f")
        pack, unpack, margins, transform = size.pack, size.unpack, self._row_margins, self._transform
        alone = self.num_groups == 1

        def rounded(values: Sequence[float]) -> tuple[float, ...]:
            try:
                return unpack(pack(*values))
            except struct.error:
                raise self._refused(values) from None

        def score(values: tuple[float, ...]) -> Score:
            found = margins(values)
            if transform is not None:
                return transform(found)
            return found[0] if alone else tuple(found)

        terms, accumulate = self._terms, np.add.accumulate

        def single(values: tuple[float, ...]) -> Score:
            assert terms is not None
            found = accumulate(terms(values)).item(-1)
            return found if transform is None else transform([found])

        if alone and terms is not None:
            score = single
        return rounded, score, lambda values: score(rounded(values))

    def _refused(self, values: Sequence[Any]) -> NacreError:
        """Why a row could not be rounded to float32."""
        if len(values) != self.num_features:
            return SchemaError("wrong number of values", expected=self.num_features, got=len(values))
        number, value = next((at, value) for at, value in enumerate(values) if not isinstance(value, (int, float)))
        return RowError("not a number", expected="a number or NaN", got=value, field=self.name(number))

    def name(self, feature: int) -> str:
        """The feature's own name, else its number counted from 0, as the library has it."""
        return self.feature_names[feature] if feature < len(self.feature_names) else f"f{feature}"


def _summed(terms: source.Terms, groups: int, width: int) -> Margins:
    accumulate = np.add.accumulate
    if groups == 1:
        return lambda values: [accumulate(terms(values)).item(-1)]

    def margins(values: Sequence[float]) -> list[float]:
        return accumulate(terms(values).reshape(groups, width), 1)[:, -1].tolist()  # type: ignore[no-any-return]

    return margins
