"""Lists of tokens to sparse vectors of counts: hashing_term_frequency, count_vectorizer; and their weights: idf."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import mul
from typing import TYPE_CHECKING

import numpy as np

from nacre.formats.murmur3 import VERSIONS, hash_text, hash_texts
from nacre.plan.frame import Column, Csr, Result, Vectors
from nacre.plan.rowcode import Part, Ref, RowCode, SparseRef, VectorRef
from nacre.plan.tokens import Tokens, term_counts
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, data, param, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null
from nacre.stages.tokens import ListStage

if TYPE_CHECKING:
    from nacre.bundle.values import Tensor
    from nacre.spark.saved import Saved

MOST = (1 << 31) - 1
"""Entries of a vector, as Java counts them."""
KNOWN = 1 << 16
"""Hashes of tokens that a row function remembers."""
Counted = tuple[Sequence[int], Sequence[float]]
"""Ascending indices and their values."""


class CountingStage(ListStage):
    """A list of texts to a sparse vector of how often each place comes up."""

    outputs = (Port("output", vector(), "outputCol"),)
    width: int
    binary: bool

    def output_type(self) -> Type:
        return vector(self.width)

    def counter(self) -> Callable[[list[str | None]], Counted]:
        """The function of one list."""
        raise NotImplementedError

    def of_row(self, code: RowCode, name: str) -> SparseRef:
        indices, values = code.new("ix"), code.new("vx")
        code.line(f"{indices}, {values} = {code.const(self.counter(), 'count')}({name})")
        return SparseRef(indices, values, self.width)


def counted(places: Iterable[int]) -> dict[int, float]:
    """How often each place comes up."""
    counts: dict[int, float] = {}
    for place in places:
        counts[place] = counts.get(place, 0.0) + 1.0
    return counts


def in_order(counts: dict[int, float], binary: bool) -> Counted:
    indices = sorted(counts)
    return indices, [1.0] * len(indices) if binary else [counts[index] for index in indices]


def _saved_version(saved: Saved) -> int:
    return 1 if str(saved.metadata.get("sparkVersion", "")).startswith(("1.", "2.")) else 2


@stage
class HashingTermFrequency(CountingStage):
    """How often each token comes up, at the place of its Murmur3 hash modulo the size; a null token hashes to 42."""

    op = "hashing_term_frequency"
    spark_classes = ("org.apache.spark.ml.feature.HashingTF",)
    attributes = (
        Attr("num_features", "long", 1 << 18, "size of the vector", spark=param("numFeatures")),
        Attr("binary", "boolean", False, "whether every count is 1.0", spark=param("binary")),
        Attr(
            "hashUnsafeBytesVersion", "int", None, "2 is the hash of Spark 3 and later, 1 that of Spark 2; absent: 1, "
            "as in MLeap, or what `nacre.load(…, hash_version=2)` says", spark=_saved_version,
        ),
    )  # fmt: skip

    num_features: int
    hashUnsafeBytesVersion: int | None  # noqa: N815 - the attribute's own spelling

    def prepare(self) -> None:
        if not 1 <= self.num_features <= MOST:
            raise self.bad("absurd number of features", "num_features", f"1 to {MOST}", self.num_features)
        self.width = self.num_features
        self.version = self.hashUnsafeBytesVersion or self.context.hash_version or 1
        if self.version not in VERSIONS:
            raise self.bad("unknown version of the hash", "hashUnsafeBytesVersion", "1 or 2", self.version)

    def of_tokens(self, tokens: Tokens) -> Csr:
        places = hash_texts(tokens.words, self.version).astype(np.int64) % self.width
        found = term_counts(tokens, tokens.per_word(places, hash_text(None) % self.width), self.width)
        return found.with_values(np.ones(len(found.values))) if self.binary else found

    def counter(self) -> Callable[[list[str | None]], Counted]:
        version, width, binary = self.version, self.width, self.binary
        place = lru_cache(KNOWN)(lambda token: hash_text(token, version) % width)
        return lambda tokens: in_order(counted(map(place, tokens)), binary)


@stage
class CountVectorizer(CountingStage):
    """How often each word of the vocabulary comes up, if often enough for its document."""

    op = "count_vectorizer"
    spark_classes = ("org.apache.spark.ml.feature.CountVectorizerModel",)
    attributes = (
        Attr("vocabulary", "list<string>", REQUIRED, "the words, by index", spark=data("vocabulary")),
        Attr("binary", "boolean", False, "whether every count is 1.0", spark=param("binary")),
        Attr(
            "min_tf", "double", 1.0, "how often a word must come up; below 1.0 a share of all tokens, known or not",
            spark=param("minTF"),
        ),
    )  # fmt: skip

    vocabulary: list[str]
    min_tf: float

    def prepare(self) -> None:
        self.table = {word: index for index, word in enumerate(self.vocabulary)}
        self.width = len(self.vocabulary)
        if len(self.table) < self.width:
            twice = next(word for index, word in enumerate(self.vocabulary) if self.table[word] != index)
            raise self.bad("a word stands twice", "vocabulary", "each word once", twice)

    def of_tokens(self, tokens: Tokens) -> Csr:
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pc.index_in(tokens.words, value_set=pa.array(self.vocabulary, pa.string())).fill_null(-1)
        counts = term_counts(tokens, tokens.per_word(found.to_numpy().astype(np.int64), -1), self.width)
        with np.errstate(invalid="ignore"):
            least = np.full(len(tokens), self.min_tf) if self.min_tf >= 1.0 else tokens.counts * self.min_tf
        rows = counts.rows()
        keep = counts.values >= least[rows]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[keep], minlength=len(tokens)))])
        values = np.ones(int(keep.sum())) if self.binary else counts.values[keep]
        return Csr(indptr.astype(np.int64), counts.indices[keep], values, self.width)

    def counter(self) -> Callable[[list[str | None]], Counted]:
        table, least, binary = self.table, self.min_tf, self.binary

        def count(tokens: list[str | None]) -> Counted:
            counts = counted(table[token] for token in tokens if token in table)
            wanted = least if least >= 1.0 else len(tokens) * least
            return in_order({place: n for place, n in counts.items() if n >= wanted}, binary)

        return count


@stage
class Idf(Stage):
    """Each entry times its inverse document frequency; a sparse vector stays sparse, stored zeros included."""

    op = "idf"
    spark_classes = ("org.apache.spark.ml.feature.IDFModel",)
    inputs = (Port("input", vector(), "inputCol"),)
    outputs = (Port("output", vector(), "outputCol"),)
    attributes = (
        Attr("idf", "tensor", REQUIRED, "a factor for each entry", spark=data("idf")),
        Attr(
            "docFreq", "list<long>", None, "documents that have each entry; not used in scoring",
            spark=lambda saved: saved.data("docFreq") if saved.has("docFreq") else None,
        ),
        Attr(
            "numDocs", "long", None, "documents the model was fitted on; not used in scoring",
            spark=lambda saved: saved.data("numDocs") if saved.has("numDocs") else None,
        ),
    )  # fmt: skip

    idf: Tensor

    def prepare(self) -> None:
        self.size = len(self.idf.values)
        self.factors = np.array(self.idf.values, np.float64)
        if not (np.isfinite(self.factors) & (self.factors >= 0.0)).all():  # would change entries that are not stored
            raise self.bad(
                "factors that no logarithm of counts gives", "idf", "finite and not negative", self.idf.values
            )

    def wants(self) -> list[Type | None]:
        return [vector(self.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        return [vector_of(self, self.input_names[0], inputs[0], self.size)]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        with np.errstate(all="ignore"):
            if isinstance(column, Csr):
                made: Vectors = column.with_values(column.values * self.factors[column.indices])
            else:
                made = column.like(column.matrix * self.factors[:, None])
        result = Result([made])
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{self.size}]", got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        factors = code.const(self.idf.values, "idf")
        if isinstance(ref, SparseRef):
            weighted = code.let(f"[x * {factors}[i] for i, x in zip({ref.indices}, {ref.values})]", "vx")
            return [SparseRef(ref.indices, weighted, ref.size)]
        plain = VectorRef(ref.parts, ref.size)
        out = code.let(f"tuple(map({code.const(mul, 'mul')}, {plain.expression}, {factors}))", "w")
        return [VectorRef((Part(out, ref.size),), ref.size, stored=ref.stored)]
