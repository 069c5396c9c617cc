"""Nodes of clustering, mixtures and recommendation."""

from __future__ import annotations

from hypothesis import strategies as st

from nacre.bundle.tree import ClusterTree
from nacre.bundle.values import Tensor
from nacre.formats.javatext import float32
from nacre.plan.distances import norm
from nacre.plan.types import Type, vector
from nacre.stages import REGISTRY
from tests import bundles
from tests.plans.base import Draw, Drawn, doubles, finite, tensors
from tests.plans.linear import some_ports

small = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 0.5]), st.floats(-10, 10)).map(lambda x: x + 0.0)


@st.composite
def k_means(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size, count = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    each = doubles if wild else small
    cosine = "cosine" in words.values()
    usable = tensors(size, each).filter(lambda tensor: not cosine or norm(tensor.values) > 0.0)
    centers = [draw(usable) for _ in range(count)]
    held = {"cluster_centers": centers, "num_features": size, **words}
    return [bundles.node("k_means", held, ["v"], ["k"])], {"v": vector(size)}


@st.composite
def bisecting_k_means(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size = draw(st.integers(1, 3))
    tree = ClusterTree()
    leaves, inner = iter(range(100)), iter(range(-1, -100, -1))

    def grow(depth: int) -> None:
        children = draw(st.sampled_from([0, 2, 2, 1] if wild else [0, 2])) if depth < 3 else 0
        center = tuple(draw(small if depth or not wild else finite) for _ in range(size))
        tree.index.append(next(inner) if children else next(leaves))
        tree.center.append(center)
        tree.norm.append(norm(center) or (1.0 if "cosine" in words.values() else 0.0))
        tree.count.append(children)
        for _ in range(children):
            grow(depth + 1)

    grow(0)
    node = bundles.node("bisecting_k_means", {**words}, ["v"], ["k"])
    node.tree = tree
    return [node], {"v": vector(size)}


@st.composite
def gaussian_mixture(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    size, count = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    covs = []
    for _ in range(count):
        spread, turn = [draw(st.floats(0.1, 3.0)) for _ in range(size)], draw(st.floats(-0.05, 0.05))
        covs.append(Tensor([spread[i] if i == j else turn for j in range(size) for i in range(size)], (size, size)))
    held = {
        "means": [draw(tensors(size, small)) for _ in range(count)],
        "covs": covs,
        "weights": [draw(st.floats(0.0, 1.0)) for _ in range(count)],
    }
    outputs = some_ports(draw, "gaussian_mixture")
    return [REGISTRY["gaussian_mixture"].make("g", held, [("features", "v")], outputs)], {"v": vector(size)}


@st.composite
def lda_local_model_op(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    terms, k = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    held = {
        "vocabSize": terms,
        "docConcentration": [draw(st.floats(0.05, 2.0)) for _ in range(k)],
        "topicConcentration": 0.1,
        "topicMatrix": Tensor([draw(st.floats(0.01, 50.0)) for _ in range(terms * k)], (terms, k)),
    }
    return [bundles.node("lda_local_model_op", held, ["v"], ["topics"])], {"v": vector(terms)}


@st.composite
def als(draw: Draw, words: dict[str, str], wild: bool = True) -> Drawn:
    rank = draw(st.integers(1, 4))
    number = st.one_of(st.floats(-5, 5, width=32), doubles.map(float32)) if wild else st.floats(-5, 5, width=32)

    def factors() -> tuple[list[int], list[Tensor]]:
        ids = sorted(draw(st.sets(st.integers(-2, 6), max_size=5)))
        return ids, [Tensor([draw(number) for _ in range(rank)], (rank,)) for _ in ids]

    users, items = factors(), factors()
    held = {"rank": rank, "users": users[0], "user_factors": users[1], "items": items[0], "item_factors": items[1]}
    if wild and draw(st.booleans()):
        held["nacre.cast_ids"] = True
    bases = ["int", "long", "double", "float"] if wild else ["int"]
    kinds = {name: Type(draw(st.sampled_from(bases))) for name in "ui"}
    return [bundles.node("als", {**held, **words}, ["u", "i"], ["rating"])], kinds


STRATEGIES = [k_means, bisecting_k_means, gaussian_mixture, lda_local_model_op, als]
