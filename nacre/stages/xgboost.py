"""Boosters inside bundles: xgboost.classifier and xgboost.regression. The numbers are the library's own, bit for bit.

An entry that a sparse vector does not store is missing; a stored zero, and any zero of a dense vector, is a value.
Entries are rounded to float32 first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.booster import Booster
from nacre.booster.libm import f32
from nacre.booster.reader import Model, read
from nacre.errors import BundleError, NacreError
from nacre.plan.frame import Column, Csr, Floats, Result, Scalars, Vectors
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, stage, vector_of
from nacre.stages.classifying import FEATURES, PREDICTION, PROBABILITY, RAW, ClassifierStage
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

FILE = "xgboost.model"
LEAF = Port("leaf_prediction", vector(), "leafPredictionCol", optional=True)
CONTRIB = Port("contrib_prediction", vector(), "contribPredictionCol", optional=True)
BLOCK = 4096
"""Rows whose features are laid out as float32 at once."""

NUM_FEATURES = Attr("num_features", "int", REQUIRED, "size of the features vector")
SHARED = (
    Attr("tree_limit", "int", 0, "trees to use, in the library's ntree_limit; 0: all", optional=True),
    Attr("missing", "float", None, "a value that counts as missing, besides NaN; MLeap ignores it", optional=True),
    Attr("infer_batch_size", "int", None, "not used in scoring", optional=True),
    Attr("use_external_memory", "boolean", None, "not used in scoring", optional=True),
    Attr("allow_non_zero_for_missing", "boolean", None, "not used in scoring", optional=True),
    Attr(
        "nacre.dense", "boolean", False, "an entry that a sparse vector does not store is 0, as in xgboost.spark, not "
        "missing", optional=True,
    ),
)  # fmt: skip


class Boosted(Stage):
    """What both ops share: the model file, features as the library wants them, leaves and contributions."""

    num_features: int
    tree_limit: int
    missing: float | None
    dense: bool
    inputs = (FEATURES,)
    exact: ClassVar[str] = "bit for bit, as the XGBoost library"

    def boost(self) -> None:
        """Read the model; call from `prepare`."""
        if not 0 <= self.num_features < 1 << 31:
            raise self.bad("absurd number of features", "num_features", "0 to 2147483647", self.num_features)
        if FILE not in self.node.files:
            where = f"{self.node.path}/{FILE}"
            raise BundleError("no model file", expected=FILE, got=list(self.node.files), file=where, node=self.name)
        try:
            model = read(self.node.files[FILE], {}).limited(max(self.tree_limit, 0))
            if model.objective == "multi:softmax":  # a classifier has probabilities
                model = model._replace(objective="multi:softprob")
            self.used, narrow = _narrowed(model)
            self.booster = Booster(narrow)
        except NacreError as error:
            raise error.at(file=f"{self.node.path}/{FILE}", node=self.name) from error.__cause__
        self.width = model.num_features
        self.trees = len(model.trees)
        if self.booster.linear and LEAF.name in self.output_ports:
            raise self.bad("a linear booster has no leaves", LEAF.name, "no such port", "a port")
        self.missing_value = None if self.context.mleap or self.missing is None else f32(self.missing)
        self.zeros = self.dense and not self.context.mleap

    def wants(self) -> list[Type | None]:
        return [vector(self.num_features)]

    def extra_type(self, port: str) -> Type:
        groups = self.booster.num_groups
        return vector(self.trees if port == LEAF.name else groups * (self.width + 1))

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        content, python = model_file(saved)
        model = read(content, {})
        features = saved.param("featuresCol")
        known = saved.types.get(features)
        values = {
            "num_features": (known.size if known is not None else None) or model.num_features,
            "tree_limit": int(saved.param("treeLimit", 0) or 0),
            "missing": _number(saved.param("missing", None)),
            "nacre.dense": python and not saved.param("enable_sparse_data_optim", False),
        }
        if cls is XGBoostClassifier:
            values["num_classes"] = 2 if model.num_groups == 1 else model.num_groups
            values["thresholds"] = saved.param("thresholds", None)
        outputs = saved.ports(cls.outputs)
        if saved.param("pred_contrib_col", None):
            outputs.append((CONTRIB.name, saved.param("pred_contrib_col")))
        node = cls.make(saved.uid, values, saved.ports(cls.inputs), outputs)
        node.files[FILE] = content
        return [node]

    # Many rows

    def blocks(self, column: Vectors) -> list[np.ndarray]:
        """The used features as float32 (rows, used), NaN where missing, some thousand rows at a time."""
        rows = range(0, max(len(column), 1), BLOCK)
        values, stored = _picked(column, self.used)
        blocks = []
        for start in rows:
            with np.errstate(all="ignore"):
                x = values[:, start : start + BLOCK].T.astype(np.float32)
            if stored is not None and not self.zeros:
                x[~stored[:, start : start + BLOCK].T] = np.nan
            if self.missing_value is not None:
                x[x == self.missing_value] = np.nan
            blocks.append(x)
        return blocks

    def margins(self, blocks: Sequence[np.ndarray]) -> Floats:
        """Shape (groups, rows)."""
        return np.concatenate([self.booster.margins(x) for x in blocks]).T.astype(np.float64)

    def extra(self, port: str, blocks: Sequence[np.ndarray]) -> Column:
        """Leaf numbers or contributions, flat, shape (entries, rows)."""
        made = [self._extra(port, x) for x in blocks]
        return Vectors(np.concatenate(made).T.astype(np.float64))

    def _extra(self, port: str, x: np.ndarray) -> np.ndarray:
        if port == LEAF.name:
            return self.booster.leaves(x)
        narrow = self.booster.contributions(x)
        out = np.zeros((len(x), self.booster.num_groups, self.width + 1), np.float32)
        out[:, :, [*self.used, self.width]] = narrow
        return out.reshape(len(x), self.booster.num_groups * (self.width + 1))  # -1 would not do for no rows

    # One row

    def rounded(self, code: RowCode, ref: VectorRef | SparseRef) -> str:
        """The name of the used features as float32 values, NaN where missing."""
        nan, stored = code.number(math.nan), "None" if self.zeros else code.stored(ref)
        known = [feature for feature in self.used if feature < ref.size]
        if isinstance(ref, SparseRef):
            entries = code.let(f"dict(zip({ref.indices}, {ref.values}))", "d")
            absent = "0.0" if self.zeros else nan
            items = [f"{entries}.get({feature}, {absent})" for feature in known]
        else:
            names = code.components(ref)
            items = [names[feature] for feature in known]
            if stored != "None":
                items = [
                    f"({x} if {stored} is None or {n} in {stored} else {nan})"
                    for n, x in zip(known, items, strict=True)
                ]
        items += [nan] * (len(self.used) - len(known))
        function: Callable[[Sequence[float]], tuple[float, ...]] = self.booster.round
        if self.missing_value is not None:
            function = _without(function, self.missing_value)
        return code.let(f"{code.const(function, 'round')}(({''.join(f'{item}, ' for item in items)}))", "f")

    def margins_row(self, code: RowCode, features: str) -> list[str]:
        names = [code.new("m") for _ in range(self.booster.num_groups)]
        code.line(f"{', '.join(names)}, = {code.const(self.booster.row_margins, 'margins')}({features})")
        return names

    def extra_row(self, code: RowCode, port: str, features: str) -> Ref:
        def entries(values: Sequence[float]) -> tuple[float, ...]:
            return tuple(self._extra(port, np.array([values], np.float32))[0].astype(np.float64).tolist())

        size = self.extra_type(port).size or 0
        names = [code.new("e") for _ in range(size)]
        if names:
            code.line(f"{', '.join(names)}, = {code.const(entries, 'extra')}({features})")
        return code.vector(names)


@stage
class XGBoostClassifier(Boosted, ClassifierStage):
    """Two classes: raw scores -m and m, probabilities 1 - p and p, in float32. More: the booster's own margins and
    probabilities. MLeap takes the probability that is rounded up or largest; thresholds are Spark's.
    """

    op = "xgboost.classifier"
    spark_classes = (
        "ml.dmlc.xgboost4j.scala.spark.XGBoostClassificationModel",
        "xgboost.spark.estimator.SparkXGBClassifierModel",
    )
    attributes = (
        Attr("num_classes", "int", REQUIRED, "number of classes"),
        NUM_FEATURES,
        *SHARED,
        Attr("thresholds", "list<double>", None, "as any classifier's; MLeap ignores them", optional=True),
        Attr("objective", "string", None, "not used in scoring: the model file knows it", optional=True),
    )
    outputs = (RAW, PROBABILITY, PREDICTION, LEAF, CONTRIB)
    num_classes: int

    def prepare(self) -> None:
        self.boost()
        groups = self.booster.num_groups
        if self.num_classes != (2 if groups == 1 else groups):
            raise self.bad("not the booster's classes", "num_classes", 2 if groups == 1 else groups, self.num_classes)
        if self.context.mleap:
            self.thresholds = None
        self.check_thresholds()

    @property
    def size(self) -> int | None:
        return self.num_features

    @property
    def classes(self) -> int:
        return self.num_classes

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        made = zip(self.output_ports, super().types(inputs), strict=True)
        return [self.extra_type(port) if port in (LEAF.name, CONTRIB.name) else given for port, given in made]

    def raw(self, features: Vectors) -> Floats:
        return self._raw(self.margins(self.blocks(features)))

    def _raw(self, margins: Floats) -> Floats:
        return np.concatenate([-margins, margins]) if len(margins) == 1 else margins

    def scored(self, features: Vectors) -> list[Column]:
        blocks = self.blocks(features)
        made = self.made(self._raw(self.margins(blocks)))
        for port in (LEAF.name, CONTRIB.name):
            made[port] = lambda port=port: self.extra(port, blocks)  # type: ignore[misc]
        return [made[port]() for port in self.output_ports]

    def scored_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[Ref]:
        values = self.rounded(code, features)
        margins = self.margins_row(code, values)
        made = self.made_row(code, [code.let(f"-{margins[0]}", "m"), *margins] if len(margins) == 1 else margins)
        for port in (LEAF.name, CONTRIB.name):
            made[port] = lambda port=port: self.extra_row(code, port, values)  # type: ignore[misc]
        return [made[port]() for port in self.output_ports]

    def probabilities(self, raw: Sequence[float]) -> tuple[float, ...]:
        """Of one row."""
        found = self.booster.transformed(raw[1:] if self.booster.num_groups == 1 else raw)
        return found if isinstance(found, tuple) else (f32(1.0 - found), found)

    def probability(self, raw: Floats) -> Floats:
        rows = [self.probabilities(row) for row in raw.T.tolist()]
        return np.array(rows, np.float64).reshape(len(rows), self.num_classes).T

    def probability_row(self, code: RowCode, raw: Sequence[str]) -> list[str]:
        names = [code.new("p") for _ in raw]
        code.line(f"{', '.join(names)}, = {code.const(self.probabilities, 'p')}(({', '.join(raw)},))")
        return names

    def predict(self, raw: Floats) -> Floats:
        if self.context.mleap and self.booster.num_groups == 1:
            return np.where(self.probability(raw)[1] >= 0.5, 1.0, 0.0)
        return super().predict(raw)

    def predict_row(self, code: RowCode, raw: Sequence[str]) -> str:
        if self.context.mleap and self.booster.num_groups == 1:
            return code.let(f"1.0 if {self.probability_row(code, raw)[1]} >= 0.5 else 0.0", "c")
        return super().predict_row(code, raw)


@stage
class XGBoostRegression(Boosted):
    """The booster's output after the objective's transform."""

    op = "xgboost.regression"
    spark_classes = (
        "ml.dmlc.xgboost4j.scala.spark.XGBoostRegressionModel",
        "xgboost.spark.estimator.SparkXGBRegressorModel",
    )
    attributes = (NUM_FEATURES, *SHARED)
    outputs = (PREDICTION, LEAF, CONTRIB)

    def prepare(self) -> None:
        self.boost()

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.num_features)
        return [DOUBLE if port == PREDICTION.name else self.extra_type(port) for port in self.output_ports]

    def predicted(self, margins: Sequence[float]) -> float:
        """Of one row: the first output, as MLeap has it."""
        found = self.booster.transformed(margins)
        return found[0] if isinstance(found, tuple) else found

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        blocks = self.blocks(column)
        made: list[Column] = []
        for port in self.output_ports:
            if port == PREDICTION.name:
                rows = [self.predicted(row) for row in self.margins(blocks).T.tolist()]
                made.append(Scalars(np.array(rows, np.float64)))
            else:
                made.append(self.extra(port, blocks))
        result = Result(made)
        if column.null is not None:
            expected = f"vector[{self.num_features}]"
            result.fail(column.null, self.input_names[0], NULL, expected=expected, got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        values = self.rounded(code, ref)
        made: list[Ref] = []
        for port in self.output_ports:
            if port == PREDICTION.name:
                margins = self.margins_row(code, values)
                made.append(ScalarRef(code.let(f"{code.const(self.predicted, 'y')}(({', '.join(margins)},))", "y")))
            else:
                made.append(self.extra_row(code, port, values))
        return made


def _number(value: Any) -> float | None:
    """The value that is missing, unless that is NaN, which always is."""
    return None if value is None or math.isnan(float(value)) else float(value)


def model_file(saved: Saved) -> tuple[bytes, bool]:
    """(the booster of a saved model, whether Python's xgboost.spark saved it).

    Python cuts the JSON into lines of text under ``model/``. xgboost4j-spark keeps one file under ``data/``, a
    classifier's with its number of classes (four bytes) in front, and since version 3 under ``model/``.
    """
    python = saved.spark_class.startswith("xgboost.spark.")
    found = [
        file
        for folder in ("model", "data")
        for file in sorted((saved.path / folder).glob("*"))
        if file.is_file() and not file.name.startswith(("_", "."))
    ]
    if not found:
        raise BundleError(
            "a saved XGBoost model without its booster", expected="a file under model/ or data/", got="none",
            file=str(saved.path), node=saved.uid,
        )  # fmt: skip
    if python:
        return b"".join(line for file in found for line in file.read_bytes().splitlines()), True
    content = found[0].read_bytes()
    return (content[4:] if content[:3] == b"\0\0\0" else content), False


def _narrowed(model: Model) -> tuple[list[int], Model]:
    """(the features that the model looks at, the model over these alone); a linear one looks at all."""
    if model.weights is not None:
        return list(range(model.num_features)), model
    used = sorted({int(each) for tree in model.trees for each in tree.feature[tree.left >= 0]})
    at = np.zeros(max(used, default=0) + 1, np.int64)
    at[used] = np.arange(len(used))
    trees = tuple(
        tree._replace(feature=np.where(tree.left >= 0, at[np.minimum(tree.feature, len(at) - 1)], 0))
        for tree in model.trees
    )
    return used, model._replace(trees=trees, num_features=len(used), feature_names=(), feature_types=())


def _picked(column: Vectors, used: Sequence[int]) -> tuple[Floats, np.ndarray | None]:
    """(some entries, shape (len(used), rows); which of them count as stored, None if all do)."""
    known = [feature for feature in used if feature < column.size]
    rows = len(column)
    values, there = np.full((len(used), rows), np.nan), np.ones((len(used), rows), bool)
    if isinstance(column, Csr):
        values[: len(known)] = 0.0
        entries = np.zeros((len(known), rows), bool)
        place = np.searchsorted(known, column.indices) if known else np.zeros(len(column.indices), np.intp)
        place[place == len(known)] = 0
        here = np.array(known, np.int64)[place] == column.indices if known else np.zeros(len(place), bool)
        at = place[here], column.rows()[here]
        values[at], entries[at] = column.values[here], True
        sparse = column.sparse_rows(np.diff(column.indptr))
    else:
        values[: len(known)] = column.matrix[known]
        if column.sparse is False:
            return values, None
        sparse, every = column.stored()
        entries = every[known]
    there[: len(known)] = entries | ~sparse
    return values, there


def _without(function: Callable[[Sequence[float]], tuple[float, ...]], missing: float) -> Any:
    """`function`, its results that equal `missing` being NaN."""
    return lambda values: tuple([math.nan if x == missing else x for x in function(values)])
