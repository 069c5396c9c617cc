"""Lists of tokens to the mean of their words' vectors: word_to_vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.bundle.values import Tensor
from nacre.plan.frame import Floats, Vectors
from nacre.plan.rowcode import Part, RowCode, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, stage
from nacre.stages.tokens import ListStage

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.plan.tokens import Tokens
    from nacre.spark.saved import Saved


@stage
class WordToVector(ListStage):
    """The sum of the vectors of the known words, in order, times 1 / number of all tokens; of no token, zeros.

    Kernel `sqrt` (gensim's exporter) divides the sum by its own length instead.
    """

    op = "word_to_vector"
    spark_classes = ("org.apache.spark.ml.feature.Word2VecModel",)
    outputs = (Port("output", vector(), "outputCol"),)
    attributes = (
        Attr("words", "list<string>", REQUIRED, "the known words"),
        Attr("indices", "list<long>", None, "which vector is whose; absent: in the order of the words"),
        Attr("word_vectors", "list<double>", REQUIRED, "all vectors, end to end"),
        Attr("kernel", "string", "default", "what the sum is divided by", choices=("default", "sqrt"), foreign=True),
    )

    words: list[str]
    indices: list[int] | None
    word_vectors: list[float]
    kernel: str

    def prepare(self) -> None:
        indices = list(range(len(self.words))) if self.indices is None else self.indices
        if len(indices) != len(self.words):
            raise self.bad("words and indices do not match", "indices", f"{len(self.words)} indices", len(indices))
        places = dict(zip(self.words, indices, strict=True))
        self.size = len(self.word_vectors) // len(places) if places else 0
        whole = len(self.word_vectors) // self.size if self.size else 0
        if (places or self.word_vectors) and (not self.size or whole * self.size != len(self.word_vectors)):
            got = f"{len(self.word_vectors)} for {len(places)} words"
            raise self.bad("vectors of no common size", "word_vectors", "as many numbers for every word", got)
        if any(not 0 <= index < whole for index in indices):
            raise self.bad("an index without a vector", "indices", f"0 to {whole - 1}", [min(indices), max(indices)])
        self.vectors = np.array(self.word_vectors, np.float64).reshape(whole, self.size)
        self.places = places

    def _read(self, attr: Attr) -> Any:
        """Other makers keep the vectors as a tensor."""
        stored = self.node.attributes.get(attr.name)
        if attr.name == "word_vectors" and stored is not None and stored.form == "tensor":
            held = self._value(Attr(attr.name, "tensor", REQUIRED, attr.meaning), attr.name)
            assert isinstance(held, Tensor)
            return held.values
        return super()._read(attr)

    def output_type(self) -> Type:
        return vector(self.size)

    def of_tokens(self, tokens: Tokens) -> Vectors:
        import pyarrow as pa
        import pyarrow.compute as pc

        words = list(self.places)
        found = pc.index_in(tokens.words, value_set=pa.array(words, pa.string())).fill_null(-1).to_numpy()
        of_word = np.array([*self.places.values(), -1], np.int64)[found]
        places, counts = tokens.per_word(of_word, -1), tokens.counts
        sums = np.zeros((len(tokens), self.size))
        with np.errstate(all="ignore"):
            for step in range(int(counts.max(initial=0))):  # the step-th token of all rows that have one
                rows = np.flatnonzero(counts > step)
                known = places[tokens.offsets[rows] + step]
                sums[rows[known >= 0]] += self.vectors[known[known >= 0]]
            sums *= np.divide(1.0, counts, where=counts > 0, out=np.ones(len(tokens)))[:, None]
            if self.kernel == "sqrt":
                sums = self._by_length(tokens, places)
        empty = counts == 0
        return Vectors(np.ascontiguousarray(sums.T), None, lambda stored, size: empty)

    def _by_length(self, tokens: Tokens, places: Any) -> Floats:
        mean = self.mean()
        lists = [places[a:b].tolist() for a, b in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)]
        return np.array([mean(each) for each in lists], np.float64).reshape(len(lists), self.size)

    def mean(self) -> Callable[[list[int]], tuple[float, ...]]:
        """The function of one list of places; -1 for an unknown word."""
        vectors, size, sqrt = self.vectors, self.size, self.kernel == "sqrt"

        def mean(places: list[int]) -> tuple[float, ...]:
            total = np.zeros(size)
            with np.errstate(all="ignore"):
                for place in places:
                    if place >= 0:
                        total += vectors[place]
                if places and not sqrt:
                    total *= 1.0 / len(places)
            values = total.tolist()
            return tuple(by_length(values) if places and sqrt else values)

        return mean

    def of_row(self, code: RowCode, name: str) -> VectorRef:
        known, mean = code.const(self.places, "places"), code.const(self.mean(), "mean")
        out = code.let(f"{mean}([{known}.get(w, -1) for w in {name}])", "w")
        return VectorRef((Part(out, self.size),), self.size)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """Spark keeps a row a word, its vector of floats, in any number of files."""
        words = saved.table.column("word").to_pylist()
        vectors = [x for row in saved.table.column("vector").to_pylist() for x in row]
        values = {"words": words, "indices": list(range(len(words))), "word_vectors": vectors}
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


def by_length(values: list[float]) -> list[float]:
    """A vector divided by its length; one of length 0 gives NaN, as in Java."""
    squares = 0.0
    for x in values:
        squares += x * x
    length = math.sqrt(squares)
    return [x / length if length else x * math.nan for x in values]
