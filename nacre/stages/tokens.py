"""Lists of tokens to lists of tokens: ngram, stopwords_remover, word_filter."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.formats.javalower import lower, lower_in
from nacre.plan.frame import Bools, Column, Lists, Result
from nacre.plan.rowcode import ListRef, Ref, RowCode
from nacre.plan.tokens import Tokens, tokens_of
from nacre.plan.types import TOKENS, Type
from nacre.stages.base import REQUIRED, Attr, Port, Stage, param, stage

if TYPE_CHECKING:
    import pyarrow as pa

    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

NULL = "null where a list is needed"
EXPECTED = "a list of texts"


class ListStage(Stage):
    """A stage with one list of texts in. A null list fails, as Spark's own functions do on one."""

    inputs = (Port("input", TOKENS, "inputCol"),)

    def output_type(self) -> Type:
        raise NotImplementedError

    def of_tokens(self, tokens: Tokens) -> Column:
        """The output column."""
        raise NotImplementedError

    def of_row(self, code: RowCode, name: str) -> Ref:
        """The output for the list that a variable holds."""
        raise NotImplementedError

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        if inputs[0] != TOKENS:
            raise self.refuse(self.input_names[0], EXPECTED, inputs[0])
        return [self.output_type()]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Lists)
        tokens = tokens_of(column)
        result = Result([self.of_tokens(tokens)])
        if tokens.null is not None:
            result.fail(tokens.null, self.input_names[0], NULL, expected=EXPECTED, got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, ListRef)
        if ref.nullable:
            with code.block(f"if {ref.name} is None"):
                code.fail(self.input_names[0], NULL, EXPECTED, "None")
        return [self.of_row(code, ref.name)]


class TokenStage(ListStage):
    """A list of texts to a list of texts."""

    outputs = (Port("output", TOKENS, "outputCol"),)

    def output_type(self) -> Type:
        return TOKENS


@stage
class NGram(TokenStage):
    """All runs of n tokens, each joined by single spaces; a null token reads "null". No run: an empty list."""

    op = "ngram"
    spark_classes = ("org.apache.spark.ml.feature.NGram",)
    attributes = (Attr("n", "long", REQUIRED, "tokens in a run, 1 at least", spark=param("n")),)

    n: int

    def prepare(self) -> None:
        if self.n < 1:
            raise self.bad("a run of no tokens", "n", "1 or more", self.n)

    def of_tokens(self, tokens: Tokens) -> Tokens:
        import pyarrow as pa
        import pyarrow.compute as pc

        words = pa.concat_arrays([tokens.words, pa.array(["null"], pa.string())])
        if self.n > MANY:
            return self._cut(tokens, words)
        runs, codes, grams = tokens.codes, tokens.codes, words
        for step in range(1, self.n):
            pairs = pa.array(runs[: max(len(codes) - step, 0)] * len(words) + codes[step:]).dictionary_encode()
            left, right = np.divmod(pairs.dictionary.to_numpy(), len(words))
            grams = pc.binary_join_element_wise(grams.take(pa.array(left)), words.take(pa.array(right)), " ")
            runs = pairs.indices.to_numpy().astype(np.int64)
        # A run over the edge of two rows is worked out too, and left out here.
        counts = np.maximum(tokens.counts - (self.n - 1), 0)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        starts = np.arange(offsets[-1]) + np.repeat(tokens.offsets[:-1] - offsets[:-1], counts)
        return Tokens(offsets, runs[starts], grams, tokens.null)

    def _cut(self, tokens: Tokens, words: pa.Array) -> Tokens:
        """Long runs, list by list: only lists that are as long have any, whatever n is."""
        import pyarrow as pa

        counts = np.maximum(tokens.counts - (self.n - 1), 0)
        grams: list[str] = []
        for row in np.flatnonzero(counts).tolist():
            codes = tokens.codes[tokens.offsets[row] : tokens.offsets[row + 1]]
            grams += _long_grams(words.take(pa.array(codes)).to_pylist(), self.n)
        distinct = pa.array(grams, pa.string()).dictionary_encode()
        codes = distinct.indices.to_numpy().astype(np.int64)
        return Tokens(np.concatenate([[0], np.cumsum(counts)]), codes, distinct.dictionary, tokens.null)

    def of_row(self, code: RowCode, name: str) -> ListRef:
        return ListRef(code.let(f"{code.const(grams_of(self.n), 'grams')}({name})", "k"))


def grams_of(n: int) -> Callable[[list[str | None]], list[str]]:
    """The same for one list."""

    def grams(tokens: list[str | None]) -> list[str]:
        if None in tokens:
            tokens = ["null" if token is None else token for token in tokens]
        return list(map(" ".join, zip(*(tokens[start:] for start in range(n)), strict=False)))

    return grams if n <= MANY else lambda tokens: _long_grams(tokens, n)


MANY = 100
"""Tokens in a run, beyond which the runs of a list are cut one after the other."""


def _long_grams(tokens: list[str | None], n: int) -> list[str]:
    texts = ["null" if token is None else token for token in tokens]
    return [" ".join(texts[start : start + n]) for start in range(len(texts) - n + 1)]


@stage
class StopWordsRemover(TokenStage):
    """The tokens that are no stop words; null tokens stay, unless null is a stop word. Regardless of case: by the lower
    case of the locale, MLeap's by that of no locale."""

    op = "stopwords_remover"
    spark_classes = ("org.apache.spark.ml.feature.StopWordsRemover",)
    inputs = (Port("input", TOKENS, "inputCol", many="inputCols"),)
    outputs = (Port("output", TOKENS, "outputCol", many="outputCols"),)
    attributes = (
        Attr("stop_words", "list<string>", REQUIRED, "the words to remove", spark=param("stopWords")),
        Attr("case_sensitive", "boolean", False, "whether their case counts", spark=param("caseSensitive")),
        Attr("nacre.locale", "string", "", "whose lower case, such as `tr`; absent: that of no language"),
    )

    stop_words: list[str]
    case_sensitive: bool
    locale: str

    def prepare(self) -> None:
        if len(self.input_names) != 1 or len(self.output_names) != 1:
            got = f"{len(self.input_names)} inputs and {len(self.output_names)} outputs"
            raise self.bad("more than one column", "input", "one node a column", got)
        spell = lower if self.context.mleap else lower_in(self.locale)
        self.lowered = (lambda word: word) if self.case_sensitive else spell
        self.stops = frozenset(map(self.lowered, self.stop_words))

    def of_tokens(self, tokens: Tokens) -> Tokens:
        stops, lowered = self.stops, self.lowered
        return tokens.kept(_judged(tokens, (lowered(word) not in stops for word in tokens.words.to_pylist())))

    def of_row(self, code: RowCode, name: str) -> ListRef:
        stops = code.const(self.stops, "stops")
        if self.case_sensitive:
            return ListRef(code.let(f"[w for w in {name} if w not in {stops}]", "k"))
        lowered = "w.lower()" if self.lowered is lower else f"{code.const(self.lowered, 'lower')}(w)"
        return ListRef(code.let(f"[w for w in {name} if w is None or {lowered} not in {stops}]", "k"))

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """One node a column, since MLeap's runtime knows removers of one column only. A null stop word never removes a
        text, and MLeap has no nulls in lists: it is left out."""
        columns, outputs = saved.columns(cls.inputs[0]), saved.columns(cls.outputs[0])
        values = saved.attributes(cls) | {"nacre.locale": saved.param("locale", "")}
        values["stop_words"] = [word for word in values["stop_words"] if word is not None]
        return [
            cls.make(saved.name(n, len(columns)), values, [("input", column)], [("output", output)])
            for n, (column, output) in enumerate(zip(columns, outputs, strict=True))
        ]


def _judged(tokens: Tokens, keep: Iterable[bool]) -> Bools:
    """A mask of the words, null kept."""
    return np.append(np.fromiter(keep, bool, len(tokens.words)), True)


@stage
class WordFilter(TokenStage):
    """The tokens that are nothing but letters, of whatever script, and longer than a length."""

    op = "word_filter"
    exact = "bit for bit MLeap's; Spark has no such class"
    spark_classes = ("org.apache.spark.ml.mleap.feature.WordLengthFilter",)
    attributes = (
        Attr(
            "length", "int", REQUIRED, "a token has more letters than this",
            spark=lambda saved: saved.param("wordLength", 3),
        ),
    )  # fmt: skip

    length: int

    def of_tokens(self, tokens: Tokens) -> Tokens:
        return tokens.kept(_judged(tokens, map(self._long_word, tokens.words.to_pylist())))

    def columns(self, inputs: Sequence[Column]) -> Result:
        result = super().columns(inputs)
        (column,) = inputs
        assert isinstance(column, Lists)
        tokens = tokens_of(column)
        holed = np.zeros(len(tokens), bool)
        holed[tokens.rows()[tokens.codes == len(tokens.words)]] = True
        result.fail(holed, self.input_names[0], NULL_ITEM, expected="a text", got=lambda row: None)
        return result

    def of_row(self, code: RowCode, name: str) -> ListRef:
        with code.block(f"if None in {name}"):
            code.fail(self.input_names[0], NULL_ITEM, "a text", "None")
        return ListRef(code.let(f"list(filter({code.const(self._long_word, 'long')}, {name}))", "k"))

    def _long_word(self, word: str) -> bool:
        return len(word) > self.length and ((word.isascii() and word.isalpha()) or all(map(is_letter, word)))


NULL_ITEM = "null in a list of texts"


def is_letter(c: str) -> bool:
    """Java's ``Character.isLetter(char)``: letters beyond 16 bits, which are two chars there, are none."""
    return c <= "\uffff" and unicodedata.category(c).startswith("L")
