"""one_vs_rest: a classifier for each class that tells it from all others; the surest one wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import UnsupportedError
from nacre.plan.frame import Column, Result, Scalars, Vectors
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REGISTRY, REQUIRED, Attr, Context, Port, Stage, by_spark_class, stage, vector_of
from nacre.stages.classifying import FEATURES, PREDICTION, PROBABILITY, RAW, first_largest, first_largest_row
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.plan.frame import Floats
    from nacre.spark.saved import Saved


@stage
class OneVsRest(Stage):
    """Sub-models are classifiers of any op; their raw scores for class 1 are compared, the first largest wins.

    MLeap compares their probabilities instead, and where a sub-model has none its 0/1 prediction.
    """

    op = "one_vs_rest"
    unlike = "the sub-models' probabilities are compared, not their raw scores, so another class may win"
    spark_classes = (
        "org.apache.spark.ml.classification.OneVsRestModel",
        "pyspark.ml.classification.OneVsRestModel",
    )
    attributes = (
        Attr("num_classes", "long", REQUIRED, "number of classes: sub-models in the folders model0, model1, …"),
        Attr("num_features", "long", REQUIRED, "size of the features vector"),
    )
    inputs = (FEATURES,)
    outputs = (RAW, Port("probability", DOUBLE, "probabilityCol", optional=True), PREDICTION)
    exact = "as its sub-models' raw scores"
    num_classes: int
    num_features: int

    def prepare(self) -> None:
        if not 0 < self.num_classes < 1 << 20:
            raise self.bad("absurd number of classes", "num_classes", "1 to 1048575", self.num_classes)
        if not 0 <= self.num_features < 1 << 31:
            raise self.bad("absurd number of features", "num_features", "0 to 2147483647", self.num_features)
        known = {member.name: member for member in self.node.members}
        names = [f"model{n}" for n in range(self.num_classes)]
        missing = [name for name in names if name not in known]
        if missing:
            raise self.bad("a sub-model is missing", "num_classes", f"the folder {missing[0]}", sorted(known)[:8])
        self.models = [self._model(known[name]) for name in names]

    def _model(self, member: Node) -> Stage:
        """A sub-model with the ports that are needed here: its folder names none."""
        cls = REGISTRY.get(member.op)
        has = {port.name for port in cls.outputs} if cls is not None else set()
        scores = {RAW.name} if not self.by_probability else {RAW.name, PROBABILITY.name}
        if not scores <= has:
            scores = {PREDICTION.name} if self.context.mleap else {RAW.name}
        if cls is None or not scores <= has:
            raise UnsupportedError(
                f"one_vs_rest of {member.op!r}", expected="sub-models that are classifiers with raw scores",
                got=member.op, file=f"{member.path}/model.json", node=self.name,
            )  # fmt: skip
        ports = [(port.name, port.name) for port in cls.outputs if port.name in scores]
        model = cls(replace(member, inputs=[(FEATURES.name, self.input_names[0])], outputs=ports), self.context)
        for port, made in zip(model.output_ports, model.types([vector(self.num_features)]), strict=True):
            if port != PREDICTION.name and (made.size or 0) < 2:
                raise self.bad("a sub-model that tells no classes apart", member.name, "two classes", made.size)
        return model

    @property
    def by_probability(self) -> bool:
        return self.context.mleap or PROBABILITY.name in self.output_ports

    @property
    def skips_nan(self) -> bool:
        """Spark 4.1 never takes a score of NaN or -inf, and says -1 where there are no others."""
        return self.context.spark >= (4, 1)

    def wants(self) -> list[Type | None]:
        return [vector(self.num_features)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.num_features)
        return [vector(self.num_classes) if port == RAW.name else DOUBLE for port in self.output_ports]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        results = [model.columns(inputs) for model in self.models]
        raw = np.stack([_second(result.outputs[0]) for result in results])
        sure = np.stack([_second(result.outputs[-1]) for result in results])
        with np.errstate(invalid="ignore"):
            if self.context.mleap or not self.skips_nan:
                found = first_largest(sure if self.context.mleap else raw)
            else:  # with a first score that all others beat
                found = first_largest(np.concatenate([np.full((1, raw.shape[1]), -np.inf), raw])) - 1.0
        winner = sure[found.astype(np.intp), np.arange(len(found))]
        made: dict[str, Column] = {
            RAW.name: Vectors(raw), PROBABILITY.name: Scalars(winner), PREDICTION.name: Scalars(found),
        }  # fmt: skip
        result = Result([made[port] for port in self.output_ports])
        if column.null is not None:
            expected = f"vector[{self.num_features}]"
            result.fail(column.null, self.input_names[0], NULL, expected=expected, got=lambda row: None)
        result.failed += [failed for each in results for failed in each.failed]
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        scored = [model.row(code, [replace(ref, null=None)]) for model in self.models]
        raw = [_second_of(code, refs[0]) for refs in scored]
        sure = [_second_of(code, refs[-1]) for refs in scored] if self.by_probability else raw
        if self.context.mleap or not self.skips_nan:
            found = first_largest_row(code, sure if self.context.mleap else raw)
        else:
            found = code.let(f"{first_largest_row(code, [code.number(-np.inf), *raw])} - 1.0", "c")
        made: dict[str, Ref] = {RAW.name: code.vector(raw), PREDICTION.name: ScalarRef(found)}
        if PROBABILITY.name in self.output_ports:
            made[PROBABILITY.name] = ScalarRef(code.let(f"({', '.join(sure)},)[int({found})]", "p"))
        return [made[port] for port in self.output_ports]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        """A prediction is free only where two scores are nearer to each other than their bounds."""
        if inputs[0] is None:
            return 0.0
        ports = [model.output_ports[0 if port == RAW.name else -1] for model in self.models]
        bounds = [model.slack(each, inputs) for model, each in zip(self.models, ports, strict=True)]
        if port != PREDICTION.name:
            return max(bounds)
        column = Vectors(np.array(inputs[0], np.float64).reshape(-1, 1))
        at = -1 if self.context.mleap else 0
        scores = [_second(model.columns([column]).outputs[at])[0] for model in self.models]
        best = int(np.argmax(scores))
        near = [n for n in range(len(scores)) if n != best and bounds[n] > 0.0]
        return np.inf if any(scores[best] - scores[n] <= bounds[best] + bounds[n] for n in near) else 0.0

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        members = [_member(saved.child(f"model_{n}"), n) for n in range(saved.extra("numClasses"))]
        features = _features(members[0]) or _features_of(saved)
        values = {"num_classes": len(members), "num_features": features}
        outputs = saved.ports(tuple(port for port in cls.outputs if port.name != PROBABILITY.name))
        node = cls.make(saved.uid, values, saved.ports(cls.inputs), outputs)
        node.members = members
        return [node]


def _second(column: Column) -> Floats:
    """The score of a sub-model's own class, class 1; a prediction is the score itself."""
    if isinstance(column, Scalars):
        return column.doubles()
    assert isinstance(column, Vectors)
    scores: Floats = column.matrix[1]
    return scores


def _second_of(code: RowCode, ref: Ref) -> str:
    if isinstance(ref, ScalarRef):
        return ref.name
    assert isinstance(ref, (VectorRef, SparseRef))
    return code.components(ref)[1]


def _member(saved: Saved, n: int) -> Node:
    cls = by_spark_class().get(saved.spark_class)
    nodes = cls.from_spark(saved) if cls is not None else []
    if len(nodes) != 1:
        raise UnsupportedError(
            "a sub-model that cannot be written", expected="a classifier with a Bundle.ML op", got=saved.spark_class,
            node=saved.uid,
        )  # fmt: skip
    (node,) = nodes
    node.name, node.inputs, node.outputs = f"model{n}", [], []
    node.attributes.pop("nacre.leaf_col", None)
    return node


def _features(member: Node) -> int | None:
    """The size of the features vector that a sub-model wants."""
    ports = [(FEATURES.name, FEATURES.name)]
    (want,) = REGISTRY[member.op](replace(member, inputs=ports, outputs=[]), Context()).wants()
    return want.size if want is not None else None


def _features_of(saved: Saved) -> int:
    size = saved.type_of(saved.param("featuresCol")).size
    if size is None:
        raise UnsupportedError(
            "the size of the features is not known", expected="a schema that tells it", got="none", node=saved.uid
        )
    return size
