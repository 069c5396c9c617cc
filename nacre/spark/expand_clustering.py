"""Spark's DistributedLDAModel: it transforms as the local model that it folds into, so that is what is written.

Its draws start from another seed in every process, so there is none to write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nacre.bundle.values import Tensor
from nacre.spark.expand import expands
from nacre.stages.mixtures import LocalLDA

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved


@expands("org.apache.spark.ml.clustering.DistributedLDAModel")
def distributed_lda(saved: Saved) -> list[Node]:
    """lda_local_model_op, with the counts of the graph's term vertices for the topics."""
    facts = saved.facts("oldModel")
    terms, k = facts["vocabSize"], facts["k"]
    weights = [0.0] * (terms * k)  # column by column
    for row in saved.rows("oldModel/data/topicCounts"):
        if row["id"] < 0:  # documents have numbers from 0, terms from -1 downwards
            for topic, weight in enumerate(row["topicWeights"].values):
                weights[topic * terms - row["id"] - 1] = weight
    values = {
        "vocabSize": terms,
        "docConcentration": facts["docConcentration"],
        "topicConcentration": facts["topicConcentration"],
        "topicMatrix": Tensor(weights, (terms, k)),
        "nacre.gamma_shape": facts["gammaShape"],
    }
    return [LocalLDA.make(saved.uid, values, saved.ports(LocalLDA.inputs), saved.ports(LocalLDA.outputs))]
