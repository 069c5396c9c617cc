"""Points to clusters by nearness: k_means, bisecting_k_means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.bundle import trees as treefile
from nacre.bundle.tree import ClusterTree
from nacre.errors import BundleError
from nacre.plan.distances import COSINE, EUCLIDEAN, MEASURES, Centers, norm, norms
from nacre.plan.frame import Bools, Column, Result, Scalars, Vectors
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, param, stage, vector_of
from nacre.stages.classifying import FEATURES
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.bundle.values import Tensor
    from nacre.spark.saved import Saved

CLUSTER = Type("int")
MEASURE = Attr(
    "nacre.distance_measure", "string", EUCLIDEAN, "how distance is measured; absent in foreign bundles: euclidean",
    choices=MEASURES, spark=param("distanceMeasure"),
)  # fmt: skip
NO_LENGTH = "Cosine distance is not defined for zero-length vectors."
TIE = 1e-12
"""Of two distances, this times the squared lengths apart, either may come out as the smaller one."""
NO_NUMBER = "requirement failed: Both norms should be greater or equal to 0.0"
"""Spark's own sentences."""


class ClusterStage(Stage):
    """A features vector to the number of a cluster."""

    inputs = (FEATURES,)
    outputs = (Port("prediction", CLUSTER, "predictionCol"),)
    distance_measure: str
    size: int
    centers: Centers

    @property
    def cosine(self) -> bool:
        return self.distance_measure == COSINE and not self.context.mleap

    @property
    def needs_length(self) -> bool:
        """Whether a vector whose length is no number is refused."""
        return True

    def wants(self) -> list[Type | None]:
        return [vector(self.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.size)
        return [CLUSTER]

    def clusters(self, matrix: np.ndarray) -> np.ndarray:
        """The cluster of each column, int32."""
        raise NotImplementedError

    def cluster(self, point: Sequence[float]) -> int:
        """The cluster of one point."""
        raise NotImplementedError

    def tie(self, point: Sequence[float], among: Sequence[int]) -> bool:
        """Whether the two nearest of these centers are equally near but for rounding."""
        length = norm(point)
        found = sorted(self.centers.distance(point, length, n) for n in among)
        size = 1.0 if self.cosine else length * length + max(self.centers.norms[n] ** 2 for n in among)
        return len(found) > 1 and not found[1] - found[0] > TIE * size

    def need_lengths(self, norms: Sequence[float], field: str) -> None:
        """Refuse centers that the cosine distance is not defined for."""
        if self.cosine and not all(length > 0.0 for length in norms):
            raise self.bad("a center of no length", field, "centers longer than 0", list(norms)[:8])

    def columns(self, inputs: Sequence[Column]) -> Result:
        column = inputs[0]
        assert isinstance(column, Vectors)
        result = Result([Scalars(self.clusters(column.matrix))])
        name = self.input_names[0]
        if column.null is not None:
            result.fail(column.null, name, NULL, expected=f"vector[{self.size}]", got=lambda row: None)
        if self.needs_length:
            points, (message, expected) = column.matrix, self._refused()
            bad = self._odd(points)

            def got(row: int) -> tuple[float, ...]:
                return tuple(points[:, row].tolist())

            result.fail(bad if column.null is None else bad & ~column.null, name, message, expected=expected, got=got)
        return result

    def _refused(self) -> tuple[str, str]:
        """What Spark says of a vector whose length it cannot use, and what it expects."""
        return (NO_LENGTH, "a length above 0") if self.cosine else (NO_NUMBER, "no NaN")

    def _odd(self, matrix: np.ndarray) -> Bools:
        with np.errstate(all="ignore"):
            lengths = norms(matrix)
            odd: Bools = ~(lengths > 0.0) if self.cosine else np.isnan(lengths)
        return odd

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        ref = inputs[0]
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        point = code.let(replace(ref, null=None).expression, "x")
        if self.needs_length:
            message, expected = self._refused()
            with code.block(f"if not {code.const(norm)}({point}) {'>' if self.cosine else '>='} 0.0"):
                code.fail(self.input_names[0], message, expected, point)
        return [ScalarRef(code.let(f"{code.const(self.cluster)}({point})", "k"), base="int")]


@stage
class KMeans(ClusterStage):
    """The nearest center, the first of those equally near."""

    op = "k_means"
    spark_classes = ("org.apache.spark.ml.clustering.KMeansModel",)
    attributes = (
        Attr("cluster_centers", "list<tensor>", REQUIRED, "one a cluster"),
        Attr("num_features", "long", None, "size of the features vector; derived from the centers when absent"),
        MEASURE,
    )
    exact = "equal, but between centers that are equally near to the last bit"

    cluster_centers: list[Tensor]
    num_features: int | None

    @property
    def needs_length(self) -> bool:
        return not self.context.mleap

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        """Any cluster, where the two nearest centers are equally near but for rounding."""
        tied = inputs[0] is not None and self.tie(inputs[0], range(len(self.centers.points)))
        return float(len(self.centers.points)) if tied else 0.0

    def prepare(self) -> None:
        sizes = {len(center.values) for center in self.cluster_centers}
        if len(sizes) != 1:
            raise self.bad("centers differ in size, or there are none", "cluster_centers", "one size", sorted(sizes))
        (self.size,) = sizes
        points = [center.values for center in self.cluster_centers]
        self.centers = Centers(points, COSINE if self.cosine else EUCLIDEAN)
        self.need_lengths(self.centers.norms, "cluster_centers")

    def clusters(self, matrix: np.ndarray) -> np.ndarray:
        return self.centers.nearest(matrix)

    def cluster(self, point: Sequence[float]) -> int:
        return self.centers.nearest_row(point)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        rows = sorted(saved.rows(), key=lambda row: row["clusterIdx"])
        centers = [row["clusterCenter"] for row in rows]
        values = {**saved.attributes(cls), "cluster_centers": centers, "num_features": len(centers[0].values)}
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


@stage
class BisectingKMeans(ClusterStage):
    """From the root of a tree of centers to the nearest child, the first of those equally near, down to a leaf."""

    op = "bisecting_k_means"
    spark_classes = ("org.apache.spark.ml.clustering.BisectingKMeansModel",)
    attributes = (MEASURE,)
    exact = KMeans.exact

    def prepare(self) -> None:
        try:
            self.tree, self.children = treefile.read_clusters(self.node)
        except BundleError as error:
            raise error.at(node=self.name) from error.__cause__
        sizes = {len(center) for center in self.tree.center}
        if len(sizes) != 1:
            raise self.bad("centers differ in size", "tree", "one size", sorted(sizes))
        (self.size,) = sizes
        self.centers = Centers(self.tree.center, COSINE if self.cosine else EUCLIDEAN, self.tree.norm)
        self.need_lengths(self.tree.norm[1:], "tree")  # nobody looks at the distance to the root

    def clusters(self, matrix: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            lengths = norms(matrix)
            at = np.zeros(matrix.shape[1], np.intp)
            for node, children in enumerate(self.children):  # children stand after their parent
                here = np.flatnonzero(at == node) if children else np.empty(0, np.intp)
                if len(here):
                    at[here] = np.array(children)[self._nearest(matrix[:, here], lengths[here], children)]
        return np.array(self.tree.index, np.int32)[at]

    def _nearest(self, matrix: np.ndarray, lengths: np.ndarray, children: Sequence[int]) -> np.ndarray:
        best = self.centers.distances(matrix, lengths, children[0])
        found = np.zeros(len(best), np.intp)
        for n, child in enumerate(children[1:], 1):
            distance = self.centers.distances(matrix, lengths, child)
            nearer = distance < best
            best[nearer], found[nearer] = distance[nearer], n
        return found

    def cluster(self, point: Sequence[float]) -> int:
        length, node = norm(point), 0
        while self.children[node]:
            first, *others = self.children[node]
            best, node = self.centers.distance(point, length, first), first
            for child in others:
                distance = self.centers.distance(point, length, child)
                if distance < best:
                    best, node = distance, child
        return self.tree.index[node]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        """Any cluster, where on the way down two children are equally near but for rounding."""
        node = 0
        while inputs[0] is not None and self.children[node]:
            if self.tie(inputs[0], self.children[node]):
                return float(len(self.tree))
            length = norm(inputs[0])
            node = min(self.children[node], key=lambda child: self.centers.distance(inputs[0], length, child))
        return 0.0

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        node = cls.make(saved.uid, saved.attributes(cls), saved.ports(cls.inputs), saved.ports(cls.outputs))
        node.tree = _grown(saved)
        return [node]


def _grown(saved: Saved) -> ClusterTree:
    """The tree, from rows of (index, center, norm, children) and the number of the root."""
    rows = {row["index"]: row for row in saved.rows("data/data")}
    root = saved.facts("data")["rootId"]
    tree, waiting = ClusterTree(), [root]
    while waiting:
        row = rows[waiting.pop()]
        tree.index.append(row["index"])
        tree.norm.append(row["norm"])
        tree.center.append(tuple(row["center"].values))
        tree.count.append(len(row["children"] or ()))
        waiting += reversed(row["children"] or ())
    return tree
